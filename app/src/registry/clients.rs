//! Clients as staff register them. A secret leaves here once, when it is
//! minted; nobody registers a client that may more than they may themselves.

use identity::{AnchorKind, ClientId, ProblemCode, Refusal, Secret, Version};
use oauth::registration::{self, Metadata, NewClient};
use oauth::{Change, Client};
use store::Commit;

use super::caller::Caller;
use super::keep::{Outcome, Refused, Versioned, invalid};
use super::repeat::{Answer, Repeat};
use crate::app::App;

/// A client, and its secret where one was minted now.
#[derive(Debug)]
pub struct MintedClient {
    /// The client.
    pub client: Versioned<Client>,
    /// Shown this once.
    pub secret: Option<Secret<String>>,
}

/// A client may have scopes of the registry that the caller holds, no others:
/// whoever writes its keys or its secret could take its place.
fn check_reach<'c>(caller: &Caller, scopes: impl Iterator<Item = &'c oauth::Scope>) -> Result<(), Refused> {
    match caller.may_hand_out(scopes.flat_map(oauth::Scope::iter)) {
        true => Ok(()),
        false => Err(Refusal::new(ProblemCode::Forbidden, "scope_beyond_own")),
    }
}

/// A decision about a client as a commit, and the client with its version.
fn settle(
    decision: registration::Decision<Client>,
    before: Version,
    now: i64,
) -> (Commit, Result<Versioned<Client>, Refused>) {
    let counts = |change: &&Change| match change {
        Change::Client(_) => true,
        Change::Identity(identity::Change::Raise(raise)) => raise.anchor.kind == AnchorKind::Client,
        _ => false,
    };
    let version = before + decision.changes.iter().filter(counts).count() as Version;
    let (commit, reply) = Commit::of(decision, now);
    (commit, reply.map(|record| Versioned { record, version }))
}

impl App {
    /// Registers a client; without an id it gets one.
    ///
    /// # Errors
    /// `invalid`; `conflict` where the id was ever used; `forbidden` for a
    /// scope of the registry beyond the caller's own.
    pub async fn create_client(
        &self,
        caller: &Caller,
        id: Option<&str>,
        metadata: &Metadata,
        repeat: &Repeat<'_, MintedClient>,
    ) -> Outcome<Answer<MintedClient>> {
        if let Err(refused) = check_reach(caller, core::iter::once(&metadata.scope)) {
            return Ok(Err(refused));
        }
        let draw = self.draw();
        let id = match id.map(registration::client_id) {
            None => draw.id(ClientId::mint),
            Some(Ok(id)) => id,
            Some(Err(why)) => return Ok(Err(invalid(why.reason(), why.to_string()))),
        };
        let (secret, digest) = draw.secret();
        let now = draw.now();
        let (secret, new) = (&secret, &NewClient { id, secret: digest, now });
        self.keep_once(&draw, repeat, || async move {
            let taken = store::record::<Client>(&*self.store, new.id.as_str()).await?;
            let life = self.tenant.max_token_life;
            let decision = registration::create(new, metadata, taken.as_ref(), life, caller.actor());
            let (commit, reply) = settle(decision, 0, now);
            let minted = |client| MintedClient { client, secret: metadata.needs_secret().then(|| secret.clone()) };
            Ok((commit, reply.map(minted)))
        })
        .await
    }

    /// Writes a client anew, as the caller saw it at `version`; its tokens fall.
    /// A secret is minted where it needs one and had none.
    ///
    /// # Errors
    /// `not_found`, `version_mismatch`, `invalid`, `forbidden`.
    pub async fn replace_client(
        &self,
        caller: &Caller,
        id: &str,
        version: Version,
        metadata: &Metadata,
    ) -> Outcome<MintedClient> {
        let draw = self.draw();
        let (secret, digest) = draw.secret();
        let (secret, digest, now) = (&secret, &digest, draw.now());
        self.keep(&draw, || async move {
            let known = store::record::<Client>(&*self.store, id).await?;
            let scopes = known.iter().map(|client| &client.scopes).chain(core::iter::once(&metadata.scope));
            if let Err(refused) = check_reach(caller, scopes) {
                return Ok((Commit::default(), Err(refused)));
            }
            let life = self.tenant.max_token_life;
            let decision = registration::change(known.as_ref(), Some(version), metadata, digest, life, caller.actor());
            let had = known.as_ref().is_some_and(|client| client.secret.is_some());
            let (commit, reply) = settle(decision, known.map_or(0, |client| client.version), now);
            let fresh = metadata.needs_secret() && !had;
            Ok((commit, reply.map(|client| MintedClient { client, secret: fresh.then(|| secret.clone()) })))
        })
        .await
    }

    /// Gives a client a new secret; the old one ends at once.
    ///
    /// # Errors
    /// `not_found`, `version_mismatch`, `forbidden`; `conflict` for a client
    /// that proves itself otherwise.
    pub async fn renew_client_secret(
        &self,
        caller: &Caller,
        id: &str,
        if_version: Option<Version>,
        repeat: &Repeat<'_, MintedClient>,
    ) -> Outcome<Answer<MintedClient>> {
        let draw = self.draw();
        let (secret, digest) = draw.secret();
        let (secret, digest, now) = (&secret, &digest, draw.now());
        self.keep_once(&draw, repeat, || async move {
            let known = store::record::<Client>(&*self.store, id).await?;
            if let Err(refused) = check_reach(caller, known.iter().map(|client| &client.scopes)) {
                return Ok((Commit::default(), Err(refused)));
            }
            let decision = registration::renew_secret(known.as_ref(), if_version, digest, caller.actor());
            let (commit, reply) = settle(decision, known.map_or(0, |client| client.version), now);
            Ok((commit, reply.map(|client| MintedClient { client, secret: Some(secret.clone()) })))
        })
        .await
    }

    /// Deletes a client for good: tokens, refresh tokens and consents fall, its
    /// id is never used again.
    ///
    /// # Errors
    /// `not_found`, `version_mismatch`.
    pub async fn delete_client(&self, caller: &Caller, id: &str, if_version: Option<Version>) -> Outcome<()> {
        let draw = self.draw();
        let now = draw.now();
        self.keep(&draw, || async move {
            let known = store::record::<Client>(&*self.store, id).await?;
            Ok(Commit::of(registration::delete(known.as_ref(), if_version, caller.actor()), now))
        })
        .await
    }
}
