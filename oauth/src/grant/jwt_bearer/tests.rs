use identity::bond::BondState;
use identity::{Anchors, Epochs};
use proptest::prelude::*;

use super::*;
use crate::facts::ChainFacts;
use crate::fixture::{
    API, INGEST, ISSUER, NOW, adam, app, caller, claims, device_key, drawn, fact, hangs_from, home, other_key,
    own_bond, refusal, shown, shown_device, speaker, tenant, thumbprint, title, web,
};
use crate::token::Act;

/// Adam's speaker's asset token, good at this server too.
fn asset_token() -> Subject {
    let mut claims = issue::base_claims(&tenant(), "app_mobile", "u_adam", vec![INGEST.into(), ISSUER.into()], NOW);
    claims.exp = NOW + 86_400;
    claims.jti = "atk-0001".into();
    claims.scope = Scope::of(["telemetry:write", "cloud:stream"]);
    claims.did = Some("dev_9F3K2".into());
    claims.asset_id = Some("ast_42".into());
    claims.act = Some(Act { sub: "dev_9F3K2".into(), iss: Some(ISSUER.into()), act: None });
    claims.cnf = Some(binding::key(&thumbprint(&device_key())));
    claims.anc = ["t.gen.0", "cl.app_mobile.7", "d.dev_9F3K2.5", "as.ast_42.7", "b.bnd_own.7"]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    Subject { kind: TokenKind::Asset, claims }
}

fn facts() -> TradeFacts {
    let chain = ChainFacts {
        user: Some(fact(adam())),
        account: Some(fact(home("acc_501"))),
        asset: Some(fact(title("acc_501"))),
        bond: Some(own_bond()),
        device: Some(speaker(DeviceState::Active)),
        client: Some(fact(app())),
        ..ChainFacts::default()
    };
    TradeFacts { caller: caller(&app()), chain, anchors_now: vec![Some(Epochs::default()); 5] }
}

struct Trade {
    request: Request,
    subject: Subject,
    facts: TradeFacts,
    client: Option<AuthenticatedClient>,
}

fn decided(change: impl FnOnce(&mut Trade)) -> Decision<TokenReply> {
    at(NOW, change)
}

fn at(now: i64, change: impl FnOnce(&mut Trade)) -> Decision<TokenReply> {
    let request = Request { jkt: Some(thumbprint(&device_key())), ..Request::default() };
    let mut trade = Trade { request, subject: asset_token(), facts: facts(), client: None };
    change(&mut trade);
    decide(&trade.request, trade.client.as_ref(), Ok(&trade.subject), &trade.facts, &drawn(now))
}

fn reason(decision: &Decision<TokenReply>) -> &'static str {
    let (code, reason) = refusal(decision);
    assert_eq!(code, ErrorCode::InvalidGrant, "{reason}");
    reason
}

#[test]
fn an_asset_token_is_traded_for_an_access_token_of_the_same_device() {
    let decision = decided(|trade| trade.request.targets = vec![INGEST.into()]);
    let (token, before) = (claims(&decision), asset_token().claims);
    assert_eq!((&token.sub, &token.act, &token.did, &token.cnf), (&before.sub, &before.act, &before.did, &before.cnf));
    assert_eq!((token.aud.0.as_slice(), token.exp), (&[INGEST.to_owned()][..], NOW + 3600));
    let reply = decision.reply.unwrap();
    assert_eq!((reply.token_type, reply.access.typ, reply.issued_token_type), ("DPoP", "at+jwt", None));
    let listed = hangs_from(&token);
    for anchor in ["j.atk-0001.0", "d.dev_9F3K2.5", "b.bnd_own.7", "t.gen.0"] {
        assert!(listed.contains(&anchor.to_owned()), "{anchor}: inherited, at the lower epoch");
    }
}

#[test]
fn by_token_exchange_the_same_comes_out() {
    let by = |by_exchange| decided(|trade| trade.request.by_exchange = by_exchange);
    assert_eq!(claims(&by(true)), claims(&by(false)));
    assert_eq!(by(true).reply.unwrap().issued_token_type.as_deref(), Some(ACCESS_TOKEN));
}

#[test]
fn the_grant_must_be_registered_by_whoever_is_there_to_have_registered_it() {
    let only = |grant: GrantType, by_exchange| {
        decided(|trade| {
            trade.facts.chain.client.as_mut().unwrap().record.grant_types = vec![grant];
            trade.request.by_exchange = by_exchange;
        })
    };
    assert!(only(GrantType::JwtBearer, false).reply.is_ok() && only(GrantType::TokenExchange, true).reply.is_ok());
    for (grant, by_exchange) in [(GrantType::JwtBearer, true), (GrantType::TokenExchange, false)] {
        assert_eq!(refusal(&only(grant, by_exchange)).0, ErrorCode::UnauthorizedClient);
    }
    let mut without = app();
    without.grant_types = vec![];
    let decision = decided(|trade| trade.client = Some(shown(&without)));
    assert_eq!(refusal(&decision).0, ErrorCode::UnauthorizedClient);
}

