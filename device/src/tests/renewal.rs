//! A device that lives on its own, in virtual time.

mod life;

use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::{vec, vec::Vec};

use jose::{Alg, Jwk, SignError, Signer};
use proptest::prelude::*;
use serde_json::json;

use super::world::*;
use crate::{
    Address, ClientAuth, ErrorCode, Failure, Given, Hello, Home, Input, Kept, Machine, Memory, Outcome, Output,
    Pairing, Renewal, Renewed, Request, Rung, Secret, TokenType, Tokens, Way, Why,
};

use life::*;

#[test]
fn a_token_is_renewed_by_its_key_at_two_thirds_of_its_life() {
    let mut life = Life::begin(0);
    let renewed = life.live(&mut renewal(), 2 * DAY, right, good);
    assert_eq!(by(&renewed), Rung::Key);
    let [(when, Kind::Key)] = life.sent[..] else { panic!("one request: {:?}", life.sent) };
    assert!((LIFE * 17 / 30 - 1..=LIFE * 2 / 3).contains(&when), "renewed after {when} s");
    let Some(Ok(Renewed { outcome: Outcome::Asset { kept, .. }, falls })) = renewed else { panic!() };
    assert_eq!((kept.received_at, falls), (NOW + when, vec![]));
    // Asleep, it looks up once an hour and not more often.
    assert!(life.waits.len() <= 18, "{} waits", life.waits.len());
}

#[test]
fn a_device_that_was_off_for_half_the_life_renews_at_the_same_time_as_ever() {
    let mut life = Life::begin(LIFE / 2);
    life.live(&mut renewal(), 2 * DAY, right, good);
    assert!((LIFE * 17 / 30 - 1..=LIFE * 2 / 3).contains(&life.sent[0].0));
}

#[test]
fn a_refresh_token_goes_first_and_its_end_is_no_end() {
    let mut machine = Renewal::new(home(), asset(Some("rt_0")));
    assert_eq!(by(&Life::begin(LIFE).live(&mut machine, 2 * DAY, right, good)), Rung::Refresh);
    let mut machine = Renewal::new(home(), asset(Some("rt_0")));
    let mut life = Life::begin(LIFE);
    let renewed = life.live(&mut machine, 2 * DAY, right, |time, kind| match kind {
        Kind::Refresh => no("invalid_grant"),
        kind => good(time, kind),
    });
    assert_eq!((by(&renewed), life.kinds()), (Rung::Key, vec![Kind::Refresh, Kind::Key]));
    let renewed = renewed.unwrap().unwrap();
    assert_eq!(falls(&renewed), [(Rung::Refresh, "invalid_grant".to_string())]);
}

#[test]
fn refused_by_its_key_it_calls_home_and_renews_for_the_bond_that_names() {
    let mut life = Life::begin(LIFE);
    let renewed = life.live(&mut renewal(), 2 * DAY, right, |time, kind| match kind {
        Kind::Key => no("invalid_grant"),
        kind => good(time, kind),
    });
    assert_eq!(by(&renewed), Rung::CallHome);
    assert_eq!(life.kinds(), [Kind::Key, Kind::Challenge, Kind::Session, Kind::ByCall]);
}

#[test]
fn without_an_owner_it_says_why_of_every_way_and_asks_for_a_person() {
    let mut machine = Renewal::new(home(), asset(Some("rt_0")));
    let mut life = Life::begin(LIFE);
    let renewed = life.live(&mut machine, 2 * DAY, right, |time, kind| match kind {
        Kind::Refresh => no("invalid_grant"),
        Kind::Key => no("invalid_request"),
        Kind::Session => session(None),
        kind => good(time, kind),
    });
    let renewed = renewed.unwrap().unwrap();
    assert_eq!(renewed.outcome, Outcome::NeedsOwner);
    let why = [(Rung::Refresh, "invalid_grant"), (Rung::Key, "invalid_request"), (Rung::CallHome, "NoOwner")];
    assert_eq!(falls(&renewed), why.map(|(rung, why)| (rung, why.to_string())));
    let told = renewed.to_string();
    assert!(told.starts_with("a person must pair this device (refresh: invalid_grant: "), "{told}");
    assert!(told.ends_with("call home: nobody owns this device)"), "{told}");
    let mut given_up = Life::begin(LIFE);
    let end = given_up.live(&mut machine, 2 * DAY, right, good);
    assert_eq!(end, Some(Err(Failure::Finished)));
}

