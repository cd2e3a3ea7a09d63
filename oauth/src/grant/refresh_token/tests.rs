use identity::bond::BondState;
use identity::credential::CredentialState;
use identity::facts::DeviceFacts;
use identity::{Anchors, Digest, Epochs};
use proptest::prelude::*;

use super::*;
use crate::client::Client;
use crate::facts::ChainFacts;
use crate::fixture::{
    API, INGEST, ISSUER, NOW, adam, app, caller, claims, consent, credential, device_key, drawn, ends, fact, family,
    hangs_from, home, names_every_guard, other_key, own_bond, refusal, second_conflicts, second_key, shown, speaker,
    tenant, thumbprint, title, web,
};

fn digest(turn: u64) -> Digest {
    Digest::from_base64url(format!("token-{turn}"))
}

/// What Adam's app holds, in its third turn.
fn held(client: &Client) -> TokenFamily {
    let anchors = ["t.gen.0", "cl.app_mobile.7", "u.u_adam.7", "co.con_1.7", "f.fam_1.0"];
    TokenFamily {
        id: "fam_1".parse().unwrap(),
        client: client.id.clone(),
        user: Some(adam().id),
        session: None,
        device: None,
        asset: None,
        account: Some(adam().account),
        bond: None,
        scope: Scope::of(["openid", "profile", "device:register"]),
        resources: vec![API.into(), ISSUER.into()],
        asset_token: false,
        confirmation: client.is_public().then(|| binding::key(&thumbprint(&device_key()))),
        anchors: anchors.iter().map(|text| text.parse().unwrap()).collect(),
        current: Some(digest(3)),
        turn: 3,
        previous: Some(previous(NOW - 100)),
        auth_time: Some(NOW - 1000),
        methods: vec!["pwd".into()],
        created_at: NOW - 1000,
        used_at: NOW - 100,
        expires_at: NOW + 86_400,
    }
}

fn previous(replaced_at: i64) -> PreviousRefresh {
    PreviousRefresh { digest: digest(2), sealed_successor: "sealed".into(), replaced_at, repeated: false }
}

fn facts(client: &Client) -> RefreshFacts {
    let chain = ChainFacts {
        user: Some(fact(adam())),
        account: Some(fact(home("acc_501"))),
        consent: Some(fact(consent(client))),
        family: Some(Fact { epochs: Epochs::default(), ..fact(held(client)) }),
        ..ChainFacts::default()
    };
    let anchors_now = vec![Some(Epochs { epoch: 7, end_epoch: 0 }); 5];
    RefreshFacts { caller: caller(client), chain, anchors_now }
}

/// What the speaker holds after pairing: the app's software on it is public.
fn paired(client: &Client) -> RefreshFacts {
    let mut facts = facts(client);
    let chain = &mut facts.chain;
    chain.device = Some(speaker(identity::device::DeviceState::Active));
    chain.asset = Some(fact(title("acc_501")));
    chain.bond = Some(own_bond());
    let family = &mut chain.family.as_mut().unwrap().record;
    family.device = chain.device.as_ref().map(|known| known.device.id.clone());
    family.asset = chain.asset.as_ref().map(|asset| asset.id.clone());
    family.bond = chain.bond.as_ref().map(|bond| bond.id.clone());
    family.scope = Scope::of(["telemetry:write", "offline_access"]);
    facts
}

fn request(turn: u64) -> Request {
    Request {
        digest: digest(turn),
        turn,
        sealed_successor: "sealed-next".into(),
        repeated: None,
        scope: None,
        targets: vec![],
        jkt: Some(thumbprint(&device_key())),
    }
}

fn at(
    client: &Client,
    mut facts: RefreshFacts,
    now: i64,
    change: impl FnOnce(&mut Request, &mut RefreshFacts),
) -> Decision<TokenReply> {
    let mut request = request(3);
    change(&mut request, &mut facts);
    decide(&request, &shown(client), &facts, &drawn(now))
}

fn of_app(change: impl FnOnce(&mut Request, &mut RefreshFacts)) -> Decision<TokenReply> {
    at(&app(), facts(&app()), NOW, change)
}

fn of_speaker(change: impl FnOnce(&mut Request, &mut RefreshFacts)) -> Decision<TokenReply> {
    at(&app(), paired(&app()), NOW, change)
}

fn of_family(facts: &mut RefreshFacts) -> &mut TokenFamily {
    &mut facts.chain.family.as_mut().unwrap().record
}

