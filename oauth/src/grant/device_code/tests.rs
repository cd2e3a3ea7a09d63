use identity::device::DeviceState;
use identity::{Digest, Version};
use jose::{Signer, SigningKey};
use proptest::prelude::*;

use super::*;
use crate::client::Client;
use crate::fixture::{
    INGEST, NOW, adam, app, caller, claims, device_key, drawn, ends, fact, family, hangs_from, home, member_of,
    names_every_guard, other_key, owned_by, product, refusal, second_conflicts, shown, shown_device, speaker,
    thumbprint, unowned,
};
use crate::scope::Scope;

const POLL: i64 = NOW + 5;

fn ids() -> NewIds {
    NewIds {
        device: "dev_new".parse().unwrap(),
        asset: "ast_new".parse().unwrap(),
        bond: "bnd_new".parse().unwrap(),
        credential: "crd_new".parse().unwrap(),
    }
}

fn software() -> Client {
    let mut client = app();
    client.scopes.insert("cloud:stream");
    client.audiences = vec![INGEST.into()];
    client
}

fn approved() -> PairingState {
    PairingState::Approved {
        user: adam().id,
        account: adam().account,
        at: NOW + 1,
        auth_time: NOW - 60,
        methods: vec!["pwd".into()],
    }
}

fn pairing(state: PairingState) -> Pairing {
    Pairing {
        id: Digest::from_base64url("device-code"),
        user_code: Digest::from_base64url("user-code"),
        client: software().id,
        device: Some("dev_9F3K2".parse().unwrap()),
        dpop_jkt: Some(thumbprint(&device_key())),
        scope: Scope::of(["cloud:stream", "offline_access"]),
        resources: vec![INGEST.into()],
        detailed: true,
        interval: 5,
        polled_at: None,
        created_at: NOW,
        expires_at: NOW + 600,
        state,
    }
}

fn facts(state: PairingState) -> PairingFacts {
    PairingFacts {
        caller: caller(&software()),
        pairing: Some(fact(pairing(state))),
        owned: unowned(),
        user: Some(fact(adam())),
        account: Some(fact(home("acc_501"))),
        bonds: vec![member_of("acc_501")],
        family: None,
    }
}

fn proof(key: &SigningKey) -> ShownKey {
    ShownKey { thumbprint: thumbprint(key), jwk: key.jwk().to_bare_json() }
}

fn polled_by(key: Option<&SigningKey>, facts: &PairingFacts, now: i64) -> Decision<TokenReply> {
    let request = Request { proof: Ok(key.map(proof)), targets: vec![], ids: &ids() };
    decide(&request, &shown(&software()), facts, &drawn(now))
}

fn polled_at(facts: &PairingFacts, now: i64) -> Decision<TokenReply> {
    polled_by(Some(&device_key()), facts, now)
}

fn of(facts: &mut PairingFacts) -> &mut Pairing {
    &mut facts.pairing.as_mut().unwrap().record
}

fn written(decision: &Decision<TokenReply>) -> Option<(Pairing, Version)> {
    decision.changes.iter().find_map(|change| match change {
        Change::Pairing(write) => Some((write.record.clone(), write.version)),
        _ => None,
    })
}

fn code(decision: &Decision<TokenReply>) -> ErrorCode {
    refusal(decision).0
}

