//! Raises, epochs, the store's time, the horizon, and what pruning keeps.

use std::sync::Arc;

use identity::{Account, Anchor, AnchorKind, BrowserSession, DeviceSession, Epochs, Fact, MailToken, Raise};
use oauth::pairing::PairingState;
use oauth::{AuthorizationCode, Pairing, TokenFamily};

use super::sample::*;
use crate::{Change, Conflict, Raised, Store};

/// Two windows of a tenant whose tokens live at most a day.
const TWO_WINDOWS: i64 = 2 * (super::MAX_TOKEN_LIFE + 120);
const DAY: i64 = 86_400;

async fn epochs(store: &dyn Store, kind: AnchorKind, id: &str) -> Option<Epochs> {
    store.load_epochs(vec![Anchor::new(kind, id)]).await.unwrap()[0]
}

async fn raise(store: &dyn Store, raise: Raise, now: i64) -> Raised {
    commit(store, [raise.into()], now).await.unwrap().raised.remove(0)
}

pub async fn a_cut_leaves_grants_and_an_end_does_not(store: Arc<dyn Store>) {
    keep(&*store, [new(account("1"))]).await;
    let cut = raise(&*store, Raise::cut(AnchorKind::Account, "acc_1"), BEGAN).await;
    assert_eq!((cut.epoch, cut.end_epoch, cut.at), (BEGAN as u64, 0, BEGAN));
    let end = raise(&*store, Raise::end(AnchorKind::Account, "acc_1"), BEGAN + 10).await;
    assert_eq!((end.epoch, end.end_epoch), (BEGAN as u64 + 10, BEGAN as u64 + 10));
    let cut = raise(&*store, Raise::cut(AnchorKind::Account, "acc_1"), BEGAN + 20).await;
    assert_eq!((cut.epoch, cut.end_epoch), (BEGAN as u64 + 20, BEGAN as u64 + 10));
    let now = epochs(&*store, AnchorKind::Account, "acc_1").await;
    assert_eq!(now, Some(Epochs { epoch: cut.epoch, end_epoch: cut.end_epoch }));
    assert_eq!(kept::<Account>(&*store, "acc_1").await.epochs, now.unwrap());
}

pub async fn epochs_and_time_grow_also_when_clocks_stand_still_or_go_back(store: Arc<dyn Store>) {
    keep(&*store, [new(account("1"))]).await;
    let mut last = Epochs::default();
    let mut time = BEGAN;
    for now in [BEGAN, BEGAN, BEGAN - 5_000, BEGAN + 7, BEGAN + 6, -1, 0] {
        let raised = raise(&*store, Raise::end(AnchorKind::Account, "acc_1"), now).await;
        let head = store.head().await.unwrap();
        assert!(raised.epoch > last.epoch && raised.end_epoch > last.end_epoch);
        assert!(raised.at >= time && head.time == raised.at);
        (last, time) = (Epochs { epoch: raised.epoch, end_epoch: raised.end_epoch }, raised.at);
    }
    assert_eq!(time, BEGAN + 7);
}

pub async fn every_kind_of_anchor_can_be_raised_and_read(store: Arc<dyn Store>) {
    let records: Vec<Change> = vec![
        new(product("1")),
        new(trust_anchor("1", "1")),
        new(client("app")),
        new(user("1", "1")),
        new(account("1")),
        new(asset("1", "1", "1")),
        new(device("1", "1")),
        new(credential("1", "1")),
        new(bond("1", "1", "ast_1", identity::bond::BondRole::Owner)),
        new(consent("1", "1", "app")),
        new(browser_session("1", "1")),
        new(device_session("1", "1", "1")),
        new(family("1", "1")),
    ];
    keep(&*store, records).await;
    let anchors = [
        (AnchorKind::Product, "prd_1"),
        (AnchorKind::TrustAnchor, "ca_1"),
        (AnchorKind::Client, "app"),
        (AnchorKind::User, "u_1"),
        (AnchorKind::Account, "acc_1"),
        (AnchorKind::Asset, "ast_1"),
        (AnchorKind::Device, "dev_1"),
        (AnchorKind::Credential, "crd_1"),
        (AnchorKind::Bond, "bnd_1"),
        (AnchorKind::Consent, "con_1"),
        (AnchorKind::Session, "ses_1"),
        (AnchorKind::Session, "ds_1"),
        (AnchorKind::Family, "fam_1"),
    ];
    for (kind, id) in anchors {
        assert_eq!(epochs(&*store, kind, id).await, Some(Epochs::default()), "{id}");
        raise(&*store, Raise::end(kind, id), BEGAN + 1).await;
        let at = BEGAN as u64 + 1;
        assert_eq!(epochs(&*store, kind, id).await, Some(Epochs { epoch: at, end_epoch: at }), "{id}");
    }
    let (_, raises) = store.load_raises().await.unwrap();
    assert_eq!(raises.len(), anchors.len());
    assert!(raises.is_sorted_by_key(|raised| raised.number));
}

