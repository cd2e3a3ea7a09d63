//! Refusals are events too; under a flood of them only some are written, all are
//! counted. Nobody fills the disk by knocking.

use std::sync::{Mutex, PoisonError};

use identity::{Event, EventKind};

/// So many refusals are written each second.
const PER_SECOND: u32 = 20;

/// Samples refusals.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    second: Mutex<(i64, u32)>,
}

impl Audit {
    /// Drops the refusals that are too many, counts every one.
    pub(crate) fn sample(&self, events: &mut Vec<Event>, now: i64) {
        events.retain(|event| event.kind != EventKind::AccessRefused || self.admits(now));
    }

    fn admits(&self, now: i64) -> bool {
        metrics::counter!("keyfob_access_refused_total").increment(1);
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.0 != now {
            *second = (now, 0);
        }
        second.1 = second.1.saturating_add(1);
        second.1 <= PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_sampled_and_other_events_are_not() {
        let audit = Audit::default();
        let mut events: Vec<_> = (0..100).map(|_| Event::new(EventKind::AccessRefused, "unknown")).collect();
        events.extend((0..100).map(|_| Event::new(EventKind::DeviceCalledHome, "dev_1")));
        audit.sample(&mut events, 7);
        assert_eq!(events.len(), 20 + 100);
        let mut next = vec![Event::new(EventKind::AccessRefused, "unknown")];
        audit.sample(&mut next, 8);
        assert_eq!(next.len(), 1, "the next second begins anew");
    }
}
