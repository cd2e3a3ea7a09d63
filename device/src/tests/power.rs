//! A medium that loses power after any byte, and forgets, tears or reorders
//! whatever was not synced; and the vault on top of it.

mod medium;

use std::rc::Rc;
use std::string::ToString;
use std::{cell::RefCell, vec, vec::Vec};

use jose::digest::sha256;
use jose::{Alg, Jwk, Signer, VerifyingKey};
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::world::NOW;
use crate::vault::{Flash, KeyMaterial, NextKey, Slot, State, Vault, VaultError};
use crate::{Kept, Secret, TokenType, Tokens};

use medium::*;

/// What a program does with a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    KeepKey(usize),
    BeginRotation(usize),
    KeepStaged,
    AdoptNext,
    DropNext,
    KeepAsset(Option<u16>),
    KeepPaired(Option<u16>),
    Erase,
}

fn keys() -> &'static [KeyMaterial; 4] {
    static KEYS: std::sync::OnceLock<[KeyMaterial; 4]> = std::sync::OnceLock::new();
    KEYS.get_or_init(|| core::array::from_fn(|_| KeyMaterial::generate(Alg::ES256).unwrap()))
}

fn kept(number: u16) -> Kept {
    let tokens = Tokens {
        access_token: Secret::new(std::format!("at_{number}")),
        token_type: TokenType::Dpop,
        expires_in: Some(86_400),
        refresh_token: Some(Secret::new(std::format!("rt_{number}"))),
        scope: None,
        issued_token_type: None,
    };
    Kept { tokens, received_at: NOW + i64::from(number) }
}

impl Deed {
    fn done(self, vault: &mut Vault<Board>) -> Result<(), VaultError<Dark>> {
        match self {
            Deed::KeepKey(at) => vault.keep_key(keys()[at].clone()),
            Deed::BeginRotation(at) => vault.begin_rotation(keys()[at].clone()),
            Deed::KeepStaged => vault.keep_staged(),
            Deed::AdoptNext => vault.adopt_next(),
            Deed::DropNext => vault.drop_next(),
            Deed::KeepAsset(number) => vault.keep_asset(number.map(kept)),
            Deed::KeepPaired(number) => vault.keep_paired(number.map(kept)),
            Deed::Erase => vault.erase(),
        }
    }

    /// What it makes of a state, or `None` where it is refused.
    fn expected(self, state: &State) -> Option<State> {
        let mut state = state.clone();
        match self {
            Deed::KeepKey(at) if state.key.is_none() => state.key = Some(keys()[at].clone()),
            Deed::BeginRotation(at) if state.key.is_some() && state.key.as_ref() != Some(&keys()[at]) => {
                match &state.next {
                    Some(next) if next.key == keys()[at] => {}
                    Some(_) => return None,
                    None => state.next = Some(NextKey { key: keys()[at].clone(), staged: false }),
                }
            }
            Deed::KeepStaged => state.next.as_mut()?.staged = true,
            Deed::AdoptNext => state.key = Some(state.next.take()?.key),
            Deed::DropNext => drop(state.next.take()?),
            Deed::KeepAsset(number) => state.asset = number.map(kept),
            Deed::KeepPaired(number) => state.paired = number.map(kept),
            Deed::Erase => state = State::default(),
            Deed::KeepKey(_) | Deed::BeginRotation(_) => return None,
        }
        Some(state)
    }
}

/// A server that takes the keys it was told of, as the registry does: a staged
/// key becomes current at its first use, the old one stays usable meanwhile.
fn proves_itself(state: &State, accepted: &[Jwk]) -> bool {
    let held = [state.key.as_ref(), state.next.as_ref().map(|next| &next.key)];
    held.into_iter().flatten().any(|key| {
        let key = key.signing_key().unwrap();
        let signature = key.sign(b"challenge").unwrap();
        accepted.iter().any(|known| {
            let verifying = VerifyingKey::from_jwk(known).unwrap();
            known == key.jwk() && verifying.verify(Alg::ES256, b"challenge", &signature).is_ok()
        })
    })
}

/// The life of a device with a rotation that ends well, one that is given up,
/// renewals, an end and a new owner.
const LIFE: [Deed; 15] = [
    Deed::KeepKey(0),
    Deed::KeepPaired(Some(1)),
    Deed::KeepAsset(Some(2)),
    Deed::BeginRotation(1),
    Deed::KeepStaged,
    Deed::AdoptNext,
    Deed::KeepAsset(Some(3)),
    Deed::BeginRotation(2),
    Deed::DropNext,
    Deed::KeepPaired(None),
    Deed::KeepAsset(None),
    Deed::BeginRotation(3),
    Deed::AdoptNext,
    Deed::KeepAsset(Some(4)),
    Deed::Erase,
];

