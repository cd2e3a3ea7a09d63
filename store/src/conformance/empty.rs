//! A store in which nothing is: every question has an answer, and it is "none".

use std::sync::Arc;

use identity::facts::{CallHomeQuery, DeviceKey, ImportKeys};
use identity::user::Email;
use identity::{Anchor, AnchorKind, Digest};
use oauth::facts::{RegistrationQuery, RenewalQuery};

use crate::{CallerQuery, EventQuery, ListQuery, Store};

pub async fn every_question_has_an_answer(store: Arc<dyn Store>) {
    let head = store.head().await.unwrap();
    assert_eq!((head.number, head.horizon), (0, 0));
    assert_eq!(head.generation.len(), 22, "128 bits in base64url");
    for kind in super::KINDS {
        let page = store.list(ListQuery { kind, filter: None, after: None, limit: 10 }).await.unwrap();
        assert!(page.items.is_empty() && page.next.is_none());
        assert!(store.load_record(identity::RecordKey { kind, id: "x".into() }).await.unwrap().is_none());
    }
    devices(&*store).await;
    people(&*store).await;
    tokens(&*store).await;
    assert!(store.load_raises().await.unwrap().1.is_empty());
    let all = EventQuery { after: 0, kinds: Vec::new(), raises_only: false, subject: None, limit: 10 };
    let page = store.load_events(all).await.unwrap();
    assert!(page.events.is_empty() && page.next == 0 && page.head == head);
    assert!(store.load_idempotent("k".into(), 0).await.unwrap().is_none());
}

async fn devices(store: &dyn Store) {
    for key in [
        DeviceKey::Did("dev_1".parse().unwrap()),
        DeviceKey::ExternalId("e".into()),
        DeviceKey::Serial { model: None, serial: "s".into() },
        DeviceKey::Serial { model: Some("m".into()), serial: "s".into() },
        DeviceKey::Mac("aa:bb:cc:dd:ee:ff".into()),
        DeviceKey::CertificateThumbprint("t".into()),
        DeviceKey::KeyThumbprint("t".into()),
    ] {
        assert_eq!(store.load_device(key).await.unwrap(), Default::default());
    }
    assert!(store.load_device_keys("dev_1".into()).await.unwrap().is_none());
    let query = CallHomeQuery { key_thumbprint: "k".into(), certificate: Some(("i".into(), "1".into())) };
    let facts = store.load_call_home(query).await.unwrap();
    assert!(facts.credential.is_none() && facts.owned.device.is_none() && facts.session.is_none());
    let lines = vec![ImportKeys::default(), ImportKeys { serial: Some("s".into()), ..ImportKeys::default() }];
    assert_eq!(store.load_import(lines).await.unwrap(), vec![Default::default(), Default::default()]);
}

async fn people(store: &dyn Store) {
    let user: identity::UserId = "u_1".parse().unwrap();
    let email = Email::parse("nobody@example.com").unwrap();
    assert_eq!(store.load_person_by_email(email).await.unwrap(), Default::default());
    assert_eq!(store.load_person(user.clone()).await.unwrap(), Default::default());
    let none = Digest::from_base64url("none");
    assert_eq!(store.load_mail_token(none.clone()).await.unwrap(), Default::default());
    assert_eq!(store.load_session(none).await.unwrap(), Default::default());
    assert_eq!(store.load_passkey("none".into()).await.unwrap(), Default::default());
    assert_eq!(store.load_security(user.clone()).await.unwrap(), Default::default());
    assert_eq!(store.load_things(user).await.unwrap(), Default::default());
    assert_eq!(store.load_bond("bnd_1".parse().unwrap()).await.unwrap(), Default::default());
}

async fn tokens(store: &dyn Store) {
    let caller = CallerQuery { client_id: "app".into(), assertion_once: Some("once".into()) };
    let digest = Digest::from_base64url("none");
    let facts = store.load_caller(caller.clone()).await.unwrap();
    assert!(facts.client.is_none() && facts.device.is_none() && !facts.assertion_used);
    assert_eq!(facts.tenant.generation, store.head().await.unwrap().generation);
    assert!(store.load_authorize("app".into(), Some("u_1".parse().unwrap())).await.unwrap().user.is_none());
    assert!(store.load_code(caller.clone(), digest.clone()).await.unwrap().code.is_none());
    assert!(store.load_refresh(caller.clone(), "fam_1".parse().unwrap()).await.unwrap().chain.family.is_none());
    assert!(store.load_pairing(caller.clone(), digest.clone()).await.unwrap().pairing.is_none());
    let page = store.load_pairing_by_user_code(digest, "u_1".parse().unwrap()).await.unwrap();
    assert!(page.pairing.is_none() && page.bonds.is_empty());
    let query = RegistrationQuery { serial: Some("s".into()), ..RegistrationQuery::default() };
    assert!(store.load_registration(caller.clone(), query).await.unwrap().by_serial.device.is_none());
    let query = RenewalQuery { asset: "ast_1".into(), ..RenewalQuery::default() };
    assert!(store.load_renewal(caller.clone(), query).await.unwrap().asset.is_none());
    let anchors = vec![Anchor::new(AnchorKind::User, "u_1"), Anchor::new(AnchorKind::Token, "jti")];
    let trade = store.load_trade(caller, anchors.clone()).await.unwrap();
    assert_eq!(trade.anchors_now, [None, Some(Default::default())]);
    assert_eq!(store.load_epochs(anchors).await.unwrap(), [None, Some(Default::default())]);
}
