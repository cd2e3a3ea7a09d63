//! Reading one record, and lists of them: filtered, in pages.

use identity::{Account, Asset, Bond, Device, Import, Product, Record, TrustAnchor, User};
use oauth::Client;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Condition, Filter, ListQuery, Operator};

use super::filter;
use super::keep::{Outcome, Versioned, invalid, not_found};
use crate::app::App;
use crate::fault::Fault;

/// The longest page.
const MAX_LIMIT: u32 = 1000;

/// A kind of record the API shows.
pub trait Resource: Record + Serialize + DeserializeOwned + Send {
    /// What a filter may name, and what the record calls it. A name that ends
    /// in a dot stands for all below it. What is not here cannot be asked
    /// about: least of all hashes of secrets.
    const FIELDS: &'static [(&'static str, &'static str)];
    /// Which of its records are shown at all; `None` means all.
    fn standing() -> Option<Filter> {
        None
    }
    /// Whether this record is shown.
    fn stands(&self) -> bool {
        true
    }
}

impl Resource for Client {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("client_id", "id"),
        ("client_name", "name"),
        ("token_endpoint_auth_method", "auth"),
        ("disabled", "disabled"),
        ("created_at", "created_at"),
    ];
    /// Of a deleted client the id alone is kept, without a name.
    fn standing() -> Option<Filter> {
        let value = serde_json::Value::String(String::new());
        Some(Filter::Is(Condition { field: "name".into(), operator: Operator::NotEqual, value }))
    }
    fn stands(&self) -> bool {
        !oauth::registration::is_deleted(self)
    }
}

macro_rules! resources {
    ($($record:ty: $($field:literal $(= $inner:literal)?)*;)*) => {
        $(impl Resource for $record {
            const FIELDS: &'static [(&'static str, &'static str)] = &[$(resources!(@pair $field $($inner)?)),*];
        })*
    };
    (@pair $field:literal $inner:literal) => { ($field, $inner) };
    (@pair $field:literal) => { ($field, $field) };
}

resources! {
    Product: "id" "model" "name" "manufacturer" "icon" "self_registration" "factory_provisioned" "firmware_version";
    TrustAnchor: "id" "product" "state" "thumbprint";
    Device: "id" "product" "serial" "external_id" "mac" "name" "place" "state" "pending" "created_at" "attributes.";
    Account: "id" "kind" "name" "external_id" "closed" "created_at";
    User: "id" "email" "name" "account" "contact_id" "state" "roles" "created_at";
    Asset: "id" "device" "account" "contact_id" "registered_by" "client" "possession" "opened_at" "closed_at";
    Bond: "id" "holder.kind" "holder.id" "target.kind" "target.id" "role" "origin" "state" "parent" "not_after"
        "created_at" "ended_at";
    Import: "id" "source" "failed" "started_at" "finished_at";
}

/// Which records, as asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// How many at most, 1 to 1,000; 100 where nothing is said.
    pub limit: Option<u32>,
    /// After this id.
    pub after: Option<String>,
    /// In the grammar of docs/api.md.
    pub filter: Option<String>,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingPage<T> {
    /// In the order of ids.
    pub items: Vec<Versioned<T>>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

impl App {
    /// One page of a kind of records.
    ///
    /// # Errors
    /// [`identity::ProblemCode::Invalid`] for a limit, cursor or filter that is none.
    pub async fn list<T: Resource>(&self, listing: &Listing) -> Outcome<ListingPage<T>> {
        let limit = listing.limit.unwrap_or(100);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Ok(Err(invalid("bad_limit", "limit is 1 to 1000")));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if listing.after.as_ref().is_some_and(|id| id.is_empty() || id.len() > 64 || !id.bytes().all(plain)) {
            return Ok(Err(invalid("bad_after", "after is the next of an earlier answer")));
        }
        let filter = match listing.filter.as_deref().map(|text| filter::parse(text, T::FIELDS)).transpose() {
            Ok(filter) => filter,
            Err(error) => return Ok(Err(invalid("bad_filter", error.to_string()))),
        };
        let filter = match (T::standing(), filter) {
            (Some(standing), Some(filter)) => Some(Filter::And(vec![standing, filter])),
            (standing, filter) => standing.or(filter),
        };
        let query = ListQuery { kind: T::KIND, filter, after: listing.after.clone(), limit };
        let page = self.store.list(query).await?;
        let items = page.items.into_iter().map(|stored| {
            let fact = stored.parse::<T>()?;
            Ok(Versioned { record: fact.record, version: fact.version })
        });
        let items = items.collect::<Result<Vec<_>, Fault>>()?;
        Ok(Ok(ListingPage { items, next: page.next }))
    }

    /// One record.
    ///
    /// # Errors
    /// [`identity::ProblemCode::NotFound`]
    pub async fn read<T: Resource>(&self, id: &str) -> Outcome<Versioned<T>> {
        let found = store::record::<T>(&*self.store, id).await?.filter(|fact| fact.record.stands());
        Ok(found
            .map(|fact| Versioned { record: fact.record, version: fact.version })
            .ok_or(not_found("unknown_record")))
    }
}
