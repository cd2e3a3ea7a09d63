//! Every load: what belongs together comes together, and what is over does not.

use std::sync::Arc;

use identity::bond::{BondRole, BondState, Target};
use identity::facts::{CallHomeQuery, DeviceKey, ImportKeys, OwnedFacts};
use identity::{
    Anchor, AnchorKind, Anchors, Asset, Bond, BrowserSession, Device, DeviceSession, Fact, Raise, Record, Role, User,
};
use oauth::facts::{CallerFacts, RegistrationQuery, RenewalQuery};
use oauth::pairing::PairingState;
use oauth::{Consent, Pairing, TokenFamily};

use super::sample::*;
use crate::{CallerQuery, Change, Store};

fn caller(id: &str) -> CallerQuery {
    CallerQuery { client_id: id.to_owned(), assertion_once: None }
}

fn ids<T: Record>(facts: &[Fact<T>]) -> Vec<&str> {
    facts.iter().map(|fact| fact.record.id()).collect()
}

fn called_by(facts: &CallerFacts) -> Option<&str> {
    facts.client.as_ref().map(|client| client.id.as_str())
}

fn id<T: Record>(fact: &Option<Fact<T>>) -> Option<&str> {
    fact.as_ref().map(|fact| fact.record.id())
}

fn owned_ids(owned: &OwnedFacts) -> [Option<&str>; 3] {
    [owned.device.as_ref().map(|facts| facts.device.id.as_str()), id(&owned.asset), id(&owned.account)]
}

const OWNED: [Option<&str>; 3] = [Some("dev_1"), Some("ast_1"), Some("acc_1")];
const NOBODY: [Option<&str>; 3] = [None, None, None];

/// Adam's household with a speaker, another device of the same serial number of
/// another model, and a neighbour.
async fn household(store: &dyn Store) {
    let speaker = Device {
        serial: Some("S-1".to_owned()),
        mac: Some("aa:bb:cc:dd:ee:01".to_owned()),
        external_id: Some("maker-1".to_owned()),
        ..device("1", "spk")
    };
    let twin = Device { serial: Some("S-1".to_owned()), ..device("2", "lck") };
    let mut key = credential("1", "1");
    key.certificate = Some(certificate("1", "issuer", "0a"));
    let all: Vec<Change> = vec![
        new(product("spk")),
        new(product("lck")),
        new(speaker),
        new(twin),
        new(key),
        new(credential("2", "2")),
        new(trust_anchor("1", "spk")),
        new(trust_anchor("2", "lck")),
        new(account("1")),
        new(account("2")),
        new(user("adam", "1")),
        new(user("eve", "1")),
        new(user("neighbour", "2")),
        new(bond("m1", "adam", "acc_1", BondRole::Owner)),
        new(bond("m2", "eve", "acc_1", BondRole::Member)),
        new(bond("m3", "neighbour", "acc_2", BondRole::Owner)),
        new(asset("1", "1", "1")),
        new(Asset { closed_at: Some(BEGAN), ..asset("0", "1", "2") }),
        new(bond("b1", "adam", "ast_1", BondRole::Owner)),
        new(bond("b2", "neighbour", "ast_1", BondRole::Guest)),
        new(client("app")),
        new(client("other")),
        new(browser_session("1", "adam")),
    ];
    keep(store, all).await;
}

pub async fn a_device_is_found_by_any_of_its_names(store: Arc<dyn Store>) {
    household(&*store).await;
    let serial = |model: Option<&str>| DeviceKey::Serial { model: model.map(str::to_owned), serial: "S-1".to_owned() };
    for key in [
        DeviceKey::Did("dev_1".parse().unwrap()),
        DeviceKey::ExternalId("maker-1".to_owned()),
        DeviceKey::Mac("aa:bb:cc:dd:ee:01".to_owned()),
        DeviceKey::CertificateThumbprint("x5t-1".to_owned()),
        DeviceKey::KeyThumbprint("key-1".to_owned()),
        serial(Some("spk")),
    ] {
        let owned = store.load_device(key.clone()).await.unwrap();
        assert_eq!(owned_ids(&owned), OWNED, "{key:?}");
        let device = owned.device.unwrap();
        assert_eq!((device.product.id.as_str(), ids(&device.credentials)), ("prd_spk", vec!["crd_1"]));
    }
    let ambiguous = store.load_device(serial(None)).await.unwrap();
    assert_eq!(owned_ids(&ambiguous), NOBODY, "two models have that serial number");
    let unowned = store.load_device(serial(Some("lck"))).await.unwrap();
    assert_eq!(owned_ids(&unowned), [Some("dev_2"), None, None]);
    let keys = store.load_device_keys("dev_1".to_owned()).await.unwrap().unwrap();
    assert_eq!(ids(&keys.credentials), ["crd_1"]);
}

