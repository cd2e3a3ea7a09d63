use identity::{Epochs, UserId};
use jose::Signer;
use serde_json::json;

use super::*;

const LIFE: i64 = 86_400;

fn digest(text: &str) -> Digest {
    Digest::from_base64url(text)
}

fn staff() -> Actor {
    Actor::Staff("u_eve".parse::<UserId>().unwrap())
}

fn new(id: &str) -> NewClient {
    NewClient { id: client_id(id).unwrap(), secret: digest("minted"), now: 1_750_000_000 }
}

fn metadata(value: Value) -> Metadata {
    let mut members = json!({
        "client_name": "Shop",
        "redirect_uris": ["https://shop.example.com/cb"],
        "scope": "openid profile",
        "audiences": ["https://api.example.com"],
    });
    value.as_object().unwrap().iter().for_each(|(name, value)| members[name] = value.clone());
    serde_json::from_value(members).unwrap()
}

fn made(value: Value) -> Result<Client, &'static str> {
    let decision = create(&new("shop"), &metadata(value), None, LIFE, &staff());
    decision.reply.map_err(|refusal| {
        assert!(matches!(refusal.code, ProblemCode::Invalid(_)));
        refusal.reason
    })
}

fn fact(record: Client) -> Fact<Client> {
    Fact { record, version: 3, epochs: Epochs { epoch: 7, end_epoch: 0 } }
}

fn key() -> Value {
    jose::SigningKey::generate(Alg::ES256).unwrap().with_kid("k-1").jwk().to_json()
}

fn raises<T>(decision: &Decision<T>) -> Vec<String> {
    let raise = |change: &Change| match change {
        Change::Identity(identity::Change::Raise(raise)) => Some(format!("{} {:?}", raise.anchor, raise.kind)),
        _ => None,
    };
    decision.changes.iter().filter_map(raise).collect()
}

#[test]
fn what_is_not_said_has_the_defaults_of_registration() {
    let client = made(json!({})).unwrap();
    assert_eq!(client.auth, AuthMethod::ClientSecretBasic);
    assert_eq!(client.grant_types, [GrantType::AuthorizationCode]);
    assert_eq!((client.token_alg, client.id_token_alg), (Alg::ES256, Alg::RS256));
    assert_eq!((client.access_token_life, client.asset_token_life), (3600, 86_400));
    assert_eq!(client.secret, Some(digest("minted")));
    let decision = create(&new("shop"), &metadata(json!({})), None, LIFE, &staff());
    assert_eq!(decision.events[0].kind, EventKind::ClientCreated);
    assert_eq!(decision.events[0].data["by"], "u_eve");
}

#[test]
fn what_is_read_back_is_what_was_written_and_holds_no_secret() {
    let client = made(json!({
        "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key()]}, "access_token_life": 300,
    }))
    .unwrap();
    let told = Metadata::of(&client);
    assert_eq!(told.verify(client.id.clone(), None, LIFE, client.created_at), Ok(client));
    let shown = serde_json::to_string(&Metadata::of(&made(json!({})).unwrap())).unwrap();
    assert!(!shown.contains("minted"), "{shown}");
}

#[test]
fn an_unknown_member_is_refused() {
    for name in ["jwks_uri", "client_secret", "wildcard_redirects"] {
        assert!(serde_json::from_value::<Metadata>(json!({ name: "x" })).is_err(), "{name}");
    }
}

#[test]
fn a_client_id_never_poses_as_a_device_a_person_or_the_machine() {
    for text in ["dev_1", "u_adam", "acc_1", "ast_1", "bnd_1", "local", "", "a b", "a/b", &"a".repeat(65)] {
        assert_eq!(client_id(text), Err(Invalid::Id), "{text:?}");
    }
    assert!(client_id("spk-firmware").is_ok());
}

#[test]
fn an_id_is_never_used_twice_not_even_after_deletion() {
    let known = fact(made(json!({})).unwrap());
    let deleted = delete(Some(&known), None, &staff());
    let kept = deleted.changes.iter().find_map(|change| match change {
        Change::Client(write) => Some(fact(write.record.clone())),
        _ => None,
    });
    for taken in [known, kept.unwrap()] {
        let again = create(&new("shop"), &metadata(json!({})), Some(&taken), LIFE, &staff());
        assert_eq!(again.reply.unwrap_err().code, ProblemCode::Conflict);
    }
}

