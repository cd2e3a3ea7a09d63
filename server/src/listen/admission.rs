//! How many connections may be open, in all and from one address. Asked before the handshake:
//! turning somebody away must cost less than coming.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counters of one listener.
#[derive(Debug)]
pub(super) struct Admissions {
    most: usize,
    most_per_address: usize,
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
}

impl Admissions {
    pub(super) fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_address, open: Mutex::default() })
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
        let count = open.by_address.entry(address).or_default();
        if *count >= self.door.most_per_address {
            return Err(Full::Address);
        }
        *count += 1;
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
        let door = Admissions::new(2, 9);
        let first = door.admit().unwrap();
        let _second = door.admit().unwrap();
        assert_eq!(door.admit().unwrap_err(), Full::Listener);
        drop(first);
        door.admit().unwrap();
    }

    #[test]
    fn an_address_is_full_while_others_still_come_in() {
        let door = Admissions::new(9, 1);
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
        let door = Admissions::new(9, 1);
        let mut first = door.admit().unwrap();
        first.count_under(ip("2001:db8:0:1::1")).unwrap();
        assert_eq!(door.admit().unwrap().count_under(ip("2001:db8:0:1:ffff::2")), Err(Full::Address));
        door.admit().unwrap().count_under(ip("2001:db8:0:2::1")).unwrap();
    }
}
