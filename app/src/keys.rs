//! The keys of a tenant over time: the secret everything sealed hangs from, the
//! signing keys and their successors, another master key.
//!
//! Owns: when keys are made, and that of two nodes one makes them. Does not own:
//! signing, which is the ring's; times and states, which are `oauth::signing_key`'s.

use identity::{Event, EventKind, Fact, Kind, Record, RecordKey, Write};
use jose::Alg;
use oauth::signing_key::{KeyState, PUBLISHED_BEFORE, successor_due};
use oauth::{SigningKey, TenantSecret};
use store::{Change, Commit, CommitError, ListQuery, Store};

use crate::app::App;
use crate::draw::Draw;
use crate::fault::Fault;
use crate::key_ring::{ALGORITHMS, MasterKey, OTHER_MASTER_KEY, TenantKey};

/// How often two nodes that start at once may cross each other.
const TRIES: u32 = 8;

/// What was sealed anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// How many signing keys.
    pub keys: usize,
    /// The name of the master key that opens them from now on.
    pub master: String,
}

async fn signing_keys(store: &dyn Store) -> Result<Vec<Fact<SigningKey>>, Fault> {
    let kind: Kind = SigningKey::KIND;
    let page = store.list(ListQuery { kind, filter: None, after: None, limit: 1000 }).await?;
    page.items.into_iter().map(|stored| stored.parse().map_err(Fault::from)).collect()
}