#[test]
fn with_somebody_in_front_of_it_the_last_way_is_a_code() {
    let pairing = Pairing::new(at("/device_authorization"), at("/token"), client(), None);
    let mut machine = renewal().or_pair(pairing);
    let mut life = Life::begin(LIFE);
    let mut polls = 0;
    let mut input = Input::Go;
    let renewed = loop {
        life.world.now = right(life.time);
        input = match machine.next(input, &mut life.world.given()) {
            Output::Send(request) if request.url == at("/token") && parameter(&request, "device_code").is_some() => {
                polls += 1;
                if polls < 3 { no("authorization_pending") } else { ok(tokens("DPoP")) }
            }
            Output::Send(request) => match kind(&request) {
                Kind::Key => no("invalid_grant"),
                Kind::Session => session(None),
                kind => good(life.time, kind),
            },
            Output::Wait(seconds) => {
                life.time += i64::from(seconds);
                Input::Go
            }
            Output::Show(prompt) => {
                life.shown += 1;
                assert_eq!(prompt.user_code, "WDJB-MJHT");
                Input::Go
            }
            Output::Done(renewed) => break renewed,
            Output::Failed(failure) => panic!("{failure}"),
        };
    };
    assert_eq!(life.shown, 1);
    let Outcome::Paired(kept) = renewed.outcome else { panic!("{renewed:?}") };
    assert_eq!(kept.tokens.refresh_token.unwrap().expose(), "rt_1");
}

#[test]
fn twenty_nine_days_late_it_renews_by_its_key_and_thirty_one_days_late_it_calls_home() {
    let mut life = Life::begin(LIFE + 29 * DAY);
    assert_eq!(by(&life.live(&mut renewal(), 99 * DAY, right, good)), Rung::Key);
    let mut life = Life::begin(LIFE + 31 * DAY);
    let renewed = life.live(&mut renewal(), 99 * DAY, right, good);
    assert_eq!(by(&renewed), Rung::CallHome);
    assert_eq!(falls(&renewed.unwrap().unwrap()), [(Rung::Key, "TooLate".to_string())]);
    assert!(!life.kinds().contains(&Kind::Key), "a token that is too late was shown");
    // It made sure of the time before it gave up a way.
    assert_eq!(life.kinds()[0], Kind::Time);
}

#[test]
fn a_clock_that_only_seems_thirty_one_days_late_is_put_right_first() {
    let mut life = Life::begin(LIFE);
    let renewed = life.live(&mut renewal(), 99 * DAY, |time| NOW + time + 40 * DAY, good);
    assert_eq!((by(&renewed), life.kinds()), (Rung::Key, vec![Kind::Time, Kind::Key]));
}

#[test]
fn a_clock_that_was_never_set_asks_for_the_time_and_then_sleeps_as_it_should() {
    let mut life = Life::begin(LIFE / 10);
    let renewed = life.live(&mut renewal(), 2 * DAY, |time| time, good);
    assert_eq!((by(&renewed), life.kinds()), (Rung::Key, vec![Kind::Time, Kind::Key]));
    assert!((LIFE * 17 / 30 - 1..=LIFE * 2 / 3).contains(&life.sent[1].0), "{:?}", life.sent);
    // Nobody tells the time: it sleeps the life as if it had just begun.
    let mut life = Life::begin(0);
    let renewed = life.live(
        &mut renewal(),
        2 * DAY,
        |time| time,
        |time, kind| match kind {
            Kind::Time => answer(404, &[], json!({})),
            kind => good(time, kind),
        },
    );
    assert_eq!(by(&renewed), Rung::Key);
    assert!(life.sent[1].0 <= LIFE * 2 / 3 + 60);
}

