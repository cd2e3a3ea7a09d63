//! The application: one tenant, its store, its authority and its ports.

use std::sync::Arc;

use authority::{Authority, Clock, Entropy, ForeignIssuers, Rate, Rates};
use identity::Tenant;
use store::Store;

use crate::audit::Audit;
use crate::draw::Draw;
use crate::follow::Node;
use crate::key_ring::KeyRing;
use crate::mailer::Mailer;
use crate::pairing_brake::PairingBrake;
use crate::password::Passwords;
use crate::people::People;
use crate::pulse::{ClockMark, Pulse, Steady};
use crate::turn::Turns;

/// What an operator sets for the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The issuer URL.
    pub issuer: String,
    /// The URL of the host that requests client certificates.
    pub device_url: String,
    /// What the operator calls this place; stands on pages and under mails.
    pub service: String,
    /// The longest life of any token, seconds.
    pub max_token_life: i64,
    /// How long a signing key signs before its successor does, seconds.
    pub rotate_keys_every: i64,
    /// How many argon2 hashes may be computed at once.
    pub hash_workers: usize,
    /// How many may wait; beyond that people are told to try later.
    pub hash_queue: usize,
    /// Certificate authorities (DER) trusted for clients that authenticate by
    /// certificate (`tls_client_auth`); nobody by default.
    pub client_authorities: Vec<Vec<u8>>,
    /// What the last run of this process knew of its clock, if it is known.
    pub clock_mark: Option<ClockMark>,
    /// How many challenges one address may ask for.
    pub challenges: Rate,
}

impl Settings {
    /// Settings with sensible limits for an issuer.
    pub fn new(issuer: impl Into<String>, device_url: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            device_url: device_url.into(),
            service: "Keyfob".to_owned(),
            max_token_life: 86_400,
            rotate_keys_every: 90 * 86_400,
            hash_workers: 2,
            hash_queue: 64,
            client_authorities: Vec::new(),
            clock_mark: None,
            challenges: Rate { per_second: 100, at_once: 5_000 },
        }
    }
}

/// Every use case is a method of this; it is shared by all requests.
pub struct App {
    pub(crate) tenant: Tenant,
    pub(crate) settings: Settings,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) keys: KeyRing,
    pub(crate) clock: Arc<Steady>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) passwords: Passwords,
    pub(crate) people: People,
    pub(crate) audit: Audit,
    pub(crate) pairing_brake: PairingBrake,
    pub(crate) challenge_rates: Rates,
    pub(crate) pulse: Pulse,
    pub(crate) foreign: ForeignIssuers,
    pub(crate) node: Node,
    pub(crate) turns: Turns,
}

/// What the world gives an application.
#[derive(Clone)]
pub struct Ports {
    /// Keeps everything.
    pub store: Arc<dyn Store>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives chance.
    pub entropy: Arc<dyn Entropy>,
    /// Takes mail.
    pub mailer: Arc<dyn Mailer>,
}

impl App {
    /// Trusts foreign issuers for exchange; nobody by default.
    #[must_use]
    pub fn trusting(mut self, foreign: ForeignIssuers) -> Self {
        self.foreign = foreign;
        self
    }

    /// Whose application it is.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// What every door asks.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What was set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The keys.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// Draws for one request.
    pub fn draw(&self) -> Draw<'_> {
        Draw::new(&*self.clock, &*self.entropy)
    }

    /// The public keys worth publishing, as JSON Web Keys.
    pub fn published_keys(&self) -> Vec<serde_json::Value> {
        let keys = self.keys.published(self.now(), self.tenant.max_token_life);
        keys.iter().map(jose::Jwk::to_json).collect()
    }

    /// A nonce for proofs at protected resources.
    pub fn resource_nonce(&self) -> String {
        let draw = self.draw();
        self.authority.resource_door().nonce(draw.now(), draw.bytes())
    }

    /// A nonce for proofs at the token endpoint and its neighbours.
    pub fn token_nonce(&self) -> String {
        let draw = self.draw();
        self.authority.token_door().nonce(draw.now(), draw.bytes())
    }

    /// Whether mail is only written to a folder: pages say so.
    pub fn mail_is_folder(&self) -> bool {
        self.mailer.is_folder()
    }

    /// The time, seconds.
    pub fn now(&self) -> i64 {
        self.clock.now()
    }
}
