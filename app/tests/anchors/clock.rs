//! A clock that leaps ahead for a moment, and what was issued by it.

use authority::Raised;
use identity::{AnchorKind, Epochs, Raise};
use store::conformance::sample;
use store::{Commit, Store};

use crate::house::{Chance, House};

/// Else: the raise is the older of the two, is forgotten first, and the token
/// that was made ahead of it lives on.
#[tokio::test]
async fn what_was_made_by_a_clock_that_leapt_ahead_stays_dead_once_it_was_ended() {
    let mut house = House::new(Chance::new(1)).await;
    let leap = 7_200;
    house.set_clock(0, leap);
    house.serve(0).await;
    house.set_clock(0, 0);
    let token = house.tokens.last().unwrap().clone();
    assert_eq!(token.claims.iat, sample::BEGAN + leap);
    let changes = vec![Raise::end(AnchorKind::Client, "service").into()];
    let commit = Commit { changes, events: vec![sample::event("end")], now: house.now(1), ..Commit::default() };
    let raised = house.store().commit(commit).await.unwrap().raised.remove(0);
    for node in &house.nodes {
        let epochs = Epochs { epoch: raised.epoch, end_epoch: raised.end_epoch };
        let numbered_at = Some(raised.at);
        node.app.authority().raise([Raised { anchor: raised.anchor.clone(), epochs, numbered_at }]);
    }
    for minute in 0..(leap + 2 * house.life) / 60 {
        house.go_by(60);
        for node in &house.nodes {
            node.app.beat().await.unwrap();
            let verdict = node.app.authority().verify(&token.text, node.app.now());
            assert!(verdict.is_err(), "alive again after {minute} minutes");
        }
    }
}
