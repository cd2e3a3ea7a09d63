//! One tenant on a store of its own, and callers with tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use app::mailer::{Mail, Mailer, Sending};
use app::{App, MasterKey, Ports, Settings};
use authority::{Clock, Entropy, Peer};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use identity::{Change, Role, User};
use oauth::token::{TokenKind, Unsigned};
use serde_json::{Value, json};
use store::{Commit, Store};
use store_sqlite::{SqliteStore, TenantSettings};
use tower::ServiceExt as _;
use web::State;

pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const NOW: i64 = 1_750_000_000;

/// A clock that stands until it is moved.
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn at(seconds: u64) -> Self {
        Self(AtomicU64::new(seconds * 1000))
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    pub(crate) fn go_back(&self, seconds: u64) {
        self.0.fetch_sub(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Chance that repeats itself from run to run.
pub(crate) struct TestEntropy(pub(crate) AtomicU64);

impl Entropy for TestEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for part in buffer.chunks_mut(8) {
            let drawn = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            let mixed = (drawn ^ (drawn >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_le_bytes();
            part.copy_from_slice(&mixed[..part.len()]);
        }
    }
}

pub(crate) struct NoMailer;

impl Mailer for NoMailer {
    fn send(&self, _: Mail) -> Sending<'_> {
        Box::pin(async { Ok(()) })
    }
    fn is_folder(&self) -> bool {
        true
    }
}

/// Who calls.
#[derive(Clone)]
pub(crate) enum As {
    Nobody,
    /// Over the local socket.
    Local,
    Token(String),
}

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) router: Router,
    description: Value,
    folder: tempfile::TempDir,
}

/// Ids of a title and what stands around it.
pub(crate) struct Title {
    pub(crate) account: String,
    pub(crate) asset: String,
    pub(crate) bond: String,
    pub(crate) membership: String,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The stable word of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        let body = self.json();
        assert_eq!(self.header("content-type"), "application/problem+json", "{body}");
        assert_eq!(body["status"], self.status.as_u16());
        let word = body["type"].as_str().unwrap().strip_prefix(&format!("{ISSUER}/problems/")).unwrap();
        (self.status.as_u16(), word.to_owned())
    }

    /// Which fields a problem names.
    pub(crate) fn fields(&self) -> Vec<String> {
        let body = self.json();
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text);
        self.json()
    }
}

/// A request under construction.
pub(crate) struct Call<'a> {
    world: &'a World,
    caller: As,
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    body: Body,
}

