use identity::bond::BondState;
use identity::credential::CredentialState;
use identity::{AnchorEpoch, RaiseKind};
use jose::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::fixture::{
    API, INGEST, ISSUER, NOW, adam, app, bond, caller, claims, credential, device_key, drawn, fact, form, hangs_from,
    home, member_of, names_every_guard, other_key, own_bond, product, refusal, second_key, shown, shown_device,
    speaker, tenant, thumbprint, title, uses_up, web,
};
use crate::grant::token_exchange::JWT;
use crate::token::Act;

const DAY: i64 = 86_400;

/// Everything of one renewal, as it is when all is well: Adam's speaker shows
/// its asset token, a day past its end, and proves its key.
struct Case {
    request: Request,
    subject: Subject,
    facts: RenewalFacts,
    client: Option<AuthenticatedClient>,
    jkt: Option<String>,
    certificate: Option<ShownCertificate>,
    authorities: Vec<DeviceAuthority>,
    /// What is not as it was when the token was made: `b.bnd_own`, its epochs
    /// now, or that there is no such record any more.
    raised: Vec<(&'static str, Option<Epochs>)>,
}

fn anchors(listed: &[&str]) -> Anchors {
    listed.iter().map(|text| text.parse::<AnchorEpoch>().unwrap()).collect()
}

fn base(kind: TokenKind, client: &str, sub: &str, listed: &[&str]) -> Subject {
    let mut claims = issue::base_claims(&tenant(), client, sub, vec![INGEST.into()], NOW - 2 * DAY);
    claims.exp = NOW - DAY;
    claims.jti = "jti-old".into();
    claims.did = Some("dev_9F3K2".into());
    claims.asset_id = Some("ast_42".into());
    claims.cnf = Some(binding::key(&thumbprint(&device_key())));
    claims.anc = anchors(listed);
    Subject { kind, claims }
}

fn case() -> Case {
    let listed = [
        "t.gen.0",
        "cl.app_mobile.7",
        "ac.acc_501.7",
        "u.u_adam.7",
        "b.bnd_home.7",
        "d.dev_9F3K2.7",
        "p.prd_spk2.7",
        "cr.crd_1.7",
        "as.ast_42.7",
        "b.bnd_own.7",
    ];
    let mut subject = base(TokenKind::Asset, "app_mobile", "u_adam", &listed);
    subject.claims.scope = Scope::of(["telemetry:write"]);
    subject.claims.act = Some(Act { sub: "dev_9F3K2".into(), iss: Some(ISSUER.into()), act: None });
    let pairs = [("subject_token", "as_token"), ("subject_token_type", JWT)];
    Case {
        request: Request::parse(&form(&pairs), ISSUER).unwrap(),
        subject,
        facts: RenewalFacts {
            caller: crate::facts::CallerFacts { client: None, ..caller(&app()) },
            client: Some(fact(app())),
            asset: Some(fact(title("acc_501"))),
            account: Some(fact(home("acc_501"))),
            device: Some(speaker(DeviceState::Active)),
            trust_anchors: vec![],
            bonds: vec![member_of("acc_501"), own_bond()],
            user: Some(fact(adam())),
            held: true,
            anchors_now: vec![],
        },
        client: None,
        jkt: Some(thumbprint(&device_key())),
        certificate: None,
        authorities: vec![],
        raised: vec![],
    }
}

/// The same speaker, paired by itself, with the token of its last call home.
fn at_home() -> Case {
    let listed = ["t.gen.0", "s.ds_1.0", "d.dev_9F3K2.7", "p.prd_spk2.7", "cr.crd_1.7", "as.ast_42.7", "b.bnd_own.7"];
    case().with(|it| {
        it.subject = base(TokenKind::Access, "dev_9F3K2", "dev_9F3K2", &listed);
        it.subject.claims.iat = NOW - 60;
        it.subject.claims.exp = NOW + 3540;
        it.subject.claims.aud.0 = vec![ISSUER.into()];
        it.subject.claims.scope = Scope::of(["firmware:read"]);
        it.facts.client = None;
        it.facts.bonds = vec![own_bond()];
    })
}

/// The title of a gateway without people.
fn nobodys() -> Case {
    case().with(|it| {
        it.subject.claims.sub = "acc_501".into();
        it.subject.claims.anc = anchors(&["t.gen.0", "cl.app_mobile.7", "ac.acc_501.7", "as.ast_42.7"]);
        it.facts.bonds = vec![];
        it.facts.user = None;
        it.facts.held = false;
    })
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn raised(self, anchor: &'static str, epochs: Option<Epochs>) -> Self {
        self.with(|it| it.raised.push((anchor, epochs)))
    }

    fn by(self, key: &SigningKey) -> Self {
        self.with(|it| it.jkt = Some(thumbprint(key)))
    }

    fn device(self, change: impl FnOnce(&mut DeviceFacts)) -> Self {
        self.with(|it| change(it.facts.device.as_mut().unwrap()))
    }

    fn now(&self, now: i64) -> Decision<TokenReply> {
        assert!(renews(&self.request, &self.subject));
        let mut facts = self.facts.clone();
        let epochs = |listed: &AnchorEpoch| {
            let known = self.raised.iter().find(|(anchor, _)| *anchor == listed.anchor.to_string());
            known.map_or(Some(Epochs { epoch: listed.epoch, end_epoch: 0 }), |(_, epochs)| *epochs)
        };
        facts.anchors_now = rests_on(&self.subject.claims).iter().map(epochs).collect();
        let renewal = Renewal {
            request: &self.request,
            client: self.client.as_ref(),
            subject: &self.subject,
            jkt: self.jkt.as_deref(),
            certificate: self.certificate.as_ref(),
            authorities: &self.authorities,
        };
        decide(&renewal, &facts, &drawn(now))
    }

    fn decided(&self) -> Decision<TokenReply> {
        self.now(NOW)
    }

    fn renewed(&self) -> Claims {
        claims(&self.decided())
    }

    fn refused(&self) -> &'static str {
        let decision = self.decided();
        let (code, reason) = refusal(&decision);
        assert_eq!(code, ErrorCode::InvalidRequest, "{reason}");
        assert!(decision.changes.is_empty(), "{reason}");
        let [told] = decision.events.as_slice() else { panic!("one event") };
        assert_eq!((told.kind, told.subject.as_str()), (EventKind::AccessRefused, "dev_9F3K2"));
        assert_eq!((&told.data["door"], &told.data["reason"]), (&"renewal".into(), &reason.into()));
        reason
    }
}

