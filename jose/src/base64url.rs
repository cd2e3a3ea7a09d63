//! Base64url as JOSE writes it (RFC 7515 §2, RFC 4648 §5).
//!
//! Owns: one spelling per value. Strict, because two spellings of one token
//! would pass a single-use check twice: no padding, no whitespace, no `+/`,
//! no bits left over in the last character.

use alloc::string::String;
use alloc::vec::Vec;

const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The text is not the one canonical encoding of any bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not canonical base64")]
pub struct DecodeError;

/// Encodes without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = Vec::with_capacity(encoded_len(bytes.len()));
    encode_after(&mut text, bytes);
    String::from_utf8(text).expect("the alphabet is ASCII")
}

/// So many letters encode so many bytes.
pub(crate) fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Encodes behind what is already written.
pub(crate) fn encode_after(text: &mut Vec<u8>, bytes: &[u8]) {
    let letters = |bits: u32| [bits >> 18, bits >> 12, bits >> 6, bits].map(letter);
    let (groups, rest) = bytes.as_chunks::<3>();
    for [a, b, c] in groups {
        text.extend_from_slice(&letters(u32::from_be_bytes([0, *a, *b, *c])));
    }
    match *rest {
        [a] => text.extend(letters(u32::from_be_bytes([0, a, 0, 0])).into_iter().take(2)),
        [a, b] => text.extend(letters(u32::from_be_bytes([0, a, b, 0])).into_iter().take(3)),
        _ => {}
    }
}

/// Decodes the canonical form only.
///
/// # Errors
/// [`DecodeError`] for padding, whitespace, the standard alphabet's `+` and
/// `/`, a length no encoder produces, or non-zero bits after the last byte.
pub fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, DecodeError> {
    decode_with(text.as_ref(), &VALUES)
}

/// Decodes the standard alphabet with its padding, which JOSE uses for the
/// certificates of `x5c` alone (RFC 7515 §4.1.6).
pub fn decode_standard(text: &str) -> Result<Vec<u8>, DecodeError> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(4) {
        return Err(DecodeError);
    }
    let unpadded = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    decode_with(unpadded, &STANDARD_VALUES)
}

/// Six bits of each symbol; [`NONE`] for what is none of the alphabet.
type Values = [u8; 256];

const NONE: u8 = 0x80;
const VALUES: Values = values(*b"-_");
const STANDARD_VALUES: Values = values(*b"+/");

#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which would refuse an index out of bounds")]
const fn values([symbol_62, symbol_63]: [u8; 2]) -> Values {
    let mut values = [NONE; 256];
    let mut at = 0;
    let mut symbol = 0u8;
    while at < 256 {
        values[at] = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            symbol if symbol == symbol_62 => 62,
            symbol if symbol == symbol_63 => 63,
            _ => NONE,
        };
        at += 1;
        symbol = symbol.wrapping_add(1);
    }
    values
}

fn decode_with(text: &[u8], values: &Values) -> Result<Vec<u8>, DecodeError> {
    let value = |symbol: u8| values.get(usize::from(symbol)).copied().expect("a table of 256 has every byte");
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (groups, rest) = text.as_chunks::<4>();
    for group in groups {
        let [a, b, c, d] = group.map(value);
        if (a | b | c | d) & NONE != 0 {
            return Err(DecodeError);
        }
        bytes.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
    }
    // Bits left over must be zero, or two texts would stand for the same bytes.
    match *rest {
        [] => {}
        [a, b] => {
            let [a, b] = [a, b].map(value);
            if (a | b) & NONE != 0 || b & 0x0f != 0 {
                return Err(DecodeError);
            }
            bytes.push(a << 2 | b >> 4);
        }
        [a, b, c] => {
            let [a, b, c] = [a, b, c].map(value);
            if (a | b | c) & NONE != 0 || c & 0x03 != 0 {
                return Err(DecodeError);
            }
            bytes.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2]);
        }
        _ => return Err(DecodeError),
    }
    Ok(bytes)
}

/// Of the lowest six bits.
fn letter(bits: u32) -> u8 {
    URL.get((bits & 0x3f) as usize).copied().expect("six bits index an alphabet of 64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_standard_hold() {
        // RFC 7515 appendix C; RFC 4648 §10 without padding.
        assert_eq!(encode([3, 236, 255, 224, 193]), "A-z_4ME");
        for (plain, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(encode(plain), text);
            assert_eq!(decode(text).as_deref(), Ok(plain.as_bytes()));
        }
    }

    #[test]
    fn padding_whitespace_the_other_alphabet_and_left_over_bits_are_refused() {
        for text in ["Zg==", "Zm8=", "Zm9v=", " Zg", "Zg ", "Z\ng", "A+z/4ME", "Zh", "Zm9", "Z", "Zm9vY", "Zm9\u{e9}"] {
            assert_eq!(decode(text), Err(DecodeError), "{text:?}");
        }
    }

    #[test]
    fn certificates_use_the_padded_alphabet_and_stay_strict() {
        assert_eq!(decode_standard("Zg==").as_deref(), Ok(&b"f"[..]));
        assert_eq!(decode_standard("+/8=").as_deref(), Ok(&[0xfb, 0xff][..]));
        for text in ["Zg", "Zg=", "Zg===", "====", "Zh==", "-_8=", "Zg==Zg==", "Z==="] {
            assert_eq!(decode_standard(text), Err(DecodeError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn decoding_inverts_encoding(bytes: Vec<u8>) {
            prop_assert_eq!(decode(encode(&bytes)), Ok(bytes));
        }

        #[test]
        fn what_decodes_encodes_to_the_same_text(text in "[A-Za-z0-9_-]{0,24}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(encode(bytes), text);
            }
        }
    }
}
