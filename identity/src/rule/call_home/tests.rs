use super::*;
use crate::rule::fixture::{
    NOW, account, bond, credential, device, device_session, fact, on_title, owned, product, raises_are_told,
    second_conflicts, tenant, trust_anchor, writes_nothing_twice,
};

fn facts(state: DeviceState) -> CallHomeFacts {
    let device_facts = crate::facts::DeviceFacts {
        device: fact(device(state)),
        product: fact(product()),
        credentials: vec![fact(credential())],
    };
    CallHomeFacts {
        tenant: tenant(),
        credential: Some(fact(credential())),
        owned: crate::facts::OwnedFacts { device: Some(device_facts), asset: None, account: None },
        bonds: vec![],
        trust_anchors: vec![fact(trust_anchor())],
        session: None,
    }
}

fn with_device(mut facts: CallHomeFacts, change: impl Fn(&mut Device, &mut Product)) -> CallHomeFacts {
    let owned = facts.owned.device.as_mut().unwrap();
    change(&mut owned.device.record, &mut owned.product.record);
    facts
}

fn certificate() -> Presented {
    Presented {
        thumbprint: "x5t-1".into(),
        serial: "1f".into(),
        issuer: "issuer-1".into(),
        not_after: NOW + 1000,
        identity: Ok("SPK-000123".into()),
        path: Path::Valid { anchor: "anchor-1".into() },
    }
}

fn request() -> CallHome {
    CallHome {
        key_thumbprint: "key-1".into(),
        certificate: Some(certificate()),
        authorities: vec![],
        claimed: Claimed::default(),
        session: "ds_new".parse().unwrap(),
    }
}

fn shown(change: impl Fn(&mut Presented)) -> CallHome {
    let mut certificate = certificate();
    change(&mut certificate);
    CallHome { certificate: Some(certificate), ..request() }
}

#[track_caller]
fn refused(request: &CallHome, facts: &CallHomeFacts, code: Code, reason: &str) {
    let decision = decide(request, facts, NOW);
    let refusal = decision.reply.unwrap_err();
    assert_eq!((refusal.code, refusal.reason), (code, reason));
    assert!(decision.changes.is_empty(), "a refusal writes no record");
    assert_eq!(decision.events.len(), 1);
    assert_eq!(decision.events[0].kind, EventKind::AccessRefused);
    assert_eq!(decision.events[0].data["reason"], reason);
}

#[test]
fn a_factory_certificate_makes_the_device_enrolled_where_the_product_says_so() {
    let decision = decide(&request(), &facts(DeviceState::Registered), NOW);
    let reply = decision.reply.clone().unwrap();
    assert_eq!(reply.state, DeviceState::Enrolled);
    assert_eq!(reply.scopes, ["firmware:read", "device:pair"]);
    assert_eq!(reply.next, [Next::Pair]);
    assert_eq!(reply.session_expires_at, NOW + SESSION_LIFE);
    let kinds: Vec<_> = decision.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::DeviceEnrolled, EventKind::DeviceCalledHome]);
    assert!(decision.changes.iter().any(|c| matches!(c, Change::Device(w) if w.record.state == DeviceState::Enrolled)));
    assert!(writes_nothing_twice(&decision));
}

#[test]
fn elsewhere_it_stays_registered_and_is_told_to_enrol() {
    let facts = with_device(facts(DeviceState::Registered), |_, product| product.factory_key_is_operational = false);
    let decision = decide(&request(), &facts, NOW);
    let reply = decision.reply.unwrap();
    assert_eq!(
        (reply.state, reply.scopes, reply.next),
        (DeviceState::Registered, vec!["firmware:read"], vec![Next::Enrol])
    );
    assert!(!decision.changes.iter().any(|change| matches!(change, Change::Device(_))));
}

#[test]
fn the_token_hangs_from_all_that_was_relied_on_and_nothing_else() {
    let reply = decide(&request(), &facts(DeviceState::Enrolled), NOW).reply.unwrap();
    let anchors: Vec<_> = reply.anchors.iter().map(ToString::to_string).collect();
    assert_eq!(anchors, ["t.gen.0", "s.ds_new.0", "d.dev_1.7", "p.prd_spk2.7", "cr.crd_1.7", "ca.ca_1.7"]);
}

#[test]
fn an_owned_device_names_its_title_and_hangs_from_it() {
    let mut facts = facts(DeviceState::Active);
    facts.owned = owned();
    facts.bonds = vec![fact(bond("bnd_1", "u_adam", on_title(), crate::bond::BondRole::Owner))];
    facts.owned.account = Some(fact(account("acc_home")));
    let reply = decide(&request(), &facts, NOW).reply.unwrap();
    let title = reply.title.unwrap();
    assert_eq!((title.asset.as_str(), title.account.as_str()), ("ast_1", "acc_home"));
    assert_eq!(title.bond.unwrap().as_str(), "bnd_1");
    for anchor in ["as.ast_1.7", "ac.acc_home.7", "b.bnd_1.7"] {
        assert!(reply.anchors.iter().any(|a| a.to_string() == anchor), "{anchor}");
    }
}

