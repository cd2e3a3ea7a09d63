//! Every grant through the application's own use cases, and what must come of
//! it by what truly happened.

use app::token::{TokenAnswer, TokenRefusal, TokenRequest};
use authority::Peer;
use identity::{Anchor, AnchorKind, Digest, RaiseKind};
use jose::{Alg, SigningKey, base64url, dpop, jws};
use oauth::token::Claims;
use oauth::{AuthorizationCode, Scope};
use serde_json::{Value, json};
use store::conformance::sample;
use store::{Commit, Store};

use crate::house::{House, ISSUER};
use crate::truth::{Family, Token, Truth};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type";
/// What a node does whose clock is behind the store's time.
const STILL: &str = "stands still";
/// Not used for so long, a family is over.
const IDLE: i64 = 30 * 86_400;
/// So long after its end an asset token is renewed.
const RENEWAL: i64 = 30 * 86_400;

fn request(pairs: &[(&str, &str)], proofs: Vec<String>) -> TokenRequest {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let peer = Peer { address: "192.0.2.1".parse().unwrap(), certificate: None, local: false };
    TokenRequest { pairs, authorization: None, proofs, uri: format!("{ISSUER}/token"), peer }
}

fn claims_of(token: &str) -> Claims {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64url::decode(payload).unwrap()).unwrap()
}

impl House {
    /// Nothing where the node stands still: its clock is behind the store's.
    async fn ask(
        &self,
        node: usize,
        pairs: &[(&str, &str)],
        proofs: Vec<String>,
    ) -> Option<Result<TokenAnswer, TokenRefusal>> {
        match self.nodes[node].app.token(request(pairs, proofs)).await {
            Ok(answer) => Some(answer),
            Err(fault) => {
                assert!(fault.is_passing(), "{fault}");
                None
            }
        }
    }

    /// Keeps a token; it must name every kind of anchor it rests on.
    fn take(&mut self, text: &str, kinds: &[AnchorKind], mut rests_on: Vec<(Anchor, usize)>, loaded: usize) -> Token {
        let claims = claims_of(text);
        for kind in kinds.iter().chain([&AnchorKind::Tenant]) {
            assert!(claims.anc.id_of(*kind).is_some(), "a token without {kind:?}: {:?}", claims.anc);
        }
        let own = claims.anc.iter().filter(|listed| !rests_on.iter().any(|(anchor, _)| *anchor == listed.anchor));
        let own: Vec<_> = own.map(|listed| (listed.anchor.clone(), loaded)).collect();
        rests_on.extend(own);
        let token = Token { text: text.to_owned(), claims, rests_on, least_life: self.life };
        self.tokens.push(token.clone());
        self.seen.issued += 1;
        token
    }

    fn loaded(&self) -> usize {
        self.raises.len()
    }

    fn passes(&self, node: usize, text: &str) -> bool {
        self.nodes[node].app.authority().verify(text, self.now(node)).is_ok()
    }

    /// Whether a token is dead in truth: struck by anything that was committed.
    fn is_dead(&self, token: &Token) -> bool {
        self.raises.iter().enumerate().any(|(number, truth)| token.is_struck(number, truth))
    }

