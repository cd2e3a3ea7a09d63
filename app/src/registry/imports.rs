//! A run of an import: lines of a file as they arrive, committed in batches; one
//! is read while the one before it is made durable.
//! Owns batching and counting; what a line does is the rule's, how it is read
//! stands in `csv` and `jsonl`. Memory is bounded by two batches.

mod csv;
mod jsonl;
mod reader;

use core::future::{poll_fn, ready};
use core::hash::BuildHasher;
use core::pin::Pin;
use core::task::Poll;
use std::collections::{HashMap, HashSet};
use std::hash::RandomState;
use std::sync::Arc;

use identity::facts::ImportFacts;
use identity::import::BadLine;
use identity::rule::import_line::{self, Effect, ImportLine, ImportRequest, is_text};
use identity::{CredentialId, DeviceId, Fact, Import, ImportId, Product, RecordKey, Version, Write};
use serde_json::Value;
use store::{Commit, Conflict, Expected};

use super::devices::DeviceDraft;
use super::keep::{Outcome, Refused, Versioned, invalid};
use crate::app::App;
use crate::fault::Fault;
pub use reader::{Line, Reader};

/// Lines of one commit.
const BATCH_LINES: usize = 500;
/// Bytes of one batch, so that long lines make short batches.
const BATCH_BYTES: usize = 1 << 20;
/// Bad lines that are kept.
const KEPT_BAD_LINES: usize = 1000;
/// Models remembered during one run.
const KNOWN_MODELS: usize = 256;
/// How often a single line is decided anew.
const TRIES: u32 = 16;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// RFC 4180 with a header line.
    Csv,
    /// One JSON object per line.
    Jsonl,
}

/// A run under way. Dropped before its end, it leaves a record that says how
/// far it came; sending the file again goes on without duplicates.
pub struct ImportRun {
    app: Arc<App>,
    reader: Reader,
    record: Import,
    version: Version,
    batch: Batch,
    /// Handed over and not answered yet.
    under_way: Option<UnderWay>,
    models: HashMap<String, Option<Arc<Fact<Product>>>>,
    /// Whether the last batch was of new devices alone. Then the next is decided as
    /// if nothing were known of its lines: where that is wrong, a name is taken,
    /// the commit is a conflict, and the batch is decided again by what is known.
    all_new: bool,
    hasher: RandomState,
}

type Lines = Vec<(u64, ImportRequest)>;
type Committing = Pin<Box<dyn Future<Output = Result<Option<Conflict>, Fault>> + Send>>;

/// Lines that will be committed together.
#[derive(Default)]
struct Batch {
    lines: Lines,
    bytes: usize,
    /// Digests of the names of its lines: two lines about one thing are not decided
    /// at once. Names that share one only make the batch shorter.
    names: HashSet<u64>,
}

/// A batch that is being made durable.
struct UnderWay {
    lines: Lines,
    tally: Tally,
    /// Whether it was decided as if nothing were known.
    assumed: bool,
    answer: Committing,
}

/// What a batch did.
#[derive(Default, Clone)]
struct Tally {
    created: u64,
    updated: u64,
    unchanged: u64,
    bad: Vec<BadLine>,
}

impl Tally {
    fn count(&mut self, effect: Effect) {
        match effect {
            Effect::Created => self.created += 1,
            Effect::Updated => self.updated += 1,
            Effect::Unchanged => self.unchanged += 1,
        }
    }
}