/// After such a raise at a later time.
fn after(kind: RaiseKind) -> Option<Epochs> {
    Some(Epochs { epoch: 7, end_epoch: 0 }.raised(kind, 1000))
}

#[test]
fn a_live_bond_and_the_right_key_renew_the_same_asset_and_nothing_is_written() {
    let case = case().with(|it| it.facts.asset.as_mut().unwrap().record.name = "Kitchen speaker".into());
    let decision = case.decided();
    let token = claims(&decision);
    assert_eq!((token.asset_id.as_deref(), token.did.as_deref()), (Some("ast_42"), Some("dev_9F3K2")));
    assert_eq!((token.sub.as_str(), token.client_id.as_str()), ("u_adam", "app_mobile"));
    assert_eq!(token.name.as_deref(), Some("Kitchen speaker"), "attributes as they are now");
    assert_eq!((token.scope.to_string().as_str(), token.aud.0.as_slice()), ("telemetry:write", &[INGEST.into()][..]));
    assert_eq!(token.cnf, Some(binding::key(&thumbprint(&device_key()))));
    assert_eq!((token.iat, token.jti.as_str(), token.act.unwrap().sub.as_str()), (NOW, "jti-1", "dev_9F3K2"));
    assert!(!decision.needs_commit(), "two at once are both answered, and there is one bond");
    assert!(names_every_guard(&decision, &claims(&decision)));
    let listed = hangs_from(&claims(&decision));
    for anchor in
        ["t.gen.0", "u.u_adam.7", "b.bnd_own.7", "b.bnd_home.7", "as.ast_42.7", "cr.crd_1.7", "cl.app_mobile.7"]
    {
        assert!(listed.contains(&anchor.to_owned()), "{anchor}");
    }
    let reply = decision.reply.unwrap();
    assert_eq!((reply.token_type, reply.access.typ), ("DPoP", "asset+jwt"));
    assert_eq!(reply.issued_token_type.as_deref(), Some(JWT));
    let asked = case.with(|it| it.request.requested = Some(asset_token_type(ISSUER))).decided();
    assert_eq!(asked.reply.unwrap().issued_token_type, Some(asset_token_type(ISSUER)));
}

