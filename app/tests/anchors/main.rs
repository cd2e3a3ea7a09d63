//! The contract of anchors on the whole application: two nodes on one embedded
//! store, every grant through the token endpoint's own use cases, every raise
//! through the store, its table, its log and its prunings. After every step
//! each token is shown to each node, and the verdict held against what truly
//! happened.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end by a panic")]
#![allow(clippy::print_stdout, reason = "what happened is told")]

mod clock;
mod grants;
mod house;
mod login;
mod truth;

use house::{Chance, House};

/// One long history for each; the same in every check.
const ALWAYS: core::ops::Range<u64> = 1..4;
const STEPS: usize = 250;

/// More of them, wanted by `cargo xtask anchors`; each as long as a thousand small ones.
#[expect(clippy::disallowed_methods, reason = "a longer run is asked for from outside, from a seed of its own")]
fn others() -> core::ops::Range<u64> {
    let wanted: u64 = std::env::var("KEYFOB_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let first = u64::try_from(since.as_micros() >> 8).unwrap();
    first..first + wanted / 1_000
}

#[tokio::test]
async fn no_history_of_the_application_breaks_the_contract() {
    let mut seen = truth::Seen::default();
    for seed in ALWAYS.chain(others()) {
        let mut house = House::new(Chance::new(seed)).await;
        for step in 0..STEPS {
            let told = house.step().await;
            if let Err(why) = house.inspect(&mut seen) {
                panic!("seed {seed}, step {step} ({told}): {why}\n{}", house.told.join("\n"));
            }
        }
        seen.add(&house.seen);
    }
    println!("{seen:?}");
    let all = [seen.alive, seen.dead, seen.issued, seen.refreshed, seen.refresh_refused, seen.traded, seen.registered];
    let all = [all.as_slice(), &[seen.trade_refused, seen.renewed, seen.renewal_refused]].concat();
    assert!(all.iter().all(|count| *count > 5), "too little happened: {seen:?}");
}
