use super::*;
use crate::fixture::{NOW, app, ends, fact, refusal, shown, web};
use crate::token::Claims;

fn token(client: &str, exp: i64) -> Claims {
    Claims { client_id: client.into(), jti: "jti-1".into(), exp, ..Claims::default() }
}

#[test]
fn an_access_token_ends_alone() {
    let decision = decide(&shown(&app()), &Presented::Access(&token("app_mobile", NOW + 10)), NOW);
    assert_eq!(ends(&decision), ["j.jti-1"]);
    assert_eq!(decision.events[0].kind, EventKind::TokenRevoked);
}

#[test]
fn a_token_in_the_grace_of_clocks_or_of_renewal_is_ended_too() {
    let ended = |exp| ends(&decide(&shown(&app()), &Presented::Access(&token("app_mobile", exp)), NOW)).len();
    assert_eq!((ended(NOW - 1), ended(NOW - 30 * 86_400), ended(NOW - 30 * 86_400 - 1)), (1, 1, 0));
}

#[test]
fn someone_elses_token_is_refused_and_still_alive() {
    let decision = decide(&shown(&web()), &Presented::Access(&token("app_mobile", NOW + 10)), NOW);
    assert_eq!(refusal(&decision).0, ErrorCode::UnauthorizedClient);
    assert!(decision.changes.is_empty());
}

#[test]
fn a_refresh_token_takes_its_family_along_and_only_its_own_clients() {
    let family: TokenFamily = serde_json::from_value(serde_json::json!({
        "id": "fam_1", "client": "app_mobile", "scope": "", "resources": [], "anchors": [], "turn": 1,
        "methods": [], "created_at": NOW, "used_at": NOW, "expires_at": NOW + 10,
    }))
    .unwrap();
    let family = fact(family);
    let decision = decide(&shown(&app()), &Presented::Refresh(Some(&family)), NOW);
    assert_eq!(ends(&decision), ["f.fam_1"]);
    let foreign = decide(&shown(&web()), &Presented::Refresh(Some(&family)), NOW);
    assert_eq!((refusal(&foreign).0, ends(&foreign).len()), (ErrorCode::UnauthorizedClient, 0));
}

#[test]
fn what_is_unknown_is_as_good_as_revoked() {
    for presented in [Presented::Unknown, Presented::Refresh(None)] {
        let decision = decide(&shown(&app()), &presented, NOW);
        assert!(decision.reply.is_ok() && decision.changes.is_empty());
    }
}
