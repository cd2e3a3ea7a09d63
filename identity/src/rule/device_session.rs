//! A device leaves: its session ends before its time.

use crate::device_error::DeviceErrorCode as Code;
use crate::{AnchorKind, Change, Decision, DeviceId, DeviceSession, Event, EventKind, Fact, Raise};

/// Ends the session a device's token names; everything from it falls. A
/// session that is gone already is as good as ended.
///
/// # Errors
/// [`Code::InvalidToken`] when the session is another device's.
pub fn leave(device: &DeviceId, session: Option<&Fact<DeviceSession>>) -> Decision<(), Change, Code> {
    let Some(session) = session else { return Decision::reply(()) };
    if session.device != *device {
        return Decision::refuse(Code::InvalidToken, "other_device");
    }
    Decision::reply(())
        .change(Raise::end(AnchorKind::Session, session.id.as_str()))
        .change(Change::Erase { key: session.key(), version: session.version })
        .event(
            Event::new(EventKind::SessionEnded, session.id.as_str())
                .with("device_id", device.as_str())
                .with("cause", "device_left"),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::fixture::{device_session, fact};

    #[test]
    fn a_device_ends_its_own_session_and_no_other() {
        let session = fact(device_session());
        let decision = leave(&session.device, Some(&session));
        assert!(decision.changes.contains(&Raise::end(AnchorKind::Session, "ds_old").into()));
        assert_eq!(decision.events.len(), 1);
        let other = leave(&"dev_other".parse().unwrap(), Some(&session));
        assert_eq!(other.reply.unwrap_err().reason, "other_device");
        assert!(other.changes.is_empty());
    }

    #[test]
    fn leaving_twice_is_leaving() {
        let decision = leave(&"dev_1".parse().unwrap(), None);
        assert!(decision.reply.is_ok() && !decision.needs_commit());
    }
}
