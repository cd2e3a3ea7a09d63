use identity::bond::BondRole;

use super::*;
use crate::client::Client;
use crate::fixture::{
    API, INGEST, ISSUER, NOW, adam, app, caller, device_key, fact, form, home, member_of, other_key, owned_by, refusal,
    second_conflicts, shown, shown_device, speaker, tenant, thumbprint, unowned,
};

#[test]
fn a_typed_code_is_read_as_people_type_it() {
    assert_eq!(normalise(" wdjb mjht.").as_deref(), Some("WDJBMJHT"));
    assert_eq!(normalise("WDJB-MJHT").as_deref(), Some("WDJBMJHT"));
    assert_eq!(normalise("W0JB-MJHT"), None, "0 is not silently read as another letter");
    assert_eq!(normalise("WDJB-MJHTX"), None);
    assert_eq!(normalise(&"B".repeat(65)), None);
}

#[test]
fn a_user_code_falls_evenly_on_the_alphabet() {
    assert_eq!(user_code(&[0, 1, 2, 3, 4, 5, 6, 19]).as_deref(), Some("BCDFGHJZ"));
    assert_eq!(user_code(&[255; 20]), None, "bytes that would favour some letters are drawn again");
    assert_eq!(super::shown("WDJBMJHT"), "WDJB-MJHT");
}

