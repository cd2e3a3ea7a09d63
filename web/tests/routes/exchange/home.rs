//! Adam's home: his speaker, his app, and how they ask.

use super::*;

/// Adam's speaker, which enters itself, and the app on his phone.
pub(super) struct Home {
    pub(super) world: World,
    pub(super) devices: Router,
    pub(super) key: SigningKey,
    pub(super) proofs: core::cell::Cell<u32>,
}

pub(super) fn claims(token: &Value) -> Map<String, Value> {
    jws::Unverified::parse(token.as_str().unwrap()).unwrap().peek_claims().unwrap()
}

pub(super) fn anchors(claims: &Map<String, Value>) -> std::collections::BTreeSet<String> {
    claims["anc"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

impl Home {
    pub(super) async fn new() -> Self {
        let world = World::new().await;
        let model = json!({
            "model": "SPK-2", "factory_key_is_operational": true, "self_registration": true,
            "scopes": ["telemetry:write", "cloud:stream"], "audiences": [INGEST],
        });
        world.post("/products", &model).by(&As::Local).send().await.ok();
        let user = json!({
            "id": "u_adam", "email": "adam@example.com", "name": "Adam", "state": "active", "account": "acc_501",
            "created_at": NOW, "updated_at": NOW,
        });
        let account = json!({ "id": "acc_501", "kind": "household", "name": "Home", "created_at": NOW });
        let member = json!({
            "id": "bnd_home", "holder": {"kind": "user", "id": "u_adam"}, "target": {"kind": "account", "id": "acc_501"},
            "role": "owner", "origin": "sign-up", "state": "active", "created_at": NOW,
        });
        let user: identity::User = serde_json::from_value(user).unwrap();
        let account: identity::Account = serde_json::from_value(account).unwrap();
        let member: identity::Bond = serde_json::from_value(member).unwrap();
        let people = [
            identity::Write::new(user).into(),
            identity::Write::new(account).into(),
            identity::Write::new(member).into(),
        ];
        world.keep(people.to_vec()).await;
        let state = State { app: world.app.clone(), origin: ISSUER.into() };
        let (devices, key) = (web::device_router(state), SigningKey::generate(Alg::ES256).unwrap());
        let home = Self { world, devices, key, proofs: core::cell::Cell::new(0) };
        home.client("app_mobile", &json!({ "rights": { "asset_tokens": true } })).await;
        home
    }

    /// A client of this id, public and with all grants unless it says otherwise.
    pub(super) async fn client(&self, id: &str, more: &Value) {
        let mut client = json!({
            "id": id, "name": "Speaker app", "auth": "none", "scopes": "device:register telemetry:write cloud:stream",
            "grant_types": [EXCHANGE, "urn:ietf:params:oauth:grant-type:jwt-bearer", "refresh_token"],
            "audiences": [INGEST, ISSUER], "created_at": NOW,
        });
        client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let client: Client = serde_json::from_value(client).unwrap();
        let change: oauth::Change = identity::Write::new(client).into();
        let commit = store::Commit { changes: vec![change.into()], now: NOW, ..store::Commit::default() };
        self.world.store.commit(commit).await.unwrap();
    }

    pub(super) fn now(&self) -> i64 {
        authority::Clock::now(&*self.world.clock)
    }

    /// The token of the app that Adam signed in to.
    pub(super) fn customer(&self, client: &str) -> String {
        let token = json!({
            "sub": "u_adam", "client_id": client, "scope": "device:register",
            "anc": [format!("cl.{client}.0"), "u.u_adam.0"],
        });
        let As::Token(token) = self.world.token(token) else { unreachable!() };
        token
    }

    pub(super) fn actor(&self, key: &SigningKey, jti: &str) -> String {
        self.actor_of(key, "maker:1", jti, &json!({}))
    }

    pub(super) fn actor_of(&self, key: &SigningKey, did: &str, jti: &str, more: &Value) -> String {
        let mut claims = json!({
            "iss": did, "sub": did, "aud": ISSUER, "iat": self.now(), "exp": self.now() + 300, "jti": jti,
            "did": did, "name": "Hall speaker", "model": "SPK-2", "cnf": { "jwk": key.jwk().to_bare_json() },
        });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        jws::sign_compact(Some("actor+jwt"), None, &Map::new(), claims.to_string().as_bytes(), key).unwrap()
    }

    pub(super) fn proof(&self, key: &SigningKey) -> String {
        self.proofs.set(self.proofs.get() + 1);
        let uri = HttpUri::parse(&format!("{ISSUER}/token")).unwrap();
        let jti = format!("proof-of-the-key-{}", self.proofs.get());
        build(key, &ProofClaims { method: "POST", uri: &uri, iat: self.now(), jti: &jti, ath: None, nonce: None })
            .unwrap()
    }

    pub(super) async fn post(
        &self,
        path: &str,
        proof: Option<String>,
        chain: Option<Vec<Vec<u8>>>,
        fields: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut request = Request::builder().method("POST").uri(path);
        request = request.header("content-type", "application/x-www-form-urlencoded");
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        let mut request = request.body(Body::from(form(fields))).unwrap();
        let certificate = chain.and_then(UnverifiedCertificate::new);
        request.extensions_mut().insert(Peer { address: "192.0.2.9".parse().unwrap(), certificate, local: false });
        let (parts, body) = self.devices.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = to_bytes(body, 1 << 24).await.unwrap();
        (parts.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// As when the app speaks for a device that cannot sign.
    pub(super) async fn register_by_app(&self) -> Value {
        let secret = "0123456789abcdefghijklmnopqrstuvwxyzABCDEF";
        let more = json!({
            "auth": "client_secret_post", "secret": app::digest_text(secret.as_bytes()),
            "rights": { "asset_tokens": true },
        });
        self.client("server_app", &more).await;
        let claims = json!({
            "iss": "server_app", "sub": "maker:2", "aud": ISSUER, "iat": self.now(), "exp": self.now() + 300,
            "jti": "act-of-the-app", "did": "maker:2", "model": "SPK-2",
        });
        let hmac = jose::HmacKey::new(secret.as_bytes()).unwrap();
        let actor = hmac.sign_compact(Some("actor+jwt"), None, &Map::new(), claims.to_string().as_bytes()).unwrap();
        let subject = self.customer("server_app");
        let fields = [
            ("grant_type", EXCHANGE),
            ("client_id", "server_app"),
            ("client_secret", secret),
            ("subject_token", &subject),
            ("subject_token_type", ACCESS_TOKEN),
            ("actor_token", &actor),
            ("actor_token_type", JWT),
        ];
        let (status, body) = self.post("/token", None, None, &fields).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Brings a device with a subject token and what it says of itself.
    pub(super) async fn bring(&self, client: &[(&str, &str)], subject: (&str, &str), actor: &str) -> (u16, Value) {
        let mut fields = vec![
            ("grant_type", EXCHANGE),
            ("subject_token", subject.0),
            ("subject_token_type", subject.1),
            ("actor_token", actor),
            ("actor_token_type", JWT),
            ("scope", "telemetry:write"),
        ];
        fields.extend(client);
        self.post("/token", None, None, &fields).await
    }

    pub(super) async fn register(&self) -> Value {
        let (subject, actor) = (self.customer("app_mobile"), self.actor(&self.key, &format!("act-{}", self.now())));
        let fields = [
            ("grant_type", EXCHANGE),
            ("client_id", "app_mobile"),
            ("subject_token", &subject),
            ("subject_token_type", ACCESS_TOKEN),
            ("actor_token", &actor),
            ("actor_token_type", JWT),
            ("scope", "telemetry:write"),
        ];
        let (status, body) = self.post("/token", None, None, &fields).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Shows a token and a proof by a key, and nothing else.
    pub(super) async fn renew_by(
        &self,
        key: Option<&SigningKey>,
        token: &Value,
        more: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut fields =
            vec![("grant_type", EXCHANGE), ("subject_token", token.as_str().unwrap()), ("subject_token_type", JWT)];
        fields.extend(more);
        self.post("/token", key.map(|key| self.proof(key)), None, &fields).await
    }

    pub(super) async fn renew(&self, token: &Value) -> (u16, Value) {
        self.renew_by(Some(&self.key), token, &[]).await
    }

    pub(super) async fn refused(&self, token: &Value) -> String {
        let (status, body) = self.renew(token).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_request")), "{body}");
        let told = self.world.events().await.pop().unwrap();
        assert_eq!((told.0.as_str(), &told.2["door"]), ("access.refused", &json!("renewal")));
        told.2["reason"].as_str().unwrap().to_owned()
    }

    pub(super) async fn did(&self, token: &Value) -> String {
        claims(token)["did"].as_str().unwrap().to_owned()
    }

    pub(super) async fn life(&self, did: &str, act: &str) {
        self.world.act(format!("/devices/{did}/{act}")).by(&As::Local).send().await.ok();
    }

    pub(super) async fn bond(&self, token: &Value) -> String {
        let token = claims(token);
        let anchors: Vec<_> = token["anc"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        let bond = anchors.iter().rfind(|text| text.starts_with("b.")).unwrap();
        bond.split('.').nth(1).unwrap().to_owned()
    }
}
