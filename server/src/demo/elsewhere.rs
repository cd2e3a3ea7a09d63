//! The same story at servers that run elsewhere: two nodes of their own processes,
//! and a door before them that chooses between them by chance, repeatable by its
//! seed. What wants a clock that is moved is left to the demo.

use std::io;
use std::path::Path;

use ::device::Secret;
use authority::Clock;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::nodes::{self, Chance};
use super::owner::Owner;
use super::shop;
use super::stage::{self, Stage};
use super::story;
use super::tale::Tale;
use super::trouble::Trouble;
use crate::command::{Exit, Failure};
use crate::config::BaseUrl;
use crate::data::DataFolder;
use crate::listen::Drain;
use crate::serve::Addresses;

/// Where the world comes to: two ports that stay the same, whatever nodes stand behind.
pub struct Entrance {
    people: (TcpListener, u16),
    devices: (TcpListener, u16),
}

impl Entrance {
    /// Binds both ports, on loopback.
    ///
    /// # Errors
    /// Where nothing can be bound.
    pub async fn open() -> io::Result<Self> {
        Ok(Self { people: nodes::door().await?, devices: nodes::door().await? })
    }

    /// The issuer that the nodes must be configured with.
    pub fn issuer(&self) -> String {
        BaseUrl::local(self.people.1).to_string()
    }

    /// Their URL for devices.
    pub fn devices(&self) -> String {
        BaseUrl::local(self.devices.1).to_string()
    }

    /// Leads to two nodes that are ready, by chance of this seed. `data` is the folder of
    /// the first, `mail` that of the mails of both.
    ///
    /// # Errors
    /// [`Failure`] of what stands around the story.
    pub async fn lead(self, to: [Addresses; 2], data: &Path, mail: &Path, seed: u64) -> Result<Visit, Failure> {
        let folder = tempfile::Builder::new().prefix("keyfob-visit-").tempdir();
        let folder = folder.map_err(|error| Failure::new(Exit::Store, error))?;
        let data = DataFolder::open(data).map_err(|error| Failure::new(Exit::Store, error))?;
        let (issuer, devices) = (self.issuer(), self.devices());
        let (stage, backend) = stage::beside(&issuer, &devices, &data, mail, folder.path()).await?;
        let door = Drain::new();
        nodes::choose(self.people.0, to.map(|at| at.people), Chance::of(seed), &door);
        nodes::choose(self.devices.0, to.map(|at| at.devices), Chance::of(!seed), &door);
        Ok(Visit { stage, door, backend, _folder: folder })
    }
}

/// A story at such nodes.
pub struct Visit {
    stage: Stage,
    door: Drain,
    backend: Drain,
    _folder: TempDir,
}

/// Who stays after the story: a person with an account, signed in.
pub struct Guest(Owner);

/// An authorization code and what it takes to redeem it.
pub struct Granted {
    /// The code.
    pub code: Secret,
    /// The PKCE verifier.
    pub verifier: Secret,
    /// Where the code was sent.
    pub redirect_uri: &'static str,
}

impl Visit {
    /// Lives the whole story. Blocks; not for a task. What it left for others comes back,
    /// by the names of `keyfob demo --stay --json`.
    ///
    /// # Errors
    /// [`Exit::Failed`] with the step and its cause.
    pub fn live(&self) -> Result<(Value, Guest), Failure> {
        let (offers, adam) = story::live(&self.stage, &Tale::silent())?;
        Ok((offers, Guest(adam)))
    }

    /// Lets the guest allow a client, at the page the first time. Blocks.
    ///
    /// # Errors
    /// [`Exit::Failed`] with the cause.
    pub fn allow(&self, guest: &Guest, client: &str, scope: &str) -> Result<Granted, Failure> {
        let granted = shop::allow(&self.stage, &guest.0, client, scope);
        let failed = |trouble: Trouble| Failure::new(Exit::Failed, trouble.0);
        let (code, verifier) = granted.map_err(failed)?;
        Ok(Granted { code: Secret::new(code), verifier: Secret::new(verifier), redirect_uri: shop::REDIRECT })
    }

    /// Now, by the clock of this machine.
    pub fn now(&self) -> i64 {
        self.stage.clock.now()
    }

    /// Closes the door.
    pub async fn leave(self) {
        self.door.finish(std::time::Duration::ZERO).await;
        self.backend.finish(std::time::Duration::ZERO).await;
    }
}
