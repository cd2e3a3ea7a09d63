//! What a neighbour says about the peer it speaks for, and whether it is believed.
//!
//! Such headers are dropped from every request: past this file nobody can mistake them.

use std::net::{IpAddr, SocketAddr};

use authority::{Peer, UnverifiedCertificate};
use base64ct::{Base64, Encoding};
use http::header::{FORWARDED, HeaderMap, HeaderName};

use crate::config::{Belief, Network};
use crate::tls::{MAX_CHAIN_BYTES, MAX_CHAIN_CERTIFICATES};

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Everything by which neighbours commonly speak for others, believed here or not.
const SPOKEN_FOR: [HeaderName; 9] = [
    FORWARDED,
    X_FORWARDED_FOR,
    CLIENT_CERT,
    CLIENT_CERT_CHAIN,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-cert"),
];

/// A believed neighbour's header that does not say anything clear. Guessing would be believing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclear;

/// Whom the request is from, beginning with who is connected; drops what was said about it.
///
/// # Errors
/// [`Unclear`] where a believed neighbour says what cannot be understood; the headers are
/// dropped all the same.
pub fn resolve(belief: &Belief, connected: &Peer, headers: &mut HeaderMap) -> Result<Peer, Unclear> {
    let peer = if connected.local { Ok(connected.clone()) } else { believe(belief, connected, headers) };
    for name in SPOKEN_FOR {
        headers.remove(name);
    }
    peer
}

/// Whether any list names this address, so that it speaks for many.
pub(super) fn speaks_for_others(belief: &Belief, address: IpAddr) -> bool {
    [&belief.forwarded, &belief.x_forwarded_for, &belief.client_cert].into_iter().any(|list| holds(list, address))
}

/// Whether a connection from here must begin with a PROXY header.
pub(super) fn sends_proxy_header(belief: &Belief, address: IpAddr) -> bool {
    holds(&belief.proxy_protocol, address)
}

fn believe(belief: &Belief, connected: &Peer, headers: &HeaderMap) -> Result<Peer, Unclear> {
    let mut peer = connected.clone();
    if holds(&belief.forwarded, connected.address) {
        peer.address = nearest_stranger(&belief.forwarded, connected.address, &forwarded_for(headers)?);
    } else if holds(&belief.x_forwarded_for, connected.address) {
        peer.address = nearest_stranger(&belief.x_forwarded_for, connected.address, &x_forwarded_for(headers)?);
    }
    if holds(&belief.client_cert, connected.address) {
        // Never the neighbour's own certificate: without the header the peer has shown none.
        peer.certificate = client_cert(headers)?;
    }
    Ok(peer)
}

fn holds(list: &[Network], address: IpAddr) -> bool {
    list.iter().any(|network| network.contains(address))
}

/// Walks from the nearest hop away: each believed hop vouches for the one before it. A hop
/// without an address (`unknown`, `_hidden`) ends the walk at who vouched for it.
fn nearest_stranger(believed: &[Network], connected: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
    let mut address = connected;
    for hop in hops.iter().rev() {
        let Some(named) = hop else { break };
        address = named.to_canonical();
        if !holds(believed, address) {
            break;
        }
    }
    address
}

fn lines<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Vec<&'a str>, Unclear> {
    headers.get_all(name).iter().map(|value| value.to_str().map_err(|_| Unclear)).collect()
}

fn x_forwarded_for(headers: &HeaderMap) -> Result<Vec<Option<IpAddr>>, Unclear> {
    let lines = lines(headers, &X_FORWARDED_FOR)?;
    lines.iter().flat_map(|line| line.split(',')).map(|hop| node(hop.trim())).collect()
}

/// The `for` of each element of `Forwarded` (RFC 7239 §4); elements without one have no address.
fn forwarded_for(headers: &HeaderMap) -> Result<Vec<Option<IpAddr>>, Unclear> {
    let mut hops = Vec::new();
    for line in lines(headers, &FORWARDED)? {
        for element in split_outside_quotes(line, ',')? {
            let mut hop = None;
            for pair in split_outside_quotes(element, ';')? {
                let (name, value) = pair.trim().split_once('=').ok_or(Unclear)?;
                if name.eq_ignore_ascii_case("for") && hop.replace(node(unquote(value)?)?).is_some() {
                    return Err(Unclear);
                }
            }
            hops.push(hop.flatten());
        }
    }
    Ok(hops)
}

/// One node (RFC 7239 §6): an address, with or without a port; `unknown` and `_hidden` have none.
fn node(text: &str) -> Result<Option<IpAddr>, Unclear> {
    if text.eq_ignore_ascii_case("unknown") || text.starts_with('_') {
        return Ok(None);
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>()
        && (bare.is_none() || address.is_ipv6())
    {
        return Ok(Some(address));
    }
    text.parse::<SocketAddr>().map(|address| Some(address.ip())).map_err(|_| Unclear)
}

/// A token as it stands, or what a quoted string holds. No backslash: no node needs one.
fn unquote(value: &str) -> Result<&str, Unclear> {
    match value.strip_prefix('"') {
        None if value.contains(['"', '\\']) => Err(Unclear),
        None => Ok(value),
        Some(rest) => rest.strip_suffix('"').filter(|inner| !inner.contains(['"', '\\'])).ok_or(Unclear),
    }
}

fn split_outside_quotes(text: &str, separator: char) -> Result<Vec<&str>, Unclear> {
    let mut quoted = false;
    let parts = text.split(|character: char| {
        quoted ^= character == '"';
        !quoted && character == separator
    });
    let parts = parts.collect();
    if quoted { Err(Unclear) } else { Ok(parts) }
}

/// `Client-Cert` and `Client-Cert-Chain` (RFC 9440 §2): the leaf, then what stands above it.
fn client_cert(headers: &HeaderMap) -> Result<Option<UnverifiedCertificate>, Unclear> {
    let leaf = lines(headers, &CLIENT_CERT)?;
    let above = lines(headers, &CLIENT_CERT_CHAIN)?;
    let leaf = match leaf.as_slice() {
        [] if above.is_empty() => return Ok(None),
        [leaf] => byte_sequence(leaf)?,
        _ => return Err(Unclear),
    };
    let above = above.iter().flat_map(|line| line.split(',')).map(|item| byte_sequence(item.trim()));
    let chain: Vec<_> = std::iter::once(Ok(leaf)).chain(above).collect::<Result<_, _>>()?;
    let bytes: usize = chain.iter().map(Vec::len).sum();
    if chain.len() > MAX_CHAIN_CERTIFICATES || bytes > MAX_CHAIN_BYTES {
        return Err(Unclear);
    }
    Ok(UnverifiedCertificate::new(chain))
}

/// A byte sequence between colons (RFC 9651 §3.3.5).
fn byte_sequence(text: &str) -> Result<Vec<u8>, Unclear> {
    let inner = text.strip_prefix(':').and_then(|text| text.strip_suffix(':')).filter(|inner| !inner.is_empty());
    Base64::decode_vec(inner.ok_or(Unclear)?).map_err(|_| Unclear)
}

#[cfg(test)]
mod tests;
