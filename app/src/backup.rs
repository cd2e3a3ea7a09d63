//! A backup: everything a store keeps as lines of text, the same for every store.
//!
//! Owns its form, its checksum, and what is refused. The master key is never in
//! it. Does not own files; what happens on the way back is `restore`'s.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead};

use identity::{Anchor, AnchorKind, EventKind};
use jose::{base64url, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Exporting, Head, IdempotentReply, Item, Raised, Stored, StoredEvent};

use crate::app::App;
use crate::fault::Fault;

/// The form this program writes, and the newest it reads.
const FORMAT: u32 = 1;
/// So many lines are digested together with the digest before them.
const BLOCK: usize = 256;
/// A line of ours is never longer, bytes.
const MAX_LINE: u64 = 64 * 1024 * 1024;

/// What a backup says of itself in its first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupHead {
    /// Its form.
    pub keyfob_backup: u32,
    /// The version of the program that made it.
    pub made_by: String,
    /// The store's generation.
    pub generation: String,
    /// The greatest number of its events.
    pub number: u64,
    /// Its horizon, seconds.
    pub horizon: i64,
    /// Its time, seconds.
    pub time: i64,
    /// The name of the master key that opens what is sealed in it.
    pub master_key: String,
}

impl BackupHead {
    /// As a store tells it.
    pub fn head(&self) -> Head {
        Head { generation: self.generation.clone(), number: self.number, horizon: self.horizon, time: self.time }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct End {
    /// How many of each kind.
    counts: BTreeMap<String, u64>,
    /// Over all lines before this one.
    digest: String,
}

/// A backup that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its first line.
    pub head: BackupHead,
    /// How many of each kind it holds.
    pub counts: BTreeMap<String, u64>,
}

/// Why something is not restored. Nothing was written.
#[derive(Debug)]
pub enum BackupError {
    /// It cannot be read.
    Unreadable(io::Error),
    /// It is no backup of ours.
    Foreign,
    /// It was made by a newer program.
    Newer {
        /// Its form.
        found: u32,
        /// The version that made it.
        made_by: String,
    },
    /// It ends before its end.
    Truncated,
    /// It is not what was written.
    Damaged,
    /// A line of it says what this program does not know.
    Unknown(u64),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "the backup cannot be read: {error}"),
            Self::Foreign => f.write_str("the file is no backup of Keyfob"),
            Self::Newer { made_by, .. } => {
                write!(f, "the backup was made by the newer keyfob {made_by}: restore it with that one")
            }
            Self::Truncated => f.write_str("the backup breaks off before its end"),
            Self::Damaged => f.write_str("the backup is damaged: its digest does not fit what stands in it"),
            Self::Unknown(line) => write!(f, "line {line} of the backup is not understood"),
        }
    }
}

impl std::error::Error for BackupError {}

/// Counts and digests lines.
#[derive(Default)]
struct Digester {
    before: [u8; 32],
    block: Vec<u8>,
    lines: usize,
}

impl Digester {
    fn take(&mut self, line: &[u8]) {
        self.block.extend_from_slice(line);
        self.block.push(b'\n');
        self.lines += 1;
        if self.lines == BLOCK {
            self.fold();
        }
    }

    fn fold(&mut self) {
        self.before = digest::sha256(&[&self.before[..], &self.block].concat());
        self.block.clear();
        self.lines = 0;
    }

    fn end(mut self) -> String {
        self.fold();
        base64url::encode(self.before)
    }
}

/// A backup being made.
pub struct Backup {
    reading: Box<dyn Exporting>,
    head: Option<BackupHead>,
    digester: Digester,
    counts: BTreeMap<String, u64>,
    ended: bool,
}

impl App {
    /// Begins a backup of this moment.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn backup(&self) -> Result<Backup, Fault> {
        let reading = self.store.export().await?;
        let Head { generation, number, horizon, time } = reading.head().clone();
        let head = BackupHead {
            keyfob_backup: FORMAT,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            generation,
            number,
            horizon,
            time,
            master_key: self.keys.master_name(),
        };
        let (digester, counts) = (Digester::default(), BTreeMap::new());
        Ok(Backup { reading, head: Some(head), digester, counts, ended: false })
    }
}

