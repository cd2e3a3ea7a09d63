//! Whole or not at all: guards, versions, order, and what concurrency may not do.

use std::sync::Arc;

use futures_util::future::join_all;
use identity::bond::{BondRole, BondState};
use identity::{Account, AnchorKind, Bond, Device, Epochs, Fact, Guard, Product, Raise, Record, RecordKey, Write};
use oauth::AuthorizationCode;

use super::sample::*;
use crate::{Change, Commit, CommitError, Conflict, Store, StoreError};

fn version_conflict<T: Record>(id: &str) -> Conflict {
    Conflict::Version(RecordKey { kind: T::KIND, id: id.to_owned() })
}

fn touch<T: Record>(fact: &Fact<T>) -> Change {
    Change::Identity(identity::Change::Touch { key: fact.key(), version: fact.version })
}

fn erase<T: Record>(fact: &Fact<T>) -> Change {
    Change::Identity(identity::Change::Erase { key: fact.key(), version: fact.version })
}

pub async fn a_record_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let mut speaker = device("1", "spk");
    speaker.serial = Some("S-1 \"quoted\" \u{1f50a}".to_owned());
    speaker.attributes.insert("nested".to_owned(), serde_json::json!({ "a": [1, 2.5, null, "x"], "id": "other" }));
    keep(&*store, [new(speaker.clone())]).await;
    let fact: Fact<Device> = kept(&*store, "dev_1").await;
    assert_eq!(fact, Fact { record: speaker, version: 1, epochs: Epochs::default() });
}

pub async fn every_kind_of_record_is_kept(store: Arc<dyn Store>) {
    let import: identity::Import = serde_json::from_value(serde_json::json!({
        "id": "imp_1", "source": "list.csv", "created": 1, "updated": 0, "unchanged": 0, "failed": 0,
        "bad_lines": [], "started_at": BEGAN,
    }))
    .unwrap();
    let key: oauth::SigningKey = serde_json::from_value(serde_json::json!({
        "kid": "kid-1", "alg": "ES256", "sealed": "x", "not_before": BEGAN, "retire_at": BEGAN + 1,
        "jwk": {
            "kty": "EC", "crv": "P-256",
            "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
            "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
        },
    }))
    .unwrap();
    let all: Vec<Change> = vec![
        new(product("1")),
        new(trust_anchor("1", "1")),
        new(device("1", "1")),
        new(credential("1", "1")),
        new(account("1")),
        new(user("1", "1")),
        new(passkey("1", "1")),
        new(asset("1", "1", "1")),
        new(bond("1", "1", "ast_1", BondRole::Owner)),
        new(browser_session("1", "1")),
        new(device_session("1", "1", "1")),
        new(mail_token("1", "1")),
        new(import),
        new(client("1")),
        new(consent("1", "1", "1")),
        new(code("1", "1", "1", "1")),
        new(family("1", "1")),
        new(pairing("1", "1")),
        Change::OAuth(oauth::Change::SigningKey(Write::new(key))),
        new(oauth::TenantSecret { id: oauth::TenantSecret::ID.to_owned(), sealed: "s".to_owned(), created_at: BEGAN }),
    ];
    keep(&*store, all).await;
    for kind in super::KINDS {
        let query = crate::ListQuery { kind, filter: None, after: None, limit: 10 };
        let page = store.list(query).await.unwrap();
        assert_eq!(page.items.len(), 1, "{}", kind.0);
        assert_eq!(page.items[0].version, 1);
        let id = page.items[0].id.clone();
        assert_eq!(store.load_record(RecordKey { kind, id }).await.unwrap().as_ref(), page.items.first());
    }
}

pub async fn a_write_counts_the_version_up_and_leaves_the_epochs(store: Arc<dyn Store>) {
    keep(&*store, [new(product("1"))]).await;
    keep(&*store, [Raise::cut(AnchorKind::Product, "prd_1").into()]).await;
    let before: Fact<Product> = kept(&*store, "prd_1").await;
    keep(&*store, [before.rewrite(Product { name: "new".to_owned(), ..before.record.clone() }).into()]).await;
    let after: Fact<Product> = kept(&*store, "prd_1").await;
    assert_eq!((after.version, after.epochs), (before.version + 1, before.epochs));
    assert_eq!(after.name, "new");
}

