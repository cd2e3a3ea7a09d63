//! The application: one tenant, its store, its authority and its ports.

use std::sync::Arc;

use authority::{Authority, Clock, Entropy};
use identity::Tenant;
use store::Store;

use crate::draw::Draw;
use crate::key_ring::KeyRing;

/// What an operator sets for the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The issuer URL.
    pub issuer: String,
    /// The URL of the host that requests client certificates.
    pub device_url: String,
    /// The longest life of any token, seconds.
    pub max_token_life: i64,
    /// How many argon2 hashes may be computed at once.
    pub hash_workers: usize,
    /// How many may wait; beyond that people are told to try later.
    pub hash_queue: usize,
}

impl Settings {
    /// Settings with sensible limits for an issuer.
    pub fn new(issuer: impl Into<String>, device_url: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            device_url: device_url.into(),
            max_token_life: 86_400,
            hash_workers: 2,
            hash_queue: 64,
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
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl App {
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

    /// The time, seconds.
    pub fn now(&self) -> i64 {
        self.clock.now()
    }
}
