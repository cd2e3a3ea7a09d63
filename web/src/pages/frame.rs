//! What every page has in common: language, name of the place, CSRF token, viewer.
//!
//! Owns the short ways a template asks for texts, assets and times.

use time::OffsetDateTime;

use super::assets;
use super::text::Text;

/// Around every page. Has no `Debug`: it holds the CSRF token.
#[derive(Clone)]
pub struct Frame {
    /// The reader's language.
    pub text: Text,
    /// What the operator calls this place, e.g. "Acme Home"; stands in header and title.
    pub service: String,
    /// The token for the hidden `csrf` field of every form; empty only on pages without a form.
    pub csrf: String,
    /// The name of the person who is signed in, if anybody is.
    pub viewer: Option<String>,
}

impl Frame {
    /// See [`Text::say`].
    pub fn say(&self, key: &str) -> String {
        self.text.say(key)
    }

    /// See [`Text::with`].
    pub fn with(&self, key: &str, name: &str, value: impl AsRef<str>) -> String {
        self.text.with(key, name, value.as_ref())
    }

    /// See [`Text::count`].
    pub fn count(&self, key: &str, name: &str, number: &u32) -> String {
        self.text.count(key, name, *number)
    }

    /// See [`Text::scope`].
    pub fn scope(&self, scope: &str) -> String {
        self.text.scope(scope)
    }

    pub(super) fn style(&self) -> &'static str {
        assets::STYLE.path()
    }

    pub(super) fn tab_icon(&self) -> &'static str {
        assets::ICON.path()
    }

    pub(super) fn passkey_script(&self) -> &'static str {
        assets::PASSKEY.path()
    }
}

/// An instant as a person reads it, in a zone that is always named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    local: OffsetDateTime,
    zone: String,
}

impl Moment {
    /// The instant `seconds` (Unix time) in UTC. What lies outside the calendar becomes its first day.
    pub fn utc(seconds: i64) -> Self {
        Self {
            local: OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH),
            zone: "UTC".to_owned(),
        }
    }

    /// The same instant on a clock `offset_seconds` east of UTC, whose zone is called `zone`.
    /// An offset of more than a day is left out.
    pub fn in_zone(seconds: i64, offset_seconds: i32, zone: &str) -> Self {
        let utc = Self::utc(seconds);
        match time::UtcOffset::from_whole_seconds(offset_seconds) {
            Ok(offset) => Self { local: utc.local.to_offset(offset), zone: zone.to_owned() },
            Err(_) => utc,
        }
    }

    /// For the `datetime` attribute: `2026-11-21T14:02:00Z`.
    pub fn machine(&self) -> String {
        let utc = self.local.to_offset(time::UtcOffset::UTC);
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            utc.year(),
            u8::from(utc.month()),
            utc.day(),
            utc.hour(),
            utc.minute(),
            utc.second()
        )
    }

    /// Day and time with the zone's name: "21 November 2026, 14:02 UTC".
    pub fn say(&self, text: &Text) -> String {
        let clock = format!("{:02}:{:02}", self.local.hour(), self.local.minute());
        text.fill("moment", &[("day", &self.day(text)), ("clock", &clock), ("zone", &self.zone)])
    }

    /// The day alone: "21 November 2026".
    pub fn day(&self, text: &Text) -> String {
        let month = text.say(match u8::from(self.local.month()) {
            1 => "month-1",
            2 => "month-2",
            3 => "month-3",
            4 => "month-4",
            5 => "month-5",
            6 => "month-6",
            7 => "month-7",
            8 => "month-8",
            9 => "month-9",
            10 => "month-10",
            11 => "month-11",
            _ => "month-12",
        });
        text.fill(
            "moment-day",
            &[("day", &self.local.day().to_string()), ("month", &month), ("year", &self.local.year().to_string())],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_names_its_zone_and_keeps_the_instant() {
        let text = Text::english();
        let utc = Moment::utc(1_795_269_720);
        assert_eq!(utc.say(&text), "21 November 2026, 14:02 UTC");
        let berlin = Moment::in_zone(1_795_269_720, 3600, "Berlin");
        assert_eq!(berlin.say(&text), "21 November 2026, 15:02 Berlin");
        assert_eq!(berlin.machine(), "2026-11-21T14:02:00Z");
        assert_eq!(utc.machine(), berlin.machine());
    }

    #[test]
    fn an_instant_outside_the_calendar_does_no_harm() {
        assert_eq!(Moment::utc(i64::MAX).machine(), "1970-01-01T00:00:00Z");
        assert_eq!(Moment::in_zone(0, i32::MAX, "?"), Moment::utc(0));
    }
}
