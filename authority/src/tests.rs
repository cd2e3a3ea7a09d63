//! Tokens at the door, whole.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use futures_util::FutureExt;
use identity::{Anchor, AnchorKind, Epochs, Tenant};
use jose::dpop::{Claims as ProofClaims, HttpUri, ath, build};
use jose::seal::SealingKey;
use jose::{Alg, Signer, SigningKey, VerifyingKey, base64url, digest, jws};
use oauth::ErrorCode;
use serde_json::{Map, Value, json};

use crate::*;

const NOW: i64 = 1_750_000_000;
const AUDIENCE: &str = "https://api.example.com";

struct World {
    authority: Authority,
    signing: SigningKey,
    sealing: Arc<SealingKey>,
    device: SigningKey,
}

fn world() -> World {
    let signing = SigningKey::generate(Alg::ES256).unwrap();
    let sealing = Arc::new(SealingKey::new("s1", [7; 32]).unwrap());
    let mut keys = KeySet::default();
    keys.add_verifying("k1".into(), Alg::ES256, VerifyingKey::from_jwk(signing.jwk()).unwrap(), i64::MAX);
    keys.add_sealing(sealing.clone());
    let tenant = Tenant {
        issuer: "https://id.example.com".into(),
        device_url: "https://device.id.example.com".into(),
        generation: "g".into(),
        max_token_life: 86_400,
    };
    let start = Start { secret: [1; 32], restarted_at: None, proof_room: 100, token_room: 100, shared: None };
    let authority = Authority::new(tenant, AnchorIndex::new("g".into(), 0, []), keys, start);
    World { authority, signing, sealing, device: SigningKey::generate(Alg::ES256).unwrap() }
}

fn claims() -> Map<String, Value> {
    let value = json!({
        "iss": "https://id.example.com", "sub": "u_adam", "aud": AUDIENCE, "client_id": "app", "iat": NOW,
        "exp": NOW + 3600, "jti": "at-1", "scope": "x:read", "anc": ["t.g.0", "d.dev_1.0"],
    });
    value.as_object().unwrap().clone()
}

fn sign(world: &World, typ: &str, claims: &Map<String, Value>) -> String {
    let payload = Value::Object(claims.clone()).to_string();
    jws::sign_compact(Some(typ), Some("k1"), &Map::new(), payload.as_bytes(), &world.signing).unwrap()
}

fn with(name: &str, value: Value) -> Map<String, Value> {
    let mut claims = claims();
    claims.insert(name.into(), value);
    claims
}

fn peer(certificate: Option<Vec<u8>>) -> Peer {
    let certificate = certificate.and_then(|der| UnverifiedCertificate::new(vec![der]));
    Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), certificate, local: false }
}

fn authenticate(world: &World, token: &str, scheme: Scheme, proofs: &[&str], peer: &Peer) -> Result<(), ErrorCode> {
    let uri = HttpUri::parse("https://api.example.com/x").unwrap();
    let presented = Presented { scheme, token, proofs, method: "GET", uri: &uri, peer };
    world
        .authority
        .authenticate(&presented, AUDIENCE, NOW)
        .now_or_never()
        .unwrap()
        .map(|_| ())
        .map_err(|refusal| refusal.code)
}

fn proof(world: &World, token: &str, jti: &str) -> String {
    let uri = HttpUri::parse("https://api.example.com/x").unwrap();
    let ath = ath(token);
    let claims = ProofClaims { method: "GET", uri: &uri, iat: NOW, jti, ath: Some(&ath), nonce: None };
    build(&world.device, &claims).unwrap()
}

#[test]
fn a_signed_and_a_sealed_token_are_read_alike() {
    let world = world();
    let signed = sign(&world, "at+jwt", &claims());
    let body = Value::Object(claims()).to_string();
    let sealed = world.sealing.seal([3; 24], OPAQUE_PREFIX.as_bytes(), body.as_bytes());
    let opaque = format!("{OPAQUE_PREFIX}{}", base64url::encode(&sealed));
    let a = world.authority.verify(&signed, NOW).unwrap();
    let b = world.authority.verify(&opaque, NOW).unwrap();
    assert_eq!(a.claims(), b.claims());
}

#[test]
fn a_retired_key_verifies_what_it_signed_and_nothing_younger() {
    let world = world();
    let mut keys = KeySet::default();
    let key = VerifyingKey::from_jwk(world.signing.jwk()).unwrap();
    keys.add_verifying("k1".into(), Alg::ES256, key, NOW - 100);
    world.authority.replace_keys(keys);
    let signed_at = |iat: i64| sign(&world, "at+jwt", &with("iat", json!(iat)));
    assert!(world.authority.read(&signed_at(NOW - 100), NOW).is_ok());
    assert!(world.authority.read(&signed_at(NOW - 40), NOW).is_ok(), "another node may have learned of it later");
    let forged = world.authority.read(&signed_at(NOW - 39), NOW).unwrap_err();
    assert_eq!(forged.reason, "token_signed_by_retired_key");
}

