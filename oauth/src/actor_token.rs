//! Actor tokens: what a device, or an app for it, says about the device when it
//! is registered. Owns their form and who signed them.

use std::sync::Arc;

use identity::rule::claiming::ShownKey;
use identity::rule::{attributes, import_line};
use identity::{Secret, is_reserved_prefix};
use jose::{Alg, HmacKey, Jwk, VerifyingKey, base64url, digest, jws};
use serde_json::{Map, Value};

/// The longest life of an actor token, seconds.
pub const LONGEST: i64 = 600;
/// Clocks of devices, to either side, seconds.
const SKEW: i64 = 60;

/// An actor token that was read but not verified. Its names are well-formed.
#[derive(Clone)]
pub struct ActorToken {
    token: Arc<jws::Unverified>,
    claims: Map<String, Value>,
    fingerprint: String,
    /// The did or the maker's own id of the device.
    pub did: String,
    /// What its owner calls it.
    pub name: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Requested account.
    pub account: Option<String>,
    /// Requested contact at the customer system.
    pub contact: Option<String>,
    /// Requested title.
    pub asset: Option<String>,
    /// The device's own public key.
    pub key: Option<Jwk>,
    /// Everything else it says about itself.
    pub attributes: Map<String, Value>,
}

/// Who signed it.
#[derive(Debug, Clone, PartialEq)]
pub enum SignedBy {
    /// The device, with this key: possession is proved.
    Device(ShownKey),
    /// An app; a key inside is not believed.
    App(Option<ShownKey>),
}

/// What a verifier may use for a token that an app signed.
pub struct AppKeys<'a> {
    /// The client.
    pub client_id: &'a str,
    /// Its registered keys.
    pub jwks: &'a [Jwk],
    /// The key of the DPoP proof in the same request (public apps).
    pub proof: Option<&'a Jwk>,
    /// The secret it authenticated with in the same request (confidential apps).
    pub secret: Option<&'a Secret<String>>,
}

const KNOWN: [&str; 16] = [
    "iss",
    "sub",
    "aud",
    "iat",
    "exp",
    "nbf",
    "jti",
    "did",
    "name",
    "serial_number",
    "model",
    "manufacturer",
    "account_id",
    "contact_id",
    "asset_id",
    "cnf",
];

