use identity::Digest;

use super::*;
use crate::client::Client;
use crate::facts::ChainFacts;
use crate::fixture::{
    API, ISSUER, NOW, adam, app, caller, claims, consent, drawn, ends, fact, family, hangs_from, home, login,
    names_every_guard, refusal, second_conflicts, shown, web,
};
use crate::scope::Scope;

const VERIFIER: &str = "M25iVXpKU3puUjFaYWg3T1NDTDQtcW1ROUY5YXlwalNoc0hhakxifmZHag";
const CHALLENGE: &str = "qjrzSW9gMiUgpUvqgEPE4_-8swvyCtfOVvg55o5S_es";

fn code(client: &Client) -> AuthorizationCode {
    AuthorizationCode {
        id: Digest::from_base64url("code"),
        client: client.id.clone(),
        redirect_uri: "com.example.app:/cb".into(),
        redirect_uri_named: true,
        challenge: Some(CHALLENGE.into()),
        dpop_jkt: None,
        user: adam().id,
        session: login().id,
        scope: Scope::of(["openid", "profile", "device:register"]),
        resources: vec![API.into(), ISSUER.into()],
        nonce: Some("n-1".into()),
        auth_time: NOW - 60,
        methods: vec!["pwd".into()],
        expires_at: NOW + 60,
        family: "fam_1".parse().unwrap(),
        used_at: None,
    }
}

fn facts(client: &Client) -> CodeFacts {
    let chain = ChainFacts {
        user: Some(fact(adam())),
        account: Some(fact(home("acc_501"))),
        session: Some(fact(login())),
        consent: Some(fact(consent(client))),
        ..ChainFacts::default()
    };
    CodeFacts { caller: caller(client), code: Some(fact(code(client))), chain }
}

fn request() -> Request {
    Request {
        redirect_uri: Some("com.example.app:/cb".into()),
        verifier: Some(VERIFIER.into()),
        targets: vec![],
        jkt: None,
    }
}

fn decided(client: &Client, change: impl FnOnce(&mut Request, &mut CodeFacts)) -> Decision<TokenReply> {
    at(client, NOW, change)
}

fn at(client: &Client, now: i64, change: impl FnOnce(&mut Request, &mut CodeFacts)) -> Decision<TokenReply> {
    let (mut request, mut facts) = (request(), facts(client));
    change(&mut request, &mut facts);
    decide(&request, &shown(client), &facts, &drawn(now))
}

fn of_code(facts: &mut CodeFacts) -> &mut AuthorizationCode {
    &mut facts.code.as_mut().unwrap().record
}

fn reason(decision: &Decision<TokenReply>) -> &'static str {
    let (code, reason) = refusal(decision);
    assert_eq!(code, ErrorCode::InvalidGrant, "{reason}");
    assert!(decision.changes.is_empty() || reason == "code_replayed", "{reason} writes nothing");
    reason
}

#[test]
fn a_good_code_gives_the_tokens_it_stands_for() {
    let decision = decided(&app(), |_, _| {});
    let claims = claims(&decision);
    assert_eq!((claims.sub.as_str(), claims.client_id.as_str()), ("u_adam", "app_mobile"));
    assert_eq!((claims.iat, claims.exp), (NOW, NOW + 3600));
    assert_eq!(claims.scope.to_string(), "openid profile device:register");
    assert_eq!(claims.account_id.as_deref(), Some("acc_501"));
    assert!(names_every_guard(&decision, &claims));
    let reply = decision.reply.as_ref().unwrap();
    let id_token = &reply.id_token.as_ref().unwrap().claims;
    let id_token: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(id_token).unwrap();
    assert_eq!(
        (&id_token["sub"], &id_token["aud"], &id_token["nonce"]),
        (&"u_adam".into(), &"app_mobile".into(), &"n-1".into())
    );
    assert!(!id_token.contains_key("anc") && !id_token.contains_key("client_id"), "it never passes as an access token");
    let family = family(&decision).unwrap();
    assert_eq!((family.turn, family.current.is_some()), (1, true));
}

