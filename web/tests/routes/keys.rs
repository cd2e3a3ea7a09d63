//! The keys of a tenant over time: rotation by schedule, another master key,
//! several nodes on one store.

use std::sync::Arc;

use app::{App, Fault, MasterKey, OTHER_MASTER_KEY};
use authority::Clock as _;
use futures_util::future::join;
use jose::{Alg, jws};
use oauth::token::{TokenKind, Unsigned};
use serde_json::json;

use crate::world::{ISSUER, World, ground, start_with};

const DAY: u64 = 86_400;

/// A token that a node makes now, of an hour's life.
fn token(app: &App, opaque: bool) -> String {
    let now = app.now();
    let claims = json!({
        "iss": ISSUER, "aud": ISSUER, "sub": "svc", "client_id": "svc", "scope": "devices:read", "iat": now,
        "exp": now + 3600, "jti": format!("j-{now}"), "anc": [format!("t.{}.0", app.tenant().generation)],
    });
    let claims = claims.to_string().into_bytes();
    let unsigned = Unsigned { kind: TokenKind::Access, typ: "at+jwt", alg: Alg::ES256, opaque, claims };
    app.keys().sign(&unsigned, now, || [9; 24]).unwrap()
}

fn kid(token: &str) -> String {
    jws::Unverified::parse(token).unwrap().header().kid().unwrap().to_owned()
}

fn published(app: &App) -> Vec<String> {
    app.published_keys().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn holds(app: &App, token: &str) -> bool {
    app.authority().verify(token, app.now()).is_ok()
}

#[tokio::test]
async fn keys_follow_each_other_by_schedule_and_no_token_is_lost_between_them() {
    let world = World::new().await;
    let first = kid(&token(&world.app, false));
    world.app.beat().await.unwrap();
    assert_eq!(world.app.known_keys().await.unwrap().len(), 3, "nothing is due yet");
    world.clock.pass(89 * DAY);
    world.app.beat().await.unwrap();
    let known = world.app.known_keys().await.unwrap();
    assert_eq!(known.len(), 6, "one successor for each algorithm");
    let next = known.iter().find(|key| key.alg == Alg::ES256 && key.kid != first).unwrap();
    assert!(next.not_before >= world.clock.now() + oauth::signing_key::PUBLISHED_BEFORE);
    assert!(published(&world.app).contains(&next.kid), "published before it signs");
    let before = token(&world.app, false);
    assert_eq!(kid(&before), first);

    world.clock.pass(u64::try_from(next.not_before - world.clock.now()).unwrap() - 30);
    let during = token(&world.app, false);
    assert_eq!(kid(&during), first);
    world.clock.pass(30);
    let after = token(&world.app, false);
    assert_eq!(kid(&after), next.kid, "no beat is needed for it to sign");
    assert!(holds(&world.app, &during) && holds(&world.app, &after));
    assert!(published(&world.app).contains(&first), "receivers still want it");
    let other = world.restarted().await;
    assert!(holds(&other, &during) && holds(&other, &after), "another node agrees without a message");
    assert_eq!(kid(&token(&other, false)), next.kid);
}

#[tokio::test]
async fn a_key_is_dropped_once_nothing_it_signed_can_count_and_not_before() {
    let world = World::new().await;
    let first = kid(&token(&world.app, false));
    world.app.rotate_keys().await.unwrap();
    let known = async || world.app.known_keys().await.unwrap().iter().any(|key| key.kid == first);
    let retired = 3_600 + DAY + 30 * DAY;
    world.clock.pass(retired);
    world.app.beat().await.unwrap();
    assert!(known().await, "the last renewal may still come");
    assert!(!published(&world.app).contains(&first), "no receiver wants it any more");
    world.clock.pass(1);
    world.app.beat().await.unwrap();
    assert!(!known().await);
}

#[tokio::test]
async fn of_two_nodes_that_find_a_key_due_at_once_one_makes_it() {
    let world = World::new().await;
    let other = world.restarted().await;
    world.clock.pass(89 * DAY);
    let (one, two) = join(world.app.beat(), other.beat()).await;
    one.unwrap();
    two.unwrap();
    assert_eq!(world.app.known_keys().await.unwrap().len(), 6);
    assert_eq!(world.kinds().await.iter().filter(|kind| *kind == "key.rotated").count(), 3);
    let (one, two) = join(world.app.rotate_keys(), other.rotate_keys()).await;
    assert_eq!((one.unwrap().len(), two.unwrap().len()), (3, 3), "who asks twice by hand gets two");
    let signing = world.app.known_keys().await.unwrap();
    let open = signing.iter().filter(|key| key.alg == Alg::ES256 && key.retire_at == i64::MAX);
    assert_eq!(open.count(), 1, "one line of succession");
}

#[tokio::test]
async fn another_master_key_ends_nothing_and_the_old_one_opens_nothing() {
    let world = World::new().await;
    let other = world.restarted().await;
    let (signed, sealed) = (token(&world.app, false), token(&world.app, true));
    let resealed = world.app.reseal_keys(&MasterKey::new([8; 32])).await.unwrap();
    assert_eq!((resealed.keys, resealed.master), (3, MasterKey::new([8; 32]).name().unwrap()));

    let again = world.started_with([8; 32]).await.unwrap();
    for node in [&world.app, &again] {
        assert!(holds(node, &signed) && holds(node, &sealed));
        assert!(holds(&again, &token(node, false)) && holds(&world.app, &token(node, true)));
    }
    let refused = world.started_with([7; 32]).await.err().unwrap();
    assert!(matches!(refused, Fault::Broken(OTHER_MASTER_KEY)), "{refused}");

    // The node that was not there goes on with what it has open, and makes nothing under the old key.
    other.beat().await.unwrap();
    assert!(holds(&again, &token(&other, false)));
    assert!(matches!(other.rotate_keys().await, Err(Fault::Broken(OTHER_MASTER_KEY))));
    assert!(matches!(other.reseal_keys(&MasterKey::new([9; 32])).await, Err(Fault::Broken(OTHER_MASTER_KEY))));
    assert!(world.started_with([8; 32]).await.is_ok());

    // Keys made later it verifies, though it cannot sign with them.
    world.app.rotate_keys().await.unwrap();
    world.clock.pass(3_600);
    other.beat().await.unwrap();
    assert!(holds(&other, &token(&world.app, false)));
}

#[tokio::test]
async fn sealing_anew_and_rotating_at_once_leave_one_key_that_opens_all() {
    let world = World::new().await;
    let other: Arc<App> = world.restarted().await;
    let to = MasterKey::new([8; 32]);
    let (resealed, rotated) = join(world.app.reseal_keys(&to), other.rotate_keys()).await;
    resealed.unwrap();
    assert!(rotated.is_ok() || matches!(rotated, Err(Fault::Broken(OTHER_MASTER_KEY))), "{rotated:?}");
    assert!(world.started_with([8; 32]).await.is_ok(), "every key opens");
}

#[tokio::test]
async fn nodes_that_open_a_new_store_at_once_share_one_secret_and_one_set_of_keys() {
    let (store, clock, _folder) = ground();
    let (one, two) = join(start_with(&store, &clock, 1, [7; 32]), start_with(&store, &clock, 1 << 40, [7; 32])).await;
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.known_keys().await.unwrap().len(), 3);
    two.beat().await.unwrap();
    one.beat().await.unwrap();
    assert!(holds(&two, &token(&one, true)) && holds(&one, &token(&two, false)));
}
