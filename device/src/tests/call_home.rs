//! The device's first contact.

use std::{format, vec};

use serde_json::{Value, json};

use super::world::*;
use crate::{AnswerError, CallHome, ErrorCode, Failure, Hello, Input, TokenType, Way};

const CHALLENGE: &str = "h-4Qm1vJ7cZt0xY2rKp9LsA";

fn hello() -> Hello {
    Hello {
        serial_number: Some("SPK-000123".into()),
        model: Some("SPK-2".into()),
        firmware: Some("1.4.2".into()),
        scope: Some("firmware:read".into()),
    }
}

fn by(way: Way) -> CallHome {
    CallHome::new(&at("/"), way, hello())
}

fn by_certificate() -> CallHome {
    by(Way::Certificate { bound_to_key: false })
}

fn by_key() -> CallHome {
    by(Way::Key { did: "dev_9F3K2".into(), issuer: ISSUER.into() })
}

fn session(kind: &str) -> Value {
    json!({
        "session": { "id": "ds_01", "expires_in": 86400 }, "did": "dev_9F3K2", "state": "registered",
        "credential": { "id": "crd_1", "kind": "initial" },
        "access_token": "at_1", "token_type": kind, "expires_in": 3600, "scope": "firmware:read",
        "next": ["enrol"], "est": "https://id.example.com/.well-known/est/SPK-2",
        "firmware_uri": "https://id.example.com/device/firmware", "now": NOW,
    })
}

fn challenge() -> Input {
    ok(json!({ "challenge": CHALLENGE, "expires_in": 60, "alg": ["ES256"] }))
}

fn sent_proof(request: &crate::Request) -> (jose::jws::Header, serde_json::Map<std::string::String, Value>) {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    verified(body["proof"].as_str().unwrap())
}

