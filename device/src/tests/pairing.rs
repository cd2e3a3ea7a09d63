//! RFC 8628 from the device's side.

use std::string::ToString;
use std::{format, vec, vec::Vec};

use serde_json::{Value, json};

use super::world::*;
use crate::{
    AnswerError, ClientAuth, ErrorCode, Failure, Input, Machine, Output, Pairing, Refresh, Secret, SwitchOn, TokenType,
};

fn client() -> ClientAuth {
    ClientAuth::Public { client_id: "spk-firmware".into() }
}

fn pairing() -> Pairing {
    Pairing::new(at("/device_authorization"), at("/token"), client(), Some("cloud:stream".into()))
}

fn codes() -> Value {
    json!({
        "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://id.example.com/pair",
        "verification_uri_complete": "https://id.example.com/pair?user_code=WDJB-MJHT",
        "expires_in": 600,
        "interval": 5,
    })
}

fn with(name: &str, value: Value) -> Input {
    let mut codes = codes();
    codes[name] = value;
    ok(codes)
}

fn without(name: &str) -> Input {
    let mut codes = codes();
    codes.as_object_mut().unwrap().remove(name);
    ok(codes)
}

#[test]
fn a_device_shows_its_code_polls_at_the_interval_and_gets_bound_tokens() {
    let mut world = World::new();
    let script = vec![ok(codes()), no("authorization_pending"), no("authorization_pending"), ok(tokens("DPoP"))];
    let tokens = world.run(&mut pairing().of_device("dev_9F3K2"), script).unwrap();
    assert_eq!((tokens.access_token.expose(), tokens.token_type), ("at_1", TokenType::Dpop));
    assert_eq!(tokens.refresh_token.unwrap().expose(), "rt_1");
    assert_eq!(world.waits(), [5, 5, 5]);

    let requests = world.requests();
    assert_eq!(requests[0].url.as_str(), "https://id.example.com/device_authorization");
    assert_eq!(
        form(requests[0]),
        [
            ("scope".to_string(), "cloud:stream".to_string()),
            ("authorization_details".into(), r#"[{"did":"dev_9F3K2","type":"device_pairing"}]"#.into()),
            ("client_id".into(), "spk-firmware".into()),
        ]
    );
    assert_eq!(
        form(requests[1]),
        [
            ("grant_type".to_string(), "urn:ietf:params:oauth:grant-type:device_code".to_string()),
            ("device_code".into(), "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS".into()),
            ("client_id".into(), "spk-firmware".into()),
        ]
    );
    let ids: Vec<Value> = requests.iter().map(|request| proof(request)["jti"].clone()).collect();
    assert!(ids.iter().enumerate().all(|(at, id)| !ids[..at].contains(id)), "every proof is new");
}

#[test]
fn the_code_is_shown_even_beside_the_complete_address() {
    let mut world = World::new();
    world.run(&mut pairing(), vec![ok(codes()), ok(tokens("DPoP"))]).unwrap();
    let Some(Event::Shown(prompt)) = world.events.get(1) else { panic!("nothing was shown first") };
    assert_eq!(prompt.user_code, "WDJB-MJHT");
    assert_eq!(prompt.verification_uri_complete.as_deref(), Some("https://id.example.com/pair?user_code=WDJB-MJHT"));
    assert_eq!(prompt.expires_in, 600);
    assert!(!format!("{prompt:?}").contains("WDJB"));
}

#[test]
fn without_an_interval_it_is_five_seconds_and_a_longer_one_is_kept() {
    for (start, interval) in
        [(without("interval"), 5), (with("interval", json!(30)), 30), (with("interval", json!(0)), 1)]
    {
        let mut world = World::new();
        world.run(&mut pairing(), vec![start, no("authorization_pending"), ok(tokens("DPoP"))]).unwrap();
        assert_eq!(world.waits(), [interval, interval]);
    }
}

#[test]
fn slow_down_adds_five_seconds_for_good() {
    let mut world = World::new();
    let script = vec![
        ok(codes()),
        no("slow_down"),
        no("authorization_pending"),
        no("slow_down"),
        no("authorization_pending"),
        ok(tokens("DPoP")),
    ];
    world.run(&mut pairing(), script).unwrap();
    assert_eq!(world.waits(), [5, 10, 10, 15, 15]);
}

#[test]
fn each_time_out_doubles_the_wait_and_an_answer_restores_the_interval() {
    let mut world = World::new();
    let script = vec![
        ok(codes()),
        Input::Lost,
        Input::Lost,
        Input::Lost,
        no("authorization_pending"),
        Input::Lost,
        ok(tokens("DPoP")),
    ];
    world.run(&mut pairing(), script).unwrap();
    assert_eq!(world.waits(), [5, 10, 20, 40, 5, 10]);
}

#[test]
fn a_busy_server_is_given_the_time_it_asks_for() {
    let mut world = World::new();
    let script = vec![
        ok(codes()),
        answer(503, &[("Retry-After", "25")], json!({ "error": "temporarily_unavailable" })),
        answer(502, &[], json!("bad gateway")),
        answer(429, &[("Retry-After", "7")], json!({ "error": "rate_limited" })),
        ok(tokens("DPoP")),
    ];
    world.run(&mut pairing(), script).unwrap();
    assert_eq!(world.waits(), [5, 25, 50, 10]);
}

#[test]
fn every_final_refusal_stops_the_polling_and_is_told() {
    for (word, code) in [
        ("access_denied", ErrorCode::AccessDenied),
        ("expired_token", ErrorCode::ExpiredToken),
        ("invalid_grant", ErrorCode::InvalidGrant),
        ("invalid_dpop_proof", ErrorCode::InvalidDpopProof),
        ("invalid_target", ErrorCode::InvalidTarget),
        ("invalid_scope", ErrorCode::InvalidScope),
        ("unauthorized_client", ErrorCode::UnauthorizedClient),
        ("a_new_word", ErrorCode::Other("a_new_word".into())),
    ] {
        let mut world = World::new();
        assert_eq!(refused(world.run(&mut pairing(), vec![ok(codes()), no(word)])), code);
        assert!(!code.meaning().is_empty());
    }
    let mut world = World::new();
    let script = vec![ok(codes()), answer(401, &[], json!({ "error": "invalid_client" }))];
    assert_eq!(refused(world.run(&mut pairing(), script)), ErrorCode::InvalidClient);
}

#[test]
fn a_refusal_at_the_start_is_told_before_anything_is_shown() {
    for word in
        ["invalid_scope", "invalid_target", "invalid_authorization_details", "invalid_request", "unauthorized_client"]
    {
        let mut world = World::new();
        assert_eq!(refused(world.run(&mut pairing(), vec![no(word)])).as_str(), word);
        assert!(!world.events.iter().any(|event| matches!(event, Event::Shown(_))));
    }
}

#[test]
fn a_nonce_wanted_at_the_start_is_used_at_once_and_in_every_poll() {
    let mut world = World::new();
    let script = vec![
        answer(400, &[("DPoP-Nonce", "n-1")], json!({ "error": "use_dpop_nonce" })),
        answer(200, &[("dpop-nonce", "n-2")], codes()),
        no("authorization_pending"),
        ok(tokens("DPoP")),
    ];
    world.run(&mut pairing(), script).unwrap();
    assert_eq!(world.waits(), [5, 5], "the repeat at the start waits for nothing");
    let nonces: Vec<_> = world.requests().into_iter().map(|request| proof(request).get("nonce").cloned()).collect();
    assert_eq!(nonces, [None, Some(json!("n-1")), Some(json!("n-2")), Some(json!("n-2"))]);
}

#[test]
fn a_nonce_wanted_during_polling_waits_for_the_interval_like_any_poll() {
    let mut world = World::new();
    let nonce = || answer(400, &[("DPoP-Nonce", "n-1")], json!({ "error": "use_dpop_nonce" }));
    world.run(&mut pairing(), vec![ok(codes()), nonce(), ok(tokens("DPoP"))]).unwrap();
    assert_eq!(world.waits(), [5, 5]);
    assert_eq!(proof(world.requests()[2])["nonce"], "n-1");

    let mut world = World::new();
    let script = vec![ok(codes()), nonce(), nonce(), nonce(), nonce()];
    assert_eq!(refused(world.run(&mut pairing(), script)), ErrorCode::UseDpopNonce, "not for ever");
}

#[test]
fn a_nonce_demand_without_a_nonce_or_twice_is_a_refusal() {
    let mut world = World::new();
    assert_eq!(refused(world.run(&mut pairing(), vec![no("use_dpop_nonce")])), ErrorCode::UseDpopNonce);
    let mut world = World::new();
    let nonce = || answer(400, &[("DPoP-Nonce", "n-1")], json!({ "error": "use_dpop_nonce" }));
    assert_eq!(refused(world.run(&mut pairing(), vec![nonce(), nonce()])), ErrorCode::UseDpopNonce);
}

#[test]
fn polling_ends_with_the_life_of_the_code_though_nobody_answers() {
    let mut world = World::new();
    let mut polls = 0;
    let result = world.run_with(&mut pairing(), |_, request| {
        if request.url == at("/device_authorization") {
            return ok(codes());
        }
        polls += 1;
        Input::Lost
    });
    assert_eq!(refused(result), ErrorCode::ExpiredToken);
    assert_eq!((polls, world.waits()), (6, vec![5, 10, 20, 40, 80, 160, 320]));
}

#[test]
fn at_the_very_end_of_the_code_one_last_poll_is_made() {
    let mut world = World::new();
    let start = with("expires_in", json!(10));
    world.run(&mut pairing(), vec![start, no("authorization_pending"), ok(tokens("DPoP"))]).unwrap();
    let mut world = World::new();
    let start = with("expires_in", json!(10));
    let pending = || no("authorization_pending");
    assert_eq!(refused(world.run(&mut pairing(), vec![start, pending(), pending()])), ErrorCode::ExpiredToken);
}

#[test]
fn a_clock_that_jumps_while_waiting_neither_ends_nor_prolongs_the_code() {
    for jump in [-1_000_000, 1_000_000] {
        let mut world = World::new();
        let mut machine = pairing();
        let mut input = Input::Go;
        let mut polls = 0;
        let failure = loop {
            world.now += jump;
            input = match machine.next(input, &mut world.given()) {
                Output::Send(request) if request.url == at("/token") => {
                    polls += 1;
                    no("authorization_pending")
                }
                Output::Send(_) => with("expires_in", json!(60)),
                Output::Failed(failure) => break failure,
                Output::Done(_) => panic!("nobody said yes"),
                Output::Wait(_) | Output::Show(_) => Input::Go,
            };
        };
        assert_eq!((failure.code(), polls), (Some(&ErrorCode::ExpiredToken), 12));
    }
}

#[test]
fn an_unbound_token_is_discarded() {
    let mut world = World::new();
    let result = world.run(&mut pairing(), vec![ok(codes()), ok(tokens("Bearer"))]);
    assert_eq!(result.unwrap_err(), Failure::Answer(AnswerError::NotBound));
}

#[test]
fn codes_that_are_missing_or_unfit_to_show_are_refused() {
    for (start, member) in [
        (without("device_code"), "device_code"),
        (without("user_code"), "user_code"),
        (without("verification_uri"), "verification_uri"),
        (without("expires_in"), "expires_in"),
        (with("expires_in", json!(0)), "expires_in"),
        (with("expires_in", json!(-5)), "expires_in"),
        (with("expires_in", json!(u64::MAX)), "expires_in"),
        (with("interval", json!("5")), "interval"),
        (with("interval", json!(100_000)), "interval"),
        (with("user_code", json!("WDJB\u{1b}[2J")), "user_code"),
        (with("user_code", json!("W".repeat(65))), "user_code"),
        (with("verification_uri", json!("javascript:alert(1)")), "verification_uri"),
        (with("verification_uri", json!("http://id.example.com/pair")), "verification_uri"),
        (with("device_code", json!("")), "device_code"),
    ] {
        let mut world = World::new();
        let result = world.run(&mut pairing(), vec![start]);
        assert_eq!(result.unwrap_err(), Failure::Answer(AnswerError::Member(member)));
    }
}

#[test]
fn a_machine_at_its_end_stays_there() {
    let mut world = World::new();
    let mut machine = pairing();
    world.run(&mut machine, vec![ok(codes()), no("access_denied")]).unwrap_err();
    for input in [Input::Go, Input::Lost, ok(tokens("DPoP"))] {
        let Output::Failed(failure) = machine.next(input, &mut world.given()) else { panic!("it moved") };
        assert_eq!(failure, Failure::Finished);
    }
}

#[test]
fn switched_on_again_it_refreshes_without_a_code() {
    let mut world = World::new();
    let refresh = Refresh::new(at("/token"), client(), Secret::new("rt_0"), true);
    let tokens = world.run(&mut SwitchOn::new(Some(refresh), pairing()), vec![ok(tokens("DPoP"))]).unwrap();
    assert_eq!(tokens.refresh_token.unwrap().expose(), "rt_1");
    assert_eq!(parameter(world.requests()[0], "refresh_token").as_deref(), Some("rt_0"));
}

#[test]
fn switched_on_after_the_bond_ended_it_shows_a_code() {
    let mut world = World::new();
    let refresh = Refresh::new(at("/token"), client(), Secret::new("rt_0"), true);
    let script = vec![no("invalid_grant"), ok(codes()), ok(tokens("DPoP"))];
    world.run(&mut SwitchOn::new(Some(refresh), pairing()), script).unwrap();
    assert!(world.events.iter().any(|event| matches!(event, Event::Shown(_))));
}

#[test]
fn switched_on_while_the_server_is_down_it_does_not_pair_anew() {
    let mut world = World::new();
    let refresh = Refresh::new(at("/token"), client(), Secret::new("rt_0"), true);
    let result = world.run(&mut SwitchOn::new(Some(refresh), pairing()), vec![Input::Lost; 4]);
    assert_eq!(result.unwrap_err(), Failure::Unreachable);
}
