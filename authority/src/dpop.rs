//! The door's half of DPoP: nonces and single use around the verified proof
//! (RFC 9449 §8, §11.1).

use std::sync::Arc;

use jose::digest;
use jose::dpop::{Expected, Freshness, HttpUri, Proof, VerifiedProof, WINDOW};

use crate::nonce::{LIFE, Nonces};
use crate::once::{Once, OnceError};
use crate::port::SharedOnce;

/// Why a proof does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofRefusal {
    /// Missing, malformed, for something else, stale or used: the named cause.
    Invalid(&'static str),
    /// Come again with the nonce of the answer.
    NonceWanted,
    /// No room to remember it, or nobody to ask: try later.
    Full,
}

/// Checks proofs at one kind of door.
#[derive(Debug)]
pub struct DpopDoor {
    nonces: Nonces,
    once: Once,
    /// Until then only proofs with a nonce given since the start pass: what was
    /// used before the start is not remembered (anchors, Once).
    nonce_until: i64,
}

impl DpopDoor {
    /// A door that keys its nonces with fresh random bytes, so that only those
    /// given since this start are known. `restarted_at` is the start, or `None`
    /// for the very first start of a store. Nodes that remember together share
    /// the key, and forget nothing when one of them starts.
    pub fn new(
        secret: &[u8; 32],
        name: &str,
        restarted_at: Option<i64>,
        room: usize,
        shared: Option<Arc<dyn SharedOnce>>,
    ) -> Self {
        let nonce_until = restarted_at.map_or(i64::MIN, |at| at + 2 * WINDOW);
        Self { nonces: Nonces::new(secret, name), once: Once::new(room, shared), nonce_until }
    }

    /// A nonce to hand out.
    pub fn nonce(&self, now: i64, salt: [u8; 16]) -> String {
        self.nonces.give(now, salt)
    }

    /// Verifies the proof of a request and uses its `jti` up. `access_token` is
    /// the token it must be for, at a resource.
    ///
    /// # Errors
    /// [`ProofRefusal`]
    pub async fn verify(
        &self,
        headers: &[&str],
        method: &str,
        uri: &HttpUri,
        access_token: Option<&str>,
        now: i64,
    ) -> Result<VerifiedProof, ProofRefusal> {
        let proof = Proof::parse(headers).map_err(|_| ProofRefusal::Invalid("dpop_malformed"))?;
        let given_at = match proof.peek_nonce() {
            Some(nonce) => Some(self.nonces.given_at(nonce, now).ok_or(ProofRefusal::NonceWanted)?),
            None if now < self.nonce_until => return Err(ProofRefusal::NonceWanted),
            None => None,
        };
        let freshness = match (given_at, proof.peek_nonce()) {
            (Some(_), Some(nonce)) => Freshness::Nonce(nonce),
            _ => Freshness::Iat { now, window: WINDOW },
        };
        let proof = proof
            .verify(Expected { method, uri, access_token, freshness })
            .map_err(|_| ProofRefusal::Invalid("dpop_not_for_this_request"))?;
        let until = given_at.map_or(proof.iat() + 2 * WINDOW, |at| at + LIFE + WINDOW);
        let key = format!("{}\n{}\n{}", proof.thumbprint(), proof.htu().as_str(), proof.jti());
        self.once.take(digest::sha256(key.as_bytes()), now, until).await.map_err(|error| match error {
            OnceError::Used => ProofRefusal::Invalid("dpop_replayed"),
            OnceError::Full | OnceError::Unreachable => ProofRefusal::Full,
        })?;
        Ok(proof)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use jose::dpop::{Claims, ath, build};
    use jose::{Alg, SigningKey};

    use super::*;

    fn proof(key: &SigningKey, uri: &HttpUri, iat: i64, jti: &str, nonce: Option<&str>) -> String {
        let ath = ath("tok");
        build(key, &Claims { method: "POST", uri, iat, jti, ath: Some(&ath), nonce }).unwrap()
    }

    fn uri() -> HttpUri {
        HttpUri::parse("https://rs.example.com/x").unwrap()
    }

    #[test]
    fn a_proof_passes_once() {
        let (door, key, uri) =
            (DpopDoor::new(&[1; 32], "rs", None, 100, None), SigningKey::generate(Alg::ES256).unwrap(), uri());
        let proof = proof(&key, &uri, 1000, "j1", None);
        assert!(door.verify(&[&proof], "POST", &uri, Some("tok"), 1000).now_or_never().unwrap().is_ok());
        assert_eq!(
            door.verify(&[&proof], "POST", &uri, Some("tok"), 1001).now_or_never().unwrap().err(),
            Some(ProofRefusal::Invalid("dpop_replayed"))
        );
        assert_eq!(
            door.verify(&[&proof], "POST", &uri, Some("tok"), 1060).now_or_never().unwrap().err(),
            Some(ProofRefusal::Invalid("dpop_replayed")),
            "it is remembered as long as it could pass"
        );
        assert_eq!(
            door.verify(&[&proof], "POST", &uri, Some("tok"), 1061).now_or_never().unwrap().err(),
            Some(ProofRefusal::Invalid("dpop_not_for_this_request"))
        );
    }

    #[test]
    fn after_a_restart_only_nonces_given_since_pass() {
        let door = DpopDoor::new(&[1; 32], "rs", Some(1000), 100, None);
        let (key, uri) = (SigningKey::generate(Alg::ES256).unwrap(), uri());
        let bare = proof(&key, &uri, 1010, "j1", None);
        assert_eq!(
            door.verify(&[&bare], "POST", &uri, Some("tok"), 1010).now_or_never().unwrap().err(),
            Some(ProofRefusal::NonceWanted)
        );
        let old = DpopDoor::new(&[2; 32], "rs", None, 100, None).nonce(990, [0; 16]);
        let stale = proof(&key, &uri, 1010, "j2", Some(&old));
        assert_eq!(
            door.verify(&[&stale], "POST", &uri, Some("tok"), 1010).now_or_never().unwrap().err(),
            Some(ProofRefusal::NonceWanted)
        );
        let nonce = door.nonce(1010, [0; 16]);
        let fresh = proof(&key, &uri, 1010, "j3", Some(&nonce));
        assert!(door.verify(&[&fresh], "POST", &uri, Some("tok"), 1010).now_or_never().unwrap().is_ok());
        let later = proof(&key, &uri, 1120, "j4", None);
        assert!(
            door.verify(&[&later], "POST", &uri, Some("tok"), 1120).now_or_never().unwrap().is_ok(),
            "the window of forgetting is over"
        );
    }

    #[test]
    fn a_device_with_a_wrong_clock_passes_with_a_nonce() {
        let door = DpopDoor::new(&[1; 32], "rs", None, 100, None);
        let (key, uri) = (SigningKey::generate(Alg::ES256).unwrap(), uri());
        let nonce = door.nonce(5000, [0; 16]);
        let proof = proof(&key, &uri, 10, "j1", Some(&nonce));
        assert!(door.verify(&[&proof], "POST", &uri, Some("tok"), 5001).now_or_never().unwrap().is_ok());
        assert_eq!(
            door.verify(&[&proof], "POST", &uri, Some("tok"), 5200).now_or_never().unwrap().err(),
            Some(ProofRefusal::Invalid("dpop_replayed"))
        );
    }
}
