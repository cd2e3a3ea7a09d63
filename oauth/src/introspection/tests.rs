use serde_json::{Value, json};

use super::*;
use crate::client::Client;
use crate::fixture::{API, INGEST, ISSUER, NOW, app, shown, tenant, web};
use crate::issue;
use crate::scope::Scope;
use crate::token::Confirmation;

fn token() -> Claims {
    let mut claims = issue::base_claims(&tenant(), "app_mobile", "u_adam", vec![INGEST.into()], NOW);
    claims.cnf = Some(Confirmation { jkt: Some("k".into()), ..Confirmation::default() });
    claims.anc = [tenant().anchor()].into_iter().collect();
    claims
}

fn server(audiences: &[&str], scopes: &[&str]) -> AuthenticatedClient {
    let audiences = audiences.iter().map(|&text| text.to_owned()).collect();
    shown(&Client { audiences, scopes: Scope::of(scopes), ..web() })
}

fn told(client: &AuthenticatedClient, token: Option<&Claims>, issuer: &str) -> Value {
    serde_json::to_value(reply(client, token, issuer)).unwrap()
}

#[test]
fn a_bare_client_id_is_nobody() {
    assert_eq!(admit(&shown(&app())).unwrap_err().code, ErrorCode::InvalidClient);
    assert!(admit(&shown(&web())).is_ok());
}

#[test]
fn a_resource_server_reads_tokens_of_its_own_audience_with_their_key() {
    let told = told(&server(&[INGEST], &[]), Some(&token()), ISSUER);
    assert_eq!((&told["active"], &told["sub"], &told["token_type"]), (&json!(true), &json!("u_adam"), &json!("DPoP")));
    assert_eq!(told["cnf"]["jkt"], "k");
}

#[test]
fn a_foreign_audience_a_dead_and_an_unknown_token_are_exactly_inactive() {
    assert_eq!(told(&server(&[API], &[]), Some(&token()), ISSUER), json!({ "active": false }));
    assert_eq!(told(&server(&[INGEST], &[]), None, ISSUER), json!({ "active": false }));
    let mut ours = token();
    ours.aud.0 = vec![ISSUER.into()];
    assert_eq!(told(&server(&[ISSUER], &[]), Some(&ours), ISSUER), json!({ "active": false }), "our own API's");
    assert_eq!(told(&server(&[], &["tokens:introspect"]), Some(&ours), ISSUER)["active"], json!(true));
}

#[test]
fn anchors_are_told_to_followers_alone() {
    assert!(told(&server(&[INGEST], &[]), Some(&token()), ISSUER).get("anc").is_none());
    assert!(told(&server(&[INGEST], &["authority:follow"]), Some(&token()), ISSUER).get("anc").is_some());
}
