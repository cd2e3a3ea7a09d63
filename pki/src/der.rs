//! A strict reader of DER (X.690 §10): definite minimal lengths, single-byte tags, nothing left over.
//! Owns: tag, length, value. Does not own: what the values mean.

/// Tags used in certificates (X.690 §8, context tags as in RFC 5280 §A).
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const NUMERIC_STRING: u8 = 0x12;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
    pub(crate) const BMP_STRING: u8 = 0x1e;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
    /// `[n]` primitive.
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }
    /// `[n]` constructed.
    pub(crate) const fn context_constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// The bytes are not the DER expected at this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotDer;

/// One tag-length-value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// Tag and length included.
    pub(crate) whole: &'a [u8],
}

/// Reads elements one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element, whatever its tag.
    pub(crate) fn element(&mut self) -> Result<Element<'a>, NotDer> {
        let start = self.rest;
        let (&tag, after_tag) = start.split_first().ok_or(NotDer)?;
        if tag & 0x1f == 0x1f {
            return Err(NotDer);
        }
        let (length, body) = read_length(after_tag)?;
        let (content, rest) = body.split_at_checked(length).ok_or(NotDer)?;
        let whole = start.get(..start.len() - rest.len()).ok_or(NotDer)?;
        self.rest = rest;
        Ok(Element { tag, content, whole })
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, NotDer> {
        let element = self.element()?;
        if element.tag == tag { Ok(element) } else { Err(NotDer) }
    }

    /// The next element if it has this tag; otherwise nothing is consumed.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, NotDer> {
        if self.rest.first() == Some(&tag) { self.element().map(Some) } else { Ok(None) }
    }

    /// A reader over the content of the next element, which must have this tag.
    pub(crate) fn nested(&mut self, tag: u8) -> Result<Reader<'a>, NotDer> {
        Ok(Reader::new(self.expect(tag)?.content))
    }

    /// Nothing may be left.
    pub(crate) fn finish(self) -> Result<(), NotDer> {
        if self.rest.is_empty() { Ok(()) } else { Err(NotDer) }
    }
}

/// The one element that these bytes are, with nothing after it.
pub(crate) fn single(bytes: &[u8]) -> Result<Element<'_>, NotDer> {
    let mut reader = Reader::new(bytes);
    let element = reader.element()?;
    reader.finish()?;
    Ok(element)
}

/// `BOOLEAN`: only 00 and FF exist in DER (X.690 §11.1).
pub(crate) fn boolean(content: &[u8]) -> Result<bool, NotDer> {
    match content {
        [0x00] => Ok(false),
        [0xff] => Ok(true),
        _ => Err(NotDer),
    }
}

/// The octets of an `INTEGER`, minimal as DER demands (X.690 §8.3.2).
pub(crate) fn integer(content: &[u8]) -> Result<&[u8], NotDer> {
    match content {
        [] => Err(NotDer),
        [0x00, second, ..] if second & 0x80 == 0 => Err(NotDer),
        [0xff, second, ..] if second & 0x80 != 0 => Err(NotDer),
        _ => Ok(content),
    }
}

/// A small non-negative `INTEGER`.
pub(crate) fn small_unsigned(content: &[u8]) -> Result<u32, NotDer> {
    let octets = integer(content)?;
    if octets.first().is_some_and(|first| first & 0x80 != 0) || octets.len() > 5 {
        return Err(NotDer);
    }
    let value = octets.iter().fold(0_u64, |value, octet| value << 8 | u64::from(*octet));
    u32::try_from(value).map_err(|_| NotDer)
}

/// The octets of a `BIT STRING` whose bits fill whole octets.
pub(crate) fn whole_bits(content: &[u8]) -> Result<&[u8], NotDer> {
    match content.split_first() {
        Some((0, octets)) => Ok(octets),
        _ => Err(NotDer),
    }
}

/// The octets of a `BIT STRING` of named bits; unused bits must be zero (X.690 §11.2.1).
pub(crate) fn named_bits(content: &[u8]) -> Result<&[u8], NotDer> {
    let (&unused, octets) = content.split_first().ok_or(NotDer)?;
    let last = octets.last().copied().unwrap_or(0);
    let unused_are_zero = unused < 8 && last & ((1_u8 << unused) - 1) == 0;
    if !unused_are_zero || (octets.is_empty() && unused != 0) {
        return Err(NotDer);
    }
    Ok(octets)
}

fn read_length(bytes: &[u8]) -> Result<(usize, &[u8]), NotDer> {
    let (&first, rest) = bytes.split_first().ok_or(NotDer)?;
    if first < 0x80 {
        return Ok((usize::from(first), rest));
    }
    let octets = usize::from(first & 0x7f);
    if octets == 0 || octets > 3 {
        return Err(NotDer);
    }
    let (length_octets, rest) = rest.split_at_checked(octets).ok_or(NotDer)?;
    if length_octets.first() == Some(&0) {
        return Err(NotDer);
    }
    let length = length_octets.iter().fold(0_usize, |length, octet| length << 8 | usize::from(*octet));
    if length < 0x80 {
        return Err(NotDer);
    }
    Ok((length, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_be_definite_and_minimal() {
        for (bytes, good) in [
            (&[0x04, 0x01, 0xaa][..], true),
            (&[0x04, 0x81, 0x01, 0xaa], false),
            (&[0x04, 0x80, 0xaa, 0x00, 0x00], false),
            (&[0x04, 0x82, 0x00, 0x01, 0xaa], false),
            (&[0x04, 0x02, 0xaa], false),
            (&[0x04, 0x01, 0xaa, 0x00], false),
            (&[0x04, 0x84, 0xff, 0xff, 0xff, 0xff], false),
            (&[0x1f, 0x81, 0x01, 0x00], false),
            (&[], false),
        ] {
            assert_eq!(single(bytes).is_ok(), good, "{bytes:02x?}");
        }
    }

    #[test]
    fn integers_booleans_and_bits_have_one_spelling() {
        assert!(integer(&[0x00, 0x7f]).is_err());
        assert!(integer(&[0xff, 0x80]).is_err());
        assert!(integer(&[0x00, 0x80]).is_ok());
        assert_eq!(small_unsigned(&[0x01, 0x00]), Ok(256));
        assert!(small_unsigned(&[0xff]).is_err());
        assert!(boolean(&[0x01]).is_err());
        assert_eq!(named_bits(&[7, 0x80]), Ok(&[0x80][..]));
        assert!(named_bits(&[7, 0xc0]).is_err());
        assert!(named_bits(&[1]).is_err());
    }
}