pub async fn a_missing_record_is_dead_and_cannot_be_raised(store: Arc<dyn Store>) {
    assert_eq!(epochs(&*store, AnchorKind::User, "u_none").await, None);
    assert_eq!(epochs(&*store, AnchorKind::Ruleset, "r").await, None);
    let result = commit(&*store, [Raise::end(AnchorKind::User, "u_none").into()], BEGAN).await;
    assert!(matches!(conflict(result), Conflict::Version(key) if key.id == "u_none"));
    keep(&*store, [new(user("1", "1")), Raise::end(AnchorKind::User, "u_1").into()]).await;
    assert!(epochs(&*store, AnchorKind::User, "u_1").await.unwrap().end_epoch > 0, "made by the same commit");
}

pub async fn a_token_is_alive_until_it_is_raised_and_a_tenant_by_its_generation(store: Arc<dyn Store>) {
    assert_eq!(epochs(&*store, AnchorKind::Token, "jti").await, Some(Epochs::default()));
    let raised = raise(&*store, Raise::token("jti", BEGAN + 60), BEGAN).await;
    assert_eq!(raised.token_expires, Some(BEGAN + 60));
    assert_eq!(epochs(&*store, AnchorKind::Token, "jti").await.unwrap().end_epoch, BEGAN as u64);
    let generation = store.head().await.unwrap().generation;
    assert_eq!(epochs(&*store, AnchorKind::Tenant, &generation).await, Some(Epochs::default()));
    assert_eq!(epochs(&*store, AnchorKind::Tenant, "another").await, None);
}

pub async fn raises_are_kept_for_two_windows_and_then_move_the_horizon(store: Arc<dyn Store>) {
    keep(&*store, [new(account("1")), new(account("2"))]).await;
    let early = raise(&*store, Raise::end(AnchorKind::Account, "acc_1"), BEGAN).await;
    let late = raise(&*store, Raise::end(AnchorKind::Account, "acc_2"), BEGAN + 50).await;
    let head = store.prune(BEGAN + TWO_WINDOWS).await.unwrap();
    assert_eq!((head.horizon, head.time), (0, BEGAN + TWO_WINDOWS));
    assert_eq!(store.load_raises().await.unwrap(), (head, vec![early, late.clone()]));
    let head = store.prune(BEGAN + TWO_WINDOWS + 1).await.unwrap();
    assert_eq!(head.horizon, BEGAN);
    assert_eq!(store.load_raises().await.unwrap().1, [late]);
    let still = epochs(&*store, AnchorKind::Account, "acc_1").await.unwrap();
    assert_eq!(still.end_epoch, BEGAN as u64, "the record itself remembers");
}

pub async fn neither_time_nor_horizon_ever_goes_back(store: Arc<dyn Store>) {
    keep(&*store, [new(account("1"))]).await;
    raise(&*store, Raise::end(AnchorKind::Account, "acc_1"), BEGAN).await;
    let high = store.prune(BEGAN + TWO_WINDOWS + 1).await.unwrap();
    assert_eq!(high.horizon, BEGAN);
    assert_eq!(store.prune(BEGAN).await.unwrap(), high);
    let again = raise(&*store, Raise::end(AnchorKind::Account, "acc_1"), BEGAN).await;
    assert_eq!(again.at, high.time);
    assert_eq!(store.head().await.unwrap().horizon, BEGAN);
}

pub async fn a_raised_again_anchor_is_kept_by_its_newest_raise(store: Arc<dyn Store>) {
    keep(&*store, [new(account("1"))]).await;
    raise(&*store, Raise::end(AnchorKind::Account, "acc_1"), BEGAN).await;
    let newest = raise(&*store, Raise::cut(AnchorKind::Account, "acc_1"), BEGAN + DAY).await;
    let head = store.prune(BEGAN + TWO_WINDOWS + 1).await.unwrap();
    let raises = store.load_raises().await.unwrap().1;
    assert!(raises.contains(&newest) && head.horizon <= BEGAN);
    assert_eq!(newest.end_epoch, BEGAN as u64, "the newest tells the end as well");
}

/// Its row stays as long as a late renewal could bring the token back.
pub async fn a_raised_token_is_remembered_past_its_last_renewal(store: Arc<dyn Store>) {
    let expires = BEGAN + 3_600;
    let gone = expires + 30 * DAY + 120;
    raise(&*store, Raise::token("jti", expires), BEGAN).await;
    store.prune(gone).await.unwrap();
    assert_ne!(epochs(&*store, AnchorKind::Token, "jti").await, Some(Epochs::default()));
    store.prune(gone + 1).await.unwrap();
    assert_eq!(epochs(&*store, AnchorKind::Token, "jti").await, Some(Epochs::default()));
}

/// Else the horizon would jump to now and kill every young token.
pub async fn a_long_dead_token_that_is_raised_late_moves_no_horizon_yet(store: Arc<dyn Store>) {
    let raised = raise(&*store, Raise::token("jti", BEGAN - 90 * DAY), BEGAN).await;
    let head = store.prune(BEGAN + 60).await.unwrap();
    assert_eq!(head.horizon, 0);
    assert_eq!(store.load_raises().await.unwrap().1, [raised]);
}

