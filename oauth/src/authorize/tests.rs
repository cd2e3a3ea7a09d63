use super::*;
use crate::fixture::{API, ISSUER, NOW, adam, app, consent, fact, login, second_conflicts, web};

const CHALLENGE: &str = "qjrzSW9gMiUgpUvqgEPE4_-8swvyCtfOVvg55o5S_es";

fn pairs(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut pairs = vec![
        ("client_id", "app_mobile"),
        ("redirect_uri", "com.example.app:/cb"),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("state", "s-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    pairs.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    pairs.extend(changes);
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn asked(client: &Client, changes: &[(&str, &str)]) -> Result<AuthorizeRequest, AuthorizeRefusal> {
    read(pairs(changes), Some(client), ISSUER)
}

fn refused(client: &Client, changes: &[(&str, &str)]) -> (ErrorCode, &'static str) {
    match asked(client, changes).unwrap_err() {
        AuthorizeRefusal::Page(reason) => panic!("told on a page: {reason}"),
        AuthorizeRefusal::Redirect(redirect, refusal) => {
            let told = redirect.refusal(refusal);
            assert!(told.contains(&("iss".into(), ISSUER.into())), "RFC 9207 §2");
            (refusal.code, refusal.reason)
        }
    }
}

#[test]
fn a_bad_client_or_redirect_uri_is_told_on_a_page_and_never_redirected() {
    for changes in [
        [("redirect_uri", "com.example.app:/cb/")],
        [("redirect_uri", "com.example.app:/CB")],
        [("redirect_uri", "com.example.app:/cb?x=1")],
        [("redirect_uri", "com.example.app:/%63b")],
        [("redirect_uri", "https://evil.example/cb")],
        [("redirect_uri", "")],
        [("client_id", "")],
    ] {
        assert!(matches!(asked(&app(), &changes), Err(AuthorizeRefusal::Page(_))), "{changes:?}");
    }
    for pairs in
        [pairs(&[("redirect_uri", "a"), ("redirect_uri", "b")]), pairs(&[("client_id", "a"), ("client_id", "b")])]
    {
        assert!(matches!(read(pairs, Some(&app()), ISSUER), Err(AuthorizeRefusal::Page(_))));
    }
    assert!(matches!(read(pairs(&[]), None, ISSUER), Err(AuthorizeRefusal::Page("client_unknown"))));
    let hosted = Client { redirect_uris: vec!["https://app.example.com/cb".into()], ..app() };
    for uri in
        ["https://a.app.example.com/cb", "https://app.example.com.evil.example/cb", "https://app.example.com/cb/a"]
    {
        assert!(matches!(asked(&hosted, &[("redirect_uri", uri)]), Err(AuthorizeRefusal::Page(_))), "{uri}");
    }
    assert!(asked(&hosted, &[("redirect_uri", "https://app.example.com/cb")]).is_ok());
    let disabled = Client { disabled: true, ..app() };
    assert!(matches!(asked(&disabled, &[]), Err(AuthorizeRefusal::Page("client_unknown"))));
    let plain = asked(&app(), &[("redirect_uri", ""), ("scope", "profile")]).unwrap();
    assert!(!plain.redirect_named, "one registered URI need not be named without openid");
}

#[test]
fn pkce_is_s256_and_for_everybody_who_may_not_leave_it_out() {
    for changes in [
        vec![("code_challenge", "")],
        vec![("code_challenge", ""), ("code_challenge_method", "")],
        vec![("code_challenge_method", "plain")],
        vec![("code_challenge_method", "")],
        vec![("code_challenge", "short")],
        vec![("code_challenge", &CHALLENGE[1..])],
    ] {
        assert_eq!(refused(&app(), &changes).0, ErrorCode::InvalidRequest, "{changes:?}");
        assert_eq!(refused(&web(), &changes).0, ErrorCode::InvalidRequest, "{changes:?}");
    }
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let mut may = web();
    may.rights.without_pkce = true;
    assert!(asked(&may, &without).is_ok());
    assert_eq!(refused(&Client { rights: may.rights.clone(), ..app() }, &without).0, ErrorCode::InvalidRequest);
}

#[test]
fn each_fault_goes_back_to_the_client_with_its_own_word() {
    for (changes, code) in [
        (vec![("response_type", "token")], ErrorCode::UnsupportedResponseType),
        (vec![("response_type", "")], ErrorCode::InvalidRequest),
        (vec![("response_mode", "fragment")], ErrorCode::InvalidRequest),
        (vec![("request", "x")], ErrorCode::RequestNotSupported),
        (vec![("request_uri", "x")], ErrorCode::RequestUriNotSupported),
        (vec![("scope", "unknown")], ErrorCode::InvalidScope),
        (vec![("prompt", "none login")], ErrorCode::InvalidRequest),
        (vec![("prompt", "shout")], ErrorCode::InvalidRequest),
        (vec![("max_age", "-1")], ErrorCode::InvalidRequest),
        (vec![("resource", "https://evil.example")], ErrorCode::InvalidTarget),
        (vec![("nonce", "a"), ("nonce", "b")], ErrorCode::InvalidRequest),
    ] {
        assert_eq!(refused(&app(), &changes).0, code, "{changes:?}");
    }
    let none = Client { grant_types: vec![], ..app() };
    assert_eq!(refused(&none, &[]).0, ErrorCode::UnauthorizedClient);
}

#[test]
fn offline_access_is_ignored_unless_consent_is_asked_for() {
    let scope = |prompt: &str| {
        let changes = [("scope", "openid offline_access unknown"), ("prompt", prompt)];
        asked(&app(), &changes).unwrap().scope.to_string()
    };
    assert_eq!((scope("").as_str(), scope("consent").as_str()), ("openid", "openid offline_access"));
}

fn step(
    changes: &[(&str, &str)],
    change: impl FnOnce(&mut AuthorizeFacts, &mut BrowserSession),
) -> Result<Step, ErrorCode> {
    let request = asked(&app(), changes).unwrap();
    let mut facts = AuthorizeFacts {
        tenant: crate::fixture::tenant(),
        client: Some(fact(app())),
        consent: Some(fact(consent(&app()))),
        user: Some(fact(adam())),
    };
    let mut session = login();
    change(&mut facts, &mut session);
    next_step(&request, &facts, Some(&session), None, None, NOW).map_err(|refusal| refusal.code)
}

#[test]
fn consent_is_remembered_for_the_same_scopes_and_resources_only() {
    assert_eq!(step(&[], |_, _| {}), Ok(Step::Grant));
    let ask = Ok(Step::Consent(Scope::of(["openid", "profile"])));
    assert_eq!(step(&[], |facts, _| facts.consent.as_mut().unwrap().record.scope = Scope::of(["openid"])), ask);
    assert_eq!(step(&[], |facts, _| facts.consent.as_mut().unwrap().record.resources = vec![API.into()]), ask);
    assert_eq!(step(&[], |facts, _| facts.consent.as_mut().unwrap().record.withdrawn_at = Some(NOW)), ask);
    assert_eq!(step(&[], |facts, _| facts.consent = None), ask);
    assert_eq!(step(&[("prompt", "consent")], |_, _| {}), ask);
    assert_eq!(step(&[("prompt", "none")], |facts, _| facts.consent = None), Err(ErrorCode::ConsentRequired));
}

#[test]
fn a_login_is_fresh_where_it_must_be() {
    assert_eq!(step(&[("prompt", "login")], |_, _| {}), Ok(Step::SignIn));
    assert_eq!(step(&[("max_age", "0")], |_, _| {}), Ok(Step::SignIn));
    assert_eq!(step(&[("max_age", "59")], |_, _| {}), Ok(Step::SignIn));
    assert_eq!(step(&[("max_age", "60")], |_, _| {}), Ok(Step::Grant));
    let both = [("max_age", "59"), ("prompt", "none")];
    assert_eq!(step(&both, |_, _| {}), Err(ErrorCode::LoginRequired));
    assert_eq!(step(&[("prompt", "none")], |facts, _| facts.user = None), Err(ErrorCode::LoginRequired));
    assert_eq!(step(&[("acr_values", "gold")], |_, _| {}), Ok(Step::Grant), "a wish");
    let essential = [("claims", r#"{"id_token":{"acr":{"essential":true}}}"#)];
    assert_eq!(step(&essential, |_, _| {}), Err(ErrorCode::UnmetAuthenticationRequirements));
}

#[test]
fn a_code_keeps_what_it_was_given_for() {
    let request = asked(&app(), &[("nonce", "n-1"), ("dpop_jkt", CHALLENGE)]).unwrap();
    let drawn = DrawnCode {
        code: Digest::from_base64url("code"),
        family: "fam_1".parse().unwrap(),
        consent: "con_2".into(),
        now: NOW,
    };
    let given = |consented| grant(&request, &fact(app()), &fact(adam()), &fact(login()), None, consented, &drawn);
    let decision = given(true);
    let Some(Change::AuthorizationCode(write)) = decision.changes.first() else { panic!("a code") };
    let code = &write.record;
    assert_eq!(
        (code.expires_at, code.challenge.as_deref(), code.nonce.as_deref()),
        (NOW + 60, Some(CHALLENGE), Some("n-1"))
    );
    assert_eq!((code.dpop_jkt.as_deref(), code.auth_time, code.used_at), (Some(CHALLENGE), NOW - 60, None));
    assert!(matches!(decision.changes.get(1), Some(Change::Consent(_))));
    assert_eq!(given(false).changes.len(), 1);
    assert!(second_conflicts(&given(false), &given(false)), "one code, written once");
}
