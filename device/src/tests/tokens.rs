//! Refresh, exchange, trade, proof at a resource, and the server's time.

use std::{format, vec, vec::Vec};

use serde_json::{Value, json};

use super::world::*;
use crate::{
    Actor, ActorClaims, ActorError, Address, AnswerError, AskTime, ClientAuth, Discovery, ErrorCode, Exchange, Failure,
    Fetch, Input, JwtBearer, Method, Refresh, Request, Secret, SubjectType, TokenType,
};

fn public() -> ClientAuth {
    ClientAuth::Public { client_id: "spk-firmware".into() }
}

fn assertion_client() -> ClientAuth {
    ClientAuth::PrivateKeyJwt { client_id: "dev_9F3K2".into(), issuer: ISSUER.into() }
}

fn refresh() -> Refresh {
    Refresh::new(at("/token"), public(), Secret::new("rt_0"), true)
}

fn claims() -> ActorClaims {
    ActorClaims {
        did: "dev_9F3K2".into(),
        audience: ISSUER.into(),
        name: Some("Hall speaker".into()),
        serial_number: Some("SPK-000123".into()),
        model: Some("SPK-2".into()),
        ..ActorClaims::default()
    }
}

fn register(actor: Actor) -> Exchange {
    let app = ClientAuth::Public { client_id: "app_mobile".into() };
    let mut exchange = Exchange::register(at("/token"), app, Secret::new("at_adam_1"), actor, false);
    exchange.audience = vec!["https://ingest.example.com".into(), "https://b.example.com".into()];
    exchange.scope = Some("telemetry:write".into());
    exchange
}

fn asset_token() -> Input {
    let mut body = tokens("DPoP");
    body["issued_token_type"] = json!("urn:ietf:params:oauth:token-type:jwt");
    ok(body)
}

#[test]
fn a_lost_answer_to_a_refresh_is_asked_for_with_the_same_token_while_the_server_still_gives_it() {
    let mut world = World::new();
    let mut first = None;
    let tokens = world.run_with(&mut refresh(), |seconds, _| {
        // The server rotates at once; the answer is lost. It gives the same
        // successor for ten seconds.
        match first {
            None => {
                first = Some(seconds);
                Input::Lost
            }
            Some(first) if seconds - first <= 10 => ok(tokens("DPoP")),
            Some(_) => no("invalid_grant"),
        }
    });
    assert_eq!(tokens.unwrap().refresh_token.unwrap().expose(), "rt_1");
    let requests = world.requests();
    assert_eq!(parameter(requests[0], "refresh_token"), parameter(requests[1], "refresh_token"));
    assert_ne!(proof(requests[0])["jti"], proof(requests[1])["jti"]);
    // Time-out and pause together stay inside those ten seconds.
    assert!(requests[0].patience + 2 <= 6, "the first pause is 2 s at most");
    assert!(world.waits()[0] <= 2);
}

#[test]
fn a_server_that_keeps_the_refresh_token_leaves_it_with_the_device() {
    let mut world = World::new();
    let mut body = tokens("DPoP");
    body.as_object_mut().unwrap().remove("refresh_token");
    let tokens = world.run(&mut refresh(), vec![ok(body)]).unwrap();
    assert_eq!(tokens.refresh_token.unwrap().expose(), "rt_0");
}

#[test]
fn silence_is_answered_by_longer_pauses_and_an_end() {
    let mut world = World::new();
    assert_eq!(world.run(&mut refresh(), vec![Input::Lost; 4]).unwrap_err(), Failure::Unreachable);
    let waits = world.waits();
    assert!(waits.iter().zip([2, 4, 8]).all(|(wait, longest)| (1..=longest).contains(wait)), "{waits:?}");
    assert_eq!(waits.len(), 3);
}

#[test]
fn a_clock_that_is_wrong_is_put_right_by_the_date_of_the_refusal() {
    // The device woke up in 1970.
    let mut world = World::at(12);
    let script = vec![
        answer(400, &[("Date", "Sun, 15 Jun 2025 15:06:40 GMT")], json!({ "error": "invalid_dpop_proof" })),
        ok(tokens("DPoP")),
    ];
    world.run(&mut refresh(), script).unwrap();
    assert_eq!(proof(world.requests()[0])["iat"], 12);
    assert_eq!(proof(world.requests()[1])["iat"], NOW);
    assert!(world.waits().is_empty());
    assert_eq!(world.memory.server_time(world.now), NOW);
}

