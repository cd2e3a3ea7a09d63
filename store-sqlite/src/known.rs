//! Clients as they are now, kept in memory: nearly every request names one.
//!
//! Owns: that what is answered from here, the file would answer at that moment.
//! A group that writes a client shuts this before its COMMIT and opens it, empty,
//! after; what a reader loaded meanwhile is not kept. There is no second writer.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use identity::{Fact, Record};
use oauth::Client;
use store::plan::Step;

use crate::table::Table;

/// Beyond so many, all are forgotten: each costs one read to know again.
const ROOM: usize = 4_096;

#[derive(Default)]
pub(crate) struct Known {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    clients: HashMap<String, Arc<Fact<Client>>>,
    /// Counts how often this was shut.
    turn: u64,
    shut: bool,
}

/// Drawn before a snapshot is begun: nothing was being written then.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u64);

impl Known {
    /// A client that is known, as it is now.
    pub(crate) fn client(&self, id: &str) -> Option<Arc<Fact<Client>>> {
        self.read().clients.get(id).cloned()
    }

    /// For a load that begins after this.
    pub(crate) fn ticket(&self) -> Option<Ticket> {
        let state = self.read();
        (!state.shut).then_some(Ticket(state.turn))
    }

    /// Keeps what a snapshot had that was begun after the ticket was drawn.
    pub(crate) fn keep(&self, ticket: Option<Ticket>, client: &Arc<Fact<Client>>) {
        let Some(Ticket(turn)) = ticket else { return };
        let mut state = self.write();
        if state.shut || state.turn != turn {
            return;
        }
        if state.clients.len() >= ROOM {
            state.clients.clear();
        }
        state.clients.insert(client.id().to_owned(), Arc::clone(client));
    }

    /// A group that writes clients is about to become visible.
    pub(crate) fn shut(&self) {
        let mut state = self.write();
        state.clients.clear();
        state.turn += 1;
        state.shut = true;
    }

    /// It is visible, or undone.
    pub(crate) fn open(&self) {
        self.write().shut = false;
    }

    /// Nothing panics while these are held.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a step changes what is kept here.
pub(crate) fn concerns(step: &Step<Table>) -> bool {
    let is_client = |table: &Table| table.name == Client::KIND.0;
    match step {
        Step::Write { shelf, .. } | Step::Touch { shelf, .. } | Step::Erase { shelf, .. } => is_client(shelf),
        Step::Raise(raise) => Table::of_anchor(&raise.anchor).is_some_and(is_client),
        Step::Once { .. } | Step::Idempotent { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use store::conformance::sample;

    use super::*;

    fn fact(name: &str) -> Arc<Fact<Client>> {
        Arc::new(Fact { record: sample::client(name), version: 1, epochs: identity::Epochs::default() })
    }

    #[test]
    fn what_was_loaded_before_a_write_is_not_kept_after_it() {
        let known = Known::default();
        let client = fact("a");
        let early = known.ticket();
        known.shut();
        assert!(known.ticket().is_none(), "a snapshot begun now may be of either side");
        known.keep(early, &client);
        known.open();
        known.keep(early, &client);
        assert!(known.client(client.id()).is_none());
        known.keep(known.ticket(), &client);
        assert_eq!(known.client(client.id()), Some(client));
    }

    #[test]
    fn nothing_is_answered_while_a_write_becomes_visible() {
        let known = Known::default();
        let client = fact("a");
        known.keep(known.ticket(), &client);
        known.shut();
        assert!(known.client(client.id()).is_none());
    }

    #[test]
    fn there_is_room_for_a_bounded_number() {
        let known = Known::default();
        for number in 0..=ROOM {
            known.keep(known.ticket(), &fact(&number.to_string()));
        }
        assert_eq!(known.read().clients.len(), 1);
    }
}
