//! `/my`: things, who may do what, and how it ends.

use http::StatusCode;
use identity::bond::BondRole;
use identity::{Account, Asset, Bond, Device, DeviceSession, Product, RecordKey, User, Write};
use oauth::{Client, Consent, TokenFamily};
use serde_json::{Value, json};
use store::{Change, Commit, Store as _};

use super::world::{World, form};

fn parse<T: serde::de::DeserializeOwned>(record: Value) -> T {
    serde_json::from_value(record).unwrap()
}

fn bond(id: &str, user: &User, target: Value, role: BondRole) -> Bond {
    parse(json!({
        "id": id, "holder": { "kind": "user", "id": user.id }, "target": target, "role": role,
        "origin": "pairing", "state": "active", "created_at": 1_764_000_000,
    }))
}

fn family(id: &str, user: &User, device: Option<&str>, anchors: Value) -> TokenFamily {
    parse(json!({
        "id": id, "client": "music", "user": user.id, "device": device, "asset": "ast_1", "scope": "telemetry:read",
        "resources": [], "anchors": anchors, "current": format!("refresh-{id}"), "turn": 1, "methods": [],
        "created_at": 1_764_000_000, "used_at": 1_764_000_000, "expires_at": 1_900_000_000,
    }))
}

async fn keep(world: &World, changes: Vec<Change>) {
    world.store.commit(Commit { changes, now: 1_764_000_000, ..Commit::default() }).await.unwrap();
}

fn registry<T>(record: T) -> Change
where
    Write<T>: Into<identity::Change>,
{
    let change: identity::Change = Write::new(record).into();
    change.into()
}

fn oauth<T>(record: T) -> Change
where
    Write<T>: Into<oauth::Change>,
{
    let change: oauth::Change = Write::new(record).into();
    change.into()
}

/// A speaker of this person, paired: the app `music` and the device itself act.
async fn speaker(world: &World, owner: &User) {
    let product: Product = parse(json!({ "id": "prd_1", "model": "SPK-1", "name": "Speaker One", "icon": "speaker" }));
    let device: Device = parse(json!({
        "id": "dev_1", "product": "prd_1", "serial": "SPK-000123", "state": "active", "created_at": 1_764_000_000,
    }));
    let session: DeviceSession = parse(json!({
        "id": "ds_1", "device": "dev_1", "credential": "crd_1", "opened_at": 1_764_000_000, "expires_at": 1_900_000_000,
    }));
    let asset: Asset = parse(json!({
        "id": "ast_1", "device": "dev_1", "account": owner.account, "name": "Kitchen <speaker>", "room": "Kitchen",
        "possession": "proved", "opened_at": 1_764_000_000,
    }));
    let client: Client = parse(json!({
        "id": "music", "name": "Music app", "auth": "none", "grant_types": ["refresh_token"],
        "created_at": 1_764_000_000,
    }));
    let target = json!({ "kind": "asset", "id": "ast_1" });
    let anchors = json!(["b.bnd_1.0", "as.ast_1.0"]);
    keep(
        world,
        vec![
            registry(product),
            registry(device),
            registry(session),
            registry(asset),
            registry(bond("bnd_1", owner, target, BondRole::Owner)),
            oauth(client),
            oauth(family("fam_app", owner, None, anchors.clone())),
            oauth(family("fam_device", owner, Some("dev_1"), anchors)),
        ],
    )
    .await;
}

async fn is_ended(world: &World, kind: identity::Kind, id: &str) -> bool {
    let stored = world.store.load_record(RecordKey { kind, id: id.into() }).await.unwrap();
    stored.is_none_or(|stored| stored.epochs.end_epoch > 0)
}

async fn family_ended(world: &World, id: &str) -> bool {
    is_ended(world, identity::Kind("token_family"), id).await
}

async fn record<T: identity::Record + serde::de::DeserializeOwned>(world: &World, id: &str) -> T {
    store::record::<T>(&*world.store, id).await.unwrap().unwrap().record
}

#[tokio::test]
async fn a_thing_is_shown_with_all_who_may_do_something() {
    let world = World::new().await;
    let adam = world.adam().await;
    speaker(&world, &adam).await;
    let mut browser = world.signed_in("adam@example.com").await;
    let home = browser.get("/my").await;
    assert!(
        home.says("/my/things/ast_1") && home.says("Kitchen &#60;speaker&#62;") && home.says("Only you"),
        "{}",
        home.body
    );
    let page = browser.get("/my/things/ast_1").await;
    assert!(page.says("Adam") && page.says("Music app") && page.says("Speaker One"), "{}", page.body);
    assert!(page.says("000123") && !page.says("SPK-000123"), "the end of the serial is enough");
    assert!(page.says("2025") && page.says("/my/things/ast_1/access/fam_app/end"), "{}", page.body);
    assert!(!page.says("access/bnd_1/end"), "the owner's own access ends by removing the thing");
    assert!(!page.says("access/fam_device/end"));
}

