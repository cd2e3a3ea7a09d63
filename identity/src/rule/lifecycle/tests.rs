use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::bond::{BondRole, BondState};
use crate::rule::fixture::{
    NOW, bond, credential, device, device_facts, fact, on_title, owned, product, raises_are_told, second_conflicts,
    writes_nothing_twice,
};
use crate::rule::import_line::{ImportLine, RawLine};

const STATES: [DeviceState; 5] =
    [DeviceState::Registered, DeviceState::Enrolled, DeviceState::Active, DeviceState::Suspended, DeviceState::Retired];

fn staff() -> Actor {
    Actor::Staff("u_staff".parse().unwrap())
}

fn facts(state: DeviceState) -> DeviceFacts {
    let mut facts = device_facts(state);
    facts.device.record.resumes_to = (state == DeviceState::Suspended).then_some(DeviceState::Active);
    facts
}

#[test]
fn suspending_cuts_tokens_and_keeps_grants() {
    let decision = suspend(&staff(), Some(&facts(DeviceState::Active)), None);
    let device = decision.reply.clone().unwrap();
    assert_eq!((device.state, device.resumes_to), (DeviceState::Suspended, Some(DeviceState::Active)));
    assert!(decision.changes.contains(&Raise::cut(AnchorKind::Device, "dev_1").into()));
    assert!(!decision.changes.contains(&Raise::end(AnchorKind::Device, "dev_1").into()));
    assert_eq!(decision.events[0].kind, EventKind::DeviceSuspended);
}

#[test]
fn resuming_returns_to_the_state_before() {
    for before in [DeviceState::Registered, DeviceState::Enrolled, DeviceState::Active] {
        let suspended = suspend(&staff(), Some(&facts(before)), None).reply.unwrap();
        let mut stopped = facts(DeviceState::Suspended);
        stopped.device.record = suspended;
        let resumed = resume(&staff(), Some(&stopped), None).reply.unwrap();
        assert_eq!((resumed.state, resumed.resumes_to), (before, None));
    }
}

#[test]
fn each_transition_is_legal_from_its_states_alone() {
    for state in STATES {
        let facts = facts(state);
        let running = !matches!(state, DeviceState::Suspended | DeviceState::Retired);
        assert_eq!(suspend(&staff(), Some(&facts), None).reply.is_ok(), running, "suspend {state:?}");
        assert_eq!(
            resume(&staff(), Some(&facts), None).reply.is_ok(),
            state == DeviceState::Suspended,
            "resume {state:?}"
        );
        let owned = OwnedFacts { device: Some(facts.clone()), asset: None, account: None };
        assert_eq!(
            retire(&staff(), &owned, &[], None, NOW).reply.is_ok(),
            state != DeviceState::Retired,
            "retire {state:?}"
        );
        let mut pending = facts;
        assert_eq!(approve(&staff(), Some(&pending), None).reply.unwrap_err().reason, "not_pending");
        pending.device.record.pending = true;
        assert_eq!(approve(&staff(), Some(&pending), None).reply.is_ok(), state != DeviceState::Retired);
    }
}

#[test]
fn retiring_ends_everything_at_once() {
    let guest = fact(bond("bnd_1", "u_adam", on_title(), BondRole::Owner));
    let decision = retire(&staff(), &owned(), &[guest], None, NOW);
    assert_eq!(decision.reply.as_ref().unwrap().state, DeviceState::Retired);
    assert!(decision.changes.contains(&Raise::end(AnchorKind::Device, "dev_1").into()));
    assert!(decision.changes.contains(&Raise::end(AnchorKind::Asset, "ast_1").into()));
    assert!(
        decision
            .changes
            .iter()
            .any(|c| matches!(c, Change::Credential(w) if w.record.state == CredentialState::Revoked))
    );
    assert!(decision.changes.iter().any(|c| matches!(c, Change::Bond(w) if w.record.state == BondState::Ended)));
    assert!(decision.changes.iter().any(|c| matches!(c, Change::Asset(w) if w.record.closed_at == Some(NOW))));
    let kinds: Vec<_> = decision.events.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [EventKind::DeviceRetired, EventKind::CredentialRevoked, EventKind::BondEnded, EventKind::AssetReleased]
    );
    assert!(writes_nothing_twice(&decision) && raises_are_told(&decision));
}

