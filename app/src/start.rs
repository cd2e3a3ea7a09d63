//! Start: head and all raises in one snapshot before anything listens; keys of
//! the first start are made here. And the beat of every minute.

use std::sync::Arc;

use authority::{AnchorIndex, Authority, Clock, ForeignIssuers, Rates, Shared, SharedOnce, Start};
use identity::Tenant;

use crate::app::{App, Ports, Settings};
use crate::audit::Audit;
use crate::commit::index_raise;
use crate::draw::Draw;
use crate::fault::Fault;
use crate::follow::{Node, OnceInStore};
use crate::key_ring::{KeyRing, MasterKey, OTHER_MASTER_KEY};
use crate::keys::ensure_secret;
use crate::pairing_brake::PairingBrake;
use crate::password::Passwords;
use crate::people::People;
use crate::pulse::{Pulse, Steady};
use crate::turn::Turns;

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
        let clock = Arc::new(Steady::new(clock));
        let secret = ensure_secret(&*store, master, &Draw::new(&*clock, &*entropy)).await?;
        let keys = KeyRing::new(master, &secret)?;
        let (head, raises) = store.load_raises().await?;
        let first_start = head.number == 0;
        let tenant = Tenant {
            issuer: settings.issuer.clone(),
            device_url: settings.device_url.clone(),
            generation: head.generation.clone(),
            max_token_life: settings.max_token_life,
        };
        clock.learn(head.time);
        if !store.is_shared() {
            clock.set_course(settings.clock_mark);
        }
        let node = Node::at(head.number);
        let index = AnchorIndex::new(head.generation, head.horizon, raises.into_iter().map(index_raise));
        // Nodes that share a store remember together, know each other's nonces,
        // and forget nothing when one of them starts.
        let shared: Option<Arc<dyn SharedOnce>> =
            if store.is_shared() { Some(Arc::new(OnceInStore(Arc::clone(&store)))) } else { None };
        let draw = Draw::new(&*clock, &*entropy);
        let secret = |purpose| if shared.is_some() { keys.shared_secret(purpose) } else { draw.bytes() };
        let start = Start {
            secret: secret("nonces"),
            restarted_at: (!first_start && shared.is_none()).then(|| clock.now()),
            proof_room: PROOF_ROOM,
            token_room: TOKEN_ROOM,
            shared: shared.clone().map(|once| Shared { once, clock: Arc::clone(&clock) as Arc<dyn Clock> }),
        };
        let authority = Authority::new(tenant.clone(), index, authority::KeySet::default(), start);
        let people = People::new(&settings, &*entropy, secret("ceremonies"), shared)?;
        let passwords = Passwords::new(settings.hash_workers, settings.hash_queue, draw.bytes(), draw.bytes())?;
        let pairing_brake = PairingBrake::new(draw.bytes());
        let challenge_rates = Rates::new(draw.bytes(), settings.challenges);
        let app = Self {
            tenant,
            settings,
            store,
            authority: Arc::new(authority),
            keys,
            clock,
            entropy,
            mailer,
            passwords,
            people,
            audit: Audit::default(),
            pairing_brake,
            challenge_rates,
            pulse: Pulse::default(),
            foreign: ForeignIssuers::none(),
            node,
            turns: Turns::default(),
        };
        app.keep_keys().await?;
        match app.reload_keys().await? {
            0 => {}
            _ => return Err(Fault::Broken(OTHER_MASTER_KEY)),
        }
        if app.is_one_of_several() {
            app.follow().await?;
        }
        Ok(app)
    }

    /// The beat of every minute: advances the store's time, drops what is dead,
    /// makes keys in time, and takes those that others made.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn beat(&self) -> Result<(), Fault> {
        let head = self.store.prune(self.node.bounded(self.now())).await?;
        self.authority.learn_head(head.horizon, head.time);
        self.clock.learn(head.time);
        self.watch_clock().await?;
        if let Err(fault) = self.keep_keys().await {
            // Tokens go on to be signed with what there is.
            tracing::error!(cause = %fault, "keys_not_made");
        }
        let closed = self.reload_keys().await?;
        if closed > 0 {
            tracing::warn!(
                closed,
                "some signing keys are sealed under another master key: bring the new master.key to this node and \
                 start it again; until then it signs with what it has open"
            );
        }
        Ok(())
    }
}