#[test]
fn only_what_it_is_makes_a_request_a_renewal() {
    type Change = fn(&mut Case);
    let others: [Change; 7] = [
        |it| it.request.requested = Some(ACCESS_TOKEN.into()),
        |it| it.request.actor_token = Some(identity::Secret::new("actor".into())),
        |it| it.request.subject_type = ACCESS_TOKEN.into(),
        |it| it.subject.kind = TokenKind::Id,
        |it| *it = at_home().with(|it| it.subject.claims.asset_id = None),
        |it| *it = at_home().with(|it| it.subject.claims.sub = "u_adam".into()),
        |it| *it = at_home().with(|it| it.subject.claims.client_id = "app_mobile".into()),
    ];
    for (at, change) in others.into_iter().enumerate() {
        let other = case().with(change);
        assert!(!renews(&other.request, &other.subject), "{at}");
    }
}

#[test]
fn a_late_renewal_is_answered_for_thirty_days() {
    let end = case().subject.claims.exp;
    assert!(case().now(end - 60).reply.is_ok(), "before its end too");
    let last = end + LATEST;
    let in_time = |it: Case| it.device(|known| known.credentials[0].record.certificate = None);
    assert!(in_time(case()).now(last).reply.is_ok());
    assert_eq!(refusal(&in_time(case()).now(last + 1)).1, "renewal_too_late");
    assert_eq!(case().with(|it| it.subject.claims.iat = NOW + SKEW + 1).refused(), "subject_from_the_future");
}

#[test]
fn an_end_of_anything_it_hangs_from_refuses_and_a_cut_does_not() {
    for listed in case().subject.claims.anc.iter().map(|listed| listed.anchor.clone()) {
        let name: &'static str = listed.to_string().leak();
        let survives = listed.kind == AnchorKind::Credential;
        for (epochs, reason) in [(after(RaiseKind::End), "subject_anchor_ended"), (None, "subject_anchor_missing")] {
            let it = case().raised(name, epochs);
            if survives {
                assert!(it.decided().reply.is_ok(), "{name}: the present key counts");
            } else {
                assert_eq!(it.refused(), reason, "{name}");
            }
        }
        assert!(case().raised(name, after(RaiseKind::Cut)).decided().reply.is_ok(), "{name}");
    }
    assert_eq!(case().raised("j.jti-old", after(RaiseKind::End)).refused(), "subject_anchor_ended", "revoked");
    let elsewhere =
        case().with(|it| std::sync::Arc::make_mut(&mut it.facts.caller.tenant).generation = "restored".into());
    assert_eq!(elsewhere.refused(), "subject_of_another_generation");
}

#[test]
fn what_a_suspension_or_an_end_leaves_yields_nothing() {
    type Change = fn(&mut Case);
    let cases: [(Change, &str); 14] = [
        (|it| it.facts.device.as_mut().unwrap().device.record.state = DeviceState::Suspended, "device_state"),
        (|it| it.facts.device.as_mut().unwrap().device.record.state = DeviceState::Retired, "device_state"),
        (|it| it.facts.device.as_mut().unwrap().device.record.state = DeviceState::Enrolled, "device_state"),
        (|it| it.facts.device.as_mut().unwrap().device.record.pending = true, "device_state"),
        (|it| it.facts.device.as_mut().unwrap().device.record.id = "dev_other".parse().unwrap(), "device_gone"),
        (|it| it.facts.asset.as_mut().unwrap().record.closed_at = Some(NOW - 1), "title_closed"),
        (|it| it.facts.asset = None, "title_unknown"),
        (|it| it.facts.account.as_mut().unwrap().record.closed = true, "account_gone"),
        (|it| it.facts.bonds[1].record.state = BondState::Ended, "bond_over"),
        (|it| it.facts.bonds[1].record.state = BondState::Suspended, "bond_over"),
        (|it| it.facts.bonds[0].record.state = BondState::Suspended, "bond_over"),
        (|it| it.facts.bonds[1].record.not_after = Some(NOW), "bond_over"),
        (|it| it.facts.user.as_mut().unwrap().record.state = UserState::Disabled, "user_gone"),
        (|it| it.facts.bonds.truncate(1), "no_live_bond"),
    ];
    for (change, reason) in cases {
        assert_eq!(case().with(change).refused(), reason);
    }
    let other = case().with(|it| it.subject.claims.sub = "u_eve".into());
    assert_eq!(other.refused(), "subject_contradicts_bond");
}

