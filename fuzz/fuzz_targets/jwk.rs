//! What reads as a key writes as the same key and shows nothing private.
#![no_main]

use jose::{Jwk, JwkSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(key) = Jwk::parse(data) {
        let written = key.to_json();
        assert!(written.get("d").is_none() && written.get("k").is_none());
        assert_eq!(Jwk::from_json(&written).as_ref(), Ok(&key));
        assert_eq!(Jwk::from_spki(&key.to_spki()).as_ref(), Ok(&key));
    }
    let _ = JwkSet::parse(data);
});