fn reason(decision: &Decision<TokenReply>) -> &'static str {
    let (code, reason) = refusal(decision);
    assert_eq!(code, ErrorCode::InvalidGrant, "{reason}");
    reason
}

fn quietly(decision: &Decision<TokenReply>) -> &'static str {
    assert!(decision.changes.is_empty(), "the family stays as it was");
    reason(decision)
}

#[test]
fn a_refresh_turns_the_family_and_forgets_nothing_of_it() {
    let decision = of_app(|_, _| {});
    let turned = family(&decision).unwrap();
    assert_eq!((turned.turn, turned.current.clone()), (4, Some(drawn(NOW).refresh)));
    let before = turned.previous.clone().unwrap();
    assert_eq!((before.digest, before.sealed_successor.as_str(), before.repeated), (digest(3), "sealed-next", false));
    assert_eq!(turned.anchors, held(&app()).anchors, "what it hung from when it began");
    let claims = claims(&decision);
    assert_eq!((claims.sub.as_str(), claims.scope.to_string().as_str()), ("u_adam", "openid profile device:register"));
    assert!(names_every_guard(&decision, &claims) && hangs_from(&claims).contains(&"f.fam_1.0".to_owned()));
    let reply = decision.reply.as_ref().unwrap();
    let id_token = &reply.id_token.as_ref().unwrap().claims;
    let id_token: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(id_token).unwrap();
    assert_eq!((&id_token["auth_time"], &id_token["iat"]), (&(NOW - 1000).into(), &NOW.into()));
    assert!(!id_token.contains_key("nonce"), "OIDC Core §12.2");
}

#[test]
fn a_spent_refresh_token_ends_the_family_and_is_refused_in_the_same_commit() {
    for (digest_of, turn) in [(2, 2), (1, 1), (3, 2), (9, 3)] {
        let decision = of_app(|request, _| (request.digest, request.turn) = (digest(digest_of), turn));
        assert_eq!(reason(&decision), "refresh_token_reused");
        assert_eq!(ends(&decision), ["f.fam_1"]);
        assert_eq!(decision.events[0].kind, EventKind::FamilyRevoked);
    }
}

fn lost_reply(after: i64, repeated: bool, opens: bool) -> Decision<TokenReply> {
    of_app(|request, facts| {
        let mut before = previous(NOW - after);
        before.repeated = repeated;
        of_family(facts).previous = Some(before);
        (request.digest, request.turn) = (digest(2), 2);
        request.repeated = opens.then(|| Secret::new("successor".into()));
    })
}

#[test]
fn a_lost_reply_is_answered_once_more_within_ten_seconds_with_the_same_successor() {
    for after in [0, 10] {
        let decision = lost_reply(after, false, true);
        let handed = decision.reply.as_ref().unwrap().refresh.as_ref().unwrap();
        assert_eq!(handed.repeated.as_ref().unwrap().expose(), "successor");
        let next = family(&decision).unwrap();
        assert_eq!((next.turn, next.current), (3, Some(digest(3))), "nothing new is made");
        assert!(next.previous.unwrap().repeated);
    }
    for (after, repeated, opens) in [(11, false, true), (1, true, true), (1, false, false)] {
        assert_eq!(ends(&lost_reply(after, repeated, opens)), ["f.fam_1"]);
    }
}

#[test]
fn a_lost_reply_wants_the_same_key_and_client() {
    let other = of_app(|request, facts| {
        of_family(facts).previous = Some(previous(NOW));
        (request.digest, request.turn) = (digest(2), 2);
        request.repeated = Some(Secret::new("successor".into()));
        request.jkt = Some(thumbprint(&other_key()));
    });
    assert_eq!(quietly(&other), "proof_by_another_key");
}

#[test]
fn of_two_concurrent_refreshes_one_wins() {
    assert!(second_conflicts(&of_app(|_, _| {}), &of_app(|_, _| {})));
}

#[test]
fn another_clients_refresh_token_is_refused_and_ends_nothing() {
    for turn in [3, 2] {
        let decision = of_app(|request, facts| {
            of_family(facts).client = "web_shop".parse().unwrap();
            (request.digest, request.turn) = (digest(turn), turn);
        });
        assert_eq!(quietly(&decision), "refresh_of_another_client");
    }
    assert_eq!(quietly(&of_app(|_, facts| facts.chain.family = None)), "family_unknown");
}