pub async fn used_keys_are_remembered_until_their_time(store: Arc<dyn Store>) {
    let once = || Change::Identity(identity::Change::Once { key: "k".to_owned(), until: BEGAN + 60 });
    keep(&*store, [once()]).await;
    store.prune(BEGAN + 60).await.unwrap();
    assert_eq!(conflict(commit(&*store, [once()], BEGAN + 60).await), Conflict::Used);
    store.prune(BEGAN + 61).await.unwrap();
    commit(&*store, [once()], BEGAN + 61).await.unwrap();
}

pub async fn dead_short_lived_records_go_and_living_ones_stay(store: Arc<dyn Store>) {
    let long = BEGAN + 400 * DAY;
    let dead: Vec<Change> = vec![
        new(code("dead", "1", "1", "1")),
        new(mail_token("dead", "1")),
        new(pairing("dead", "A")),
        new(browser_session("dead", "1")),
        new(device_session("dead", "1", "1")),
        new(TokenFamily { expires_at: BEGAN + DAY, ..family("dead", "1") }),
    ];
    let living: Vec<Change> = vec![
        new(MailToken { expires_at: long, ..mail_token("living", "1") }),
        new(Pairing { expires_at: long, state: PairingState::Denied, ..pairing("living", "A") }),
        new(BrowserSession { expires_at: long, ..browser_session("living", "1") }),
        new(DeviceSession { expires_at: long, ..device_session("living", "1", "1") }),
        new(TokenFamily { expires_at: long, ..family("living", "1") }),
    ];
    keep(&*store, dead.into_iter().chain(living)).await;
    // Tokens made in the last second of a session or family hang from its row.
    store.prune(BEGAN + DAY + 60).await.unwrap();
    kept::<BrowserSession>(&*store, "ses_dead").await;
    kept::<DeviceSession>(&*store, "ds_dead").await;
    kept::<TokenFamily>(&*store, "fam_dead").await;
    store.prune(BEGAN + 10 * DAY).await.unwrap();
    let ids = |kind| {
        let query = crate::ListQuery { kind, filter: None, after: None, limit: 10 };
        let store = Arc::clone(&store);
        async move { store.list(query).await.unwrap().items.into_iter().map(|item| item.id).collect::<Vec<_>>() }
    };
    use identity::Record as _;
    assert!(ids(AuthorizationCode::KIND).await.is_empty());
    assert_eq!(ids(MailToken::KIND).await, ["living"]);
    assert_eq!(ids(Pairing::KIND).await, ["living"]);
    assert_eq!(ids(BrowserSession::KIND).await, ["ses_living"]);
    assert_eq!(ids(DeviceSession::KIND).await, ["ds_living"]);
    assert_eq!(ids(TokenFamily::KIND).await, ["fam_living"]);
}

/// A second use ends what the first one began (RFC 6749 §4.1.2).
pub async fn a_spent_code_is_remembered_while_its_family_lives(store: Arc<dyn Store>) {
    let spent = |name, of| AuthorizationCode { used_at: Some(BEGAN), ..code(name, "1", "1", of) };
    let long = TokenFamily { expires_at: BEGAN + 400 * DAY, ..family("long", "1") };
    keep(&*store, [new(family("1", "1")), new(spent("c", "1")), new(long), new(spent("d", "long"))]).await;
    store.prune(BEGAN + 179 * DAY).await.unwrap();
    let facts: Fact<AuthorizationCode> = kept(&*store, "c").await;
    assert_eq!(facts.used_at, Some(BEGAN));
    store.prune(BEGAN + 399 * DAY).await.unwrap();
    let forgotten = crate::record::<AuthorizationCode>(&*store, "c").await.unwrap();
    assert!(forgotten.is_none(), "with its family: what is not there cannot be raised");
    assert!(crate::record::<TokenFamily>(&*store, "fam_1").await.unwrap().is_none());
    kept::<AuthorizationCode>(&*store, "d").await;
    kept::<TokenFamily>(&*store, "fam_long").await;
}

/// Else an app would be signed out when the login it began in is forgotten.
pub async fn a_login_is_remembered_while_a_family_that_began_in_it_lives(store: Arc<dyn Store>) {
    let began = TokenFamily { session: Some("ses_1".parse().unwrap()), ..family("1", "1") };
    keep(&*store, [new(browser_session("1", "1")), new(browser_session("2", "1")), new(began)]).await;
    store.prune(BEGAN + 30 * DAY).await.unwrap();
    kept::<BrowserSession>(&*store, "ses_1").await;
    assert!(crate::record::<BrowserSession>(&*store, "ses_2").await.unwrap().is_none());
    store.prune(BEGAN + 200 * DAY).await.unwrap();
    store.prune(BEGAN + 200 * DAY).await.unwrap();
    assert!(crate::record::<BrowserSession>(&*store, "ses_1").await.unwrap().is_none());
}
