//! Keys and tokens that survive a loss of power at any byte.
//!
//! Owns: which of two records counts, and the order of steps that leaves the
//! old state or the new one after every cut, never neither. Does not own: the
//! medium, which firmware brings as a [`Flash`].

mod flash;
mod frame;
mod state;

use alloc::vec::Vec;

use zeroize::Zeroizing;

pub use flash::{Flash, Slot};
use frame::Frame;
pub use frame::SlotError;
pub use state::{KeyLength, KeyMaterial, NextKey, State};

use crate::kept::Kept;

/// SHA-256 as the device has it; with the feature `std`,
/// `jose::digest::sha256` fits.
pub type Sha256 = fn(&[u8]) -> [u8; 32];

/// A device's keys and tokens in two places of a [`Flash`].
///
/// A change is written whole, with the next sequence number and a digest, to
/// the place that does not count, and synced before it is said to be done. So
/// the place that counts is never touched, and a record cut off anywhere is
/// seen by its digest.
pub struct Vault<F> {
    flash: F,
    sha256: Sha256,
    /// The place that counts and its sequence; `None` before the first record.
    current: Option<(Slot, u64)>,
    state: State,
}

/// Why a vault cannot be opened or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError<E> {
    /// The medium said no. After a failed change [`Vault::state`] is the one
    /// before; a loss of power right now leaves the old or the new.
    #[error(transparent)]
    Flash(#[from] E),
    /// Neither place holds a record, and it was no loss of power that did it.
    /// [`Vault::begin_anew`] gives up what was there.
    #[error("both places are damaged")]
    Damaged,
    /// A later version of this library wrote here.
    #[error("a later version ({0}) of this library wrote here")]
    TooNew(u8),
    /// A record is sound, but what it holds is not understood.
    #[error("a record holds what does not belong there")]
    Content,
    /// The change does not fit; nothing was written.
    #[error("{len} bytes do not fit in {capacity}")]
    TooLarge {
        /// What the record would take.
        len: usize,
        /// What a place holds.
        capacity: usize,
    },
    /// What was written reads otherwise: the medium is broken.
    #[error("the medium does not keep what is written")]
    NotKept,
    /// There is a key, and no key is ever overwritten.
    #[error("there is a key already")]
    KeyPresent,
    /// There is no key.
    #[error("there is no key")]
    NoKey,
    /// Another key waits to take the present one's place.
    #[error("another new key is waiting already")]
    RotationPending,
    /// No key waits.
    #[error("no new key is waiting")]
    NoRotation,
}

/// Reads what a place holds: its sequence number and the state. What follows
/// the record is not looked at.
///
/// # Errors
/// [`SlotError`].
pub fn parse_slot(bytes: &[u8], sha256: Sha256) -> Result<(u64, State), SlotError> {
    let frame = Frame::parse(bytes, sha256)?;
    Ok((frame.sequence, State::parse(frame.content)?))
}

impl<F: Flash> Vault<F> {
    /// Reads both places; the sound record with the higher sequence counts. A
    /// new medium gives an empty state.
    ///
    /// # Errors
    /// [`VaultError::Flash`], [`VaultError::Damaged`], [`VaultError::TooNew`],
    /// [`VaultError::Content`].
    pub fn open(mut flash: F, sha256: Sha256) -> Result<Vault<F>, VaultError<F::Error>> {
        let mut read = |slot| -> Result<_, F::Error> {
            let bytes = flash.read(slot)?;
            // A program that died, unlike a device, may have left behind what
            // reads well and is not yet on the medium.
            flash.sync(slot)?;
            Ok(parse_slot(&bytes, sha256))
        };
        let (a, b) = (read(Slot::A)?, read(Slot::B)?);
        for found in [&a, &b] {
            match found {
                // Falling back to the other place would be a step back in time.
                Err(SlotError::TooNew(version)) => return Err(VaultError::TooNew(*version)),
                Err(SlotError::Content) => return Err(VaultError::Content),
                Ok(_) | Err(SlotError::Blank | SlotError::Torn) => {}
            }
        }
        let (current, state) = match (a, b) {
            (Ok((first, _)), Ok((second, state))) if second > first => (Some((Slot::B, second)), state),
            (Ok((sequence, state)), _) => (Some((Slot::A, sequence)), state),
            (Err(_), Ok((sequence, state))) => (Some((Slot::B, sequence)), state),
            // The very first record goes to A, until it is whole: a cut leaves
            // B blank.
            (Err(_), Err(SlotError::Blank)) => (None, State::default()),
            (Err(_), Err(_)) => return Err(VaultError::Damaged),
        };
        Ok(Vault { flash, sha256, current, state })
    }

    /// Gives up whatever is there and begins with an empty state, in both
    /// places: for a medium that is [`VaultError::Damaged`], in a workshop.
    ///
    /// # Errors
    /// As of a change.
    pub fn begin_anew(mut flash: F, sha256: Sha256) -> Result<Vault<F>, VaultError<F::Error>> {
        // Above whatever may stand in either place, so that nothing old counts.
        let mut highest = 0;
        for slot in [Slot::A, Slot::B] {
            if let Ok(frame) = Frame::parse(&flash.read(slot)?, sha256) {
                highest = highest.max(frame.sequence);
            }
        }
        let mut vault = Vault { flash, sha256, current: Some((Slot::B, highest)), state: State::default() };
        vault.erase()?;
        Ok(vault)
    }

