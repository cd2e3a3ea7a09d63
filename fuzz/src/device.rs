//! What servers answer to a device, and what stands in its files.

use device::vault::{State, parse_slot};
use device::{
    Address, ClientAuth, Discovery, Exchange, Given, Input, Machine, Memory, Output, Pairing, Refresh, Response,
    Secret, SubjectType,
};
use jose::digest::sha256;
use jose::{Alg, SigningKey};

const TOKEN_URL: &str = "https://id.example.com/token";

/// An address for tokens is https and has an origin.
pub fn device_address(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    if let Ok(address) = Address::parse(text) {
        assert!(address.origin().starts_with("https://") || address.origin().starts_with("http://"));
        if let Ok(below) = address.at("/x?y=1") {
            assert_eq!(below.origin(), address.origin());
        }
    }
}

/// No answer of a server breaks a device, and no machine goes on after its end.
/// The first byte chooses the machine, the second the status; a line is one
/// header, an empty line comes before the body.
pub fn device_answer(data: &[u8]) {
    let [machine, status, rest @ ..] = data else { return };
    let status = [200, 201, 302, 400, 401, 403, 429, 500, 503].get(usize::from(*status % 9)).copied().unwrap_or(200);
    let end = rest.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match end {
        Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end + 2..).unwrap_or_default()),
        None => (&[][..], rest),
    };
    let headers = head.split(|byte| *byte == b'\n').filter_map(|line| {
        let (name, value) = core::str::from_utf8(line).ok()?.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    });
    let answer = Response { status, headers: headers.collect(), body: body.to_vec() };
    let url = || Address::parse(TOKEN_URL).expect("a good address");
    let auth = || ClientAuth::Public { client_id: "spk-firmware".into() };
    let secret = || Secret::new("secret");
    match machine % 4 {
        0 => drive(Discovery::new("https://id.example.com").expect("a good issuer"), &answer),
        1 => drive(Pairing::new(url(), url(), auth(), Some("telemetry:write".into())), &answer),
        2 => drive(Refresh::new(url(), auth(), secret(), true), &answer),
        _ => drive(Exchange::plain(url(), auth(), secret(), SubjectType::AccessToken, false), &answer),
    }
}

/// Gives the same answer to every request, for as many steps as an honest course has.
fn drive<M: Machine>(mut machine: M, answer: &Response) {
    let signer = SigningKey::from_private_jwk(Alg::EdDSA, KEY.as_bytes()).expect("a good key");
    let mut memory = Memory::new();
    let mut input = Input::Go;
    let mut ended = false;
    for step in 0..16 {
        let mut given =
            Given { now: 1_750_000_000 + step, random: [7; 48], signer: &signer, sha256, memory: &mut memory };
        let output = machine.next(core::mem::replace(&mut input, Input::Go), &mut given);
        assert!(!ended || matches!(output, Output::Failed(_)), "it goes on after its end");
        match output {
            Output::Send(request) => {
                assert_eq!(request.url.origin(), "https://id.example.com");
                input = Input::Answer(answer.clone());
            }
            Output::Wait(seconds) => assert!(seconds >= 1),
            Output::Show(_) => {}
            Output::Done(_) | Output::Failed(_) => ended = true,
        }
    }
}

/// A certificate chain of a device is read within its limit.
pub fn device_files(data: &[u8]) {
    if let Ok(chain) = device::file::x5c(data) {
        assert!((1..=5).contains(&chain.len()));
    }
}

/// What a place of a device's vault reads as reads again as the same, whatever a
/// loss of power left there; and the content without its digest, which no fuzzer
/// can guess.
pub fn vault(data: &[u8]) {
    if let Ok((_, state)) = parse_slot(data, sha256) {
        assert_eq!(State::parse(&state.render()).as_ref(), Ok(&state));
    }
    if let Ok(state) = State::parse(data) {
        assert_eq!(State::parse(&state.render()).as_ref(), Ok(&state));
    }
    // The frame around this content, as a whole record.
    let mut record = b"KFVT\x01\0\0\0\0\0\0\0\x07".to_vec();
    record.extend_from_slice(&u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
    record.extend_from_slice(data);
    record.extend_from_slice(&sha256(&record));
    assert_eq!(parse_slot(&record, sha256).map(|(_, state)| state), State::parse(data));
}

/// Public knowledge: RFC 8037 appendix A.1.
const KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
