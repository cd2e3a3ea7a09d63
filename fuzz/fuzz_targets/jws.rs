//! No token breaks the reader, and what it read is what was written.
#![no_main]

use jose::base64url;
use jose::jws::{MAX_LEN, Unverified};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    if let Ok(token) = Unverified::parse(data) {
        assert!(data.len() <= MAX_LEN);
        let again = format!("{}.{}", token.signing_input(), base64url::encode(token.signature()));
        assert_eq!(again, data);
        let _ = token.peek_claims();
    }
});