#[tokio::test]
async fn an_apps_access_ends_after_a_question_that_names_it() {
    let world = World::new().await;
    let adam = world.adam().await;
    speaker(&world, &adam).await;
    let mut browser = world.signed_in("adam@example.com").await;
    let end = "/my/things/ast_1/access/fam_app/end";
    let question = browser.get(end).await;
    assert!(question.says("Music app") && !family_ended(&world, "fam_app").await, "asking ends nothing");
    let answer = browser.submit(end, end, &[]).await;
    assert_eq!((answer.status, answer.to()), (StatusCode::SEE_OTHER, "/my/things/ast_1"));
    assert!(family_ended(&world, "fam_app").await && !family_ended(&world, "fam_device").await);
    let mails = world.mails().await;
    let told = mails.iter().find(|mail| mail.subject.contains("Music app no longer has access")).unwrap();
    assert!(told.to.expose() == "adam@example.com" && told.text.contains("/my/things/ast_1"), "{}", told.text);
    let page = browser.get("/my/things/ast_1").await;
    assert!(page.says("Music app no longer has access.") && !page.says("fam_app"), "{}", page.body);
    assert_eq!(browser.get(end).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_removed_thing_leaves_the_account_with_everything_that_hung_from_it() {
    let world = World::new().await;
    let adam = world.adam().await;
    speaker(&world, &adam).await;
    let mut browser = world.signed_in("adam@example.com").await;
    let remove = "/my/things/ast_1/remove";
    assert!(browser.get(remove).await.says("Kitchen &#60;speaker&#62;"));
    let answer = browser.submit(remove, remove, &[]).await;
    assert_eq!((answer.status, answer.to()), (StatusCode::SEE_OTHER, "/my"));
    let home = browser.get("/my").await;
    assert!(home.says("is no longer in your account") && !home.says("ast_1"), "{}", home.body);
    let asset: Asset = record(&world, "ast_1").await;
    assert!(asset.closed_at.is_some());
    assert!(is_ended(&world, identity::Kind("bond"), "bnd_1").await);
    assert!(is_ended(&world, identity::Kind("asset"), "ast_1").await);
    let device: Device = record(&world, "dev_1").await;
    assert!(!matches!(device.state, identity::device::DeviceState::Retired), "it can be paired again");
    assert_eq!(browser.get("/my/things/ast_1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.events("asset.released").await, 1);
}

#[tokio::test]
async fn a_thing_of_others_is_as_if_there_were_none() {
    let world = World::new().await;
    let adam = world.adam().await;
    speaker(&world, &adam).await;
    world.user("eve@example.com", "Eve", &[]).await;
    let mut eve = world.signed_in("eve@example.com").await;
    assert!(!eve.get("/my").await.says("ast_1"));
    let csrf = eve.get("/signout").await.field("csrf").unwrap();
    for path in ["/my/things/ast_1", "/my/things/ast_2", "/my/things/x", "/my/things/bnd_1"] {
        assert_eq!(eve.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/my/things/ast_1/remove", "/my/things/ast_1/access/bnd_1/end", "/my/things/ast_1/access/fam_app/end"]
    {
        assert_eq!(eve.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
        let answer = eve.post_raw(path, form(&[("csrf", &csrf)])).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(!is_ended(&world, identity::Kind("bond"), "bnd_1").await && !family_ended(&world, "fam_app").await);
}

#[tokio::test]
async fn a_guest_sees_the_thing_and_may_leave_it_but_removes_nothing() {
    let world = World::new().await;
    let adam = world.adam().await;
    let bianca = world.user("bianca@example.com", "Bianca", &[]).await;
    speaker(&world, &adam).await;
    let target = json!({ "kind": "asset", "id": "ast_1" });
    keep(&world, vec![registry(bond("bnd_2", &bianca, target, BondRole::Guest))]).await;
    let mut guest = world.signed_in("bianca@example.com").await;
    let page = guest.get("/my/things/ast_1").await;
    assert!(
        page.says("access/bnd_2/end") && !page.says("access/fam_app/end") && !page.says("/remove"),
        "{}",
        page.body
    );
    assert_eq!(guest.get("/my/things/ast_1/remove").await.status, StatusCode::FORBIDDEN);
    let csrf = guest.get("/signout").await.field("csrf").unwrap();
    for path in ["/my/things/ast_1/remove", "/my/things/ast_1/access/bnd_1/end"] {
        assert!(guest.post_raw(path, form(&[("csrf", &csrf)])).await.status.is_client_error(), "{path}");
    }
    assert!(!is_ended(&world, identity::Kind("bond"), "bnd_1").await);
    let mut owner = world.signed_in("adam@example.com").await;
    assert!(owner.get("/my").await.says("Bianca"));
    let end = "/my/things/ast_1/access/bnd_2/end";
    assert!(owner.get(end).await.says("Bianca"));
    assert_eq!(owner.submit(end, end, &[]).await.to(), "/my/things/ast_1");
    assert!(is_ended(&world, identity::Kind("bond"), "bnd_2").await);
    assert_eq!(guest.get("/my/things/ast_1").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_bond_is_not_ended_under_the_address_of_another_thing() {
    let world = World::new().await;
    let adam = world.adam().await;
    let eve = world.user("eve@example.com", "Eve", &[]).await;
    speaker(&world, &adam).await;
    let account: Account = record(&world, eve.account.as_str()).await;
    let membership = json!({ "kind": "account", "id": account.id });
    keep(&world, vec![registry(bond("bnd_3", &adam, membership, BondRole::Member))]).await;
    let mut browser = world.signed_in("adam@example.com").await;
    let csrf = browser.get("/signout").await.field("csrf").unwrap();
    let answer = browser.post_raw("/my/things/ast_1/access/bnd_3/end", form(&[("csrf", &csrf)])).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(!is_ended(&world, identity::Kind("bond"), "bnd_3").await);
}

#[tokio::test]
async fn an_app_that_may_no_longer_act_loses_consent_and_tokens() {
    let world = World::new().await;
    let adam = world.adam().await;
    speaker(&world, &adam).await;
    let consent: Consent = parse(json!({
        "id": "con_1", "user": adam.id, "client": "music", "scope": "openid", "given_at": 1_764_000_000,
    }));
    keep(&world, vec![oauth(consent)]).await;
    let mut browser = world.signed_in("adam@example.com").await;
    assert!(browser.get("/my/security").await.says("Music app"));
    let end = "/my/apps/music/end";
    assert!(browser.get(end).await.says("Music app"));
    assert_eq!(browser.submit(end, end, &[]).await.to(), "/my/security");
    let page = browser.get("/my/security").await;
    assert!(page.says("Music app no longer has access.") && !page.says(end), "{}", page.body);
    let consent: Consent = record(&world, "con_1").await;
    assert!(consent.withdrawn_at.is_some() && is_ended(&world, identity::Kind("consent"), "con_1").await);
    assert!(family_ended(&world, "fam_app").await);
    assert!(!family_ended(&world, "fam_device").await, "the speaker keeps playing");
}

#[tokio::test]
async fn signing_out_everywhere_ends_what_apps_hold_and_spares_devices() {
    let world = World::new().await;
    let adam = world.adam().await;
    speaker(&world, &adam).await;
    let mut phone = world.signed_in("adam@example.com").await;
    let mut desk = world.signed_in("adam@example.com").await;
    let answer = desk.submit("/my/sessions/end", "/my/sessions/end", &[]).await;
    assert_eq!(answer.to(), "/my/security");
    assert!(desk.is_signed_in().await && !phone.is_signed_in().await);
    assert!(family_ended(&world, "fam_app").await && !family_ended(&world, "fam_device").await);
}

#[tokio::test]
async fn what_a_restore_suspended_waits_for_the_owners_yes() {
    let world = World::new().await;
    let (adam, eve) = (world.adam().await, world.user("eve@example.com", "Eve", &[]).await);
    speaker(&world, &adam).await;
    let suspended = |bond: Bond| Bond { state: identity::bond::BondState::Suspended, ..bond };
    let own: identity::Fact<Bond> = store::record(&*world.store, "bnd_1").await.unwrap().unwrap();
    let change: identity::Change = own.rewrite(suspended(own.record.clone())).into();
    let lent = bond("bnd_lent", &eve, json!({ "kind": "asset", "id": "ast_1" }), BondRole::Guest);
    keep(&world, vec![change.into(), registry(suspended(lent))]).await;

    let mut browser = world.signed_in("adam@example.com").await;
    let page = browser.get("/my/things/ast_1").await;
    assert!(page.says("Waiting for your yes") && page.says("bnd_1/confirm") && page.says("bnd_lent/confirm"));
    let confirmed = browser.submit("/my/things/ast_1", "/my/things/ast_1/access/bnd_1/confirm", &[]).await;
    assert_eq!((confirmed.status, confirmed.to()), (StatusCode::SEE_OTHER, "/my/things/ast_1"), "{}", confirmed.body);
    let state = async |id: &str| record::<Bond>(&world, id).await.state;
    assert_eq!(state("bnd_1").await, identity::bond::BondState::Active);
    let page = browser.get("/my/things/ast_1").await;
    assert!(page.says("has access again") && !page.says("bnd_1/confirm") && page.says("bnd_lent/confirm"));
    assert_eq!(world.events("bond.resumed").await, 1);

    // Who it was lent to sees nothing and cannot vouch for themselves.
    let mut others = world.signed_in("eve@example.com").await;
    assert_eq!(others.get("/my/things/ast_1").await.status, StatusCode::NOT_FOUND);
    let refused = others.submit("/signout", "/my/things/ast_1/access/bnd_lent/confirm", &[]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.body);
    assert_eq!(state("bnd_lent").await, identity::bond::BondState::Suspended);
    let twice = browser.submit("/my/things/ast_1", "/my/things/ast_1/access/bnd_1/confirm", &[]).await;
    assert_eq!(twice.status, StatusCode::NOT_FOUND, "it does not wait any more");
}

#[tokio::test]
async fn a_membership_that_a_restore_suspended_waits_for_an_owners_yes() {
    let world = World::new().await;
    let (adam, eve) = (world.adam().await, world.user("eve@example.com", "Eve", &[]).await);
    speaker(&world, &adam).await;
    let home = json!({ "kind": "account", "id": adam.account });
    let member =
        Bond { state: identity::bond::BondState::Suspended, ..bond("bnd_eve", &eve, home.clone(), BondRole::CoOwner) };
    // Eve belongs here and nowhere else.
    let known: identity::Fact<User> = store::record(&*world.store, eve.id.as_str()).await.unwrap().unwrap();
    let moved: identity::Change = known.rewrite(User { account: adam.account.clone(), ..eve.clone() }).into();
    let own = world.store.load_things(eve.id.clone()).await.unwrap().accounts.remove(0).1;
    let left = Bond { state: identity::bond::BondState::Ended, ended_at: Some(1_764_000_000), ..own.record.clone() };
    let left: identity::Change = own.rewrite(left).into();
    keep(&world, vec![registry(member), moved.into(), left.into()]).await;

    let mut hers = world.signed_in("eve@example.com").await;
    let page = hers.get("/my/people").await;
    assert!(page.says("You are a member again once an owner says") && !page.says("Adam</bdi>"), "{}", page.body);
    assert_eq!(hers.get("/my/things/ast_1").await.status, StatusCode::NOT_FOUND);
    let page = hers.get("/my").await;
    assert!(page.says("waits for its owner") && !page.says("Somebody waits for your yes"), "{}", page.body);
    let refused = hers.submit("/signout", "/my/people/bnd_eve/confirm", &[]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "nobody vouches for themselves");

    let mut his = world.signed_in("adam@example.com").await;
    let page = his.get("/my").await;
    assert!(page.says("Somebody waits for your yes") && !page.says("waits for its owner"), "{}", page.body);
    let page = his.get("/my/people").await;
    assert!(page.says("Waiting for your yes") && page.says("/my/people/bnd_eve/confirm"), "{}", page.body);
    let confirmed = his.submit("/my/people", "/my/people/bnd_eve/confirm", &[]).await;
    assert_eq!((confirmed.status, confirmed.to()), (StatusCode::SEE_OTHER, "/my/people"), "{}", confirmed.body);
    let page = his.get("/my/people").await;
    assert!(page.says("Eve is a member again") && !page.says("bnd_eve/confirm"), "{}", page.body);
    assert_eq!(world.events("bond.resumed").await, 1);
    assert!(hers.get("/my/people").await.says("Adam</bdi>"));
    for browser in [&mut hers, &mut his] {
        assert!(!browser.get("/my").await.says("restored from a backup"));
    }
    assert_eq!(hers.get("/my/things/ast_1").await.status, StatusCode::OK);
    let twice = his.submit("/signout", "/my/people/bnd_eve/confirm", &[]).await;
    assert_eq!(twice.status, StatusCode::NOT_FOUND, "it does not wait any more");
}
