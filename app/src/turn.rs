//! Whoever stood in another's way waits their turn.
//!
//! Owns: one queue for each record that requests of this process meet at. Does not
//! own: who is right; that is the store's guards, and a turn is only manners.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use identity::RecordKey;
use tokio::sync::{Mutex as Queue, OwnedMutexGuard};

/// The queues of this process; one goes when its last waiter does.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<RecordKey, Weak<Queue<()>>>>);

impl Turns {
    /// Waits behind all who came before; held until it is dropped. Nobody may wait
    /// for a second one while holding the first.
    pub(crate) async fn wait(&self, key: RecordKey) -> Turn<'_> {
        let queue = {
            let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let known = queues.get(&key).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let queue = Arc::new(Queue::new(()));
                queues.insert(key.clone(), Arc::downgrade(&queue));
                queue
            })
        };
        // Made before the wait: who gives up waiting clears away as well.
        let mut turn = Turn { turns: self, key, held: None };
        turn.held = Some(queue.lock_owned().await);
        turn
    }
}

/// A place at the front of a queue.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    key: RecordKey,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turn<'_> {
    pub(crate) fn is_for(&self, key: &RecordKey) -> bool {
        self.key == *key
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.held = None;
        let mut queues = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queues.get(&self.key).is_some_and(|queue| queue.strong_count() == 0) {
            queues.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use identity::Kind;

    use super::*;

    fn key(id: &str) -> RecordKey {
        RecordKey { kind: Kind("account"), id: id.to_owned() }
    }

    #[tokio::test]
    async fn turns_come_in_the_order_of_asking_and_leave_nothing_behind() {
        let turns = Turns::default();
        let (inside, next) = (AtomicU32::new(0), AtomicU32::new(0));
        let first = turns.wait(key("acc_1")).await;
        let other = turns.wait(key("acc_2")).await;
        let waiting = (0..20).map(|place| {
            let (turns, inside, next) = (&turns, &inside, &next);
            async move {
                let _turn = turns.wait(key("acc_1")).await;
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                assert_eq!(next.fetch_add(1, Ordering::SeqCst), place, "nobody is passed over");
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
            }
        });
        let waiting = futures_util::future::join_all(waiting);
        let begins = async {
            tokio::task::yield_now().await;
            assert_eq!(next.load(Ordering::SeqCst), 0, "held until it is dropped");
            drop((first, other));
        };
        futures_util::future::join(waiting, begins).await;
        assert_eq!(next.load(Ordering::SeqCst), 20);
        assert!(turns.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let turns = Turns::default();
        let held = turns.wait(key("acc_1")).await;
        let mut gives_up = Box::pin(turns.wait(key("acc_1")));
        assert!(futures_util::poll!(&mut gives_up).is_pending());
        drop(held);
        drop(gives_up);
        assert!(turns.0.lock().unwrap().is_empty());
    }
}
