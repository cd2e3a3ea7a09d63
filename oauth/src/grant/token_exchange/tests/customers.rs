//! Customers without an account of their own here: a service for an account, and
//! people of a foreign issuer.

use super::*;
use crate::foreign_token::{Accepted, TrustedIssuer, Users};

/// The gateway of a building, which speaks for nobody but an account.
fn gateway() -> Exchange {
    let named = altered(said(), "account_id", json!("acc_house"));
    exchange().says(&device_key(), &named).with(|it| {
        it.client = Client { scopes: Scope::of([REGISTER_FOR, "telemetry:write"]), ..web() };
        it.subject.claims.client_id = "web_shop".into();
        it.subject.claims.sub = "web_shop".into();
        it.subject.claims.scope = Scope::of([REGISTER_FOR]);
        it.facts.user = None;
        it.facts.account = None;
        it.facts.memberships = vec![];
        it.facts.named_account = Some(fact(home("acc_house")));
    })
}

#[test]
fn a_service_with_the_right_registers_for_an_account_and_for_no_person() {
    let decision = gateway().decided();
    let token = claims(&decision);
    assert_eq!((token.sub.as_str(), token.account_id.as_deref()), ("acc_house", Some("acc_house")));
    assert_eq!((token.client_id.as_str(), token.act.unwrap().sub.as_str()), ("web_shop", "dev_9F3K2"));
    assert_eq!(token.cnf.unwrap().jkt, Some(thumbprint(&device_key())));
    assert!(names_every_guard(&decision, &claims(&decision)));
    let title = decision.changes.iter().find_map(|change| match change {
        Change::Identity(identity::Change::Asset(write)) => Some(write.record.clone()),
        Change::Identity(identity::Change::Bond(_)) => panic!("a bond of nobody"),
        _ => None,
    });
    let title = title.unwrap();
    assert_eq!((title.account.as_str(), title.registered_by, title.contact_id), ("acc_house", None, None));
    let told = decision.events.last().unwrap();
    assert_eq!((told.kind, &told.data["user_id"]), (EventKind::AssetRegistered, &Value::Null));
}

#[test]
fn a_service_without_the_right_or_the_account_registers_nothing() {
    type Change = fn(&mut Exchange);
    let cases: [(Change, &str); 8] = [
        (|it| it.subject.claims.scope = Scope::of([REGISTER]), "subject_may_not_register_for_others"),
        (|it| it.subject.claims.client_id = "other".into(), "subject_is_no_active_user"),
        (|it| it.facts.named_account = None, "account_unknown"),
        (|it| it.facts.named_account = Some(fact(home("acc_other"))), "account_unknown"),
        (|it| it.facts.named_account.as_mut().unwrap().record.closed = true, "account_closed"),
        (|it| it.actor = Some(signed(&device_key(), Some("actor+jwt"), &said())), "account_missing"),
        (|it| it.subject.claims.did = Some("dev_9F3K2".into()), "subject_is_delegated"),
        (|it| it.client.rights.asset_tokens = false, ""),
    ];
    for (change, reason) in cases {
        let it = gateway().with(change);
        if reason.is_empty() {
            assert_eq!(refusal(&it.decided()), (ErrorCode::UnauthorizedClient, "no_asset_tokens_right"));
        } else if reason == "subject_is_no_active_user" {
            // Another's token, even where others' may be exchanged: no person is behind it.
            assert_eq!(it.refused(), "subject_of_another_client");
            let others = gateway().with(change).with(|it| it.client.rights.exchange_others = true);
            assert_eq!(others.with(|it| it.subject.claims.scope = Scope::of([REGISTER])).refused(), reason);
        } else {
            assert_eq!(it.refused(), reason);
        }
    }
    let public = gateway().with(|it| {
        it.client = app();
        it.subject.claims.client_id = "app_mobile".into();
        it.subject.claims.sub = "app_mobile".into();
    });
    assert_eq!(public.refused(), "subject_may_not_register_for_others", "its id alone proves nothing");
    let contact = altered(altered(said(), "account_id", json!("acc_house")), "contact_id", json!("con_777"));
    assert_eq!(gateway().says(&device_key(), &contact).refused(), "contact_of_a_stranger");
}

