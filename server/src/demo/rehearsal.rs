//! A stage for a fleet: the server on loopback with a clock that may be moved, the
//! maker's system that keeps its registry, a customer signed in to the maker's app.
//! Lends them to `fleet`. What is asked of them blocks: ask from a thread of its own.

use std::path::PathBuf;
use std::sync::Arc;

use ::device::{Address, Secret};
use serde_json::Value;

use super::registry::{self, Registry};
use super::stage::{self, Begins, Stage, Standing};
use super::trouble::{Lived, Trouble};
use super::{backend, owner, shop};
use crate::command::{Exit, Failure};
use crate::config::{Log, Store};
use crate::port::WallClock;

/// The model of the devices.
pub(crate) const MODEL: &str = super::factory::MODEL;

/// A server and whom a fleet needs around it.
pub(crate) struct Rehearsal(Stage);

/// What keeps it running.
pub(crate) struct Run(Standing);

/// The maker's system.
pub(crate) struct Keeper(Registry);

/// A customer in the maker's app, who registers devices.
pub(crate) struct Customer {
    /// The app.
    pub(crate) client: &'static str,
    /// The app's key, to which the token is bound (PEM).
    pub(crate) key: PathBuf,
    pub(crate) access_token: Secret,
    pub(crate) token_url: Address,
    /// Who shall take the devices' tokens, and for what.
    pub(crate) audience: String,
    pub(crate) scope: &'static str,
}

/// Opens the server.
///
/// # Errors
/// [`Failure`] of its start.
pub(crate) async fn set(log: Log) -> Result<(Rehearsal, Run), Failure> {
    let (stage, standing) = stage::set(log, Begins::Now, Store::Embedded).await?;
    Ok((Rehearsal(stage), Run(standing)))
}

impl Run {
    /// Waits for a signal that ends it before its end.
    pub(crate) async fn signalled(&self) -> Failure {
        self.0.signalled().await
    }

    pub(crate) async fn strike(self) {
        self.0.strike().await;
    }
}

impl Rehearsal {
    pub(crate) fn issuer(&self) -> &str {
        &self.0.issuer
    }

    pub(crate) fn devices(&self) -> &str {
        &self.0.devices
    }

    /// Whom to trust (PEM).
    pub(crate) fn roots(&self) -> &[u8] {
        &self.0.ca
    }

    /// The clock of the server.
    pub(crate) fn clock(&self) -> &Arc<WallClock> {
        &self.0.clock
    }

    /// Makes the model and its factory known, and imports the lists of its devices.
    ///
    /// # Errors
    /// [`Exit::Failed`] with the server's word.
    pub(crate) fn import(&self, root: &str, lists: &[Vec<u8>]) -> Result<Keeper, Failure> {
        let lived = || -> Lived<Keeper> {
            let registry = registry::open(&self.0)?.yields;
            registry::describe(&registry, root, &self.0.backend)?;
            for (number, list) in lists.iter().enumerate() {
                let told = registry.import(&format!("fleet-{number}.csv"), list)?;
                if told.get("failed").and_then(Value::as_u64) != Some(0) {
                    return Err(Trouble::new("lines were not taken"));
                }
            }
            Ok(Keeper(registry))
        };
        lived().map_err(|trouble| failed("the import", &trouble))
    }

    /// Brings a customer: signed up, and signed in to the app, which may register devices.
    ///
    /// # Errors
    /// [`Exit::Failed`] with the server's word.
    pub(crate) fn customer(&self, keeper: &Keeper) -> Result<Customer, Failure> {
        let lived = || -> Lived<Customer> {
            let adam = owner::arrive(&self.0)?.yields;
            let app = shop::sign_in(&self.0, &keeper.0, &adam)?.yields;
            Ok(Customer {
                client: shop::CLIENT,
                key: shop::key_file(&self.0),
                access_token: app.access_token,
                token_url: app.endpoints.token,
                audience: self.0.backend.clone(),
                scope: backend::SCOPE,
            })
        };
        lived().map_err(|trouble| failed("the customer", &trouble))
    }
}

fn failed(what: &str, trouble: &Trouble) -> Failure {
    Failure::new(Exit::Failed, format!("{what}: {}", trouble.0))
}