/// The secret of the tenant, made where there is none yet.
pub(crate) async fn ensure_secret(store: &dyn Store, master: &MasterKey, draw: &Draw<'_>) -> Result<TenantKey, Fault> {
    for _ in 0..TRIES {
        if let Some(known) = store::record::<TenantSecret>(store, TenantSecret::ID).await? {
            return TenantKey::open(master, &known);
        }
        let old = signing_keys(store).await?;
        let secret = if old.is_empty() { TenantKey::new(draw.bytes()) } else { TenantKey::of_old(master) };
        let record = secret.seal(master, draw.now(), draw.bytes())?;
        if let Some(key) = old.first() {
            // The wrong key must not become the secret of a store that another one sealed.
            crate::key_ring::KeyRing::new(master, &secret)?.reseal_key(key, master, draw.bytes())?;
        }
        let changes = vec![oauth::Change::from(Write::new(record)).into()];
        match store.commit(Commit { changes, now: draw.now(), ..Commit::default() }).await {
            Ok(_) => return Ok(secret),
            // Another node was faster: its secret counts.
            Err(CommitError::Conflict(_)) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(Fault::Contended)
}

/// Counts the secret's record up: whoever else makes keys at the same time loads again.
fn alone(secret: &Fact<TenantSecret>) -> Change {
    let key = RecordKey { kind: TenantSecret::KIND, id: TenantSecret::ID.to_owned() };
    identity::Change::Touch { key, version: secret.version }.into()
}

impl App {
    /// All signing keys the store has, in the order of their ids.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn known_keys(&self) -> Result<Vec<SigningKey>, Fault> {
        Ok(signing_keys(&*self.store).await?.into_iter().map(|fact| fact.record).collect())
    }

    /// Takes the keys of the store into the ring. How many stay closed comes back.
    pub(crate) async fn reload_keys(&self) -> Result<usize, Fault> {
        let closed = self.keys.load(self.known_keys().await?)?;
        self.authority.replace_keys(self.keys.verifying()?);
        Ok(closed)
    }

    /// Makes the keys that are missing or due, and drops those that are over.
    /// Every node may call it at any time: of several one does it.
    pub(crate) async fn keep_keys(&self) -> Result<(), Fault> {
        let draw = self.draw();
        let (now, every) = (draw.now(), self.settings.rotate_keys_every);
        let due = |keys: &[SigningKey]| -> Vec<(Alg, i64)> {
            let due = |alg| successor_due(keys, alg, now, every).map(|from| (alg, from));
            ALGORITHMS.into_iter().filter_map(due).collect()
        };
        let over = |key: &SigningKey| key.state(now, self.tenant.max_token_life) == KeyState::Over;
        let known = self.known_keys().await?;
        if due(&known).is_empty() && !known.iter().any(over) {
            return Ok(());
        }
        self.make_keys(&draw, |keys| (due(keys), keys.iter().filter(|key| over(key)).cloned().collect())).await?;
        Ok(())
    }

    /// Makes the successors of all signing keys: published at once, signing
    /// after receivers have had time to fetch them; the old ones verify on.
    ///
    /// # Errors
    /// [`Fault`]; [`OTHER_MASTER_KEY`] where the store was resealed elsewhere.
    pub async fn rotate_keys(&self) -> Result<Vec<SigningKey>, Fault> {
        let draw = self.draw();
        let from = draw.now() + PUBLISHED_BEFORE;
        let made = self.make_keys(&draw, |_| (ALGORITHMS.map(|alg| (alg, from)).to_vec(), Vec::new())).await?;
        self.reload_keys().await?;
        Ok(made)
    }

    /// Commits the keys that `wanted` says, each the successor of those of its
    /// algorithm, and drops the ones it names.
    async fn make_keys(
        &self,
        draw: &Draw<'_>,
        wanted: impl Fn(&[SigningKey]) -> (Vec<(Alg, i64)>, Vec<SigningKey>),
    ) -> Result<Vec<SigningKey>, Fault> {
        self.decide(|| async {
            // The secret first: keys that come later than it are then seen by a conflict.
            let secret = self.tenant_secret().await?;
            if !self.keys.seals(&secret) {
                return Err(Fault::Broken(OTHER_MASTER_KEY));
            }
            let known = signing_keys(&*self.store).await?;
            let records: Vec<_> = known.iter().map(|fact| fact.record.clone()).collect();
            let (due, over) = wanted(&records);
            let mut commit = Commit { now: draw.now(), ..Commit::default() };
            let mut made = Vec::new();
            for (alg, from) in due {
                let key = self.keys.generate(alg, from, draw.bytes())?;
                for old in known.iter().filter(|key| key.alg == alg && key.retire_at > from) {
                    let retired = SigningKey { retire_at: from, ..old.record.clone() };
                    commit.changes.push(oauth::Change::from(old.rewrite(retired)).into());
                }
                commit.changes.push(oauth::Change::from(Write::new(key.clone())).into());
                // The first key of a store comes after none, and tells nobody anything.
                if known.iter().any(|key| key.alg == alg) {
                    commit.events.push(Event::new(EventKind::KeyRotated, key.kid.clone()).with("not_before", from));
                }
                made.push(key);
            }
            for key in known.iter().filter(|key| over.contains(&key.record)) {
                let erased = identity::Change::Erase { key: key.key(), version: key.version };
                commit.changes.push(erased.into());
            }
            if !commit.changes.is_empty() {
                commit.changes.push(alone(&secret));
            }
            Ok((commit, made))
        })
        .await
    }

    async fn tenant_secret(&self) -> Result<Fact<TenantSecret>, Fault> {
        store::record(&*self.store, TenantSecret::ID).await?.ok_or(Fault::Broken("no_tenant_secret"))
    }

    /// Seals everything at rest under another master key, in one commit: before
    /// it the old key opens all, after it the new one.
    ///
    /// # Errors
    /// [`Fault`]; [`OTHER_MASTER_KEY`] where another node did it meanwhile.
    pub async fn reseal_keys(&self, to: &MasterKey) -> Result<Resealed, Fault> {
        let draw = self.draw();
        let keys = self
            .decide(|| async {
                let secret = self.tenant_secret().await?;
                let known = signing_keys(&*self.store).await?;
                let resealed = self.keys.reseal_secret(&secret, to, draw.bytes())?;
                let mut changes: Vec<Change> = vec![oauth::Change::from(secret.rewrite(resealed)).into()];
                for key in &known {
                    let resealed = self.keys.reseal_key(key, to, draw.bytes())?;
                    changes.push(oauth::Change::from(key.rewrite(resealed)).into());
                }
                Ok((Commit { changes, now: draw.now(), ..Commit::default() }, known.len()))
            })
            .await?;
        self.keys.replace_master(to)?;
        Ok(Resealed { keys, master: to.name()? })
    }
}
