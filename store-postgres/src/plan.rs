//! A commit made ready for its transaction: records are turned into JSON once,
//! however often it is tried.

use identity::{Event, Guard, Kind, Raise, Record, Write};
use serde::Serialize;
use serde_json::Value;
use store::{Change, Commit, StoreError};

use crate::table::Table;

pub(crate) struct Plan {
    pub(crate) guards: Vec<(Guard, &'static Table)>,
    pub(crate) steps: Vec<Step>,
    pub(crate) events: Vec<Event>,
    pub(crate) now: i64,
}

pub(crate) enum Step {
    Write { table: &'static Table, id: String, version: u64, body: String },
    Touch { table: &'static Table, id: String, version: u64 },
    Erase { table: &'static Table, id: String, version: u64 },
    Raise(Raise),
    Once { key: String, until: i64 },
    Idempotent { key: String, until: i64, reply: String },
}

pub(crate) fn plan(commit: Commit) -> Result<Plan, StoreError> {
    let raises = |change: &Change| matches!(change, Change::Identity(identity::Change::Raise(_)));
    if commit.events.is_empty() && commit.changes.iter().any(raises) {
        return Err(StoreError::Misuse("a commit that raises must announce it by an event".to_owned()));
    }
    Ok(Plan {
        guards: commit
            .guards
            .into_iter()
            .map(|guard| Table::of(guard.key.kind).map(|table| (guard, table)))
            .collect::<Result<_, _>>()?,
        steps: commit.changes.into_iter().map(step).collect::<Result<_, _>>()?,
        events: commit.events,
        now: commit.now,
    })
}

fn step(change: Change) -> Result<Step, StoreError> {
    use identity::Change as I;
    use oauth::Change as O;
    match change {
        Change::Identity(change) | Change::OAuth(O::Identity(change)) => match change {
            I::Product(it) => write(&it),
            I::TrustAnchor(it) => write(&it),
            I::Device(it) => write(&it),
            I::Credential(it) => write(&it),
            I::Account(it) => write(&it),
            I::User(it) => write(&it),
            I::Passkey(it) => write(&it),
            I::Asset(it) => write(&it),
            I::Bond(it) => write(&it),
            I::BrowserSession(it) => write(&it),
            I::DeviceSession(it) => write(&it),
            I::MailToken(it) => write(&it),
            I::Import(it) => write(&it),
            I::Raise(raise) => raise_step(raise),
            I::Once { key, until } => Ok(Step::Once { key, until }),
            I::Touch { key, version } => Ok(Step::Touch { table: Table::of(key.kind)?, id: key.id, version }),
            I::Erase { key, version } => Ok(Step::Erase { table: Table::of(key.kind)?, id: key.id, version }),
        },
        Change::OAuth(O::Client(it)) => write(&it),
        Change::OAuth(O::Consent(it)) => write(&it),
        Change::OAuth(O::AuthorizationCode(it)) => write(&it),
        Change::OAuth(O::TokenFamily(it)) => write(&it),
        Change::OAuth(O::Pairing(it)) => write(&it),
        Change::OAuth(O::SigningKey(it)) => write(&it),
        Change::OAuth(O::TenantSecret(it)) => write(&it),
        Change::Idempotent { key, reply } => {
            let stored = serde_json::json!([reply.request, reply.status, reply.body, reply.headers]);
            Ok(Step::Idempotent { key, until: reply.until, reply: stored.to_string() })
        }
    }
}

fn raise_step(raise: Raise) -> Result<Step, StoreError> {
    use identity::AnchorKind;
    let token = raise.anchor.kind == AnchorKind::Token;
    if token != raise.token_expires.is_some() {
        return Err(StoreError::Misuse("a token is raised with its `exp`, nothing else is".to_owned()));
    }
    if !token && Table::of_anchor(&raise.anchor).is_none() {
        return Err(StoreError::Misuse(format!("an anchor `{}` is not raised here", raise.anchor.kind.code())));
    }
    Ok(Step::Raise(raise))
}

fn write<T: Record + Serialize>(write: &Write<T>) -> Result<Step, StoreError> {
    let Kind(name) = T::KIND;
    let table = Table::of(T::KIND)?;
    let unfit = |why: &str| StoreError::Misuse(format!("a {name} cannot be kept: {why}"));
    let body = match serde_json::to_value(&write.record) {
        Ok(Value::Object(mut members)) => {
            members.remove(table.id);
            serde_json::to_string(&members).map_err(|error| unfit(&error.to_string()))?
        }
        Ok(_) => return Err(unfit("it is no JSON object")),
        Err(error) => return Err(unfit(&error.to_string())),
    };
    Ok(Step::Write { table, id: write.record.id().to_owned(), version: write.version, body })
}
