//! Nothing that was not sealed opens.
#![no_main]

use jose::seal::{SealingKey, peek_kid};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let key = SealingKey::new("s-1", [7; 32]).expect("a good key id");
    let _ = peek_kid(data);
    if let Ok(plaintext) = key.open(b"fuzz", data) {
        let nonce = data[5..29].try_into().expect("a sealed value holds its nonce");
        assert_eq!(key.seal(nonce, b"fuzz", &plaintext), data);
    }
});
