//! Passkeys (Web Authentication Level 3): what an authenticator is asked, and
//! whether its answer is good. Owns the ceremony alone; whose passkey it is and
//! what follows is the rule's.
//!
//! Between question and answer the ceremony's state travels through the browser,
//! sealed under a key of this process, or of all nodes, and counts once within
//! five minutes.

use std::sync::Arc;

use authority::{Once, SharedOnce};
use identity::{Passkey, User, UserId};
use jose::seal::SealingKey;
use jose::{base64url, digest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey as Authenticator, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Webauthn, WebauthnBuilder,
};

use crate::fault::Fault;

/// How long a question may wait for its answer, seconds.
const LIFE: i64 = 300;
/// So many answered ceremonies are remembered.
const ROOM: usize = 1 << 16;

/// What a ceremony is for; a state of one is none of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Purpose {
    Register,
    SignIn,
}

/// The state of a ceremony while it travels.
#[derive(Serialize, Deserialize)]
struct Travelling {
    purpose: Purpose,
    /// Who registers.
    user: Option<UserId>,
    until: i64,
    state: Value,
}

/// A question to the browser.
pub struct Ceremony {
    /// The options, as `navigator.credentials` takes them (`publicKey`).
    pub public_key: Value,
    /// Comes back with the answer.
    pub state: String,
}

/// A passkey that was made.
#[derive(Debug, PartialEq, Eq)]
pub struct Made {
    /// base64url; unique over all passkeys.
    pub credential_id: String,
    /// Public key and counters, as the library serialises them.
    pub credential: Value,
}

/// A passkey that was used.
#[derive(Debug, PartialEq, Eq)]
pub struct Used {
    /// With counters moved on.
    pub credential: Value,
    /// Whether the authenticator verified its owner.
    pub user_verified: bool,
}

/// Asks and judges.
pub struct Passkeys {
    /// Nothing where the issuer's host is an address: no passkey can be bound to it.
    webauthn: Option<Webauthn>,
    sealing: SealingKey,
    answered: Once,
}

/// Why an answer was refused.
pub type Reason = &'static str;

impl Passkeys {
    /// Those of an issuer, sealing what travels with `key`; `shared` is what several
    /// nodes remember together.
    ///
    /// # Errors
    /// [`Fault`]
    pub fn new(issuer: &str, service: &str, key: [u8; 32], shared: Option<Arc<dyn SharedOnce>>) -> Result<Self, Fault> {
        let sealing = SealingKey::new("passkey", key).map_err(|_| Fault::Broken("sealing_key"))?;
        Ok(Self { webauthn: open(issuer, service), sealing, answered: Once::new(ROOM, shared) })
    }

    fn webauthn(&self) -> Result<&Webauthn, Fault> {
        self.webauthn.as_ref().ok_or(Fault::Broken("no_passkeys_for_this_issuer"))
    }

    /// Asks a person's browser to make a passkey that is found without a name.
    ///
    /// # Errors
    /// [`Fault`] where the issuer can have no passkeys.
    pub fn ask_to_make(&self, user: &User, known: &[&Passkey], now: i64, nonce: [u8; 24]) -> Result<Ceremony, Fault> {
        let known = known.iter().filter_map(|passkey| base64url::decode(&passkey.credential_id).ok());
        let exclude = known.collect();
        let asked = self.webauthn()?.start_passkey_registration(
            handle(&user.id),
            user.email.expose(),
            &user.name,
            Some(exclude),
        );
        let (challenge, state) = asked.map_err(|_| Fault::Broken("passkey_question"))?;
        let mut public_key = public_key(&challenge)?;
        // Found without a name: whoever signs in need not type an address.
        if let Some(selection) = public_key.get_mut("authenticatorSelection").and_then(Value::as_object_mut) {
            selection.insert("residentKey".to_owned(), "required".into());
            selection.insert("requireResidentKey".to_owned(), true.into());
        }
        let state = serde_json::to_value(state).map_err(|_| Fault::Broken("passkey_state"))?;
        self.ceremony(public_key, Purpose::Register, Some(user.id.clone()), state, now, nonce)
    }

