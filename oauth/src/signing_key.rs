//! A signing key of the tenant: its state follows from two times, so that all
//! nodes agree without a message; and when its successor is due.

use identity::{AnchorKind, Kind, Record};
use jose::{Alg, Jwk};
use serde::{Deserialize, Serialize};

use crate::grant::token_exchange::renewal;

/// How long a new key is published before it signs, seconds: longer than
/// receivers cache the key set (`GET /jwks`).
pub const PUBLISHED_BEFORE: i64 = 3_600;

/// A signing key; the private half is sealed with the master key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Its `kid`, unique for ever.
    pub kid: String,
    /// What it signs with.
    pub alg: Alg,
    /// The public half.
    pub jwk: Jwk,
    /// PKCS#8, sealed, base64url.
    pub sealed: String,
    /// Published before, signs from then on, seconds.
    pub not_before: i64,
    /// Signs until then; verifies until its last token is dead. Seconds.
    pub retire_at: i64,
}

/// What a key is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Receivers learn of it.
    Published,
    /// Tokens are signed with it, unless a newer one signs too.
    Signing,
    /// What it signed still verifies.
    Retired,
    /// Nothing it signed can count any more.
    Over,
}

impl SigningKey {
    /// Its state at a moment, where no token lives longer than `max_token_life`.
    pub fn state(&self, now: i64, max_token_life: i64) -> KeyState {
        match now {
            _ if now < self.not_before => KeyState::Published,
            _ if now < self.retire_at => KeyState::Signing,
            _ if now <= self.verifies_until(max_token_life) => KeyState::Retired,
            _ => KeyState::Over,
        }
    }

    /// Until then something it signed may be renewed, seconds.
    pub fn verifies_until(&self, max_token_life: i64) -> i64 {
        self.retire_at.saturating_add(max_token_life).saturating_add(renewal::LATEST)
    }
}

/// From when the next key of an algorithm signs, if it is time to make it;
/// `every` is how long one signs, seconds. Keys are made a day ahead, or a
/// quarter of that time, so that a beat that fails is no harm.
pub fn successor_due(keys: &[SigningKey], alg: Alg, now: i64, every: i64) -> Option<i64> {
    let newest = keys.iter().filter(|key| key.alg == alg && now < key.retire_at).map(|key| key.not_before).max();
    // Without any there is nothing to sign with: it cannot wait to be known.
    let Some(newest) = newest else { return Some(now - 60) };
    let next = newest.saturating_add(every);
    let ahead = (every / 4).clamp(PUBLISHED_BEFORE, 86_400);
    (now >= next - ahead).then(|| next.max(now + PUBLISHED_BEFORE))
}

impl Record for SigningKey {
    const KIND: Kind = Kind("signing_key");
    const ANCHOR: Option<AnchorKind> = None;
    fn id(&self) -> &str {
        &self.kid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const BEGAN: i64 = 1_750_000_000;

    fn key(alg: Alg, not_before: i64, retire_at: i64) -> SigningKey {
        let jwk =
            serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        let jwk = serde_json::from_value(jwk).unwrap();
        SigningKey { kid: format!("{alg:?}-{not_before}"), alg, jwk, sealed: String::new(), not_before, retire_at }
    }

    #[test]
    fn a_key_is_published_signs_verifies_and_is_over() {
        let key = key(Alg::ES256, BEGAN, BEGAN + 90 * DAY);
        let retired = BEGAN + 90 * DAY;
        for (now, state) in [
            (BEGAN - 1, KeyState::Published),
            (BEGAN, KeyState::Signing),
            (retired - 1, KeyState::Signing),
            (retired, KeyState::Retired),
            (retired + DAY + 30 * DAY, KeyState::Retired),
            (retired + DAY + 30 * DAY + 1, KeyState::Over),
        ] {
            assert_eq!(key.state(now, DAY), state, "{}", now - BEGAN);
        }
    }

    #[test]
    fn a_successor_is_due_in_time_once_and_never_signs_before_it_was_published() {
        let old = key(Alg::ES256, BEGAN, i64::MAX);
        let due = |keys: &[SigningKey], now| successor_due(keys, Alg::ES256, now, 90 * DAY);
        let one = [old.clone()];
        assert_eq!(due(&one, BEGAN + 89 * DAY - 1), None);
        assert_eq!(due(&one, BEGAN + 89 * DAY), Some(BEGAN + 90 * DAY));
        let late = BEGAN + 200 * DAY;
        assert_eq!(due(&one, late), Some(late + PUBLISHED_BEFORE), "who was away publishes first all the same");
        let both = [key(Alg::ES256, BEGAN, BEGAN + 90 * DAY), key(Alg::ES256, BEGAN + 90 * DAY, i64::MAX)];
        assert_eq!(due(&both, BEGAN + 89 * DAY), None, "it is there already");
        assert_eq!(due(&both, BEGAN + 91 * DAY), None);
    }

    #[test]
    fn an_algorithm_without_a_key_gets_one_at_once() {
        let others = [key(Alg::EdDSA, BEGAN, i64::MAX), key(Alg::ES256, BEGAN - DAY, BEGAN)];
        assert_eq!(successor_due(&others, Alg::ES256, BEGAN, 90 * DAY), Some(BEGAN - 60));
    }

    #[test]
    fn a_short_life_of_keys_still_leaves_time_to_publish() {
        let old = [key(Alg::ES256, BEGAN, i64::MAX)];
        assert_eq!(successor_due(&old, Alg::ES256, BEGAN + DAY * 3 / 4, DAY), Some(BEGAN + DAY));
        assert_eq!(successor_due(&old, Alg::ES256, BEGAN + DAY * 3 / 4 - 1, DAY), None);
    }
}