pub async fn a_serial_number_alone_finds_the_only_one(store: Arc<dyn Store>) {
    let only = Device { serial: Some("only".to_owned()), ..device("1", "spk") };
    keep(&*store, [new(product("spk")), new(only)]).await;
    let key = DeviceKey::Serial { model: None, serial: "only".to_owned() };
    assert_eq!(owned_ids(&store.load_device(key).await.unwrap()), [Some("dev_1"), None, None]);
}

pub async fn call_home_finds_by_key_or_by_certificate(store: Arc<dyn Store>) {
    household(&*store).await;
    let later = DeviceSession { opened_at: BEGAN + 5, ..device_session("0", "1", "1") };
    let suspended = Bond { state: BondState::Suspended, ..bond("b0", "eve", "ast_1", BondRole::CoOwner) };
    let older = Bond { created_at: BEGAN - 1, ..bond("b3", "eve", "ast_1", BondRole::CoOwner) };
    keep(&*store, [new(later), new(device_session("1", "1", "1")), new(suspended), new(older)]).await;
    let certificate = |serial: &str| Some(("issuer".to_owned(), serial.to_owned()));
    for (key, certificate) in [("key-1", None), ("new key", certificate("0a")), ("key-1", certificate("0b"))] {
        let query = CallHomeQuery { key_thumbprint: key.to_owned(), certificate };
        let facts = store.load_call_home(query).await.unwrap();
        assert_eq!((id(&facts.credential), id(&facts.session)), (Some("crd_1"), Some("ds_0")));
        assert_eq!(owned_ids(&facts.owned), OWNED);
        assert_eq!(ids(&facts.bonds), ["bnd_b3", "bnd_b1"], "owners' bonds that hold, the oldest first");
        assert_eq!(ids(&facts.trust_anchors), ["ca_1"]);
    }
    let unknown = CallHomeQuery { key_thumbprint: "none".to_owned(), certificate: certificate("0b") };
    assert!(store.load_call_home(unknown).await.unwrap().credential.is_none());
}

pub async fn import_answers_line_by_line(store: Arc<dyn Store>) {
    household(&*store).await;
    let known = ImportKeys {
        model: "spk".to_owned(),
        serial: Some("S-1".to_owned()),
        external_id: Some("maker-1".to_owned()),
        mac: Some("aa:bb:cc:dd:ee:01".to_owned()),
        key_thumbprint: Some("key-1".to_owned()),
    };
    let unknown = ImportKeys { model: "none".to_owned(), serial: Some("S-1".to_owned()), ..ImportKeys::default() };
    let facts = store.load_import(vec![known, unknown]).await.unwrap();
    assert_eq!(id(&facts[0].product), Some("prd_spk"));
    for device in [&facts[0].by_serial, &facts[0].by_external_id, &facts[0].by_mac] {
        assert_eq!(id(device), Some("dev_1"));
    }
    assert_eq!(id(&facts[0].credential), Some("crd_1"));
    assert_eq!(facts[1], Default::default());
}

pub async fn a_person_comes_with_household_passkeys_and_sign_ins(store: Arc<dyn Store>) {
    household(&*store).await;
    let dead = TokenFamily { expires_at: BEGAN, ..family("dead", "adam") };
    let speaker = TokenFamily { device: Some("dev_1".parse().unwrap()), ..family("device", "adam") };
    let ended: Change = Raise::end(AnchorKind::Session, "ses_2").into();
    keep(&*store, [new(passkey("1", "adam")), new(passkey("2", "eve")), new(family("app", "adam"))]).await;
    keep(&*store, [new(dead), new(speaker), new(browser_session("2", "adam")), ended]).await;
    let by_id = store.load_person("u_adam".parse().unwrap()).await.unwrap();
    assert_eq!((id(&by_id.user), id(&by_id.account)), (Some("u_adam"), Some("acc_1")));
    assert_eq!(ids(&by_id.passkeys), ["pk_1"]);
    assert_eq!(ids(&by_id.sign_ins.sessions), ["ses_1"]);
    let families: Vec<&str> = by_id.sign_ins.families.iter().map(|id| id.as_str()).collect();
    assert_eq!(families, ["fam_app"]);
    let email = user("adam", "1").email;
    assert_eq!(store.load_person_by_email(email).await.unwrap(), by_id);
    let owner = store.load_passkey("cid-1".to_owned()).await.unwrap();
    assert_eq!((id(&owner.passkey), id(&owner.user)), (Some("pk_1"), Some("u_adam")));
    let session = store.load_session(digest("cookie-1")).await.unwrap();
    assert_eq!((id(&session.session), id(&session.user)), (Some("ses_1"), Some("u_adam")));
}