#[test]
fn a_token_with_openid_is_good_at_userinfo_unless_another_place_was_asked_for() {
    assert_eq!(claims(&decided(&app(), |_, _| {})).aud.0, [API, ISSUER]);
    assert_eq!(claims(&decided(&app(), |request, _| request.targets = vec![API.into()])).aud.0, [API]);
    let plain = decided(&app(), |_, facts| of_code(facts).scope = Scope::of(["device:register"]));
    assert_eq!(claims(&plain).aud.0, [API]);
}

#[test]
fn a_resource_that_was_not_granted_or_is_no_longer_allowed_is_refused() {
    for change in [
        |request: &mut Request, facts: &mut CodeFacts| {
            of_code(facts).resources = vec![API.into()];
            request.targets = vec![ISSUER.into()];
        },
        |request: &mut Request, _: &mut CodeFacts| request.targets = vec!["https://evil.example".into()],
    ] {
        assert_eq!(refusal(&decided(&app(), change)).0, ErrorCode::InvalidTarget);
    }
    let narrowed = Client { audiences: vec![ISSUER.into()], ..app() };
    let decision = decided(&narrowed, |request, _| request.targets = vec![API.into()]);
    assert_eq!(refusal(&decision), (ErrorCode::InvalidTarget, "target_not_allowed"));
}

#[test]
fn the_verifier_must_be_the_one_of_the_challenge() {
    let with =
        |verifier: Option<&str>| reason(&decided(&app(), |request, _| request.verifier = verifier.map(str::to_owned)));
    assert_eq!(with(None), "verifier_missing");
    assert_eq!(with(Some(&VERIFIER.replace('M', "N"))), "verifier_wrong");
    assert_eq!(with(Some(CHALLENGE)), "verifier_wrong");
    for malformed in ["short", &"a".repeat(42), &"a".repeat(129), &format!("{}!", "a".repeat(43)), &"ä".repeat(30)] {
        assert_eq!(with(Some(malformed)), "verifier_malformed", "{malformed}");
    }
}

#[test]
fn a_stripped_challenge_is_a_downgrade_and_refused() {
    let stripped = decided(&app(), |_, facts| of_code(facts).challenge = None);
    assert_eq!(reason(&stripped), "verifier_without_challenge");
    let without = |request: &mut Request, facts: &mut CodeFacts| {
        of_code(facts).challenge = None;
        request.verifier = None;
    };
    assert_eq!(reason(&decided(&app(), without)), "code_without_challenge");
    assert_eq!(reason(&decided(&web(), without)), "code_without_challenge");
    let mut may = web();
    may.rights.without_pkce = true;
    assert!(decided(&may, without).reply.is_ok());
    assert_eq!(reason(&decided(&Client { rights: may.rights, ..app() }, without)), "code_without_challenge");
}

#[test]
fn a_replayed_code_is_refused_and_its_family_ended() {
    let decision = decided(&app(), |_, facts| of_code(facts).used_at = Some(NOW - 1));
    assert_eq!(reason(&decision), "code_replayed");
    assert_eq!(ends(&decision), ["f.fam_1"]);
    assert_eq!(decision.events[0].kind, EventKind::FamilyRevoked);
    // Also with everything else wrong, and long after.
    let late = at(&app(), NOW + 86_400, |request, facts| {
        of_code(facts).used_at = Some(NOW);
        request.verifier = None;
    });
    assert_eq!(ends(&late), ["f.fam_1"]);
}

#[test]
fn a_code_of_another_client_is_refused_and_stays_as_it_was() {
    for used_at in [None, Some(NOW - 1)] {
        let decision = decided(&app(), |_, facts| {
            of_code(facts).client = "web_shop".parse().unwrap();
            of_code(facts).used_at = used_at;
        });
        assert_eq!(reason(&decision), "code_of_another_client");
    }
    assert_eq!(reason(&decided(&app(), |_, facts| facts.code = None)), "code_unknown");
}

#[test]
fn a_code_lives_sixty_seconds() {
    assert!(at(&app(), NOW + 60, |_, _| {}).reply.is_ok());
    assert_eq!(reason(&at(&app(), NOW + 61, |_, _| {})), "code_expired");
}

