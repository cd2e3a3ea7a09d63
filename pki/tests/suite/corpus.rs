//! The fuzz corpora as plain tests: what each fuzz target demands of every input, and which of
//! the named inputs are taken.

use std::fs;
use std::path::PathBuf;

use pki::name::MAX_TEXT_BYTES;
use pki::path::{AnchorSet, PathPolicy, verify};
use pki::{Certificate, DistinguishedName};

fn folder_of(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

/// Runs every input of a corpus and expects exactly the named ones to be refused.
fn replay(target: &str, refused: &[&str], accepts: impl Fn(&[u8]) -> bool) {
    let mut taken = 0;
    let mut seen_refused = 0;
    for entry in fs::read_dir(folder_of(target)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let is_taken = accepts(&fs::read(&path).unwrap());
        assert_eq!(is_taken, !refused.contains(&name.as_str()), "{target}/{name}");
        taken += usize::from(is_taken);
        seen_refused += usize::from(!is_taken);
    }
    assert!(taken > 0, "the corpus has no good input");
    assert_eq!(seen_refused, refused.len(), "an input that must be refused is gone");
}

fn assert_renders_and_reads_back(name: &DistinguishedName) {
    let text = name.to_string();
    assert!(!text.contains(char::is_control));
    assert!(text.len() <= MAX_TEXT_BYTES);
    assert_eq!(DistinguishedName::parse_text(&text).as_ref(), Ok(name));
}

#[test]
fn certificates_read_as_they_were_written() {
    let refused = [
        "bundle_in_pem",
        "cut",
        "duplicate_extension",
        "hidden_rdn",
        "indefinite_length",
        "local_time",
        "long_length",
        "trailing_byte",
    ];
    replay("certificate", &refused, |data| {
        let Ok(certificate) = Certificate::parse(data) else {
            return false;
        };
        assert_eq!(certificate.der(), data);
        assert_renders_and_reads_back(certificate.subject());
        assert_renders_and_reads_back(certificate.issuer());
        true
    });
}

#[test]
fn no_certificate_of_the_corpus_but_the_device_hangs_from_the_published_authority() {
    let read = |name: &str| fs::read(folder_of("certificate").join(name)).unwrap();
    let mut anchors = AnchorSet::new();
    anchors.add(Certificate::parse(&read("device_authority")).unwrap()).unwrap();
    let trusted = |data: &[u8]| {
        let Ok(certificate) = Certificate::parse(data) else {
            return false;
        };
        verify(&[certificate], &anchors, 1_750_000_000, &PathPolicy::default()).is_ok()
    };
    for entry in fs::read_dir(folder_of("certificate")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert_eq!(trusted(&read(&name)), name == "device", "{name}");
    }
}

#[test]
fn names_render_as_text_that_reads_back() {
    let refused = ["der_bad_utf8", "der_cut", "der_empty_set", "text_open_escape", "text_quoted", "text_unknown_type"];
    replay("distinguished_name", &refused, |data| {
        let from_der = DistinguishedName::parse_der(data).ok();
        let text = std::str::from_utf8(data).ok();
        let from_text = text.and_then(|text| DistinguishedName::parse_text(text).ok());
        let names: Vec<_> = from_der.into_iter().chain(from_text).collect();
        names.iter().for_each(assert_renders_and_reads_back);
        !names.is_empty()
    });
}