impl ActorToken {
    /// Reads a token. `lenient` takes the claim names and the object that
    /// Salesforce clients send (`Name`, `SerialNumber`, inside `asset`).
    ///
    /// # Errors
    /// The named cause.
    pub fn parse(text: &str, lenient: bool) -> Result<Self, &'static str> {
        let token = jws::Unverified::parse(text).map_err(|_| "actor_malformed")?;
        // Explicit typing (RFC 8725 §3.11); only a lenient client may leave it out.
        let fits = |typ: &str| jws::same_typ(typ, "actor+jwt") || jws::same_typ(typ, "JWT");
        let typ_fits = token.header().typ().map_or(lenient, fits);
        if !typ_fits {
            return Err("actor_typ");
        }
        let mut claims = token.peek_claims().map_err(|_| "actor_malformed")?;
        if lenient {
            claims = renamed(claims);
        }
        let word = |name: &str| match claims.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if is_plain(text) => Ok(Some(text.clone())),
            Some(_) => Err("actor_claim_malformed"),
        };
        let did = word("did")?.filter(|did| is_device_name(did)).ok_or("actor_did_malformed")?;
        let key = claims.get("cnf").map(parse_key).transpose()?;
        let attributes = custom(&claims)?;
        Ok(Self {
            // Over what was signed: of one signature of ECDSA anybody can make a
            // second one, and with it a second text.
            fingerprint: base64url::encode(digest::sha256(token.signing_input().as_bytes())),
            name: word("name")?,
            serial: word("serial_number")?.map(|serial| plain_serial(&serial).map(|()| serial)).transpose()?,
            model: word("model")?,
            account: word("account_id")?,
            contact: word("contact_id")?,
            asset: word("asset_id")?,
            token: Arc::new(token),
            claims,
            did,
            key,
            attributes,
        })
    }

    /// Both readings of a token, strict and lenient: who may use which is known
    /// only after the load. Under our own names they are one.
    ///
    /// # Errors
    /// Those of [`ActorToken::parse`].
    pub fn readings(text: &str) -> [Result<Arc<Self>, &'static str>; 2] {
        let strict = Self::parse(text, false).map(Arc::new);
        let lenient = match &strict {
            Ok(read) if is_plainly_named(&read.claims) => Ok(Arc::clone(read)),
            _ => Self::parse(text, true).map(Arc::new),
        };
        [strict, lenient]
    }

    /// The single use of this token: by issuer and `jti`, or by its own digest
    /// where a lenient client sends none.
    pub fn once_key(&self) -> String {
        let jti = self.text("jti").unwrap_or(&self.fingerprint);
        let key = format!("actor\n{}\n{jti}", self.text("iss").unwrap_or_default());
        base64url::encode(digest::sha256(key.as_bytes()))
    }

    /// When its single use may be forgotten, seconds.
    pub fn expires_at(&self) -> i64 {
        self.claims.get("exp").and_then(Value::as_i64).unwrap_or(0)
    }

    /// The whole payload, for the event.
    pub fn payload(&self) -> Value {
        Value::Object(self.claims.clone())
    }

    /// The thumbprint of the key inside, for the load.
    pub fn key_thumbprint(&self) -> Option<String> {
        self.key.as_ref().map(|key| key.thumbprint().to_string())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// Verifies signature, audience and times, and says who signed.
    ///
    /// # Errors
    /// The named cause.
    pub fn verify(&self, app: &AppKeys<'_>, issuer: &str, lenient: bool, now: i64) -> Result<SignedBy, &'static str> {
        self.check_times(lenient, now)?;
        self.check_audience(issuer, lenient)?;
        let by_device = self.text("iss").is_none_or(|iss| iss == self.did);
        if by_device && let Some(key) = &self.key {
            let named = |name: &str| self.text(name).map_or(lenient, |value| value == self.did);
            if !named("iss") || !named("sub") {
                return Err("actor_iss_sub");
            }
            return if self.is_by(key) { Ok(SignedBy::Device(shown(key))) } else { Err("actor_signature") };
        }
        let named = |name: &str, wanted: &str| self.text(name).map_or(lenient, |value| value == wanted);
        if !named("iss", app.client_id) || !named("sub", &self.did) {
            return Err("actor_iss_sub");
        }
        let by_key = app.jwks.iter().chain(app.proof).any(|jwk| self.is_by(jwk));
        if by_key || self.is_by_secret(app.secret) {
            Ok(SignedBy::App(self.key.as_ref().map(shown)))
        } else {
            Err("actor_signature")
        }
    }

    fn check_times(&self, lenient: bool, now: i64) -> Result<(), &'static str> {
        let time = |name: &str| self.claims.get(name).and_then(Value::as_i64);
        let exp = time("exp").ok_or("actor_without_exp")?;
        let (iat, jti) = (time("iat"), self.text("jti"));
        if !lenient && (iat.is_none() || jti.is_none_or(|jti| !(1..=128).contains(&jti.len()))) {
            return Err("actor_without_iat_or_jti");
        }
        if now >= exp.saturating_add(SKEW) {
            return Err("actor_expired");
        }
        if iat.is_some_and(|iat| iat > now + SKEW) || time("nbf").is_some_and(|nbf| nbf > now + SKEW) {
            return Err("actor_from_the_future");
        }
        let life = exp.saturating_sub(iat.unwrap_or(now));
        if life > LONGEST || exp > now + LONGEST + SKEW { Err("actor_life_too_long") } else { Ok(()) }
    }

    fn check_audience(&self, issuer: &str, lenient: bool) -> Result<(), &'static str> {
        match self.claims.get("aud") {
            Some(Value::String(aud)) if aud == issuer => Ok(()),
            Some(Value::Array(list)) if list.iter().any(|aud| aud == issuer) && list.len() == 1 => Ok(()),
            None if lenient => Ok(()),
            _ => Err("actor_aud"),
        }
    }

    fn is_by(&self, jwk: &Jwk) -> bool {
        let alg = self.token.header().alg();
        jwk.permits(alg)
            && VerifyingKey::from_jwk(jwk).is_ok_and(|key| self.token.verify(&key, &Alg::ASYMMETRIC).is_ok())
    }

    /// HS256 with the client's own secret, never with what is also public.
    fn is_by_secret(&self, secret: Option<&Secret<String>>) -> bool {
        let Some(secret) = secret.filter(|_| self.token.header().alg() == Alg::HS256) else { return false };
        if HmacKey::new(secret.expose().as_bytes()).is_err() {
            return false;
        }
        let key = VerifyingKey::hmac(secret.expose().as_bytes());
        key.is_ok_and(|key| self.token.verify(&key, &[Alg::HS256]).is_ok())
    }
}