#[test]
fn deleting_ends_all_that_hangs_from_a_client_and_keeps_its_id_alone() {
    let known = fact(made(json!({})).unwrap());
    let decision = delete(Some(&known), Some(3), &staff());
    assert_eq!(raises(&decision), ["cl.shop End"]);
    assert_eq!(decision.events[0].kind, EventKind::ClientDeleted);
    let Some(Change::Client(write)) = decision.changes.last() else { panic!("the record is written") };
    assert!(is_deleted(&write.record) && write.record.disabled && write.record.secret.is_none());
    let gone = fact(write.record.clone());
    assert_eq!(delete(Some(&gone), None, &staff()).reply.unwrap_err().code, ProblemCode::NotFound);
    let back = change(Some(&gone), None, &metadata(json!({})), &digest("new"), LIFE, &staff());
    assert_eq!(back.reply.unwrap_err().code, ProblemCode::NotFound);
}

#[test]
fn a_change_cuts_the_tokens_and_keeps_the_grants_and_the_secret() {
    let known = fact(made(json!({})).unwrap());
    let narrower = metadata(json!({"scope": "openid"}));
    let decision = change(Some(&known), Some(3), &narrower, &digest("another"), LIFE, &staff());
    assert_eq!(raises(&decision), ["cl.shop Cut"]);
    assert_eq!(decision.reply.unwrap().secret, Some(digest("minted")));
    let stale = change(Some(&known), Some(2), &narrower, &digest("another"), LIFE, &staff());
    assert_eq!(stale.reply.unwrap_err().code, ProblemCode::VersionMismatch);
    let same = change(Some(&known), None, &metadata(json!({})), &digest("another"), LIFE, &staff());
    assert!(!same.needs_commit(), "what changes nothing cuts nothing");
}

#[test]
fn a_client_that_turns_to_a_key_loses_its_secret_and_one_that_turns_back_gets_a_new_one() {
    let known = fact(made(json!({})).unwrap());
    let by_key = metadata(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key()]}}));
    let turned = change(Some(&known), None, &by_key, &digest("second"), LIFE, &staff()).reply.unwrap();
    assert_eq!(turned.secret, None);
    let back = change(Some(&fact(turned)), None, &metadata(json!({})), &digest("second"), LIFE, &staff());
    assert_eq!(back.reply.unwrap().secret, Some(digest("second")));
}

#[test]
fn a_new_secret_ends_the_old_one_and_what_was_got_with_it() {
    let known = fact(made(json!({})).unwrap());
    let decision = renew_secret(Some(&known), None, &digest("second"), &staff());
    assert_eq!(raises(&decision), ["cl.shop Cut"]);
    assert_eq!(decision.reply.unwrap().secret, Some(digest("second")));
    let public = fact(made(json!({"token_endpoint_auth_method": "none"})).unwrap());
    let refused = renew_secret(Some(&public), None, &digest("x"), &staff()).reply.unwrap_err();
    assert_eq!(refused.reason, "client_without_secret");
}

#[test]
fn each_method_needs_what_it_proves_itself_by() {
    assert_eq!(made(json!({"token_endpoint_auth_method": "private_key_jwt"})), Err("bad_jwks"));
    assert_eq!(made(json!({"token_endpoint_auth_method": "self_signed_tls_client_auth"})), Err("bad_jwks"));
    assert_eq!(made(json!({"token_endpoint_auth_method": "tls_client_auth"})), Err("bad_tls_name"));
    let named = json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "svc.example.com"});
    assert_eq!(made(named).unwrap().tls_name, Some(TlsName::SanDns("svc.example.com".into())));
    let public = made(json!({"token_endpoint_auth_method": "none"})).unwrap();
    assert_eq!(public.secret, None);
}

