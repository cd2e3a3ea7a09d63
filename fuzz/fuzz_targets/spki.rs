//! A key out of DER has no second DER.
#![no_main]

use jose::Jwk;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(key) = Jwk::from_spki(data) {
        assert_eq!(key.to_spki(), data);
    }
});
