//! Reading one section: every key is named once, with its default and its words,
//! and from that one place come the value, the mistakes and the example file.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::secret::Secret;

/// Something wrong in the configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key with its sections, like `listeners.people.address`; empty for the file as a whole.
    pub path: String,
    /// What is wrong, in words that name what would be right.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.what) } else { write!(f, "{}: {}", self.path, self.what) }
    }
}

/// A type that can stand behind a key.
pub(super) trait Setting: Sized {
    /// What a right value looks like, for the sentence "… is not …".
    const KIND: &'static str;

    /// The value, or nothing if it is not [`Self::KIND`].
    fn parse(value: &Value) -> Option<Self>;

    /// The value as TOML, for the example.
    fn render(&self) -> Value;
}

/// One line or head of the example file.
pub(super) enum Entry {
    Section { path: String, doc: &'static str },
    List { path: String, doc: &'static str, entries: Vec<Entry> },
    Key { key: &'static str, doc: &'static str, value: Value, set: bool },
}

/// What reading leaves behind beside the values.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) mistakes: Vec<Mistake>,
    pub(super) entries: Vec<Entry>,
}

/// A section being read.
pub(super) struct Section<'a> {
    path: String,
    table: Table,
    known: Vec<&'static str>,
    base: &'a Path,
    findings: &'a RefCell<Findings>,
}

impl<'a> Section<'a> {
    /// The whole file. Relative paths in it start at `base`.
    pub(super) fn top(table: Table, base: &'a Path, findings: &'a RefCell<Findings>) -> Self {
        Section { path: String::new(), table, known: Vec::new(), base, findings }
    }

    /// Reads a section below this one, and reports every key in it that nobody asked for.
    pub(super) fn section<T>(&mut self, key: &'static str, doc: &'static str, read: fn(&mut Section<'_>) -> T) -> T {
        self.known.push(key);
        let path = self.path_of(key);
        let table = match self.table.remove(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                self.mistake(key, format!("{other} is not a section (write [{path}])"));
                Table::new()
            }
        };
        self.findings.borrow_mut().entries.push(Entry::Section { path: path.clone(), doc });
        let mut below = Section { path, table, known: Vec::new(), base: self.base, findings: self.findings };
        let value = read(&mut below);
        below.finish();
        value
    }

    /// A list of sections of one kind (`[[…]]`), none by default; the example shows one as a
    /// comment.
    pub(super) fn list<T>(&mut self, key: &'static str, doc: &'static str, read: fn(&mut Section<'_>) -> T) -> Vec<T> {
        self.known.push(key);
        let path = self.path_of(key);
        self.describe_list(&path, doc, read);
        let tables = match self.table.remove(key) {
            None => return Vec::new(),
            Some(Value::Array(tables)) => tables,
            Some(other) => vec![other],
        };
        let mut list = Vec::new();
        for (at, table) in tables.into_iter().enumerate() {
            let Value::Table(table) = table else {
                self.mistake(key, format!("{table} is not a list of sections (write [[{path}]])"));
                continue;
            };
            let path = format!("{path}[{at}]");
            let aside = RefCell::new(Findings::default());
            let mut below = Section { path, table, known: Vec::new(), base: self.base, findings: &aside };
            list.push(read(&mut below));
            below.finish();
            self.findings.borrow_mut().mistakes.extend(aside.into_inner().mistakes);
        }
        list
    }

    /// What the example says of such a list: one of them, read from nothing.
    fn describe_list<T>(&self, path: &str, doc: &'static str, read: fn(&mut Section<'_>) -> T) {
        let aside = RefCell::new(Findings::default());
        let mut below = Section {
            path: path.to_owned(),
            table: Table::new(),
            known: Vec::new(),
            base: self.base,
            findings: &aside,
        };
        read(&mut below);
        let entries = aside.into_inner().entries;
        self.findings.borrow_mut().entries.push(Entry::List { path: path.to_owned(), doc, entries });
    }