impl<'a> Call<'a> {
    pub(crate) fn by(mut self, caller: &As) -> Self {
        self.caller = caller.clone();
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn if_match(self, version: &Value) -> Self {
        self.header("if-match", format!("\"{version}\""))
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn body(mut self, kind: &str, body: impl Into<Body>) -> Self {
        self.headers.push(("content-type".into(), kind.into()));
        self.body = body.into();
        self
    }

    /// Sends without looking at the answer's form: for streams.
    pub(crate) async fn stream(self) -> axum::http::Response<Body> {
        let local = matches!(self.caller, As::Local);
        let mut request = Request::builder().method(self.method).uri(&self.target);
        if let As::Token(token) = &self.caller {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(self.body).unwrap();
        request.extensions_mut().insert(Peer { address: "192.0.2.1".parse().unwrap(), certificate: None, local });
        self.world.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(self) -> Answer {
        let (world, method, path) = (self.world, self.method, self.target.split('?').next().unwrap().to_owned());
        let (parts, body) = self.stream().await.into_parts();
        let text = String::from_utf8(to_bytes(body, 1 << 24).await.unwrap().to_vec()).unwrap();
        let answer = Answer { status: parts.status, headers: parts.headers, text };
        world.hold_to_description(method, &path, &answer);
        answer
    }
}

async fn start(store: &Arc<dyn Store>, clock: &Arc<TestClock>, chance: u64) -> Arc<App> {
    start_with(store, clock, chance, [7; 32]).await.unwrap()
}

pub(crate) async fn start_with(
    store: &Arc<dyn Store>,
    clock: &Arc<TestClock>,
    chance: u64,
    master: [u8; 32],
) -> Result<Arc<App>, app::Fault> {
    let ports = Ports {
        store: Arc::clone(store),
        clock: clock.clone(),
        entropy: Arc::new(TestEntropy(AtomicU64::new(chance))),
        mailer: Arc::new(NoMailer),
    };
    let settings = Settings::new(ISSUER, "https://device.id.example.com");
    App::start(settings, &MasterKey::new(master), ports).await.map(Arc::new)
}

/// A store in which nothing is, and a clock.
pub(crate) fn ground() -> (Arc<dyn Store>, Arc<TestClock>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let tenant = TenantSettings {
        issuer: ISSUER.into(),
        device_url: "https://device.id.example.com".into(),
        max_token_life: 86_400,
    };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path().join("store"), tenant).unwrap());
    (store, Arc::new(TestClock::at(u64::try_from(NOW).unwrap())), folder)
}

impl World {
    pub(crate) async fn new() -> Self {
        let (store, clock, folder) = ground();
        let app = start(&store, &clock, 1).await;
        let router = web::people_router(State { app: Arc::clone(&app), origin: ISSUER.into() });
        let mut world = Self { app, store, clock, router, description: Value::Null, folder };
        world.description = world.get("/openapi.json").send().await.ok();
        world
    }

    /// Another process on the same store, under this master key.
    pub(crate) async fn started_with(&self, master: [u8; 32]) -> Result<Arc<App>, app::Fault> {
        static CHANCE: AtomicU64 = AtomicU64::new(2 << 40);
        start_with(&self.store, &self.clock, CHANCE.fetch_add(1 << 32, Ordering::SeqCst), master).await
    }

    /// Another process on the same store, this one's memory forgotten.
    pub(crate) async fn restarted(&self) -> Arc<App> {
        start(&self.store, &self.clock, 1 << 40).await
    }

    /// Another process on the same store, which trusts foreign issuers.
    pub(crate) async fn trusting(&self, foreign: authority::ForeignIssuers) -> Arc<App> {
        let app = start(&self.store, &self.clock, 1 << 41).await;
        Arc::new(Arc::into_inner(app).unwrap().trusting(foreign))
    }

    fn call(&self, method: &'static str, target: impl Into<String>) -> Call<'_> {
        let target = target.into();
        Call { world: self, caller: As::Nobody, method, target, headers: Vec::new(), body: Body::empty() }
    }

    pub(crate) fn get(&self, target: impl Into<String>) -> Call<'_> {
        self.call("GET", target)
    }

    pub(crate) fn method(&self, method: &'static str, target: impl Into<String>) -> Call<'_> {
        self.call(method, target)
    }

    pub(crate) fn post(&self, target: impl Into<String>, body: &Value) -> Call<'_> {
        self.call("POST", target).body("application/json", body.to_string())
    }

    pub(crate) fn put(&self, target: impl Into<String>, body: &Value) -> Call<'_> {
        self.call("PUT", target).body("application/json", body.to_string())
    }

    pub(crate) fn act(&self, target: impl Into<String>) -> Call<'_> {
        self.call("POST", target)
    }