#[test]
fn a_public_clients_refresh_token_wants_its_key() {
    let other = of_app(|request, _| request.jkt = Some(thumbprint(&other_key())));
    assert_eq!(quietly(&other), "proof_by_another_key");
    let none = of_app(|request, _| request.jkt = None);
    assert_eq!(refusal(&none), (ErrorCode::InvalidDpopProof, "refresh_needs_proof"));
    let confidential = at(&web(), facts(&web()), NOW, |request, _| request.jkt = None);
    assert!(confidential.reply.is_ok(), "bound to client authentication instead (RFC 9449 §5)");
}

#[test]
fn a_devices_present_key_carries_on_and_takes_the_place_of_the_old_one() {
    let with = |state, jkt: &str| {
        let jkt = jkt.to_owned();
        of_speaker(move |request, facts| {
            let device: &mut DeviceFacts = facts.chain.device.as_mut().unwrap();
            device.credentials[0].record.state = state;
            device.credentials.push(fact(credential("crd_2", &second_key())));
            request.jkt = Some(jkt);
        })
    };
    let (old, new) = (thumbprint(&device_key()), thumbprint(&second_key()));
    let decision = with(CredentialState::Revoked, &new);
    assert_eq!(family(&decision).unwrap().confirmation, Some(binding::key(&new)));
    assert_eq!(claims(&decision).cnf, Some(crate::token::Confirmation { jkt: Some(new), ..Default::default() }));
    assert_eq!(quietly(&with(CredentialState::Revoked, &old)), "proof_by_revoked_key");
    assert!(with(CredentialState::Current, &old).reply.is_ok());
    assert_eq!(quietly(&with(CredentialState::Current, &thumbprint(&other_key()))), "proof_by_another_key");
}

#[test]
fn a_devices_key_opens_no_family_in_which_it_does_not_act() {
    let decision = of_app(|request, facts| {
        let mut device = speaker(identity::device::DeviceState::Active);
        device.credentials.push(fact(credential("crd_2", &second_key())));
        facts.chain.device = Some(device);
        request.jkt = Some(thumbprint(&second_key()));
    });
    assert_eq!(quietly(&decision), "proof_by_another_key");
}

#[test]
fn scope_may_be_narrowed_and_never_widened() {
    let narrowed = of_app(|request, _| request.scope = Some(Scope::of(["profile"])));
    assert_eq!(claims(&narrowed).scope.to_string(), "profile");
    assert_eq!(family(&narrowed).unwrap().scope, held(&app()).scope, "the family keeps what it had");
    let widened = of_app(|request, _| request.scope = Some(Scope::of(["profile", "telemetry:write"])));
    assert_eq!(refusal(&widened), (ErrorCode::InvalidScope, "scope_widened"));
    let elsewhere = of_app(|request, _| request.targets = vec![INGEST.into()]);
    assert_eq!(refusal(&elsewhere).0, ErrorCode::InvalidTarget);
}

#[test]
fn an_ended_anchor_ends_the_grant_and_a_cut_one_does_not() {
    for index in 0..4 {
        let raised = |end_epoch| of_app(|_, facts| facts.anchors_now[index] = Some(Epochs { epoch: 9, end_epoch }));
        assert!(raised(0).reply.is_ok(), "cut");
        assert!(raised(7).reply.is_ok() || index == 0, "ended before the family began");
        assert_eq!(quietly(&raised(9)), "anchor_ended");
        assert_eq!(quietly(&of_app(|_, facts| facts.anchors_now[index] = None)), "anchor_missing");
    }
    let ended = of_app(|_, facts| facts.chain.family.as_mut().unwrap().epochs.end_epoch = 9);
    assert_eq!(quietly(&ended), "family_ended");
    let short = of_app(|_, facts| facts.anchors_now.truncate(2));
    assert_eq!(quietly(&short), "anchor_missing");
}

#[test]
fn after_a_cut_the_new_token_lists_the_present_epochs() {
    let decision = of_app(|_, facts| facts.chain.user.as_mut().unwrap().epochs.epoch = 99);
    assert!(hangs_from(&claims(&decision)).contains(&"u.u_adam.99".to_owned()));
}

#[test]
fn a_family_is_over_after_thirty_idle_days_and_at_its_end() {
    let unused = |idle: i64| of_app(|_, facts| of_family(facts).used_at = NOW - idle);
    assert!(unused(30 * 86_400).reply.is_ok());
    assert_eq!(quietly(&unused(30 * 86_400 + 1)), "family_expired");
    assert_eq!(quietly(&of_app(|_, facts| of_family(facts).expires_at = NOW)), "family_expired");
    let last = of_app(|_, facts| of_family(facts).expires_at = NOW + 10);
    assert_eq!(claims(&last).exp, NOW + 10, "no token outlives its family");
}