    /// Judges what the browser made.
    ///
    /// # Errors
    /// [`Reason`]
    pub async fn made(&self, user: &UserId, state: &str, answer: Value, now: i64) -> Result<Made, Reason> {
        let state: PasskeyRegistration = self.take(Purpose::Register, Some(user), state, now).await?;
        let answer: RegisterPublicKeyCredential = serde_json::from_value(answer).map_err(|_| "passkey_malformed")?;
        let webauthn = self.webauthn.as_ref().ok_or("no_passkeys")?;
        let made = webauthn.finish_passkey_registration(&answer, &state).map_err(|_| "passkey_not_made")?;
        let credential = serde_json::to_value(&made).map_err(|_| "passkey_unserialisable")?;
        Ok(Made { credential_id: base64url::encode(made.cred_id()), credential })
    }

    /// Asks a browser to use whichever passkey it has for us.
    ///
    /// # Errors
    /// [`Fault`] where the issuer can have no passkeys.
    pub fn ask_to_use(&self, now: i64, nonce: [u8; 24]) -> Result<Ceremony, Fault> {
        let asked = self.webauthn()?.start_discoverable_authentication();
        let (challenge, state) = asked.map_err(|_| Fault::Broken("passkey_question"))?;
        let state = serde_json::to_value(state).map_err(|_| Fault::Broken("passkey_state"))?;
        self.ceremony(public_key(&challenge)?, Purpose::SignIn, None, state, now, nonce)
    }

    /// Judges the use of a passkey, `known` by the id its answer names.
    ///
    /// # Errors
    /// [`Reason`]
    pub async fn used(&self, state: &str, answer: Answer, known: Option<&Passkey>, now: i64) -> Result<Used, Reason> {
        let state: DiscoverableAuthentication = self.take(Purpose::SignIn, None, state, now).await?;
        let known = known.ok_or("unknown_passkey")?;
        // Level 3 §7.2 step 6: the handle must name the owner of the passkey.
        if answer.handle != handle(&known.user) {
            return Err("passkey_of_another");
        }
        let malformed = "passkey_record";
        let mut passkey: Authenticator = serde_json::from_value(known.credential.clone()).map_err(|_| malformed)?;
        let webauthn = self.webauthn.as_ref().ok_or("no_passkeys")?;
        let result = webauthn
            .finish_discoverable_authentication_v2(&answer.credential, state, &passkey)
            .map_err(|_| "passkey_not_verified")?;
        passkey.update_credential(&result).ok_or("passkey_of_another")?;
        let credential = serde_json::to_value(&passkey).map_err(|_| malformed)?;
        Ok(Used { credential, user_verified: result.user_verified() })
    }

    fn ceremony(
        &self,
        public_key: Value,
        purpose: Purpose,
        user: Option<UserId>,
        state: Value,
        now: i64,
        nonce: [u8; 24],
    ) -> Result<Ceremony, Fault> {
        let travelling = Travelling { purpose, user, until: now + LIFE, state };
        let text = serde_json::to_vec(&travelling).map_err(|_| Fault::Broken("passkey_state"))?;
        let state = base64url::encode(self.sealing.seal(nonce, b"ceremony", &text));
        Ok(Ceremony { public_key, state })
    }

