//! The kept table of these histories is the store's: the same raises, prunings
//! and times, in the same order, on the embedded store.

use std::collections::BTreeMap;

use identity::{Anchor, Raise, RaiseKind};
use store::conformance::sample::{account, event, new};
use store::{Commit, Store};
use store_sqlite::{SqliteStore, TenantSettings};

use crate::histories::Chance;
use crate::keep::{Keep, Numbers, RENEWAL, Wish};
use crate::rules::Rules;

const LIFE: i64 = 180;

fn raise(wish: &Wish) -> Raise {
    Raise { anchor: wish.anchor.clone(), kind: wish.kind, token_expires: wish.token_expires }
}

fn any_wish(chance: &mut Chance, now: i64) -> Wish {
    let kind = if chance.below(2) == 0 { RaiseKind::Cut } else { RaiseKind::End };
    match chance.below(4) {
        0 => {
            let anchor = Anchor::new(identity::AnchorKind::Token, format!("j{}", chance.below(5)));
            let expires = now + i64::try_from(chance.below(400)).unwrap() - 200;
            Wish { anchor, kind: RaiseKind::End, token_expires: Some(expires) }
        }
        number => Wish { anchor: account_anchor(number), kind, token_expires: None },
    }
}

fn account_anchor(number: usize) -> Anchor {
    Anchor::new(identity::AnchorKind::Account, format!("acc_{number}"))
}

async fn assert_same(store: &SqliteStore, keep: &Keep) {
    let (head, raises) = store.load_raises().await.unwrap();
    assert_eq!((head.number, head.time, head.horizon), (keep.head.number, keep.head.time, keep.head.horizon));
    let found: BTreeMap<Anchor, _> = raises
        .into_iter()
        .map(|it| (it.anchor, (it.epoch, it.end_epoch, it.number, it.at, it.token_expires)))
        .collect();
    let row = |(anchor, row): (&Anchor, &crate::keep::Row)| {
        let epochs = row.epochs;
        (anchor.clone(), (epochs.epoch, epochs.end_epoch, row.number, row.at, row.token_expires))
    };
    assert_eq!(found, keep.raised.iter().map(row).collect());
}

#[tokio::test]
async fn the_table_of_the_histories_is_that_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let settings = TenantSettings { issuer: "https://i".into(), device_url: "https://d".into(), max_token_life: LIFE };
    let store = SqliteStore::open(folder.path().join("store"), settings).unwrap();
    let mut keep = Keep::new(Rules::ALL, Numbers::Inside, LIFE, (1..4).map(account_anchor));
    let made = (1..4).map(|number| new(account(&number.to_string()))).collect();
    let mut time = 1_000_000_000;
    store.commit(Commit { changes: made, now: time, ..Commit::default() }).await.unwrap();
    keep.advance(time);
    let mut chance = Chance::new(2026);
    for round in 0..400 {
        time += [0, 1, 7, 61, 301, 601, -50, RENEWAL][chance.below(8)];
        if chance.below(3) == 0 {
            store.prune(time).await.unwrap();
            keep.prune(time);
        } else {
            let wish = any_wish(&mut chance, time);
            let changes = vec![raise(&wish).into()];
            let commit = Commit { changes, events: vec![event("kept")], now: time, ..Commit::default() };
            let committed = store.commit(commit).await.unwrap();
            let told = keep.commit(&wish, time, None, round).unwrap();
            let first = committed.raised.first().unwrap();
            assert_eq!((first.epoch, first.end_epoch), (told.epochs.epoch, told.epochs.end_epoch));
        }
        assert_same(&store, &keep).await;
    }
}
