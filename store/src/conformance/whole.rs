//! A store as a whole: read out as of one moment, filled from what was read out.

use std::sync::Arc;

use identity::bond::BondRole;
use identity::{Anchor, AnchorKind, Device, Epochs, EventKind, Fact, Kind, Record};
use serde::Serialize;

use super::sample::*;
use crate::{
    Change, Exporting, Head, IdempotentReply, Importing, Item, Raised, Store, StoreError, Stored, StoredEvent,
};

struct Given(Vec<Result<Vec<Item>, StoreError>>);

impl Importing for Given {
    fn next(&mut self) -> Result<Vec<Item>, StoreError> {
        if self.0.is_empty() { Ok(Vec::new()) } else { self.0.remove(0) }
    }
}

fn given(items: Vec<Item>) -> Box<dyn Importing> {
    Box::new(Given(vec![Ok(items)]))
}

fn record<T: Record + Serialize>(record: &T, version: u64, epochs: Epochs) -> Item {
    let body = serde_json::to_string(record).unwrap();
    let stored = Stored { id: record.id().to_owned(), version, epochs, body };
    Item::Record { kind: T::KIND, stored, dispensable: false }
}

fn items() -> Vec<Item> {
    let epochs = Epochs { epoch: 1_750_000_100, end_epoch: 1_750_000_090 };
    let named = Device { mac: Some("02:00:00:00:00:01".parse().unwrap()), ..device("1", "1") };
    let mut certified = credential("1", "1");
    certified.certificate = Some(certificate("1", "issuer", "17"));
    let event = StoredEvent {
        number: 41,
        id: "evt_otherstore41".to_owned(),
        kind: EventKind::BondEnded,
        subject: "bnd_1".to_owned(),
        time: BEGAN + 100,
        data: r#"{"raised":["b.bnd_1.1750000100"]}"#.to_owned(),
    };
    let reply = IdempotentReply {
        request: "digest".to_owned(),
        status: 201,
        body: "{}".to_owned(),
        headers: vec![("ETag".to_owned(), "\"1\"".to_owned())],
        until: BEGAN + 600,
    };
    let raised = |anchor, token_expires| Raised {
        anchor,
        epoch: 1_750_000_100,
        end_epoch: 1_750_000_090,
        number: Some(41),
        at: BEGAN + 100,
        token_expires,
    };
    vec![
        record(&product("1"), 1, Epochs::default()),
        record(&named, 7, epochs),
        record(&certified, 2, Epochs::default()),
        record(&user("1", "1"), 3, Epochs::default()),
        record(&bond("1", "1", "ast_1", BondRole::Owner), 4, epochs),
        Item::Event { event, raises: true },
        Item::Raised(raised(Anchor::new(AnchorKind::Bond, "bnd_1"), None)),
        Item::Raised(raised(Anchor::new(AnchorKind::Token, "at-1"), Some(BEGAN + 200))),
        Item::Once { key: "once".to_owned(), until: BEGAN + 600 },
        Item::Idempotent { key: "key".to_owned(), reply },
    ]
}

fn begins() -> Head {
    Head { generation: "of the backup".to_owned(), number: 41, horizon: 7, time: BEGAN + 100 }
}

async fn drain(mut reading: Box<dyn Exporting>) -> Vec<Item> {
    let mut items = Vec::new();
    loop {
        let batch = reading.next().await.unwrap();
        if batch.is_empty() {
            return items;
        }
        items.extend(batch);
    }
}

/// In an order of its own, records with their content as values.
fn sorted(items: Vec<Item>) -> Vec<String> {
    let shown = |item: Item| match item {
        Item::Record { kind: Kind(kind), stored, .. } => {
            let content: serde_json::Value = serde_json::from_str(&stored.body).unwrap();
            format!("{kind} {} {} {:?} {content}", stored.id, stored.version, stored.epochs)
        }
        other => format!("{other:?}"),
    };
    let mut all: Vec<_> = items.into_iter().map(shown).collect();
    all.sort();
    all
}