#[test]
fn a_token_seen_before_falls_with_its_anchor_all_the_same() {
    let world = world();
    let token = sign(&world, "at+jwt", &claims());
    assert!(world.authority.verify(&token, NOW).is_ok());
    let epochs = Epochs { epoch: NOW as u64, end_epoch: 0 };
    let anchor = Anchor::new(AnchorKind::Device, "dev_1");
    world.authority.raise([Raised { anchor, epochs, numbered_at: Some(NOW) }]);
    assert_eq!(world.authority.verify(&token, NOW).unwrap_err().reason, "anchor_raised_device");
}

#[test]
fn a_token_seen_before_expires_all_the_same() {
    let world = world();
    let token = sign(&world, "at+jwt", &claims());
    assert!(world.authority.verify(&token, NOW).is_ok());
    assert!(world.authority.verify(&token, NOW + 3600 + 60).is_ok());
    assert_eq!(world.authority.verify(&token, NOW + 3600 + 61).unwrap_err().reason, "token_expired");
}

#[test]
fn what_is_not_wholly_ours_is_refused() {
    let world = world();
    let stranger = SigningKey::generate(Alg::ES256).unwrap();
    let payload = Value::Object(claims()).to_string();
    let forged = jws::sign_compact(Some("at+jwt"), Some("k1"), &Map::new(), payload.as_bytes(), &stranger).unwrap();
    let unknown = jws::sign_compact(Some("at+jwt"), Some("k2"), &Map::new(), payload.as_bytes(), &stranger).unwrap();
    let mut no_exp = claims();
    no_exp.remove("exp");
    let mut no_anchors = claims();
    no_anchors.remove("anc");
    let cases = [
        (forged, "token_signature"),
        (unknown, "token_signed_by_unknown_key"),
        (sign(&world, "JWT", &claims()), "token_of_another_typ"),
        (sign(&world, "logout+jwt", &claims()), "token_of_another_typ"),
        (sign(&world, "at+jwt", &no_exp), "token_claims_malformed"),
        (sign(&world, "at+jwt", &no_anchors), "token_without_anchors"),
        (sign(&world, "at+jwt", &with("iss", "https://evil.example.com".into())), "token_of_another_issuer"),
        (sign(&world, "at+jwt", &with("anc", json!(["t.old.0"]))), "token_of_another_generation"),
        (sign(&world, "at+jwt", &with("exp", (NOW + 90_000).into())), "token_life_out_of_range"),
        (sign(&world, "at+jwt", &with("nbf", (NOW + 121).into())), "token_not_yet_valid"),
        ("x".repeat(9000), "token_too_long"),
        ("kfo_AAAA".into(), "token_malformed"),
    ];
    for (token, reason) in cases {
        assert_eq!(world.authority.verify(&token, NOW).unwrap_err().reason, reason);
    }
}

#[test]
fn a_token_counts_at_once_also_where_the_clock_is_two_minutes_behind() {
    let world = world();
    let made = with("nbf", (NOW + 120).into());
    assert!(world.authority.verify(&sign(&world, "at+jwt", &made), NOW).is_ok());
}

#[test]
fn an_asset_token_with_typ_jwt_is_known_by_its_anchors() {
    let world = world();
    let mut asset = with("anc", json!(["t.g.0", "as.ast_42.0"]));
    asset.insert("asset_id".into(), "ast_42".into());
    let token = sign(&world, "JWT", &asset);
    assert_eq!(world.authority.verify(&token, NOW).unwrap().kind(), oauth::token::TokenKind::Asset);
}

#[test]
fn a_bound_token_needs_its_own_key() {
    let world = world();
    let jkt = world.device.jwk().thumbprint().to_string();
    let token = sign(&world, "at+jwt", &with("cnf", json!({ "jkt": jkt })));
    let good = proof(&world, &token, "p1");
    assert_eq!(authenticate(&world, &token, Scheme::Dpop, &[&good], &peer(None)), Ok(()));
    assert_eq!(
        authenticate(&world, &token, Scheme::Dpop, &[&good], &peer(None)),
        Err(ErrorCode::InvalidDpopProof),
        "replayed"
    );
    assert_eq!(authenticate(&world, &token, Scheme::Bearer, &[], &peer(None)), Err(ErrorCode::InvalidToken));
    assert_eq!(authenticate(&world, &token, Scheme::Dpop, &[], &peer(None)), Err(ErrorCode::InvalidDpopProof));
    let thief = World { device: SigningKey::generate(Alg::ES256).unwrap(), ..world };
    let stolen = proof(&thief, &token, "p2");
    assert_eq!(authenticate(&thief, &token, Scheme::Dpop, &[&stolen], &peer(None)), Err(ErrorCode::InvalidToken));
}

#[test]
fn an_unbound_token_is_no_dpop_token() {
    let world = world();
    let token = sign(&world, "at+jwt", &claims());
    let proof = proof(&world, &token, "p1");
    assert_eq!(authenticate(&world, &token, Scheme::Dpop, &[&proof], &peer(None)), Err(ErrorCode::InvalidToken));
    assert_eq!(authenticate(&world, &token, Scheme::Bearer, &[], &peer(None)), Ok(()));
}