#[test]
fn an_ended_bond_a_closed_title_or_a_stopped_device_yields_nothing() {
    type Change = fn(&mut ChainFacts);
    let cases: [(Change, &str); 9] = [
        (|chain| chain.bond.as_mut().unwrap().record.state = BondState::Ended, "bond_over"),
        (|chain| chain.bond.as_mut().unwrap().record.state = BondState::Suspended, "bond_over"),
        (|chain| chain.bond.as_mut().unwrap().record.not_after = Some(NOW), "bond_over"),
        (|chain| chain.bond = None, "bond_over"),
        (|chain| chain.asset.as_mut().unwrap().record.closed_at = Some(NOW), "title_closed"),
        (|chain| chain.account.as_mut().unwrap().record.closed = true, "account_gone"),
        (|chain| chain.device.as_mut().unwrap().device.record.state = DeviceState::Suspended, "device_state"),
        (|chain| chain.device.as_mut().unwrap().device.record.pending = true, "device_state"),
        (|chain| chain.user = None, "user_gone"),
    ];
    for (change, cause) in cases {
        assert_eq!(quietly(&of_speaker(|_, facts| change(&mut facts.chain))), cause);
    }
    let decision = of_speaker(|_, _| {});
    let token = claims(&decision);
    assert_eq!((token.did.as_deref(), token.act.as_ref().unwrap().sub.as_str()), (Some("dev_9F3K2"), "dev_9F3K2"));
    for anchor in ["b.bnd_own.7", "as.ast_42.7", "ac.acc_501.7", "d.dev_9F3K2.7", "p.prd_spk2.7", "f.fam_1.0"] {
        assert!(hangs_from(&token).contains(&anchor.to_owned()), "{anchor}");
    }
}

#[test]
fn rights_and_window_of_the_bond_and_the_scopes_of_the_model_bound_every_new_token() {
    let narrowed = of_speaker(|_, facts| facts.chain.bond.as_mut().unwrap().record.scopes = Some(vec![]));
    assert_eq!(claims(&narrowed).scope.to_string(), "offline_access");
    let window = of_speaker(|_, facts| facts.chain.bond.as_mut().unwrap().record.not_after = Some(NOW + 60));
    assert_eq!(claims(&window).exp, NOW + 60);
    let model = of_speaker(|_, facts| facts.chain.device.as_mut().unwrap().product.record.scopes.clear());
    assert_eq!(claims(&model).scope.to_string(), "offline_access");
}

/// What a device holds for which an app spoke: it proved no key.
fn unbound(change: impl FnOnce(&mut Request, &mut RefreshFacts)) -> Decision<TokenReply> {
    let mut facts = paired(&app());
    let family = of_family(&mut facts);
    family.asset_token = true;
    family.confirmation = None;
    family.resources = vec![INGEST.into(), API.into()];
    at(&app(), facts, NOW, |request, facts| {
        request.jkt = None;
        change(request, facts);
    })
}

#[test]
fn a_device_that_proved_no_key_refreshes_its_asset_token() {
    let decision = unbound(|_, _| {});
    let token = claims(&decision);
    assert_eq!((token.asset_id.as_deref(), token.sub.as_str()), (Some("ast_42"), "u_adam"));
    assert_eq!((token.aud.0.as_slice(), token.cnf.as_ref()), (&[INGEST.to_owned(), API.to_owned()][..], None));
    assert_eq!((token.scope.to_string().as_str(), token.exp), ("telemetry:write offline_access", NOW + 86_400));
    assert!(names_every_guard(&decision, &token) && hangs_from(&token).contains(&"f.fam_1.0".to_owned()));
    let reply = decision.reply.as_ref().unwrap();
    assert_eq!((reply.token_type, reply.access.typ), ("Bearer", "asset+jwt"));
    assert!(reply.refresh.is_some() && family(&decision).unwrap().turn == 4);
    let by_app = unbound(|request, _| request.jkt = Some(thumbprint(&other_key())));
    assert_eq!(claims(&by_app).cnf, None, "a key of the app is not the device's");
    assert!(family(&by_app).unwrap().confirmation.is_none());
    let reused = unbound(|request, _| {
        request.turn = 2;
        request.digest = digest(2);
    });
    assert_eq!((reason(&reused), ends(&reused)), ("refresh_token_reused", vec!["f.fam_1".to_owned()]));
    let over = unbound(|_, facts| facts.chain.bond.as_mut().unwrap().record.state = BondState::Ended);
    assert_eq!(quietly(&over), "bond_over");
    let elsewhere = unbound(|request, _| request.targets = vec![ISSUER.into()]);
    assert_eq!(refusal(&elsewhere).0, ErrorCode::InvalidTarget);
}