impl core::fmt::Debug for ActorToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ActorToken(..)")
    }
}

fn shown(key: &Jwk) -> ShownKey {
    ShownKey { thumbprint: key.thumbprint().to_string(), jwk: key.to_bare_json() }
}

/// `{"jwk":{…}}` alone, public members alone (RFC 7800 §3.2).
fn parse_key(cnf: &Value) -> Result<Jwk, &'static str> {
    let members = cnf.as_object().ok_or("actor_cnf")?;
    match (members.len(), members.get("jwk")) {
        (1, Some(jwk)) => Jwk::from_json(jwk).map_err(|_| "actor_cnf_key"),
        _ => Err("actor_cnf"),
    }
}

/// At most 32, at most 4 KiB, under names that can stand in a filter.
fn custom(claims: &Map<String, Value>) -> Result<Map<String, Value>, &'static str> {
    let own = |(name, _): &(&String, &Value)| !KNOWN.contains(&name.as_str());
    let custom: Map<String, Value> = claims.iter().filter(own).map(|(n, v)| (n.clone(), v.clone())).collect();
    attributes::check(None, &custom).map_err(|_| "actor_attributes")?;
    Ok(custom)
}

/// At most 255 characters, no control characters.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= 255 && !text.chars().any(char::is_control)
}

/// A serial number is compared exactly, and has the form that imports demand.
fn plain_serial(serial: &str) -> Result<(), &'static str> {
    if import_line::is_serial(serial) { Ok(()) } else { Err("actor_serial") }
}

/// 1 to 128 of `[A-Za-z0-9._:-]`, and never posing as a user or a client; our
/// own dids aside.
fn is_device_name(did: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    let ours = did.starts_with("dev_");
    (1..=128).contains(&did.len()) && did.bytes().all(plain) && (ours || !is_reserved_prefix(did))
}

/// Names that Salesforce clients use, in small letters, and ours.
const NAMES: [(&str, &str); 7] = [
    ("did", "did"),
    ("name", "name"),
    ("serialnumber", "serial_number"),
    ("accountid", "account_id"),
    ("contactid", "contact_id"),
    ("id", "asset_id"),
    ("assetid", "asset_id"),
];

/// Whether every name is ours already, so that the lenient reading changes none.
fn is_plainly_named(claims: &Map<String, Value>) -> bool {
    claims.iter().all(|(name, value)| {
        let lower = name.to_ascii_lowercase();
        let renamed = NAMES.iter().any(|(theirs, ours)| *theirs == lower && ours != name);
        !(renamed || lower == "asset" && value.is_object())
    })
}

fn renamed(claims: Map<String, Value>) -> Map<String, Value> {
    let mut flat = Map::new();
    for (name, value) in claims {
        match value {
            Value::Object(inner) if name.eq_ignore_ascii_case("asset") => flat.extend(renamed(inner)),
            value => {
                let lower = name.to_ascii_lowercase();
                let known = NAMES.iter().find(|(theirs, _)| *theirs == lower).map(|(_, ours)| (*ours).to_owned());
                flat.insert(known.unwrap_or(name), value);
            }
        }
    }
    flat
}