pub async fn a_mailed_secret_comes_with_its_person_and_whether_there_is_staff(store: Arc<dyn Store>) {
    household(&*store).await;
    keep(&*store, [new(mail_token("t", "adam"))]).await;
    let facts = store.load_mail_token(digest("t")).await.unwrap();
    assert_eq!((id(&facts.token), id(&facts.user), facts.has_staff), (Some("t"), Some("u_adam"), false));
    assert_eq!(ids(&facts.sign_ins.sessions), ["ses_1"]);
    let eve: Fact<User> = kept(&*store, "u_eve").await;
    let staff = User { roles: vec![Role::Auditor], ..eve.record.clone() };
    keep(&*store, [eve.rewrite(staff).into()]).await;
    assert!(store.load_mail_token(digest("none")).await.unwrap().has_staff);
}

pub async fn a_security_page_shows_what_still_works(store: Arc<dyn Store>) {
    household(&*store).await;
    let hangs =
        |name: &str, from: Anchor| TokenFamily { anchors: Anchors::from_iter([from.at(0)]), ..family(name, "adam") };
    let title = Anchor::new(AnchorKind::Asset, "ast_1");
    let all: Vec<Change> = vec![
        new(hangs("title", title.clone())),
        new(hangs("lost", Anchor::new(AnchorKind::Bond, "bnd_none"))),
        new(TokenFamily { current: None, ..family("anchor", "adam") }),
        new(family("ended", "adam")),
        new(TokenFamily { client: "other".parse().unwrap(), ..family("live", "adam") }),
        new(consent("1", "adam", "app")),
        new(Consent { withdrawn_at: Some(BEGAN), ..consent("2", "adam", "other") }),
        new(passkey("1", "adam")),
        new(BrowserSession { expires_at: BEGAN, ..browser_session("old", "adam") }),
        Raise::end(AnchorKind::Family, "fam_ended").into(),
        Raise::cut(AnchorKind::Asset, "ast_1").into(),
    ];
    keep(&*store, all).await;
    let facts = store.load_security("u_adam".parse().unwrap()).await.unwrap();
    assert_eq!(ids(&facts.families), ["fam_title", "fam_live"], "a cut leaves grants");
    assert_eq!(ids(&facts.consents), ["con_1"]);
    assert_eq!(ids(&facts.clients), ["app", "other"]);
    assert_eq!((ids(&facts.sessions), ids(&facts.passkeys)), (vec!["ses_1"], vec!["pk_1"]));
    keep(&*store, [Raise::end(title.kind, title.id).into()]).await;
    let facts = store.load_security("u_adam".parse().unwrap()).await.unwrap();
    assert_eq!(ids(&facts.families), ["fam_live"], "an end does not");
}

