//! A server without sockets: a store in a temporary folder, a clock that the
//! test moves, a mailbox, and browsers with a cookie jar each.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use app::mailer::{Mail, Mailer, Sending};
use app::people::{NewUser, SignUpForm};
use app::{App, MasterKey, Ports, Settings};
use authority::{Clock, Entropy, Peer};
use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use identity::user::Email;
use identity::{Role, Secret, User};
use store::Store;
use store_sqlite::{SqliteStore, TenantSettings};
use tower::ServiceExt as _;

pub(crate) const ISSUER: &str = "https://localhost:8443";
pub(crate) const PASSWORD: &str = "seven green kettles";
const BEGIN: u64 = 1_764_000_000;

#[derive(Default)]
pub(crate) struct Hand(AtomicU64);

impl Clock for Hand {
    fn now_ms(&self) -> u64 {
        (BEGIN + self.0.load(Ordering::SeqCst)) * 1000
    }
}

#[derive(Default)]
struct Chance(AtomicU64);

impl Entropy for Chance {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            let drawn = self.0.fetch_add(1, Ordering::SeqCst);
            let bytes = app::digest(&drawn.to_be_bytes());
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

#[derive(Default)]
struct Mailbox(Mutex<Vec<Mail>>);

impl Mailer for Mailbox {
    fn send(&self, mail: Mail) -> Sending<'_> {
        self.0.lock().unwrap().push(mail);
        Box::pin(core::future::ready(Ok(())))
    }
    fn is_folder(&self) -> bool {
        false
    }
}

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) store: Arc<SqliteStore>,
    router: Router,
    clock: Arc<Hand>,
    mailbox: Arc<Mailbox>,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::new(ISSUER, ISSUER)).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tenant = TenantSettings { issuer: ISSUER.into(), device_url: ISSUER.into(), max_token_life: 86_400 };
        let store = Arc::new(SqliteStore::open(folder.path().join("store.db"), tenant).unwrap());
        let (clock, mailbox) = (Arc::new(Hand::default()), Arc::new(Mailbox::default()));
        let ports = Ports {
            store: store.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Chance::default()),
            mailer: mailbox.clone(),
        };
        let app = Arc::new(App::start(settings, &MasterKey::new([7; 32]), ports).await.unwrap());
        let router = web::people_router(web::State { app: app.clone(), origin: ISSUER.into() });
        Self { app, store, router, clock, mailbox, _folder: folder }
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) async fn user(&self, email: &str, name: &str, roles: &[Role]) -> User {
        let form = SignUpForm {
            name: name.into(),
            email: Email::parse(email).unwrap(),
            household: format!("{name}'s home"),
            password: Secret::new(PASSWORD.into()),
        };
        self.app.create_user(&NewUser { form, roles: roles.to_vec() }).await.unwrap().unwrap()
    }

    pub(crate) async fn adam(&self) -> User {
        self.user("adam@example.com", "Adam", &[]).await
    }

    /// As if the person had never set a password.
    pub(crate) async fn forget_password(&self, email: &str) {
        let known = self.store.load_person_by_email(Email::parse(email).unwrap()).await.unwrap().user.unwrap();
        let changed: identity::Change = known.rewrite(User { password: None, ..known.record.clone() }).into();
        let commit = store::Commit { changes: vec![changed.into()], ..store::Commit::default() };
        self.store.commit(commit).await.unwrap();
    }

    /// All mails so far, the background work waited for.
    pub(crate) async fn mails(&self) -> Vec<Mail> {
        self.app.drain_mail().await;
        self.mailbox.0.lock().unwrap().clone()
    }

    /// The path of the link in the newest mail.
    pub(crate) async fn link(&self) -> String {
        let text = self.mails().await.last().expect("a mail came").text.clone();
        let start = text.find(&format!("{ISSUER}/")).expect("a link stands in it") + ISSUER.len();
        text[start..].split_whitespace().next().unwrap().to_owned()
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { world: self, cookies: BTreeMap::new(), address: [127, 0, 0, 1].into() }
    }

    pub(crate) async fn signed_in(&self, email: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let answer = browser.sign_in(email, PASSWORD).await;
        assert_eq!((answer.status, answer.to()), (StatusCode::SEE_OTHER, "/my"), "{}", answer.body);
        browser
    }

    pub(crate) async fn events(&self, kind: &str) -> usize {
        let query = store::EventQuery { after: 0, kinds: Vec::new(), raises_only: false, subject: None, limit: 1_000 };
        let page = self.store.load_events(query).await.unwrap();
        page.events.iter().filter(|event| event.kind.as_str() == kind).count()
    }
}

/// A browser: keeps cookies, says that its posts come from our own pages.
#[derive(Clone)]
pub(crate) struct Browser<'w> {
    world: &'w World,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) address: IpAddr,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn to(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |to| to.to_str().unwrap())
    }

    pub(crate) fn says(&self, words: &str) -> bool {
        self.body.contains(words)
    }

    /// The value of a hidden field.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let start = self.body.find(&format!("name=\"{name}\" value=\""))?;
        self.body[start..].split('"').nth(3).map(str::to_owned)
    }
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl Browser<'_> {
    pub(crate) async fn send(&mut self, request: http::request::Builder, body: String) -> Answer {
        let jar: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = request.header(header::USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0");
        if !jar.is_empty() {
            request = request.header(header::COOKIE, jar.join("; "));
        }
        let peer = Peer { address: self.address, certificate: None, local: false };
        let request = request.extension(peer).body(Body::from(body)).unwrap();
        let response = self.world.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for set in parts.headers.get_all(header::SET_COOKIE) {
            let set = set.to_str().unwrap();
            assert!(set.contains("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{set}");
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{set}");
            match set.contains("Max-Age=0") {
                true => drop(self.cookies.remove(name)),
                false => drop(self.cookies.insert(name.into(), value.into())),
            }
        }
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::builder().uri(path), String::new()).await
    }

    /// Posts what is given, as a page of ours would.
    pub(crate) async fn post_raw(&mut self, path: &str, body: String) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header(header::ORIGIN, "null");
        self.send(request, body).await
    }

    /// Opens a page and posts its form.
    pub(crate) async fn submit(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let shown = self.get(page).await;
        let csrf = shown.field("csrf").unwrap_or_else(|| panic!("a form stands on {page}: {shown:?}"));
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend(fields);
        self.post_raw(action, form(&all)).await
    }

    pub(crate) async fn sign_up(&mut self, email: &str, name: &str) -> Answer {
        let fields = [("name", name), ("email", email), ("password", PASSWORD), ("household", "")];
        self.submit("/signup", "/signup", &fields).await
    }

    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        self.submit("/signin", "/signin", &[("email", email), ("password", password), ("return_to", "/my")]).await
    }

    pub(crate) async fn is_signed_in(&mut self) -> bool {
        self.get("/my").await.status == StatusCode::OK
    }

    pub(crate) fn session(&self) -> Option<String> {
        self.cookies.get("__Host-keyfob").cloned()
    }
}