#[test]
fn by_certificate_it_is_one_request_with_what_the_device_says_of_itself() {
    let mut world = World::new();
    let called = world.run(&mut by_certificate(), vec![ok(session("Bearer"))]).unwrap();
    assert_eq!((called.did.as_str(), called.state.as_str()), ("dev_9F3K2", "registered"));
    assert_eq!((called.session.as_str(), called.session_expires_in), ("ds_01", 86400));
    assert_eq!((called.credential_kind.as_str(), called.tokens.token_type), ("initial", TokenType::Bearer));
    assert_eq!((called.next, called.asset_id), (vec!["enrol".into()], None));
    assert_eq!(called.firmware_uri, Some(at("/device/firmware")));
    let request = world.requests()[0];
    assert_eq!(request.url, at("/device/session"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        serde_json::from_slice::<Value>(&request.body).unwrap(),
        json!({ "serial_number": "SPK-000123", "model": "SPK-2", "firmware": "1.4.2", "scope": "firmware:read" })
    );
    assert_eq!(request.header("dpop"), None);
}

#[test]
fn a_token_wanted_for_the_key_comes_bound_to_it_or_not_at_all() {
    let mut world = World::new();
    world.run(&mut by(Way::Certificate { bound_to_key: true }), vec![ok(session("DPoP"))]).unwrap();
    proof(world.requests()[0]);
    let result = World::new().run(&mut by(Way::Certificate { bound_to_key: true }), vec![ok(session("Bearer"))]);
    assert_eq!(result.unwrap_err(), Failure::Answer(AnswerError::NotBound));
    let result = World::new().run(&mut by_key(), vec![challenge(), ok(session("Bearer"))]);
    assert_eq!(result.unwrap_err(), Failure::Answer(AnswerError::NotBound));
}

#[test]
fn by_key_it_signs_the_challenge_in_the_form_of_the_example() {
    let mut world = World::at(NOW + 30);
    world.run(&mut by_key(), vec![challenge(), ok(session("DPoP"))]).unwrap();
    let requests = world.requests();
    assert_eq!((&requests[0].url, requests[0].body.len()), (&at("/device/challenge"), 0));
    let (header, claims) = sent_proof(requests[1]);

    let example = "eyJ0eXAiOiJjYWxsaG9tZStqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6ImpxLUFiaml0MUtEMld4MHdkWXdmblBKZFMtbHpxelA2WEs0Sk1ySmlJN00ifQ.eyJpc3MiOiJkZXZfOUYzSzIiLCJhdWQiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIiwibm9uY2UiOiJoLTRRbTF2SjdjWnQweFkycktwOUxzQSIsImlhdCI6MTc1MDAwMDAzMCwic2VyaWFsX251bWJlciI6IlNQSy0wMDAxMjMifQ.a65V36wnz6Ci4RN6RFMb9czHVr45USy3YGfnFQIyd1XKgXEFRvRQN7ZBSVmmKYu7hPsGU25MRgdAGgvw_iQpiQ";
    let (expected_header, expected) = verified(example);
    assert_eq!(claims, expected);
    assert_eq!(
        (header.typ(), header.kid(), header.alg()),
        (expected_header.typ(), expected_header.kid(), expected_header.alg())
    );
}

#[test]
fn by_chain_the_certificates_name_the_device() {
    let mut world = World::new();
    let way = Way::Chain { x5c: vec!["AAEC".into(), "AwQF".into()], issuer: ISSUER.into() };
    world.run(&mut by(way), vec![challenge(), ok(session("DPoP"))]).unwrap();
    let (header, claims) = sent_proof(world.requests()[1]);
    assert_eq!(header.x5c(), [vec![0, 1, 2], vec![3, 4, 5]]);
    assert_eq!((header.kid(), claims.get("iss")), (None, None));
}

#[test]
fn a_device_without_time_signs_by_the_time_of_the_challenge() {
    let mut world = World::at(7);
    let challenge = answer(200, &[("Date", "Sun, 15 Jun 2025 15:06:40 GMT")], json!({ "challenge": CHALLENGE }));
    world.run(&mut by_key(), vec![challenge, ok(session("DPoP"))]).unwrap();
    assert_eq!(sent_proof(world.requests()[1]).1["iat"], NOW);
}

#[test]
fn a_session_tells_the_time_as_well() {
    let mut world = World::at(7);
    world.run(&mut by_certificate(), vec![ok(session("Bearer"))]).unwrap();
    assert_eq!(world.memory.server_time(7), NOW);
}

#[test]
fn a_challenge_used_up_by_a_lost_answer_is_replaced_once() {
    let mut world = World::new();
    let script = vec![challenge(), Input::Lost, no("invalid_challenge"), challenge(), ok(session("DPoP"))];
    world.run(&mut by_key(), script).unwrap();
    let script = vec![challenge(), no("invalid_challenge"), challenge(), no("invalid_challenge")];
    assert_eq!(refused(World::new().run(&mut by_key(), script)), ErrorCode::InvalidChallenge);
}

#[test]
fn every_refusal_reaches_the_device_with_its_reason() {
    for (status, word) in [
        (400, "invalid_request"),
        (401, "credential_required"),
        (401, "invalid_credential"),
        (403, "renewal_required"),
        (403, "device_suspended"),
        (403, "device_retired"),
        (403, "wrong_credential"),
        (413, "too_large"),
        (415, "unsupported_media_type"),
    ] {
        let refusal = answer(status, &[], json!({ "error": word, "error_description": "why" }));
        let Failure::Refused(refused) = World::new().run(&mut by_certificate(), vec![refusal]).unwrap_err() else {
            panic!("no refusal")
        };
        assert_eq!((refused.status, refused.code.as_str()), (status, word));
        assert!(!matches!(refused.code, ErrorCode::Other(_)), "{word} has a meaning");
        assert_eq!(format!("{refused}"), format!("{word}: {} (why)", refused.code.meaning()));
    }
}

#[test]
fn who_waits_for_approval_is_told_when_to_call_again() {
    let refusal = answer(403, &[("Retry-After", "600")], json!({ "error": "approval_pending" }));
    let Failure::Refused(refused) = World::new().run(&mut by_certificate(), vec![refusal]).unwrap_err() else {
        panic!("no refusal")
    };
    assert_eq!((refused.code, refused.retry_after), (ErrorCode::ApprovalPending, Some(600)));
}

#[test]
fn a_busy_server_is_asked_again_when_it_says_and_not_for_ever() {
    let busy = |after| answer(503, &[("Retry-After", after)], json!({ "error": "temporarily_unavailable" }));
    let mut world = World::new();
    world.run(&mut by_certificate(), vec![busy("9"), busy("1"), ok(session("Bearer"))]).unwrap();
    let [first, second] = world.waits()[..] else { panic!("two waits") };
    assert!((10..=11).contains(&first) && (2..=5).contains(&second), "{first} {second}");
    let script = vec![busy("1"), busy("1"), busy("1"), busy("1")];
    assert_eq!(refused(World::new().run(&mut by_certificate(), script)), ErrorCode::TemporarilyUnavailable);
    // A wait too long for one call is the program's to decide.
    let result = World::new().run(&mut by_certificate(), vec![busy("3600")]);
    assert_eq!(refused(result), ErrorCode::TemporarilyUnavailable);
}

#[test]
fn addresses_on_another_origin_are_not_handed_out_with_the_token() {
    let mut body = session("Bearer");
    body["firmware_uri"] = json!("https://evil.example/device/firmware");
    body["est"] = json!("http://id.example.com/.well-known/est");
    let called = World::new().run(&mut by_certificate(), vec![ok(body)]).unwrap();
    assert_eq!((called.firmware_uri, called.est), (None, None));
}

#[test]
fn a_session_that_lacks_something_is_no_session() {
    for member in ["session", "did", "state", "credential", "access_token", "token_type", "next"] {
        let mut body = session("Bearer");
        body.as_object_mut().unwrap().remove(member);
        let failure = World::new().run(&mut by_certificate(), vec![ok(body)]).unwrap_err();
        assert!(matches!(failure, Failure::Answer(AnswerError::Member(_))), "{member}");
    }
}
