use serde_json::json;

use super::*;
use crate::rule::fixture::{
    NOW, account, asset, bond, credential, device_facts, fact, on_home, on_title, owned, product, second_conflicts,
    user, writes_nothing_twice,
};
use crate::{Decision, Refusal};

struct World {
    user: Fact<User>,
    account: Fact<Account>,
    bonds: Vec<Fact<Bond>>,
    owned: OwnedFacts,
    product: Fact<Product>,
}

fn unowned(state: DeviceState) -> World {
    World {
        user: fact(user("u_adam")),
        account: fact(account("acc_home")),
        bonds: vec![fact(bond("bnd_home", "u_adam", on_home(), BondRole::Owner))],
        owned: OwnedFacts { device: Some(device_facts(state)), asset: None, account: None },
        product: fact(product()),
    }
}

impl World {
    fn claim(&self) -> Claim<'_> {
        Claim {
            user: Some(&self.user),
            account: &self.account,
            bonds: &self.bonds,
            owned: &self.owned,
            product: Some(&self.product),
            possession: Possession::Proved,
            key: Some(ShownKey { thumbprint: "key-1".into(), jwk: json!({"kty": "EC"}) }),
            new_device: None,
            asset: "ast_new".parse().unwrap(),
            bond: "bnd_new".parse().unwrap(),
            credential: "crd_new".parse().unwrap(),
            origin: BondOrigin::Exchange,
            client: None,
            name: Some("Kitchen".into()),
            attributes: None,
        }
    }

    fn device(&mut self) -> &mut DeviceFacts {
        self.owned.device.as_mut().unwrap()
    }
}

fn as_decision(holding: Holding) -> Decision<(), Change, ()> {
    Decision { guards: holding.guards, changes: holding.changes, events: holding.events, reply: Ok(()) }
}

#[test]
fn an_unowned_device_becomes_the_households_and_active() {
    let world = unowned(DeviceState::Enrolled);
    let holding = decide(&world.claim(), NOW).unwrap();
    assert!(holding.created);
    assert_eq!(holding.device.state, DeviceState::Active);
    assert_eq!((holding.asset.account.as_str(), holding.asset.contact_id.as_deref()), ("acc_home", Some("C-1")));
    let bond = holding.bond.clone().unwrap();
    assert_eq!((bond.role, bond.holder.id(), bond.target.id()), (BondRole::Owner, "u_adam", "ast_new"));
    let kinds: Vec<_> = holding.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::BondCreated, EventKind::DeviceActivated]);
    for anchor in
        ["ac.acc_home.7", "u.u_adam.7", "b.bnd_home.7", "d.dev_1.7", "p.prd_spk2.7", "as.ast_new.0", "b.bnd_new.0"]
    {
        assert!(holding.anchors.iter().any(|a| a.to_string() == anchor), "{anchor}");
    }
    assert!(writes_nothing_twice(&as_decision(holding)));
}

#[test]
fn two_claims_of_one_device_from_one_snapshot_make_one_title() {
    let world = unowned(DeviceState::Enrolled);
    let first = as_decision(decide(&world.claim(), NOW).unwrap());
    let mut eve = unowned(DeviceState::Enrolled);
    eve.user = fact(user("u_eve"));
    eve.account = fact(account("acc_eve"));
    eve.bonds = vec![fact(bond("bnd_eve", "u_eve", Target::Account("acc_eve".parse().unwrap()), BondRole::Owner))];
    let claim = Claim { asset: "ast_eve".parse().unwrap(), bond: "bnd_e2".parse().unwrap(), ..eve.claim() };
    assert!(second_conflicts(&first, &as_decision(decide(&claim, NOW).unwrap())));
}

#[test]
fn a_device_of_the_same_account_keeps_its_title() {
    let mut world = unowned(DeviceState::Active);
    world.owned = owned();
    world.bonds.push(fact(bond("bnd_own", "u_adam", on_title(), BondRole::Owner)));
    let holding = decide(&world.claim(), NOW).unwrap();
    assert!(!holding.created && holding.changes.is_empty() && holding.events.is_empty());
    assert_eq!((holding.asset.id.as_str(), holding.bond.unwrap().id.as_str()), ("ast_1", "bnd_own"));
    assert!(holding.anchors.iter().any(|anchor| anchor.to_string() == "b.bnd_own.7"));
}

