//! `POST /device/keys`: a device rotates its bare key by itself.

use authority::AuthenticatedPeer;
use identity::facts::DeviceKey;
use identity::rule::rotation::{self, NewKey};
use identity::{Credential, CredentialId, DeviceErrorCode, Refusal};
use jose::Jwk;
use serde_json::Value;
use store::Commit;

use crate::app::App;
use crate::call_home::is_signed_by;
use crate::device_self::own_did;
use crate::fault::Fault;

type Refused = Refusal<DeviceErrorCode>;

impl App {
    /// Stages a new key of the device whose token this is: the old key proves the
    /// request, the new one signs `proof` (typ `key+jwt`) over a challenge.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal speaks the device API's words.
    pub async fn stage_key(
        &self,
        peer: &AuthenticatedPeer,
        jwk: &Value,
        proof: &str,
    ) -> Result<Result<Credential, Refused>, Fault> {
        let no = |code, reason| Ok(Err(Refusal::new(code, reason)));
        let did = match own_did(peer) {
            Ok(did) => did,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(by) = peer.claims().cnf.as_ref().and_then(|cnf| cnf.jkt.clone()) else {
            return no(DeviceErrorCode::WrongCredential, "token_of_a_certificate");
        };
        let Ok(new) = Jwk::from_json(jwk) else {
            return no(DeviceErrorCode::InvalidRequest, "new_key_unusable");
        };
        let draw = self.draw();
        let now = draw.now();
        match self.answered(proof, "key+jwt", now).await {
            Ok((proof, _)) if is_signed_by(&proof, &new) => {}
            Ok(_) => return no(DeviceErrorCode::InvalidCredential, "proof_by_another_key"),
            Err(refusal) => return Ok(Err(refusal)),
        }
        let request = &NewKey {
            id: draw.id(CredentialId::mint),
            key_thumbprint: new.thumbprint().to_string(),
            jwk: new.to_bare_json(),
            by,
        };
        let did = &did;
        self.decide(|| async move {
            let Some(facts) = self.store.load_device_keys(did.to_string()).await? else {
                let refusal = Refusal::new(DeviceErrorCode::InvalidCredential, "unknown_device");
                return Ok((Commit { now, ..Commit::default() }, Err(refusal)));
            };
            let holder = self.store.load_device(DeviceKey::KeyThumbprint(request.key_thumbprint.clone())).await?.device;
            let holder = holder.map(|holder| holder.device.id.clone()).filter(|holder| holder != did);
            Ok(Commit::of(rotation::stage(request, &facts, holder.as_ref(), now), now))
        })
        .await
    }
}