#[test]
fn a_clock_that_is_right_makes_no_second_try() {
    let mut world = World::new();
    let refusal = answer(400, &[("Date", "Sun, 15 Jun 2025 15:06:50 GMT")], json!({ "error": "invalid_dpop_proof" }));
    assert_eq!(refused(world.run(&mut refresh(), vec![refusal])), ErrorCode::InvalidDpopProof);
    assert_eq!(world.memory.server_time(world.now), NOW, "ten seconds are within what servers allow");
}

#[test]
fn a_server_whose_date_wanders_gets_one_repeat_only() {
    let mut world = World::new();
    let at = |date| answer(400, &[("Date", date)], json!({ "error": "invalid_dpop_proof" }));
    let script = vec![at("Sun, 15 Jun 2025 16:06:40 GMT"), at("Sun, 15 Jun 2025 18:06:40 GMT")];
    assert_eq!(refused(world.run(&mut refresh(), script)), ErrorCode::InvalidDpopProof);
}

#[test]
fn a_device_can_ask_for_the_time() {
    let mut world = World::at(0);
    assert_eq!(world.run(&mut AskTime::new(at("/time")), vec![ok(json!({ "now": NOW }))]), Ok(NOW));
    world.run(&mut refresh(), vec![ok(tokens("DPoP"))]).unwrap();
    assert_eq!(proof(world.requests()[1])["iat"], NOW);
    let mut world = World::new();
    let result = world.run(&mut AskTime::new(at("/time")), vec![ok(json!({ "now": "soon" }))]);
    assert_eq!(result, Err(Failure::Answer(AnswerError::Member("now"))));
}

#[test]
fn a_client_assertion_is_for_this_server_short_lived_and_never_the_same_twice() {
    let mut world = World::new();
    let mut machine = Refresh::new(at("/token"), assertion_client(), Secret::new("rt_0"), true);
    world.run(&mut machine, vec![Input::Lost, ok(tokens("DPoP"))]).unwrap();
    let mut ids = Vec::new();
    for request in world.requests() {
        let kind = parameter(request, "client_assertion_type").unwrap();
        assert_eq!(kind, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let (header, claims) = verified(&parameter(request, "client_assertion").unwrap());
        assert_eq!(header.typ(), Some("client-authentication+jwt"));
        assert_eq!(header.kid(), Some("jq-Abjit1KD2Wx0wdYwfnPJdS-lzqzP6XK4JMrJiI7M"));
        assert_eq!(claims["iss"], "dev_9F3K2");
        assert_eq!(claims["sub"], claims["iss"]);
        assert_eq!(claims["aud"], ISSUER);
        assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 300);
        ids.extend([claims["jti"].clone(), proof(request)["jti"].clone()]);
    }
    assert!(ids.iter().enumerate().all(|(at, id)| !ids[..at].contains(id)));
}

#[test]
fn a_device_says_who_it_is_in_an_actor_token_signed_by_the_key_it_names() {
    let mut world = World::new();
    world.run(&mut register(Actor::Device(claims())), vec![asset_token()]).unwrap();
    let (header, claims) = verified(&parameter(world.requests()[0], "actor_token").unwrap());
    assert_eq!((header.typ(), header.jwk()), (Some("actor+jwt"), None));
    for name in ["iss", "sub", "did"] {
        assert_eq!(claims[name], "dev_9F3K2");
    }
    assert_eq!(claims["aud"], ISSUER);
    assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(NOW), Some(NOW + 300)));
    assert!(claims["jti"].as_str().unwrap().len() >= 22);
    assert_eq!(claims["serial_number"], "SPK-000123");
    assert_eq!(claims["cnf"], json!({ "jwk": device_key_public() }));
    assert!(!claims.contains_key("account_id"));
}

fn device_key_public() -> Value {
    let mut key: Value = serde_json::from_str(DEVICE_KEY).unwrap();
    key.as_object_mut().unwrap().remove("d");
    key
}

#[test]
fn an_exchange_asks_as_the_standard_says() {
    let mut world = World::new();
    let tokens = world.run(&mut register(Actor::Token(Secret::new("act_1"))), vec![asset_token()]).unwrap();
    assert_eq!(tokens.issued_token_type.as_deref(), Some("urn:ietf:params:oauth:token-type:jwt"));
    let expected = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", "at_adam_1"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("actor_token", "act_1"),
        ("actor_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("audience", "https://ingest.example.com"),
        ("audience", "https://b.example.com"),
        ("scope", "telemetry:write"),
        ("client_id", "app_mobile"),
    ];
    let sent = form(world.requests()[0]);
    let sent: Vec<_> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(sent, expected);
    assert_eq!(world.requests()[0].header("dpop"), None, "the app has no bound token here");
}