#[test]
fn a_certificate_bound_token_needs_that_certificate() {
    let world = world();
    let x5t = base64url::encode(digest::sha256(b"leaf"));
    let token = sign(&world, "at+jwt", &with("cnf", json!({ "x5t#S256": x5t })));
    let try_with =
        |der: Option<&[u8]>| authenticate(&world, &token, Scheme::Bearer, &[], &peer(der.map(<[u8]>::to_vec)));
    assert_eq!(try_with(Some(b"leaf")), Ok(()));
    assert_eq!(try_with(Some(b"other")), Err(ErrorCode::InvalidToken));
    assert_eq!(try_with(None), Err(ErrorCode::InvalidToken));
}

#[test]
fn a_binding_the_door_does_not_know_is_refused_never_taken_as_bearer() {
    let world = world();
    for cnf in [json!({}), json!({ "kid": "x" }), json!({ "jku": "https://x" }), json!({ "jkt": "a", "x5t#S256": "b" })]
    {
        let token = sign(&world, "at+jwt", &with("cnf", cnf));
        assert_eq!(authenticate(&world, &token, Scheme::Bearer, &[], &peer(None)), Err(ErrorCode::InvalidToken));
    }
}

#[test]
fn a_token_for_another_audience_is_refused() {
    let world = world();
    let token = sign(&world, "at+jwt", &with("aud", json!(["https://other.example.com"])));
    assert_eq!(authenticate(&world, &token, Scheme::Bearer, &[], &peer(None)), Err(ErrorCode::InvalidToken));
}

/// A clock that is set to and fro, while its uptime goes on.
#[derive(Default)]
struct Jumping {
    uptime: core::sync::atomic::AtomicU64,
    wall: core::sync::atomic::AtomicI64,
}

impl Jumping {
    fn pass(&self, ms: u64) {
        self.uptime.fetch_add(ms, core::sync::atomic::Ordering::Relaxed);
    }

    fn set(&self, ahead: i64) {
        self.wall.store(ahead, core::sync::atomic::Ordering::Relaxed);
    }
}

impl Clock for Jumping {
    fn now_ms(&self) -> u64 {
        let now = NOW + self.wall.load(core::sync::atomic::Ordering::Relaxed);
        u64::try_from(now).unwrap() * 1_000 + self.uptime_ms()
    }

    fn uptime_ms(&self) -> u64 {
        self.uptime.load(core::sync::atomic::Ordering::Relaxed)
    }
}

#[test]
fn a_stale_node_believes_what_it_knows_for_a_while_and_nothing_new() {
    struct Nobody;
    impl SharedOnce for Nobody {
        fn take(
            &self,
            _key: [u8; 32],
            _until: i64,
        ) -> core::pin::Pin<Box<dyn Future<Output = Result<(), OnceError>> + Send + '_>> {
            Box::pin(core::future::ready(Err(OnceError::Unreachable)))
        }
    }
    let alone = world();
    let tenant = alone.authority.tenant().clone();
    let clock = Arc::new(Jumping::default());
    let shared = Some(Shared { once: Arc::new(Nobody), clock: Arc::clone(&clock) as _ });
    let start = Start { secret: [1; 32], restarted_at: None, proof_room: 100, token_room: 100, shared };
    let mut keys = KeySet::default();
    keys.add_verifying("k1".into(), Alg::ES256, VerifyingKey::from_jwk(alone.signing.jwk()).unwrap(), i64::MAX);
    let one_of_several = Authority::new(tenant, AnchorIndex::new("g".into(), 0, []), keys, start);
    let (known, new) = (sign(&alone, "at+jwt", &claims()), sign(&alone, "at+jwt", &claims()));
    let stale = |result: Result<Arc<SoundToken>, TokenRefusal>| result.unwrap_err().reason == "feed_stale";
    assert!(stale(one_of_several.verify(&known, NOW)), "before the first round nothing is believed");
    let began = one_of_several.begin_round();
    clock.pass(2_000);
    one_of_several.learn_round(began, 0);
    assert_eq!(one_of_several.age_ms(), 2_000, "it counts from the start of the round");
    // Whatever the clock on the wall says meanwhile, forward and back.
    for wall in [-86_400, 0, 3_600, 7] {
        clock.set(wall);
        assert!(one_of_several.is_fresh() && one_of_several.age_ms() == 2_000);
    }
    clock.pass(3_000);
    one_of_several.verify(&known, NOW + 5).unwrap();
    clock.pass(1);
    for wall in [-86_400, 0, 3_600] {
        clock.set(wall);
        assert!(!one_of_several.is_fresh(), "no clock that is set back makes it young again");
        assert!(stale(one_of_several.verify(&new, NOW + 6)));
        one_of_several.verify(&known, NOW + 6).unwrap();
    }
    clock.pass(54_999);
    one_of_several.verify(&known, NOW + 60).unwrap();
    clock.pass(1);
    assert!(stale(one_of_several.verify(&known, NOW + 60)));
    one_of_several.learn_round(one_of_several.begin_round(), 0);
    one_of_several.verify(&new, NOW + 61).unwrap();
    assert!(alone.authority.is_fresh(), "alone, there is nobody to hear of");
}