#[test]
fn the_present_key_renews_and_no_other_does() {
    let rotated = |it: Case| {
        it.device(|known| {
            known.credentials[0].record.state = CredentialState::Revoked;
            let next = Credential { certificate: None, ..credential("crd_2", &second_key()) };
            known.credentials.push(fact(next));
        })
    };
    let token = rotated(case()).by(&second_key()).renewed();
    assert_eq!(token.cnf, Some(binding::key(&thumbprint(&second_key()))), "bound to the present key");
    let listed = hangs_from(&token);
    assert!(listed.contains(&"cr.crd_2.7".into()) && !listed.contains(&"cr.crd_1.7".into()), "{listed:?}");
    assert_eq!(rotated(case()).refused(), "proof_by_revoked_key");
    assert_eq!(case().by(&other_key()).refused(), "proof_by_another_key");
    assert_eq!(case().by(&second_key()).refused(), "proof_by_another_key");
    let bare = case().with(|it| it.jkt = None).decided();
    assert_eq!(refusal(&bare), (ErrorCode::InvalidDpopProof, "renewal_needs_proof"));
    let unbound = case().with(|it| it.subject.claims.cnf = None);
    assert_eq!(unbound.refused(), "subject_without_key", "whoever found it renews nothing");
}

#[test]
fn where_the_registry_holds_no_key_that_of_the_token_counts() {
    let keyless = |key: &SigningKey| case().device(|known| known.credentials.clear()).by(key);
    assert_eq!(keyless(&device_key()).renewed().cnf, Some(binding::key(&thumbprint(&device_key()))));
    assert_eq!(keyless(&other_key()).refused(), "proof_by_another_key");
}

#[test]
fn a_certificate_renews_in_its_time_if_it_is_the_registered_one() {
    let shown = |thumbprint: &str| ShownCertificate { thumbprint: thumbprint.into(), ..crate::fixture::certificate() };
    let by = |shown: ShownCertificate| {
        case().with(|it| {
            it.jkt = None;
            it.certificate = Some(shown);
        })
    };
    let decision = by(shown("x5t-1")).decided();
    let token = claims(&decision);
    assert_eq!((token.cnf.unwrap().x5t_s256.as_deref(), token.exp), (Some("x5t-1"), NOW + 1000), "not beyond it");
    assert_eq!(decision.reply.unwrap().token_type, "Bearer");
    assert_eq!(by(shown("x5t-2")).refused(), "certificate_unknown");
    assert_eq!(refusal(&by(shown("x5t-1")).now(NOW + 1000)).1, "certificate_expired");
    assert_eq!(refusal(&case().now(NOW + 1000)).1, "certificate_expired", "nor by its key alone");
    let foreign = ShownCertificate { key_thumbprint: thumbprint(&other_key()), ..shown("x5t-1") };
    assert_eq!(by(foreign).refused(), "proof_by_another_key");
    let bare = by(shown("x5t-9")).device(|known| known.credentials[0].record.certificate = None);
    assert_eq!(bare.renewed().cnf.unwrap().x5t_s256.as_deref(), Some("x5t-9"), "the registry knows the key alone");
}

#[test]
fn a_certificate_under_a_disabled_authority_renews_nothing_by_its_key_neither() {
    let under = |state| {
        case().with(|it| {
            let anchor = identity::TrustAnchor {
                id: "ca_1".parse().unwrap(),
                product: product().id,
                name: String::new(),
                certificate: String::new(),
                thumbprint: "ca-1".into(),
                state,
            };
            it.authorities = vec![DeviceAuthority { anchor: fact(anchor), name: "issuer-1".into(), is_shown: false }];
        })
    };
    let trusted = under(identity::trust_anchor::TrustAnchorState::Trusted).renewed();
    assert!(hangs_from(&trusted).contains(&"ca.ca_1.7".into()), "it falls with the authority");
    let disabled = under(identity::trust_anchor::TrustAnchorState::Disabled);
    assert_eq!(disabled.refused(), "disabled_trust_anchor");
}