impl Backup {
    /// The first segment of this node's journal that is needed beside it.
    pub fn journal_from(&self) -> Option<u64> {
        self.reading.journal_from()
    }

    /// The next lines; `None` after the last.
    ///
    /// # Errors
    /// [`Fault`]: what was written so far is no backup.
    pub async fn next(&mut self) -> Result<Option<String>, Fault> {
        if self.ended {
            return Ok(None);
        }
        let mut text = String::new();
        if let Some(head) = self.head.take() {
            let line = serde_json::to_string(&head).map_err(|_| Fault::Broken("backup_head"))?;
            self.line(&mut text, &line);
            return Ok(Some(text));
        }
        let items = self.reading.next().await?;
        for item in &items {
            let (name, line) = render_item(item).ok_or(Fault::Broken("backup_line"))?;
            *self.counts.entry(name.to_owned()).or_default() += 1;
            self.line(&mut text, &line);
        }
        if items.is_empty() {
            self.ended = true;
            let counts = core::mem::take(&mut self.counts);
            let end = End { counts, digest: core::mem::take(&mut self.digester).end() };
            text = json!({ "end": end }).to_string() + "\n";
        }
        Ok(Some(text))
    }

    fn line(&mut self, text: &mut String, line: &str) {
        self.digester.take(line.as_bytes());
        text.push_str(line);
        text.push('\n');
    }
}

/// The line of an item with the word it counts as: what it is as a list, then its
/// content as it is kept. `None` for content that would break the line.
pub fn render_item(item: &Item) -> Option<(&'static str, String)> {
    let (name, line) = match item {
        Item::Record { kind, stored, .. } => {
            let Stored { id, version, epochs, body } = stored;
            (kind.0, format!("{}{body}", json!(["record", kind.0, id, version, epochs.epoch, epochs.end_epoch])))
        }
        Item::Event { event, raises } => {
            let StoredEvent { number, id, kind, subject, time, data } = event;
            let list = json!(["event", number, id, kind.as_str(), subject, time, raises]);
            ("event", format!("{list}{data}"))
        }
        Item::Raised(Raised { anchor, epoch, end_epoch, number, at, token_expires }) => {
            let list = json!(["raised", anchor.kind.code(), anchor.id, epoch, end_epoch, number, at, token_expires]);
            ("raised", list.to_string())
        }
        Item::Once { key, until } => ("once", json!(["once", key, until]).to_string()),
        Item::Idempotent { key, reply } => {
            let IdempotentReply { request, status, body, headers, until } = reply;
            ("idempotent", json!(["idempotent", key, until, request, status, body, headers]).to_string())
        }
    };
    (!line.contains('\n')).then_some((name, line))
}

/// Reads a line back; `None` where it is none of ours.
pub fn parse_item(line: &str) -> Option<Item> {
    let mut values = serde_json::Deserializer::from_str(line).into_iter::<Value>();
    let list = values.next()?.ok()?;
    let rest = line.get(values.byte_offset()..)?;
    let content = || {
        let whole: Value = serde_json::from_str(rest).ok()?;
        whole.is_object().then(|| rest.to_owned())
    };
    let (name, list) = list.as_array()?.split_first()?;
    match name.as_str()? {
        "record" => {
            let (kind, id, version, epoch, end_epoch): (String, String, u64, u64, u64) = typed(list)?;
            let epochs = identity::Epochs { epoch, end_epoch };
            let stored = Stored { id, version, epochs, body: content()? };
            Some(Item::Record { kind: store::kind_of(&kind)?, stored, dispensable: false })
        }
        "event" => {
            let (number, id, kind, subject, time, raises): (u64, String, String, String, i64, bool) = typed(list)?;
            let kind = EventKind::parse(&kind)?;
            Some(Item::Event { event: StoredEvent { number, id, kind, subject, time, data: content()? }, raises })
        }
        _ if !rest.is_empty() => None,
        "raised" => {
            let (code, id, epoch, end_epoch, number, at, token_expires): (
                String,
                String,
                u64,
                u64,
                Option<u64>,
                i64,
                Option<i64>,
            ) = typed(list)?;
            let anchor = Anchor::new(AnchorKind::parse(&code)?, id);
            Some(Item::Raised(Raised { anchor, epoch, end_epoch, number, at, token_expires }))
        }
        "once" => {
            let (key, until) = typed(list)?;
            Some(Item::Once { key, until })
        }
        "idempotent" => {
            let (key, until, request, status, body, headers) = typed(list)?;
            Some(Item::Idempotent { key, reply: IdempotentReply { request, status, body, headers, until } })
        }
        _ => None,
    }
}

