//! The `Range` field (RFC 9110 §14.2): one range of bytes, or the whole.

/// Which bytes are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// No range we understand: the whole is a right answer.
    Whole,
    /// From the first to the second, both included and both within.
    Part(usize, usize),
    /// Nothing of what is there.
    Unsatisfiable,
}

impl Range {
    /// Reads the field for something of this many bytes.
    pub fn parse(text: &str, size: usize) -> Self {
        let Some((from, to)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Self::Whole;
        };
        let last = size.saturating_sub(1);
        match (from.trim().parse::<usize>(), to.trim().parse::<usize>()) {
            (Ok(from), _) if from >= size => Self::Unsatisfiable,
            (Ok(from), Ok(to)) if to >= from => Self::Part(from, to.min(last)),
            (Ok(from), Err(_)) if to.trim().is_empty() => Self::Part(from, last),
            (Err(_), Ok(0)) if from.trim().is_empty() => Self::Unsatisfiable,
            // The end of nothing is all of it.
            (Err(_), Ok(_)) if from.trim().is_empty() && size == 0 => Self::Whole,
            (Err(_), Ok(suffix)) if from.trim().is_empty() => Self::Part(size.saturating_sub(suffix), last),
            _ => Self::Whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (text, range) in [
            ("bytes=0-0", Range::Part(0, 0)),
            ("bytes=5-", Range::Part(5, 9)),
            ("bytes=5-100", Range::Part(5, 9)),
            ("bytes=-3", Range::Part(7, 9)),
            ("bytes=-100", Range::Part(0, 9)),
            ("bytes=10-", Range::Unsatisfiable),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=5-3", Range::Whole),
            ("bytes=0-1,3-4", Range::Whole),
            ("lines=1-2", Range::Whole),
        ] {
            assert_eq!(Range::parse(text, 10), range, "{text}");
        }
        assert_eq!(Range::parse("bytes=-3", 0), Range::Whole, "of nothing");
        assert_eq!(Range::parse("bytes=0-", 0), Range::Unsatisfiable, "of nothing");
    }
}
