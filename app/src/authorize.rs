//! The authorization endpoint: what has to happen before a code is given, and
//! giving it.

use identity::rule::session;
use identity::{BrowserSession, Fact, FamilyId, Secret, User};
use oauth::authorize::{self, AuthorizeRefusal, AuthorizeRequest, DrawnCode, Step};
use oauth::redirect_uri::Redirect;
use oauth::{Client, OAuthRefusal};
use store::Commit;

use crate::app::App;
use crate::fault::Fault;

/// Where an authorization request stands.
pub enum Authorizing {
    /// Client or redirect URI are bad: a page, never a redirect.
    Page(&'static str),
    /// Told to the client at its own URI.
    Refused(Redirect, OAuthRefusal),
    /// The person must sign in first.
    SignIn(Box<AuthorizeRequest>),
    /// The person is asked.
    Consent(Box<Asking>),
    /// The code, with where it goes.
    Granted(Box<AuthorizeRequest>, Secret<String>),
}

/// What the consent page shows.
pub struct Asking {
    /// The request.
    pub request: AuthorizeRequest,
    /// Who asks.
    pub client: Client,
    /// Who is asked.
    pub user: User,
    /// For what.
    pub scope: oauth::Scope,
}

/// Somebody who is signed in, as the browser session says.
#[derive(Clone, Copy)]
pub struct SignedInAs<'a> {
    /// Who.
    pub user: &'a Fact<User>,
    /// In which login.
    pub session: &'a Fact<BrowserSession>,
}

impl App {
    /// Takes an authorization request one step further. `consented` is the
    /// person's own answer to the page, given just now; `since` is when this
    /// very request sent them to sign in.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn authorize(
        &self,
        pairs: Vec<(String, String)>,
        signed_in: Option<SignedInAs<'_>>,
        consented: bool,
        since: Option<i64>,
    ) -> Result<Authorizing, Fault> {
        let draw = self.draw();
        let client_id = pairs.iter().find(|(name, _)| name == "client_id").map(|(_, id)| id.clone());
        let (code, digest) = draw.secret();
        let drawn = DrawnCode {
            code: digest,
            family: draw.id(FamilyId::mint),
            consent: draw
                .id(|now, random| format!("con_{}", FamilyId::mint(now, random).as_str().trim_start_matches("fam_"))),
            now: draw.now(),
        };
        let (pairs, client_id, drawn) = (&pairs, &client_id.unwrap_or_default(), &drawn);
        let code = &code;
        self.decide(|| async move {
            let who = self.still_signed_in(signed_in, drawn.now).await?;
            let user = who.as_ref().map(|(user, _)| user.id.clone());
            let facts = self.store.load_authorize(client_id.clone(), user).await?;
            let client = facts.client.as_ref().map(|fact| &fact.record);
            let nothing = Commit { now: drawn.now, ..Commit::default() };
            let request = match authorize::read(pairs.clone(), client, &self.tenant.issuer) {
                Ok(request) => request,
                Err(AuthorizeRefusal::Page(reason)) => return Ok((nothing, Authorizing::Page(reason))),
                Err(AuthorizeRefusal::Redirect(place, refusal)) => {
                    return Ok((nothing, Authorizing::Refused(place, refusal)));
                }
            };
            let login = who.as_ref().map(|(_, session)| &session.record);
            let hinted = request.id_token_hint.as_deref().and_then(|hint| self.hinted(hint, client_id));
            let step = match authorize::next_step(&request, &facts, login, since, hinted.as_deref(), drawn.now) {
                Ok(step) => step,
                Err(refusal) => return Ok((nothing, Authorizing::Refused(request.redirect, refusal))),
            };
            let (Some(client), Some((user, session))) = (&facts.client, &who) else {
                return Ok((nothing, Authorizing::SignIn(Box::new(request))));
            };
            let asked = matches!(step, Step::Consent(_));
            match step {
                Step::SignIn => return Ok((nothing, Authorizing::SignIn(Box::new(request)))),
                Step::Consent(scope) if !consented => {
                    let (client, user) = (client.record.clone(), user.record.clone());
                    return Ok((nothing, Authorizing::Consent(Box::new(Asking { request, client, user, scope }))));
                }
                Step::Consent(_) | Step::Grant => {}
            }
            let consent = facts.consent.as_ref();
            let decision = authorize::grant(&request, client, user, session, consent, asked, drawn);
            let (commit, reply) = Commit::of(decision, drawn.now);
            match reply {
                Ok(()) => Ok((commit, Authorizing::Granted(Box::new(request), code.clone()))),
                Err(refusal) => Ok((commit, Authorizing::Refused(request.redirect, refusal))),
            }
        })
        .await
    }

    /// Person and login as they are now: after a conflict a decision is made anew
    /// from what stands then, else it would fail for ever.
    async fn still_signed_in(
        &self,
        who: Option<SignedInAs<'_>>,
        now: i64,
    ) -> Result<Option<(Fact<User>, Fact<BrowserSession>)>, Fault> {
        let Some(who) = who else { return Ok(None) };
        let facts = self.store.load_session(who.session.secret.clone()).await?;
        if session::decide(&facts, now).reply.is_err() {
            return Ok(None);
        }
        Ok(facts.user.zip(facts.session))
    }

    /// Whom an ID token speaks of that we gave to this very client.
    fn hinted(&self, hint: &str, client_id: &str) -> Option<String> {
        let claims = self.keys.verify_statement("JWT", hint)?;
        let says = |name: &str, value: &str| claims.get(name).and_then(|known| known.as_str()) == Some(value);
        let ours = says("iss", &self.tenant.issuer) && says("aud", client_id) && !claims.contains_key("anc");
        claims.get("sub").filter(|_| ours)?.as_str().map(str::to_owned)
    }

    /// Marks this moment, for a request that sends a person to sign in.
    pub fn signing_in_marker(&self) -> String {
        let draw = self.draw();
        self.authority.markers().give(draw.now(), draw.bytes())
    }

    /// When a marker of ours was given, within the last five minutes.
    pub fn signing_in_since(&self, marker: &str) -> Option<i64> {
        self.authority.markers().given_at(marker, self.now())
    }

    /// The name of a client that may ask, for the page on which a person signs in for it.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn client_name(&self, client_id: String) -> Result<Option<String>, Fault> {
        let facts = self.store.load_authorize(client_id, None).await?;
        Ok(facts.client.filter(|client| !client.record.disabled).map(|client| client.record.name))
    }

    /// The person said no: the client is told `access_denied`.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn refuse_authorization(
        &self,
        pairs: Vec<(String, String)>,
    ) -> Result<Result<Redirect, &'static str>, Fault> {
        let client_id = pairs.iter().find(|(name, _)| name == "client_id").map(|(_, id)| id.clone());
        let facts = self.store.load_authorize(client_id.unwrap_or_default(), None).await?;
        let client = facts.client.as_ref().map(|fact| &fact.record);
        Ok(match authorize::read(pairs, client, &self.tenant.issuer) {
            Ok(request) => Ok(request.redirect),
            Err(AuthorizeRefusal::Redirect(place, _)) => Ok(place),
            Err(AuthorizeRefusal::Page(reason)) => Err(reason),
        })
    }
}
