//! Every name that only one may have, and those that several may share.

use std::sync::Arc;

use identity::{Account, Asset, Credential, Device, Fact, Passkey, Product, Record, RecordKey, TrustAnchor, User};
use oauth::pairing::PairingState;
use oauth::{Consent, Pairing};

use super::sample::*;
use crate::{Change, Conflict, Store};

async fn taken(store: &dyn Store, first: Change, second: Change, what: &'static str) {
    keep(store, [first]).await;
    assert_eq!(conflict(commit(store, [second], BEGAN).await), Conflict::Taken(what));
}

pub async fn one_name_per_model(store: Arc<dyn Store>) {
    let second = Product { model: "1".to_owned(), ..product("2") };
    taken(&*store, new(product("1")), new(second), "product.model").await;
}

pub async fn one_serial_number_per_model(store: Arc<dyn Store>) {
    let named = |name, product| Device { serial: Some("S".to_owned()), ..device(name, product) };
    taken(&*store, new(named("1", "a")), new(named("2", "a")), "device.serial").await;
    keep(&*store, [new(named("3", "b")), new(device("4", "a")), new(device("5", "a"))]).await;
}

pub async fn one_device_per_mac_and_per_name_of_its_maker(store: Arc<dyn Store>) {
    let mac = |name| Device { mac: Some("aa:bb:cc:dd:ee:ff".to_owned()), ..device(name, "a") };
    taken(&*store, new(mac("1")), new(mac("2")), "device.mac").await;
    let external = |name| Device { external_id: Some("x".to_owned()), ..device(name, "a") };
    taken(&*store, new(external("3")), new(external("4")), "device.external_id").await;
}

/// As an import writes them.
pub async fn of_many_new_records_one_that_is_taken_stops_all(store: Arc<dyn Store>) {
    let named = |name: &str, serial: &str| Device { serial: Some(serial.to_owned()), ..device(name, "a") };
    let with_key = |name: &str| [new(named(name, name)), new(credential(name, name))];
    keep(&*store, ["1", "2", "3"].iter().flat_map(|name| with_key(name))).await;
    let [device, key] = with_key("4");
    let second_key = Credential { key_thumbprint: "key-2".to_owned(), ..credential("5", "5") };
    let here = Conflict::Version(RecordKey { kind: Device::KIND, id: "dev_1".to_owned() });
    for (stranger, why) in [
        (new(named("5", "3")), Conflict::Taken("device.serial")),
        (new(named("5", "4")), Conflict::Taken("device.serial")),
        (new(second_key), Conflict::Taken("credential.key_thumbprint")),
        (new(named("1", "5")), here),
    ] {
        for changes in [[device.clone(), key.clone(), stranger.clone()], [stranger, device.clone(), key.clone()]] {
            match (conflict(commit(&*store, changes, BEGAN).await), &why) {
                // Of many it is enough that one of them is there.
                (Conflict::Version(found), Conflict::Version(key)) => assert_eq!(found.kind, key.kind),
                (found, why) => assert_eq!(found, *why),
            }
            for kind in [Device::KIND, Credential::KIND] {
                let query = crate::ListQuery { kind, filter: None, after: None, limit: 10 };
                assert_eq!(store.list(query).await.unwrap().items.len(), 3, "nothing of it stays");
            }
        }
    }
    keep(&*store, [device, key]).await;
    let fact: Fact<Device> = kept(&*store, "dev_4").await;
    assert_eq!((fact.version, fact.serial.as_deref()), (1, Some("4")));
}

pub async fn a_taken_name_cannot_be_changed_to_either(store: Arc<dyn Store>) {
    let named = |name, serial: &str| Device { serial: Some(serial.to_owned()), ..device(name, "a") };
    keep(&*store, [new(named("1", "A")), new(named("2", "B"))]).await;
    let fact: Fact<Device> = kept(&*store, "dev_2").await;
    let result = commit(&*store, [fact.rewrite(named("2", "A")).into()], BEGAN).await;
    assert_eq!(conflict(result), Conflict::Taken("device.serial"));
}