#[test]
fn the_redirect_uri_must_be_repeated_exactly() {
    for uri in ["com.example.app:/cb/", "com.example.app:/CB", "com.example.app:/cb?x=1", "https://evil.example"] {
        let decision = decided(&app(), |request, _| request.redirect_uri = Some(uri.into()));
        assert_eq!(reason(&decision), "redirect_uri_differs", "{uri}");
    }
    assert_eq!(reason(&decided(&app(), |request, _| request.redirect_uri = None)), "redirect_uri_missing");
    let unnamed = decided(&app(), |request, facts| {
        of_code(facts).redirect_uri_named = false;
        request.redirect_uri = None;
    });
    assert!(unnamed.reply.is_ok());
}

#[test]
fn of_two_concurrent_uses_one_wins() {
    let (first, second) = (decided(&app(), |_, _| {}), decided(&app(), |_, _| {}));
    assert!(second_conflicts(&first, &second));
}

#[test]
fn a_code_bound_to_a_key_wants_that_key() {
    let with = |jkt: Option<&str>| {
        decided(&app(), |request, facts| {
            of_code(facts).dpop_jkt = Some("key-1".into());
            request.jkt = jkt.map(str::to_owned);
        })
    };
    assert_eq!(refusal(&with(None)), (ErrorCode::InvalidDpopProof, "code_needs_proof"));
    assert_eq!(refusal(&with(Some("key-2"))), (ErrorCode::InvalidGrant, "proof_by_another_key"));
    let good = with(Some("key-1"));
    assert_eq!(good.reply.as_ref().unwrap().token_type, "DPoP");
    assert_eq!(claims(&good).cnf.unwrap().jkt.as_deref(), Some("key-1"));
    assert_eq!(family(&good).unwrap().confirmation.unwrap().jkt.as_deref(), Some("key-1"));
}

#[test]
fn signing_out_or_withdrawing_consent_takes_the_code_along() {
    let ended = decided(&app(), |_, facts| facts.chain.session.as_mut().unwrap().epochs.end_epoch = 9);
    assert_eq!(reason(&ended), "session_gone");
    assert_eq!(reason(&decided(&app(), |_, facts| facts.chain.session = None)), "session_gone");
    assert_eq!(reason(&decided(&app(), |_, facts| facts.chain.consent = None)), "consent_withdrawn");
    let mut first_party = app();
    first_party.rights.first_party = true;
    assert!(decided(&first_party, |_, facts| facts.chain.consent = None).reply.is_ok());
    let disabled = decided(&app(), |_, facts| {
        facts.chain.user.as_mut().unwrap().record.state = identity::user::UserState::Disabled;
    });
    assert_eq!(reason(&disabled), "user_gone");
}

#[test]
fn tokens_of_a_web_application_end_with_the_login_and_those_of_an_app_do_not() {
    let of = |client: &Client, scope: &[&str]| {
        let decision = decided(client, |_, facts| of_code(facts).scope = Scope::of(scope));
        let hangs = hangs_from(&claims(&decision)).contains(&"s.ses_1.7".to_owned());
        assert_eq!(family(&decision).unwrap().session.is_some(), hangs);
        hangs
    };
    assert!(of(&web(), &["openid"]));
    assert!(!of(&web(), &["openid", "offline_access"]));
    assert!(!of(&app(), &["openid"]));
}

#[test]
fn scopes_that_the_client_lost_since_are_not_given() {
    let client = Client { scopes: Scope::of(["profile"]), ..app() };
    assert_eq!(claims(&decided(&client, |_, _| {})).scope.to_string(), "profile");
}

#[test]
fn a_closed_account_is_not_named() {
    let decision = decided(&app(), |_, facts| facts.chain.account.as_mut().unwrap().record.closed = true);
    assert_eq!(claims(&decision).account_id, None);
}

#[test]
fn without_the_refresh_grant_there_is_no_refresh_token_but_a_family_to_end() {
    let client = Client { grant_types: vec![GrantType::AuthorizationCode], ..app() };
    let decision = decided(&client, |_, _| {});
    assert!(decision.reply.as_ref().unwrap().refresh.is_none());
    assert_eq!(family(&decision).unwrap().current, None);
    let none = Client { grant_types: vec![], ..app() };
    assert_eq!(refusal(&decided(&none, |_, _| {})).0, ErrorCode::UnauthorizedClient);
}