impl App {
    /// Begins a run; nothing is written before its first batch.
    ///
    /// # Errors
    /// `invalid` for a name of the file that is none.
    pub fn begin_import(self: &Arc<Self>, source: &str, format: ImportFormat) -> Result<ImportRun, Refused> {
        let name = source.rsplit(['/', '\\']).next().unwrap_or_default().trim();
        if name.is_empty() || !is_text(name) {
            return Err(invalid("bad_source", "source is the name of the file, 1 to 255 characters"));
        }
        let draw = self.draw();
        let record = Import {
            id: draw.id(ImportId::mint),
            source: name.to_owned(),
            created: 0,
            updated: 0,
            unchanged: 0,
            failed: 0,
            bad_lines: Vec::new(),
            started_at: draw.now(),
            finished_at: None,
        };
        Ok(ImportRun {
            app: Arc::clone(self),
            reader: Reader::new(format),
            record,
            version: 0,
            batch: Batch::default(),
            under_way: None,
            models: HashMap::new(),
            all_new: false,
            hasher: RandomState::new(),
        })
    }
}

impl ImportRun {
    /// The run so far.
    pub fn so_far(&self) -> Versioned<Import> {
        Versioned { record: self.record.clone(), version: self.version }
    }

    /// Takes the next bytes of the file. Answers whether a batch was committed.
    ///
    /// # Errors
    /// `invalid` where the header of a CSV is none of ours; then the rest of
    /// the file means nothing.
    pub async fn feed(&mut self, bytes: &[u8]) -> Outcome<bool> {
        let mut rest = bytes;
        let mut committed = false;
        loop {
            match self.reader.next(&mut rest) {
                Err(why) => return Ok(Err(invalid("bad_columns", why))),
                Ok(Some(line)) => committed |= self.take(line).await?,
                Ok(None) => return Ok(Ok(committed)),
            }
        }
    }

    /// The file has ended.
    ///
    /// # Errors
    /// As [`ImportRun::feed`].
    pub async fn finish(mut self) -> Outcome<Versioned<Import>> {
        loop {
            match self.reader.end() {
                Err(why) => return Ok(Err(invalid("bad_columns", why))),
                Ok(Some(line)) => {
                    self.take(line).await?;
                }
                Ok(None) => break,
            }
        }
        self.flush().await?;
        self.settle().await?;
        self.record.finished_at = Some(self.app.now());
        self.write_record().await?;
        Ok(Ok(self.so_far()))
    }

    /// The rest of the file will not come. What was handed over is waited for.
    ///
    /// # Errors
    /// [`Fault`] where that could not be kept.
    pub async fn stop(mut self) -> Result<(), Fault> {
        self.settle().await.map(drop)
    }

    /// Puts a line into the batch; hands the batch over where it is full, or where
    /// the line speaks of something the batch speaks of already. Answers whether one
    /// was committed.
    async fn take(&mut self, line: Line) -> Result<bool, Fault> {
        let Line { number, bytes, content } = line;
        let parsed = match content {
            Ok(draft) => self.parse(draft).await?,
            Err(why) => Err(why),
        };
        let mut committed = false;
        match parsed {
            Err(reason) => self.note_bad(BadLine { line: number, reason }),
            Ok(line) => {
                let names: Vec<u64> = line.names().map(|name| self.hasher.hash_one(name)).collect();
                if names.iter().any(|name| self.batch.names.contains(name)) {
                    committed |= self.flush().await?;
                }
                let draw = self.app.draw();
                let (device, credential) = (draw.id(DeviceId::mint), draw.id(CredentialId::mint));
                self.batch.names.extend(names);
                self.batch.bytes += bytes;
                self.batch.lines.push((number, ImportRequest { line, device, credential }));
            }
        }
        if self.batch.lines.len() >= BATCH_LINES || self.batch.bytes >= BATCH_BYTES {
            committed |= self.flush().await?;
        }
        Ok(committed)
    }

    /// Reads certificate and key, and writes attributes of a CSV in the types
    /// the model's schema wants.
    async fn parse(&mut self, mut draft: DeviceDraft) -> Result<Result<ImportLine, String>, Fault> {
        let shown = super::devices::shown(draft.certificate.as_deref(), draft.jwk.as_ref());
        let shown = match shown {
            Ok(shown) => shown,
            Err(refused) => return Ok(Err(refused.code.to_string())),
        };
        let model = self.model(draft.model.trim()).await?;
        if let (ImportFormat::Csv, Some(schema)) =
            (self.reader.format(), model.as_ref().and_then(|product| product.attribute_schema.as_ref()))
        {
            csv::type_attributes(schema, &mut draft.attributes);
        }
        let field = model.map(|product| product.identity_field).unwrap_or_default();
        Ok(shown
            .map(|shown| shown.line(field).map_err(str::to_owned))
            .transpose()
            .and_then(|credential| draft.line(credential).map_err(|refused| refused.code.to_string())))
    }