#[test]
fn the_first_timely_poll_after_the_yes_claims_the_device_and_issues() {
    let decision = polled_at(&facts(approved()), POLL);
    let token = claims(&decision);
    assert_eq!((token.sub.as_str(), token.did.as_deref()), ("u_adam", Some("dev_9F3K2")));
    assert_eq!((token.asset_id.as_deref(), token.account_id.as_deref()), (Some("ast_new"), Some("acc_501")));
    assert_eq!(token.act.as_ref().unwrap().sub, "dev_9F3K2");
    assert_eq!(token.cnf.as_ref().unwrap().jkt, Some(thumbprint(&device_key())));
    assert_eq!(token.scope.to_string(), "cloud:stream offline_access");
    assert_eq!(token.authorization_details.as_ref().unwrap()[0]["did"], "dev_9F3K2");
    assert!(names_every_guard(&decision, &token));
    for anchor in ["cr.crd_1.7", "b.bnd_new.0", "as.ast_new.0", "f.fam_1.0", "u.u_adam.7", "cl.app_mobile.7"] {
        assert!(hangs_from(&token).contains(&anchor.to_owned()), "{anchor}");
    }
    let family = family(&decision).unwrap();
    assert_eq!((family.device.unwrap().as_str(), family.bond.unwrap().as_str()), ("dev_9F3K2", "bnd_new"));
    assert_eq!(family.confirmation.unwrap().jkt, Some(thumbprint(&device_key())));
    let lasting: Vec<_> = family.anchors.iter().map(|listed| listed.anchor.kind).collect();
    assert!(!lasting.contains(&AnchorKind::Credential), "a new key does not end the family");
    assert_eq!(decision.events.last().unwrap().kind, EventKind::DevicePaired);
    assert!(matches!(written(&decision).unwrap().0.state, PairingState::Consumed { .. }));
}

#[test]
fn before_the_decision_the_poll_is_remembered_and_nothing_given() {
    let decision = polled_at(&facts(PairingState::Pending), POLL);
    assert_eq!(code(&decision), ErrorCode::AuthorizationPending);
    assert_eq!(written(&decision).unwrap().0.polled_at, Some(POLL));
}

#[test]
fn each_early_poll_slows_the_device_down_by_five_seconds_for_good() {
    let mut facts = facts(PairingState::Pending);
    of(&mut facts).polled_at = Some(POLL);
    let mut now = POLL;
    for interval in [10, 15, 20] {
        now += 1;
        let decision = polled_at(&facts, now);
        assert_eq!(code(&decision), ErrorCode::SlowDown);
        *of(&mut facts) = written(&decision).unwrap().0;
        assert_eq!(of(&mut facts).interval, interval);
    }
    assert_eq!(code(&polled_at(&facts, now + 18)), ErrorCode::SlowDown, "a second of grace, no more");
    assert_eq!(code(&polled_at(&facts, now + 19)), ErrorCode::AuthorizationPending);
    of(&mut facts).interval = 60;
    assert_eq!(written(&polled_at(&facts, now + 1)).unwrap().0.interval, 60, "never beyond a minute");
}

#[test]
fn an_early_poll_is_slowed_down_although_the_owner_said_yes_and_the_next_is_served() {
    let mut facts = facts(approved());
    of(&mut facts).polled_at = Some(POLL);
    let early = polled_at(&facts, POLL + 3);
    assert_eq!(code(&early), ErrorCode::SlowDown);
    *of(&mut facts) = written(&early).unwrap().0;
    assert!(polled_at(&facts, POLL + 13).reply.is_ok());
}

#[test]
fn a_code_expires_at_its_time_also_when_the_yes_came_a_second_before() {
    assert!(polled_at(&facts(approved()), NOW + 599).reply.is_ok());
    for now in [NOW + 600, NOW + 601] {
        assert_eq!(code(&polled_at(&facts(approved()), now)), ErrorCode::ExpiredToken);
        assert_eq!(code(&polled_at(&facts(PairingState::Pending), now)), ErrorCode::ExpiredToken);
    }
}

#[test]
fn a_no_is_a_no_for_ever() {
    for now in [POLL, POLL + 1, NOW + 599] {
        assert_eq!(code(&polled_at(&facts(PairingState::Denied), now)), ErrorCode::AccessDenied);
    }
}

#[test]
fn another_clients_and_an_unknown_code_are_one_word() {
    let mut foreign = facts(approved());
    of(&mut foreign).client = "web_shop".parse().unwrap();
    let unknown = PairingFacts { pairing: None, ..facts(approved()) };
    for facts in [foreign, unknown] {
        let decision = polled_at(&facts, POLL);
        assert_eq!(refusal(&decision), (ErrorCode::InvalidGrant, "device_code_unknown"));
        assert!(decision.changes.is_empty());
    }
}