#[test]
fn an_app_that_must_prove_its_key_lets_its_devices_refresh_without() {
    let client = Client { dpop_bound_access_tokens: true, ..app() };
    let mut facts = paired(&client);
    of_family(&mut facts).confirmation = None;
    let bare = |facts| at(&client, facts, NOW, |request, _| request.jkt = None);
    assert_eq!(refusal(&bare(facts.clone())), (ErrorCode::InvalidDpopProof, "dpop_mandatory"));
    of_family(&mut facts).asset_token = true;
    of_family(&mut facts).resources = vec![INGEST.into()];
    assert!(bare(facts).reply.is_ok(), "the device has no key of its own");
}

#[test]
fn a_client_that_lost_the_right_to_asset_tokens_refreshes_none() {
    let client = Client { rights: crate::client::ClientRights::default(), ..app() };
    let mut facts = paired(&client);
    of_family(&mut facts).asset_token = true;
    of_family(&mut facts).confirmation = None;
    let decision = at(&client, facts, NOW, |_, _| {});
    assert_eq!(refusal(&decision), (ErrorCode::UnauthorizedClient, "no_asset_tokens_right"));
}

#[test]
fn a_client_that_lost_the_refresh_grant_is_told_so() {
    let client = Client { grant_types: vec![GrantType::AuthorizationCode], ..app() };
    assert_eq!(refusal(&at(&client, facts(&client), NOW, |_, _| {})).0, ErrorCode::UnauthorizedClient);
}

/// What a holder, or a thief, may try.
#[derive(Debug, Clone)]
enum Try {
    /// The newest token that was handed out.
    Newest,
    /// An older one, so many turns back.
    Older(usize),
    /// A sealed turn that was never handed out under that number.
    Forged(u64),
    /// The newest twice from one snapshot.
    Twice,
    /// Time passes.
    Wait(i64),
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let one = prop_oneof![
        4 => Just(Try::Newest),
        2 => (1usize..4).prop_map(Try::Older),
        1 => (0u64..8).prop_map(Try::Forged),
        2 => Just(Try::Twice),
        3 => (1i64..15).prop_map(Try::Wait),
    ];
    proptest::collection::vec(one, 1..24)
}

/// A store of one family, that applies what is decided.
struct Kept {
    facts: RefreshFacts,
    handed: Vec<(u64, Digest)>,
    now: i64,
}

impl Kept {
    fn tried(&self, turn: u64, digest: &Digest) -> Decision<TokenReply> {
        let family = self.facts.chain.family.as_ref().unwrap();
        let opens = family.previous.as_ref().filter(|previous| previous.digest == *digest);
        let request = Request {
            digest: digest.clone(),
            turn,
            sealed_successor: format!("token-{}", turn + 1),
            repeated: opens.map(|previous| Secret::new(previous.sealed_successor.clone())),
            ..request(turn)
        };
        let mut drawn = drawn(self.now);
        drawn.refresh = Digest::from_base64url(format!("token-{}", turn + 1));
        decide(&request, &shown(&app()), &self.facts, &drawn)
    }

    fn apply(&mut self, decision: &Decision<TokenReply>) {
        let now = u64::try_from(self.now).unwrap();
        let family = self.facts.chain.family.as_mut().unwrap();
        if !ends(decision).is_empty() {
            family.epochs = family.epochs.raised(identity::RaiseKind::End, now);
        }
        if let Some(next) = crate::fixture::family(decision) {
            family.version += 1;
            if next.turn > family.turn {
                self.handed.push((next.turn, next.current.clone().unwrap()));
            }
            family.record = next;
        }
    }
}

