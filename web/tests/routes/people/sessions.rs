//! A browser's session, which several requests of the same browser write at once.

use core::sync::atomic::{AtomicBool, Ordering};

use app::people::Browser;
use identity::user::Email;
use identity::{BrowserSession, Secret, SessionId};
use store::{Commit, Store as _};

use super::world::{PASSWORD, World};

/// As other requests of the browser do, without a pause.
async fn use_it(world: &World, session: &SessionId, until: &AtomicBool) -> u32 {
    let mut written = 0;
    while !until.load(Ordering::SeqCst) {
        let known = store::record::<BrowserSession>(&*world.store, session.as_str()).await.unwrap().unwrap();
        let seen = BrowserSession { seen_at: known.seen_at + 1, ..known.record.clone() };
        let change: identity::Change = known.rewrite(seen).into();
        let commit = Commit { changes: vec![change.into()], now: known.seen_at, ..Commit::default() };
        written += u32::from(world.store.commit(commit).await.is_ok());
        for _ in 0..8 {
            world.store.head().await.unwrap();
        }
    }
    written
}

#[tokio::test]
async fn signing_in_anew_does_not_stumble_over_the_session_that_others_of_the_browser_use() {
    let world = World::new().await;
    world.adam().await;
    let email = Email::parse("adam@example.com").unwrap();
    let browser = |session| Browser { address: [127, 0, 0, 1].into(), agent: "Firefox".into(), session };
    let sign_in = async |session| {
        let signed_in = world.app.sign_in(&email, Secret::new(PASSWORD.into()), &browser(session)).await;
        signed_in.unwrap_or_else(|fault| panic!("{fault}")).unwrap()
    };
    let mut opened = sign_in(None).await;
    for _ in 0..10 {
        let (id, signed_in) = (opened.session.id.clone(), AtomicBool::new(false));
        let again = async {
            let again = sign_in(Some(opened.cookie.clone())).await;
            signed_in.store(true, Ordering::SeqCst);
            again
        };
        let (again, written) = futures_util::future::join(again, use_it(&world, &id, &signed_in)).await;
        assert!(written > 0, "somebody wrote meanwhile");
        assert_eq!(again.session.id, id, "it goes on under a new secret");
        opened = again;
    }
}
