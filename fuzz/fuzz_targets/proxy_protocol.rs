#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyfob_fuzz::doors::proxy_protocol(data));
