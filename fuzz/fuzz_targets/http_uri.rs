//! Normalising is idempotent and keeps neither query nor fragment.
#![no_main]

use jose::dpop::HttpUri;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    if let Ok(uri) = HttpUri::parse(data) {
        assert_eq!(HttpUri::parse(uri.as_str()).as_ref(), Ok(&uri));
        assert!(!uri.as_str().contains(['?', '#', ' ']));
        assert!(!uri.as_str().contains("/../"));
    }
});
