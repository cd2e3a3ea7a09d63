use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| Network::parse(text).unwrap()).collect()
}

fn peer(address: &str) -> Peer {
    Peer { address: address.parse().unwrap(), certificate: None, local: false }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

const PROXY: &str = "10.0.0.1";

fn forwarded() -> Belief {
    Belief { forwarded: networks(&["10.0.0.0/8"]), ..Belief::default() }
}

fn address(belief: &Belief, from: &str, pairs: &[(&'static str, &str)]) -> Result<String, Unclear> {
    resolve(belief, &peer(from), &mut headers(pairs)).map(|peer| peer.address.to_string())
}

#[test]
fn a_stranger_is_never_believed_and_its_headers_are_dropped() {
    let belief = Belief {
        forwarded: networks(&["10.0.0.0/8"]),
        x_forwarded_for: networks(&["10.0.0.0/8"]),
        client_cert: networks(&["10.0.0.0/8"]),
        ..Belief::default()
    };
    let mut said = headers(&[
        ("forwarded", "for=1.1.1.1"),
        ("x-forwarded-for", "1.1.1.1"),
        ("client-cert", ":AAAA:"),
        ("client-cert-chain", ":AAAA:"),
        ("x-real-ip", "1.1.1.1"),
        ("x-forwarded-proto", "https"),
        ("accept", "*/*"),
    ]);
    assert_eq!(resolve(&belief, &peer("192.0.2.1"), &mut said), Ok(peer("192.0.2.1")));
    assert_eq!(said.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
}

#[test]
fn a_strangers_broken_header_is_no_reason_to_refuse_it() {
    assert_eq!(address(&forwarded(), "192.0.2.1", &[("forwarded", "for=\"")]).unwrap(), "192.0.2.1");
}

#[test]
fn a_believed_neighbour_names_the_peer_in_every_form_of_the_standard() {
    let table = [
        ("for=192.0.2.43", "192.0.2.43"),
        ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
        ("for=\"[2001:db8::1]\";proto=https;by=203.0.113.43", "2001:db8::1"),
        ("for=\"192.0.2.43:47011\"", "192.0.2.43"),
        ("proto=https;for=192.0.2.1", "192.0.2.1"),
        ("for=unknown", PROXY),
        ("for=_hidden", PROXY),
        ("proto=https", PROXY),
        ("for=\"::ffff:192.0.2.9\"", "192.0.2.9"),
    ];
    for (said, expected) in table {
        assert_eq!(address(&forwarded(), PROXY, &[("forwarded", said)]).as_deref(), Ok(expected), "{said}");
    }
    assert_eq!(address(&forwarded(), PROXY, &[]).as_deref(), Ok(PROXY));
}

#[test]
fn what_the_peer_itself_wrote_to_the_left_is_not_believed() {
    let table = [
        "for=6.6.6.6, for=192.0.2.1",
        "for=6.6.6.6, for=192.0.2.1, for=10.0.0.9",
        "for=10.0.0.66, for=192.0.2.1, for=10.0.0.9",
    ];
    for said in table {
        assert_eq!(address(&forwarded(), PROXY, &[("forwarded", said)]).as_deref(), Ok("192.0.2.1"), "{said}");
    }
    let x = Belief { x_forwarded_for: networks(&["10.0.0.0/8"]), ..Belief::default() };
    let said = [("x-forwarded-for", "6.6.6.6, 192.0.2.1 , 10.0.0.9")];
    assert_eq!(address(&x, PROXY, &said).as_deref(), Ok("192.0.2.1"));
    assert_eq!(address(&x, PROXY, &[("forwarded", "for=6.6.6.6")]).as_deref(), Ok(PROXY), "only the header it names");
}

#[test]
fn an_unclear_header_of_a_believed_neighbour_is_refused() {
    for said in ["for=\"1.1.1.1", "for", "for=1.1.1.1;for=2.2.2.2", "for=example.com", "for=[1.1.1.1]", "for=", ""] {
        assert_eq!(address(&forwarded(), PROXY, &[("forwarded", said)]), Err(Unclear), "{said}");
    }
    let x = Belief { x_forwarded_for: networks(&["10.0.0.0/8"]), ..Belief::default() };
    for said in ["", ",", "x", "1.1.1.1,,2.2.2.2"] {
        assert_eq!(address(&x, PROXY, &[("x-forwarded-for", said)]), Err(Unclear), "{said}");
    }
}

#[test]
fn a_certificate_is_taken_from_the_believed_neighbour_alone_and_never_its_own() {
    let belief = Belief { client_cert: networks(&[PROXY]), ..Belief::default() };
    let own = UnverifiedCertificate::new(vec![b"neighbour".to_vec()]);
    let connected = Peer { certificate: own.clone(), ..peer(PROXY) };
    let mut said = headers(&[("client-cert", ":AAEC:"), ("client-cert-chain", ":Aw==:, :BA==:")]);
    let found = resolve(&belief, &connected, &mut said).unwrap();
    assert_eq!(found.certificate.unwrap().chain(), [vec![0, 1, 2], vec![3], vec![4]]);
    assert_eq!(resolve(&belief, &connected, &mut HeaderMap::new()).unwrap().certificate, None);
    let stranger = Peer { certificate: own.clone(), ..peer("192.0.2.1") };
    let mut said = headers(&[("client-cert", ":AAEC:")]);
    assert_eq!(resolve(&belief, &stranger, &mut said).unwrap().certificate, own);
}

#[test]
fn an_unclear_certificate_is_refused() {
    let belief = Belief { client_cert: networks(&[PROXY]), ..Belief::default() };
    let six = [":AA==:"; 5].join(", ");
    let table: [&[(&'static str, &str)]; 7] = [
        &[("client-cert", "AAEC")],
        &[("client-cert", "::")],
        &[("client-cert", ":AAE:")],
        &[("client-cert", ":A A=:")],
        &[("client-cert-chain", ":AAEC:")],
        &[("client-cert", ":AAEC:"), ("client-cert-chain", "")],
        &[("client-cert", ":AAEC:"), ("client-cert-chain", &six)],
    ];
    for pairs in table {
        assert!(resolve(&belief, &peer(PROXY), &mut headers(pairs)).is_err(), "{pairs:?}");
    }
    let mut twice = headers(&[("client-cert", ":AAEC:")]);
    twice.append("client-cert", HeaderValue::from_static(":AAEC:"));
    assert_eq!(resolve(&belief, &peer(PROXY), &mut twice), Err(Unclear));
}

proptest! {
    #[test]
    fn no_header_makes_it_panic(text in "[ -~]{0,80}") {
        let belief = Belief {
            forwarded: networks(&["10.0.0.0/8"]),
            client_cert: networks(&["10.0.0.0/8"]),
            ..Belief::default()
        };
        let _ = resolve(&belief, &peer(PROXY), &mut headers(&[("forwarded", &text)]));
        let _ = resolve(&belief, &peer(PROXY), &mut headers(&[("client-cert", &text)]));
        let belief = Belief { x_forwarded_for: networks(&["10.0.0.0/8"]), ..Belief::default() };
        let _ = resolve(&belief, &peer(PROXY), &mut headers(&[("x-forwarded-for", &text)]));
    }
}
