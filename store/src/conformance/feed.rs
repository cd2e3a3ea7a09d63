//! The log of events: each once, in order, with its commit or not at all.

use std::sync::Arc;

use futures_util::future::join_all;
use identity::{AnchorEpoch, AnchorKind, Event, EventKind, Raise};

use super::sample::*;
use crate::{Change, Commit, Cursor, EventPage, EventQuery, Round, Store, StoredEvent};

fn after(number: u64, limit: u32) -> EventQuery {
    EventQuery { after: number, kinds: Vec::new(), raises_only: false, subject: None, limit }
}

async fn all(store: &dyn Store) -> Vec<StoredEvent> {
    store.load_events(after(0, 1_000)).await.unwrap().events
}

async fn announce(store: &dyn Store, events: Vec<Event>) {
    store.commit(Commit { events, now: BEGAN, ..Commit::default() }).await.unwrap();
    store.round(0).await.unwrap();
}

pub async fn events_come_in_order_each_once_with_numbers_without_gaps(store: Arc<dyn Store>) {
    announce(&*store, vec![event("a").with("n", 1), event("b")]).await;
    announce(&*store, vec![event("c")]).await;
    let events = all(&*store).await;
    let subjects: Vec<&str> = events.iter().map(|event| event.subject.as_str()).collect();
    assert_eq!(subjects, ["a", "b", "c"]);
    assert_eq!(events.iter().map(|event| event.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(events[0].data, r#"{"n":1}"#);
    assert_eq!((events[0].kind, events[0].time), (EventKind::SecurityAnomaly, BEGAN));
    assert!(events.iter().all(|event| event.id.starts_with("evt_")));
    assert!(events[0].id != events[1].id && events[1].id != events[2].id);
}

pub async fn a_commit_answers_the_cursor_of_its_last_event(store: Arc<dyn Store>) {
    let head = store.head().await.unwrap();
    let commit = Commit { events: vec![event("a"), event("b")], now: BEGAN, ..Commit::default() };
    let committed = store.commit(commit).await.unwrap();
    let last = Cursor { generation: head.generation, number: 2 };
    assert_eq!(store.round(0).await.unwrap().head.cursor(), last);
    // Where numbers are given after the commit, it cannot know its own.
    assert!(committed.cursor.is_none_or(|cursor| cursor == last && !store.is_shared()));
    let silent = Commit { changes: vec![new(product("1"))], now: BEGAN, ..Commit::default() };
    assert_eq!(store.commit(silent).await.unwrap().cursor, None);
}

pub async fn a_commit_that_fails_announces_nothing(store: Arc<dyn Store>) {
    keep(&*store, [new(product("1"))]).await;
    let before = all(&*store).await;
    commit(&*store, [new(product("1"))], BEGAN).await.unwrap_err();
    assert_eq!(all(&*store).await, before);
    announce(&*store, vec![event("next")]).await;
    assert_eq!(all(&*store).await.last().unwrap().number, before.len() as u64 + 1, "no number was lost");
}

pub async fn the_last_event_tells_all_that_was_raised(store: Arc<dyn Store>) {
    keep(&*store, [new(product("1")), new(account("1"))]).await;
    let forged = event("b").with("raised", vec!["u.u_1.9"]);
    let raises = Commit {
        changes: vec![
            Raise::cut(AnchorKind::Product, "prd_1").into(),
            Raise::end(AnchorKind::Account, "acc_1").into(),
            Raise::token("jti-1", BEGAN + 60).into(),
        ],
        events: vec![forged.clone(), event("c")],
        now: BEGAN,
        ..Commit::default()
    };
    let committed = numbered(&*store, store.commit(raises).await.unwrap()).await;
    let events = all(&*store).await;
    assert_eq!(events[1].data, "{}", "no rule announces a raise by itself");
    let data: serde_json::Value = serde_json::from_str(&events[2].data).unwrap();
    let told: Vec<AnchorEpoch> = serde_json::from_value(data["raised"].clone()).unwrap();
    let done: Vec<AnchorEpoch> = committed.raised.iter().map(|it| it.anchor.clone().at(it.epoch)).collect();
    assert_eq!(told, done);
    assert!(committed.raised.iter().all(|raised| raised.number == Some(events[2].number)));
    let only = EventQuery { raises_only: true, ..after(0, 10) };
    assert_eq!(store.load_events(only).await.unwrap().events, events[2..]);
}

pub async fn a_page_ends_where_the_next_begins(store: Arc<dyn Store>) {
    announce(&*store, (0..25).map(|n| event(&format!("s{}", n % 5))).collect()).await;
    let mut seen = Vec::new();
    let mut from = 0;
    while from < 25 {
        let page = store.load_events(after(from, 10)).await.unwrap();
        assert!(page.events.len() <= 10 && page.next > from);
        seen.extend(page.events.into_iter().map(|event| event.number));
        from = page.next;
    }
    assert_eq!(seen, (1..=25).collect::<Vec<u64>>());
    let end = store.load_events(after(25, 10)).await.unwrap();
    assert!(end.events.is_empty() && end.next == 25);
}

/// What does not match is not read again and again.
pub async fn a_filtered_page_leads_past_what_did_not_match(store: Arc<dyn Store>) {
    let mut events: Vec<Event> = (0..10).map(|_| event("other")).collect();
    events.insert(3, event("mine"));
    events.push(Event::new(EventKind::KeyRotated, "kid"));
    announce(&*store, events).await;
    let mine = EventQuery { subject: Some("mine".to_owned()), ..after(0, 10) };
    let EventPage { events, next, head } = store.load_events(mine).await.unwrap();
    assert_eq!((events.len(), events[0].number, next, head.number), (1, 4, 12, 12));
    let keys = EventQuery { kinds: vec![EventKind::KeyRotated, EventKind::UserCreated], ..after(0, 10) };
    let page = store.load_events(keys).await.unwrap();
    assert_eq!(page.events.iter().map(|event| event.number).collect::<Vec<_>>(), [12]);
    let none = EventQuery { kinds: vec![EventKind::UserCreated], ..after(0, 10) };
    assert_eq!(store.load_events(none).await.unwrap().next, 12);
}

/// A follower that reads while others write sees every event once, in order.
pub async fn a_cursor_skips_nothing_while_others_write(store: Arc<dyn Store>) {
    const WRITERS: u64 = 20;
    const EACH: u64 = 10;
    let write = |writer: u64| {
        let store = Arc::clone(&store);
        async move {
            for n in 0..EACH {
                announce(&*store, vec![event(&format!("{writer}-{n}"))]).await;
            }
        }
    };
    let follow = async {
        let mut wake = store.wake();
        let mut seen = Vec::new();
        let mut from = 0;
        while (seen.len() as u64) < WRITERS * EACH {
            let page = store.load_events(after(from, 7)).await.unwrap();
            if page.next == from {
                wake.woken().await;
            }
            from = page.next;
            seen.extend(page.events);
        }
        seen
    };
    let ((), seen) = futures_util::future::join(async { drop(join_all((0..WRITERS).map(write)).await) }, follow).await;
    assert_eq!(seen.iter().map(|event| event.number).collect::<Vec<_>>(), (1..=WRITERS * EACH).collect::<Vec<_>>());
    for writer in 0..WRITERS {
        let own: Vec<&str> =
            seen.iter().filter_map(|event| event.subject.strip_prefix(&format!("{writer}-"))).collect();
        assert_eq!(own, (0..EACH).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}

/// What happened to one record is told in the order in which it happened.
pub async fn events_of_one_record_come_in_the_order_of_its_epochs(store: Arc<dyn Store>) {
    keep(&*store, [new(account("1"))]).await;
    let raise = |_| {
        let store = Arc::clone(&store);
        async move {
            for _ in 0..5 {
                let commit = Commit {
                    changes: vec![Raise::cut(AnchorKind::Account, "acc_1").into()],
                    events: vec![event("acc_1")],
                    now: BEGAN,
                    ..Commit::default()
                };
                store.commit(commit).await.unwrap();
            }
        }
    };
    join_all((0..8).map(raise)).await;
    store.round(0).await.unwrap();
    let only = EventQuery { raises_only: true, ..after(0, 100) };
    let told = store.load_events(only).await.unwrap().events;
    let epochs = told.iter().map(|event| {
        let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
        let raised: Vec<AnchorEpoch> = serde_json::from_value(data["raised"].clone()).unwrap();
        raised[0].epoch
    });
    let expected: Vec<u64> = (0..40).map(|n| BEGAN as u64 + n).collect();
    assert_eq!(epochs.collect::<Vec<_>>(), expected);
}

pub async fn a_commit_wakes_those_who_wait_and_no_sooner(store: Arc<dyn Store>) {
    announce(&*store, vec![event("before")]).await;
    let mut wake = store.wake();
    let mut woken = wake.woken();
    assert!(futures_util::FutureExt::now_or_never(&mut woken).is_none(), "nothing was committed since");
    keep(&*store, [] as [Change; 0]).await;
    woken.await;
}

pub async fn a_round_tells_what_was_raised_behind_a_place(store: Arc<dyn Store>) {
    let began = store.round(0).await.unwrap();
    assert!(began.raises.is_empty() && !began.rotated && began.next == began.head.number);
    keep(&*store, [new(account("1")), new(account("2"))]).await;
    let cut = |id: &str| vec![Raise::cut(AnchorKind::Account, id).into()];
    for (subject, changes) in [("acc_1", cut("acc_1")), ("plain", Vec::new()), ("acc_2", cut("acc_2"))] {
        let commit = Commit { changes, events: vec![event(subject)], now: BEGAN, ..Commit::default() };
        store.commit(commit).await.unwrap();
    }
    let round = store.round(began.next).await.unwrap();
    let told = |round: &Round| round.raises.iter().map(|event| event.subject.clone()).collect::<Vec<_>>();
    assert_eq!(told(&round), ["acc_1", "acc_2"]);
    assert_eq!((round.next, round.rotated), (round.head.number, false));
    assert_eq!(store.load_events(after(0, 1_000)).await.unwrap().head, round.head, "all has its number");
    let place = round.raises[0].number;
    assert_eq!(told(&store.round(place).await.unwrap()), ["acc_2"], "behind the first");
    let events = vec![Event::new(EventKind::KeyRotated, "key")];
    store.commit(Commit { events, now: BEGAN, ..Commit::default() }).await.unwrap();
    let rotated = store.round(round.next).await.unwrap();
    assert!(rotated.rotated && rotated.raises.is_empty());
    assert!(!store.round(rotated.next).await.unwrap().rotated, "told once");
}

pub async fn a_commit_makes_a_round_due_where_rounds_give_numbers(store: Arc<dyn Store>) {
    let mut due = store.round_due();
    store.commit(Commit { events: vec![event("a")], now: BEGAN, ..Commit::default() }).await.unwrap();
    match store.is_shared() {
        true => due.woken().await,
        false => assert!(futures_util::FutureExt::now_or_never(due.woken()).is_none(), "it has its number"),
    }
}