    async fn model(&mut self, name: &str) -> Result<Option<Arc<Fact<Product>>>, Fault> {
        if let Some(known) = self.models.get(name) {
            return Ok(known.clone());
        }
        let found = self.app.find_product(name).await?.filter(|product| product.model == name).map(Arc::new);
        if self.models.len() < KNOWN_MODELS {
            self.models.insert(name.to_owned(), found.clone());
        }
        Ok(found)
    }

    fn note_bad(&mut self, bad: BadLine) {
        self.record.failed += 1;
        if self.record.bad_lines.len() < KEPT_BAD_LINES {
            self.record.bad_lines.push(bad);
        }
    }

    /// Hands the batch over with the run's own record, to be committed in one step
    /// while the next one is read. Answers whether the one before it was committed.
    async fn flush(&mut self) -> Result<bool, Fault> {
        let committed = self.settle().await?;
        let Batch { lines, .. } = core::mem::take(&mut self.batch);
        if lines.is_empty() {
            return Ok(committed);
        }
        let now = self.app.now();
        let assumed = if self.all_new { self.assumed(&lines) } else { None };
        let (mut commit, tally) = match &assumed {
            Some(facts) => decide(lines.iter().zip(lines.iter().filter_map(|(_, it)| facts.get(it.line.model()))), now),
            None => decide(lines.iter().zip(&load(&self.app, &lines).await?), now),
        };
        let assumed = assumed.is_some();
        self.all_new = usize::try_from(tally.created) == Ok(lines.len());
        commit.changes.push(self.record_change(self.counted(&tally)));
        let app = Arc::clone(&self.app);
        let mut answer: Committing = Box::pin(async move { app.commit_or_conflict(commit, Expected::default()).await });
        // The first look puts it on its way.
        if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await {
            answer = Box::pin(ready(done));
        }
        self.under_way = Some(UnderWay { lines, tally, assumed, answer });
        Ok(committed)
    }

    /// Waits for the batch that is under way; where anything of it changed
    /// meanwhile, it is decided anew, at last line by line. Answers whether there
    /// was one.
    async fn settle(&mut self) -> Result<bool, Fault> {
        let Some(UnderWay { lines, tally, assumed, answer }) = self.under_way.take() else { return Ok(false) };
        let mut conflict = answer.await?;
        let mut tally = tally;
        if conflict.is_some() {
            // A model may have changed as well.
            self.models.clear();
            self.all_new = false;
        }
        if conflict.is_some() && assumed {
            let (mut commit, known) = decide(lines.iter().zip(&load(&self.app, &lines).await?), self.app.now());
            commit.changes.push(self.record_change(self.counted(&known)));
            conflict = self.app.commit_or_conflict(commit, Expected::default()).await?;
            tally = known;
        }
        match conflict {
            None => {
                self.record = self.counted(&tally);
                self.version += 1;
            }
            Some(_) => self.settle_singly(lines).await?,
        }
        Ok(true)
    }

    async fn settle_singly(&mut self, lines: Lines) -> Result<(), Fault> {
        for line in lines {
            let line = core::slice::from_ref(&line);
            let mut tally = Tally::default();
            for tries in 1..=TRIES {
                let (commit, done) = decide(line.iter().zip(&load(&self.app, line).await?), self.app.now());
                match self.app.commit_or_conflict(commit, Expected::default()).await? {
                    None => tally = done,
                    // A certificate's name that nothing asks for by name.
                    Some(Conflict::Taken(what)) if tries == TRIES => tally.bad = bad(line, format!("taken: {what}")),
                    Some(_) if tries == TRIES => {
                        tally.bad = bad(line, "others changed the device at the same time; send it again".to_owned());
                    }
                    Some(_) => continue,
                }
                break;
            }
            self.record = self.counted(&tally);
        }
        self.write_record().await
    }