fn fates(at: usize) -> [Fate; 5] {
    let seed = at as u64;
    [
        Fate::Lost,
        Fate::Arrived,
        Fate::OverTheOld,
        Fate::Scattered(seed.wrapping_mul(2) + 0x9e37),
        Fate::Scattered(seed.wrapping_mul(2) + 0x9e38),
    ]
}

/// One life without a cut: what was asked of the medium, and after how many
/// operations which state was promised.
fn lived() -> (Vec<Op>, Vec<(usize, State)>) {
    let board = Board::default();
    let mut vault = board.open().unwrap();
    let mut promised = vec![(0, State::default())];
    for deed in LIFE {
        deed.done(&mut vault).unwrap();
        let expected = deed.expected(&promised.last().unwrap().1).expect("a deed of this life is possible");
        assert_eq!(*vault.state(), expected);
        promised.push((board.0.borrow().asked.len(), expected));
    }
    let asked = board.0.borrow().asked.clone();
    (asked, promised)
}

#[test]
fn after_a_cut_at_every_byte_of_a_whole_life_the_old_state_or_the_new_one_is_there() {
    let (asked, promised) = lived();
    let mut medium = Medium::default();
    let mut cuts = 0;
    for (at, op) in asked.iter().enumerate() {
        let before = promised.iter().rposition(|(after, _)| *after <= at).unwrap();
        let old = &promised[before].1;
        let new = promised.get(before + 1).map_or(old, |(_, state)| state);
        for fate in fates(at) {
            let mut image = medium.durable.clone();
            fate.survivors(&medium.pending).into_iter().for_each(|op| image.apply(op));
            let vault = Board::holding(image).open().unwrap_or_else(|error| panic!("cut {at}, {fate:?}: {error}"));
            let found = vault.state();
            assert!(found == old || found == new, "cut {at}, {fate:?}: neither the old state nor the new one");
            cuts += 1;
        }
        medium.perform(*op).unwrap();
    }
    assert!(cuts > 25_000, "only {cuts} cuts were tried");
}

#[test]
fn whatever_was_cut_is_done_by_doing_it_again() {
    let (asked, promised) = lived();
    let mut medium = Medium::default();
    for (at, op) in asked.iter().enumerate() {
        // The erase at the end begins from two states, so the deeds before it.
        let before = promised.iter().rposition(|(after, _)| *after <= at).unwrap();
        if at % 31 == 0 && before < LIFE.len() {
            for fate in fates(at) {
                let mut image = medium.durable.clone();
                fate.survivors(&medium.pending).into_iter().for_each(|op| image.apply(op));
                let board = Board::holding(image);
                let mut vault = board.open().unwrap();
                for deed in &LIFE[before..] {
                    // Refused where the cut came after its effect.
                    let _ = deed.done(&mut vault);
                }
                assert_eq!(*vault.state(), State::default());
                assert_eq!(*board.open().unwrap().state(), State::default());
            }
        }
        medium.perform(*op).unwrap();
    }
}

#[test]
fn a_program_that_dies_leaves_nothing_that_a_later_cut_takes_back() {
    let (asked, _) = lived();
    let mut medium = Medium::default();
    for (at, op) in asked.iter().enumerate() {
        if at % 3 == 0 {
            // The program dies; what it wrote is seen by the next one, and the
            // power goes right after that one looked.
            let board = Board(Rc::new(RefCell::new(Medium {
                durable: medium.durable.clone(),
                pending: medium.pending.clone(),
                ..Medium::default()
            })));
            let seen = board.open().unwrap().state().clone();
            board.0.borrow_mut().cut(Fate::Lost);
            assert_eq!(*board.open().unwrap().state(), seen, "death {at}");
        }
        medium.perform(*op).unwrap();
    }
}

#[test]
fn a_device_can_prove_itself_after_a_cut_at_every_byte_of_a_rotation() {
    let jwk = |at: usize| keys()[at].signing_key().unwrap().jwk().clone();
    let mut start = Board::default().open().unwrap();
    start.keep_key(keys()[0].clone()).unwrap();
    let image = start.into_flash().0.borrow().durable.clone();
    // What the server takes while each step is under way: the device tells it
    // of the new key once it is kept, and adopts it once it was taken.
    let steps = [
        (Deed::BeginRotation(1), vec![jwk(0)]),
        (Deed::KeepStaged, vec![jwk(0), jwk(1)]),
        // The old one may have ended by then: the new one was used.
        (Deed::AdoptNext, vec![jwk(1)]),
        (Deed::KeepAsset(Some(1)), vec![jwk(1)]),
    ];
    let whole = |until: usize| {
        let board = Board::holding(image.clone());
        let mut vault = board.open().unwrap();
        steps[..until].iter().for_each(|(deed, _)| deed.done(&mut vault).unwrap());
        board.0.borrow_mut().asked.clear();
        (board.clone(), vault)
    };
    for (number, (deed, accepted)) in steps.iter().enumerate() {
        let (board, mut vault) = whole(number);
        deed.done(&mut vault).unwrap();
        let length = board.0.borrow().asked.len();
        assert!(length > 100);
        for at in 0..=length {
            for fate in fates(at) {
                let (board, mut vault) = whole(number);
                board.0.borrow_mut().left = Some(at);
                let done = deed.done(&mut vault);
                assert_eq!(done.is_ok(), at == length && board.0.borrow().left != Some(0), "{deed:?}, cut {at}");
                board.0.borrow_mut().cut(fate);
                let vault = board.open().unwrap();
                assert!(proves_itself(vault.state(), accepted), "{deed:?}, cut {at}, {fate:?}");
            }
        }
    }
}

