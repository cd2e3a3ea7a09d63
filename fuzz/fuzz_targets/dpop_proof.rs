//! No proof breaks the reader, and none that was not signed is believed.
#![no_main]

use jose::dpop::{Expected, Freshness, HttpUri, Proof, WINDOW};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    if let Ok(proof) = Proof::parse(&[data]) {
        let uri = HttpUri::parse("https://ingest.example.com/v1/telemetry").expect("a good target");
        let freshness = Freshness::Iat { now: 1_750_000_060, window: WINDOW };
        let expected = Expected { method: "POST", uri: &uri, access_token: None, freshness };
        if let Ok(verified) = proof.verify(expected) {
            assert_eq!(verified.htm(), "POST");
            assert!((verified.iat() - 1_750_000_060).abs() <= WINDOW);
        }
    }
});