pub async fn a_persons_things_are_their_households_and_what_was_lent_to_them(store: Arc<dyn Store>) {
    household(&*store).await;
    let acts = TokenFamily { asset: Some("ast_1".parse().unwrap()), ..family("1", "adam") };
    let ended = Bond { state: BondState::Ended, ..bond("b9", "eve", "ast_1", BondRole::Guest) };
    keep(&*store, [new(acts), new(ended), new(device("3", "lck")), new(asset("3", "3", "2"))]).await;
    let adam = store.load_things("u_adam".parse().unwrap()).await.unwrap();
    assert_eq!(
        adam.accounts.iter().map(|(it, by)| (it.id.as_str(), by.id.as_str())).collect::<Vec<_>>(),
        [("acc_1", "bnd_m1")]
    );
    assert_eq!(adam.members.iter().map(|(_, it)| it.id.as_str()).collect::<Vec<_>>(), ["u_adam", "u_eve"]);
    assert_eq!(adam.things.len(), 1);
    let thing = &adam.things[0];
    assert_eq!((thing.asset.id.as_str(), thing.device.id.as_str()), ("ast_1", "dev_1"));
    assert_eq!(thing.product.id.as_str(), "prd_spk");
    assert_eq!(ids(&thing.bonds), ["bnd_b1", "bnd_b2"]);
    let waiting = Bond { state: BondState::Suspended, ..bond("b8", "eve", "ast_1", BondRole::CoOwner) };
    keep(&*store, [new(waiting)]).await;
    let again = store.load_things("u_adam".parse().unwrap()).await.unwrap();
    let of = again.things.iter().find(|thing| thing.asset.id.as_str() == "ast_1").unwrap();
    assert_eq!(ids(&of.bonds), ["bnd_b1", "bnd_b2", "bnd_b8"], "what waits for its owner is shown");
    assert_eq!((ids(&thing.people), ids(&thing.families)), (vec!["u_adam", "u_neighbour"], vec!["fam_1"]));
    assert_eq!(ids(&adam.clients), ["app"]);
    let neighbour = store.load_things("u_neighbour".parse().unwrap()).await.unwrap();
    let things: Vec<&str> = neighbour.things.iter().map(|thing| thing.asset.id.as_str()).collect();
    assert_eq!(things, ["ast_1", "ast_3"]);
    assert_eq!(neighbour.accounts.len(), 1, "a guest is no member");
    let lives = neighbour.accounts[0].0.id.to_string();
    let waits = Bond { state: BondState::Suspended, ..bond("b7", "neighbour", "acc_1", BondRole::Member) };
    let waits = Bond { target: Target::Account("acc_1".parse().unwrap()), ..waits };
    keep(&*store, [new(waits)]).await;
    let neighbour = store.load_things("u_neighbour".parse().unwrap()).await.unwrap();
    let accounts: Vec<_> = neighbour.accounts.iter().map(|(it, by)| (it.id.to_string(), by.state)).collect();
    let expected = [("acc_1".to_owned(), BondState::Suspended), (lives, BondState::Active)];
    assert_eq!(accounts, expected, "a membership that waits is known as such");
    let members = store.load_things("u_adam".parse().unwrap()).await.unwrap().members;
    assert!(members.iter().any(|(bond, _)| bond.id.as_str() == "bnd_b7" && bond.state == BondState::Suspended));
}

pub async fn a_bond_comes_with_all_that_its_end_touches(store: Arc<dyn Store>) {
    household(&*store).await;
    let suspended = Bond { state: BondState::Suspended, ..bond("b3", "eve", "ast_1", BondRole::Member) };
    let ended = Bond { state: BondState::Ended, ..bond("b4", "eve", "ast_1", BondRole::Member) };
    keep(&*store, [new(suspended), new(ended)]).await;
    let facts = store.load_bond("bnd_b1".parse().unwrap()).await.unwrap();
    assert_eq!((owned_ids(&facts.owned), id(&facts.account)), (OWNED, Some("acc_1")));
    assert_eq!(ids(&facts.siblings), ["bnd_b2", "bnd_b3"], "what is suspended ends with it, too");
    assert_eq!(ids(&facts.memberships), ["bnd_m1", "bnd_m2"]);
    assert!(facts.holdings.is_empty());
    let (owned, bonds) = store.load_retirement("dev_1".parse().unwrap()).await.unwrap();
    assert_eq!((owned_ids(&owned), ids(&bonds)), (OWNED, vec!["bnd_b1", "bnd_b2", "bnd_b3"]));
    let facts = store.load_bond("bnd_m2".parse().unwrap()).await.unwrap();
    assert_eq!((owned_ids(&facts.owned), id(&facts.account)), (NOBODY, Some("acc_1")));
    assert_eq!((ids(&facts.siblings), ids(&facts.memberships)), (vec!["bnd_m1"], vec!["bnd_m1", "bnd_m2"]));
    let holdings: Vec<_> = facts.holdings.iter().map(|(by, of)| (by.id.as_str(), of.id.as_str())).collect();
    assert_eq!(holdings, [("bnd_b3", "ast_1")]);
}

