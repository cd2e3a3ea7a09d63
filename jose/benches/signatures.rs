//! What a signature costs: with a parsed key, with the key of a proof, and
//! what reading costs beside it. `cargo bench -p keyfob-jose`.

use divan::{Bencher, black_box};
use jose::dpop::{Claims, Expected, Freshness, HttpUri, Proof, WINDOW, build};
use jose::jws::{Unverified, sign_compact};
use jose::seal::SealingKey;
use jose::{Alg, Jwk, Signer, SigningKey, VerifyingKey};

fn main() {
    divan::main();
}

const NOW: i64 = 1_750_000_000;
const CLAIMS: &[u8] = br#"{"iss":"https://id.example.com","sub":"dev_9F3K2","aud":"https://api.example.com","exp":1750003600,"iat":1750000000,"jti":"at-0001","scope":"firmware:read"}"#;

fn signer(alg: Alg) -> SigningKey {
    SigningKey::generate(alg).expect("the generator works")
}

fn token(key: &SigningKey) -> String {
    sign_compact(Some("at+jwt"), Some("as-1"), &serde_json::Map::new(), CLAIMS, key).expect("the key signs")
}

#[divan::bench(args = [Alg::ES256, Alg::EdDSA, Alg::RS256])]
fn sign(bencher: Bencher<'_, '_>, alg: Alg) {
    let key = signer(alg);
    bencher.bench(|| token(black_box(&key)));
}

#[divan::bench(args = [Alg::ES256, Alg::EdDSA, Alg::RS256])]
fn parse_and_verify(bencher: Bencher<'_, '_>, alg: Alg) {
    let key = signer(alg);
    let verifier = VerifyingKey::from_jwk(key.jwk()).expect("our own key is good");
    let token = token(&key);
    bencher.bench(|| Unverified::parse(black_box(&token)).and_then(|read| read.verify(&verifier, &[alg])));
}

#[divan::bench]
fn parse_only(bencher: Bencher<'_, '_>) {
    let token = token(&signer(Alg::ES256));
    bencher.bench(|| Unverified::parse(black_box(&token)));
}

#[divan::bench]
fn parse_a_key(bencher: Bencher<'_, '_>) {
    let key = signer(Alg::ES256).jwk().to_json().to_string();
    bencher.bench(|| Jwk::parse(black_box(key.as_bytes())));
}

#[divan::bench]
fn parse_and_verify_a_proof(bencher: Bencher<'_, '_>) {
    let uri = HttpUri::parse("https://ingest.example.com/v1/telemetry").expect("a good target");
    let claims = Claims { method: "POST", uri: &uri, iat: NOW, jti: "dpop-0001", ath: None, nonce: None };
    let proof = build(&signer(Alg::ES256), &claims).expect("the key signs");
    let freshness = Freshness::Iat { now: NOW, window: WINDOW };
    let expected = Expected { method: "POST", uri: &uri, access_token: None, freshness };
    bencher.bench(|| Proof::parse(&[black_box(&proof)]).and_then(|proof| proof.verify(expected)));
}

#[divan::bench]
fn open_a_sealed_token(bencher: Bencher<'_, '_>) {
    let key = SealingKey::new("s-1", [7; 32]).expect("a good key id");
    let sealed = key.seal([9; 24], b"access token", CLAIMS);
    bencher.bench(|| key.open(b"access token", black_box(&sealed)));
}