    /// Of lines of new devices nothing is known but their models, which must be.
    fn assumed(&self, lines: &[(u64, ImportRequest)]) -> Option<HashMap<String, ImportFacts>> {
        let mut facts: HashMap<String, ImportFacts> = HashMap::new();
        for (_, request) in lines {
            let model = request.line.model();
            if !facts.contains_key(model) {
                let product = Fact::clone(self.models.get(model)?.as_deref()?);
                facts.insert(model.to_owned(), ImportFacts { product: Some(product), ..ImportFacts::default() });
            }
        }
        Some(facts)
    }

    fn counted(&self, tally: &Tally) -> Import {
        let mut record = self.record.clone();
        record.created += tally.created;
        record.updated += tally.updated;
        record.unchanged += tally.unchanged;
        record.failed += tally.bad.len() as u64;
        let room = KEPT_BAD_LINES.saturating_sub(record.bad_lines.len());
        record.bad_lines.extend(tally.bad.iter().take(room).cloned());
        record.bad_lines.sort_by_key(|bad| bad.line);
        record
    }

    fn record_change(&self, record: Import) -> store::Change {
        identity::Change::from(Write { record, version: self.version }).into()
    }

    async fn write_record(&mut self) -> Result<(), Fault> {
        let changes = vec![self.record_change(self.record.clone())];
        let commit = Commit { changes, now: self.app.now(), ..Commit::default() };
        match self.app.commit_or_conflict(commit, Expected::default()).await? {
            None => {
                self.version += 1;
                Ok(())
            }
            Some(_) => Err(Fault::Broken("import_record")),
        }
    }
}

fn bad(line: &[(u64, ImportRequest)], reason: String) -> Vec<BadLine> {
    line.iter().map(|(number, _)| BadLine { line: *number, reason: reason.clone() }).collect()
}

/// What is known of lines, as of one moment.
async fn load(app: &App, lines: &[(u64, ImportRequest)]) -> Result<Vec<ImportFacts>, Fault> {
    let keys = lines.iter().map(|(_, request)| request.line.keys()).collect();
    Ok(app.store.load_import(keys).await?)
}

/// Decides lines, each by what is known of it.
fn decide<'l>(lines: impl Iterator<Item = (&'l (u64, ImportRequest), &'l ImportFacts)>, now: i64) -> (Commit, Tally) {
    // A device and its key of each line, with an event each; the run's own record.
    let most = 2 * lines.size_hint().1.unwrap_or_default();
    let mut commit =
        Commit { guards: Vec::new(), changes: Vec::with_capacity(most + 1), events: Vec::with_capacity(most), now };
    let mut tally = Tally::default();
    let mut guarded: HashSet<RecordKey> = HashSet::new();
    for ((number, request), facts) in lines {
        let decision = import_line::decide(request, facts, now);
        match decision.reply {
            Ok((effect, _)) => {
                tally.count(effect);
                for guard in decision.guards {
                    if !guarded.contains(&guard.key) {
                        guarded.insert(guard.key.clone());
                        commit.guards.push(guard);
                    }
                }
                commit.changes.extend(decision.changes.into_iter().map(Into::into));
                commit.events.extend(decision.events);
            }
            Err(refusal) => tally.bad.push(BadLine { line: *number, reason: refusal.code.to_string() }),
        }
    }
    (commit, tally)
}

/// Foreign text in our sentence: short, and without control characters.
fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A value of a column of a CSV that holds JSON.
fn parse_json(text: &str, column: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|_| format!("{column} is no JSON"))
}
