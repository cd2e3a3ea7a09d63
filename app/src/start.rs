//! Start: head and all raises in one snapshot before anything listens; keys of
//! the first start are made here. And the beat of every minute.

use std::sync::Arc;

use authority::{AnchorIndex, Authority, Start};
use identity::{Kind, Record, Tenant, Write};
use store::{Commit, ListQuery};

use crate::app::{App, Ports, Settings};
use crate::audit::Audit;
use crate::commit::index_raise;
use crate::fault::Fault;
use crate::key_ring::{ALGORITHMS, KeyRing, MasterKey, PUBLISHED_BEFORE};
use crate::pairing_brake::PairingBrake;
use crate::password::Passwords;
use crate::people::People;

/// How many proofs and tokens are remembered: some 100 bytes and 1.5 kB each.
const PROOF_ROOM: usize = 1 << 20;
const TOKEN_ROOM: usize = 1 << 16;

impl App {
    /// Opens a tenant on its store.
    ///
    /// # Errors
    /// [`Fault`] when the store fails or its keys do not open under this master key.
    pub async fn start(settings: Settings, master: &MasterKey, ports: Ports) -> Result<Self, Fault> {
        let Ports { store, clock, entropy, mailer } = ports;
        let keys = KeyRing::new(master)?;
        let (head, raises) = store.load_raises().await?;
        let first_start = head.number == 0;
        let tenant = Tenant {
            issuer: settings.issuer.clone(),
            device_url: settings.device_url.clone(),
            generation: head.generation.clone(),
            max_token_life: settings.max_token_life,
        };
        let index = AnchorIndex::new(head.generation, head.horizon, raises.into_iter().map(index_raise));
        let mut secret = [0; 32];
        entropy.fill(&mut secret);
        let restarted_at = (!first_start).then(|| clock.now());
        let start = Start { secret, restarted_at, proof_room: PROOF_ROOM, token_room: TOKEN_ROOM };
        let authority = Arc::new(Authority::new(tenant.clone(), index, authority::KeySet::default(), start));
        let (mut salt, mut nobody) = ([0; 16], [0; 32]);
        entropy.fill(&mut salt);
        entropy.fill(&mut nobody);
        let passwords = Passwords::new(settings.hash_workers, settings.hash_queue, salt, nobody)?;
        let people = People::new(&settings, &*entropy)?;
        let mut brake = [0; 32];
        entropy.fill(&mut brake);
        let (audit, pairing_brake) = (Audit::default(), PairingBrake::new(brake));
        let app = Self {
            tenant,
            settings,
            store,
            authority,
            keys,
            clock,
            entropy,
            mailer,
            passwords,
            people,
            audit,
            pairing_brake,
        };
        app.ensure_keys().await?;
        Ok(app)
    }

    /// Makes the keys that are missing, then takes all into the ring.
    async fn ensure_keys(&self) -> Result<(), Fault> {
        let known = self.signing_keys().await?;
        let draw = self.draw();
        let mut commit = Commit { now: draw.now(), ..Commit::default() };
        for alg in ALGORITHMS.into_iter().filter(|alg| !known.iter().any(|key| key.alg == *alg)) {
            let key = self.keys.generate(alg, draw.now() - 60, draw.bytes())?;
            commit.changes.push(oauth::Change::from(Write::new(key)).into());
        }
        if !commit.changes.is_empty() {
            self.store.commit(commit).await?;
        }
        self.reload_keys().await
    }

    async fn signing_keys(&self) -> Result<Vec<identity::Fact<oauth::SigningKey>>, Fault> {
        let kind: Kind = oauth::SigningKey::KIND;
        let page = self.store.list(ListQuery { kind, filter: None, after: None, limit: 1000 }).await?;
        page.items.into_iter().map(|stored| stored.parse().map_err(Fault::from)).collect()
    }

    /// All signing keys the store has, in the order of their ids.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn known_keys(&self) -> Result<Vec<oauth::SigningKey>, Fault> {
        Ok(self.signing_keys().await?.into_iter().map(|fact| fact.record).collect())
    }

    async fn reload_keys(&self) -> Result<(), Fault> {
        let records = self.signing_keys().await?;
        self.keys.load(records.into_iter().map(|fact| fact.record).collect())?;
        self.authority.replace_keys(self.keys.verifying()?);
        Ok(())
    }

    /// Makes the successors of all signing keys: published at once, signing
    /// after receivers have had time to fetch them; the old ones verify on.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn rotate_keys(&self) -> Result<Vec<oauth::SigningKey>, Fault> {
        let draw = self.draw();
        let from = draw.now() + PUBLISHED_BEFORE;
        let fresh = ALGORITHMS
            .map(|alg| self.keys.generate(alg, from, draw.bytes()))
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        self.decide(|| async {
            let mut commit = Commit { now: draw.now(), ..Commit::default() };
            for old in self.signing_keys().await?.into_iter().filter(|key| key.retire_at > from) {
                let retired = oauth::SigningKey { retire_at: from, ..old.record.clone() };
                commit.changes.push(oauth::Change::from(old.rewrite(retired)).into());
            }
            for key in &fresh {
                commit.changes.push(oauth::Change::from(Write::new(key.clone())).into());
                commit.events.push(identity::Event::new(identity::EventKind::KeyRotated, key.kid.clone()));
            }
            Ok((commit, ()))
        })
        .await?;
        self.reload_keys().await?;
        Ok(fresh)
    }

    /// The beat of every minute: advances the store's time, drops what is dead,
    /// and takes keys that others made.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn beat(&self) -> Result<(), Fault> {
        let head = self.store.prune(self.now()).await?;
        self.authority.learn_head(head.horizon, head.time);
        self.reload_keys().await
    }
}
