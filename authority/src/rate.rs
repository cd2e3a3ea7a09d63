//! How often somebody may ask whom nobody knows yet: per address, before any work.
//!
//! Owns counting in memory of a fixed size, so that nobody can push another out by
//! coming from many addresses: two tables of slots under a secret key, and only who
//! is over in both is over. Does not own what is counted, nor the time.

use core::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jose::digest;

/// 8 bytes each, twice: 1 MiB.
const SLOTS: usize = 1 << 16;

/// How often one address may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So often each second, for as long as it likes; at least 1.
    pub per_second: u32,
    /// So often at once after a rest; at least 1.
    pub at_once: u32,
}

/// The address has asked too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooOften;

/// Counts by address.
pub struct Rates {
    key: [u8; 32],
    /// Between two of one address, microseconds.
    interval: u64,
    /// How far the next one's time may lie ahead, microseconds.
    ahead: u64,
    tables: Mutex<[Vec<u64>; 2]>,
}

impl core::fmt::Debug for Rates {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Rates").field("interval", &self.interval).field("ahead", &self.ahead).finish_non_exhaustive()
    }
}

impl Rates {
    /// Keyed by random bytes of this start: who shares a slot with whom is a secret.
    pub fn new(key: [u8; 32], rate: Rate) -> Self {
        let interval = 1_000_000 / u64::from(rate.per_second.clamp(1, 1_000_000));
        let ahead = interval.saturating_mul(rate.at_once.max(1).into());
        Self { key, interval, ahead, tables: Mutex::new([vec![0; SLOTS], vec![0; SLOTS]]) }
    }

    /// Counts one of an address; `now` in milliseconds of any clock.
    ///
    /// # Errors
    /// [`TooOften`]; it was not counted then, so that who goes on asking is let in
    /// at the same rate as who waits.
    pub fn take(&self, address: IpAddr, now: u64) -> Result<(), TooOften> {
        let now = now.saturating_mul(1_000);
        let [first, second, third, fourth, ..] = digest::hmac_sha256(&self.key, &network(address));
        let places = [u16::from_be_bytes([first, second]), u16::from_be_bytes([third, fourth])];
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let mut admitted = false;
        for (table, place) in tables.iter_mut().zip(places) {
            let Some(slot) = table.get_mut(usize::from(place)) else { continue };
            admitted |= self.count(slot, now);
        }
        if admitted { Ok(()) } else { Err(TooOften) }
    }

    /// A slot holds the time at which it would be empty again.
    fn count(&self, slot: &mut u64, now: u64) -> bool {
        // A time further ahead than any this writes is of a clock that was set back since.
        let empty = if *slot > now.saturating_add(self.ahead) { now } else { now.max(*slot) };
        let next = empty.saturating_add(self.interval);
        let admitted = next - now <= self.ahead;
        if admitted {
            *slot = next;
        }
        admitted
    }
}

/// An address of version 6 counts by its /64: one customer has all of it.
fn network(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().into_iter().take(8).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn rates(per_second: u32, at_once: u32) -> Rates {
        Rates::new([7; 32], Rate { per_second, at_once })
    }

    fn admitted(rates: &Rates, address: &str, times: usize, now: u64) -> usize {
        (0..times).filter(|_| rates.take(ip(address), now).is_ok()).count()
    }

    #[test]
    fn so_many_come_in_at_once_and_so_many_each_second_after_that() {
        let rates = rates(10, 50);
        assert_eq!(admitted(&rates, "192.0.2.1", 1_000, 5_000), 50);
        assert_eq!(admitted(&rates, "192.0.2.1", 1_000, 5_099), 0);
        assert_eq!(admitted(&rates, "192.0.2.1", 1_000, 5_100), 1);
        assert_eq!(admitted(&rates, "192.0.2.1", 1_000, 6_100), 10, "to have been refused costs nothing more");
        assert_eq!(admitted(&rates, "192.0.2.1", 1_000, 60_000), 50, "a rest gives back no more than there was");
    }

    #[test]
    fn a_flood_from_one_address_stops_no_other() {
        let rates = rates(1, 5);
        assert_eq!(admitted(&rates, "192.0.2.1", 100_000, 1_000), 5);
        let others = (0..20_000_u32).map(|n| IpAddr::V4((0x0a00_0000 + n * 7).into()));
        assert_eq!(others.filter(|other| rates.take(*other, 1_000).is_err()).count(), 0);
    }

    #[test]
    fn one_network_of_version_6_is_one_address_and_a_mapped_one_is_of_version_4() {
        let rates = rates(1, 2);
        assert_eq!(admitted(&rates, "2001:db8:0:1::1", 2, 0), 2);
        assert_eq!(admitted(&rates, "2001:db8:0:1:ffff::2", 1, 0), 0);
        assert_eq!(admitted(&rates, "2001:db8:0:2::1", 1, 0), 1);
        assert_eq!(admitted(&rates, "192.0.2.1", 2, 0), 2);
        assert_eq!(admitted(&rates, "::ffff:192.0.2.1", 1, 0), 0);
    }

    #[test]
    fn many_addresses_take_no_more_room_and_give_nobody_a_fresh_start() {
        let rates = rates(1, 5);
        assert_eq!(admitted(&rates, "192.0.2.1", 5, 1_000), 5);
        for n in 0..300_000_u32 {
            let _ = rates.take(IpAddr::V4(n.into()), 1_000);
        }
        assert_eq!(admitted(&rates, "192.0.2.1", 1, 1_000), 0);
        let tables = rates.tables.lock().unwrap();
        assert!(tables.iter().all(|table| table.len() == SLOTS && table.capacity() == SLOTS));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let rates = rates(1, 5);
        assert_eq!(admitted(&rates, "192.0.2.1", 9, 1_000_000_000), 5);
        assert_eq!(admitted(&rates, "192.0.2.1", 9, 1_000), 5);
    }
}