#[test]
fn a_bound_assertion_wants_a_proof_by_its_key() {
    let with = |jkt: Option<String>| decided(|trade| trade.request.jkt = jkt);
    assert_eq!(refusal(&with(None)), (ErrorCode::InvalidDpopProof, "assertion_needs_proof"));
    assert_eq!(reason(&with(Some(thumbprint(&other_key())))), "proof_by_another_key");
    let unbound = decided(|trade| trade.subject.claims.cnf = None);
    assert_eq!(claims(&unbound).cnf, Some(binding::key(&thumbprint(&device_key()))), "a proof that came along binds");
    let bearer = decided(|trade| (trade.subject.claims.cnf, trade.request.jkt) = (None, None));
    assert_eq!(bearer.reply.unwrap().token_type, "Bearer");
    let certificate = crate::token::Confirmation { x5t_s256: Some("x".into()), ..Default::default() };
    assert_eq!(reason(&decided(|trade| trade.subject.claims.cnf = Some(certificate))), "proof_by_another_key");
}

#[test]
fn only_a_living_asset_token_for_this_server_is_an_assertion() {
    type Change = fn(&mut Trade);
    let cases: [(Change, &str); 12] = [
        (|it| it.subject.kind = TokenKind::Access, "assertion_is_no_asset_token"),
        (|it| it.subject.claims.aud.0 = vec![INGEST.into()], "assertion_for_another_audience"),
        (|it| it.facts.anchors_now[4] = Some(Epochs { epoch: 9, end_epoch: 9 }), "subject_anchor_raised"),
        (|it| it.facts.anchors_now[1] = None, "subject_anchor_missing"),
        (|it| it.facts.anchors_now.clear(), "subject_anchor_missing"),
        (|it| it.facts.chain.device = None, "device_gone"),
        (|it| it.facts.chain.device.as_mut().unwrap().device.record.state = DeviceState::Suspended, "device_state"),
        (|it| it.facts.chain.asset.as_mut().unwrap().record.closed_at = Some(NOW), "bond_over"),
        (|it| it.facts.chain.bond.as_mut().unwrap().record.state = BondState::Ended, "bond_over"),
        (|it| it.facts.chain.client.as_mut().unwrap().record.disabled = true, "client_gone"),
        (|it| it.facts.chain.client = Some(fact(web())), "client_gone"),
        (|it| it.client = Some(shown(&web())), "assertion_of_another_client"),
    ];
    for (change, cause) in cases {
        assert_eq!(reason(&decided(change)), cause);
    }
    let unsound = decide(&Request::default(), None, Err("token_expired"), &facts(), &drawn(NOW));
    assert_eq!(reason(&unsound), "token_expired");
}

#[test]
fn the_device_itself_or_its_client_may_come_along() {
    assert!(decided(|trade| trade.client = Some(shown(&app()))).reply.is_ok());
    let device = decided(|trade| trade.client = Some(shown_device(&speaker(DeviceState::Active))));
    assert!(hangs_from(&claims(&device)).contains(&"cr.crd_1.7".to_owned()), "what was relied on is listed");
}

#[test]
fn an_assertion_in_its_last_minute_of_grace_yields_nothing() {
    assert_eq!(reason(&at(NOW + 86_400, |_| {})), "assertion_expired");
    let last = at(NOW + 86_399, |_| {});
    assert_eq!(claims(&last).exp, NOW + 86_400);
}

proptest! {
    #[test]
    fn what_a_trade_yields_never_exceeds_the_assertion(
        asked in proptest::option::of(proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream", "openid"], 0..=3)),
        left in 1i64..100_000,
        max_life in 180i64..100_000,
        targets in proptest::sample::subsequence(vec![INGEST, API, ISSUER, "https://evil.example"], 0..=4),
    ) {
        let decision = decided(|trade| {
            trade.request.scope = asked.as_ref().map(Scope::of);
            trade.request.targets = targets.iter().map(|&text| text.to_owned()).collect();
            trade.subject.claims.exp = NOW + left;
            std::sync::Arc::make_mut(&mut trade.facts.caller.tenant).max_token_life = max_life;
        });
        let widened = asked.as_ref().is_some_and(|asked| asked.contains(&"openid"));
        prop_assert!(!widened || decision.reply.is_err());
        if decision.reply.is_ok() {
            let (token, before) = (claims(&decision), asset_token().claims);
            prop_assert!(token.scope.is_within(&before.scope));
            prop_assert!(token.exp > NOW && token.exp <= NOW + left && token.exp <= NOW + max_life);
            prop_assert!(token.aud.0.iter().all(|aud| [INGEST, API, ISSUER].contains(&aud.as_str())));
            let inherited: Anchors = token.anc.clone();
            prop_assert!(before.anc.iter().all(|anchor| inherited.iter().any(|known| known == anchor)));
        }
    }
}