#[test]
fn a_consumed_code_seen_again_ends_what_it_made() {
    let consumed = || PairingState::Consumed { family: "fam_1".parse().unwrap() };
    let again = |served: i64, now: i64| {
        let mut facts = facts(consumed());
        of(&mut facts).polled_at = Some(served);
        let decision = polled_at(&facts, now);
        assert_eq!(code(&decision), ErrorCode::InvalidGrant);
        ends(&decision)
    };
    assert_eq!(again(POLL, POLL + 4), ["f.fam_1"]);
    assert!(again(POLL, POLL + 3).is_empty(), "under way when the first was served");
    assert!(again(POLL, NOW + 600).is_empty(), "the code is over");
}

#[test]
fn of_twenty_concurrent_polls_one_gets_the_token_and_keeps_it() {
    let first = polled_at(&facts(approved()), POLL);
    assert!(second_conflicts(&first, &polled_at(&facts(approved()), POLL)));
    let mut later = facts(approved());
    *of(&mut later) = written(&first).unwrap().0;
    for _ in 1..20 {
        let decision = polled_at(&later, POLL);
        assert_eq!((code(&decision), ends(&decision).len()), (ErrorCode::InvalidGrant, 0));
    }
}

#[test]
fn the_key_named_at_the_start_is_wanted_and_a_wrong_one_consumes_nothing() {
    let mut facts = facts(approved());
    let none = polled_by(None, &facts, POLL);
    assert_eq!(code(&none), ErrorCode::InvalidDpopProof);
    let other = polled_by(Some(&other_key()), &facts, POLL);
    assert_eq!(refusal(&other), (ErrorCode::InvalidGrant, "proof_by_another_key"));
    let bad = Request { proof: Err((ErrorCode::InvalidDpopProof, "dpop_replayed")), targets: vec![], ids: &ids() };
    let bad = decide(&bad, &shown(&software()), &facts, &drawn(POLL));
    assert_eq!(code(&bad), ErrorCode::InvalidDpopProof);
    for refused in [none, other, bad] {
        let (kept, _) = written(&refused).unwrap();
        assert_eq!((kept.polled_at, &kept.state), (Some(POLL), &approved()), "it counts for the interval alone");
        *of(&mut facts) = kept;
    }
    assert!(polled_at(&facts, POLL + 5).reply.is_ok());
}

#[test]
fn a_poll_that_is_asked_for_a_nonce_comes_again_at_once_with_it() {
    let facts = facts(approved());
    let asked = Request { proof: Err((ErrorCode::UseDpopNonce, "dpop_nonce_wanted")), targets: vec![], ids: &ids() };
    let asked = decide(&asked, &shown(&software()), &facts, &drawn(POLL));
    assert_eq!(code(&asked), ErrorCode::UseDpopNonce);
    assert!(!asked.needs_commit(), "it counts for nothing, else the next were too early");
    assert!(polled_at(&facts, POLL).reply.is_ok());
}

#[test]
fn a_device_of_another_account_is_not_given_by_any_yes() {
    let decision = polled_at(&PairingFacts { owned: owned_by("acc_other"), ..facts(approved()) }, POLL);
    assert_eq!(refusal(&decision), (ErrorCode::AccessDenied, "not_what_was_approved"));
    // A yes for one account does not pair into another of the same person.
    let both = PairingFacts {
        owned: owned_by("acc_other"),
        bonds: vec![member_of("acc_501"), member_of("acc_other")],
        ..facts(approved())
    };
    assert_eq!(refusal(&polled_at(&both, POLL)).1, "not_what_was_approved");
    let mut swapped = facts(approved());
    swapped.owned.device.as_mut().unwrap().device.record.id = "dev_other".parse().unwrap();
    assert_eq!(refusal(&polled_at(&swapped, POLL)).1, "not_what_was_approved");
}

