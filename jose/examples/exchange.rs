//! Answers one request per line of standard input, each a JSON object, with one
//! line of JSON: signs, verifies, encrypts and decrypts. `interop/jose.test.mjs`
//! talks to it, so that another implementation reads what this one writes and
//! the reverse.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, Read, Write};

use jose::jwe::{self, AgreementKey, Content, DecryptionKey, Enc, Encrypted, KeyAgreement, Message, Recipient};
use jose::jws::{self, Unverified};
use jose::{Alg, HmacKey, Jwk, SigningKey, VerifyingKey, base64url};
use serde_json::{Map, Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut random = File::open("/dev/urandom")?;
    let mut answers = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let answer = match answer(&Request(&request), &mut random) {
            Ok(text) => json!({ "ok": text }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        writeln!(answers, "{answer}")?;
        answers.flush()?;
    }
    Ok(())
}

/// The members of a request.
struct Request<'a>(&'a Value);

type Answer = Result<String, Box<dyn Error>>;

impl Request<'_> {
    fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn json(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or_default()
    }

    fn alg(&self) -> Result<Alg, Box<dyn Error>> {
        Ok(Alg::parse(self.text("alg")).ok_or("unknown alg")?)
    }

    fn agreement(&self) -> Result<KeyAgreement, Box<dyn Error>> {
        Ok(KeyAgreement::parse(self.text("alg")).ok_or("unknown alg")?)
    }
}

fn answer(request: &Request<'_>, random: &mut File) -> Answer {
    match request.text("do") {
        "sign" => sign(request),
        "verify" => verify(request),
        "encrypt" => encrypt(request, random),
        "decrypt" => decrypt(request),
        other => Err(format!("cannot {other}").into()),
    }
}

fn sign(request: &Request<'_>) -> Answer {
    let (typ, payload) = (Some(request.text("typ")), request.text("payload").as_bytes());
    let key = base64url::decode(request.text("key"))?;
    if request.alg()? == Alg::HS256 {
        return Ok(HmacKey::new(&key)?.sign_compact(typ, None, &Map::new(), payload)?);
    }
    let key = SigningKey::from_pkcs8(request.alg()?, &key)?;
    Ok(jws::sign_compact(typ, None, &Map::new(), payload, &key)?)
}

fn verify(request: &Request<'_>) -> Answer {
    let key = match request.json("jwk") {
        Value::Null => VerifyingKey::hmac(&base64url::decode(request.text("key"))?)?,
        jwk => VerifyingKey::from_jwk(&Jwk::from_json(&jwk)?)?,
    };
    let verified = Unverified::parse(request.text("token"))?.verify(&key, &[request.alg()?])?;
    Ok(String::from_utf8(verified.payload().to_vec())?)
}

fn encrypt(request: &Request<'_>, random: &mut File) -> Answer {
    let (apu, apv) = (request.text("apu").as_bytes(), request.text("apv").as_bytes());
    let content = match request.text("token") {
        "" => Content::Bytes { cty: None, bytes: request.text("plaintext").as_bytes() },
        token => Content::Signed(token),
    };
    let enc = Enc::parse(request.text("enc")).ok_or("unknown enc")?;
    let message = Message { enc, typ: None, apu, content };
    let keys = request.json("keys");
    let keys = keys.as_array().ok_or("no keys")?.iter().map(AgreementKey::from_json).collect::<Result<Vec<_>, _>>()?;
    let to: Vec<Recipient<'_>> = keys.iter().map(|key| Recipient { key, apv }).collect();
    let mut draw = |bytes: &mut [u8]| random.read_exact(bytes).expect("the kernel gives random bytes");
    match to.as_slice() {
        [one] => Ok(jwe::encrypt(request.agreement()?, *one, message, &mut draw)?),
        several => Ok(jwe::encrypt_to_all(request.agreement()?, several, message, &mut draw)?),
    }
}

fn decrypt(request: &Request<'_>) -> Answer {
    let key = DecryptionKey::from_private_jwk(request.json("jwk").to_string().as_bytes())?;
    let message = match request.json("message") {
        Value::String(compact) => Encrypted::parse(&compact)?,
        form => Encrypted::parse_json(form.to_string().as_bytes())?,
    };
    let opened = message.decrypt(&key, &[request.agreement()?], &Enc::ALL)?;
    if request.text("inside") == "token" {
        opened.nested()?;
    }
    Ok(String::from_utf8(opened.plaintext().to_vec())?)
}