#[test]
fn what_another_saw_is_not_overwritten() {
    let facts = facts(DeviceState::Active);
    assert_eq!(suspend(&staff(), Some(&facts), Some(2)).reply.unwrap_err().code, Code::VersionMismatch);
    assert!(suspend(&staff(), Some(&facts), Some(3)).reply.is_ok());
    let request = DeviceUpdate { if_version: Some(2), ..DeviceUpdate::default() };
    assert_eq!(update(&request, Some(&facts)).reply.unwrap_err().code, Code::VersionMismatch);
    let first = suspend(&staff(), Some(&facts), None);
    let second = retire(&staff(), &OwnedFacts { device: Some(facts), ..OwnedFacts::default() }, &[], None, NOW);
    assert!(second_conflicts(&first, &second));
}

#[test]
fn an_unknown_device_is_not_found() {
    assert_eq!(suspend(&staff(), None, None).reply.unwrap_err().code, Code::NotFound);
    assert_eq!(update(&DeviceUpdate::default(), None).reply.unwrap_err().code, Code::NotFound);
    assert_eq!(retire(&staff(), &OwnedFacts::default(), &[], None, NOW).reply.unwrap_err().code, Code::NotFound);
}

#[test]
fn an_update_sets_clears_and_keeps() {
    let mut facts = facts(DeviceState::Active);
    facts.device.record.place = Some("Hall".into());
    facts.device.record.name = Some("Old".into());
    let request = DeviceUpdate {
        mac: Edit::Set("0A1B2C3D4E5F".into()),
        name: Edit::Clear,
        attributes: json!({"a": 1}).as_object().cloned(),
        ..DeviceUpdate::default()
    };
    let device = update(&request, Some(&facts)).reply.unwrap();
    assert_eq!(
        (device.mac.as_deref(), device.name, device.place.as_deref()),
        (Some("0a:1b:2c:3d:4e:5f"), None, Some("Hall"))
    );
    assert_eq!((device.attributes.len(), device.state), (1, DeviceState::Active));
    assert!(!update(&DeviceUpdate::default(), Some(&facts)).needs_commit());
}

#[test]
fn an_update_keeps_the_form_and_the_schema() {
    let mut facts = facts(DeviceState::Active);
    facts.product.record.attribute_schema = Some(json!({"properties": {"a": {"type": "string"}}}));
    let set = |text: &str| Edit::Set(text.to_owned());
    for (request, reason) in [
        (DeviceUpdate { serial: set("a*"), ..DeviceUpdate::default() }, "bad_serial"),
        (DeviceUpdate { external_id: set("dev_x"), ..DeviceUpdate::default() }, "bad_external_id"),
        (DeviceUpdate { mac: set("x"), ..DeviceUpdate::default() }, "bad_mac"),
        (DeviceUpdate { place: set("a\nb"), ..DeviceUpdate::default() }, "bad_text"),
        (DeviceUpdate { serial: Edit::Clear, ..DeviceUpdate::default() }, "no_name"),
        (
            DeviceUpdate { attributes: json!({"a": 1}).as_object().cloned(), ..DeviceUpdate::default() },
            "bad_attributes",
        ),
    ] {
        let refusal = update(&request, Some(&facts)).reply.unwrap_err();
        assert!(matches!(refusal.code, Code::Invalid(_)));
        assert_eq!(refusal.reason, reason);
    }
    facts.device.record.state = DeviceState::Retired;
    assert_eq!(update(&DeviceUpdate::default(), Some(&facts)).reply.unwrap_err().reason, "retired");
}

fn line() -> ImportRequest {
    let raw = RawLine { model: "SPK-2".into(), serial: Some("S1".into()), ..RawLine::default() };
    ImportRequest {
        line: ImportLine::parse(raw).unwrap(),
        device: "dev_new".parse().unwrap(),
        credential: "crd_new".parse().unwrap(),
    }
}

#[test]
fn a_device_is_made_once() {
    let facts = ImportFacts { product: Some(fact(product())), ..ImportFacts::default() };
    assert_eq!(create(&line(), &facts, NOW).reply.unwrap().id.as_str(), "dev_new");
    let known = ImportFacts { by_serial: Some(fact(device(DeviceState::Registered))), ..facts.clone() };
    assert_eq!(create(&line(), &known, NOW).reply.unwrap_err().code, Code::Conflict);
    let taken = ImportFacts { credential: Some(fact(credential())), ..facts };
    assert_eq!(create(&line(), &taken, NOW).reply.unwrap_err().code, Code::Conflict);
    let refusal = create(&line(), &ImportFacts::default(), NOW).reply.unwrap_err();
    assert_eq!(refusal.reason, "unknown_model");
}

