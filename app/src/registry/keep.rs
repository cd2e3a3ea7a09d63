//! The loop of the registry's use cases: find a kept reply, decide, commit.
//! What is taken is told at once instead of decided anew.

use identity::{Change, Decision, ProblemCode, Record, RecordKey, Refusal, Version};
use store::{Commit, Conflict, Expected};

use super::repeat::{Answer, Found, Repeat};
use crate::app::App;
use crate::commit::{TRIES, contended};
use crate::draw::Draw;
use crate::fault::Fault;

/// A no of the registry.
pub type Refused = Refusal<ProblemCode>;

/// What a use case answers: a fault of ours, a refusal, or what was asked for.
pub type Outcome<T> = Result<Result<T, Refused>, Fault>;

/// A record with the version it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The record.
    pub record: T,
    /// Its version.
    pub version: Version,
}

pub(super) fn invalid(reason: &'static str, why: impl Into<String>) -> Refused {
    Refusal::new(ProblemCode::Invalid(why.into()), reason)
}

/// Whether the caller saw the record as it is.
pub(super) fn check_version(known: Version, wanted: Option<Version>) -> Result<(), Refused> {
    match wanted {
        Some(version) if version != known => Err(Refusal::new(ProblemCode::VersionMismatch, "changed_meanwhile")),
        _ => Ok(()),
    }
}

pub(super) fn not_found(reason: &'static str) -> Refused {
    Refusal::new(ProblemCode::NotFound, reason)
}

/// A decision about one record as a commit, and the record with the version it
/// has afterwards.
pub(super) fn settle<T: Record>(
    decision: Decision<T, Change, ProblemCode>,
    before: Version,
    now: i64,
) -> (Commit, Result<Versioned<T>, Refused>) {
    let Decision { guards, changes, events, reply } = decision;
    let reply = reply.map(|record| {
        let version = before + counted::<T>(&changes, record.id());
        Versioned { record, version }
    });
    let changes = changes.into_iter().map(Into::into).collect();
    (Commit { guards, changes, events, now }, reply)
}

/// How often these changes count a record's version up.
pub(super) fn counted<T: Record>(changes: &[Change], id: &str) -> Version {
    let key = RecordKey { kind: T::KIND, id: id.to_owned() };
    changes.iter().filter(|change| written(change).as_ref() == Some(&key) || raises::<T>(change, id)).count() as Version
}

fn raises<T: Record>(change: &Change, id: &str) -> bool {
    matches!(change, Change::Raise(raise) if Some(raise.anchor.kind) == T::ANCHOR && raise.anchor.id == id)
}

fn written(change: &Change) -> Option<RecordKey> {
    fn key<T: Record>(record: &T) -> Option<RecordKey> {
        Some(RecordKey { kind: T::KIND, id: record.id().to_owned() })
    }
    match change {
        Change::Product(write) => key(&write.record),
        Change::TrustAnchor(write) => key(&write.record),
        Change::Device(write) => key(&write.record),
        Change::Credential(write) => key(&write.record),
        Change::Account(write) => key(&write.record),
        Change::User(write) => key(&write.record),
        Change::Passkey(write) => key(&write.record),
        Change::Asset(write) => key(&write.record),
        Change::Bond(write) => key(&write.record),
        Change::BrowserSession(write) => key(&write.record),
        Change::DeviceSession(write) => key(&write.record),
        Change::MailToken(write) => key(&write.record),
        Change::Import(write) => key(&write.record),
        Change::Touch { key, .. } => Some(key.clone()),
        Change::Raise(_) | Change::Once { .. } | Change::Erase { .. } => None,
    }
}

impl App {
    /// For requests that carry no key.
    pub(super) async fn keep<T, F>(&self, draw: &Draw<'_>, attempt: impl FnMut() -> F) -> Outcome<T>
    where
        F: Future<Output = Result<(Commit, Result<T, Refused>), Fault>>,
    {
        let nothing = |_: &T| super::repeat::KeptReply { status: 0, headers: Vec::new(), body: String::new() };
        let once = Repeat { key: None, render: &nothing };
        let answer = self.keep_once(draw, &once, attempt).await?;
        Ok(answer.and_then(|answer| match answer {
            Answer::Fresh(reply) => Ok(reply),
            Answer::Repeated(_) => Err(Refusal::new(ProblemCode::KeyReused, "key_of_another_request")),
        }))
    }

    /// Finds what was answered before, or decides, commits and keeps the answer.
    pub(super) async fn keep_once<T, F>(
        &self,
        draw: &Draw<'_>,
        repeat: &Repeat<'_, T>,
        mut attempt: impl FnMut() -> F,
    ) -> Outcome<Answer<T>>
    where
        F: Future<Output = Result<(Commit, Result<T, Refused>), Fault>>,
    {
        let mut turn = None;
        for _ in 0..TRIES {
            match self.find_reply(repeat.key.as_ref(), draw.now()).await? {
                Found::Nothing => {}
                Found::Reply(reply) => return Ok(Ok(Answer::Repeated(reply))),
                Found::OtherRequest => {
                    return Ok(Err(Refusal::new(ProblemCode::KeyReused, "key_of_another_request")));
                }
            }
            let (mut commit, reply) = attempt().await?;
            if let Ok(reply) = &reply {
                commit.changes.extend(self.keep_reply(repeat, reply, draw)?);
            }
            match self.commit_or_conflict(commit, Expected::default()).await? {
                None => return Ok(reply.map(Answer::Fresh)),
                Some(Conflict::Taken(what)) => return Ok(Err(Refusal::new(ProblemCode::Conflict, what))),
                Some(conflict) => turn = self.next_turn(turn, conflict).await,
            }
        }
        Err(contended())
    }
}
