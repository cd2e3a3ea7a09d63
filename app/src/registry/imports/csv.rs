//! CSV with a header line (RFC 4180), in pieces. Quoted fields may hold line
//! breaks: certificates do.

use csv_core::{ReadRecordResult, Reader};
use serde_json::{Map, Value};

use super::parse_json;
use super::reader::{Line, MAX_LINE, TOO_LONG};
use super::shorten;
use crate::registry::devices::DeviceDraft;

/// The mark of UTF-8 with which some programs begin a file.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// The most columns a file may have.
const MAX_COLUMNS: usize = 64;

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    Model,
    Serial,
    ExternalId,
    Mac,
    Name,
    Place,
    Certificate,
    Jwk,
    Attributes,
    Attribute(String),
}

/// Reads records; knows its columns once the header is through.
pub(super) struct Csv {
    reader: Reader,
    columns: Option<Vec<Column>>,
    fields: Vec<u8>,
    ends: Vec<usize>,
    filled: usize,
    ended: usize,
    too_long: bool,
    /// Inside a record.
    inside: bool,
    /// Line feeds consumed so far.
    feeds: u64,
    /// Line the record began on.
    number: u64,
    /// Bytes of a mark of UTF-8 that may still begin the file.
    mark: &'static [u8],
    /// Whether the reader has been given anything.
    begun: bool,
}

impl Default for Csv {
    fn default() -> Self {
        Self {
            reader: Reader::new(),
            columns: None,
            fields: vec![0; MAX_LINE],
            ends: vec![0; MAX_COLUMNS + 1],
            filled: 0,
            ended: 0,
            too_long: false,
            inside: false,
            feeds: 0,
            number: 0,
            mark: MARK,
            begun: false,
        }
    }
}

impl Csv {
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Line>, String> {
        while self.fill(bytes) {
            if let Some(line) = self.complete()? {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    pub(super) fn end(&mut self) -> Result<Option<Line>, String> {
        // An empty input is how the reader learns of the end.
        if self.inside
            && self.read(&mut [].as_slice())
            && let Some(line) = self.complete()?
        {
            return Ok(Some(line));
        }
        if self.columns.is_none() { Err("the file has no header line".to_owned()) } else { Ok(None) }
    }

    /// Consumes bytes; true when a record is whole.
    fn fill(&mut self, bytes: &mut &[u8]) -> bool {
        while let (Some((wanted, mark)), Some((first, rest))) = (self.mark.split_first(), bytes.split_first()) {
            if wanted == first {
                (self.mark, *bytes) = (mark, rest);
                continue;
            }
            // What only began like the mark belongs to the header.
            let seen = MARK.len() - self.mark.len();
            self.mark = &[];
            if let Some(mut begin) = MARK.get(..seen).filter(|begin| !begin.is_empty()) {
                (self.inside, self.number) = (true, 1);
                self.read(&mut begin);
            }
        }
        if !self.inside {
            // Line breaks between records belong to none of them.
            let breaks = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            let (skipped, rest) = bytes.split_at(breaks);
            self.feeds += count_feeds(skipped);
            *bytes = rest;
        }
        if bytes.is_empty() {
            return false;
        }
        if !self.inside {
            self.inside = true;
            self.number = self.feeds + 1;
        }
        self.read(bytes)
    }

    fn read(&mut self, bytes: &mut &[u8]) -> bool {
        loop {
            let fields = self.fields.get_mut(self.filled..).unwrap_or_default();
            let ends = self.ends.get_mut(self.ended..).unwrap_or_default();
            // The reader passes over a mark of its own, if its first bytes come together: one by
            // one a second mark is what it always is, a part of the header.
            let given = if self.begun { *bytes } else { bytes.get(..1).unwrap_or_default() };
            let more = given.len() < bytes.len();
            self.begun = true;
            let (result, read, written, ended) = self.reader.read_record(given, fields, ends);
            let (consumed, rest) = bytes.split_at(read);
            self.feeds += count_feeds(consumed);
            *bytes = rest;
            self.filled += written;
            self.ended += ended;
            match result {
                ReadRecordResult::InputEmpty if more => {}
                ReadRecordResult::InputEmpty => return false,
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    // Read on to the end of the record, keeping nothing of it.
                    self.too_long = true;
                    self.filled = 0;
                    self.ended = 0;
                }
                ReadRecordResult::Record => {
                    self.inside = false;
                    return true;
                }
                ReadRecordResult::End => {
                    self.inside = false;
                    return false;
                }
            }
        }
    }

    /// The record that is whole; the header is none.
    fn complete(&mut self) -> Result<Option<Line>, String> {
        let (number, bytes, ended) = (self.number, self.filled, self.ended);
        let too_long = core::mem::take(&mut self.too_long);
        self.filled = 0;
        self.ended = 0;
        let whole = self.fields.get(..bytes).unwrap_or_default();
        let ends = self.ends.get(..ended).unwrap_or_default();
        let Some(columns) = &self.columns else {
            let values = if too_long { Err(TOO_LONG.to_owned()) } else { split(whole, ends) };
            self.columns = Some(header(&values?)?);
            return Ok(None);
        };
        let content = match too_long {
            true => Err(format!("{TOO_LONG}, or has more than {MAX_COLUMNS} fields")),
            false => split(whole, ends).and_then(|values| draft(columns, &values)),
        };
        Ok(Some(Line { number, bytes, content }))
    }
}

fn count_feeds(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|b| **b == b'\n').count() as u64
}

fn split<'a>(whole: &'a [u8], ends: &[usize]) -> Result<Vec<&'a str>, String> {
    let mut from = 0;
    let mut values = Vec::with_capacity(ends.len());
    for end in ends {
        let value = whole.get(from..*end).unwrap_or_default();
        values.push(core::str::from_utf8(value).map_err(|_| "the line is not UTF-8".to_owned())?);
        from = *end;
    }
    Ok(values)
}