fn new_credential() -> NewCredential {
    NewCredential {
        id: "crd_new".parse().unwrap(),
        kind: CredentialKind::Operational,
        key_thumbprint: "key-2".into(),
        jwk: json!({}),
        certificate: None,
        identity: None,
    }
}

#[test]
fn one_key_belongs_to_one_device_for_ever() {
    let facts = facts(DeviceState::Enrolled);
    let decision = add_credential(&new_credential(), Some(&facts), None, NOW);
    assert!(decision.reply.is_ok() && writes_nothing_twice(&decision));
    let mut revoked = credential();
    revoked.state = CredentialState::Revoked;
    let taken = add_credential(&new_credential(), Some(&facts), Some(&fact(revoked)), NOW);
    assert_eq!(taken.reply.unwrap_err().code, Code::Conflict);
    let strange = NewCredential { identity: Some("S-2".into()), ..new_credential() };
    assert_eq!(add_credential(&strange, Some(&facts), None, NOW).reply.unwrap_err().reason, "certificate_of_another");
}

#[test]
fn a_retired_device_and_a_full_one_get_no_credential() {
    let retired = facts(DeviceState::Retired);
    assert_eq!(add_credential(&new_credential(), Some(&retired), None, NOW).reply.unwrap_err().reason, "retired");
    let mut full = facts(DeviceState::Enrolled);
    full.credentials = (0..MAX_CREDENTIALS).map(|_| fact(credential())).collect();
    assert_eq!(add_credential(&new_credential(), Some(&full), None, NOW).reply.unwrap_err().code, Code::LimitReached);
    full.credentials[0].record.state = CredentialState::Revoked;
    assert!(add_credential(&new_credential(), Some(&full), None, NOW).reply.is_ok());
}

#[test]
fn a_revoked_credential_ends_what_hangs_from_it() {
    let mut facts = facts(DeviceState::Enrolled);
    let decision = revoke_credential(&staff(), &credential().id, Some(&facts));
    assert!(decision.changes.contains(&Raise::end(AnchorKind::Credential, "crd_1").into()));
    assert_eq!(decision.events[0].kind, EventKind::CredentialRevoked);
    facts.credentials[0].record.state = CredentialState::Revoked;
    let again = revoke_credential(&staff(), &credential().id, Some(&facts));
    assert!(again.reply.is_ok() && !again.needs_commit());
    let other = revoke_credential(&staff(), &"crd_9".parse().unwrap(), Some(&facts));
    assert_eq!(other.reply.unwrap_err().code, Code::NotFound);
}

proptest! {
    /// Whatever staff do in whatever order.
    #[test]
    fn no_illegal_state_is_reached_and_retired_is_final(start in 0usize..3, acts in prop::collection::vec(0u8..5, 0..20)) {
        let mut owned = OwnedFacts { device: Some(facts(STATES[start])), ..OwnedFacts::default() };
        let mut retired = false;
        for act in acts {
            let device = owned.device.as_ref();
            let decision = match act {
                0 => suspend(&staff(), device, None),
                1 => resume(&staff(), device, None),
                2 => approve(&staff(), device, None),
                3 => update(&DeviceUpdate { name: Edit::Set(format!("n{act}")), ..DeviceUpdate::default() }, device),
                _ => retire(&staff(), &owned, &[], None, NOW),
            };
            prop_assert!(!(retired && decision.needs_commit()), "retired is final");
            let known = owned.device.as_mut().unwrap();
            for change in decision.changes {
                match change {
                    Change::Device(write) => known.device.record = write.record,
                    Change::Credential(write) => known.credentials = vec![fact(write.record)],
                    _ => {}
                }
            }
            let device = &known.device;
            retired |= device.state == DeviceState::Retired;
            prop_assert_eq!(device.state == DeviceState::Suspended, device.resumes_to.is_some());
            prop_assert!(device.resumes_to.is_none_or(|to| !matches!(to, DeviceState::Suspended | DeviceState::Retired)));
            prop_assert!(!retired || known.credentials.iter().all(|c| c.state == CredentialState::Revoked));
        }
    }
}
