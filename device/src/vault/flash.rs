//! The port to a device's own memory: two places that each hold one record.

use alloc::vec::Vec;

use zeroize::Zeroizing;

/// One of the two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

impl Slot {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Slot {
        match self {
            Slot::A => Slot::B,
            Slot::B => Slot::A,
        }
    }
}

/// Two places of flash, files, or whatever else outlasts a loss of power.
/// Firmware brings its own; `file::FileFlash` keeps each in a file.
///
/// Nothing is asked of the order in which a medium carries out what was not
/// synced: power may be lost at any byte, writes may be torn, lost or
/// reordered. What is asked is that the two places share nothing that an
/// erase or a torn write of one could take from the other (no common erase
/// block, no common sector), and that [`Flash::sync`] tells the truth.
pub trait Flash {
    /// Why the medium says no.
    type Error: core::error::Error;

    /// The bytes each place holds. 4 KiB hold a key, a staged key and two sets
    /// of tokens of usual size; 16 KiB hold any.
    fn capacity(&self) -> usize;

    /// Reads a place, at most [`Flash::capacity`] bytes. What was never
    /// written is empty, or all ones, or all zeros; what a loss of power left
    /// behind is whatever it is.
    ///
    /// # Errors
    /// Those of the medium. A place that holds nothing is no error.
    fn read(&mut self, slot: Slot) -> Result<Zeroizing<Vec<u8>>, Self::Error>;

    /// Empties a place, so that it can be written.
    ///
    /// # Errors
    /// Those of the medium.
    fn erase(&mut self, slot: Slot) -> Result<(), Self::Error>;

    /// Writes from the beginning of a place that was erased.
    ///
    /// # Errors
    /// Those of the medium.
    fn write(&mut self, slot: Slot, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Returns once what the place holds outlasts a loss of power.
    ///
    /// # Errors
    /// Those of the medium; then nothing is known of what was written.
    fn sync(&mut self, slot: Slot) -> Result<(), Self::Error>;
}
