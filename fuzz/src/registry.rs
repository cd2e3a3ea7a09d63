//! What staff, systems and files say to the registry.

use app::registry::{ImportFormat, ImportReader, ImportedLine, Resource, filter as filters};
use identity::rule::import_line::parse_mac;
use identity::user::Email;
use identity::{AnchorEpoch, Device, DeviceId};
use store::journal::Line as JournalLine;
use store::{Cursor, Filter};

fn text(data: &[u8]) -> &str {
    core::str::from_utf8(data).unwrap_or_default()
}

/// A cursor has one spelling.
pub fn cursor(data: &[u8]) {
    if let Ok(cursor) = text(data).parse::<Cursor>() {
        let written = cursor.to_string();
        assert_eq!(written.parse::<Cursor>().as_ref(), Ok(&cursor));
        assert!(!cursor.generation.is_empty());
    }
}

/// A filter names known fields alone.
pub fn filter(data: &[u8]) {
    if let Ok(filter) = filters::parse(text(data), Device::FIELDS) {
        assert!(comparisons(&filter) <= 32);
        check_fields(&filter);
    }
}

fn comparisons(filter: &Filter) -> usize {
    match filter {
        Filter::Is(_) => 1,
        Filter::Not(inner) => comparisons(inner),
        Filter::And(parts) | Filter::Or(parts) => parts.iter().map(comparisons).sum(),
    }
}

fn check_fields(filter: &Filter) {
    match filter {
        Filter::Is(condition) => {
            let known = Device::FIELDS.iter().any(|(_, inner)| {
                condition.field == *inner || (inner.ends_with('.') && condition.field.starts_with(inner))
            });
            assert!(known, "{}", condition.field);
        }
        Filter::Not(inner) => check_fields(inner),
        Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(check_fields),
    }
}

/// A line of a backup is read as what writes the same line's meaning again.
pub fn backup(data: &[u8]) {
    for line in text(data).split('\n') {
        let Some(item) = app::parse_item(line) else { continue };
        let (word, written) = app::render_item(&item).expect("it came from one line");
        assert!(!word.is_empty());
        assert_eq!(app::parse_item(&written), Some(item));
    }
    let _ = app::verify_backup(&mut &*data);
}

/// A line of the journal of raises likewise.
pub fn journal(data: &[u8]) {
    for line in text(data).split('\n') {
        let Ok(read) = JournalLine::parse(line) else { continue };
        let written = read.render().expect("it came from one line");
        assert!(!written.contains('\n'));
        assert_eq!(JournalLine::parse(&written), Ok(read));
    }
}

/// Lines read alike in one piece and byte by byte. The first byte chooses the
/// format: `c` is CSV, everything else JSON lines.
pub fn import(data: &[u8]) {
    let Some((format, file)) = data.split_first() else { return };
    let format = if *format == b'c' { ImportFormat::Csv } else { ImportFormat::Jsonl };
    let whole = lines(format, &mut core::iter::once(file));
    let single = lines(format, &mut file.chunks(1));
    assert_eq!(whole.is_ok(), single.is_ok());
    if let (Ok(whole), Ok(single)) = (whole, single) {
        let seen = |lines: &[ImportedLine]| -> Vec<_> {
            lines.iter().map(|line| (line.number, line.content.clone())).collect()
        };
        assert_eq!(seen(&whole), seen(&single));
        assert!(whole.is_sorted_by_key(|line| line.number));
    }
}

fn lines(format: ImportFormat, pieces: &mut dyn Iterator<Item = &[u8]>) -> Result<Vec<ImportedLine>, String> {
    let mut reader = ImportReader::new(format);
    let mut lines = Vec::new();
    for mut piece in pieces {
        while let Some(line) = reader.next(&mut piece)? {
            lines.push(line);
        }
    }
    lines.extend(reader.end()?);
    Ok(lines)
}

/// Addresses, hardware addresses, ids and anchors have one spelling.
pub fn names(data: &[u8]) {
    let text = text(data);
    if let Ok(email) = Email::parse(text) {
        assert_eq!(Email::parse(email.expose()).as_ref(), Ok(&email));
        assert!(!email.expose().contains(|letter: char| letter.is_control() || letter.is_whitespace()));
    }
    if let Some(mac) = parse_mac(text) {
        assert_eq!(parse_mac(&mac).as_ref(), Some(&mac));
    }
    if let Ok(anchor) = text.parse::<AnchorEpoch>() {
        assert_eq!(anchor.to_string(), text);
    }
    if let Ok(id) = text.parse::<DeviceId>() {
        assert_eq!(id.to_string(), text);
    }
}