#[test]
fn a_medium_that_fails_leaves_the_old_state_in_use_and_the_next_change_works() {
    let (asked, _) = lived();
    let first = asked.iter().position(|op| matches!(op, Op::Erase(Slot::B))).unwrap();
    let board = Board::default();
    let mut vault = board.open().unwrap();
    vault.keep_key(keys()[0].clone()).unwrap();
    let old = vault.state().clone();
    for left in 0..first {
        board.0.borrow_mut().left = Some(left);
        if vault.keep_paired(Some(kept(1))) == Err(VaultError::Flash(Dark)) {
            assert_eq!(*vault.state(), old);
        }
        board.0.borrow_mut().left = None;
        vault.keep_paired(None).unwrap();
    }
    vault.keep_asset(Some(kept(2))).unwrap();
    assert_eq!(*board.open().unwrap().state(), State { asset: Some(kept(2)), ..old });
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let board = Board::default();
    let mut vault = board.open().unwrap();
    vault.keep_key(keys()[0].clone()).unwrap();
    let (old, asked) = (vault.state().clone(), board.0.borrow().asked.len());
    let mut large = kept(1);
    large.tokens.access_token = Secret::new("a".repeat(CAPACITY));
    assert!(matches!(vault.keep_asset(Some(large)), Err(VaultError::TooLarge { capacity: CAPACITY, .. })));
    assert_eq!((vault.state(), board.0.borrow().asked.len()), (&old, asked));
}

#[test]
fn what_is_there_already_is_not_written_again() {
    let board = Board::default();
    let mut vault = board.open().unwrap();
    vault.keep_asset(Some(kept(1))).unwrap();
    let asked = board.0.borrow().asked.len();
    vault.keep_asset(Some(kept(1))).unwrap();
    vault.keep_paired(None).unwrap();
    assert_eq!(board.0.borrow().asked.len(), asked, "flash wears");
}

#[test]
fn a_medium_that_lies_is_found_out() {
    /// Loses the last byte of everything.
    struct Liar(Board);
    impl Flash for Liar {
        type Error = Dark;
        fn capacity(&self) -> usize {
            CAPACITY
        }
        fn read(&mut self, slot: Slot) -> Result<Zeroizing<Vec<u8>>, Dark> {
            self.0.read(slot)
        }
        fn erase(&mut self, slot: Slot) -> Result<(), Dark> {
            self.0.erase(slot)
        }
        fn write(&mut self, slot: Slot, bytes: &[u8]) -> Result<(), Dark> {
            self.0.write(slot, &bytes[..bytes.len() - 1])
        }
        fn sync(&mut self, slot: Slot) -> Result<(), Dark> {
            self.0.sync(slot)
        }
    }
    // One digest in 256 ends with the byte of an erased place.
    let mut vault = Vault::open(Liar(Board::default()), sha256).unwrap();
    let refused = (0..4).filter(|at| vault.keep_key(keys()[*at].clone()) == Err(VaultError::NotKept)).count();
    assert!(refused >= 3);
}

#[test]
fn damage_that_no_cut_makes_is_told_and_given_up_only_by_hand() {
    let (asked, _) = lived();
    let mut medium = Medium::default();
    asked[..asked.len() - 1].iter().for_each(|op| medium.perform(*op).unwrap());
    let mut image = medium.seen();
    image.0.iter_mut().for_each(|place| place[30] ^= 1);
    let board = Board::holding(image);
    assert_eq!(board.open().unwrap_err(), VaultError::Damaged);
    assert_eq!(board.open().unwrap_err(), VaultError::Damaged, "looking changed something");
    let mut vault = Vault::begin_anew(board.clone(), sha256).unwrap();
    vault.keep_key(keys()[1].clone()).unwrap();
    assert_eq!(board.open().unwrap().state().key.as_ref(), Some(&keys()[1]));
}