    /// A person allowed the app, which redeems its code.
    pub(crate) async fn redeem(&mut self, node: usize) -> String {
        self.made += 1;
        let person = ["1", "2"][self.chance.below(2)];
        let code = format!("code-{}", self.made);
        let digest = Digest::from_base64url(app::digest_text(code.as_bytes()));
        let verifier = "v".repeat(43);
        let record = AuthorizationCode {
            id: digest,
            challenge: Some(app::digest_text(verifier.as_bytes())),
            scope: Scope::of(["openid", "offline_access", "device:register"]),
            resources: vec!["https://api.example.com".to_owned()],
            expires_at: self.now(node) + 86_400,
            ..sample::code("c", person, person, &format!("{}", self.made))
        };
        let commit = Commit { changes: vec![sample::new(record)], now: self.now(node), ..Commit::default() };
        self.store().commit(commit).await.unwrap();
        let pairs = [
            ("grant_type", "authorization_code"),
            ("client_id", "app"),
            ("code", &code),
            ("redirect_uri", "https://app.example/back"),
            ("code_verifier", &verifier),
        ];
        let loaded = self.loaded();
        let Some(answer) = self.ask(node, &pairs, Vec::new()).await else { return STILL.to_owned() };
        let answer = answer.unwrap_or_else(|no| panic!("{}", no.refusal.reason));
        let kinds = [AnchorKind::Client, AnchorKind::User, AnchorKind::Consent, AnchorKind::Family];
        let token = self.take(&answer.access_token, &kinds, Vec::new(), loaded);
        let refresh = answer.refresh_token.unwrap().expose().clone();
        self.families.push(Family { refresh, spent: Vec::new(), rests_on: token.rests_on, used_at: self.now(node) });
        format!("{person} lets the app in")
    }

    /// A family goes on unless it was ended; a cut of all it rests on ends nothing.
    pub(crate) async fn refresh(&mut self, node: usize) -> String {
        let Some(number) = self.chance.below(self.families.len()).checked_rem(self.families.len()) else {
            return "no family".to_owned();
        };
        let family = self.families[number].clone();
        let pairs = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", &family.refresh)];
        let loaded = self.loaded();
        let Some(outcome) = self.ask(node, &pairs, Vec::new()).await else { return STILL.to_owned() };
        let over = family.is_ended(&self.raises) || self.now(node) - family.used_at > IDLE - 120;
        match outcome {
            Ok(answer) => {
                assert!(!family.is_ended(&self.raises), "an ended family yields: {:?}", family.rests_on);
                let kinds = [AnchorKind::Client, AnchorKind::User, AnchorKind::Family];
                self.take(&answer.access_token, &kinds, Vec::new(), loaded);
                let next = answer.refresh_token.unwrap().expose().clone();
                let used_at = self.now(node);
                let family = &mut self.families[number];
                family.spent.push(core::mem::replace(&mut family.refresh, next));
                family.used_at = used_at;
                self.seen.refreshed += 1;
                "refreshes".to_owned()
            }
            Err(no) => {
                assert!(over, "a family died that nothing ended: {}\n{}", no.refusal.reason, self.told.join("\n"));
                self.seen.refresh_refused += 1;
                format!("is refused a refresh: {}", no.refusal.reason)
            }
        }
    }

    /// A spent refresh token is shown again: it and its family are over.
    pub(crate) async fn replay(&mut self, node: usize) -> String {
        let spent = self.families.iter().filter_map(|family| family.spent.iter().rev().nth(1)).next_back().cloned();
        let Some(spent) = spent else { return "nothing is spent".to_owned() };
        let pairs = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", &spent)];
        let worked = self.ask(node, &pairs, Vec::new()).await.is_some_and(|answer| answer.is_ok());
        assert!(!worked, "a spent refresh token worked");
        "replays a refresh token".to_owned()
    }

    /// A service speaks for itself.
    pub(crate) async fn serve(&mut self, node: usize) -> String {
        let pairs = [("grant_type", "client_credentials"), ("client_id", "service"), ("client_secret", "secret")];
        let loaded = self.loaded();
        let Some(answer) = self.ask(node, &pairs, Vec::new()).await else { return STILL.to_owned() };
        let answer = answer.unwrap_or_else(|no| panic!("{}", no.refusal.reason));
        self.take(&answer.access_token, &[AnchorKind::Client], Vec::new(), loaded);
        "a service gets a token".to_owned()
    }