#[test]
fn without_an_actor_no_actor_token_type_is_sent() {
    let mut world = World::new();
    let mut renewal = Exchange::renew(at("/token"), public(), Secret::new("atk_1"));
    world.run(&mut renewal, vec![asset_token()]).unwrap();
    let request = world.requests()[0];
    assert_eq!(parameter(request, "subject_token_type").as_deref(), Some("urn:ietf:params:oauth:token-type:jwt"));
    assert!(form(request).iter().all(|(name, _)| !name.starts_with("actor_token")));
    proof(request);
}

#[test]
fn an_actor_token_is_never_sent_twice() {
    let mut world = World::new();
    world.run(&mut register(Actor::Device(claims())), vec![Input::Lost, asset_token()]).unwrap();
    let ids: Vec<_> = world.requests().iter().map(|r| verified(&parameter(r, "actor_token").unwrap()).1).collect();
    assert_ne!(ids[0]["jti"], ids[1]["jti"]);

    // One that was handed over cannot be made anew here.
    let mut world = World::new();
    let result = world.run(&mut register(Actor::Token(Secret::new("act_1"))), vec![Input::Lost]);
    assert_eq!(result.unwrap_err(), Failure::Unreachable);
}

#[test]
fn an_actor_token_of_a_wrong_time_is_made_anew_by_the_servers_time() {
    let mut world = World::at(NOW - 86_400);
    let refusal = answer(400, &[("Date", "Sun, 15 Jun 2025 15:06:40 GMT")], json!({ "error": "invalid_request" }));
    world.run(&mut register(Actor::Device(claims())), vec![refusal, asset_token()]).unwrap();
    let (_, claims) = verified(&parameter(world.requests()[1], "actor_token").unwrap());
    assert_eq!(claims["iat"], NOW);
}

#[test]
fn claims_a_registry_would_refuse_are_not_signed() {
    let mut world = World::new();
    let long = "x".repeat(256);
    let cases: [(ActorClaims, ActorError); 8] = [
        (ActorClaims { did: "".into(), ..claims() }, ActorError::Did),
        (ActorClaims { did: "../etc".into(), ..claims() }, ActorError::Did),
        (ActorClaims { did: "d".repeat(129), ..claims() }, ActorError::Did),
        (ActorClaims { did: "dev_\u{0435}".into(), ..claims() }, ActorError::Did),
        (ActorClaims { name: Some("a\nb".into()), ..claims() }, ActorError::Text("name")),
        (ActorClaims { model: Some(long), ..claims() }, ActorError::Text("model")),
        (ActorClaims { own: own(&["exp"]), ..claims() }, ActorError::Own),
        (ActorClaims { own: (0..33).map(|at| (format!("a{at}"), json!(1))).collect(), ..claims() }, ActorError::Own),
    ];
    for (claims, error) in cases {
        assert_eq!(claims.sign(&world.given()).unwrap_err(), Failure::Actor(error));
    }
    assert!(ActorClaims { own: own(&["colour"]), ..claims() }.sign(&world.given()).is_ok());
}

fn own(names: &[&str]) -> serde_json::Map<std::string::String, Value> {
    names.iter().map(|name| ((*name).into(), json!("x"))).collect()
}

#[test]
fn an_asset_token_is_traded_with_proof_and_an_unbound_answer_is_discarded() {
    let trade = || JwtBearer::new(at("/token"), public(), Secret::new("atk_1"), Some("api".into()), true);
    let mut world = World::new();
    world.run(&mut trade(), vec![ok(tokens("dpop"))]).unwrap();
    let request = world.requests()[0];
    assert_eq!(parameter(request, "grant_type").as_deref(), Some("urn:ietf:params:oauth:grant-type:jwt-bearer"));
    assert_eq!(parameter(request, "assertion").as_deref(), Some("atk_1"));
    proof(request);
    let result = World::new().run(&mut trade(), vec![ok(tokens("Bearer"))]);
    assert_eq!(result.unwrap_err(), Failure::Answer(AnswerError::NotBound));
}

