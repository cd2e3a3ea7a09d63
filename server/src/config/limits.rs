//! `[limits]`: how much one peer, and all together, may ask of the listeners.

use std::time::Duration;

use authority::Rate;

use super::reader::Section;

/// Limits of every listener; each has its own count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections in all.
    pub connections: usize,
    /// Open connections from one address (IPv6: from one /64).
    pub connections_per_address: usize,
    /// TLS handshakes from one address (IPv6: from one /64).
    pub handshakes: Rate,
    /// Challenges for one address (IPv6: for one /64).
    pub challenges: Rate,
    /// Time for PROXY header and TLS handshake together.
    pub handshake: Duration,
    /// Time for the head of a request to arrive, and for an idle HTTP/1.1 connection.
    pub header: Duration,
    /// Bytes of the head of a request.
    pub header_bytes: u32,
    /// Header fields of a request.
    pub headers: usize,
    /// Bytes of a body, where a route allows no more.
    pub body_bytes: usize,
    /// Bytes of a body on the routes that take large ones.
    pub upload_bytes: usize,
    /// Time without a request after which an HTTP/2 connection is closed.
    pub idle: Duration,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// Time from the head of a request to the head of its answer.
    pub request: Duration,
    /// Time a peer may take no byte of what is being sent to it.
    pub stall: Duration,
    /// Time for running requests to end when the server stops.
    pub drain: Duration,
}

impl Limits {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let connections =
            section.number("connections", 10_000, 1..=1_000_000, "Open connections in all, of each listener.");
        let connections_per_address = section.number(
            "connections_per_address",
            256,
            1..=1_000_000,
            "Open connections from one address. Believed neighbours are not counted.",
        );
        let (handshakes, challenges) = (handshakes(section), challenges(section));
        let handshake = seconds(section, "handshake_seconds", 10, 120, "For PROXY header and TLS handshake together.");
        let header = seconds(
            section,
            "header_seconds",
            10,
            120,
            "For the head of a request to arrive; an idle HTTP/1.1 connection is closed after it too.",
        );
        let header_bytes = section.number("header_bytes", 32_768, 8_192..=262_144, "Bytes of the head of a request.");
        let headers = section.number("headers", 64, 16..=512, "Header fields of a request.");
        let body_bytes = section.number(
            "body_bytes",
            262_144,
            16_384..=16_777_216,
            "Bytes of a body, where a route allows no more.",
        );
        let upload_bytes = section.number(
            "upload_bytes",
            67_108_864,
            262_144..=1_073_741_824,
            "Bytes of a body on the routes that take large ones.",
        );
        let idle = seconds(section, "idle_seconds", 60, 3_600, "Without a request, before HTTP/2 is closed.");
        let streams = section.number("streams", 100, 1..=1_000, "Requests at once on one HTTP/2 connection.");
        let request = seconds(section, "request_seconds", 30, 600, "From the head of a request to that of its answer.");
        let stall = seconds(section, "stall_seconds", 30, 600, "A peer may take no byte of its answer.");
        let drain = seconds(section, "drain_seconds", 20, 600, "For running requests to end when the server stops.");
        if upload_bytes < body_bytes {
            section.mistake("upload_bytes", "is smaller than limits.body_bytes");
        }
        Self {
            connections: size(connections),
            connections_per_address: size(connections_per_address),
            handshakes,
            challenges,
            handshake,
            header,
            header_bytes,
            headers: size(headers),
            body_bytes: size(body_bytes),
            upload_bytes: size(upload_bytes),
            idle,
            streams,
            request,
            stall,
            drain,
        }
    }
}

/// A fleet may come back behind one address of its carrier.
fn handshakes(section: &mut Section<'_>) -> Rate {
    Rate {
        per_second: section.number(
            "handshakes_per_second",
            100,
            1..=1_000_000,
            "TLS handshakes a second from one address, on and on; over it a connection is closed before its\n\
             handshake. Believed neighbours are not counted, those whom PROXY headers name are.",
        ),
        at_once: section.number(
            "handshakes_at_once",
            5_000,
            1..=1_000_000,
            "TLS handshakes at once from one address after a rest: a fleet behind one address of its carrier\n\
             that comes back after an outage.",
        ),
    }
}

/// The same for those who prove themselves over a challenge.
fn challenges(section: &mut Section<'_>) -> Rate {
    Rate {
        per_second: section.number(
            "challenges_per_second",
            100,
            1..=1_000_000,
            "POST /device/challenge a second for one address, on and on; over it 429.",
        ),
        at_once: section.number(
            "challenges_at_once",
            5_000,
            1..=1_000_000,
            "POST /device/challenge at once for one address after a rest.",
        ),
    }
}

fn seconds(section: &mut Section<'_>, key: &'static str, default: u32, most: u32, doc: &'static str) -> Duration {
    Duration::from_secs(section.number(key, default, 1..=most, doc).into())
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