    /// A customer's token registers a new device; a dead one never does, also
    /// where this node has not heard of it yet.
    pub(crate) async fn register(&mut self, node: usize) -> String {
        let mut customers = self
            .tokens
            .iter()
            .filter(|token| token.claims.client_id == "app" && token.claims.scope.contains("device:register"));
        let Some(customer) = customers.next_back().cloned() else { return "no customer".to_owned() };
        self.made += 1;
        let key = SigningKey::generate(Alg::ES256).unwrap();
        let now = self.now(node);
        let did = format!("maker.{}", self.made);
        let claims = json!({
            "iss": did, "sub": did, "did": did, "aud": ISSUER, "jti": format!("actor-{}", self.made), "iat": now,
            "exp": now + 300, "model": "SPK", "serial_number": format!("S-{}", self.made),
            "cnf": { "jwk": jose::Signer::jwk(&key).to_bare_json() },
        });
        let actor = signed(&key, &claims);
        let (subject_type, actor_type) = (format!("{TOKEN_TYPE}:access_token"), format!("{TOKEN_TYPE}:jwt"));
        let pairs = [
            ("grant_type", EXCHANGE),
            ("client_id", "app"),
            ("subject_token", &customer.text),
            ("subject_token_type", &subject_type),
            ("actor_token", &actor),
            ("actor_token_type", &actor_type),
            ("audience", ISSUER),
        ];
        let loaded = self.loaded();
        let alive = self.nodes[node].app.authority().verify(&customer.text, now).is_ok();
        let Some(outcome) = self.ask(node, &pairs, Vec::new()).await else { return STILL.to_owned() };
        match outcome {
            Ok(answer) => {
                assert!(!self.is_dead(&customer), "a dead token registered a device");
                let kinds = [AnchorKind::Client, AnchorKind::Product, AnchorKind::Account, AnchorKind::Asset];
                let more = [AnchorKind::Device, AnchorKind::Bond];
                self.take(&answer.access_token, &[kinds.as_slice(), &more].concat(), Vec::new(), loaded);
                self.keys.push((answer.access_token, std::sync::Arc::new(key)));
                self.seen.registered += 1;
                "registers a device".to_owned()
            }
            Err(no) => {
                // The node may have learnt a later time by this very request.
                let dead = self.is_dead(&customer) || !alive || !self.passes(node, &customer.text);
                assert!(dead, "a living token was refused: {}", no.refusal.reason);
                format!("is refused a registration: {}", no.refusal.reason)
            }
        }
    }

    /// An asset token is traded for an access token, which falls with it.
    pub(crate) async fn trade(&mut self, node: usize) -> String {
        let Some((text, key)) = self.keys.last().map(|(text, key)| (text.clone(), key.clone())) else {
            return "no asset token".to_owned();
        };
        let asset = self.tokens.iter().find(|token| token.text == text).cloned().unwrap();
        let (loaded, now) = (self.loaded(), self.now(node));
        let alive = self.nodes[node].app.authority().verify(&text, now).is_ok() && now < asset.claims.exp;
        let pairs = [("grant_type", BEARER), ("assertion", &text), ("client_id", "app")];
        let Some(outcome) = self.ask_with_key(node, &pairs, &key).await else { return STILL.to_owned() };
        match outcome {
            Ok(answer) => {
                assert!(!self.is_dead(&asset), "a dead asset token was traded");
                let mut inherited = asset.rests_on.clone();
                inherited.push((Anchor::new(AnchorKind::Token, asset.claims.jti.clone()), 0));
                let kinds = [AnchorKind::Asset, AnchorKind::Device, AnchorKind::Bond, AnchorKind::Token];
                self.take(&answer.access_token, &kinds, inherited, loaded);
                self.seen.traded += 1;
                "trades an asset token".to_owned()
            }
            Err(no) => {
                let over = !alive || !self.passes(node, &text) || self.now(node) >= asset.claims.exp;
                assert!(self.is_dead(&asset) || over, "a living asset token was refused: {}", no.refusal.reason);
                self.seen.trade_refused += 1;
                format!("is refused a trade: {}", no.refusal.reason)
            }
        }
    }

