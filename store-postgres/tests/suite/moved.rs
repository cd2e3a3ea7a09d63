//! From the embedded store to this one and back: one form for both.

use std::sync::Arc;

use identity::bond::BondRole;
use identity::{AnchorKind, Raise};
use rig::Cluster;
use store::conformance::sample::{bond, device, keep, new, product, user};
use store::{Exporting, Head, Importing, Item, Store, StoreError};
use store_postgres::PostgresStore;
use store_sqlite::{SqliteStore, TenantSettings};

struct Copied(Vec<Item>);

impl Importing for Copied {
    fn next(&mut self) -> Result<Vec<Item>, StoreError> {
        let rest = self.0.split_off(self.0.len().min(300));
        Ok(core::mem::replace(&mut self.0, rest))
    }
}

async fn all(mut reading: Box<dyn Exporting>) -> (Head, Vec<Item>) {
    let mut items = Vec::new();
    loop {
        let batch = reading.next().await.unwrap();
        if batch.is_empty() {
            return (reading.head().clone(), items);
        }
        items.extend(batch);
    }
}

/// What must be the same wherever it is kept: the ids of events are each store's own.
fn told(items: Vec<Item>) -> Vec<String> {
    let mut told: Vec<String> = items
        .into_iter()
        .map(|item| match item {
            Item::Record { kind, stored, .. } => {
                let content: serde_json::Value = serde_json::from_str(&stored.body).unwrap();
                format!("{} {} {} {:?} {content}", kind.0, stored.id, stored.version, stored.epochs)
            }
            Item::Event { event, raises } => {
                let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
                format!("{} {:?} {} {} {raises} {data}", event.number, event.kind, event.subject, event.time)
            }
            other => format!("{other:?}"),
        })
        .collect();
    told.sort();
    told
}

fn embedded(folder: &std::path::Path, name: &str) -> SqliteStore {
    let settings = TenantSettings {
        issuer: "https://id.example".to_owned(),
        device_url: "https://device.id.example".to_owned(),
        max_token_life: store::conformance::MAX_TOKEN_LIFE,
    };
    SqliteStore::open(folder.join(name), settings).unwrap()
}

async fn shared() -> PostgresStore {
    PostgresStore::open(crate::settings(&Cluster::shared().database())).await.unwrap()
}

#[tokio::test]
async fn what_the_first_release_kept_moves_in_and_out_again_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let kept = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../store-sqlite/tests/kept/0001/store.sql");
    let path = folder.path().join("old.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(&std::fs::read_to_string(kept).unwrap()).unwrap();
    drop(db);
    let old = embedded(folder.path(), "old.db");
    let (head, items) = all(old.export().await.unwrap()).await;
    let store = shared().await;
    let filled = store.restore(head.clone(), Box::new(Copied(items.clone()))).await.unwrap();
    assert_eq!((filled.number, filled.horizon, filled.time), (head.number, head.horizon, head.time));
    assert_ne!(filled.generation, head.generation);
    let (_, here) = all(store.export().await.unwrap()).await;
    assert_eq!(told(here.clone()), told(items.clone()));
    let back = embedded(folder.path(), "back.db");
    back.restore(filled, Box::new(Copied(here))).await.unwrap();
    assert_eq!(told(all(back.export().await.unwrap()).await.1), told(items));
}

#[tokio::test]
async fn what_several_nodes_kept_goes_on_in_one_file() {
    let store: Arc<dyn Store> = Arc::new(shared().await);
    let bond = bond("1", "1", "ast_1", BondRole::Owner);
    keep(&*store, [new(product("1")), new(device("1", "1")), new(user("1", "1")), new(bond)]).await;
    keep(&*store, [Raise::end(AnchorKind::Bond, "bnd_1").into()]).await;
    // Some events may have no number yet: in the copy they have.
    let (head, items) = all(store.export().await.unwrap()).await;
    assert_eq!(head.number, 2);
    let folder = tempfile::tempdir().unwrap();
    let file = embedded(folder.path(), "new.db");
    file.restore(head, Box::new(Copied(items.clone()))).await.unwrap();
    assert_eq!(told(all(file.export().await.unwrap()).await.1), told(items));
    let query = store::EventQuery { after: 0, kinds: Vec::new(), raises_only: true, subject: None, limit: 10 };
    assert_eq!(file.load_events(query).await.unwrap().events.len(), 1);
    let committed = keep(&file, [Raise::cut(AnchorKind::Device, "dev_1").into()]).await;
    assert_eq!(committed.raised.len(), 1, "life goes on");
}