#[test]
fn only_one_pairing_detail_is_understood() {
    assert_eq!(pairing_detail(r#"[{"type":"device_pairing","did":"dev_1"}]"#).unwrap(), "dev_1");
    for text in [
        "[]",
        "{}",
        "x",
        r#"[{"type":"other","did":"dev_1"}]"#,
        r#"[{"type":"device_pairing"}]"#,
        r#"[{"type":"device_pairing","did":"dev_1","x":1}]"#,
        r#"[{"type":"device_pairing","did":"dev_1"},{"type":"device_pairing","did":"dev_1"}]"#,
        r#"[{"type":"device_pairing","did":"dev_1","did":"dev_2"}]"#,
    ] {
        assert_eq!(pairing_detail(text).unwrap_err().code, ErrorCode::InvalidAuthorizationDetails, "{text}");
    }
}

fn codes() -> DrawnCodes {
    DrawnCodes { device_code: Digest::from_base64url("device"), user_code: Digest::from_base64url("user"), now: NOW }
}

fn asked(proved: bool) -> Request {
    let jkt = Some(thumbprint(&device_key()));
    Request { scope: None, targets: vec![], jkt, proved, did: Some("dev_9F3K2".into()) }
}

fn software() -> Client {
    let mut client = app();
    client.scopes.insert("cloud:stream");
    client
}

#[test]
fn a_device_that_proves_its_key_begins_a_pairing() {
    let decision = begin(&asked(true), &shown(&software()), &tenant(), &unowned(), &codes());
    let pairing = decision.reply.unwrap();
    assert_eq!((pairing.interval, pairing.expires_at, &pairing.state), (5, NOW + 600, &PairingState::Pending));
    assert_eq!(pairing.device.unwrap().as_str(), "dev_9F3K2");
    assert_eq!(pairing.scope.to_string(), "openid profile offline_access telemetry:write cloud:stream");
    assert_eq!(pairing.resources, [API, ISSUER], "with openid also good at UserInfo");
}

#[test]
fn a_key_that_is_merely_named_begins_no_pairing_of_a_device() {
    let parsed = |proof: Option<String>| {
        let detail = r#"[{"type":"device_pairing","did":"dev_9F3K2"}]"#;
        let named = thumbprint(&device_key());
        Request::parse(&form(&[("dpop_jkt", &named), ("authorization_details", detail)]), proof).unwrap()
    };
    let begun = |request: &Request| begin(request, &shown(&software()), &tenant(), &unowned(), &codes());
    assert!(begun(&parsed(Some(thumbprint(&device_key())))).reply.is_ok());
    let refused = refusal(&begun(&parsed(None)));
    assert_eq!(refused, (ErrorCode::InvalidAuthorizationDetails, "key_not_proved"));
    let other = Request { jkt: Some(thumbprint(&other_key())), ..asked(true) };
    assert_eq!(refusal(&begun(&other)).1, "key_not_proved");
}

#[test]
fn nothing_tells_whether_a_device_exists() {
    let nothing = OwnedFacts::default();
    let scopes = [None, Some(Scope::of(["no:such"])), Some(Scope::of(["cloud:stream"]))];
    for scope in scopes {
        for owned in [unowned(), owned_by("acc_other"), nothing.clone()] {
            let request = Request { scope: scope.clone(), ..asked(false) };
            let decision = begin(&request, &shown(&software()), &tenant(), &owned, &codes());
            assert_eq!(refusal(&decision).0, ErrorCode::InvalidAuthorizationDetails);
        }
    }
}

#[test]
fn a_proof_and_a_named_key_must_agree_and_be_well_formed() {
    let jkt = thumbprint(&device_key());
    let parsed = |named: &str, proof: Option<&str>| {
        Request::parse(&form(&[("dpop_jkt", named)]), proof.map(str::to_owned)).map_err(|refusal| refusal.reason)
    };
    assert_eq!(parsed(&jkt, Some(&thumbprint(&other_key()))).unwrap_err(), "dpop_jkt_differs_from_proof");
    assert_eq!(parsed("short", None).unwrap_err(), "dpop_jkt_malformed");
    assert!(!parsed(&jkt, None).unwrap().proved);
}

#[test]
fn scope_and_target_fail_early_and_a_public_client_names_a_key() {
    let begun = |request: Request| refusal(&begin(&request, &shown(&software()), &tenant(), &unowned(), &codes()));
    let beyond = Request { scope: Some(Scope::of(["device:register"])), ..asked(true) };
    assert_eq!(begun(beyond), (ErrorCode::InvalidScope, "scope_beyond_device"));
    assert_eq!(begun(Request { targets: vec![INGEST.into()], ..asked(true) }).0, ErrorCode::InvalidTarget);
    let keyless = Request { jkt: None, did: None, ..asked(false) };
    assert_eq!(begun(keyless), (ErrorCode::InvalidDpopProof, "pairing_needs_a_key"));
    let unregistered = Client { grant_types: vec![], ..software() };
    let decision = begin(&asked(true), &shown(&unregistered), &tenant(), &unowned(), &codes());
    assert_eq!(refusal(&decision).0, ErrorCode::UnauthorizedClient);
}

#[test]
fn a_device_pairs_itself_and_no_other_and_only_when_it_may_be_claimed() {
    let begun = |state, did: Option<&str>| {
        let mut device = speaker(state);
        device.product.record.factory_key_is_operational = false;
        let request = Request { did: did.map(str::to_owned), jkt: None, ..asked(false) };
        let nothing = OwnedFacts::default();
        begin(&request, &shown_device(&device), &tenant(), &nothing, &codes()).reply.map_err(|refusal| refusal.reason)
    };
    assert_eq!(begun(DeviceState::Enrolled, None).unwrap().device.unwrap().as_str(), "dev_9F3K2");
    assert!(begun(DeviceState::Active, Some("dev_9F3K2")).is_ok());
    assert_eq!(begun(DeviceState::Enrolled, Some("dev_other")).unwrap_err(), "another_device");
    assert_eq!(begun(DeviceState::Registered, None).unwrap_err(), "device_state");
}

fn page(state: PairingState) -> PairingFacts {
    let pairing = begin(&asked(true), &shown(&software()), &tenant(), &unowned(), &codes()).reply.unwrap();
    PairingFacts {
        caller: caller(&software()),
        pairing: Some(fact(Pairing { state, ..pairing })),
        owned: unowned(),
        user: Some(fact(adam())),
        account: Some(fact(home("acc_501"))),
        bonds: vec![member_of("acc_501")],
        family: None,
    }
}

fn answered(facts: &PairingFacts, approve: bool, now: i64) -> (PageOutcome, Option<PairingState>) {
    let decision = decide_page(facts, approve, NOW - 60, &["pwd".to_owned()], now);
    let state = decision.changes.iter().find_map(|change| match change {
        Change::Pairing(write) => Some(write.record.state.clone()),
        _ => None,
    });
    (decision.reply.unwrap(), state)
}

#[test]
fn a_decision_is_recorded_once() {
    let (outcome, state) = answered(&page(PairingState::Pending), true, NOW + 1);
    let Some(PairingState::Approved { user, account, at, .. }) = &state else { panic!("approved") };
    assert_eq!((outcome, user.as_str(), account.as_str(), *at), (PageOutcome::Approved, "u_adam", "acc_501", NOW + 1));
    let denied = answered(&page(PairingState::Pending), false, NOW + 1);
    assert_eq!(denied, (PageOutcome::Denied, Some(PairingState::Denied)));
    for decided in [state.unwrap(), PairingState::Denied, PairingState::Consumed { family: "fam_1".parse().unwrap() }] {
        for approve in [true, false] {
            assert_eq!(answered(&page(decided.clone()), approve, NOW + 2), (PageOutcome::AlreadyUsed, None));
        }
    }
}

#[test]
fn of_two_people_who_decide_at_once_one_counts() {
    let facts = page(PairingState::Pending);
    let decided = |approve| decide_page(&facts, approve, NOW, &[], NOW + 1);
    assert!(second_conflicts(&decided(true), &decided(false)));
}

#[test]
fn a_code_that_is_over_is_like_one_that_never_was() {
    assert_eq!(answered(&page(PairingState::Pending), true, NOW + 599).0, PageOutcome::Approved);
    assert_eq!(answered(&page(PairingState::Pending), true, NOW + 600), (PageOutcome::Unknown, None));
    let unknown = PairingFacts { pairing: None, ..page(PairingState::Pending) };
    assert_eq!(answered(&unknown, true, NOW), (PageOutcome::Unknown, None));
}

#[test]
fn what_cannot_be_paired_is_denied_on_the_page() {
    let not_possible = (PageOutcome::NotPossible, Some(PairingState::Denied));
    let foreign = PairingFacts { owned: owned_by("acc_other"), ..page(PairingState::Pending) };
    assert_eq!(answered(&foreign, true, NOW), not_possible);
    let mut shared = PairingFacts { owned: owned_by("acc_other"), ..page(PairingState::Pending) };
    shared.bonds = vec![member_of("acc_other")];
    assert_eq!(answered(&shared, true, NOW).0, PageOutcome::Approved);
    for role in [BondRole::Child, BondRole::Guest] {
        shared.bonds[0].record.role = role;
        assert_eq!(answered(&shared, true, NOW), not_possible, "{role:?}");
    }
    for state in [DeviceState::Suspended, DeviceState::Retired] {
        let mut stopped = page(PairingState::Pending);
        stopped.owned.device.as_mut().unwrap().device.record.state = state;
        assert_eq!(answered(&stopped, true, NOW), not_possible);
    }
    let mut disabled = page(PairingState::Pending);
    disabled.user.as_mut().unwrap().record.state = UserState::Disabled;
    assert_eq!(answered(&disabled, true, NOW), not_possible);
}