fn header(names: &[&str]) -> Result<Vec<Column>, String> {
    if names.len() > MAX_COLUMNS {
        return Err(format!("more than {MAX_COLUMNS} columns"));
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let column = match name.trim() {
            "model" => Column::Model,
            "serial" => Column::Serial,
            "external_id" => Column::ExternalId,
            "mac" => Column::Mac,
            "name" => Column::Name,
            "place" => Column::Place,
            "certificate" => Column::Certificate,
            "jwk" => Column::Jwk,
            "attributes" => Column::Attributes,
            other => match other.strip_prefix("attributes.") {
                Some(attribute) if !attribute.is_empty() => Column::Attribute(attribute.to_owned()),
                _ => return Err(format!("the column \"{}\" is unknown", shorten(other))),
            },
        };
        if columns.contains(&column) {
            return Err(format!("the column \"{}\" stands twice", shorten(name)));
        }
        columns.push(column);
    }
    if columns.contains(&Column::Model) { Ok(columns) } else { Err("the column \"model\" is missing".to_owned()) }
}

fn draft(columns: &[Column], values: &[&str]) -> Result<DeviceDraft, String> {
    if values.len() != columns.len() {
        return Err(format!("the line has {} fields, the header has {}", values.len(), columns.len()));
    }
    let mut draft = DeviceDraft::default();
    for (column, value) in columns.iter().zip(values) {
        if value.trim().is_empty() {
            continue;
        }
        let text = || Some((*value).to_owned());
        match column {
            Column::Model => draft.model = (*value).to_owned(),
            Column::Serial => draft.serial = text(),
            Column::ExternalId => draft.external_id = text(),
            Column::Mac => draft.mac = text(),
            Column::Name => draft.name = text(),
            Column::Place => draft.place = text(),
            Column::Certificate => draft.certificate = text(),
            Column::Jwk => draft.jwk = Some(parse_json(value, "jwk")?),
            Column::Attributes => {
                let Value::Object(members) = parse_json(value, "attributes")? else {
                    return Err("attributes is no JSON object".to_owned());
                };
                draft.attributes.extend(members);
            }
            Column::Attribute(name) => {
                draft.attributes.insert(name.clone(), Value::String((*value).to_owned()));
            }
        }
    }
    Ok(draft)
}