#[test]
fn a_certificate_has_exactly_one_registered_name() {
    let two = json!({
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_dns": "svc.example.com", "tls_client_auth_san_uri": "https://svc.example.com",
    });
    assert_eq!(made(two), Err("bad_tls_name"));
    assert_eq!(made(json!({"tls_client_auth_san_dns": "svc.example.com"})), Err("bad_tls_name"));
    let ip =
        |text: &str| made(json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_ip": text}));
    assert_eq!(ip("2001:DB8::0:1").unwrap().tls_name, Some(TlsName::SanIp("2001:db8::1".into())));
    assert_eq!(ip("svc"), Err("bad_tls_name"));
}

#[test]
fn a_private_key_among_the_keys_is_refused() {
    let by_key = |keys: Value| made(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": keys}}));
    let mut private = key();
    private["d"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(by_key(json!([private])), Err("bad_jwks"));
    assert_eq!(by_key(json!([{"kty": "oct", "k": "c2VjcmV0"}])), Err("bad_jwks"));
    assert_eq!(by_key(json!([])), Err("bad_jwks"));
    assert_eq!(by_key(json!([key(), key()])), Err("bad_jwks"), "one kid, two keys");
    assert!(by_key(json!([key()])).is_ok());
}

#[test]
fn grants_go_with_what_they_need() {
    let public = "none";
    let with = |auth: &str, grants: Value| made(json!({"token_endpoint_auth_method": auth, "grant_types": grants}));
    assert_eq!(with(public, json!(["client_credentials"])), Err("bad_grant_types"));
    assert_eq!(with(public, json!(["refresh_token"])), Err("bad_grant_types"));
    assert_eq!(with(public, json!(["authorization_code", "authorization_code"])), Err("bad_grant_types"));
    assert!(with(public, json!(["authorization_code", "refresh_token"])).is_ok());
    assert!(with("client_secret_post", json!(["client_credentials"])).is_ok());
    assert_eq!(made(json!({"redirect_uris": []})), Err("redirect_uri_missing"));
    let service = json!({"redirect_uris": [], "grant_types": ["client_credentials"]});
    assert!(made(service).is_ok());
    assert!(serde_json::from_value::<Metadata>(json!({"grant_types": ["implicit"]})).is_err());
    assert!(serde_json::from_value::<Metadata>(json!({"grant_types": ["password"]})).is_err());
}

#[test]
fn lives_and_algorithms_stay_in_their_range() {
    for life in [299, 3601, -1] {
        assert_eq!(made(json!({"access_token_life": life})), Err("bad_life"), "{life}");
    }
    assert_eq!(made(json!({"asset_token_life": LIFE + 1})), Err("bad_life"));
    assert_eq!(made(json!({"asset_token_life": LIFE})).unwrap().asset_token_life, LIFE);
    assert_eq!(made(json!({"access_token_alg": "HS256"})), Err("bad_alg"));
    assert_eq!(made(json!({"id_token_signed_response_alg": "PS256"})), Err("bad_alg"));
    assert!(serde_json::from_value::<Metadata>(json!({"id_token_signed_response_alg": "none"})).is_err());
}

#[test]
fn only_an_openid_client_that_authenticates_may_leave_pkce_out() {
    let right = json!({"rights": {"without_pkce": true}});
    assert!(made(right.clone()).is_ok());
    let with = |name: &str, value: &str| {
        let mut members = right.clone();
        members[name] = json!(value);
        made(members)
    };
    assert_eq!(with("token_endpoint_auth_method", "none"), Err("pkce_needed"));
    assert_eq!(with("scope", "profile"), Err("pkce_needed"));
}

#[test]
fn rights_of_the_exchange_go_with_its_grant() {
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let with = |rights: Value, grants: Value| made(json!({"rights": rights, "grant_types": grants}));
    assert_eq!(with(json!({"asset_tokens": true}), json!(["authorization_code"])), Err("bad_rights"));
    assert_eq!(with(json!({"asset_salesforce": true}), json!([exchange])), Err("bad_rights"));
    assert!(with(json!({"asset_tokens": true, "asset_salesforce": true}), json!([exchange])).is_ok());
}

#[test]
fn names_and_receivers_are_what_they_should_be() {
    for name in ["", "  ", "a\u{7}b", &"x".repeat(101)] {
        assert_eq!(made(json!({"client_name": name})), Err("bad_client_name"), "{name:?}");
    }
    for audience in ["cloud", "https://api#f", "https://api/ x"] {
        assert_eq!(made(json!({"audiences": [audience]})), Err("bad_audiences"), "{audience}");
    }
    assert!(made(json!({"audiences": ["mqtts://mqtt.example.com", "https://api.example.com"]})).is_ok());
    assert_eq!(made(json!({"redirect_uris": ["http://shop.example.com/cb"]})), Err("bad_redirect_uri"));
}

#[test]
fn every_cause_has_its_word() {
    assert_eq!(Invalid::RedirectUri.code(), "invalid_redirect_uri");
    assert_eq!(Invalid::Keys.code(), "invalid_client_metadata");
}