#[test]
fn answers_that_are_no_tokens_are_refused() {
    let answers = [
        (ok(json!({ "token_type": "DPoP" })), AnswerError::Member("access_token")),
        (ok(json!({ "access_token": "a b", "token_type": "DPoP" })), AnswerError::Member("access_token")),
        (ok(json!({ "access_token": "a\r\nb", "token_type": "DPoP" })), AnswerError::Member("access_token")),
        (ok(json!({ "access_token": "a", "token_type": "N_A" })), AnswerError::Member("token_type")),
        (ok(json!({ "access_token": "a", "token_type": "DPoP", "expires_in": -1 })), AnswerError::Member("expires_in")),
        (ok(json!([1])), AnswerError::Json),
        (answer(302, &[("Location", "https://evil.example/")], json!({})), AnswerError::Status(302)),
        (answer(200, &[], json!("x".repeat(70_000))), AnswerError::TooLong),
        (answer(404, &[], json!("no")), AnswerError::Status(404)),
    ];
    for (answer, error) in answers {
        assert_eq!(World::new().run(&mut refresh(), vec![answer]).unwrap_err(), Failure::Answer(error));
    }
}

#[test]
fn a_description_that_could_paint_a_screen_is_dropped() {
    for (text, kept) in [("too old", true), ("\u{1b}[2J", false), ("a\nb", false), ("", false)] {
        let refusal = answer(400, &[], json!({ "error": "invalid_grant", "error_description": text }));
        let Failure::Refused(refused) = World::new().run(&mut refresh(), vec![refusal]).unwrap_err() else {
            panic!("no refusal")
        };
        assert_eq!(refused.description.as_deref(), kept.then_some(text));
        assert!(format!("{refused}").starts_with("invalid_grant: "));
    }
}

fn telemetry(kind: TokenType) -> Fetch {
    let mut request = Request::new(Method::Post, Address::parse("https://ingest.example.com/v1/telemetry").unwrap());
    request.body = b"{}".to_vec();
    Fetch::new(request, Secret::new("atk_1"), kind)
}

#[test]
fn a_resource_is_shown_token_and_proof_over_that_token() {
    let mut world = World::new();
    let answer = world.run(&mut telemetry(TokenType::Dpop), vec![answer(403, &[], json!({}))]).unwrap();
    assert_eq!(answer.status, 403, "what a resource says is not judged here");
    let request = world.requests()[0];
    assert_eq!(request.header("authorization"), Some("DPoP atk_1"));
    assert_eq!(proof(request)["ath"], jose::dpop::ath("atk_1"));
}

#[test]
fn the_hash_in_a_proof_is_that_of_the_example_token() {
    let token = "eyJ0eXAiOiJhc3NldCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6ImFzLTEifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIiwic3ViIjoidV9hZGFtIiwiYXVkIjpbImh0dHBzOi8vaW5nZXN0LmV4YW1wbGUuY29tIl0sImNsaWVudF9pZCI6ImFwcF9tb2JpbGUiLCJpYXQiOjE3NTAwMDAwMDAsIm5iZiI6MTc1MDAwMDAwMCwiZXhwIjoxNzUwMDg2NDAwLCJqdGkiOiJhdGstMDAwMSIsImRpZCI6ImRldl85RjNLMiIsImFzc2V0X2lkIjoiYXN0XzQyIiwic2VyaWFsX251bWJlciI6IlNQSy0wMDAxMjMiLCJtb2RlbCI6IlNQSy0yIiwiYWNjb3VudF9pZCI6ImFjY181MDEiLCJjb250YWN0X2lkIjoiY29uXzc3NyIsInNjb3BlIjoidGVsZW1ldHJ5OndyaXRlIiwiYWN0Ijp7InN1YiI6ImRldl85RjNLMiIsImlzcyI6Imh0dHBzOi8vaWQuZXhhbXBsZS5jb20ifSwiY25mIjp7ImprdCI6ImpxLUFiaml0MUtEMld4MHdkWXdmblBKZFMtbHpxelA2WEs0Sk1ySmlJN00ifX0.OqUAj4JPP8gAJOnCEAEb41Tav1ZoUUOMDcY1-GqG8vuMe--nZhVKZwqSR8utejNPNSQFQ2nw_QNC0uwpl--hcg";
    let request = Request::new(Method::Post, Address::parse("https://ingest.example.com/v1/telemetry").unwrap());
    let mut world = World::new();
    world.run(&mut Fetch::new(request, Secret::new(token), TokenType::Dpop), vec![ok(json!({}))]).unwrap();
    assert_eq!(proof(world.requests()[0])["ath"], "dDHDsXEW68QL6Wx10iXd9mabcMcgtKXvEiXMwBhO97g");
}