#[test]
fn one_lost_bit_leaves_the_state_before() {
    let board = Board::default();
    let mut vault = board.open().unwrap();
    vault.keep_key(keys()[0].clone()).unwrap();
    vault.keep_asset(Some(kept(1))).unwrap();
    let mut image = board.0.borrow().durable.clone();
    image.0[1][40] ^= 4;
    let vault = Board::holding(image).open().unwrap();
    assert_eq!(*vault.state(), State { key: Some(keys()[0].clone()), ..State::default() });
}

#[test]
fn nothing_old_counts_after_beginning_anew_over_a_used_medium() {
    let board = Board::default();
    let mut vault = board.open().unwrap();
    vault.keep_key(keys()[0].clone()).unwrap();
    (0..9).for_each(|number| vault.keep_asset(Some(kept(number))).unwrap());
    drop(vault);
    let asked = board.0.borrow().asked.len();
    drop(Vault::begin_anew(board.clone(), sha256).unwrap());
    assert_eq!(*board.open().unwrap().state(), State::default());
    assert!(board.0.borrow().asked.len() > asked);
    // Not even in the place that does not count.
    for place in &board.0.borrow().durable.0 {
        assert!(!std::string::String::from_utf8_lossy(place).contains("key"));
    }
}

#[test]
fn debug_output_shows_neither_key_nor_token() {
    let mut vault = Board::default().open().unwrap();
    vault.keep_key(KeyMaterial::new(b"secret-key".to_vec()).unwrap()).unwrap();
    vault.keep_asset(Some(kept(1))).unwrap();
    let shown = std::format!("{vault:?} {:?}", vault.state());
    assert!(!shown.contains("at_1") && !shown.contains("rt_1") && !shown.contains("secret"), "{shown}");
    assert_eq!(KeyMaterial::new(vec![]).unwrap_err().to_string(), "a key is 1 to 4096 bytes");
}

fn deeds() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => (0..4usize).prop_map(Deed::KeepKey),
        3 => (0..4usize).prop_map(Deed::BeginRotation),
        1 => Just(Deed::KeepStaged),
        2 => Just(Deed::AdoptNext),
        1 => Just(Deed::DropNext),
        3 => any::<Option<u16>>().prop_map(Deed::KeepAsset),
        2 => any::<Option<u16>>().prop_map(Deed::KeepPaired),
        1 => Just(Deed::Erase),
    ]
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![Just(Fate::Lost), Just(Fate::Arrived), Just(Fate::OverTheOld), any::<u64>().prop_map(Fate::Scattered),]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any deeds, any cuts, any number of them, on top of whatever the last
    /// cut left behind.
    #[test]
    fn no_history_of_deeds_and_cuts_loses_a_promise(
        history in prop::collection::vec((deeds(), prop::option::weighted(0.5, (0..1500usize, any_fate()))), 1..24),
    ) {
        let board = Board::default();
        let mut vault = board.open().unwrap();
        let mut state = State::default();
        for (deed, cut) in history {
            board.0.borrow_mut().left = cut.map(|(at, _)| at);
            let done = deed.done(&mut vault);
            let expected = deed.expected(&state);
            match (&done, &expected) {
                (Ok(()), Some(expected)) => state = expected.clone(),
                (Err(VaultError::Flash(Dark)), Some(_)) | (Err(_), None) => {}
                _ => prop_assert!(false, "{:?} gave {:?}", deed, done),
            }
            // Its first half may have been done.
            if deed == Deed::Erase && done.is_err() && *vault.state() == State::default() {
                state = State::default();
            }
            prop_assert_eq!(vault.state(), &state);
            if let Some((_, fate)) = cut {
                board.0.borrow_mut().cut(fate);
                vault = board.open().unwrap();
                let found = vault.state().clone();
                let new = if done.is_err() { expected } else { None };
                prop_assert!(found == state || Some(&found) == new.as_ref());
                state = found;
            }
        }
    }

    #[test]
    fn no_bytes_make_opening_a_vault_do_anything_but_tell_its_errors(a: Vec<u8>, b: Vec<u8>) {
        if let Ok(vault) = Board::holding(Image([a, b])).open() {
            prop_assert_eq!(vault.state(), &State::default());
        }
    }

    #[test]
    fn what_a_state_renders_reads_back(
        first in prop::option::of(0..4usize), next in prop::option::of((0..4usize, any::<bool>())),
        asset: Option<u16>, paired: Option<u16>,
    ) {
        let next = next.filter(|(at, _)| first.is_some_and(|first| first != *at));
        let state = State {
            key: first.map(|at| keys()[at].clone()),
            next: next.map(|(at, staged)| NextKey { key: keys()[at].clone(), staged }),
            asset: asset.map(kept),
            paired: paired.map(kept),
        };
        prop_assert_eq!(State::parse(&state.render()), Ok(state));
    }
}