pub async fn a_caller_is_a_client_or_a_device(store: Arc<dyn Store>) {
    household(&*store).await;
    let app = store.load_caller(caller("app")).await.unwrap();
    assert_eq!((called_by(&app), app.device.is_none()), (Some("app"), true));
    let device = store.load_caller(caller("dev_1")).await.unwrap();
    assert!(device.client.is_none());
    assert_eq!(ids(&device.device.unwrap().credentials), ["crd_1"]);
    assert_eq!(app.tenant.generation, store.head().await.unwrap().generation);
    assert_eq!(app.tenant.max_token_life, super::MAX_TOKEN_LIFE);
}

pub async fn authorizing_sees_the_living_consent(store: Arc<dyn Store>) {
    household(&*store).await;
    let withdrawn = Consent { withdrawn_at: Some(BEGAN), ..consent("0", "adam", "app") };
    keep(&*store, [new(withdrawn), new(consent("1", "adam", "app")), new(consent("2", "eve", "app"))]).await;
    let facts = store.load_authorize("app".to_owned(), Some("u_adam".parse().unwrap())).await.unwrap();
    assert_eq!((id(&facts.client), id(&facts.user)), (Some("app"), Some("u_adam")));
    assert_eq!(id(&facts.consent), Some("con_1"));
    let nobody = store.load_authorize("app".to_owned(), None).await.unwrap();
    assert!(nobody.consent.is_none() && nobody.user.is_none());
}

pub async fn a_code_comes_with_what_its_tokens_hang_from(store: Arc<dyn Store>) {
    household(&*store).await;
    keep(&*store, [new(code("c", "adam", "1", "1")), new(family("1", "adam")), new(consent("1", "adam", "app"))]).await;
    let facts = store.load_code(caller("app"), digest("c")).await.unwrap();
    let chain = &facts.chain;
    assert_eq!((id(&facts.code), called_by(&facts.caller)), (Some("c"), Some("app")));
    assert_eq!((id(&chain.user), id(&chain.account)), (Some("u_adam"), Some("acc_1")));
    assert_eq!((id(&chain.session), id(&chain.consent)), (Some("ses_1"), Some("con_1")));
    assert_eq!((id(&chain.family), id(&chain.client)), (Some("fam_1"), None));
    let thief = store.load_code(caller("other"), digest("c")).await.unwrap();
    assert_eq!(id(&thief.chain.client), Some("app"), "whom the code was given to");
}

pub async fn a_refresh_comes_with_the_chain_as_it_is_now(store: Arc<dyn Store>) {
    household(&*store).await;
    let anchors = ["u.u_adam.0", "b.bnd_b1.0", "as.ast_none.0", "j.jti.0"].map(|text| text.parse().unwrap());
    let whole = TokenFamily {
        session: Some("ses_1".parse().unwrap()),
        device: Some("dev_1".parse().unwrap()),
        asset: Some("ast_1".parse().unwrap()),
        account: Some("acc_1".parse().unwrap()),
        bond: Some("bnd_b1".parse().unwrap()),
        anchors: anchors.into_iter().collect(),
        ..family("1", "adam")
    };
    let raise: Change = Raise::end(AnchorKind::Bond, "bnd_b1").into();
    keep(&*store, [new(whole), new(device_session("1", "1", "1")), new(consent("1", "adam", "app")), raise]).await;
    let facts = store.load_refresh(caller("app"), "fam_1".parse().unwrap()).await.unwrap();
    let chain = &facts.chain;
    assert_eq!((id(&chain.user), id(&chain.account), id(&chain.asset)), (Some("u_adam"), Some("acc_1"), Some("ast_1")));
    assert_eq!((id(&chain.bond), id(&chain.session)), (Some("bnd_b1"), Some("ses_1")));
    assert_eq!((id(&chain.device_session), id(&chain.consent)), (Some("ds_1"), Some("con_1")));
    assert_eq!((id(&chain.family), id(&chain.client)), (Some("fam_1"), None));
    assert_eq!(ids(&chain.device.as_ref().unwrap().credentials), ["crd_1"]);
    let ends: Vec<Option<u64>> = facts.anchors_now.iter().map(|now| now.map(|now| now.end_epoch)).collect();
    assert_eq!(ends, [Some(0), Some(BEGAN as u64), None, Some(0)]);
    let app = TokenFamily { asset: Some("ast_1".parse().unwrap()), ..family("2", "eve") };
    keep(&*store, [new(app)]).await;
    let facts = store.load_refresh(caller("other"), "fam_2".parse().unwrap()).await.unwrap();
    assert_eq!((id(&facts.chain.client), id(&facts.chain.asset)), (Some("app"), Some("ast_1")));
    let strangers = facts.chain.device.is_none() && facts.chain.device_session.is_none();
    assert!(strangers, "a device that does not act carries no app's family on by its key");
}

