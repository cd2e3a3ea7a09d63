//! A name read from DER or text renders as text that reads back as an equal name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pki::DistinguishedName;
use pki::name::MAX_TEXT_BYTES;

fuzz_target!(|data: &[u8]| {
    let from_der = DistinguishedName::parse_der(data).ok();
    let from_text = std::str::from_utf8(data).ok().and_then(|text| DistinguishedName::parse_text(text).ok());
    for name in [from_der, from_text].into_iter().flatten() {
        let text = name.to_string();
        assert!(!text.contains(char::is_control));
        if text.len() <= MAX_TEXT_BYTES {
            assert_eq!(DistinguishedName::parse_text(&text), Ok(name));
        }
    }
});