/// Attributes of a CSV are text; where the schema wants a number or a truth,
/// text that is one becomes one. What does not fit stays, and is refused by the
/// rule in its own words.
pub(super) fn type_attributes(schema: &Value, attributes: &mut Map<String, Value>) {
    for (name, value) in attributes {
        let wanted = schema.get("properties").and_then(|all| all.get(name)).and_then(|rules| rules.get("type"));
        let Some(wanted @ ("number" | "integer" | "boolean")) = wanted.and_then(Value::as_str) else { continue };
        let parsed = value.as_str().and_then(|text| serde_json::from_str::<Value>(text.trim()).ok());
        let fits = |parsed: &Value| if wanted == "boolean" { parsed.is_boolean() } else { parsed.is_number() };
        if let Some(parsed) = parsed.filter(fits) {
            *value = parsed;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Read = Result<Vec<(u64, Result<DeviceDraft, String>)>, String>;

    fn read(text: &[u8], piece: usize) -> Read {
        let mut csv = Csv::default();
        let mut lines = Vec::new();
        for mut part in text.chunks(piece) {
            while let Some(line) = csv.next(&mut part)? {
                lines.push((line.number, line.content));
            }
        }
        while let Some(line) = csv.end()? {
            lines.push((line.number, line.content));
        }
        Ok(lines)
    }

    #[test]
    fn a_mark_of_utf_8_is_passed_over_once_and_whole_however_the_file_is_cut() {
        for (begin, is_read) in
            [(&b""[..], true), (b"\xef\xbb\xbf", true), (b"\xef\xbb", false), (b"\xef\xbb\xbf\xef\xbb\xbf", false)]
        {
            let file = [begin, b"model,serial\nSPK-2,S1\n"].concat();
            for size in [1, 2, 3, 5, 64] {
                let mut csv = Csv::default();
                let read: Result<Vec<_>, _> = file.chunks(size).map(|mut piece| csv.next(&mut piece)).collect();
                assert_eq!(read.is_ok(), is_read, "{begin:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn records_are_the_same_however_the_file_arrives() {
        let text = b"\xef\xbb\xbfmodel,serial,certificate\r\n\r\nS,A,\"x\ny\"\r\nS,\"B\"\"1\",\n\nS,C,z";
        let whole = read(text, text.len()).unwrap();
        let serials: Vec<_> = whole.iter().map(|(n, line)| (*n, line.clone().unwrap().serial.unwrap())).collect();
        assert_eq!(serials, [(3, "A".into()), (5, "B\"1".into()), (7, "C".into())]);
        assert_eq!(whole[0].1.as_ref().unwrap().certificate.as_deref(), Some("x\ny"));
        for piece in 1..text.len() {
            assert_eq!(read(text, piece).unwrap(), whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_header_that_is_none_refuses_the_file() {
        for (text, why) in [
            ("", "the file has no header line"),
            ("\n\n", "the file has no header line"),
            ("serial\nA\n", "the column \"model\" is missing"),
            ("model,colour\n", "the column \"colour\" is unknown"),
            ("model,attributes.\n", "the column \"attributes.\" is unknown"),
            ("model,serial,model\n", "the column \"model\" stands twice"),
        ] {
            assert_eq!(read(text.as_bytes(), 3).unwrap_err(), why, "{text:?}");
        }
        let wide = format!("model{}\n", ",attributes.a".repeat(70));
        assert!(read(wide.as_bytes(), 100).is_err());
    }

    #[test]
    fn a_bad_line_does_not_keep_back_the_next() {
        let long = "x".repeat(MAX_LINE + 1);
        let text = format!("model,serial,jwk\nS,A\nS,\"{long}\",\nS,B,nojson\nS,\u{0}\nS,C,\n");
        let lines = read(text.as_bytes(), 1000).unwrap();
        let bad: Vec<_> = lines.iter().filter_map(|(n, line)| Some((*n, line.as_ref().err()?.clone()))).collect();
        assert_eq!(bad[0], (2, "the line has 2 fields, the header has 3".into()));
        assert_eq!(bad[1].0, 3);
        assert!(bad[1].1.starts_with(TOO_LONG));
        assert_eq!(bad[2], (4, "jwk is no JSON".into()));
        assert_eq!(lines.last().unwrap().1.as_ref().unwrap().serial.as_deref(), Some("C"));
        assert!(read(b"model,serial\nS,\xff\n", 4).unwrap()[0].1.is_err());
    }

    #[test]
    fn an_open_quote_ends_with_the_file_and_takes_no_more_room() {
        let mut text = b"model,serial\nS,\"".to_vec();
        text.extend(vec![b'x'; 10 * MAX_LINE]);
        let lines = read(&text, 4096).unwrap();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].1.is_err());
    }

    #[test]
    fn attributes_get_the_type_the_schema_wants() {
        let schema = json!({"properties": {"watts": {"type": "integer"}, "loud": {"type": "boolean"}, "name": {"type": "string"}}});
        let mut attributes =
            json!({"watts": "5", "loud": "true", "name": "7", "free": "8"}).as_object().unwrap().clone();
        type_attributes(&schema, &mut attributes);
        assert_eq!(Value::Object(attributes), json!({"watts": 5, "loud": true, "name": "7", "free": "8"}));
        let mut wrong = json!({"watts": "five", "loud": "1"}).as_object().unwrap().clone();
        type_attributes(&schema, &mut wrong);
        assert_eq!(Value::Object(wrong), json!({"watts": "five", "loud": "1"}));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_read_the_same_in_any_pieces(
            body in proptest::collection::vec(proptest::sample::select(b"a,\"\r\n\xc3\xa4 ".to_vec()), 0..80),
            piece in 1_usize..20,
        ) {
            let mut text = b"model,serial\n".to_vec();
            text.extend(body);
            proptest::prop_assert_eq!(read(&text, piece), read(&text, text.len()));
        }
    }
}
