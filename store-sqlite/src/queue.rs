//! A bounded queue between tasks that ask and threads that answer. Asking never
//! blocks: a full queue refuses.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::StoreError;

pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    bound: usize,
    /// Items that are being prepared.
    expected: AtomicUsize,
}

/// How long is waited for items that are being prepared.
pub(crate) struct Patience {
    /// Until so many are there.
    pub(crate) enough: usize,
    /// As long as within this time one more came.
    pub(crate) next: Duration,
    /// So many times that, at most.
    pub(crate) looks: u32,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
    /// Who takes them waits for so many: fewer need not wake it.
    gathering: Option<usize>,
}

impl<T> Queue<T> {
    pub(crate) fn new(bound: usize) -> Self {
        let state = State { waiting: VecDeque::new(), closed: false, gathering: None };
        Self { state: Mutex::new(state), filled: Condvar::new(), bound, expected: AtomicUsize::new(0) }
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
        let wake = state.gathering.is_none_or(|enough| state.waiting.len() >= enough);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// One more is being prepared, until [`Queue::expected_one_less`].
    pub(crate) fn expect_one_more(&self) {
        self.expected.fetch_add(1, Ordering::AcqRel);
    }

    /// It was added, or will not come.
    pub(crate) fn expected_one_less(&self) {
        // Who gathers looks at the number under the lock, so the last one is not missed.
        if self.expected.fetch_sub(1, Ordering::AcqRel) == 1 && self.lock().gathering.is_some() {
            self.filled.notify_all();
        }
    }

    /// Waits for one, and takes those behind it too where all of them may be taken
    /// `together`: half of at most `most`, the rest is for others who take. Empty
    /// once the queue is closed and empty.
    pub(crate) fn pop_run(&self, most: usize, together: impl Fn(&T) -> bool) -> Vec<T> {
        let mut state = self.wait();
        let alike = state.waiting.iter().take(most).take_while(|item| together(item)).count();
        let count = alike.div_ceil(2).max(1).min(state.waiting.len());
        state.waiting.drain(..count).collect()
    }

    /// Waits for one and takes what stands behind it too, at most `limit`; empty
    /// once the queue is closed and empty. While others are being prepared it waits
    /// for them, as [`Patience`] says.
    pub(crate) fn gather(&self, limit: usize, patience: &Patience) -> Vec<T> {
        let mut state = self.wait();
        let more = |state: &State<T>| {
            !state.closed && state.waiting.len() < patience.enough && self.expected.load(Ordering::Acquire) > 0
        };
        let mut seen = 0;
        // Who comes does not wake this thread: it looks by itself whether any came.
        for _ in 0..patience.looks {
            if !more(&state) || state.waiting.len() == seen {
                break;
            }
            seen = state.waiting.len();
            state.gathering = Some(patience.enough);
            let waited = self.filled.wait_timeout_while(state, patience.next, |state| more(state));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.gathering = None;
        }
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
    use std::sync::Arc;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn waiting(enough: usize, next: Duration, looks: u32) -> Patience {
        Patience { enough, next, looks }
    }

    fn at_once(queue: &Queue<i32>) -> Vec<i32> {
        queue.gather(10, &waiting(10, LONG, 9))
    }

    #[test]
    fn those_that_are_expected_are_waited_for_and_no_longer() {
        let queue = Arc::new(Queue::new(10));
        queue.expect_one_more();
        queue.expect_one_more();
        queue.push(1).unwrap();
        let own = Arc::clone(&queue);
        let writer = std::thread::spawn(move || at_once(&own));
        queue.push(2).unwrap();
        queue.expected_one_less();
        // The other one gave up.
        queue.expected_one_less();
        assert_eq!(writer.join().unwrap(), [1, 2]);
    }

    #[test]
    fn enough_is_enough_and_patience_has_an_end() {
        let queue = Queue::new(10);
        queue.expect_one_more();
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        assert_eq!(queue.gather(10, &waiting(2, LONG, 9)), [1, 2]);
        queue.push(3).unwrap();
        assert_eq!(queue.gather(10, &waiting(2, Duration::from_millis(1), u32::MAX)), [3], "none came after it");
        queue.push(4).unwrap();
        assert_eq!(queue.gather(10, &waiting(2, LONG, 0)), [4]);
    }

    #[test]
    fn half_of_a_run_of_those_alike_is_taken_and_what_is_not_alike_alone() {
        let queue = Queue::new(20);
        [2, 4, 6, 1, 3, 8].into_iter().for_each(|item| queue.push(item).unwrap());
        let even = |item: &i32| item % 2 == 0;
        assert_eq!(queue.pop_run(4, even), [2, 4]);
        assert_eq!(queue.pop_run(4, even), [6]);
        assert_eq!(queue.pop_run(4, even), [1]);
        assert_eq!(queue.pop_run(4, even), [3]);
        assert_eq!(queue.pop_run(4, even), [8]);
    }

    #[test]
    fn a_full_queue_refuses_instead_of_waiting() {
        let queue = Queue::new(2);
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        assert!(matches!(queue.push(3), Err(StoreError::Unavailable(_))));
        assert_eq!(at_once(&queue), [1, 2]);
    }

    #[test]
    fn a_closed_queue_takes_nothing_new_and_gives_out_what_waits() {
        let queue = Queue::new(2);
        queue.push(1).unwrap();
        queue.close();
        assert!(matches!(queue.push(2), Err(StoreError::Unavailable(_))));
        assert_eq!(queue.pop_run(8, |_| true), [1]);
        assert!(queue.pop_run(8, |_| true).is_empty());
        assert!(at_once(&queue).is_empty());
    }
}