pub async fn a_pairing_comes_with_device_owner_and_family(store: Arc<dyn Store>) {
    household(&*store).await;
    let asks = |name: &str, code: &str, device: &str, state| Pairing {
        device: Some(device.parse().unwrap()),
        state,
        ..pairing(name, code)
    };
    let approved = PairingState::Approved {
        user: "u_adam".parse().unwrap(),
        account: "acc_1".parse().unwrap(),
        at: BEGAN,
        auth_time: BEGAN,
        methods: Vec::new(),
    };
    let consumed = PairingState::Consumed { family: "fam_1".parse().unwrap() };
    keep(&*store, [new(asks("1", "A", "dev_1", approved)), new(asks("2", "B", "dev_2", PairingState::Pending))]).await;
    keep(&*store, [new(asks("3", "C", "dev_1", consumed)), new(family("1", "adam"))]).await;
    let facts = store.load_pairing(caller("app"), digest("1")).await.unwrap();
    assert_eq!((owned_ids(&facts.owned), id(&facts.user), id(&facts.account)), (OWNED, Some("u_adam"), Some("acc_1")));
    assert_eq!((ids(&facts.bonds), called_by(&facts.caller)), (vec!["bnd_b1", "bnd_m1"], Some("app")));
    let consumed = store.load_pairing(caller("app"), digest("3")).await.unwrap();
    assert_eq!((id(&consumed.family), id(&consumed.user)), (Some("fam_1"), None));
    let looks = |code: &str, user: &str| store.load_pairing_by_user_code(digest(code), user.parse().unwrap());
    let unowned = looks("B", "u_adam").await.unwrap();
    assert_eq!(called_by(&unowned.caller), Some("app"), "the client that asked");
    assert_eq!((owned_ids(&unowned.owned), ids(&unowned.bonds)), ([Some("dev_2"), None, None], vec!["bnd_m1"]));
    let stranger = looks("A", "u_neighbour").await.unwrap();
    assert_eq!(ids(&stranger.bonds), ["bnd_b2"], "a household of one's own says nothing about another's thing");
}

pub async fn a_registration_sees_the_device_by_all_it_is_called(store: Arc<dyn Store>) {
    household(&*store).await;
    let query = RegistrationQuery {
        user: Some("u_adam".to_owned()),
        asset: Some("ast_1".to_owned()),
        did: Some("dev_1".parse().unwrap()),
        external_id: None,
        model: Some("spk".to_owned()),
        serial: Some("S-1".to_owned()),
        key_thumbprint: Some("key-1".to_owned()),
        actor_once: Some("actor".to_owned()),
        account: Some("acc_2".to_owned()),
        subject_anchors: vec![Anchor::new(AnchorKind::Client, "other"), Anchor::new(AnchorKind::User, "u_none")],
    };
    let used = Change::Identity(identity::Change::Once { key: "actor".to_owned(), until: BEGAN + 60 });
    keep(&*store, [used]).await;
    let facts = store.load_registration(caller("app"), query.clone()).await.unwrap();
    for owned in [&facts.by_asset, &facts.by_did, &facts.by_serial, &facts.by_key] {
        assert_eq!(owned_ids(owned), OWNED);
    }
    assert_eq!((id(&facts.user), id(&facts.account)), (Some("u_adam"), Some("acc_1")));
    assert_eq!(id(&facts.named_account), Some("acc_2"));
    assert_eq!((id(&facts.product), facts.actor_used), (Some("prd_spk"), true));
    assert_eq!((ids(&facts.memberships), ids(&facts.bonds)), (vec!["bnd_m1"], vec!["bnd_b1"]));
    assert_eq!(facts.anchors_now, [Some(Default::default()), None]);
    let named = RegistrationQuery { did: None, external_id: Some("maker-1".to_owned()), ..query.clone() };
    assert_eq!(owned_ids(&store.load_registration(caller("app"), named).await.unwrap().by_did), OWNED);
    let closed = RegistrationQuery { asset: Some("ast_0".to_owned()), ..query };
    let facts = store.load_registration(caller("app"), closed).await.unwrap();
    assert_eq!(owned_ids(&facts.by_asset), NOBODY, "a closed title names nothing");
}

