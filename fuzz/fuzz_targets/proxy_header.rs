//! A PROXY header is as long as it says, and its beginning is not a header yet.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../server/src/listen/proxy_protocol.rs"]
mod proxy_protocol;

use proxy_protocol::parse;

fuzz_target!(|data: &[u8]| {
    if let Ok(Some(header)) = parse(data) {
        assert!(header.length <= data.len());
        assert_eq!(parse(&data[..header.length]), Ok(Some(header)));
        assert_eq!(parse(&data[..header.length - 1]), Ok(None));
    }
});
