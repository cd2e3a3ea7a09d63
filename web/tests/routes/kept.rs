//! The application on stores that earlier releases left behind: who held a
//! token before goes on with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use app::{App, MasterKey, Ports, Settings};
use authority::Peer;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use serde_json::Value;
use store_sqlite::{SqliteStore, TenantSettings};
use tower::ServiceExt as _;

use crate::world::{NoMailer, TestClock, TestEntropy};

struct Kept {
    facts: Value,
    app: Arc<App>,
    router: Router,
    _folder: tempfile::TempDir,
}

fn kept() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store-sqlite/tests/kept");
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

impl Kept {
    /// The store as it was left, a minute later.
    async fn open(kept: &Path) -> Self {
        let read = |name: &str| std::fs::read_to_string(kept.join(name)).unwrap();
        let facts: Value = serde_json::from_str(&read("facts.json")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch(&read("store.sql")).unwrap();
        let (issuer, device_url) = (facts["issuer"].as_str().unwrap(), facts["device_url"].as_str().unwrap());
        let tenant = TenantSettings { issuer: issuer.into(), device_url: device_url.into(), max_token_life: 86_400 };
        let now = facts["time"].as_u64().unwrap() + 60;
        let ports = Ports {
            store: Arc::new(SqliteStore::open(&path, tenant).unwrap()),
            clock: Arc::new(TestClock::at(now)),
            entropy: Arc::new(TestEntropy(AtomicU64::new(1))),
            mailer: Arc::new(NoMailer),
        };
        let key: [u8; 32] = jose::base64url::decode(read("master.key").trim()).unwrap().try_into().unwrap();
        let settings = Settings::new(issuer, device_url);
        let app = Arc::new(App::start(settings, &MasterKey::new(key), ports).await.unwrap());
        let router = web::people_router(web::State { app: Arc::clone(&app), origin: issuer.into() });
        Self { facts, app, router, _folder: folder }
    }

    fn token(&self, name: &str) -> &str {
        self.facts["tokens"][name].as_str().unwrap()
    }

    async fn refresh(&self, name: &str) -> (u16, Value) {
        self.post("/token", &[("grant_type", "refresh_token"), ("refresh_token", self.token(name))]).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let client = &self.facts["client"];
        let pair = format!("{}:{}", client["id"].as_str().unwrap(), client["secret"].as_str().unwrap());
        let mut basic = jose::base64url::encode(pair).replace('-', "+").replace('_', "/");
        while !basic.len().is_multiple_of(4) {
            basic.push('=');
        }
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let peer = Peer { address: [127, 0, 0, 1].into(), certificate: None, local: false };
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, format!("Basic {basic}"))
            .extension(peer)
            .body(Body::from(body))
            .unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

#[tokio::test]
async fn tokens_issued_before_an_upgrade_hold_after_it_and_ended_ones_stay_ended() {
    for folder in kept() {
        let kept = Kept::open(&folder).await;
        for name in ["access", "service", "device"] {
            let sound = kept.app.authority().verify(kept.token(name), kept.app.now());
            assert!(sound.is_ok(), "{name}: {sound:?}");
        }
        let refused = kept.app.authority().verify(kept.token("ended_access"), kept.app.now()).unwrap_err();
        assert_eq!(refused.reason, "anchor_raised_family");
        let (status, body) = kept.refresh("refresh").await;
        assert_eq!(status, 200, "{body}");
        let fresh = body["access_token"].as_str().unwrap();
        assert!(kept.app.authority().verify(fresh, kept.app.now()).is_ok());
        let (status, body) = kept.refresh("ended_refresh").await;
        assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")));
    }
}