#[test]
fn what_was_narrowed_is_left_out_and_what_is_wider_is_refused() {
    let both = || {
        case().with(|it| {
            it.subject.claims.scope = Scope::of(["telemetry:write", "cloud:stream"]);
            it.facts.client.as_mut().unwrap().record.scopes = Scope::of(["telemetry:write", "cloud:stream", "openid"]);
        })
    };
    assert_eq!(both().renewed().scope.to_string(), "telemetry:write cloud:stream");
    let asked = |scope: &str, it: Case| it.with(|it| it.request.scope = Some(Scope::parse(scope).unwrap()));
    assert_eq!(asked("cloud:stream", both()).renewed().scope.to_string(), "cloud:stream");
    let wider = asked("telemetry:write cloud:stream", case()).decided();
    assert_eq!(refusal(&wider), (ErrorCode::InvalidScope, "scope_widened"));
    let narrowed = |it: &mut Case| it.facts.bonds[1].record.scopes = Some(vec!["telemetry:write".into()]);
    assert_eq!(both().with(narrowed).renewed().scope.to_string(), "telemetry:write");
    assert_eq!(
        asked("telemetry:write cloud:stream", both().with(narrowed)).renewed().scope.to_string(),
        "telemetry:write"
    );
    assert_eq!(refusal(&asked("cloud:stream", both().with(narrowed)).decided()).1, "scope_now_forbidden");
    let of_model = both().device(|known| known.product.record.scopes = vec!["cloud:stream".into()]);
    assert_eq!(of_model.renewed().scope.to_string(), "cloud:stream");
}

#[test]
fn receivers_are_those_of_before_as_far_as_they_still_receive() {
    let two = || case().with(|it| it.subject.claims.aud.0 = vec![INGEST.into(), API.into()]);
    assert_eq!(two().renewed().aud.0, [INGEST, API]);
    let asked = |to: &str| two().with(|it| it.request.targets = vec![to.into()]);
    assert_eq!(asked(API).renewed().aud.0, [API]);
    assert_eq!(refusal(&asked(ISSUER).decided()).0, ErrorCode::InvalidTarget, "not of before");
    let gone = two().with(|it| it.facts.client.as_mut().unwrap().record.audiences = vec![]);
    assert_eq!(gone.renewed().aud.0, [INGEST]);
    let none = two().device(|known| known.product.record.audiences = vec![]);
    let none = none.with(|it| it.facts.client.as_mut().unwrap().record.audiences = vec![]);
    assert_eq!(refusal(&none.decided()).0, ErrorCode::InvalidTarget);
}

#[test]
fn the_client_it_was_issued_to_must_still_be_and_may_stay_away() {
    type Change = fn(&mut Case);
    let gone: [Change; 3] = [
        |it| it.facts.client = None,
        |it| it.facts.client.as_mut().unwrap().record.disabled = true,
        |it| it.facts.client.as_mut().unwrap().record.id = "other".parse().unwrap(),
    ];
    for change in gone {
        assert_eq!(case().with(change).refused(), "client_gone");
    }
    let stripped = case().with(|it| it.facts.client.as_mut().unwrap().record.rights.asset_tokens = false);
    assert_eq!(refusal(&stripped.decided()), (ErrorCode::UnauthorizedClient, "no_asset_tokens_right"));
    assert!(case().with(|it| it.client = Some(shown(&app()))).decided().reply.is_ok());
    let device = case().with(|it| it.client = Some(shown_device(&speaker(DeviceState::Active))));
    assert!(device.decided().reply.is_ok(), "the device as its own client");
    let stranger = case().with(|it| it.client = Some(shown(&web())));
    assert_eq!(stranger.refused(), "subject_of_another_client");
}

