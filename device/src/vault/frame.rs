//! What stands in a place: magic, version, sequence, length, content, digest.
//!
//! | Bytes | What |
//! |---|---|
//! | 4 | `KFVT` |
//! | 1 | version of the content, 1 |
//! | 8 | sequence, big-endian; the higher one of two counts |
//! | 4 | length of the content, big-endian |
//! | n | the content |
//! | 32 | SHA-256 of everything before |
//!
//! Every later version keeps this frame, so that an older program knows a
//! newer record from a torn one. What follows the digest is not looked at.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::Sha256;

const MAGIC: [u8; 4] = *b"KFVT";
const VERSION: u8 = 1;
const HEAD: usize = 17;
const DIGEST: usize = 32;

/// What a place holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) sequence: u64,
    pub(super) content: &'a [u8],
}

/// Why a place holds no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// Nothing was ever written here, or it was erased.
    #[error("the place is blank")]
    Blank,
    /// A write was cut off here, or the medium lost bits.
    #[error("the place holds no whole record")]
    Torn,
    /// A whole record of a later version of this library.
    #[error("the record is of version {0}, which this program does not know")]
    TooNew(u8),
    /// A whole record whose content is not what belongs there.
    #[error("the record's content is not understood")]
    Content,
}

impl<'a> Frame<'a> {
    pub(super) fn parse(bytes: &'a [u8], sha256: Sha256) -> Result<Frame<'a>, SlotError> {
        if bytes.iter().all(|byte| *byte == 0xff) || bytes.iter().all(|byte| *byte == 0) {
            return Err(SlotError::Blank);
        }
        let (head, rest) = bytes.split_at_checked(HEAD).ok_or(SlotError::Torn)?;
        let (magic, head) = head.split_first_chunk::<4>().ok_or(SlotError::Torn)?;
        let (&version, head) = head.split_first().ok_or(SlotError::Torn)?;
        let (sequence, length) = head.split_first_chunk::<8>().ok_or(SlotError::Torn)?;
        let length = length.try_into().map(u32::from_be_bytes).map_err(|_| SlotError::Torn)?;
        let length = usize::try_from(length).map_err(|_| SlotError::Torn)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(SlotError::Torn)?;
        let digest = rest.get(..DIGEST).ok_or(SlotError::Torn)?;
        let covered = bytes.get(..HEAD + length).ok_or(SlotError::Torn)?;
        if *magic != MAGIC || sha256(covered) != digest {
            return Err(SlotError::Torn);
        }
        if version != VERSION {
            return Err(SlotError::TooNew(version));
        }
        Ok(Frame { sequence: u64::from_be_bytes(*sequence), content })
    }

    pub(super) fn render(&self, sha256: Sha256) -> Zeroizing<Vec<u8>> {
        // Longer than any place: `Vault` refuses it by its size.
        let length = u32::try_from(self.content.len()).unwrap_or(u32::MAX);
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD + self.content.len() + DIGEST));
        bytes.extend_from_slice(&MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(self.content);
        let digest = sha256(&bytes);
        bytes.extend_from_slice(&digest);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jose::digest::sha256;
    use std::vec;

    fn rendered() -> Zeroizing<Vec<u8>> {
        Frame { sequence: 7, content: b"{\"a\":1}" }.render(sha256)
    }

    #[test]
    fn a_record_reads_back_with_whatever_follows_it() {
        let mut bytes = rendered();
        let frame = Frame { sequence: 7, content: b"{\"a\":1}" };
        assert_eq!(Frame::parse(&bytes, sha256), Ok(frame));
        bytes.extend_from_slice(&[0xff; 100]);
        assert_eq!(Frame::parse(&bytes, sha256), Ok(frame));
    }

    #[test]
    fn every_flipped_bit_and_every_missing_byte_is_seen() {
        let bytes = rendered();
        for at in 0..bytes.len() {
            assert_ne!(Frame::parse(&bytes[..at], sha256).err(), None, "{at} bytes");
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert_eq!(Frame::parse(&flipped, sha256), Err(SlotError::Torn), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_blank_place_is_told_from_a_torn_one_and_a_later_version_from_both() {
        for blank in [vec![], vec![0xff; 64], vec![0; 64]] {
            assert_eq!(Frame::parse(&blank, sha256), Err(SlotError::Blank));
        }
        let mut later = rendered();
        later[4] = 2;
        assert_eq!(Frame::parse(&later, sha256), Err(SlotError::Torn), "its digest is another one");
        let covered = later.len() - DIGEST;
        let digest = sha256(&later[..covered]);
        later[covered..].copy_from_slice(&digest);
        assert_eq!(Frame::parse(&later, sha256), Err(SlotError::TooNew(2)));
    }
}