#[test]
fn another_member_gets_a_bond_of_their_own_in_their_role() {
    for role in [BondRole::Owner, BondRole::CoOwner, BondRole::Member] {
        let mut world = unowned(DeviceState::Active);
        world.owned = owned();
        world.bonds = vec![fact(bond("bnd_home", "u_adam", on_home(), role))];
        let holding = decide(&world.claim(), NOW).unwrap();
        assert_eq!(holding.bond.as_ref().unwrap().role, role);
        let touched = Change::Touch { key: fact(asset()).key(), version: 3 };
        assert!(holding.changes.contains(&touched), "the title's set of bonds has changed");
    }
}

#[test]
fn names_and_attributes_are_refreshed_in_place() {
    let mut world = unowned(DeviceState::Active);
    world.owned = owned();
    let attributes = json!({"colour": "red"}).as_object().cloned();
    let claim = Claim { name: Some("Bath".into()), attributes: attributes.clone(), ..world.claim() };
    let holding = decide(&claim, NOW).unwrap();
    assert_eq!((holding.asset.name.as_str(), Some(&holding.asset.attributes)), ("Bath", attributes.as_ref()));
    assert!(writes_nothing_twice(&as_decision(holding)));
    let keep = Claim { name: None, ..world.claim() };
    assert_eq!(decide(&keep, NOW).unwrap().asset.name, "Kitchen");
}

#[track_caller]
fn refused(claim: &Claim<'_>, wanted: ClaimRefusal) {
    assert_eq!(decide(claim, NOW).unwrap_err(), wanted);
    assert!(!Refusal::new((), wanted.reason()).reason.is_empty());
}

#[test]
fn the_device_of_another_account_is_refused() {
    let mut world = unowned(DeviceState::Active);
    world.owned = owned();
    world.owned.asset.as_mut().unwrap().record.account = "acc_other".parse().unwrap();
    refused(&world.claim(), ClaimRefusal::OwnedByAnother);
}

#[test]
fn a_device_that_may_not_work_may_not_be_claimed() {
    for (state, wanted) in
        [(DeviceState::Suspended, ClaimRefusal::Suspended), (DeviceState::Retired, ClaimRefusal::Retired)]
    {
        refused(&unowned(state).claim(), wanted);
        let mut ours = unowned(state);
        ours.owned = owned();
        ours.device().device.record.state = state;
        refused(&ours.claim(), wanted);
    }
    let mut pending = unowned(DeviceState::Enrolled);
    pending.device().device.record.pending = true;
    refused(&pending.claim(), ClaimRefusal::Pending);
}

#[test]
fn a_registered_device_is_claimed_where_the_product_allows() {
    let mut world = unowned(DeviceState::Registered);
    assert!(decide(&world.claim(), NOW).is_ok(), "its factory key counts as operational");
    world.device().product.record.factory_key_is_operational = false;
    refused(&world.claim(), ClaimRefusal::NotEnrolled);
    world.device().product.record.pair_when_registered = true;
    assert!(decide(&world.claim(), NOW).is_ok());
}

#[test]
fn a_label_that_was_merely_read_claims_nothing() {
    let world = unowned(DeviceState::Enrolled);
    refused(&Claim { possession: Possession::None, ..world.claim() }, ClaimRefusal::PossessionRequired);
    refused(&Claim { key: None, ..world.claim() }, ClaimRefusal::PossessionRequired);
}

