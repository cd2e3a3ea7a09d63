//! What a place of a device's vault reads as reads again as the same, whatever a loss of power
//! left there; and the content without its digest, which no fuzzer can guess.
#![no_main]

use device::vault::{State, parse_slot};
use jose::digest::sha256;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
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
});
