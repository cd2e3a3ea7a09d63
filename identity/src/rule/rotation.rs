//! A device rotates its bare key by itself: the old key asks, the new one is
//! proved, and its first call home makes it current.
//!
//! Owns what may be staged, and what becomes of both keys at that first use. At
//! each moment in between the device holds a key that counts, whatever was lost.

use crate::credential::{CredentialKind, CredentialState};
use crate::device::DeviceState;
use crate::device_error::DeviceErrorCode as Code;
use crate::facts::DeviceFacts;
use crate::{
    AnchorKind, Change, Credential, CredentialId, Decision, DeviceId, Event, EventKind, Fact, Raise, Refusal, Write,
};

/// A key that was staged and never used is dropped after so long, seconds.
pub const STAGED_LIFE: i64 = 7 * 86_400;
/// How long the old key counts beside the new one, seconds: as long as the longest
/// life of a token, so that none outlives the key it is bound to.
pub const OVERLAP: i64 = 86_400;

/// A new key, whose possession was proved.
#[derive(Debug, Clone, PartialEq)]
pub struct NewKey {
    /// The id of its credential.
    pub id: CredentialId,
    /// RFC 7638 thumbprint, base64url.
    pub key_thumbprint: String,
    /// The public key as JWK.
    pub jwk: serde_json::Value,
    /// Thumbprint of the key that asks: that of the token and its proof.
    pub by: String,
}

/// Decides whether a key is staged. The same request again is answered alike:
/// its answer may have been lost.
///
/// # Errors
/// [`Code::WrongCredential`] for a device that is not enrolled, and for the key of a
/// certificate, which is renewed with it; [`Code::DeviceSuspended`],
/// [`Code::DeviceRetired`], [`Code::ApprovalPending`]; [`Code::InvalidCredential`]
/// where the key that asks does not count; [`Code::InvalidRequest`] for a key that
/// was ever used, here or elsewhere; [`Code::RotationInProgress`] while another is
/// staged, or the last one's predecessor still counts.
pub fn stage(
    request: &NewKey,
    facts: &DeviceFacts,
    holder: Option<&DeviceId>,
    now: i64,
) -> Decision<Credential, Change, Code> {
    let old = match may_rotate(request, facts, now) {
        Ok(old) => old,
        Err(refusal) => return Decision::refuse(refusal.code, refusal.reason),
    };
    let known = facts.credentials.iter().find(|held| held.key_thumbprint == request.key_thumbprint);
    if let Some(known) = known {
        let waits = known.is_staged(now) || known.state == CredentialState::Current;
        return match waits && known.replaces.as_ref() == Some(&old.id) {
            true => Decision::reply(known.record.clone()),
            false => Decision::refuse(Code::InvalidRequest, "key_used_before"),
        };
    }
    if holder.is_some() {
        return Decision::refuse(Code::InvalidRequest, "key_of_another");
    }
    if old.state == CredentialState::Retiring || facts.credentials.iter().any(|held| in_progress(held, now)) {
        return Decision::refuse(Code::RotationInProgress, "rotation_in_progress");
    }
    let staged = Credential {
        id: request.id.clone(),
        device: facts.device.id.clone(),
        kind: CredentialKind::Operational,
        state: CredentialState::Staged,
        key_thumbprint: request.key_thumbprint.clone(),
        jwk: request.jwk.clone(),
        certificate: None,
        until: Some(now.saturating_add(STAGED_LIFE)),
        replaces: Some(old.id.clone()),
        authority: None,
        created_at: now,
    };
    let event = Event::new(EventKind::CredentialAdded, staged.id.as_str())
        .with("device_id", facts.device.id.as_str())
        .with("key_thumbprint", staged.key_thumbprint.as_str())
        .with("replaces", old.id.as_str());
    let mut decision = Decision::reply(staged.clone())
        .guard(old.guard())
        .change(Write::new(staged))
        .change(Change::Touch { key: facts.device.key(), version: facts.device.version })
        .event(event);
    for over in facts.credentials.iter().filter(|held| is_over(held, now)) {
        decision = decision
            .change(over.rewrite(Credential { state: CredentialState::Revoked, ..over.record.clone() }))
            .change(Raise::end(AnchorKind::Credential, over.id.as_str()))
            .event(
                Event::new(EventKind::CredentialRevoked, over.id.as_str())
                    .with("device_id", over.device.as_str())
                    .with("cause", "superseded")
                    .with("by", facts.device.id.as_str()),
            );
    }
    decision
}

