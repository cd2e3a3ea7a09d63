//! What comes before and around a request: neighbours, cookies, ranges, and the
//! configuration.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use authority::Peer;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use server::config::{Belief, Config, Network};
use server::listen::framing::Framing;
use server::listen::neighbour::resolve;
use server::listen::proxy_protocol::parse as parse_proxy;
use web::browser::{ReturnTo, cookie as cookies};
use web::device::range::Range;

const NEIGHBOUR: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn text(data: &[u8]) -> &str {
    core::str::from_utf8(data).unwrap_or_default()
}

fn fields(name: &HeaderName, data: &[u8]) -> HeaderMap {
    let values = data.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    values.map(|value| (name.clone(), value)).collect()
}

/// Everybody of the private network 10.0.0.0/8 is believed in everything.
fn belief() -> Belief {
    let everybody = || Network::parse("10.0.0.0/8").into_iter().collect();
    Belief {
        proxy_protocol: everybody(),
        forwarded: everybody(),
        x_forwarded_for: everybody(),
        client_cert: everybody(),
    }
}

fn connected() -> Peer {
    Peer { address: NEIGHBOUR, certificate: None, local: false }
}

/// A believed neighbour hands on a chain within its limits, or nothing. The
/// first line is `Client-Cert`, the others are `Client-Cert-Chain`.
pub fn client_certificate(data: &[u8]) {
    let (leaf, chain) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (data.get(..end).unwrap_or_default(), data.get(end + 1..).unwrap_or_default()),
        None => (data, &[][..]),
    };
    let mut headers = fields(&HeaderName::from_static("client-cert"), leaf);
    headers.extend(fields(&HeaderName::from_static("client-cert-chain"), chain));
    if let Ok(peer) = resolve(&belief(), &connected(), &mut headers)
        && let Some(certificate) = peer.certificate
    {
        assert!((1..=16).contains(&certificate.chain().len()));
    }
    assert!(headers.is_empty());
}

/// A configuration is read, or all its mistakes are told, each on one line.
pub fn config(data: &[u8]) {
    let text = text(data);
    // What names a file is read from this machine, which is not the question here.
    if text.contains("file") || text.contains("path") {
        return;
    }
    if let Err(mistakes) = Config::parse(text, Path::new("/nonexistent")) {
        assert!(!mistakes.0.is_empty());
        let _ = mistakes.to_string();
    }
}

/// A cookie is found once or not at all.
pub fn cookie(data: &[u8]) {
    let headers = fields(&header::COOKIE, data);
    if let Some(value) = cookies::read(&headers, cookies::SESSION) {
        assert!(!value.is_empty() && !value.contains(';'));
        let written = format!("{}={value}", cookies::SESSION);
        let again: HeaderMap =
            HeaderValue::from_str(&written).into_iter().map(|value| (header::COOKIE, value)).collect();
        assert_eq!(cookies::read(&again, cookies::SESSION), Some(value));
    }
}

/// What a neighbour says about the peer is understood or refused, and never
/// passed on. The first byte chooses the header.
pub fn forwarded(data: &[u8]) {
    let Some((which, lines)) = data.split_first() else { return };
    let mut belief = belief();
    let name = if *which == b'x' {
        belief.forwarded.clear();
        HeaderName::from_static("x-forwarded-for")
    } else {
        header::FORWARDED
    };
    let mut headers = fields(&name, lines);
    let _ = resolve(&belief, &connected(), &mut headers);
    assert!(headers.is_empty());

    // From somebody nobody believes, nothing counts and nothing is passed on.
    let mut headers = fields(&name, lines);
    let stranger = Peer { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), ..connected() };
    let peer = resolve(&belief, &stranger, &mut headers).expect("a stranger's words are not read");
    assert_eq!(peer.address, stranger.address);
    assert!(headers.is_empty());
}

/// However the bytes of a connection are cut, the first that could be read in
/// two ways is the same.
pub fn http_framing(data: &[u8]) {
    let whole = Framing::default().scan(data).err().map(|found| found.at);
    for cut in [1, 2, 7, 61] {
        let mut framing = Framing::default();
        let mut pieces = data.chunks(cut).enumerate();
        let found = pieces.find_map(|(index, piece)| framing.scan(piece).err().map(|found| index * cut + found.at));
        assert_eq!(found, whole);
    }
}

/// A header takes no more bytes than there are, and what was asked for more of
/// was no header yet.
pub fn proxy_protocol(data: &[u8]) {
    match parse_proxy(data) {
        Ok(Some(header)) => {
            assert!(header.length <= data.len());
            let exact = data.get(..header.length).unwrap_or_default();
            assert_eq!(parse_proxy(exact), Ok(Some(header)));
            let short = exact.get(..header.length.saturating_sub(1)).unwrap_or_default();
            assert_eq!(parse_proxy(short), Ok(None));
        }
        Ok(None) => assert!(data.len() < 16 + 4096),
        Err(_) => {
            let longer = [data, &[0; 64]].concat();
            assert!(parse_proxy(&longer).is_err());
        }
    }
}

/// A range lies within what there is. The first byte is the size.
pub fn range(data: &[u8]) {
    let Some((size, field)) = data.split_first() else { return };
    let size = usize::from(*size);
    if let Range::Part(from, to) = Range::parse(text(field), size) {
        assert!(from <= to && to < size, "{from}-{to} of {size}");
    }
}

/// Where a person is sent back to stays with us.
pub fn return_to(data: &[u8]) {
    let base = url::Url::parse("https://id.example.com/sign-in").expect("a good address");
    if let Some(place) = ReturnTo::parse(text(data)) {
        let target = base.join(place.as_str()).expect("a path of ours");
        assert_eq!(target.origin(), base.origin());
        assert!(target.fragment().is_none());
        let _ = place.client_id();
    }
}
