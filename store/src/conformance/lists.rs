//! Pages and filters.

use std::sync::Arc;

use identity::{Device, Fact, Record};
use serde_json::{Value, json};

use super::sample::*;
use crate::{Condition, Filter, ListQuery, Operator, Store, StoreError};

fn is(field: &str, operator: Operator, value: impl Into<Value>) -> Filter {
    Filter::Is(Condition { field: field.to_owned(), operator, value: value.into() })
}

fn query(filter: Option<Filter>, after: Option<&str>, limit: u32) -> ListQuery {
    ListQuery { kind: Device::KIND, filter, after: after.map(str::to_owned), limit }
}

async fn ids(store: &dyn Store, filter: Filter) -> Vec<String> {
    let page = store.list(query(Some(filter), None, 1_000)).await.unwrap();
    page.items.into_iter().map(|item| item.id).collect()
}

async fn fill(store: &dyn Store) {
    let with = |name, serial: Option<&str>, attributes: Value| {
        let mut device = device(name, "p");
        device.serial = serial.map(str::to_owned);
        device.attributes = serde_json::from_value(attributes).unwrap();
        new(device)
    };
    let all = [
        with("a", Some("100%_x"), json!({ "level": 5, "on": true, "tags": ["kitchen", "new"] })),
        with("b", Some("100ab"), json!({ "level": 10.5, "on": false, "colour": "red" })),
        with("c", None, json!({ "level": "5", "on": 1, "colour": "Red", "deep": { "er": "x" } })),
        with("d", Some("' OR 1=1 --"), json!({ "level": null, "colour": "" })),
    ];
    keep(store, all).await;
}

pub async fn a_condition_compares_by_type(store: Arc<dyn Store>) {
    fill(&*store).await;
    use Operator::*;
    let cases: Vec<(Filter, &[&str])> = vec![
        (is("id", Equal, "dev_b"), &["dev_b"]),
        (is("serial", Equal, "100ab"), &["dev_b"]),
        (is("serial", NotEqual, "100ab"), &["dev_a", "dev_c", "dev_d"]),
        (is("serial", Present, Value::Null), &["dev_a", "dev_b", "dev_d"]),
        (is("serial", Equal, Value::Null), &["dev_c"]),
        (is("serial", Equal, 100), &[]),
        (is("state", Equal, "registered"), &["dev_a", "dev_b", "dev_c", "dev_d"]),
        (is("attributes.level", Equal, 5), &["dev_a"]),
        (is("attributes.level", Equal, 5.0), &["dev_a"]),
        (is("attributes.level", Equal, "5"), &["dev_c"]),
        (is("attributes.level", Greater, 5), &["dev_b"]),
        (is("attributes.level", GreaterOrEqual, 5), &["dev_a", "dev_b"]),
        (is("attributes.level", Less, 10.5), &["dev_a"]),
        (is("attributes.level", LessOrEqual, 10.5), &["dev_a", "dev_b"]),
        (is("attributes.level", Present, Value::Null), &["dev_a", "dev_b", "dev_c"]),
        (is("attributes.level", Equal, Value::Null), &["dev_d"]),
        (is("attributes.on", Equal, true), &["dev_a"]),
        (is("attributes.on", Equal, false), &["dev_b"]),
        (is("attributes.on", Equal, 1), &["dev_c"]),
        (is("attributes.on", Greater, false), &[]),
        (is("attributes.colour", Equal, "red"), &["dev_b"]),
        (is("attributes.colour", Less, "a"), &["dev_c", "dev_d"]),
        (is("attributes.colour", Contains, "ed"), &["dev_b", "dev_c"]),
        (is("attributes.tags", Equal, "new"), &["dev_a"]),
        (is("attributes.tags", StartsWith, "kit"), &["dev_a"]),
        (is("attributes.deep.er", Equal, "x"), &["dev_c"]),
        (is("attributes.deep", Equal, "x"), &[]),
        (is("attributes.missing.deeper", Equal, "x"), &[]),
        (is("created_at", GreaterOrEqual, BEGAN), &["dev_a", "dev_b", "dev_c", "dev_d"]),
        (is("attributes.level", Equal, json!([5])), &[]),
    ];
    for (filter, expected) in cases {
        assert_eq!(ids(&*store, filter.clone()).await, expected, "{filter:?}");
    }
}