pub async fn a_write_of_another_version_is_a_conflict(store: Arc<dyn Store>) {
    let expected = version_conflict::<Product>("prd_1");
    let blind = Write { record: product("1"), version: 1 };
    assert_eq!(conflict(commit(&*store, [blind.into()], BEGAN).await), expected);
    keep(&*store, [new(product("1"))]).await;
    assert_eq!(conflict(commit(&*store, [new(product("1"))], BEGAN).await), expected);
    let stale: Fact<Product> = kept(&*store, "prd_1").await;
    keep(&*store, [stale.rewrite(product("1")).into()]).await;
    for change in [stale.rewrite(product("1")).into(), touch(&stale), erase(&stale)] {
        assert_eq!(conflict(commit(&*store, [change], BEGAN).await), expected);
    }
}

pub async fn touching_counts_up_and_erasing_removes(store: Arc<dyn Store>) {
    keep(&*store, [new(product("1"))]).await;
    let first: Fact<Product> = kept(&*store, "prd_1").await;
    keep(&*store, [touch(&first)]).await;
    let second: Fact<Product> = kept(&*store, "prd_1").await;
    assert_eq!((second.version, &second.record), (2, &first.record));
    keep(&*store, [erase(&second)]).await;
    assert!(store.load_record(second.key()).await.unwrap().is_none());
    assert_eq!(conflict(commit(&*store, [touch(&second)], BEGAN).await), version_conflict::<Product>("prd_1"));
}

/// Rules name the version they saw, in whatever order they ask for things.
pub async fn a_raise_or_touch_beside_a_write_of_the_same_record_is_no_conflict(store: Arc<dyn Store>) {
    keep(&*store, [new(bond("1", "1", "ast_1", BondRole::Owner))]).await;
    let fact: Fact<Bond> = kept(&*store, "bnd_1").await;
    let ended = fact.rewrite(Bond { state: BondState::Ended, ..fact.record.clone() });
    keep(&*store, [Raise::end(AnchorKind::Bond, "bnd_1").into(), touch(&fact), ended.clone().into()]).await;
    let after: Fact<Bond> = kept(&*store, "bnd_1").await;
    assert!(after.version > fact.version && after.epochs.end_epoch > 0 && after.state == BondState::Ended);
    let twice = after.rewrite(after.record.clone());
    let result = commit(&*store, [twice.clone().into(), twice.into()], BEGAN).await;
    assert_eq!(conflict(result), version_conflict::<Bond>("bnd_1"), "two writes of one version lose one");
}

pub async fn a_guard_on_what_was_only_read_holds_or_stops_everything(store: Arc<dyn Store>) {
    keep(&*store, [new(account("1"))]).await;
    let fact: Fact<Account> = kept(&*store, "acc_1").await;
    let guarded = |guard: Guard, name: &str| Commit {
        guards: vec![guard],
        changes: vec![new(product(name))],
        events: vec![event(name)],
        now: BEGAN,
    };
    store.commit(guarded(fact.guard(), "1")).await.unwrap();
    store.commit(guarded(Guard::absent::<Account>("acc_2"), "2")).await.unwrap();
    let number = store.round(0).await.unwrap().head.number;
    let present = store.commit(guarded(Guard::absent::<Account>("acc_1"), "3")).await;
    assert_eq!(conflict(present), version_conflict::<Account>("acc_1"));
    keep(&*store, [touch(&fact)]).await;
    let stale = store.commit(guarded(fact.guard(), "4")).await;
    assert_eq!(conflict(stale), version_conflict::<Account>("acc_1"));
    assert_eq!(store.head().await.unwrap().number, number + 1, "only the touch announced anything");
}

/// A raise alone makes a decision of before stale.
pub async fn a_guard_fails_after_a_raise(store: Arc<dyn Store>) {
    keep(&*store, [new(account("1"))]).await;
    let fact: Fact<Account> = kept(&*store, "acc_1").await;
    keep(&*store, [Raise::cut(AnchorKind::Account, "acc_1").into()]).await;
    let stale = Commit { guards: vec![fact.guard()], now: BEGAN, ..Commit::default() };
    assert_eq!(conflict(store.commit(stale).await), version_conflict::<Account>("acc_1"));
}

