//! The PROXY protocol, versions 1 and 2, as a believed neighbour must begin a connection with it.
//!
//! Owns: reading one header from bytes. Does not own: who is believed, sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Longest version 1 line, its end included.
const V1_MAX: usize = 107;
/// How a version 2 header begins.
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const V2_HEAD: usize = 16;
/// Most bytes after the head that are read: addresses and what is passed over.
const V2_MAX_REST: usize = 4096;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The peer's address; nothing if the neighbour speaks for itself or does not know.
    pub source: Option<IpAddr>,
    /// How many bytes the header took.
    pub length: usize,
}

/// The bytes are no header, and no further bytes can make them one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotProxyProtocol;

/// Reads the header at the beginning of the bytes; nothing if more bytes are needed.
///
/// # Errors
/// [`NotProxyProtocol`] at the first byte that cannot belong to a header.
pub fn parse(bytes: &[u8]) -> Result<Option<Header>, NotProxyProtocol> {
    if begins(bytes, V2_SIGNATURE) {
        return parse_v2(bytes);
    }
    if begins(bytes, b"PROXY ") {
        return parse_v1(bytes);
    }
    Err(NotProxyProtocol)
}

/// Whether the bytes begin with the pattern, as far as they go.
fn begins(bytes: &[u8], pattern: &[u8]) -> bool {
    bytes.iter().zip(pattern).all(|(found, wanted)| found == wanted)
}

fn parse_v1(bytes: &[u8]) -> Result<Option<Header>, NotProxyProtocol> {
    let Some(end) = bytes.iter().take(V1_MAX).position(|byte| *byte == b'\n') else {
        return if bytes.len() < V1_MAX { Ok(None) } else { Err(NotProxyProtocol) };
    };
    let line = bytes.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(NotProxyProtocol)?;
    let line = std::str::from_utf8(line).map_err(|_| NotProxyProtocol)?;
    let length = end + 1;
    let mut words = line.split(' ').skip(1);
    let source = match words.next() {
        // Whatever stands behind UNKNOWN is to be passed over.
        Some("UNKNOWN") => return Ok(Some(Header { source: None, length })),
        Some("TCP4") => IpAddr::V4(v1_addresses::<Ipv4Addr>(&mut words)?),
        Some("TCP6") => IpAddr::V6(v1_addresses::<Ipv6Addr>(&mut words)?),
        _ => return Err(NotProxyProtocol),
    };
    Ok(Some(Header { source: Some(source), length }))
}

/// Two addresses and two ports, nothing behind them; returns the first.
fn v1_addresses<'a, A: FromStr>(words: &mut impl Iterator<Item = &'a str>) -> Result<A, NotProxyProtocol> {
    let mut address = || words.next().and_then(|word| word.parse::<A>().ok()).ok_or(NotProxyProtocol);
    let (source, _destination) = (address()?, address()?);
    for _ in 0..2 {
        let port = words.next().filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
        port.and_then(|word| word.parse::<u16>().ok()).ok_or(NotProxyProtocol)?;
    }
    if words.next().is_some() { Err(NotProxyProtocol) } else { Ok(source) }
}

fn parse_v2(bytes: &[u8]) -> Result<Option<Header>, NotProxyProtocol> {
    let Some((head, rest)) = bytes.split_first_chunk::<V2_HEAD>() else { return Ok(None) };
    let [.., command, family, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > V2_MAX_REST {
        return Err(NotProxyProtocol);
    }
    let local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(NotProxyProtocol),
    };
    let needed = match family {
        0x00 | 0x31 | 0x32 => 0,
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        _ => return Err(NotProxyProtocol),
    };
    if !local && length < needed {
        return Err(NotProxyProtocol);
    }
    let Some(addresses) = rest.get(..length) else { return Ok(None) };
    let source = match family {
        _ if local => None,
        0x11 => addresses.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        0x21 => addresses.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
        // Datagrams and local sockets do not come over a TCP listener.
        0x12 | 0x22 | 0x31 | 0x32 => return Err(NotProxyProtocol),
        _ => None,
    };
    Ok(Some(Header { source, length: V2_HEAD + length }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = V2_SIGNATURE.to_vec();
        bytes.extend([command, family]);
        bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    fn source(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn version_one_names_the_source() {
        let table = [
            ("PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n", source("192.0.2.7")),
            ("PROXY TCP6 2001:db8::7 ::1 1 65535\r\n", source("2001:db8::7")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN anything at all\r\n", None),
        ];
        for (line, source) in table {
            let header = Header { source, length: line.len() };
            assert_eq!(parse(format!("{line}GET /").as_bytes()), Ok(Some(header)), "{line}");
        }
    }

    #[test]
    fn version_two_names_the_source_and_passes_over_what_follows() {
        let four = [192, 0, 2, 7, 10, 0, 0, 1, 0, 1, 0, 2];
        let six = [&[0x20; 16][..], &[0; 20]].concat();
        let with_more = [&four[..], &[0x04, 0, 1, 9]].concat();
        let table = [
            (v2(0x21, 0x11, &four), source("192.0.2.7")),
            (v2(0x21, 0x11, &with_more), source("192.0.2.7")),
            (v2(0x21, 0x21, &six), source("2020:2020:2020:2020:2020:2020:2020:2020")),
            (v2(0x20, 0x11, &four), None),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x21, 0x00, &[]), None),
        ];
        for (mut bytes, source) in table {
            let length = bytes.len();
            bytes.extend(b"\x16\x03\x01");
            assert_eq!(parse(&bytes), Ok(Some(Header { source, length })), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let lines = [
            "GET / HTTP/1.1\r\n",
            "proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1 +1\r\n",
            "PROXY TCP4 ::1 ::1 1 1\r\n",
            "PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY \r\n",
        ];
        for line in lines {
            assert_eq!(parse(line.as_bytes()), Err(NotProxyProtocol), "{line}");
        }
        assert_eq!(parse("PROXY UNKNOWN ".repeat(9).as_bytes()), Err(NotProxyProtocol));
        for bytes in [
            v2(0x11, 0x11, &[0; 12]),
            v2(0x22, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 11]),
            v2(0x21, 0x21, &[0; 35]),
            v2(0x21, 0x12, &[0; 12]),
            v2(0x21, 0x31, &[0; 216]),
            v2(0x21, 0x41, &[0; 12]),
            v2(0x21, 0x11, &[0; V2_MAX_REST + 1]),
        ] {
            assert_eq!(parse(&bytes), Err(NotProxyProtocol), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_read_beyond_its_bounds(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Some(header)) = parse(&bytes) {
                prop_assert!(header.length <= bytes.len());
            }
        }

        #[test]
        fn every_beginning_of_a_header_asks_for_more(
            version in 0..2, octets in any::<[u8; 12]>(), more in prop::collection::vec(any::<u8>(), 0..40), cut in 0usize..200,
        ) {
            let whole = if version == 0 {
                let [a, b, c, d, e, f, g, h, ..] = octets;
                format!("PROXY TCP4 {a}.{b}.{c}.{d} {e}.{f}.{g}.{h} 1 2\r\n").into_bytes()
            } else {
                v2(0x21, 0x11, &[&octets[..], &more].concat())
            };
            let cut = cut.min(whole.len());
            let found = parse(&whole[..cut]);
            if cut == whole.len() {
                prop_assert_eq!(found, Ok(Some(Header { source: Some(IpAddr::from([octets[0], octets[1], octets[2], octets[3]])), length: cut })));
            } else {
                prop_assert_eq!(found, Ok(None));
            }
        }
    }
}