pub async fn what_is_filled_in_is_there_and_is_read_out_again(store: Arc<dyn Store>) {
    let generation = store.head().await.unwrap().generation;
    let head = store.restore(begins(), given(items())).await.unwrap();
    assert_eq!(head, Head { generation, ..begins() }, "the store keeps its own generation");
    assert_eq!(store.head().await.unwrap(), head);
    let kept: Fact<Device> = kept(&*store, "dev_1").await;
    assert_eq!((kept.version, kept.epochs.end_epoch), (7, 1_750_000_090));
    let found = store.load_device(identity::facts::DeviceKey::Mac("02:00:00:00:00:01".into())).await.unwrap();
    assert_eq!(found.device.unwrap().device.record, kept.record, "indexes know it too");
    let reading = store.export().await.unwrap();
    assert_eq!(reading.head(), &head);
    assert_eq!(sorted(drain(reading).await), sorted(items()));
    assert_eq!(store.load_raises().await.unwrap().1.len(), 2);
    assert!(store.load_idempotent("key".into(), BEGAN).await.unwrap().is_some());

    // Life goes on behind it.
    let committed = keep(&*store, [identity::Raise::end(AnchorKind::Device, "dev_1").into()]).await;
    assert!(committed.raised[0].epoch > 1_750_000_100);
    let query = crate::EventQuery { after: 0, kinds: Vec::new(), raises_only: false, subject: None, limit: 10 };
    let events = store.load_events(query).await.unwrap().events;
    let told: Vec<_> = events.iter().map(|event| (event.number, event.id.as_str())).collect();
    assert_eq!(told[0], (41, "evt_otherstore41"));
    assert!(told[1].0 > 41 && told[1].1 != "evt_otherstore42", "{told:?}");
    let used = identity::Change::Once { key: "once".into(), until: BEGAN + 600 };
    assert_eq!(conflict(commit(&*store, [used.into()], BEGAN).await), crate::Conflict::Used);
}

pub async fn only_a_store_in_which_nothing_is_is_filled(store: Arc<dyn Store>) {
    keep(&*store, [new(product("1"))]).await;
    let before = sorted(drain(store.export().await.unwrap()).await);
    assert!(store.restore(begins(), given(items())).await.is_err());
    assert_eq!(sorted(drain(store.export().await.unwrap()).await), before);
}

pub async fn a_filling_that_fails_leaves_nothing_and_may_be_tried_again(store: Arc<dyn Store>) {
    let broken = Given(vec![Ok(items()), Err(StoreError::Corrupt("cut off".to_owned()))]);
    assert!(store.restore(begins(), Box::new(broken)).await.is_err());
    let twice = [items(), items()].concat();
    assert!(store.restore(begins(), given(twice)).await.is_err(), "a name is taken twice");
    assert!(drain(store.export().await.unwrap()).await.is_empty());
    assert_eq!(store.head().await.unwrap().number, 0);
    store.restore(begins(), given(items())).await.unwrap();
}

pub async fn a_dispensable_record_gives_way_to_who_has_its_name(store: Arc<dyn Store>) {
    let Some(Item::Record { kind, stored, .. }) = items().into_iter().nth(1) else { panic!("a device") };
    let other = Stored { id: "dev_2".to_owned(), body: stored.body.replace("dev_1", "dev_2"), ..stored };
    let mut all = items();
    all.push(Item::Record { kind, stored: other, dispensable: true });
    store.restore(begins(), given(all)).await.unwrap();
    assert!(crate::record::<Device>(&*store, "dev_2").await.unwrap().is_none());
    assert!(crate::record::<Device>(&*store, "dev_1").await.unwrap().is_some());
}

pub async fn reading_out_sees_one_moment_while_others_write(store: Arc<dyn Store>) {
    let many = |range: core::ops::Range<u32>| -> Vec<Change> {
        range.map(|number| new(product(&format!("p{number}")))).collect()
    };
    keep(&*store, many(0..1_200)).await;
    let mut reading = store.export().await.unwrap();
    let first = reading.next().await.unwrap();
    keep(&*store, many(1_200..1_300)).await;
    let rest = drain(reading).await;
    let records = |items: &[Item]| items.iter().filter(|item| matches!(item, Item::Record { .. })).count();
    assert_eq!(records(&first) + records(&rest), 1_200);
}
