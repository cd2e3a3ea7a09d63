//! What a device asks about itself with its token: its credentials, the time,
//! and to leave.

use authority::{AuthenticatedPeer, ProofRefusal};
use identity::rule::device_session;
use identity::{Credential, DeviceErrorCode, DeviceId, DeviceSession, Refusal};
use jose::dpop::VerifiedProof;
use serde_json::json;
use store::Commit;

use crate::app::App;
use crate::fault::Fault;

type Refused = Refusal<DeviceErrorCode>;

/// A token that speaks of no device cannot speak for one.
pub(crate) fn own_did(peer: &AuthenticatedPeer) -> Result<DeviceId, Refused> {
    let claims = peer.claims();
    let did = claims.did.as_deref().filter(|did| *did == claims.sub && claims.client_id == claims.sub);
    did.and_then(|did| did.parse().ok()).ok_or(Refusal::new(DeviceErrorCode::WrongCredential, "not_a_devices_token"))
}

impl App {
    /// The time, signed.
    ///
    /// # Errors
    /// [`Fault`]
    pub fn signed_time(&self) -> Result<String, Fault> {
        let now = self.now();
        self.keys.sign_statement("time+jwt", &json!({ "iss": self.tenant.issuer, "now": now, "iat": now }), now)
    }

    /// Verifies a DPoP proof that came along with a call home, if one did.
    ///
    /// # Errors
    /// `invalid_dpop_proof`; a nonce is wanted for a while after each start.
    pub async fn device_proof(
        &self,
        fields: &[&str],
        method: &str,
        uri: &str,
    ) -> Result<Option<VerifiedProof>, Refused> {
        if fields.is_empty() {
            return Ok(None);
        }
        let uri = crate::http_uri(uri).ok_or(Refusal::new(DeviceErrorCode::InvalidRequest, "uri_malformed"))?;
        let verified = self.authority.resource_door().verify(fields, method, &uri, None, self.now()).await;
        verified.map(Some).map_err(|refusal| match refusal {
            ProofRefusal::Invalid(reason) => Refusal::new(DeviceErrorCode::InvalidDpopProof, reason),
            ProofRefusal::NonceWanted => Refusal::new(DeviceErrorCode::InvalidDpopProof, "dpop_nonce_wanted"),
            ProofRefusal::Full => Refusal::new(DeviceErrorCode::TemporarilyUnavailable, "dpop_memory_full"),
        })
    }

    /// The credentials of the device whose token this is.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal speaks the device API's words.
    pub async fn own_credentials(&self, peer: &AuthenticatedPeer) -> Result<Result<Vec<Credential>, Refused>, Fault> {
        let did = match own_did(peer) {
            Ok(did) => did,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let facts = self.store.load_device_keys(did.to_string()).await?;
        let credentials = facts.map(|facts| facts.credentials).unwrap_or_default();
        Ok(Ok(credentials.into_iter().map(|fact| fact.record).collect()))
    }

    /// Ends the session of the device whose token this is, and the token with it.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal speaks the device API's words.
    pub async fn leave(&self, peer: &AuthenticatedPeer) -> Result<Result<(), Refused>, Fault> {
        let did = match own_did(peer) {
            Ok(did) => did,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (now, session) = (self.now(), peer.claims().sid.clone().unwrap_or_default());
        let (did, session) = (&did, session.as_str());
        self.decide(|| async move {
            let session = store::record::<DeviceSession>(&*self.store, session).await?;
            Ok(Commit::of(device_session::leave(did, session.as_ref()), now))
        })
        .await
    }
}