proptest! {
    #[test]
    fn however_it_is_used_one_refresh_token_lives_and_reuse_ends_the_family(tries in tries()) {
        let mut kept = Kept { facts: facts(&app()), handed: vec![(1, digest(1)), (2, digest(2)), (3, digest(3))], now: NOW };
        let mut repeats = std::collections::HashMap::<String, String>::new();
        for one in tries {
            let family = kept.facts.chain.family.as_ref().unwrap().clone();
            let dead = family.epochs.end_epoch > 0;
            let newest = kept.handed.last().unwrap().clone();
            let (turn, digest) = match one {
                Try::Wait(seconds) => { kept.now += seconds; continue; }
                Try::Newest | Try::Twice => newest.clone(),
                Try::Older(back) => kept.handed[kept.handed.len() - 1 - back.min(kept.handed.len() - 1)].clone(),
                Try::Forged(turn) => (turn, Digest::from_base64url("forged")),
            };
            let decision = kept.tried(turn, &digest);
            let lost = family.previous.clone().is_some_and(|before| {
                before.digest == digest && !before.repeated && kept.now - before.replaced_at <= GRACE
            });
            match &decision.reply {
                Ok(reply) => {
                    prop_assert!(!dead, "a dead family yields nothing");
                    let handed = reply.refresh.as_ref().unwrap();
                    if digest == newest.1 {
                        prop_assert!(handed.repeated.is_none());
                    } else {
                        prop_assert!(lost, "an old one is good for a lost reply alone");
                        let again = handed.repeated.as_ref().unwrap().expose().clone();
                        prop_assert_eq!(&again, newest.1.as_str(), "exactly the successor");
                        prop_assert!(repeats.insert(digest.as_str().into(), again).is_none(), "once");
                    }
                }
                Err(_) => prop_assert!(dead || ends(&decision) == ["f.fam_1"], "reuse always ends the family"),
            }
            if matches!(one, Try::Twice) {
                prop_assert!(dead || second_conflicts(&decision, &kept.tried(turn, &digest)));
            }
            kept.apply(&decision);
            let family = kept.facts.chain.family.as_ref().unwrap();
            prop_assert_eq!(family.current.as_ref(), Some(&kept.handed.last().unwrap().1), "one living token");
        }
    }

    #[test]
    fn what_a_refresh_yields_never_exceeds_what_it_rests_on(
        asked in proptest::option::of(proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream", "offline_access"], 0..=3)),
        of_client in proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream", "offline_access"], 0..=3),
        of_model in proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream"], 0..=2),
        of_bond in proptest::option::of(proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream"], 0..=2)),
        audiences in proptest::sample::subsequence(vec![API, ISSUER, INGEST], 1..=3),
        bond_end in proptest::option::of(1i64..10_000),
        family_end in 1i64..10_000,
        max_life in 180i64..7_200,
    ) {
        let client = Client {
            scopes: Scope::of(&of_client),
            audiences: audiences.iter().map(|&text| text.to_owned()).collect(),
            ..app()
        };
        let mut facts = paired(&client);
        std::sync::Arc::make_mut(&mut facts.caller.tenant).max_token_life = max_life;
        let chain = &mut facts.chain;
        chain.device.as_mut().unwrap().product.record.scopes = of_model.iter().map(|&text| text.to_owned()).collect();
        let bond = &mut chain.bond.as_mut().unwrap().record;
        bond.scopes = of_bond.as_ref().map(|scopes| scopes.iter().map(|&text| text.to_owned()).collect());
        bond.not_after = bond_end.map(|end| NOW + end);
        let family = &mut chain.family.as_mut().unwrap().record;
        family.expires_at = NOW + family_end;
        let (granted, resources) = (family.scope.clone(), family.resources.clone());
        let decision = at(&client, facts, NOW, |request, _| request.scope = asked.as_ref().map(Scope::of));
        if decision.reply.is_ok() {
            let token = claims(&decision);
            prop_assert!(token.scope.is_within(&granted) && token.scope.is_within(&client.scopes));
            prop_assert!(token.scope.iter().all(|scope| scope == "offline_access" || of_model.contains(&scope)));
            if let Some(rights) = &of_bond {
                prop_assert!(token.scope.iter().all(|scope| scope == "offline_access" || rights.contains(&scope)));
            }
            prop_assert!(token.aud.0.iter().all(|aud| resources.contains(aud) && client.audiences.contains(aud)));
            let ends = [NOW + family_end, NOW + max_life, NOW + bond_end.unwrap_or(i64::MAX - NOW)];
            prop_assert!(token.exp > NOW && ends.iter().all(|end| token.exp <= *end));
            prop_assert!(names_every_guard(&decision, &token));
        }
    }
}

#[test]
fn a_family_of_another_generation_is_over() {
    let anchors: Anchors = [tenant().anchor()].into_iter().collect();
    let decision = of_app(|_, facts| {
        of_family(facts).anchors = anchors;
        facts.anchors_now = vec![None];
    });
    assert_eq!(quietly(&decision), "anchor_missing");
}