fn may_rotate<'a>(request: &NewKey, facts: &'a DeviceFacts, now: i64) -> Result<&'a Fact<Credential>, Refusal<Code>> {
    match facts.device.state {
        DeviceState::Registered => return Err(Refusal::new(Code::WrongCredential, "registered")),
        DeviceState::Suspended => return Err(Refusal::new(Code::DeviceSuspended, "suspended")),
        DeviceState::Retired => return Err(Refusal::new(Code::DeviceRetired, "retired")),
        DeviceState::Enrolled | DeviceState::Active => {}
    }
    if facts.device.pending {
        return Err(Refusal::new(Code::ApprovalPending, "pending"));
    }
    if request.by == request.key_thumbprint {
        return Err(Refusal::new(Code::InvalidRequest, "same_key"));
    }
    let old = facts.credentials.iter().find(|held| held.key_thumbprint == request.by && held.counts(now));
    let old = old.ok_or(Refusal::new(Code::InvalidCredential, "old_key_does_not_count"))?;
    // A certificate is renewed with its key, where certificates are made.
    if old.certificate.is_some() {
        return Err(Refusal::new(Code::WrongCredential, "key_of_a_certificate"));
    }
    Ok(old)
}

/// At most one staged and two that count beside each other.
fn in_progress(held: &Credential, now: i64) -> bool {
    held.is_staged(now) || (held.state == CredentialState::Retiring && held.counts(now))
}

/// Its time is over, and nothing has said so yet.
fn is_over(held: &Credential, now: i64) -> bool {
    let bounded = matches!(held.state, CredentialState::Staged | CredentialState::Retiring);
    bounded && !held.counts(now) && !held.is_staged(now)
}

/// What the first use of a staged key does: it is current, and the one it replaces
/// retires.
#[derive(Debug, Clone, PartialEq)]
pub struct Promotion<'a> {
    /// The new one, as it is from now on.
    pub new: Credential,
    /// The old one, where it still counted, and what becomes of it.
    pub old: Option<(&'a Fact<Credential>, Credential)>,
}

