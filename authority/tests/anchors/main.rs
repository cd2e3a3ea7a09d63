//! The contract of anchors, proved: random histories and a walk over all
//! interleavings beside what truly happened, with the product's own index and
//! token check; and with any one rule switched off, a history that breaks.
//!
//! `cargo xtask anchors HISTORIES` lives more of them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end by a panic")]
#![allow(clippy::print_stdout, reason = "what was walked and found is told")]

mod door;
mod histories;
mod keep;
mod kept;
mod one_rule_off;
mod rules;
mod walk;
mod world;

use door::Both;
use histories::{History, counterexample};
use rules::Rules;
use walk::{Bounds, walk};
use world::Seen;

/// The same histories in every check.
const ALWAYS: core::ops::Range<u64> = 1..2_000;

/// So many others beside them, wanted by `cargo xtask anchors`; their first seed
/// is of this run, and told when one of them breaks.
#[expect(clippy::disallowed_methods, reason = "a longer run is asked for from outside, from a seed of its own")]
fn others() -> core::ops::Range<u64> {
    let wanted = std::env::var("KEYFOB_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let first = u64::try_from(since.as_micros() >> 8).unwrap();
    first..first + wanted
}

#[test]
fn no_history_breaks_the_contract_and_the_product_says_what_it_states() {
    let mut seen = Seen::default();
    for seeds in [ALWAYS, others()] {
        if let Some((seed, history, why)) = counterexample::<Both>(Rules::ALL, seeds, &mut seen) {
            panic!("seed {seed}: {why}\n{history:#?}");
        }
    }
    println!("{seen:?}");
    assert!(seen.passed > 1_000 && seen.refreshed > 10 && seen.renewed > 10, "{seen:?}");
    assert!(seen.refresh_refused > 5 && seen.renewal_refused > 5, "{seen:?}");
    assert!(seen.refused.iter().take(7).all(|count| *count > 0), "a cause that never came: {seen:?}");
}

#[test]
fn a_history_comes_back_by_its_seed() {
    assert_eq!(History::random(7), History::random(7));
    assert_ne!(History::random(7).steps, History::random(8).steps);
}

#[test]
fn no_order_of_issue_raise_check_prune_and_restart_brings_a_token_back() {
    let more = u8::from(!others().is_empty());
    for bounds in [Bounds::one_writer(more), Bounds::two_writers(more), Bounds::rebuilding(more)] {
        match walk(&bounds, Rules::ALL) {
            Ok(walked) => {
                println!("{walked:?}");
                assert!(walked.states > 10_000, "{walked:?}");
            }
            Err((way, why)) => panic!("{why}\n{way:#?}"),
        }
    }
}