#[test]
fn calling_again_replaces_the_session_of_the_same_credential() {
    let mut facts = facts(DeviceState::Enrolled);
    facts.session = Some(fact(device_session()));
    let decision = decide(&request(), &facts, NOW);
    assert!(decision.changes.contains(&Raise::end(AnchorKind::Session, "ds_old").into()));
    assert!(decision.changes.contains(&Change::Erase { key: fact(device_session()).key(), version: 3 }));
    assert_eq!(decision.events[0].data["replaced_session_id"], "ds_old");
    assert!(raises_are_told(&decision));
    let other = CallHome { session: "ds_other".parse().unwrap(), ..request() };
    assert!(second_conflicts(&decision, &decide(&other, &facts, NOW)), "two at once leave one session");
}

#[test]
fn two_first_calls_at_once_leave_one_session() {
    for state in [DeviceState::Registered, DeviceState::Enrolled] {
        let first = decide(&request(), &facts(state), NOW);
        let other = CallHome { session: "ds_other".parse().unwrap(), ..request() };
        assert!(second_conflicts(&first, &decide(&other, &facts(state), NOW)));
        assert!(writes_nothing_twice(&first));
    }
}

#[test]
fn every_state_of_the_lifecycle_answers_as_its_table_says() {
    for state in [DeviceState::Registered, DeviceState::Enrolled, DeviceState::Active] {
        assert!(decide(&request(), &facts(state), NOW).reply.is_ok(), "{state:?}");
        let pending = with_device(facts(state), |device, _| device.pending = true);
        refused(&request(), &pending, Code::ApprovalPending, "pending");
    }
    refused(&request(), &facts(DeviceState::Suspended), Code::DeviceSuspended, "suspended");
    refused(&request(), &facts(DeviceState::Retired), Code::DeviceRetired, "retired");
    let mut retired = facts(DeviceState::Retired);
    retired.credential.as_mut().unwrap().record.state = CredentialState::Revoked;
    refused(&request(), &retired, Code::DeviceRetired, "retired");
}

#[test]
fn whatever_is_unknown_or_does_not_fit_gets_the_one_neutral_word() {
    let known = facts(DeviceState::Suspended);
    let neutral = Code::InvalidCredential;
    refused(&request(), &CallHomeFacts { credential: None, ..known.clone() }, neutral, "unknown_credential");
    refused(&request(), &CallHomeFacts { owned: Default::default(), ..known.clone() }, neutral, "unknown_device");
    refused(&CallHome { key_thumbprint: "key-2".into(), ..request() }, &known, neutral, "other_key");
    refused(&shown(|c| c.identity = Ok("SPK-000124".into())), &known, neutral, "other_serial");
    refused(&shown(|c| c.identity = Ok("spk-000123".into())), &known, neutral, "other_serial");
    refused(&shown(|c| c.identity = Err("two_serial_numbers")), &known, neutral, "two_serial_numbers");
    refused(&shown(|c| c.path = Path::Refused("path_too_long")), &known, neutral, "path_too_long");
    let mut strange = known.clone();
    strange.credential.as_mut().unwrap().record.device = "dev_2".parse().unwrap();
    refused(&request(), &strange, neutral, "other_device");
}

#[test]
fn a_revoked_credential_is_refused_without_telling_the_state() {
    for state in [DeviceState::Registered, DeviceState::Enrolled, DeviceState::Active, DeviceState::Suspended] {
        let mut facts = facts(state);
        facts.credential.as_mut().unwrap().record.state = CredentialState::Revoked;
        refused(&request(), &facts, Code::InvalidCredential, "revoked_credential");
    }
}

#[test]
fn a_trust_anchor_counts_for_its_product_and_while_it_is_trusted() {
    let to_other = shown(|c| c.path = Path::Valid { anchor: "anchor-2".into() });
    refused(&to_other, &facts(DeviceState::Enrolled), Code::InvalidCredential, "unknown_trust_anchor");
    let mut other_product = facts(DeviceState::Enrolled);
    other_product.trust_anchors[0].record.product = "prd_lock".parse().unwrap();
    refused(&request(), &other_product, Code::InvalidCredential, "unknown_trust_anchor");
    let mut disabled = facts(DeviceState::Enrolled);
    disabled.trust_anchors[0].record.state = TrustAnchorState::Disabled;
    refused(&request(), &disabled, Code::InvalidCredential, "disabled_trust_anchor");
}