    /// Reports what is left over. Called by [`Self::section`]; the top calls it itself.
    pub(super) fn finish(self) {
        let known = self.known.join(", ");
        for key in self.table.keys() {
            let path = self.path_of(key);
            let what = format!("unknown key; known here: {known}");
            self.findings.borrow_mut().mistakes.push(Mistake { path, what });
        }
    }

    /// A key with a default.
    pub(super) fn setting<T: Setting>(&mut self, key: &'static str, default: T, doc: &'static str) -> T {
        self.describe(key, doc, default.render(), true);
        self.read(key).unwrap_or(default)
    }

    /// A key that may be absent; the example shows it as a comment.
    pub(super) fn optional<T: Setting>(&mut self, key: &'static str, example: &T, doc: &'static str) -> Option<T> {
        self.describe(key, doc, example.render(), false);
        self.read(key)
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: u32,
        allowed: RangeInclusive<u32>,
        doc: &'static str,
    ) -> u32 {
        self.describe(key, doc, Value::Integer(default.into()), true);
        let Some(value) = self.table.remove(key) else { return default };
        match value.as_integer().and_then(|number| u32::try_from(number).ok()).filter(|number| allowed.contains(number))
        {
            Some(number) => number,
            None => {
                let (from, to) = (allowed.start(), allowed.end());
                self.mistake(key, format!("{value} is not a whole number from {from} to {to}"));
                default
            }
        }
    }

    /// A file or folder; a relative one starts where the configuration file is.
    pub(super) fn path(&mut self, key: &'static str, example: &str, doc: &'static str) -> Option<PathBuf> {
        self.optional(key, &example.to_owned(), doc).map(|text| self.base.join(text))
    }

    /// Where a relative path of the file leads.
    pub(super) fn place(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// A secret, kept in a file of its own; line ends at its end are not part of it.
    pub(super) fn secret(&mut self, key: &'static str, example: &str, doc: &'static str) -> Option<Secret> {
        let path = self.path(key, example, doc)?;
        match Secret::load(&path) {
            Ok(secret) => Some(secret),
            Err(reason) => {
                self.mistake(key, reason);
                None
            }
        }
    }

    /// Notes a mistake at a key of this section.
    pub(super) fn mistake(&self, key: &str, what: impl Into<String>) {
        let path = self.path_of(key);
        self.findings.borrow_mut().mistakes.push(Mistake { path, what: what.into() });
    }

    fn read<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        let value = self.table.remove(key)?;
        let parsed = T::parse(&value);
        if parsed.is_none() {
            self.mistake(key, format!("{value} is not {}", T::KIND));
        }
        parsed
    }

    fn describe(&mut self, key: &'static str, doc: &'static str, value: Value, set: bool) {
        self.known.push(key);
        self.findings.borrow_mut().entries.push(Entry::Key { key, doc, value, set });
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl Setting for String {
    const KIND: &'static str = "a text in quotes, not empty";

    fn parse(value: &Value) -> Option<Self> {
        value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn render(&self) -> Value {
        Value::String(self.clone())
    }
}

impl Setting for SocketAddr {
    const KIND: &'static str = "an address (like \"127.0.0.1:8443\" or \"[::]:8443\")";

    fn parse(value: &Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }

    fn render(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl<T: Setting> Setting for Vec<T> {
    const KIND: &'static str = T::KIND;

    fn parse(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::parse).collect()
    }

    fn render(&self) -> Value {
        Value::Array(self.iter().map(T::render).collect())
    }
}

/// A closed set of words as a setting.
macro_rules! words {
    ($type:ty, $kind:literal, $($word:literal => $value:path),+ $(,)?) => {
        impl crate::config::reader::Setting for $type {
            const KIND: &'static str = $kind;

            fn parse(value: &toml::Value) -> Option<Self> {
                match value.as_str()? {
                    $($word => Some($value),)+
                    _ => None,
                }
            }

            fn render(&self) -> toml::Value {
                toml::Value::String(match self { $($value => $word,)+ }.to_owned())
            }
        }
    };
}
pub(super) use words;