    /// With a proof of the key, again with a nonce where one is asked for.
    async fn ask_with_key(
        &mut self,
        node: usize,
        pairs: &[(&str, &str)],
        key: &SigningKey,
    ) -> Option<Result<TokenAnswer, TokenRefusal>> {
        let mut nonce = None;
        loop {
            self.made += 1;
            let proof = proof(key, self.now(node), self.made, nonce.as_deref());
            match self.ask(node, pairs, vec![proof]).await {
                Some(Err(TokenRefusal { nonce: Some(wanted), .. })) if nonce.is_none() => nonce = Some(wanted),
                outcome => return outcome,
            }
        }
    }

    /// A device renews its asset token, also long after its end: only an end of
    /// what it rests on, or of itself, stands against it.
    pub(crate) async fn renew(&mut self, node: usize) -> String {
        let back = self.chance.below(self.keys.len().min(4)) + 1;
        let Some(number) = self.keys.len().checked_sub(back) else { return "no asset token".to_owned() };
        let (text, key) = (self.keys[number].0.clone(), self.keys[number].1.clone());
        let asset = self.tokens.iter().find(|token| token.text == text).cloned().unwrap();
        // The key may have been replaced: the present one is what counts.
        let counts = |truth: &Truth| truth.kind == RaiseKind::End && truth.anchor.kind != AnchorKind::Credential;
        let mut raises = self.raises.iter().enumerate();
        let ended = raises.any(|(number, truth)| counts(truth) && asset.is_struck(number, truth));
        let subject_type = format!("{TOKEN_TYPE}:jwt");
        let pairs = [("grant_type", EXCHANGE), ("subject_token", &text), ("subject_token_type", &subject_type)];
        let loaded = self.loaded();
        let Some(outcome) = self.ask_with_key(node, &pairs, &key).await else { return STILL.to_owned() };
        match outcome {
            Ok(answer) => {
                assert!(!ended, "an ended asset token was renewed: {:?}\n{}", asset.rests_on, self.told.join("\n"));
                let kinds = [AnchorKind::Product, AnchorKind::Asset, AnchorKind::Device, AnchorKind::Bond];
                self.take(&answer.access_token, &kinds, Vec::new(), loaded);
                self.keys.push((answer.access_token, key));
                self.seen.renewed += 1;
                "renews an asset token".to_owned()
            }
            Err(no) => {
                let late = self.now(node) > asset.claims.exp + RENEWAL - 120;
                assert!(ended || late, "a renewal was refused without a cause: {}", no.refusal.reason);
                self.seen.renewal_refused += 1;
                format!("is refused a renewal: {}", no.refusal.reason)
            }
        }
    }

    /// A client ends one of its own tokens.
    pub(crate) async fn revoke(&mut self, node: usize) -> String {
        let Some(token) = self.any_token() else { return "nothing to revoke".to_owned() };
        let id = token.claims.client_id.clone();
        let mut pairs = vec![("client_id", id.as_str()), ("token", token.text.as_str())];
        if id == "service" {
            pairs.push(("client_secret", "secret"));
        }
        let answer = self.nodes[node].app.revoke(request(&pairs, Vec::new())).await.unwrap();
        assert!(answer.is_ok());
        format!("revokes {}", token.claims.jti)
    }
}

fn signed(key: &SigningKey, claims: &Value) -> String {
    jws::sign_compact(Some("actor+jwt"), None, &serde_json::Map::new(), claims.to_string().as_bytes(), key).unwrap()
}

fn proof(key: &SigningKey, iat: i64, number: u64, nonce: Option<&str>) -> String {
    let uri = dpop::HttpUri::parse(&format!("{ISSUER}/token")).unwrap();
    let jti = format!("proof-{number}");
    dpop::build(key, &dpop::Claims { method: "POST", uri: &uri, iat, jti: &jti, ath: None, nonce }).unwrap()
}