fn typed<T: serde::de::DeserializeOwned>(list: &[Value]) -> Option<T> {
    serde_json::from_value(Value::Array(list.to_vec())).ok()
}

/// The next line without its end; `None` at the end of the file. A line that has
/// no end was cut off.
fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<Option<()>, BackupError> {
    line.clear();
    let read = io::Read::take(&mut *input, MAX_LINE).read_until(b'\n', line).map_err(BackupError::Unreadable)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(())),
        Some(_) if read as u64 == MAX_LINE => Err(BackupError::Foreign),
        Some(_) => Err(BackupError::Truncated),
    }
}

fn read_head(input: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<BackupHead, BackupError> {
    if read_line(input, line).map_err(|error| if line.is_empty() { error } else { BackupError::Foreign })?.is_none() {
        return Err(BackupError::Foreign);
    }
    let head: Value = serde_json::from_slice(line).map_err(|_| BackupError::Foreign)?;
    let found = head.get("keyfob_backup").and_then(Value::as_u64).ok_or(BackupError::Foreign)?;
    if found > u64::from(FORMAT) {
        let made_by = head.get("made_by").and_then(Value::as_str).unwrap_or("version").to_owned();
        return Err(BackupError::Newer { found: u32::try_from(found).unwrap_or(u32::MAX), made_by });
    }
    serde_json::from_value(head).map_err(|_| BackupError::Foreign)
}

/// Reads a backup to its end, before any of it is used.
///
/// # Errors
/// [`BackupError`]
pub fn verify_backup(input: &mut dyn BufRead) -> Result<Verified, BackupError> {
    let mut line = Vec::new();
    let head = read_head(input, &mut line)?;
    let (mut digester, mut counts) = (Digester::default(), BTreeMap::<String, u64>::new());
    digester.take(&line);
    loop {
        if read_line(input, &mut line)?.is_none() {
            return Err(BackupError::Truncated);
        }
        if line.first() == Some(&b'{') {
            break;
        }
        digester.take(&line);
        let text = core::str::from_utf8(&line).map_err(|_| BackupError::Damaged)?;
        let name = counted(text).ok_or(BackupError::Damaged)?;
        *counts.entry(name).or_default() += 1;
    }
    #[derive(Deserialize)]
    struct Last {
        end: End,
    }
    let Last { end } = serde_json::from_slice(&line).map_err(|_| BackupError::Damaged)?;
    let whole = digester.end() == end.digest && counts == end.counts;
    if !whole || read_line(input, &mut line)?.is_some() {
        return Err(BackupError::Damaged);
    }
    Ok(Verified { head, counts })
}

/// What a line counts as, without reading all of it.
fn counted(line: &str) -> Option<String> {
    let mut words = line.strip_prefix("[\"")?.split('"');
    match words.next()? {
        "record" => words.nth(1).map(str::to_owned),
        name => Some(name.to_owned()),
    }
}

/// The items of a backup that was verified.
pub(crate) struct Items {
    input: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    number: u64,
}

impl Items {
    pub(crate) fn begin(mut input: Box<dyn BufRead + Send>) -> Result<Self, BackupError> {
        let mut line = Vec::new();
        read_head(&mut input, &mut line)?;
        Ok(Self { input, line, number: 1 })
    }

    /// The next item; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Item>, BackupError> {
        self.number += 1;
        if read_line(&mut self.input, &mut self.line)?.is_none() {
            return Err(BackupError::Truncated);
        }
        if self.line.first() == Some(&b'{') {
            return Ok(None);
        }
        let text = core::str::from_utf8(&self.line).map_err(|_| BackupError::Unknown(self.number))?;
        parse_item(text).map(Some).ok_or(BackupError::Unknown(self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(lines: &[&str]) -> String {
        let head = json!({ "keyfob_backup": 1, "made_by": "0.1.0", "generation": "g", "number": 3, "horizon": 0,
                           "time": 9, "master_key": "k" });
        let (mut digester, mut counts) = (Digester::default(), BTreeMap::new());
        let mut text = String::new();
        for line in [head.to_string().as_str()].iter().chain(lines) {
            digester.take(line.as_bytes());
            text.push_str(line);
            text.push('\n');
        }
        for line in lines {
            *counts.entry(counted(line).unwrap()).or_default() += 1;
        }
        text + &json!({ "end": End { counts, digest: digester.end() } }).to_string() + "\n"
    }

    fn items() -> Vec<Item> {
        let stored =
            Stored { id: "bnd_1".into(), version: 3, epochs: Default::default(), body: r#"{"id":"bnd_1"}"#.into() };
        let reply = IdempotentReply {
            request: "d".into(),
            status: 201,
            body: "{\"a\":\"\n\"}".into(),
            headers: vec![("ETag".into(), "\"1\"".into())],
            until: 60,
        };
        let event = StoredEvent {
            number: 3,
            id: "evt_g3".into(),
            kind: EventKind::BondEnded,
            subject: "bnd_1".into(),
            time: 9,
            data: "{}".into(),
        };
        let anchor = Anchor::new(AnchorKind::Token, "at-1");
        vec![
            Item::Record { kind: identity::Kind("bond"), stored, dispensable: false },
            Item::Event { event, raises: true },
            Item::Raised(Raised { anchor, epoch: 9, end_epoch: 9, number: Some(3), at: 9, token_expires: Some(70) }),
            Item::Once { key: "a key\nof two lines".into(), until: 60 },
            Item::Idempotent { key: "k".into(), reply },
        ]
    }

    #[test]
    fn every_kind_of_line_comes_back_as_it_went() {
        let lines: Vec<_> = items().iter().map(|item| render_item(item).unwrap().1).collect();
        let text = backup(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let verified = verify_backup(&mut text.as_bytes()).unwrap();
        assert_eq!(verified.counts.values().sum::<u64>(), 5);
        assert_eq!(verified.counts["bond"], 1);
        let mut read = Items::begin(Box::new(io::Cursor::new(text))).unwrap();
        let mut back = Vec::new();
        while let Some(item) = read.next().unwrap() {
            back.push(item);
        }
        assert_eq!(back, items());
    }

    #[test]
    fn a_backup_is_refused_wherever_it_breaks_off_and_whichever_byte_changed() {
        let lines: Vec<_> = items().iter().map(|item| render_item(item).unwrap().1).collect();
        let whole = backup(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        for end in 0..whole.len() {
            let refused = verify_backup(&mut &whole.as_bytes()[..end]);
            assert!(refused.is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone().into_bytes();
            bytes[at] ^= 1;
            // What the last line is not needed for may be written otherwise: nothing there is believed.
            let changed = verify_backup(&mut bytes.as_slice());
            assert!(changed.is_err(), "byte {at}: {}", String::from_utf8_lossy(&bytes));
        }
        assert!(matches!(verify_backup(&mut format!("{whole}x\n").as_bytes()), Err(BackupError::Damaged)));
    }

    #[test]
    fn a_newer_form_and_a_foreign_file_are_told_apart() {
        let newer = b"{\"keyfob_backup\":2,\"made_by\":\"9.0.0\"}\n";
        let refused = verify_backup(&mut &newer[..]).unwrap_err();
        assert!(refused.to_string().contains("newer keyfob 9.0.0"), "{refused}");
        for foreign in [&b""[..], b"SQLite format 3\0", b"{}\n", b"[1]\n", b"hello\n"] {
            assert!(matches!(verify_backup(&mut &foreign[..]), Err(BackupError::Foreign)));
        }
    }
}