#[test]
fn a_clock_that_jumps_ahead_wakes_nobody_and_one_that_falls_back_lets_nobody_oversleep() {
    let window = LIFE * 17 / 30 - 1..=LIFE * 2 / 3 + 60;
    for jump in [10 * 365 * DAY, DAY, -DAY, -10 * 365 * DAY] {
        let mut life = Life::begin(0);
        let clock = |time| NOW + time + if time > 3 * HOUR { jump } else { 0 };
        let renewed = life.live(&mut renewal(), 3 * DAY, clock, good);
        assert_eq!(by(&renewed), Rung::Key);
        let (when, _) = *life.sent.last().unwrap();
        assert!(window.contains(&when), "a jump of {jump} s: renewed after {when} s");
        assert!(life.sent.len() <= 2, "{:?}", life.sent);
    }
}

#[test]
fn a_clock_that_jumps_to_and_fro_all_the_time_neither_spins_nor_stops_renewal() {
    let mut life = Life::begin(0);
    let renewed = life.live(&mut renewal(), 3 * DAY, |time| NOW + time + (time % 7 - 3) * 400 * DAY, good);
    by(&renewed);
    assert!(life.sent.len() < 10, "{:?}", life.sent);
}

#[test]
fn a_server_that_is_away_for_days_is_asked_later_and_later_and_costs_no_rung() {
    for away in [
        Input::Lost,
        answer(502, &[], json!("a proxy speaks")),
        answer(503, &[], json!({ "error": "temporarily_unavailable" })),
        answer(500, &[], json!({ "error": "server_error" })),
    ] {
        let mut life = Life::begin(LIFE);
        let back = LIFE + 5 * DAY;
        let renewed =
            life.live(
                &mut renewal(),
                20 * DAY,
                right,
                |time, kind| {
                    if time < back { away.clone() } else { good(time, kind) }
                },
            );
        assert_eq!(by(&renewed), Rung::Key);
        assert_eq!(renewed.unwrap().unwrap().falls, []);
        let (last, _) = *life.sent.last().unwrap();
        assert!(last - back <= HOUR + 60, "it came {} s after the server was back", last - back);
        // Four tries each, about every half hour.
        assert!((200..1500).contains(&life.sent.len()), "{} requests in five days", life.sent.len());
        let first_minute = life.sent.iter().filter(|(time, _)| *time < LIFE + 30 + 60).count();
        assert!(first_minute < 20, "{first_minute} requests in the first minute");
    }
}

#[test]
fn a_wait_the_server_asks_for_is_kept_in_both_forms_but_for_a_day_at_most() {
    let date = |seconds: i64| {
        // 15 June 2025, 15:06:40, and so many seconds.
        let (hour, minute, second) = (15 + seconds / HOUR, 6 + seconds % HOUR / 60, 40 + seconds % 60);
        std::format!("Sun, 15 Jun 2025 {hour:02}:{minute:02}:{second:02} GMT")
    };
    let until = date(2 * HOUR);
    let forms: [(&[(&str, &str)], i64); 4] = [
        (&[("Retry-After", "7200")], 2 * HOUR),
        (&[("Retry-After", &until), ("Date", "Sun, 15 Jun 2025 15:06:40 GMT")], 2 * HOUR),
        (&[("Retry-After", "4294967295")], DAY),
        (&[("Retry-After", "120")], 120),
    ];
    for (headers, wanted) in forms {
        for (status, body) in [(503, json!("a proxy")), (429, json!({ "error": "rate_limited" }))] {
            let mut machine = renewal().at_once();
            let mut life = Life::begin(0);
            let mut asked = 0;
            let renewed = life.live(&mut machine, 9 * DAY, right, |time, kind| {
                asked += 1;
                if asked == 1 { answer(status, headers, body.clone()) } else { good(time, kind) }
            });
            assert_eq!(by(&renewed), Rung::Key);
            let again = life.sent[1].0;
            assert!((wanted + 1..=wanted + wanted / 2 + 8).contains(&again), "{headers:?}: again after {again} s");
        }
    }
}

