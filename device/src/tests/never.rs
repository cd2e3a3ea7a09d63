//! What no server can make a machine do.

use std::boxed::Box;
use std::string::{String, ToString};
use std::{vec, vec::Vec};

use proptest::prelude::*;
use serde_json::json;

use super::world::*;
use crate::{
    Actor, ActorClaims, CallHome, ClientAuth, Exchange, Failure, Given, Hello, Input, JwtBearer, Machine, Output,
    Pairing, Refresh, Request, Response, Secret, SwitchOn, Tokens, Way,
};

const SECRETS: [&str; 4] = ["rt_secret", "at_secret", "assertion_secret", "code_secret"];

fn words() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "authorization_pending",
        "slow_down",
        "use_dpop_nonce",
        "invalid_dpop_proof",
        "invalid_challenge",
        "invalid_client",
        "temporarily_unavailable",
        "rate_limited",
        "expired_token",
        "other",
    ])
}

fn inputs() -> impl Strategy<Value = Input> {
    let codes = json!({
        "device_code": "code_secret", "user_code": "A", "verification_uri": "https://evil.example/pair",
        "expires_in": 900, "interval": 1, "challenge": "h-4Qm1vJ7cZt0xY2rKp9LsA",
        "token_endpoint": "https://evil.example/token",
    });
    let headers = prop::sample::subsequence(
        vec![
            ("DPoP-Nonce", "n-1"),
            ("Location", "https://evil.example/token"),
            ("Date", "Sun, 15 Jun 2025 15:06:40 GMT"),
            ("Date", "Mon, 16 Jun 2025 15:06:40 GMT"),
            ("Retry-After", "0"),
            ("Retry-After", "4294967295"),
        ],
        0..4,
    );
    let body = prop_oneof![
        Just(codes),
        words().prop_map(|word| json!({ "error": word })),
        Just(json!({})),
        Just(json!("nothing")),
    ];
    let answers = (prop::sample::select(vec![200u16, 302, 307, 400, 401, 403, 429, 500, 503]), headers, body);
    prop_oneof![
        6 => answers.prop_map(|(status, headers, body)| answer(status, &headers, body)),
        1 => Just(Input::Lost),
        1 => Just(Input::Go),
        1 => any::<Vec<u8>>().prop_map(|body| Input::Answer(Response { status: 200, headers: vec![], body })),
    ]
}

/// A machine whose end is like that of any other.
struct Alike<M>(M);

impl<M: Machine> Machine for Alike<M> {
    type Done = ();

    fn next(&mut self, input: Input, given: &mut Given<'_>) -> Output<()> {
        match self.0.next(input, given) {
            Output::Send(request) => Output::Send(request),
            Output::Wait(seconds) => Output::Wait(seconds),
            Output::Show(prompt) => Output::Show(prompt),
            Output::Done(_) => Output::Done(()),
            Output::Failed(failure) => Output::Failed(failure),
        }
    }
}

type Any = Box<dyn Machine<Done = ()>>;

fn any_of<M: Machine + 'static>(machine: M) -> Any {
    Box::new(Alike(machine))
}

fn machines() -> Vec<Any> {
    let client = || ClientAuth::Public { client_id: "c".into() };
    let refresh = || Refresh::new(at("/token"), client(), Secret::new("rt_secret"), true);
    let pairing = || Pairing::new(at("/device_authorization"), at("/token"), client(), None);
    let actor = Actor::Device(ActorClaims { did: "d".into(), audience: ISSUER.into(), ..ActorClaims::default() });
    vec![
        any_of(refresh()),
        any_of(pairing()),
        any_of(SwitchOn::new(Some(refresh()), pairing())),
        any_of(Exchange::register(at("/token"), client(), Secret::new("at_secret"), actor, true)),
        any_of(JwtBearer::new(at("/token"), client(), Secret::new("assertion_secret"), None, true)),
        any_of(CallHome::new(&at("/"), Way::Certificate { bound_to_key: true }, Hello::default())),
        any_of(CallHome::new(&at("/"), Way::Key { did: "d".into(), issuer: ISSUER.into() }, Hello::default())),
    ]
}

fn holds_a_secret(request: &Request) -> bool {
    let body = String::from_utf8_lossy(&request.body).to_string();
    SECRETS
        .iter()
        .any(|secret| body.contains(secret) || request.headers.iter().any(|(_, value)| value.contains(secret)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_answers_make_a_machine_spin_run_for_ever_or_carry_a_secret_elsewhere(
        script in prop::collection::vec(inputs(), 1..12),
    ) {
        for (number, mut machine) in machines().into_iter().enumerate() {
            let mut world = World::new();
            let mut input = Input::Go;
            let mut script = script.iter().cycle();
            let mut waited = 0u64;
            let mut steps_without_time = 0;
            let mut ended = false;
            for _ in 0..20_000 {
                steps_without_time += 1;
                // Prompt, first request, one repeat each for nonce and time of
                // every stage: more would be a loop.
                prop_assert!(steps_without_time < 20, "machine {} spins", number);
                input = match machine.next(input, &mut world.given()) {
                    Output::Send(request) => {
                        prop_assert_eq!(request.url.origin(), ISSUER);
                        prop_assert!(request.headers.iter().all(|(name, _)| *name != "authorization"));
                        if holds_a_secret(&request) {
                            prop_assert_eq!(&request.url, &at("/token"));
                        }
                        script.next().cloned().unwrap_or(Input::Lost)
                    }
                    Output::Wait(seconds) => {
                        prop_assert!(seconds > 0);
                        waited += u64::from(seconds);
                        steps_without_time = 0;
                        Input::Go
                    }
                    Output::Show(_) => Input::Go,
                    Output::Done(()) | Output::Failed(_) => {
                        ended = true;
                        break;
                    }
                };
            }
            prop_assert!(ended, "machine {} runs for ever", number);
            prop_assert!(waited < 2 * 24 * 3600, "machine {} waited {} s", number, waited);
            let Output::Failed(Failure::Finished) = machine.next(Input::Go, &mut world.given()) else {
                return Err(TestCaseError::fail("a machine at its end moved"));
            };
        }
    }

    #[test]
    fn no_bytes_make_reading_tokens_fail_otherwise_than_by_its_errors(body: Vec<u8>) {
        if let Ok(members) = jose::json::parse_object(&body) {
            let _ = Tokens::read(&members);
        }
    }
}