#[test]
fn a_service_takes_nothing_out_of_a_persons_hands_and_a_person_may_come_later() {
    let held = gateway().owned("acc_house");
    assert_eq!(held.refused(), "title_of_a_person");
    let elsewhere = gateway().owned("acc_other");
    assert_eq!(elsewhere.with(|it| nobodys(&mut it.facts)).refused(), "owned_by_another");
    let again = gateway().owned("acc_house").with(|it| nobodys(&mut it.facts)).decided();
    assert_eq!(claims(&again).asset_id.as_deref(), Some("ast_42"), "its own title again");
    // The owner signs in, and brings the same device into the same account.
    let owner = exchange().owned("acc_501").with(|it| nobodys(&mut it.facts)).decided();
    let token = claims(&owner);
    assert_eq!((token.sub.as_str(), token.asset_id.as_deref()), ("u_adam", Some("ast_42")));
    assert!(hangs_from(&token).contains(&"b.bnd_new.0".into()), "and has a bond from now on");
}

fn nobodys(facts: &mut RegistrationFacts) {
    for owned in [&mut facts.by_did, &mut facts.by_serial, &mut facts.by_key] {
        owned.asset.as_mut().unwrap().record.registered_by = None;
    }
}

/// Adam, as a trusted issuer of the maker speaks of him.
fn foreign() -> Exchange {
    exchange().with(|it| {
        let issuer = TrustedIssuer {
            issuer: "https://login.maker.example".into(),
            accepts: vec![Accepted::AccessToken],
            audience: Some(ISSUER.into()),
            client_id: None,
            clients: vec!["app_mobile".parse().unwrap()],
            users: Users::Find,
            account: None,
        };
        it.foreign = Some(ForeignSubject {
            issuer: std::sync::Arc::new(issuer),
            user: adam().id,
            name: None,
            iat: NOW - 10,
            cnf: None,
        });
    })
}

#[test]
fn a_token_of_a_trusted_foreign_issuer_registers_for_the_person_it_speaks_of() {
    let decision = foreign().decided();
    let token = claims(&decision);
    assert_eq!((token.sub.as_str(), token.account_id.as_deref()), ("u_adam", Some("acc_501")));
    assert!(names_every_guard(&decision, &token));
    type Change = fn(&mut Exchange);
    let cases: [(Change, &str); 4] = [
        (|it| it.facts.user = None, "subject_is_no_active_user"),
        (|it| it.facts.user.as_mut().unwrap().record.state = UserState::Disabled, "subject_is_no_active_user"),
        (|it| it.foreign.as_mut().unwrap().user = "u_eve".parse().unwrap(), "subject_is_no_active_user"),
        (|it| it.request.requested = Some(ACCESS_TOKEN.into()), "requested_type_is_no_asset_token"),
    ];
    for (change, reason) in cases {
        assert_eq!(foreign().with(change).refused(), reason);
    }
    let other = foreign().with(|it| it.client = web());
    assert_eq!(other.refused(), "client_may_not_bring_foreign_tokens");
    let bound = |proof: Option<Jwk>| {
        foreign().with(|it| {
            it.foreign.as_mut().unwrap().cnf = Some(binding::key(&thumbprint(&other_key())));
            it.proof = proof;
        })
    };
    assert!(bound(Some(public(&other_key()))).decided().reply.is_ok());
    assert_eq!(refusal(&bound(None).decided()), (ErrorCode::InvalidDpopProof, "subject_needs_proof"));
    assert_eq!(bound(Some(public(&second_key()))).refused(), "subject_proof_by_another_key");
}

#[test]
fn a_foreign_token_from_before_an_end_does_not_count() {
    let ended = |after: i64| {
        let end = u64::try_from(NOW - 10 + after).unwrap();
        foreign().with(|it| it.facts.user.as_mut().unwrap().epochs = Epochs { epoch: end, end_epoch: end })
    };
    assert_eq!(ended(0).refused(), "foreign_token_before_an_end");
    assert_eq!(ended(-60).refused(), "foreign_token_before_an_end", "clocks differ");
    assert!(ended(-61).decided().reply.is_ok());
    let cut = foreign().with(|it| it.facts.user.as_mut().unwrap().epochs.epoch = u64::try_from(NOW).unwrap());
    assert!(cut.decided().reply.is_ok(), "a cut is decided anew");
}
