//! A person's browser: the session behind its cookie, and the token that its
//! forms carry. Cookies are secrets of 256 bits; the store has their digests.

use core::net::IpAddr;

use identity::facts::SessionFacts;
use identity::rule::session::{self, NewSession, SignedIn};
use identity::{BrowserSession, Fact, Secret, SessionId, User, UserId};
use jose::{base64url, digest};
use store::{Commit, Expected};

use crate::app::App;
use crate::draw::{Draw, secret_digest};
use crate::fault::Fault;

/// What a request shows of the browser it comes from.
pub struct Browser {
    /// Its address in the network.
    pub address: IpAddr,
    /// What it calls itself.
    pub agent: String,
    /// The secret of its session cookie, good or not.
    pub session: Option<Secret<String>>,
}

impl Browser {
    /// The name under which tries from its network are counted: a home has one
    /// IPv4 address, and one IPv6 network of 64 bits.
    pub(super) fn network(&self) -> String {
        match self.address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("{:x}", address.to_bits() >> 64),
        }
    }
}

/// A person at their browser.
#[derive(Clone)]
pub struct Viewer {
    /// Who.
    pub user: Fact<User>,
    /// The session.
    pub session: Fact<BrowserSession>,
    /// Whether they proved who they are within the last five minutes.
    pub fresh: bool,
}

/// A session that was opened, with the new secret of its cookie.
pub struct Opened {
    /// Who signed in.
    pub user: UserId,
    /// The session.
    pub session: BrowserSession,
    /// For the cookie.
    pub cookie: Secret<String>,
    /// How long it lives at most, seconds.
    pub lasts: i64,
}

/// The token for the forms of a browser, made from the secret of its cookie.
/// Another site can make the browser send the cookie, but cannot read it.
pub fn csrf(cookie: &Secret<String>) -> String {
    base64url::encode(digest::hmac_sha256(cookie.expose().as_bytes(), b"keyfob form token"))
}

/// Whether a form's token belongs to this cookie; in constant time.
pub fn csrf_matches(cookie: &Secret<String>, given: &str) -> bool {
    digest::constant_time_eq(csrf(cookie).as_bytes(), given.as_bytes())
}

impl App {
    /// A secret for the cookie of a browser that nobody has signed in with yet.
    pub fn mint_visit(&self) -> Secret<String> {
        self.draw().secret().0
    }

    /// Who is signed in with this cookie, if its session still stands.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn viewer(&self, cookie: &Secret<String>) -> Result<Option<Viewer>, Fault> {
        let now = self.now();
        let facts = self.store.load_session(secret_digest(cookie.expose())).await?;
        let (commit, reply) = Commit::of(session::decide(&facts, now), now);
        let Ok(present) = reply else { return Ok(None) };
        let SessionFacts { session: Some(mut session), user: Some(user) } = facts else { return Ok(None) };
        // Only says when it was last used: when it conflicts, another request said it.
        let is_seen = !commit.changes.is_empty();
        if is_seen && let Ok(None) = self.commit_or_conflict(commit, Expected::default()).await {
            session.version += 1;
            session.record.seen_at = now;
        }
        Ok(Some(Viewer { user, session, fresh: present.fresh }))
    }

    /// The session a browser brings to a sign-in, good or not. Loaded for each try:
    /// another request of the same browser counts its version up.
    pub(super) async fn previous(&self, browser: &Browser) -> Result<Option<Fact<BrowserSession>>, Fault> {
        let Some(cookie) = &browser.session else { return Ok(None) };
        Ok(self.store.load_session(secret_digest(cookie.expose())).await?.session)
    }
}

/// A session to be opened, with the secret for its cookie.
pub(super) fn new_session(draw: &Draw<'_>, browser: &Browser) -> (NewSession, Secret<String>) {
    let (cookie, secret) = draw.secret();
    (NewSession { id: draw.id(SessionId::mint), secret, agent: browser.agent.clone() }, cookie)
}

pub(super) fn opened(signed_in: SignedIn, cookie: Secret<String>, now: i64) -> Opened {
    let lasts = signed_in.session.expires_at.saturating_sub(now);
    Opened { user: signed_in.user, session: signed_in.session, cookie, lasts }
}