pub async fn wildcards_and_quotes_are_plain_characters(store: Arc<dyn Store>) {
    fill(&*store).await;
    for (filter, expected) in [
        (is("serial", Operator::StartsWith, "100%"), vec!["dev_a"]),
        (is("serial", Operator::StartsWith, "100_"), vec![]),
        (is("serial", Operator::Contains, "%_"), vec!["dev_a"]),
        (is("serial", Operator::Contains, "*"), vec![]),
        (is("serial", Operator::Equal, "' OR 1=1 --"), vec!["dev_d"]),
        (is("serial", Operator::Equal, "\" OR 1=1 --"), vec![]),
        (is("attributes.colour", Operator::Equal, "x') OR (1=1"), vec![]),
        (is("attributes.colour", Operator::Contains, "%"), vec![]),
    ] {
        assert_eq!(ids(&*store, filter.clone()).await, expected, "{filter:?}");
    }
}

pub async fn a_field_that_is_no_dotted_path_of_names_is_refused(store: Arc<dyn Store>) {
    fill(&*store).await;
    for field in ["", ".", "a.", ".a", "a..b", "a b", "a'", "a\"", "$", "a[0]", "A", "1a", "a) OR (1", "body;--", "é"]
    {
        let filter = is(field, Operator::Equal, "x");
        for filter in [filter.clone(), Filter::Not(Box::new(filter))] {
            let refused = store.list(query(Some(filter), None, 10)).await;
            assert!(matches!(refused, Err(StoreError::Misuse(_))), "{field:?}");
        }
    }
    let columns = ["version", "epoch", "end_epoch", "body", "rowid"];
    for field in columns {
        assert!(ids(&*store, is(field, Operator::Present, Value::Null)).await.is_empty(), "{field} is no field");
    }
}

pub async fn and_or_and_not_mean_what_they_say(store: Arc<dyn Store>) {
    fill(&*store).await;
    let red = || is("attributes.colour", Operator::Equal, "red");
    let serial = || is("serial", Operator::Present, Value::Null);
    let not = |filter| Filter::Not(Box::new(filter));
    for (filter, expected) in [
        (Filter::And(vec![red(), serial()]), vec!["dev_b"]),
        (Filter::Or(vec![red(), not(serial())]), vec!["dev_b", "dev_c"]),
        (not(red()), vec!["dev_a", "dev_c", "dev_d"]),
        (not(Filter::Or(vec![red(), not(serial())])), vec!["dev_a", "dev_d"]),
        (Filter::And(vec![not(not(red()))]), vec!["dev_b"]),
        (Filter::And(Vec::new()), vec!["dev_a", "dev_b", "dev_c", "dev_d"]),
        (Filter::Or(Vec::new()), vec![]),
        (not(is("serial", Operator::StartsWith, "100")), vec!["dev_c", "dev_d"]),
    ] {
        assert_eq!(ids(&*store, filter.clone()).await, expected, "{filter:?}");
    }
    let deep = (0..100).fold(red(), |filter, _| not(filter));
    assert!(matches!(store.list(query(Some(deep), None, 10)).await, Err(StoreError::Misuse(_))));
}

pub async fn pages_follow_each_other_without_gap_or_repetition(store: Arc<dyn Store>) {
    let names: Vec<String> = (0..25).map(|n| format!("{n:02}")).collect();
    keep(&*store, names.iter().map(|name| new(device(name, "p")))).await;
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.list(query(None, after.as_deref(), 10)).await.unwrap();
        seen.extend(page.items.into_iter().map(|item| item.id));
        // What is written meanwhile neither doubles nor hides what was there.
        let first: Fact<Device> = kept(&*store, "dev_00").await;
        let name = format!("-{}", seen.len());
        keep(&*store, [first.rewrite(first.record.clone()).into(), new(device(&name, "p"))]).await;
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, names.iter().map(|name| format!("dev_{name}")).collect::<Vec<_>>());
}

pub async fn the_last_page_has_no_next(store: Arc<dyn Store>) {
    keep(&*store, (0..10).map(|n| new(device(&n.to_string(), "p")))).await;
    let full = store.list(query(None, None, 10)).await.unwrap();
    assert_eq!((full.items.len(), full.next), (10, None));
    let part = store.list(query(None, None, 9)).await.unwrap();
    assert_eq!((part.items.len(), part.next.as_deref()), (9, Some("dev_8")));
}

pub async fn an_unknown_kind_is_refused(store: Arc<dyn Store>) {
    let kind = identity::Kind("device; DROP TABLE device");
    let listed = store.list(ListQuery { kind, filter: None, after: None, limit: 1 }).await;
    assert!(matches!(listed, Err(StoreError::Misuse(_))));
    let loaded = store.load_record(identity::RecordKey { kind, id: "x".to_owned() }).await;
    assert!(matches!(loaded, Err(StoreError::Misuse(_))));
}