pub async fn one_device_per_key_and_certificate(store: Arc<dyn Store>) {
    let second = Credential { key_thumbprint: "key-1".to_owned(), ..credential("2", "2") };
    taken(&*store, new(credential("1", "1")), new(second), "credential.key_thumbprint").await;
    let with = |name, thumbprint, issuer, serial| Credential {
        certificate: Some(certificate(thumbprint, issuer, serial)),
        ..credential(name, "1")
    };
    keep(&*store, [new(with("3", "a", "issuer", "01"))]).await;
    let same = commit(&*store, [new(with("4", "a", "issuer", "02"))], BEGAN).await;
    assert_eq!(conflict(same), Conflict::Taken("credential.certificate_thumbprint"));
    let same = commit(&*store, [new(with("5", "b", "issuer", "01"))], BEGAN).await;
    assert_eq!(conflict(same), Conflict::Taken("credential.certificate_serial"));
    keep(&*store, [new(with("6", "c", "other", "01")), new(credential("7", "1"))]).await;
}

pub async fn one_open_title_per_device(store: Arc<dyn Store>) {
    taken(&*store, new(asset("1", "d", "1")), new(asset("2", "d", "2")), "asset.device").await;
    let open: Fact<Asset> = kept(&*store, "ast_1").await;
    let closed = Asset { closed_at: Some(BEGAN), ..open.record.clone() };
    keep(&*store, [open.rewrite(closed).into(), new(asset("2", "d", "2"))]).await;
    keep(&*store, [new(Asset { closed_at: Some(BEGAN), ..asset("3", "d", "3") })]).await;
}

pub async fn one_person_per_address_and_one_passkey_per_credential(store: Arc<dyn Store>) {
    let second = User { email: user("1", "1").email, ..user("2", "2") };
    taken(&*store, new(user("1", "1")), new(second), "user.email").await;
    let second = Passkey { credential_id: "cid-1".to_owned(), ..passkey("2", "2") };
    taken(&*store, new(passkey("1", "1")), new(second), "passkey.credential_id").await;
}

pub async fn one_session_per_cookie(store: Arc<dyn Store>) {
    let mut second = browser_session("2", "2");
    second.secret = browser_session("1", "1").secret;
    taken(&*store, new(browser_session("1", "1")), new(second), "browser_session.secret").await;
}

pub async fn one_live_consent_per_person_and_client(store: Arc<dyn Store>) {
    taken(&*store, new(consent("1", "u", "app")), new(consent("2", "u", "app")), "consent.client").await;
    keep(&*store, [new(consent("3", "u", "other")), new(consent("4", "v", "app"))]).await;
    let live: Fact<Consent> = kept(&*store, "con_1").await;
    let withdrawn = Consent { withdrawn_at: Some(BEGAN), ..live.record.clone() };
    keep(&*store, [live.rewrite(withdrawn).into(), new(consent("2", "u", "app"))]).await;
}

pub async fn one_live_pairing_per_user_code(store: Arc<dyn Store>) {
    taken(&*store, new(pairing("1", "CODE")), new(pairing("2", "CODE")), "pairing.user_code").await;
    let denied = Pairing { state: PairingState::Denied, ..pairing("3", "CODE") };
    keep(&*store, [new(denied)]).await;
    let later = Pairing { created_at: BEGAN + 600, expires_at: BEGAN + 1_200, ..pairing("4", "CODE") };
    let early = commit(&*store, [new(later.clone())], BEGAN + 599).await;
    assert_eq!(conflict(early), Conflict::Taken("pairing.user_code"));
    commit(&*store, [new(later)], BEGAN + 600).await.unwrap();
    let found = store.load_pairing_by_user_code(digest("CODE"), "u_1".parse().unwrap()).await.unwrap();
    assert_eq!(found.pairing.unwrap().id, digest("4"), "the newest is the one that can be alive");
}

pub async fn one_trust_anchor_per_product_and_one_account_per_number(store: Arc<dyn Store>) {
    let second = |product| TrustAnchor { thumbprint: "ca-1".to_owned(), ..trust_anchor("2", product) };
    taken(&*store, new(trust_anchor("1", "a")), new(second("a")), "trust_anchor.thumbprint").await;
    keep(&*store, [new(second("b"))]).await;
    let numbered = |name| Account { external_id: Some("7".to_owned()), ..account(name) };
    taken(&*store, new(numbered("1")), new(numbered("2")), "account.external_id").await;
}