pub async fn short_lived_records_are_guarded_too(store: Arc<dyn Store>) {
    keep(&*store, [new(code("c", "1", "1", "1"))]).await;
    let fact: Fact<AuthorizationCode> = kept(&*store, "c").await;
    let used = AuthorizationCode { used_at: Some(BEGAN), ..fact.record.clone() };
    keep(&*store, [fact.rewrite(used).into()]).await;
    let stale = Commit { guards: vec![fact.guard()], now: BEGAN, ..Commit::default() };
    assert_eq!(conflict(store.commit(stale).await), version_conflict::<AuthorizationCode>("c"));
}

pub async fn a_later_change_that_fails_undoes_the_earlier_ones(store: Arc<dyn Store>) {
    keep(&*store, [new(product("taken")), new(account("1"))]).await;
    let before = (store.head().await.unwrap(), store.load_raises().await.unwrap());
    let changes = [
        new(product("1")),
        Raise::end(AnchorKind::Account, "acc_1").into(),
        Change::Identity(identity::Change::Once { key: "k".to_owned(), until: BEGAN + 60 }),
        new(Product { model: "taken".to_owned(), ..product("2") }),
    ];
    let failed = commit(&*store, changes, BEGAN + 100).await;
    assert_eq!(conflict(failed), Conflict::Taken("product.model"));
    assert_eq!((store.head().await.unwrap(), store.load_raises().await.unwrap()), before);
    assert!(crate::record::<Product>(&*store, "prd_1").await.unwrap().is_none());
    assert_eq!(kept::<Account>(&*store, "acc_1").await.epochs, Epochs::default());
    let once = Change::Identity(identity::Change::Once { key: "k".to_owned(), until: BEGAN + 60 });
    keep(&*store, [once]).await;
}

pub async fn of_two_who_redeem_one_code_one_wins(store: Arc<dyn Store>) {
    keep(&*store, [new(code("c", "1", "1", "1"))]).await;
    let fact: Fact<AuthorizationCode> = kept(&*store, "c").await;
    let redeem = |n: i64| {
        let used = AuthorizationCode { used_at: Some(BEGAN + n), ..fact.record.clone() };
        commit(&*store, [fact.rewrite(used).into(), new(family(&n.to_string(), "1"))], BEGAN + n)
    };
    let results = join_all((0..20).map(redeem)).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let families = crate::ListQuery { kind: oauth::TokenFamily::KIND, filter: None, after: None, limit: 100 };
    assert_eq!(store.list(families).await.unwrap().items.len(), 1);
}

/// Write skew: each removes the other, having seen that another owner stays.
pub async fn of_two_owners_who_remove_each_other_one_stays(store: Arc<dyn Store>) {
    let owners = ["1", "2"].map(|name| bond(name, name, "acc_1", BondRole::Owner));
    keep(&*store, owners.clone().map(new).into_iter().chain([new(account("1"))])).await;
    let account: Fact<Account> = kept(&*store, "acc_1").await;
    let facts = [kept::<Bond>(&*store, "bnd_1").await, kept::<Bond>(&*store, "bnd_2").await];
    let end = |fact: &Fact<Bond>| {
        let ended = Bond { state: BondState::Ended, ..fact.record.clone() };
        vec![fact.rewrite(ended).into(), touch(&account)]
    };
    let removals = facts.each_ref().map(end).map(|changes| commit(&*store, changes, BEGAN));
    let results = join_all(removals).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

/// Write skew by what was only read: neither writes what the other relies on
/// twice, the guard alone stands between them.
pub async fn of_two_who_rely_on_what_the_other_ends_one_stays(store: Arc<dyn Store>) {
    for round in 0..10 {
        let names = [format!("{round}-a"), format!("{round}-b")];
        let target = format!("acc_{round}");
        keep(&*store, names.iter().map(|name| new(bond(name, name, &target, BondRole::Owner)))).await;
        let mut facts: Vec<Fact<Bond>> = Vec::new();
        for name in &names {
            facts.push(kept(&*store, &format!("bnd_{name}")).await);
        }
        let end_other = |own: &Fact<Bond>, other: &Fact<Bond>| Commit {
            guards: vec![own.guard()],
            changes: vec![other.rewrite(Bond { state: BondState::Ended, ..other.record.clone() }).into()],
            events: vec![event("ends")],
            now: BEGAN,
        };
        let ends = [end_other(&facts[0], &facts[1]), end_other(&facts[1], &facts[0])];
        let results = join_all(ends.map(|commit| store.commit(commit))).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "round {round}");
    }
}