#[test]
fn a_salesforce_client_gets_its_renewals_as_it_got_its_token() {
    let theirs = case().with(|it| {
        let client = &mut it.facts.client.as_mut().unwrap().record;
        client.rights.asset_salesforce = true;
        client.asset_typ_jwt = true;
    });
    let decision = theirs.decided();
    assert!(claims(&decision).cnf.is_some());
    let reply = decision.reply.unwrap();
    assert_eq!((reply.token_type, reply.access.typ), ("Bearer", "JWT"));
}

#[test]
fn a_call_home_token_counts_for_the_live_bond_it_names() {
    let decision = at_home().decided();
    let token = claims(&decision);
    assert_eq!((token.asset_id.as_deref(), token.sub.as_str()), (Some("ast_42"), "u_adam"));
    assert_eq!((token.client_id.as_str(), token.aud.0.as_slice()), ("dev_9F3K2", &[INGEST.into()][..]));
    assert_eq!(token.scope.to_string(), "telemetry:write cloud:stream", "what model and bond permit");
    let listed = hangs_from(&token);
    assert!(!listed.iter().any(|anchor| anchor.starts_with("s.")), "it outlives the session: {listed:?}");
    assert!(!decision.needs_commit());
    // It is a token itself: a cut ends it, and so does its time.
    for anchor in ["s.ds_1", "cr.crd_1", "d.dev_9F3K2", "b.bnd_own", "as.ast_42"] {
        assert_eq!(at_home().raised(anchor, after(RaiseKind::Cut)).refused(), "subject_anchor_raised", "{anchor}");
    }
    assert_eq!(refusal(&at_home().now(NOW + 3540)).1, "subject_expired");
    assert_eq!(at_home().with(|it| it.subject.claims.cnf = None).refused(), "subject_without_key");
    let bondless = at_home().with(|it| it.facts.bonds.clear());
    assert_eq!(bondless.refused(), "no_live_bond", "somebody holds it, though not now");
    assert_eq!(at_home().by(&other_key()).refused(), "proof_by_another_key");
}

#[test]
fn a_call_home_token_gives_no_more_than_the_app_it_came_through_could() {
    let through = |client: Client| {
        at_home().with(|it| {
            it.facts.asset.as_mut().unwrap().record.client = Some(client.id.clone());
            it.facts.client = Some(fact(client));
        })
    };
    let token = through(app()).renewed();
    assert_eq!((token.client_id.as_str(), token.scope.to_string().as_str()), ("app_mobile", "telemetry:write"));
    let mut stripped = app();
    stripped.rights.asset_tokens = false;
    let token = through(stripped.clone()).renewed();
    assert_eq!((token.client_id.as_str(), token.scope.to_string().as_str()), ("dev_9F3K2", "telemetry:write"));
    assert!(hangs_from(&token).contains(&"cl.app_mobile.7".into()), "and falls with it");
    let again = through(stripped).with(|it| {
        it.subject.kind = TokenKind::Asset;
        it.subject.claims.sub = "u_adam".into();
        it.subject.claims.aud.0 = vec![INGEST.into()];
        it.subject.claims.scope = Scope::of(["telemetry:write", "cloud:stream"]);
    });
    assert_eq!(again.renewed().scope.to_string(), "telemetry:write", "the next renewal is limited too");
    assert_eq!(through(Client { disabled: true, ..app() }).refused(), "client_gone");
}

#[test]
fn a_title_that_nobody_holds_is_renewed_for_its_account() {
    let token = nobodys().renewed();
    assert_eq!((token.sub.as_str(), token.account_id.as_deref()), ("acc_501", Some("acc_501")));
    assert!(nobodys().with(|it| it.facts.held = true).decided().reply.is_ok(), "its owner came later");
    assert_eq!(nobodys().with(|it| it.subject.claims.sub = "u_adam".into()).refused(), "no_live_bond");
    let home = || at_home().with(|it| it.facts.bonds.clear()).with(|it| it.facts.user = None);
    assert_eq!(home().with(|it| it.facts.held = false).renewed().sub, "acc_501");
    assert_eq!(home().refused(), "no_live_bond");
}

