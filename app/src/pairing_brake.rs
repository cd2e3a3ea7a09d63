//! Brakes on guessing user codes (RFC 8628 §5.1): per login, per account, per
//! address, and for everybody together. Counted before the code is looked at.

use std::net::IpAddr;

use identity::BrowserSession;

use crate::brake::Brake;

/// Wrong codes per login, per account and hour, per address and hour, and per
/// minute for all: with 1,000 live codes an hour of guessing finds one with a
/// chance of 0.23 %.
const PER_SESSION: u32 = 5;
const PER_ACCOUNT: u32 = 20;
const PER_ADDRESS: u32 = 100;
const PER_MINUTE: u32 = 1_000;

/// The brakes.
pub(crate) struct PairingBrake {
    hourly: Brake,
    minutely: Brake,
}

impl PairingBrake {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { hourly: Brake::new(key, 3_600), minutely: Brake::new(key, 60) }
    }

    /// Counts a try; whether it may be made.
    pub(crate) fn admits(&self, session: &BrowserSession, address: IpAddr, now: i64) -> bool {
        let names = names(session, address);
        let limits = [PER_SESSION, PER_ACCOUNT, PER_ADDRESS];
        let mut admitted = self.minutely.take("everybody", now) < PER_MINUTE;
        for (name, limit) in names.iter().zip(limits) {
            admitted &= self.hourly.take(name, now) < limit;
        }
        admitted
    }

    /// The code was right: it was no guess.
    pub(crate) fn was_right(&self, session: &BrowserSession, address: IpAddr) {
        self.minutely.give_back("everybody");
        names(session, address).iter().for_each(|name| self.hourly.give_back(name));
    }
}

fn names(session: &BrowserSession, address: IpAddr) -> [String; 3] {
    [format!("session {}", session.id), format!("account {}", session.user), format!("address {}", network(address))]
}

/// An address of version 6 counts by its network: whoever has one has 2^64.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}