    pub(crate) fn patch(&self, target: impl Into<String>, body: &Value) -> Call<'_> {
        self.call("PATCH", target).body("application/merge-patch+json", body.to_string())
    }

    /// A token with these claims beside the usual ones.
    pub(crate) fn token(&self, claims: Value) -> As {
        let generation = &self.app.tenant().generation;
        let now = self.clock.now();
        let mut all = json!({
            "iss": ISSUER, "aud": ISSUER, "iat": now, "exp": now + 3600,
            "jti": format!("jti-{}", claims), "anc": [format!("t.{generation}.0")],
        });
        all["jti"] = json!(app::digest_text(all.to_string().as_bytes()));
        for (name, value) in claims.as_object().unwrap() {
            match name.as_str() {
                "anc" => all["anc"].as_array_mut().unwrap().extend(value.as_array().unwrap().iter().cloned()),
                _ => all[name] = value.clone(),
            }
        }
        let claims = all.to_string().into_bytes();
        let unsigned =
            Unsigned { kind: TokenKind::Access, typ: "at+jwt", alg: jose::Alg::ES256, opaque: false, claims };
        As::Token(self.app.keys().sign(&unsigned, now, || [9; 24]).unwrap())
    }

    /// A service with this scope.
    pub(crate) fn service(&self, id: &str, scope: &str) -> As {
        self.token(json!({ "sub": id, "client_id": id, "scope": scope, "anc": [format!("cl.{id}.0")] }))
    }

    /// A member of staff whose token has all the scopes there are.
    pub(crate) async fn staff(&self, id: &str, roles: &[Role]) -> As {
        let user: User = serde_json::from_value(json!({
            "id": id, "email": format!("{id}@staff.example.com"), "name": id, "state": "active", "roles": roles,
            "account": "acc_staff", "created_at": NOW, "updated_at": NOW,
        }))
        .unwrap();
        self.keep(vec![identity::Write::new(user).into()]).await;
        let scope = format!("{} authority:follow", Role::Operator.scopes().join(" "));
        self.token(json!({
            "sub": id, "client_id": "desk", "scope": scope, "anc": ["cl.desk.0".to_owned(), format!("u.{id}.0")],
        }))
    }

    /// Writes records past the API.
    pub(crate) async fn keep(&self, changes: Vec<Change>) {
        let changes = changes.into_iter().map(Into::into).collect();
        self.store.commit(Commit { changes, now: self.clock.now(), ..Commit::default() }).await.unwrap();
    }

    /// All events so far: type, subject, data.
    pub(crate) async fn events(&self) -> Vec<(String, String, Value)> {
        let page = self.get("/events?limit=1000").by(&As::Local).send().await.ok();
        let told = |event: &Value| {
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            (text("type"), text("subject"), event["data"].clone())
        };
        page["events"].as_array().unwrap().iter().map(told).collect()
    }

    pub(crate) async fn kinds(&self) -> Vec<String> {
        self.events().await.into_iter().map(|(kind, _, _)| kind).collect()
    }

    /// A model to hang devices on.
    pub(crate) async fn product(&self, model: &str) -> Value {
        self.post("/products", &json!({ "model": model })).by(&As::Local).send().await.ok()
    }

    /// Where the store lies.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A device owned by a person: their household, its only member, the title
    /// and the owner's bond on it.
    pub(crate) async fn title(&self, user: &str) -> Title {
        if self.get("/products?filter=model%20eq%20%22OWN-1%22").by(&As::Local).send().await.json()["items"]
            .as_array()
            .unwrap()
            .is_empty()
        {
            self.product("OWN-1").await;
        }
        let device = self.post("/devices", &json!({"model": "OWN-1", "serial": user})).by(&As::Local).send().await.ok();
        let title = Title {
            account: "acc_501".into(),
            asset: "ast_42".into(),
            bond: "bnd_1".into(),
            membership: "bnd_2".into(),
        };
        let account: identity::Account = serde_json::from_value(json!({
            "id": title.account, "kind": "household", "name": "Home", "closed": false, "created_at": NOW,
        }))
        .unwrap();
        let asset: identity::Asset = serde_json::from_value(json!({
            "id": title.asset, "device": device["id"], "account": title.account, "name": "Hall speaker",
            "possession": "none", "attributes": {}, "opened_at": NOW,
        }))
        .unwrap();
        let bond = |id: &str, kind: &str, target: &str| -> identity::Bond {
            serde_json::from_value(json!({
                "id": id, "holder": {"kind": "user", "id": user}, "target": {"kind": kind, "id": target},
                "role": "owner", "origin": "pairing", "state": "active", "created_at": NOW,
            }))
            .unwrap()
        };
        let changes = vec![
            identity::Write::new(account).into(),
            identity::Write::new(asset).into(),
            identity::Write::new(bond("bnd_1", "asset", &title.asset)).into(),
            identity::Write::new(bond("bnd_2", "account", &title.account)).into(),
        ];
        self.keep(changes).await;
        title
    }

    fn hold_to_description(&self, method: &str, path: &str, answer: &Answer) {
        if self.description.is_null() {
            return;
        }
        let templates = self.description["paths"].as_object().unwrap();
        let Some((_, operations)) = templates.iter().find(|(template, _)| is_of(template, path)) else { return };
        let problem = answer.header("content-type") == "application/problem+json";
        if answer.text.is_empty() || !answer.header("content-type").ends_with("json") {
            return;
        }
        let operation = &operations[method.to_ascii_lowercase()];
        if operation.is_null() {
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path} is not described");
            return;
        }
        let schema = if problem {
            &operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
        } else {
            let described = &operation["responses"][answer.status.as_str()];
            assert!(!described.is_null(), "{method} {path} answers {}, which is not described", answer.status);
            &described["content"]["application/json"]["schema"]
        };
        crate::openapi::check(&self.description, schema, &answer.json(), &format!("{method} {path}"));
    }
}

fn is_of(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
}
