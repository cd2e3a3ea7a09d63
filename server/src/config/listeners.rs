//! `[listeners.*]`: where connections come in, and which neighbours are believed there.

use std::net::{Ipv4Addr, SocketAddr};

use super::network::Network;
use super::reader::Section;

/// Where connections come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listeners {
    /// Browsers, clients, staff. Never asks for a client certificate.
    pub people: Listener,
    /// Devices. Asks for a client certificate, takes none for an answer.
    pub devices: Listener,
    /// Health and metrics, plain HTTP.
    pub health: SocketAddr,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where it binds; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Which neighbours it believes.
    pub belief: Belief,
}

/// Which neighbours are believed about whom they speak for. Nobody, unless told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Belief {
    /// These must begin each connection with a PROXY protocol header.
    pub proxy_protocol: Vec<Network>,
    /// These may name the peer's address in `Forwarded` (RFC 7239).
    pub forwarded: Vec<Network>,
    /// These may name the peer's address in `X-Forwarded-For`.
    pub x_forwarded_for: Vec<Network>,
    /// These may hand on the peer's certificate in `Client-Cert` (RFC 9440).
    pub client_cert: Vec<Network>,
}

impl Listeners {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            people: section.section("people", "Browsers, clients and staff.", |section| Listener::read(section, 8443)),
            devices: section.section("devices", "Devices: certificates are asked for, not required.", |section| {
                Listener::read(section, 8444)
            }),
            health: section.section("health", "Health and metrics: plain HTTP.", |section| {
                section.setting(
                    "address",
                    loopback(8445),
                    "Where /healthz, /readyz and /metrics are answered. They need no sign-in: keep them inside.",
                )
            }),
        }
    }
}

impl Listener {
    fn read(section: &mut Section<'_>, port: u16) -> Self {
        Self {
            address: section.setting("address", loopback(port), "Where it listens; \"[::]:8443\" for the whole world."),
            belief: Belief {
                proxy_protocol: section.setting(
                    "believe_proxy_protocol_from",
                    Vec::new(),
                    "Neighbours that begin every connection with a PROXY protocol header, version 1 or 2.",
                ),
                forwarded: section.setting(
                    "believe_forwarded_from",
                    Vec::new(),
                    "Neighbours whose Forwarded header names the real peer.",
                ),
                x_forwarded_for: section.setting(
                    "believe_x_forwarded_for_from",
                    Vec::new(),
                    "Neighbours whose X-Forwarded-For header names the real peer.",
                ),
                client_cert: section.setting(
                    "believe_client_cert_from",
                    Vec::new(),
                    "Neighbours that end TLS, have seen the peer prove its key, and hand on its certificate in\n\
                     Client-Cert. Certificates of these neighbours themselves are then never taken for the peer's.",
                ),
            },
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
