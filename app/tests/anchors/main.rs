//! The contract of anchors on the whole application: two nodes on one embedded
//! store, every grant through the token endpoint's own use cases, every raise
//! through the store, its table, its log and its prunings. After every step
//! each token is shown to each node, and the verdict held against what truly
//! happened.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end by a panic")]
#![allow(clippy::print_stdout, reason = "what happened is told")]

mod grants;
mod house;
mod truth;

use house::{Chance, House};

/// One long history for each; the same in every check.
const SEEDS: [u64; 3] = [1, 2, 3];
const STEPS: usize = 250;

#[tokio::test]
async fn no_history_of_the_application_breaks_the_contract() {
    let mut seen = truth::Seen::default();
    for seed in SEEDS {
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
    assert!(all.iter().all(|count| *count > 5), "too little happened: {seen:?}");
}
