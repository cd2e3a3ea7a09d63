//! The server's time for a device without one. Owns: reading `Date` and
//! `GET /time`. Does not own: the device's clock.

use serde_json::Value;

use crate::address::Address;
use crate::call::{Call, Progress};
use crate::machine::{Given, Input, Machine, Output};
use crate::refusal::{AnswerError, Failure};
use crate::wire::{Method, Request};

/// Asks the server for its time and remembers it. Every other machine also
/// learns from the `Date` of its answers, so this is for devices behind a
/// server or proxy that sends none.
pub struct AskTime {
    url: Address,
    call: Call,
}

impl AskTime {
    /// For example `https://id.example.com/time`.
    pub fn new(url: Address) -> AskTime {
        AskTime { url, call: Call::new() }
    }
}

impl Machine for AskTime {
    /// The server's time, Unix seconds.
    type Done = i64;

    fn next(&mut self, input: Input, given: &mut Given<'_>) -> Output<i64> {
        match self.call.advance(input, &self.url, given) {
            Progress::Send => Output::Send(Request::new(Method::Get, self.url.clone())),
            Progress::Wait(seconds) => Output::Wait(seconds),
            Progress::Accepted(members) => match members.get("now").and_then(Value::as_i64).filter(|now| *now > 0) {
                Some(now) => {
                    given.memory.learn_time(now, given.now);
                    Output::Done(now)
                }
                None => Output::Failed(Failure::Answer(AnswerError::Member("now"))),
            },
            Progress::Failed(failure) => Output::Failed(failure),
        }
    }
}

/// Reads the preferred form of an HTTP date, which every sender must use
/// (RFC 9110 §5.6.7): `Sun, 15 Jun 2025 15:06:40 GMT`. Years 1970 to 9999.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    if !text.is_ascii() || text.len() != 29 || text.get(3..5) != Some(", ") || text.get(25..) != Some(" GMT") {
        return None;
    }
    let number = |range: core::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let month = text.get(8..11).and_then(|name| MONTHS.iter().position(|month| *month == name))?;
    let (day, year) = (number(5..7)?, number(12..16)?);
    let (hour, minute, second) = (number(17..19)?, number(20..22)?, number(23..25)?);
    let dividers = (text.get(7..8)?, text.get(11..12)?, text.get(16..17)?, text.get(19..20)?, text.get(22..23)?);
    let sound = (1..=31).contains(&day) && year >= 1970 && hour < 24 && minute < 60 && second <= 60;
    (sound && dividers == (" ", " ", " ", ":", ":"))
        .then(|| days_since_1970(year, month as i64 + 1, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Days of the Gregorian calendar: years begin in March, so that the leap day
/// is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates_are_known_seconds() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
            ("Sun, 15 Jun 2025 15:06:40 GMT", 1_750_000_000),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ] {
            assert_eq!(parse_date(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_date() {
        for text in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "S\u{e9}, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
