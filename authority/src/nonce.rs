//! Nonces and challenges the server gives (RFC 9449 §8): unpredictable, made
//! from time and a keyed hash, so that giving one stores nothing.

use jose::{base64url, digest};

/// How long a nonce is good, seconds.
pub(crate) const LIFE: i64 = 300;

/// Gives nonces and knows its own. One key per kind of door: those of the
/// authorization server and of a resource differ.
pub struct Nonces {
    key: [u8; 32],
}

impl Nonces {
    /// Keyed by 32 random bytes and the name of the door.
    pub fn new(secret: &[u8; 32], door: &str) -> Self {
        Self { key: digest::hmac_sha256(secret, door.as_bytes()) }
    }

    /// A nonce for now; `salt` makes it unpredictable and unique.
    pub fn give(&self, now: i64, salt: [u8; 16]) -> String {
        let mut bytes = now.to_be_bytes().to_vec();
        bytes.extend_from_slice(&salt);
        let tag = digest::hmac_sha256(&self.key, &bytes);
        bytes.extend(tag.into_iter().take(16));
        base64url::encode(&bytes)
    }

    /// When one of ours was given, if it is still good.
    pub fn given_at(&self, nonce: &str, now: i64) -> Option<i64> {
        let bytes = base64url::decode(nonce).ok()?;
        let (body, tag) = bytes.split_at_checked(24)?;
        let expected = digest::hmac_sha256(&self.key, body);
        if tag.len() != 16 || !digest::constant_time_eq(tag, expected.get(..16)?) {
            return None;
        }
        let at = i64::from_be_bytes(body.get(..8)?.try_into().ok()?);
        (at <= now + 60 && now - at <= LIFE).then_some(at)
    }
}

impl core::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Nonces(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_five_minutes_at_its_own_door() {
        let door = Nonces::new(&[1; 32], "as");
        let nonce = door.give(1000, [9; 16]);
        assert_eq!(door.given_at(&nonce, 1000), Some(1000));
        assert_eq!(door.given_at(&nonce, 1300), Some(1000));
        assert_eq!(door.given_at(&nonce, 1301), None);
        assert_eq!(Nonces::new(&[1; 32], "rs").given_at(&nonce, 1000), None);
        assert_eq!(Nonces::new(&[2; 32], "as").given_at(&nonce, 1000), None);
    }

    #[test]
    fn a_changed_nonce_is_unknown() {
        let door = Nonces::new(&[1; 32], "as");
        let nonce = door.give(1000, [9; 16]);
        for place in 0..nonce.len() {
            let mut changed: Vec<char> = nonce.chars().collect();
            changed[place] = if changed[place] == 'A' { 'B' } else { 'A' };
            assert_eq!(door.given_at(&changed.into_iter().collect::<String>(), 1000), None, "{place}");
        }
        assert_eq!(door.given_at("", 1000), None);
    }
}