#[test]
fn what_changed_since_the_yes_counts() {
    let mut suspended = facts(approved());
    suspended.owned.device.as_mut().unwrap().device.record.state = DeviceState::Suspended;
    assert_eq!(refusal(&polled_at(&suspended, POLL)), (ErrorCode::AccessDenied, "suspended"));
    let expelled = PairingFacts { bonds: vec![], ..facts(approved()) };
    assert_eq!(refusal(&polled_at(&expelled, POLL)), (ErrorCode::AccessDenied, "not_member"));
    let mut stranger = facts(approved());
    stranger.user.as_mut().unwrap().record.id = "u_eve".parse().unwrap();
    assert_eq!(refusal(&polled_at(&stranger, POLL)).1, "user_gone");
    let narrowed = Client { scopes: Scope::of(["profile"]), ..software() };
    let request = Request { proof: Ok(Some(proof(&device_key()))), targets: vec![], ids: &ids() };
    let decision = decide(&request, &shown(&narrowed), &facts(approved()), &drawn(POLL));
    assert_eq!(refusal(&decision), (ErrorCode::InvalidScope, "scope_now_forbidden"));
    let elsewhere = Request { targets: vec!["https://evil.example".into()], ..request };
    let decision = decide(&elsewhere, &shown(&software()), &facts(approved()), &drawn(POLL));
    assert_eq!(code(&decision), ErrorCode::InvalidTarget);
}

#[test]
fn without_a_device_a_new_password_withdraws_the_yes() {
    let set = |at: Option<i64>, device: bool| {
        let mut facts = facts(approved());
        if !device {
            of(&mut facts).device = None;
            facts.owned = identity::facts::OwnedFacts::default();
        }
        facts.user.as_mut().unwrap().record.password_set_at = at;
        polled_at(&facts, POLL)
    };
    assert_eq!(refusal(&set(Some(NOW + 1), false)), (ErrorCode::AccessDenied, "password_set_since"));
    assert!(set(Some(NOW), false).reply.is_ok());
    assert!(set(Some(NOW + 1), true).reply.is_ok(), "what is paired stays paired");
    let touched = set(None, false)
        .changes
        .into_iter()
        .any(|change| matches!(change, Change::Identity(identity::Change::Touch { key, .. }) if key.id == "u_adam"));
    assert!(touched, "a sign-out from the same snapshot conflicts");
}

#[test]
fn a_device_may_be_its_own_client_and_is_bound_to_its_certificate() {
    let device = speaker(DeviceState::Enrolled);
    let mut facts = facts(approved());
    of(&mut facts).client = "dev_9F3K2".parse().unwrap();
    of(&mut facts).dpop_jkt = None;
    let request = Request { proof: Ok(None), targets: vec![], ids: &ids() };
    let decision = decide(&request, &shown_device(&device), &facts, &drawn(POLL));
    let token = claims(&decision);
    assert_eq!(token.cnf.unwrap().x5t_s256.as_deref(), Some("x5t-1"));
    assert_eq!(decision.reply.as_ref().unwrap().token_type, "Bearer");
    assert_eq!(family(&decision).unwrap().confirmation, None, "it proves itself at each refresh");
}

proptest! {
    #[test]
    fn what_a_pairing_yields_never_exceeds_what_was_approved(
        granted in proptest::sample::subsequence(vec!["cloud:stream", "telemetry:write", "openid", "offline_access"], 1..=4),
        of_client in proptest::sample::subsequence(vec!["cloud:stream", "telemetry:write", "openid", "offline_access"], 1..=4),
        of_model in proptest::sample::subsequence(vec!["cloud:stream", "telemetry:write"], 0..=2),
        max_life in 180i64..7_200,
    ) {
        let client = Client { scopes: Scope::of(&of_client), ..software() };
        let mut facts = facts(approved());
        facts.caller = caller(&client);
        std::sync::Arc::make_mut(&mut facts.caller.tenant).max_token_life = max_life;
        of(&mut facts).scope = Scope::of(&granted);
        let scopes: Vec<String> = of_model.iter().map(|&text| text.to_owned()).collect();
        facts.owned.device.as_mut().unwrap().product = fact(identity::Product { scopes, ..product() });
        let request = Request { proof: Ok(Some(proof(&device_key()))), targets: vec![], ids: &ids() };
        let decision = decide(&request, &shown(&client), &facts, &drawn(POLL));
        if decision.reply.is_ok() {
            let token = claims(&decision);
            prop_assert!(token.scope.iter().all(|scope| granted.contains(&scope) && of_client.contains(&scope)));
            prop_assert!(token.scope.iter().all(|scope| !scope.contains(':') || of_model.contains(&scope)));
            prop_assert!(token.exp > POLL && token.exp - POLL <= max_life);
            prop_assert!(names_every_guard(&decision, &token));
        }
    }
}
