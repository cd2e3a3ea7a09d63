//! What decodes encodes to the same text: one spelling per value.
#![no_main]

use jose::base64url;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(bytes) = base64url::decode(data) {
        assert_eq!(base64url::encode(bytes).as_bytes(), data);
    }
});
