//! A bounded queue between tasks that ask and threads that answer. Asking never
//! blocks: a full queue refuses.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use store::StoreError;

pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    bound: usize,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(bound: usize) -> Self {
        let state = State { waiting: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new(), bound }
    }

    /// Nothing panics while the lock is held, so a poisoned state is whole.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one, unless the queue is full or closed.
    pub(crate) fn push(&self, item: T) -> Result<(), StoreError> {
        let mut state = self.lock();
        if state.closed {
            return Err(StoreError::Unavailable("it is shut down".to_owned()));
        }
        if state.waiting.len() >= self.bound {
            return Err(StoreError::Unavailable("too many requests wait for it".to_owned()));
        }
        state.waiting.push_back(item);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits for one; `None` once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<T> {
        self.wait().waiting.pop_front()
    }

    /// Waits for one and takes what stands behind it too, at most `limit`; empty
    /// once the queue is closed and empty.
    pub(crate) fn drain(&self, limit: usize) -> Vec<T> {
        let mut state = self.wait();
        let count = state.waiting.len().min(limit);
        state.waiting.drain(..count).collect()
    }

    fn wait(&self) -> MutexGuard<'_, State<T>> {
        self.filled
            .wait_while(self.lock(), |state| state.waiting.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes nothing new; what waits is still answered.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_refuses_instead_of_waiting() {
        let queue = Queue::new(2);
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        assert!(matches!(queue.push(3), Err(StoreError::Unavailable(_))));
        assert_eq!(queue.drain(10), [1, 2]);
    }

    #[test]
    fn a_closed_queue_takes_nothing_new_and_gives_out_what_waits() {
        let queue = Queue::new(2);
        queue.push(1).unwrap();
        queue.close();
        assert!(matches!(queue.push(2), Err(StoreError::Unavailable(_))));
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.pop(), None);
        assert!(queue.drain(1).is_empty());
    }
}
