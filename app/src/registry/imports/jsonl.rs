//! One JSON object per line.

use super::reader::{Line, MAX_LINE, TOO_LONG};
use super::shorten;
use crate::registry::devices::DeviceDraft;

const NO_OBJECT: &str = "the line is no JSON object";

/// Collects a line until its end; of one that is too long only the length.
#[derive(Default)]
pub(super) struct Jsonl {
    line: Vec<u8>,
    too_long: bool,
    ended: u64,
}

impl Jsonl {
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Line> {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            let (head, rest) = bytes.split_at(end);
            self.collect(head);
            *bytes = rest.get(1..).unwrap_or_default();
            let line = self.complete();
            self.ended += 1;
            if line.is_some() {
                return line;
            }
        }
        let rest = core::mem::take(bytes);
        self.collect(rest);
        None
    }

    pub(super) fn end(&mut self) -> Option<Line> {
        self.complete()
    }

    fn collect(&mut self, part: &[u8]) {
        if self.line.len() + part.len() > MAX_LINE {
            self.too_long = true;
            self.line.clear();
        }
        if !self.too_long {
            self.line.extend_from_slice(part);
        }
    }

    /// Empty lines are no lines.
    fn complete(&mut self) -> Option<Line> {
        let line = core::mem::take(&mut self.line);
        let number = self.ended + 1;
        if core::mem::take(&mut self.too_long) {
            return Some(Line { number, bytes: 0, content: Err(TOO_LONG.to_owned()) });
        }
        let text = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) } else { &line };
        if text.trim_ascii().is_empty() {
            return None;
        }
        // A list would be read as the members in their order.
        let object = text.trim_ascii_start().starts_with(b"{");
        let content = match object {
            true => serde_json::from_slice::<DeviceDraft>(text).map_err(|error| explain(&error)),
            false => Err(NO_OBJECT.to_owned()),
        };
        Some(Line { number, bytes: line.len(), content })
    }
}

fn explain(error: &serde_json::Error) -> String {
    if error.is_data() { shorten(&error.to_string()) } else { NO_OBJECT.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], piece: usize) -> Vec<(u64, Result<Option<String>, String>)> {
        let mut jsonl = Jsonl::default();
        let mut lines = Vec::new();
        for mut part in text.chunks(piece) {
            while let Some(line) = jsonl.next(&mut part) {
                lines.push((line.number, line.content.map(|draft| draft.serial)));
            }
        }
        lines.extend(jsonl.end().map(|line| (line.number, line.content.map(|draft| draft.serial))));
        lines
    }

    #[test]
    fn lines_are_the_same_however_the_file_arrives() {
        let text = b"\xef\xbb\xbf{\"serial\":\"A\"}\r\n\n{\"serial\":\"B\"}\n  \n{\"serial\":\"C\"}";
        let whole = read(text, text.len());
        assert_eq!(whole, [(1, Ok(Some("A".into()))), (3, Ok(Some("B".into()))), (5, Ok(Some("C".into())))]);
        for piece in 1..text.len() {
            assert_eq!(read(text, piece), whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_line_without_end_takes_no_more_room_than_a_long_one() {
        let mut jsonl = Jsonl::default();
        for _ in 0..1000 {
            assert!(jsonl.next(&mut [b'x'; 1024].as_slice()).is_none());
            assert!(jsonl.line.capacity() <= 2 * MAX_LINE);
        }
        let mut rest = b"\n{\"serial\":\"A\"}\n".as_slice();
        let long = jsonl.next(&mut rest).unwrap();
        assert_eq!((long.number, long.content.unwrap_err()), (1, TOO_LONG.to_owned()));
        assert_eq!(jsonl.next(&mut rest).unwrap().content.unwrap().serial.as_deref(), Some("A"));
    }

    #[test]
    fn a_bad_line_says_what_is_wrong() {
        let lines = read(b"{\"colour\":1}\n[]\n{\"serial\":5}\n{\n", 7);
        let reasons: Vec<_> = lines.into_iter().map(|(_, line)| line.unwrap_err()).collect();
        assert!(reasons[0].contains("unknown field `colour`"), "{reasons:?}");
        assert_eq!(reasons[3], "the line is no JSON object");
        assert!(reasons[2].contains("expected a string"), "{reasons:?}");
    }
}