#[test]
fn what_the_body_says_is_compared_and_never_believed() {
    type Set = fn(&mut Claimed, Option<String>);
    let claims: [(Set, &str, &str); 3] = [
        (|c, v| c.serial = v, "SPK-000123", "claimed_other_serial"),
        (|c, v| c.model = v, "SPK-2", "claimed_other_model"),
        (|c, v| c.did = v, "dev_1", "claimed_other_did"),
    ];
    for (set, right, reason) in claims {
        let mut claimed = Claimed::default();
        set(&mut claimed, Some(right.into()));
        assert!(decide(&CallHome { claimed, ..request() }, &facts(DeviceState::Enrolled), NOW).reply.is_ok());
        let mut claimed = Claimed::default();
        set(&mut claimed, Some(format!("{right}x")));
        refused(&CallHome { claimed, ..request() }, &facts(DeviceState::Enrolled), Code::InvalidCredential, reason);
    }
}

#[test]
fn a_bare_key_of_the_registry_needs_no_certificate() {
    let mut facts = facts(DeviceState::Enrolled);
    facts.credential.as_mut().unwrap().record.certificate = None;
    let reply = decide(&CallHome { certificate: None, ..request() }, &facts, NOW).reply.unwrap();
    assert_eq!(reply.certificate_thumbprint, None);
    assert_eq!(reply.anchors.id_of(AnchorKind::TrustAnchor), None);
    let forged = CallHome { certificate: None, key_thumbprint: "key-2".into(), ..request() };
    refused(&forged, &facts, Code::InvalidCredential, "other_key");
}

fn expired(days: i64, kind: CredentialKind) -> (CallHome, CallHomeFacts) {
    let mut facts = facts(DeviceState::Enrolled);
    let kept = &mut facts.credential.as_mut().unwrap().record;
    kept.kind = kind;
    kept.certificate.as_mut().unwrap().not_after = NOW - days * 86_400;
    (shown(|c| c.path = Path::Expired { anchor: "anchor-1".into() }), facts)
}

#[test]
fn an_expired_operational_certificate_may_renew_and_nothing_else() {
    let (request, facts) = expired(365, CredentialKind::Operational);
    refused(&request, &facts, Code::RenewalRequired, "expired");
    refused(&CallHome { certificate: None, ..request }, &facts, Code::RenewalRequired, "expired");
}

#[test]
fn too_late_not_ours_or_of_the_factory_it_may_not_even_renew() {
    let (request, facts) = expired(366, CredentialKind::Operational);
    refused(&request, &facts, Code::InvalidCredential, "expired");
    let (request, facts) = expired(1, CredentialKind::Initial);
    refused(&request, &facts, Code::InvalidCredential, "expired");
    let (_, facts) = expired(1, CredentialKind::Operational);
    let other = shown(|c| {
        c.path = Path::Expired { anchor: "anchor-1".into() };
        c.thumbprint = "x5t-2".into();
    });
    refused(&other, &facts, Code::InvalidCredential, "expired");
}

#[test]
fn an_expired_certificate_that_was_revoked_or_whose_authority_is_stopped_may_not_renew() {
    let (request, facts) = expired(1, CredentialKind::Operational);
    let mut revoked = facts.clone();
    revoked.credential.as_mut().unwrap().record.state = CredentialState::Revoked;
    refused(&request, &revoked, Code::InvalidCredential, "revoked_credential");
    let mut stopped = facts;
    stopped.trust_anchors[0].record.state = TrustAnchorState::Disabled;
    refused(&request, &stopped, Code::InvalidCredential, "disabled_trust_anchor");
}

#[test]
fn an_expired_certificate_of_a_suspended_device_tells_that_it_is_suspended() {
    let (request, facts) = expired(1, CredentialKind::Operational);
    let facts = with_device(facts, |device, _| device.state = DeviceState::Suspended);
    refused(&request, &facts, Code::DeviceSuspended, "suspended");
}

#[test]
fn newer_firmware_is_named_and_a_strange_firmware_text_is_not_kept() {
    let facts = with_device(facts(DeviceState::Active), |_, product| product.firmware_version = Some("2.0".into()));
    let with = |firmware: &str| CallHome {
        claimed: Claimed { firmware: Some(firmware.into()), ..Claimed::default() },
        ..request()
    };
    assert_eq!(decide(&with("1.0"), &facts, NOW).reply.unwrap().next, [Next::Update]);
    assert_eq!(decide(&with("2.0"), &facts, NOW).reply.unwrap().next, []);
    let decision = decide(&with("2.0\n\u{7}"), &facts, NOW);
    assert!(decision.changes.iter().any(|c| matches!(c, Change::DeviceSession(w) if w.record.firmware.is_none())));
}

#[test]
fn a_suspension_between_decision_and_commit_is_noticed() {
    let decision = decide(&request(), &facts(DeviceState::Enrolled), NOW);
    assert!(decision.guards.iter().any(|guard| guard.key.kind.0 == "device" && guard.version == 3));
}