pub async fn many_writers_of_one_record_lose_no_write(store: Arc<dyn Store>) {
    const WRITERS: u32 = 12;
    const EACH: u32 = 5;
    keep(&*store, [new(account("1"))]).await;
    let count = |_| {
        let store = Arc::clone(&store);
        async move {
            let mut done = 0;
            while done < EACH {
                let fact: Fact<Account> = kept(&*store, "acc_1").await;
                let number: u32 = fact.name.parse().unwrap_or(0);
                let more = fact.rewrite(Account { name: (number + 1).to_string(), ..fact.record.clone() });
                let commit = Commit { changes: vec![more.into()], now: BEGAN, ..Commit::default() };
                match store.commit(commit).await {
                    Ok(_) => done += 1,
                    Err(CommitError::Conflict(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        }
    };
    join_all((0..WRITERS).map(count)).await;
    let after: Fact<Account> = kept(&*store, "acc_1").await;
    let all = WRITERS * EACH + 1;
    assert_eq!((after.name.clone(), after.version), (all.to_string(), u64::from(all)));
}

pub async fn a_key_taken_in_a_step_of_its_own_is_taken_for_all(store: Arc<dyn Store>) {
    let takes = join_all((0..20).map(|_| store.take_once("proof".to_owned(), BEGAN + 60))).await;
    assert_eq!(takes.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
    let once = || Change::Identity(identity::Change::Once { key: "proof".to_owned(), until: BEGAN + 60 });
    assert_eq!(conflict(commit(&*store, [once()], BEGAN).await), Conflict::Used);
    store.prune(BEGAN + 61).await.unwrap();
    assert!(store.take_once("proof".to_owned(), BEGAN + 120).await.unwrap());
}

pub async fn of_fifty_who_use_a_key_at_once_one_may(store: Arc<dyn Store>) {
    let once = || Change::Identity(identity::Change::Once { key: "jti".to_owned(), until: BEGAN + 60 });
    let results = join_all((0..50).map(|_| commit(&*store, [once()], BEGAN))).await;
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 49));
    assert!(lost.into_iter().all(|result| conflict(result) == Conflict::Used));
    let caller = crate::CallerQuery { client_id: "app".to_owned(), assertion_once: Some("jti".to_owned()) };
    assert!(store.load_caller(caller).await.unwrap().assertion_used);
}

pub async fn a_reply_is_kept_once_and_found_again_until_it_expires(store: Arc<dyn Store>) {
    let reply = |body: &str, until: i64| crate::IdempotentReply {
        request: "digest".to_owned(),
        status: 201,
        body: body.to_owned(),
        headers: vec![("ETag".to_owned(), "\"1\"".to_owned())],
        until,
    };
    let put = |reply: crate::IdempotentReply| Change::Idempotent { key: "k".to_owned(), reply };
    keep(&*store, [put(reply("first", BEGAN + 60))]).await;
    assert_eq!(conflict(commit(&*store, [put(reply("second", BEGAN + 60))], BEGAN).await), Conflict::Used);
    assert_eq!(store.load_idempotent("k".into(), BEGAN).await.unwrap(), Some(reply("first", BEGAN + 60)));
    assert_eq!(store.load_idempotent("k".into(), BEGAN + 60).await.unwrap(), None);
    commit(&*store, [put(reply("third", BEGAN + 99))], BEGAN + 60).await.unwrap();
    assert_eq!(store.load_idempotent("k".into(), BEGAN + 61).await.unwrap().unwrap().body, "third");
}

pub async fn what_breaks_the_contract_is_refused_and_nothing_of_it_stays(store: Arc<dyn Store>) {
    keep(&*store, [new(account("1"))]).await;
    let head = store.head().await.unwrap();
    let silent = Commit {
        changes: vec![new(product("1")), Raise::end(AnchorKind::Account, "acc_1").into()],
        now: BEGAN,
        ..Commit::default()
    };
    let generation = head.generation.clone();
    let refused = [
        store.commit(silent).await,
        commit(&*store, [new(product("1")), Raise::end(AnchorKind::Tenant, generation).into()], BEGAN).await,
        commit(&*store, [new(product("1")), Raise::end(AnchorKind::Token, "jti").into()], BEGAN).await,
    ];
    for result in refused {
        assert!(matches!(result, Err(CommitError::Store(StoreError::Misuse(_)))), "{result:?}");
    }
    assert!(crate::record::<Product>(&*store, "prd_1").await.unwrap().is_none());
    assert_eq!(store.head().await.unwrap(), head);
}