#[test]
fn a_suspended_device_waits_for_staff_and_a_retired_one_is_over() {
    let mut life = Life::begin(LIFE);
    let resumed = LIFE + 3 * DAY;
    let renewed = life.live(&mut renewal(), 20 * DAY, right, |time, kind| match kind {
        Kind::Key if time < resumed => no("invalid_grant"),
        Kind::Session if time < resumed => answer(403, &[], json!({ "error": "device_suspended" })),
        kind => good(time, kind),
    });
    assert_eq!(by(&renewed), Rung::CallHome);
    assert!(life.sent.len() < 2 * 80, "{} requests in three days", life.sent.len());
    let renewed = Life::begin(LIFE).live(&mut renewal(), 20 * DAY, right, |time, kind| match kind {
        Kind::Key => no("invalid_grant"),
        Kind::Session => answer(403, &[], json!({ "error": "device_retired" })),
        kind => good(time, kind),
    });
    let Outcome::Retired(refused) = renewed.unwrap().unwrap().outcome else { panic!("not retired") };
    assert_eq!(refused.code, ErrorCode::DeviceRetired);
}

#[test]
fn answers_that_make_no_sense_lead_on_but_never_to_an_owner_s_absence() {
    let nonsense = || answer(200, &[], json!({ "welcome": "to our wireless network" }));
    let mut life = Life::begin(LIFE);
    let over = LIFE + 2 * DAY;
    let renewed = life.live(
        &mut renewal(),
        20 * DAY,
        right,
        |time, kind| {
            if time < over { nonsense() } else { good(time, kind) }
        },
    );
    by(&renewed);
    assert!(life.sent.len() < 400, "{} requests", life.sent.len());
    let mut life = Life::begin(LIFE);
    let renewed = life.live(&mut renewal(), 20 * DAY, right, |time, kind| match kind {
        Kind::Key => nonsense(),
        kind => good(time, kind),
    });
    assert_eq!(by(&renewed), Rung::CallHome);
    assert_eq!(life.kinds()[..4], [Kind::Key, Kind::Key, Kind::Key, Kind::Challenge]);
}

/// A key that costs nothing, for ten thousand devices.
struct Cheap(Jwk);

impl Signer for Cheap {
    fn alg(&self) -> Alg {
        Alg::ES256
    }
    fn jwk(&self) -> &Jwk {
        &self.0
    }
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(vec![1; 64])
    }
}

/// A fleet whose tokens were all given at one instant. Returns when each
/// request came, seconds after that.
fn fleet(devices: u32, begin: i64, server: impl Fn(i64) -> Input) -> Vec<i64> {
    let signer = Cheap(device_key().jwk().clone());
    let mut came = Vec::new();
    for device in 0..devices {
        let (mut machine, mut memory, mut time, mut drawn) = (renewal(), Memory::new(), begin, 0_u32);
        let mut input = Input::Go;
        loop {
            drawn += 1;
            let seed = jose::digest::sha256(&[device.to_be_bytes(), drawn.to_be_bytes()].concat());
            let random = core::array::from_fn(|at| seed[at % 32]);
            let sha256 = jose::digest::sha256;
            let mut given = Given { now: NOW + time, random, signer: &signer, sha256, memory: &mut memory };
            input = match machine.next(input, &mut given) {
                Output::Send(_) => {
                    came.push(time);
                    server(time)
                }
                Output::Wait(seconds) => {
                    time += i64::from(seconds);
                    Input::Go
                }
                Output::Done(_) => break,
                other => panic!("{other:?}"),
            };
        }
    }
    came
}

/// The most that came in one stretch of so many seconds.
fn peak(came: &[i64], stretch: i64) -> usize {
    let mut counts = BTreeMap::new();
    came.iter().for_each(|time| *counts.entry(time / stretch).or_insert(0) += 1);
    counts.into_values().max().unwrap_or(0)
}

