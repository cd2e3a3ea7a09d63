//! How many connections may be open, in all and from one address, and how often one address may
//! begin a handshake. Asked before it: turning somebody away must cost less than coming.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use authority::{Rate, Rates};
use tokio::time::Instant;

use crate::port::{SystemEntropy, random};

/// The counters of one listener.
#[derive(Debug)]
pub(super) struct Admissions {
    most: usize,
    most_per_address: usize,
    /// Where there is a handshake to be done.
    handshakes: Option<Rates>,
    since: Instant,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection that was let in; leaves when dropped.
#[derive(Debug)]
pub(super) struct Admission {
    door: Arc<Admissions>,
    address: Option<IpAddr>,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// That of the listener.
    Listener,
    /// That of the address.
    Address,
    /// The address came too often.
    Rate,
}

impl Admissions {
    /// `handshakes` is how often one address may begin one, where there is TLS.
    pub(super) fn new(most: usize, most_per_address: usize, handshakes: Option<Rate>) -> Arc<Self> {
        let handshakes = handshakes.map(|rate| Rates::new(random(&SystemEntropy), rate));
        Arc::new(Self { most, most_per_address, handshakes, since: Instant::now(), open: Mutex::default() })
    }

    /// Lets a connection in, not counted under any address yet.
    pub(super) fn admit(self: &Arc<Self>) -> Result<Admission, Full> {
        let mut open = self.lock();
        if open.total >= self.most {
            return Err(Full::Listener);
        }
        open.total += 1;
        Ok(Admission { door: Arc::clone(self), address: None })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission {
    /// Counts the connection under its address.
    pub(super) fn count_under(&mut self, address: IpAddr) -> Result<(), Full> {
        let address = counted_as(address);
        let mut open = self.door.lock();
        let count = open.by_address.get(&address).copied().unwrap_or_default();
        if count >= self.door.most_per_address {
            return Err(Full::Address);
        }
        if let Some(handshakes) = &self.door.handshakes {
            let now = u64::try_from(self.door.since.elapsed().as_millis()).unwrap_or(u64::MAX);
            handshakes.take(address, now).map_err(|_| Full::Rate)?;
        }
        open.by_address.insert(address, count + 1);
        drop(open);
        self.release_address();
        self.address = Some(address);
        Ok(())
    }

    fn release_address(&mut self) {
        let Some(address) = self.address.take() else { return };
        let mut open = self.door.lock();
        if let Some(count) = open.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&address);
            }
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.release_address();
        self.door.lock().total -= 1;
    }
}

/// An IPv6 address counts as its /64: one customer has all of it.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_listener_is_full_until_one_leaves() {
        let door = Admissions::new(2, 9, None);
        let first = door.admit().unwrap();
        let _second = door.admit().unwrap();
        assert_eq!(door.admit().unwrap_err(), Full::Listener);
        drop(first);
        door.admit().unwrap();
    }

    #[test]
    fn an_address_is_full_while_others_still_come_in() {
        let door = Admissions::new(9, 1, None);
        let mut first = door.admit().unwrap();
        first.count_under(ip("192.0.2.1")).unwrap();
        assert_eq!(door.admit().unwrap().count_under(ip("::ffff:192.0.2.1")), Err(Full::Address));
        door.admit().unwrap().count_under(ip("192.0.2.2")).unwrap();
        drop(first);
        door.admit().unwrap().count_under(ip("192.0.2.1")).unwrap();
        assert!(door.lock().by_address.is_empty(), "nothing is remembered of who has left");
        assert_eq!(door.lock().total, 0);
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let door = Admissions::new(9, 1, None);
        let mut first = door.admit().unwrap();
        first.count_under(ip("2001:db8:0:1::1")).unwrap();
        assert_eq!(door.admit().unwrap().count_under(ip("2001:db8:0:1:ffff::2")), Err(Full::Address));
        door.admit().unwrap().count_under(ip("2001:db8:0:2::1")).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_too_often_is_turned_away_while_others_come_in_and_may_come_again() {
        let door = Admissions::new(9, 9, Some(Rate { per_second: 1, at_once: 3 }));
        let come = |address: &str| door.admit().unwrap().count_under(ip(address));
        for _ in 0..3 {
            come("192.0.2.1").unwrap();
        }
        assert_eq!(come("192.0.2.1"), Err(Full::Rate));
        come("192.0.2.2").unwrap();
        assert!(door.lock().by_address.is_empty());
        assert_eq!(door.lock().total, 0);
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        come("192.0.2.1").unwrap();
        assert_eq!(come("192.0.2.1"), Err(Full::Rate));
    }
}