#[test]
fn an_assertion_of_the_device_is_spent_also_by_a_refusal() {
    // The device proves itself by an assertion, and the registry knows both.
    let facts = speaker(DeviceState::Active);
    let claims = serde_json::json!({
        "iss": "dev_9F3K2", "sub": "dev_9F3K2", "aud": ISSUER, "exp": NOW + 200, "iat": NOW, "jti": "ca-1",
    });
    let token = crate::fixture::signed(&device_key(), Some("client-authentication+jwt"), &claims);
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let pairs = [("client_assertion_type", kind), ("client_assertion", token.as_str())];
    let presented = crate::client_auth::Presented::collect(None, &form(&pairs)).unwrap();
    let known = crate::facts::CallerFacts { client: None, device: Some(facts), ..caller(&app()) };
    let device = crate::client_auth::verify(&presented, &known, NOW).unwrap();
    let spent = |it: Case| uses_up(&it.with(|it| it.client = Some(device.clone())).decided()).len();
    assert_eq!((spent(case()), spent(case().by(&other_key()))), (1, 1));
}

proptest! {
    #[test]
    fn a_renewal_is_never_wider_and_never_lives_beyond(
        before in proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream", "openid"], 0..=3),
        asked in proptest::option::of(proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream"], 0..=2)),
        of_client in proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream", "openid"], 0..=3),
        of_model in proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream"], 0..=2),
        of_bond in proptest::option::of(proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream"], 0..=2)),
        bond_end in proptest::option::of(1i64..100_000),
        member_end in proptest::option::of(1i64..100_000),
        certificate_end in proptest::option::of(1i64..100_000),
        life in 0i64..200_000,
        max_life in 180i64..200_000,
        aud in proptest::sample::subsequence(vec![INGEST, API, ISSUER, "https://gone.example"], 1..=4),
        targets in proptest::sample::subsequence(vec![INGEST, API, ISSUER], 0..=3),
        home in any::<bool>(),
    ) {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let mut it = if home { at_home() } else { case() };
        if !home {
            it.subject.claims.scope = Scope::of(&before);
            it.subject.claims.aud.0 = owned(&aud);
            let client = &mut it.facts.client.as_mut().unwrap().record;
            client.scopes = Scope::of(&of_client);
            client.asset_token_life = life;
            it.facts.bonds[0].record.not_after = member_end.map(|end| NOW + end);
        }
        std::sync::Arc::make_mut(&mut it.facts.caller.tenant).max_token_life = max_life;
        let known = it.facts.device.as_mut().unwrap();
        known.product.record = identity::Product { scopes: owned(&of_model), ..product() };
        match certificate_end {
            Some(end) => known.credentials[0].record.certificate.as_mut().unwrap().not_after = NOW + end,
            None => known.credentials[0].record.certificate = None,
        }
        let own = it.facts.bonds.last_mut().unwrap();
        own.record = bond("bnd_own", Target::Asset(title("acc_501").id));
        own.record.scopes = of_bond.as_deref().map(owned);
        own.record.not_after = bond_end.map(|end| NOW + end);
        it.request.scope = asked.as_ref().map(Scope::of);
        it.request.targets = owned(&targets);
        let decision = it.decided();
        prop_assert!(!decision.needs_commit() || decision.reply.is_err());
        if decision.reply.is_ok() {
            let token = claims(&decision);
            prop_assert!(token.scope.iter().all(|scope| of_model.contains(&scope)));
            prop_assert!(home || token.scope.iter().all(|scope| before.contains(&scope) && of_client.contains(&scope)));
            prop_assert!(of_bond.as_ref().is_none_or(|rights| token.scope.iter().all(|scope| rights.contains(&scope))));
            prop_assert!(asked.as_ref().is_none_or(|asked| token.scope.iter().all(|scope| asked.contains(&scope))));
            prop_assert!(!token.aud.0.is_empty());
            prop_assert!(home || token.aud.0.iter().all(|to| aud.contains(&to.as_str()) && to != "https://gone.example"));
            prop_assert!(token.exp > NOW && token.exp - NOW <= max_life);
            let ends = [bond_end, certificate_end, member_end.filter(|_| !home)];
            prop_assert!(ends.into_iter().flatten().all(|end| token.exp <= NOW + end));
            prop_assert!(names_every_guard(&decision, &token));
        }
    }
}