pub async fn a_renewal_sees_the_title_with_all_who_hold_it(store: Arc<dyn Store>) {
    household(&*store).await;
    let query = RenewalQuery {
        asset: "ast_1".to_owned(),
        client: Some("other".to_owned()),
        anchors: vec![
            Anchor::new(AnchorKind::Bond, "bnd_m1"),
            Anchor::new(AnchorKind::Bond, "bnd_b1"),
            Anchor::new(AnchorKind::User, "u_none"),
            Anchor::new(AnchorKind::Token, "jti-1"),
        ],
    };
    let facts = store.load_renewal(caller("app"), query.clone()).await.unwrap();
    assert_eq!((id(&facts.asset), id(&facts.account), id(&facts.user)), (Some("ast_1"), Some("acc_1"), Some("u_adam")));
    assert_eq!((id(&facts.client), called_by(&facts.caller)), (Some("other"), Some("app")));
    assert_eq!(facts.device.as_ref().map(|it| it.device.id.as_str()), Some("dev_1"));
    assert_eq!((ids(&facts.bonds), facts.held), (vec!["bnd_b1", "bnd_m1"], true));
    assert_eq!(ids(&facts.trust_anchors), ["ca_1"], "of its product alone");
    assert_eq!(facts.anchors_now, [Some(Default::default()), Some(Default::default()), None, Some(Default::default())]);
    let unlisted = RenewalQuery { client: None, anchors: Vec::new(), ..query.clone() };
    let facts = store.load_renewal(caller("app"), unlisted).await.unwrap();
    assert!(facts.bonds.is_empty() && facts.user.is_none(), "nobody the token does not name");
    assert!(facts.held, "and yet somebody holds it");
    let nothing = RenewalQuery { asset: "ast_none".to_owned(), ..query };
    let facts = store.load_renewal(caller("app"), nothing).await.unwrap();
    assert!(facts.asset.is_none() && facts.device.is_none() && facts.user.is_none() && !facts.held);
}

pub async fn a_trade_sees_what_the_token_hangs_from(store: Arc<dyn Store>) {
    household(&*store).await;
    keep(&*store, [new(family("1", "adam")), new(consent("1", "adam", "app")), new(device_session("1", "1", "1"))])
        .await;
    let generation = store.head().await.unwrap().generation;
    let anchors = [
        (AnchorKind::Tenant, generation.as_str()),
        (AnchorKind::Client, "app"),
        (AnchorKind::User, "u_adam"),
        (AnchorKind::Account, "acc_1"),
        (AnchorKind::Asset, "ast_1"),
        (AnchorKind::Bond, "bnd_b1"),
        (AnchorKind::Device, "dev_1"),
        (AnchorKind::Session, "ds_1"),
        (AnchorKind::Session, "ses_1"),
        (AnchorKind::Consent, "con_1"),
        (AnchorKind::Family, "fam_1"),
        (AnchorKind::Tenant, "another"),
    ]
    .map(|(kind, id)| Anchor::new(kind, id));
    let facts = store.load_trade(caller("other"), anchors.to_vec()).await.unwrap();
    let chain = &facts.chain;
    assert_eq!((id(&chain.user), id(&chain.account), id(&chain.asset)), (Some("u_adam"), Some("acc_1"), Some("ast_1")));
    assert_eq!((id(&chain.bond), id(&chain.client)), (Some("bnd_b1"), Some("app")));
    assert_eq!((id(&chain.session), id(&chain.device_session)), (Some("ses_1"), Some("ds_1")));
    assert_eq!((id(&chain.consent), id(&chain.family)), (Some("con_1"), Some("fam_1")));
    assert_eq!(chain.device.as_ref().map(|it| it.device.id.as_str()), Some("dev_1"));
    assert_eq!(facts.anchors_now.iter().filter(|now| now.is_some()).count(), 11);
    assert_eq!(facts.anchors_now[11], None, "another generation is dead");
}