#[test]
fn ten_thousand_devices_registered_in_one_second_renew_over_more_than_two_hours() {
    let came = fleet(10_000, 0, |_| ok(tokens("DPoP")));
    assert_eq!(came.len(), 10_000);
    // A tenth of a day is 144 minutes: about 69 in each.
    let (first, last) = (*came.iter().min().unwrap(), *came.iter().max().unwrap());
    assert!(last - first > 140 * 60, "within {} s", last - first);
    assert!(peak(&came, 60) < 2 * 70, "{} in one minute", peak(&came, 60));
}

#[test]
fn a_fleet_that_finds_its_tokens_spent_comes_back_over_half_a_minute() {
    let came = fleet(3_000, LIFE + DAY, |_| ok(tokens("DPoP")));
    assert!(peak(&came, 1) < 3 * 3_000 / 30, "{} in one second", peak(&came, 1));
}

#[test]
fn a_fleet_that_was_refused_for_a_while_spreads_beyond_the_wait_it_was_told() {
    let back = LIFE + DAY + 600;
    let came = fleet(3_000, LIFE + DAY, |time| {
        let busy = answer(503, &[("Retry-After", "300")], json!({ "error": "temporarily_unavailable" }));
        if time < back { busy } else { ok(tokens("DPoP")) }
    });
    let after: Vec<i64> = came.iter().copied().filter(|time| *time >= back).collect();
    assert_eq!(after.len(), 3_000);
    assert!(came.len() < 4 * 3_000, "{} requests", came.len());
    assert!(peak(&after, 1) < 3_000 / 20, "{} in one second", peak(&after, 1));
}

fn any_answer() -> impl Strategy<Value = Input> {
    let words = vec![
        "invalid_grant",
        "invalid_request",
        "use_dpop_nonce",
        "invalid_dpop_proof",
        "rate_limited",
        "temporarily_unavailable",
        "device_suspended",
        "invalid_challenge",
        "other",
    ];
    let headers = vec![
        ("Date", "Sun, 15 Jun 2025 15:06:40 GMT"),
        ("Date", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ("Retry-After", "0"),
        ("Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ("DPoP-Nonce", "n-1"),
    ];
    let headers = prop::sample::subsequence(headers, 0..3);
    let refused = (prop::sample::select(vec![400u16, 401, 403, 429, 500, 503]), headers, prop::sample::select(words))
        .prop_map(|(status, headers, word)| answer(status, &headers, json!({ "error": word })));
    prop_oneof![
        4 => refused,
        1 => Just(Input::Lost),
        1 => Just(ok(json!({ "challenge": "h-4Qm1vJ7cZt0xY2rKp9LsA", "now": 1 }))),
        1 => Just(session(None)),
        1 => Just(answer(302, &[], json!({}))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_server_and_no_clock_makes_a_renewal_spin_or_carry_its_tokens_elsewhere(
        script in prop::collection::vec(any_answer(), 1..9), jumps in prop::collection::vec(any::<i32>(), 1..5),
        refresh: bool,
    ) {
        let mut machine = Renewal::new(home(), asset(refresh.then_some("rt_secret")));
        let mut world = World::new();
        let (mut script, mut jumps) = (script.into_iter().cycle(), jumps.into_iter().cycle());
        let (mut input, mut still, mut time) = (Input::Go, 0, 0_i64);
        for _ in 0..400 {
            still += 1;
            prop_assert!(still < 24, "it spins");
            world.now = NOW + time + i64::from(jumps.next().unwrap_or(0));
            input = match machine.next(input, &mut world.given()) {
                Output::Send(request) => {
                    let body = String::from_utf8_lossy(&request.body).to_string();
                    prop_assert!(request.url == at("/token") || !body.contains("asset_0") && !body.contains("secret"));
                    script.next().unwrap_or(Input::Lost)
                }
                Output::Wait(seconds) => {
                    prop_assert!((1..=3600).contains(&seconds));
                    time += i64::from(seconds);
                    still = 0;
                    Input::Go
                }
                Output::Show(_) => Input::Go,
                Output::Done(_) | Output::Failed(_) => break,
            };
        }
    }
}