    /// What the device keeps.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Keeps the device's first key.
    ///
    /// # Errors
    /// [`VaultError::KeyPresent`], and those of the medium.
    pub fn keep_key(&mut self, key: KeyMaterial) -> Result<(), VaultError<F::Error>> {
        if self.state.key.is_some() {
            return Err(VaultError::KeyPresent);
        }
        self.commit(State { key: Some(key), ..self.state.clone() })
    }

    /// Begins a rotation: keeps the new key beside the present one. Do this
    /// before the server hears of it, so that no key it knows is ever lost.
    ///
    /// # Errors
    /// [`VaultError::NoKey`]; [`VaultError::RotationPending`] when another key
    /// waits, [`VaultError::KeyPresent`] when this is the present key; those of
    /// the medium.
    pub fn begin_rotation(&mut self, key: KeyMaterial) -> Result<(), VaultError<F::Error>> {
        match (&self.state.key, &self.state.next) {
            (None, _) => return Err(VaultError::NoKey),
            (Some(present), _) if *present == key => return Err(VaultError::KeyPresent),
            (Some(_), Some(next)) if next.key == key => return Ok(()),
            (Some(_), Some(_)) => return Err(VaultError::RotationPending),
            (Some(_), None) => {}
        }
        self.commit(State { next: Some(NextKey { key, staged: false }), ..self.state.clone() })
    }

    /// Keeps that the server knows the new key.
    ///
    /// # Errors
    /// [`VaultError::NoRotation`], and those of the medium.
    pub fn keep_staged(&mut self) -> Result<(), VaultError<F::Error>> {
        let NextKey { key, .. } = self.state.next.clone().ok_or(VaultError::NoRotation)?;
        self.commit(State { next: Some(NextKey { key, staged: true }), ..self.state.clone() })
    }

    /// Ends a rotation well: the new key is the key. Do this after the server
    /// took a proof by it. Tokens stay: a renewal takes the present key and
    /// binds to it.
    ///
    /// # Errors
    /// [`VaultError::NoRotation`], and those of the medium.
    pub fn adopt_next(&mut self) -> Result<(), VaultError<F::Error>> {
        let NextKey { key, .. } = self.state.next.clone().ok_or(VaultError::NoRotation)?;
        self.commit(State { key: Some(key), next: None, ..self.state.clone() })
    }

    /// Ends a rotation without the new key, when the server will not have it.
    ///
    /// # Errors
    /// [`VaultError::NoRotation`], and those of the medium.
    pub fn drop_next(&mut self) -> Result<(), VaultError<F::Error>> {
        if self.state.next.is_none() {
            return Err(VaultError::NoRotation);
        }
        self.commit(State { next: None, ..self.state.clone() })
    }

    /// Keeps the asset token, or forgets it. Keep a renewed one before it is
    /// used: its refresh token, where it has one, is the only one that counts.
    ///
    /// # Errors
    /// [`VaultError::TooLarge`] and those of the medium.
    pub fn keep_asset(&mut self, asset: Option<Kept>) -> Result<(), VaultError<F::Error>> {
        self.commit(State { asset, ..self.state.clone() })
    }

    /// Keeps the tokens of a pairing, or forgets them. Keep them before they
    /// are used.
    ///
    /// # Errors
    /// [`VaultError::TooLarge`] and those of the medium.
    pub fn keep_paired(&mut self, paired: Option<Kept>) -> Result<(), VaultError<F::Error>> {
        self.commit(State { paired, ..self.state.clone() })
    }

    /// Forgets everything, the key too, and overwrites both places: for a
    /// device that is scrapped. One that changes its owner keeps its key.
    ///
    /// # Errors
    /// Those of the medium; then the state is the old one or empty already, and
    /// to be erased again.
    pub fn erase(&mut self) -> Result<(), VaultError<F::Error>> {
        self.write(State::default())?;
        self.write(State::default())
    }

    /// Gives the medium back.
    pub fn into_flash(self) -> F {
        self.flash
    }

    /// Flash wears: what is there already is not written again.
    fn commit(&mut self, state: State) -> Result<(), VaultError<F::Error>> {
        if state == self.state { Ok(()) } else { self.write(state) }
    }

    fn write(&mut self, state: State) -> Result<(), VaultError<F::Error>> {
        let (slot, sequence) = match self.current {
            None => (Slot::A, 1),
            Some((slot, sequence)) => (slot.other(), sequence.checked_add(1).ok_or(VaultError::Damaged)?),
        };
        let content = state.render();
        let bytes = Frame { sequence, content: &content }.render(self.sha256);
        let capacity = self.flash.capacity();
        if bytes.len() > capacity {
            return Err(VaultError::TooLarge { len: bytes.len(), capacity });
        }
        self.flash.erase(slot)?;
        self.flash.write(slot, &bytes)?;
        self.flash.sync(slot)?;
        let kept: Zeroizing<Vec<u8>> = self.flash.read(slot)?;
        if !kept.starts_with(&bytes) {
            return Err(VaultError::NotKept);
        }
        (self.current, self.state) = (Some((slot, sequence)), state);
        Ok(())
    }
}

impl<F> core::fmt::Debug for Vault<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Vault({:?})", self.current)
    }
}
