//! What is decided for somebody who is signed in is decided anew after a
//! conflict, from the person and the login as they are then.

use app::authorize::{Authorizing, SignedInAs};
use identity::{BrowserSession, Change, User};
use store::conformance::sample;
use store::{Commit, Store};

use crate::house::{Chance, House};

#[tokio::test]
async fn an_authorization_goes_on_where_the_person_was_touched_meanwhile() {
    let house = House::new(Chance::new(1)).await;
    let store = house.store();
    let user = sample::kept::<User>(store, "u_1").await;
    let session = sample::kept::<BrowserSession>(store, "ses_1").await;
    let touches = [(user.key(), user.version), (session.key(), session.version)];
    let changes = touches.map(|(key, version)| Change::Touch { key, version }.into()).to_vec();
    store.commit(Commit { changes, now: house.now(0), ..Commit::default() }).await.unwrap();
    let asked = [
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", "https://app.example/back"),
        ("scope", "openid"),
        ("state", "s"),
        ("code_challenge", "qjrzSW9gMiUgpUvqgEPE4_-8swvyCtfOVvg55o5S_es"),
        ("code_challenge_method", "S256"),
    ];
    let pairs = asked.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let who = SignedInAs { user: &user, session: &session };
    let granted = house.nodes[0].app.authorize(pairs, Some(who), true, None).await.unwrap();
    assert!(matches!(granted, Authorizing::Granted(..)), "{}", named(&granted));
}

fn named(step: &Authorizing) -> &'static str {
    match step {
        Authorizing::Page(reason) => reason,
        Authorizing::Refused(_, refusal) => refusal.reason,
        Authorizing::SignIn(_) => "sign in",
        Authorizing::Consent(_) => "consent",
        Authorizing::Granted(..) => "granted",
    }
}