    /// Opens a state and uses it up.
    async fn take<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        user: Option<&UserId>,
        state: &str,
        now: i64,
    ) -> Result<T, Reason> {
        let sealed = base64url::decode(state).map_err(|_| "ceremony_malformed")?;
        let opened = self.sealing.open(b"ceremony", &sealed).map_err(|_| "ceremony_unknown")?;
        let travelling: Travelling = serde_json::from_slice(&opened).map_err(|_| "ceremony_malformed")?;
        if travelling.purpose != purpose || travelling.user.as_ref() != user {
            return Err("ceremony_of_another");
        }
        if now >= travelling.until {
            return Err("ceremony_late");
        }
        let taken = self.answered.take(digest::sha256(&sealed), now, travelling.until).await;
        taken.map_err(|_| "ceremony_answered")?;
        serde_json::from_value(travelling.state).map_err(|_| "ceremony_malformed")
    }
}

/// The use of a passkey as a browser tells it.
pub struct Answer {
    /// base64url; the passkey is looked up by it.
    pub credential_id: String,
    handle: Uuid,
    credential: PublicKeyCredential,
}

impl Answer {
    /// Reads the JSON of a browser.
    ///
    /// # Errors
    /// [`Reason`]
    pub fn parse(value: Value) -> Result<Self, Reason> {
        let credential: PublicKeyCredential = serde_json::from_value(value).map_err(|_| "passkey_malformed")?;
        let handle = credential.get_user_unique_id().and_then(|handle| Uuid::from_slice(handle).ok());
        let handle = handle.ok_or("passkey_without_handle")?;
        Ok(Self { credential_id: base64url::encode(credential.get_credential_id()), handle, credential })
    }
}

fn open(issuer: &str, service: &str) -> Option<Webauthn> {
    let url = Url::parse(issuer).ok()?;
    let builder = WebauthnBuilder::new(url.domain()?, &url).ok()?;
    builder.rp_name(service).build().ok()
}

/// The handle under which authenticators keep a person: it tells nobody who
/// they are (Level 3 §14.6.1).
fn handle(user: &UserId) -> Uuid {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = digest::sha256(user.as_str().as_bytes());
    Uuid::from_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

fn public_key(challenge: &impl Serialize) -> Result<Value, Fault> {
    let mut value = serde_json::to_value(challenge).map_err(|_| Fault::Broken("passkey_question"))?;
    value.get_mut("publicKey").map(Value::take).ok_or(Fault::Broken("passkey_question"))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn passkeys(issuer: &str) -> Passkeys {
        Passkeys::new(issuer, "Keyfob", [7; 32], None).unwrap()
    }

    #[test]
    fn a_state_is_taken_once_in_time_and_for_its_purpose() {
        let passkeys = passkeys("https://localhost:8443");
        let asked = |nonce| passkeys.ask_to_use(1_000, [nonce; 24]).unwrap().state;
        let take = |state: &str, now| {
            passkeys.take::<Value>(Purpose::SignIn, None, state, now).now_or_never().unwrap().map(drop)
        };
        let state = asked(1);
        assert_eq!(
            passkeys.take::<Value>(Purpose::Register, None, &state, 1_000).now_or_never().unwrap().map(drop),
            Err("ceremony_of_another")
        );
        assert_eq!(take(&state, 1_000 + LIFE), Err("ceremony_late"));
        assert_eq!(take(&state, 1_000), Ok(()));
        assert_eq!(take(&state, 1_001), Err("ceremony_answered"));
        let other = Passkeys::new("https://localhost:8443", "Keyfob", [8; 32], None).unwrap();
        assert_eq!(
            other.take::<Value>(Purpose::SignIn, None, &asked(2), 1_000).now_or_never().unwrap().map(drop),
            Err("ceremony_unknown")
        );
        assert_eq!(take("", 1_000), Err("ceremony_unknown"));
        assert_eq!(take("!", 1_000), Err("ceremony_malformed"));
    }

    #[test]
    fn an_address_has_no_passkeys() {
        assert!(passkeys("https://127.0.0.1:8443").ask_to_use(1_000, [1; 24]).is_err());
        let asked = passkeys("https://id.example").ask_to_use(1_000, [1; 24]).unwrap();
        assert_eq!(asked.public_key["rpId"], "id.example");
    }
}
