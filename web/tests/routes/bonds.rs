//! `/bonds`

use identity::Role;
use serde_json::json;

use crate::world::{As, World};

#[tokio::test]
async fn support_ends_a_bond_and_the_title_closes_with_the_last_owners() {
    let world = World::new().await;
    let title = world.title("u_adam").await;
    let support = world.staff("u_help", &[Role::Support]).await;
    let place = format!("/bonds/{}", title.bond);
    let stale = world.act(format!("{place}/end")).if_match(&json!(9)).by(&support).send().await;
    assert_eq!(stale.problem(), (412, "version_mismatch".into()));
    let ended = world.act(format!("{place}/end")).by(&support).send().await;
    let read = world.get(&place).by(&support).send().await;
    assert_eq!((ended.header("etag"), ended.json()), (read.header("etag"), read.json()));
    assert_eq!(read.json()["state"], "ended");
    let kinds = world.kinds().await;
    assert!(kinds.contains(&"bond.ended".to_owned()) && kinds.contains(&"asset.released".to_owned()), "{kinds:?}");
    let asset = world.get(format!("/assets/{}", title.asset)).by(&As::Local).send().await.ok();
    assert!(asset["closed_at"].is_i64());
    let again = world.act(format!("{place}/end")).by(&support).send().await;
    assert_eq!(again.json(), read.json(), "ending twice is ending");
    assert_eq!(world.kinds().await, kinds);
}

#[tokio::test]
async fn the_last_owner_of_an_account_stays() {
    let world = World::new().await;
    let title = world.title("u_adam").await;
    let end = format!("/bonds/{}/end", title.membership);
    assert_eq!(world.act(&end).by(&As::Local).send().await.problem(), (409, "last_owner".into()));
    assert_eq!(world.act("/bonds/bnd_none/end").by(&As::Local).send().await.problem().0, 404);
    let query = "/bonds?filter=target.kind%20eq%20%22asset%22%20and%20holder.id%20eq%20%22u_adam%22";
    let list = world.get(query).by(&As::Local).send().await.ok();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn support_lets_a_suspended_bond_hold_again_and_nothing_that_ended() {
    let world = World::new().await;
    let title = world.title("u_adam").await;
    let known: identity::Fact<identity::Bond> = store::record(&*world.store, &title.bond).await.unwrap().unwrap();
    let waiting = identity::Bond { state: identity::bond::BondState::Suspended, ..known.record.clone() };
    world.keep(vec![known.rewrite(waiting).into()]).await;
    let support = world.staff("u_help", &[Role::Support]).await;
    let place = format!("/bonds/{}", title.bond);
    let resumed = world.act(format!("{place}/resume")).by(&support).send().await;
    let read = world.get(&place).by(&support).send().await;
    assert_eq!((resumed.header("etag"), resumed.json()), (read.header("etag"), read.json()));
    assert_eq!(read.json()["state"], "active");
    assert!(world.kinds().await.contains(&"bond.resumed".to_owned()));
    let again = world.act(format!("{place}/resume")).by(&support).send().await;
    assert_eq!(again.json(), read.json(), "what holds holds");
    world.act(format!("{place}/end")).by(&support).send().await.ok();
    let late = world.act(format!("{place}/resume")).by(&support).send().await;
    assert_eq!(late.problem(), (409, "illegal_transition".into()));
    let reader = world.service("reader", "bonds:read");
    assert_eq!(world.act(format!("{place}/resume")).by(&reader).send().await.status, 403);
}

#[tokio::test]
async fn a_bond_that_waits_ends_with_the_device_that_retires() {
    let world = World::new().await;
    let title = world.title("u_adam").await;
    let known: identity::Fact<identity::Bond> = store::record(&*world.store, &title.bond).await.unwrap().unwrap();
    let waiting = identity::Bond { state: identity::bond::BondState::Suspended, ..known.record.clone() };
    world.keep(vec![known.rewrite(waiting).into()]).await;
    let asset = world.get(format!("/assets/{}", title.asset)).by(&As::Local).send().await.ok();
    let device = asset["device"].as_str().unwrap();
    world.act(format!("/devices/{device}/retire")).by(&As::Local).send().await.ok();
    let bond = world.get(format!("/bonds/{}", title.bond)).by(&As::Local).send().await.ok();
    assert_eq!(bond["state"], "ended");
}
