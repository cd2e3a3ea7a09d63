//! Plain records: as they are kept, in pages, filtered.

use identity::{Epochs, Fact, Kind, Record, Version};
use serde::de::DeserializeOwned;

use crate::error::StoreError;

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: Version,
    /// Its epochs.
    pub epochs: Epochs,
    /// Its content, JSON.
    pub body: String,
}

impl Stored {
    /// As a typed fact.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the content is not of that kind.
    pub fn parse<T: Record + DeserializeOwned>(self) -> Result<Fact<T>, StoreError> {
        let record = serde_json::from_str(&self.body)
            .map_err(|error| StoreError::Corrupt(format!("{} {}: {error}", T::KIND.0, self.id)))?;
        Ok(Fact { record, version: self.version, epochs: self.epochs })
    }
}

/// The JSON of a record with its id, of that without.
pub fn with_id(member: &str, id: &str, rest: &str) -> String {
    let rest = rest.strip_prefix('{').unwrap_or(rest);
    let comma = if rest == "}" { "" } else { "," };
    format!("{{\"{member}\":{}{comma}{rest}", serde_json::Value::from(id))
}

/// How a condition compares: a subset of SCIM's operators (RFC 7644 §3.4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `sw`
    StartsWith,
    /// `co`
    Contains,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
    /// `pr`
    Present,
}

/// One comparison of a field of the record's JSON, by dotted path. It is typed:
/// text with text (by octets, exactly), number with number, truth by `eq` and
/// `ne` alone. A list holds where one of its members does. What is absent or
/// null holds for `eq null` and `ne` alone; `ne` is the contrary of `eq`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// For example `state` or `attributes.colour`; `[a-z_][a-z0-9_]*` per part.
    pub field: String,
    /// How.
    pub operator: Operator,
    /// With what; ignored by [`Operator::Present`].
    pub value: serde_json::Value,
}

/// A parsed filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// One comparison.
    Is(Condition),
    /// All must hold.
    And(Vec<Filter>),
    /// One must hold.
    Or(Vec<Filter>),
    /// Must not hold.
    Not(Box<Filter>),
}

/// Which records.
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    /// Of which kind.
    pub kind: Kind,
    /// Which of them.
    pub filter: Option<Filter>,
    /// After this id.
    pub after: Option<String>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
}

/// A page of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In the order of ids.
    pub items: Vec<Stored>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}