#[test]
fn the_key_must_be_the_one_the_registry_holds() {
    let mut world = unowned(DeviceState::Enrolled);
    let other = ShownKey { thumbprint: "key-2".into(), jwk: json!({}) };
    refused(&Claim { key: Some(other.clone()), ..world.claim() }, ClaimRefusal::OtherKey);
    world.device().credentials[0].record.state = CredentialState::Revoked;
    world.device().product.record.pair_when_registered = true;
    refused(&world.claim(), ClaimRefusal::OtherKey);
    world.device().credentials.clear();
    refused(&Claim { key: Some(other.clone()), ..world.claim() }, ClaimRefusal::NotProvisioned);
    world.device().product.record.factory_provisioned = false;
    let claim = Claim { key: Some(other), ..world.claim() };
    let holding = decide(&claim, NOW).unwrap();
    assert!(holding.changes.iter().any(|c| matches!(c, Change::Credential(w) if w.record.key_thumbprint == "key-2")));
    assert_eq!(credential().key_thumbprint, "key-1");
}

#[test]
fn a_device_that_is_ours_already_signs_with_its_own_key_or_not_at_all() {
    let mut world = unowned(DeviceState::Active);
    world.owned = owned();
    let other = ShownKey { thumbprint: "key-2".into(), jwk: json!({}) };
    refused(&Claim { key: Some(other.clone()), ..world.claim() }, ClaimRefusal::OtherKey);
    let by_app = Claim { key: Some(other), possession: Possession::None, ..world.claim() };
    assert!(decide(&by_app, NOW).is_ok(), "an app's word needs no key, and its token will carry none");
}

#[test]
fn an_unknown_device_is_entered_where_its_model_registers_itself() {
    let mut world = unowned(DeviceState::Enrolled);
    world.owned = OwnedFacts::default();
    world.product.record.factory_provisioned = false;
    let new = NewDevice { id: "dev_new".parse().unwrap(), serial: Some("S1".into()), external_id: None };
    refused(&Claim { new_device: Some(new.clone()), ..world.claim() }, ClaimRefusal::UnknownDevice);
    world.product.record.self_registration = true;
    let claim = Claim { new_device: Some(new.clone()), ..world.claim() };
    let holding = decide(&claim, NOW).unwrap();
    assert_eq!((holding.device.id.as_str(), holding.device.state), ("dev_new", DeviceState::Active));
    assert!(holding.anchors.iter().any(|anchor| anchor.to_string() == "d.dev_new.0"));
    assert!(holding.changes.iter().any(|change| matches!(change, Change::Credential(_))));
    let by_app = Claim { possession: Possession::None, ..claim };
    let holding = decide(&by_app, NOW).unwrap();
    assert!(
        !holding.changes.iter().any(|change| matches!(change, Change::Credential(_))),
        "an unproved key is no credential"
    );
    world.product.record.factory_provisioned = true;
    refused(&Claim { new_device: Some(new), ..world.claim() }, ClaimRefusal::NotProvisioned);
}

#[test]
fn only_an_active_grown_member_of_an_open_account_brings_things_in() {
    let mut world = unowned(DeviceState::Enrolled);
    world.account.record.closed = true;
    refused(&world.claim(), ClaimRefusal::AccountClosed);
    let mut world = unowned(DeviceState::Enrolled);
    for state in [UserState::Disabled, UserState::Unverified] {
        world.user.record.state = state;
        refused(&world.claim(), ClaimRefusal::UserInactive);
    }
    for (holder, target, role) in [
        ("u_adam", on_home(), BondRole::Child),
        ("u_adam", on_home(), BondRole::Guest),
        ("u_eve", on_home(), BondRole::Owner),
        ("u_adam", Target::Account("acc_other".parse().unwrap()), BondRole::Owner),
    ] {
        let mut world = unowned(DeviceState::Enrolled);
        world.bonds = vec![fact(bond("bnd_x", holder, target, role))];
        refused(&world.claim(), ClaimRefusal::NotMember);
    }
    let mut ended = unowned(DeviceState::Enrolled);
    ended.bonds[0].record.state = BondState::Ended;
    refused(&ended.claim(), ClaimRefusal::NotMember);
}

#[test]
fn a_title_without_a_person_makes_the_device_active_too() {
    let world = unowned(DeviceState::Enrolled);
    let claim = Claim { user: None, bonds: &[], ..world.claim() };
    let holding = decide(&claim, NOW).unwrap();
    assert_eq!((holding.bond, holding.asset.registered_by, holding.device.state), (None, None, DeviceState::Active));
}
