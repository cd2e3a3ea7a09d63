//! Every input of every corpus, through the very function the fuzzer calls.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use keyfob_fuzz::TARGETS;
use keyfob_fuzz::rest::judge_passkey;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn names(of: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder(of)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_input_of_every_corpus_keeps_what_its_parser_promises() {
    for (name, target) in TARGETS {
        let inputs = names(&format!("corpus/{name}"));
        assert!(inputs.len() >= 4, "{name} wants good inputs and bad ones");
        for input in inputs {
            let bytes = fs::read(folder("corpus").join(name).join(&input)).unwrap();
            // The name of the input stands above the failure, if there is one.
            println!("{name}/{input}");
            target(&bytes);
        }
    }
}

#[test]
fn every_target_has_a_program_and_a_corpus_and_there_are_no_others() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len());
    assert_eq!(names("corpus"), targets);
    let programs = names("fuzz_targets").iter().map(|name| name.trim_end_matches(".rs").to_owned()).collect();
    assert_eq!(targets, programs);
}

#[test]
fn beginnings_endings_and_single_changes_of_every_input_are_survived_too() {
    for (name, target) in TARGETS {
        for input in names(&format!("corpus/{name}")) {
            let bytes = fs::read(folder("corpus").join(name).join(&input)).unwrap();
            println!("{name}/{input}");
            // A few dozen of each, spread over the input: the rest is the fuzzer's.
            let step = (bytes.len() / 24).max(1);
            for at in (0..bytes.len()).step_by(step) {
                target(&bytes[..at]);
                target(&bytes[at..]);
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                target(&changed);
            }
        }
    }
}

/// A search that begins with answers nobody would take finds nothing behind the first question.
#[test]
fn the_good_answers_of_a_browser_are_taken_and_each_other_for_its_own_reason() {
    let judged = |name: &str| judge_passkey(&fs::read(folder("corpus/passkey").join(name)).unwrap()).unwrap();
    for good in ["made", "used"] {
        assert!(judged(good).is_ok(), "{good}: {:?}", judged(good));
    }
    for (name, reason) in [
        ("used_for_made", "ceremony_of_another"),
        ("made_for_used", "passkey_malformed"),
        ("of_another", "passkey_of_another"),
        ("other_signature", "passkey_not_verified"),
        ("no_data", "passkey_not_made"),
        ("invented_state", "ceremony_unknown"),
    ] {
        assert_eq!(judged(name), Err(reason), "{name}");
    }
}