#[test]
fn a_nonce_wanted_by_a_resource_is_used_once_and_remembered() {
    let wants = |nonce| {
        answer(
            401,
            &[("WWW-Authenticate", r#"DPoP error="use_dpop_nonce", algs="ES256""#), ("DPoP-Nonce", nonce)],
            json!(null),
        )
    };
    let mut world = World::new();
    world
        .run(&mut telemetry(TokenType::Dpop), vec![wants("n-1"), answer(200, &[("DPoP-Nonce", "n-2")], json!({}))])
        .unwrap();
    world.run(&mut telemetry(TokenType::Dpop), vec![ok(json!({}))]).unwrap();
    let nonces: Vec<_> = world.requests().into_iter().map(|request| proof(request).get("nonce").cloned()).collect();
    assert_eq!(nonces, [None, Some(json!("n-1")), Some(json!("n-2"))]);

    let result = World::new().run(&mut telemetry(TokenType::Dpop), vec![wants("n-1"), wants("n-2")]);
    assert_eq!(refused(result), ErrorCode::UseDpopNonce);
}

#[test]
fn a_dead_token_is_told_from_the_challenge_and_the_request_is_not_repeated() {
    let dead = answer(401, &[("WWW-Authenticate", r#"DPoP error="invalid_token""#)], json!(null));
    assert_eq!(refused(World::new().run(&mut telemetry(TokenType::Dpop), vec![dead])), ErrorCode::InvalidToken);
    let lost = World::new().run(&mut telemetry(TokenType::Dpop), vec![Input::Lost]);
    assert_eq!(lost.unwrap_err(), Failure::Unreachable);
}

#[test]
fn a_certificate_bound_token_goes_as_bearer_without_proof() {
    let mut world = World::new();
    world.run(&mut telemetry(TokenType::Bearer), vec![ok(json!({}))]).unwrap();
    let request = world.requests()[0];
    assert_eq!((request.header("authorization"), request.header("dpop")), (Some("Bearer atk_1"), None));
}

#[test]
fn a_fleet_does_not_renew_at_one_instant() {
    let mut world = World::new();
    let tokens = world.run(&mut refresh(), vec![ok(tokens("DPoP"))]).unwrap();
    assert_eq!(tokens.renew_in(0), Some(2400));
    assert_eq!(tokens.renew_in(u32::MAX), Some(2040));
}

#[test]
fn endpoints_are_believed_from_the_issuer_itself_alone() {
    let document = |issuer: &str| {
        ok(json!({
            "issuer": issuer, "token_endpoint": "https://id.example.com/token",
            "device_authorization_endpoint": "https://id.example.com/device_authorization",
            "mtls_endpoint_aliases": { "token_endpoint": "https://device.id.example.com/token" },
        }))
    };
    let mut world = World::new();
    let endpoints = world.run(&mut Discovery::new(ISSUER).unwrap(), vec![document(ISSUER)]).unwrap();
    assert_eq!(endpoints.token, at("/token"));
    assert_eq!(endpoints.device_authorization, Some(at("/device_authorization")));
    assert_eq!(endpoints.mtls_token.origin(), "https://device.id.example.com");
    assert_eq!(world.requests()[0].url, at("/.well-known/oauth-authorization-server"));
    for other in ["https://id.example.com/", "https://ID.example.com", "https://evil.example"] {
        let result = World::new().run(&mut Discovery::new(ISSUER).unwrap(), vec![document(other)]);
        assert_eq!(result.unwrap_err(), Failure::Answer(AnswerError::Member("issuer")));
    }
    let mut world = World::new();
    let _ = world.run(&mut Discovery::new("https://id.example.com/t/1").unwrap(), vec![no("x")]);
    assert_eq!(world.requests()[0].url, at("/.well-known/oauth-authorization-server/t/1"));
}

#[test]
fn a_trade_for_another_audience_names_the_kind_of_its_subject() {
    let mut world = World::new();
    let kind = SubjectType::Other("https://id.example.com/token-type/asset".into());
    let mut exchange = Exchange::plain(at("/token"), assertion_client(), Secret::new("atk_1"), kind, true);
    exchange.requested_type = Some("urn:ietf:params:oauth:token-type:access_token".into());
    world.run(&mut exchange, vec![asset_token()]).unwrap();
    let request = world.requests()[0];
    assert_eq!(parameter(request, "subject_token_type").as_deref(), Some("https://id.example.com/token-type/asset"));
    assert_eq!(
        parameter(request, "requested_token_type").as_deref(),
        Some("urn:ietf:params:oauth:token-type:access_token")
    );
}