/// Judges the first use of a staged key.
///
/// # Errors
/// The named cause: it waited for too long, or the key by whose word it was staged
/// was revoked since. Whoever stole that one must not outlive it.
pub fn promote<'a>(
    staged: &Credential,
    siblings: &'a [Fact<Credential>],
    now: i64,
) -> Result<Promotion<'a>, &'static str> {
    if !staged.is_staged(now) {
        return Err("staged_for_too_long");
    }
    let replaced = staged.replaces.as_ref().and_then(|id| siblings.iter().find(|held| held.id == *id));
    let replaced = replaced.filter(|held| held.counts(now)).ok_or("staged_by_a_revoked_key")?;
    let until = Some(now.saturating_add(OVERLAP));
    let retiring = Credential { state: CredentialState::Retiring, until, ..replaced.record.clone() };
    Ok(Promotion {
        new: Credential { state: CredentialState::Current, until: None, ..staged.clone() },
        old: (replaced.state == CredentialState::Current).then_some((replaced, retiring)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::fixture::{NOW, credential, device, fact, product};

    fn bare(id: &str, key: &str, state: CredentialState) -> Credential {
        Credential { id: id.parse().unwrap(), key_thumbprint: key.into(), state, certificate: None, ..credential() }
    }

    fn facts(credentials: Vec<Credential>) -> DeviceFacts {
        let credentials = credentials.into_iter().map(fact).collect();
        DeviceFacts { device: fact(device(DeviceState::Active)), product: fact(product()), credentials }
    }

    fn old() -> Credential {
        bare("crd_1", "key-1", CredentialState::Current)
    }

    fn staged() -> Credential {
        let waiting = bare("crd_2", "key-2", CredentialState::Staged);
        Credential { until: Some(NOW + STAGED_LIFE), replaces: Some("crd_1".parse().unwrap()), ..waiting }
    }

    fn request(key: &str) -> NewKey {
        let id = "crd_2".parse().unwrap();
        NewKey { id, key_thumbprint: key.into(), jwk: serde_json::json!({}), by: "key-1".into() }
    }

    fn answer(request: &NewKey, facts: &DeviceFacts, now: i64) -> Result<Credential, (Code, &'static str)> {
        stage(request, facts, None, now).reply.map_err(|refusal| (refusal.code, refusal.reason))
    }

    #[test]
    fn a_new_key_is_staged_by_the_word_of_the_old_and_the_same_request_again_is_answered_alike() {
        let decision = stage(&request("key-2"), &facts(vec![old()]), None, NOW);
        let made = decision.reply.unwrap();
        assert_eq!((made.state, made.until), (CredentialState::Staged, Some(NOW + STAGED_LIFE)));
        assert_eq!(made.replaces, Some("crd_1".parse().unwrap()));
        assert!(!made.counts(NOW), "it is of no use but to call home");
        assert_eq!((decision.changes.len(), decision.events.len()), (2, 1));
        let again = stage(&request("key-2"), &facts(vec![old(), staged()]), None, NOW + 60);
        assert_eq!(again.reply.unwrap(), staged());
        assert!(again.changes.is_empty() && again.events.is_empty());
        let used = Credential { state: CredentialState::Current, until: None, ..staged() };
        let retiring = Credential { state: CredentialState::Retiring, until: Some(NOW + OVERLAP), ..old() };
        assert_eq!(answer(&request("key-2"), &facts(vec![retiring, used.clone()]), NOW), Ok(used));
    }

    #[test]
    fn a_third_key_waits_until_the_rotation_before_it_is_over() {
        let in_progress = Err((Code::RotationInProgress, "rotation_in_progress"));
        assert_eq!(answer(&request("key-3"), &facts(vec![old(), staged()]), NOW), in_progress);
        let retiring = bare("crd_0", "key-0", CredentialState::Retiring);
        let retiring = |until| Credential { until: Some(until), ..retiring.clone() };
        assert_eq!(answer(&request("key-3"), &facts(vec![retiring(NOW + 1), old()]), NOW), in_progress);
        // By the key that retires itself neither.
        let by_old = NewKey { by: "key-0".into(), ..request("key-3") };
        assert_eq!(answer(&by_old, &facts(vec![retiring(NOW + 1), old()]), NOW), in_progress);
        // What is over is ended in the same step, and its tokens with it.
        let over = facts(vec![retiring(NOW), old(), Credential { until: Some(NOW), ..staged() }]);
        let request = NewKey { id: "crd_3".parse().unwrap(), ..request("key-3") };
        let decision = stage(&request, &over, None, NOW);
        assert_eq!(decision.reply.unwrap().state, CredentialState::Staged);
        let revoked = decision.events.iter().filter(|event| event.kind == EventKind::CredentialRevoked);
        assert_eq!(revoked.map(|event| event.subject.as_str()).collect::<Vec<_>>(), ["crd_0", "crd_2"]);
        assert_eq!(decision.changes.iter().filter(|change| matches!(change, Change::Raise(_))).count(), 2);
    }

    #[test]
    fn a_key_that_was_ever_used_and_the_very_same_one_are_refused() {
        assert_eq!(answer(&request("key-1"), &facts(vec![old()]), NOW), Err((Code::InvalidRequest, "same_key")));
        let revoked = bare("crd_0", "key-0", CredentialState::Revoked);
        let used_before = Err((Code::InvalidRequest, "key_used_before"));
        assert_eq!(answer(&request("key-0"), &facts(vec![revoked, old()]), NOW), used_before);
        let late = Credential { until: Some(NOW), ..staged() };
        assert_eq!(answer(&request("key-2"), &facts(vec![old(), late]), NOW), used_before);
        let other = "dev_2".parse().unwrap();
        let refused = stage(&request("key-9"), &facts(vec![old()]), Some(&other), NOW).reply.unwrap_err();
        assert_eq!((refused.code, refused.reason), (Code::InvalidRequest, "key_of_another"));
    }

    #[test]
    fn only_a_bare_key_that_counts_rotates_and_only_while_the_device_may_work() {
        let unfit = |held: Credential| answer(&request("key-2"), &facts(vec![held]), NOW).unwrap_err();
        assert_eq!(unfit(credential()), (Code::WrongCredential, "key_of_a_certificate"));
        let gone = (Code::InvalidCredential, "old_key_does_not_count");
        for state in [CredentialState::Revoked, CredentialState::Staged] {
            assert_eq!(unfit(bare("crd_1", "key-1", state)), gone);
        }
        for (state, code) in [
            (DeviceState::Registered, Code::WrongCredential),
            (DeviceState::Suspended, Code::DeviceSuspended),
            (DeviceState::Retired, Code::DeviceRetired),
        ] {
            let facts = DeviceFacts { device: fact(device(state)), ..facts(vec![old()]) };
            assert_eq!(answer(&request("key-2"), &facts, NOW).unwrap_err().0, code);
        }
        let mut pending = facts(vec![old()]);
        pending.device.record.pending = true;
        assert_eq!(answer(&request("key-2"), &pending, NOW).unwrap_err().0, Code::ApprovalPending);
    }

    #[test]
    fn the_first_use_makes_the_new_key_current_and_lets_the_old_one_retire() {
        let siblings = [fact(old()), fact(staged())];
        let promotion = promote(&staged(), &siblings, NOW).unwrap();
        assert_eq!((promotion.new.state, promotion.new.until), (CredentialState::Current, None));
        let (_, retiring) = promotion.old.unwrap();
        assert_eq!((retiring.state, retiring.until), (CredentialState::Retiring, Some(NOW + OVERLAP)));
        assert!(retiring.counts(NOW + OVERLAP - 1) && !retiring.counts(NOW + OVERLAP));
    }

    #[test]
    fn a_staged_key_dies_with_its_time_and_with_the_key_that_vouched_for_it() {
        let siblings = [fact(old()), fact(staged())];
        assert_eq!(promote(&staged(), &siblings, NOW + STAGED_LIFE), Err("staged_for_too_long"));
        let revoked = [fact(bare("crd_1", "key-1", CredentialState::Revoked))];
        assert_eq!(promote(&staged(), &revoked, NOW), Err("staged_by_a_revoked_key"));
        assert_eq!(promote(&staged(), &[], NOW), Err("staged_by_a_revoked_key"));
    }
}
