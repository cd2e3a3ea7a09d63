//! HTTP/1.1 read in one way or not at all (RFC 9112): what two readers could cut apart differently
//! is found before the parser sees it.
//!
//! Owns: where heads, bodies and chunks begin and end in the bytes that come in.
//! Does not own: what they mean; the parser behind reads the same bytes again. Knows no sockets.

/// Most bytes of the extensions of one chunk (RFC 9112 §7.1.1 asks for a limit).
const MAX_CHUNK_EXTENSION: usize = 256;
/// Most digits of a length or of a chunk's size: below 2^63, as decimal and as hexadecimal.
const MAX_DECIMAL_DIGITS: usize = 18;
const MAX_HEX_DIGITS: usize = 15;

/// The longest name that frames a message.
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding";
const CONTENT_LENGTH: &[u8] = b"content-length";

/// Where in the stream of messages the next byte stands.
#[derive(Debug, Default)]
pub struct Framing {
    place: Place,
    /// The end of the request line, to know its version.
    version: u64,
    field: Field,
    length: Option<u64>,
    chunked: bool,
}

/// The field being read, as far as its name may frame the message.
#[derive(Debug, Default)]
struct Field {
    name: Kept<{ TRANSFER_ENCODING.len() }>,
    value: Kept<MAX_DECIMAL_DIGITS>,
    frames: Frames,
    in_trailer: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Frames {
    #[default]
    Nothing,
    Length,
    Encoding,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between two messages.
    #[default]
    Between,
    /// After one empty line between them (RFC 9112 §2.2 lets a server pass over it).
    BetweenLf,
    Begin,
    RequestLine,
    RequestLineLf,
    FieldBegin,
    Name,
    Value,
    ValueLf,
    HeadLf,
    Sized(u64),
    ChunkSize {
        digits: usize,
        size: u64,
    },
    ChunkExtension {
        bytes: usize,
        size: u64,
    },
    ChunkSizeLf(u64),
    ChunkData(u64),
    ChunkDataCr,
    ChunkDataLf,
}

/// Another reader might see another message here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ambiguous {
    /// Which byte of those scanned.
    pub at: usize,
}

impl Framing {
    /// Goes over the next bytes that came in.
    ///
    /// # Errors
    /// [`Ambiguous`] names the first byte that another reader might read otherwise.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<(), Ambiguous> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            at += match &mut self.place {
                Place::Sized(left) | Place::ChunkData(left) => {
                    let here = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX).min(*left);
                    *left -= here;
                    if *left == 0 {
                        self.place = if self.chunked { Place::ChunkDataCr } else { Place::Between };
                    }
                    usize::try_from(here).unwrap_or(usize::MAX)
                }
                // Of a value that frames nothing only its end matters.
                Place::Value if self.field.frames == Frames::Nothing && is_text(byte) => {
                    bytes.get(at..).unwrap_or_default().iter().take_while(|byte| is_text(**byte)).count()
                }
                _ => {
                    self.place = self.step(byte).ok_or(Ambiguous { at })?;
                    1
                }
            };
        }
        Ok(())
    }

    /// The place after this byte; nothing if it may not stand here.
    fn step(&mut self, byte: u8) -> Option<Place> {
        match (self.place, byte) {
            (Place::Between, b'\r') => Some(Place::BetweenLf),
            (Place::BetweenLf, b'\n') => Some(Place::Begin),
            (Place::Between | Place::Begin, _) => {
                *self = Self::default();
                self.step_in_request_line(byte)
            }
            (Place::RequestLine, b'\r') => {
                let known = self.version == version(b"HTTP/1.1") || self.version == version(b"HTTP/1.0");
                known.then_some(Place::RequestLineLf)
            }
            (Place::RequestLine, _) => self.step_in_request_line(byte),
            (Place::RequestLineLf | Place::ValueLf, b'\n') => Some(Place::FieldBegin),
            (Place::FieldBegin, b'\r') => Some(Place::HeadLf),
            // A space here would fold the line before it (§5.2); it is no letter of a name either.
            (Place::FieldBegin, _) => {
                self.field = Field { in_trailer: self.field.in_trailer, ..Field::default() };
                self.step_in_name(byte)
            }
            (Place::Name, b':') => {
                self.field.frames = self.field.meaning();
                Some(Place::Value)
            }
            (Place::Name, _) => self.step_in_name(byte),
            (Place::Value, b'\r') => self.end_field().then_some(Place::ValueLf),
            (Place::Value, _) => {
                self.field.keep_value(byte);
                is_text(byte).then_some(Place::Value)
            }
            (Place::HeadLf, b'\n') => Some(self.begin_body()),
            _ => self.step_in_chunk(byte),
        }
    }

    fn step_in_request_line(&mut self, byte: u8) -> Option<Place> {
        self.version = self.version << 8 | u64::from(byte);
        (byte > b' ' || byte == b' ' && self.place == Place::RequestLine).then_some(())?;
        (byte != 0x7f).then_some(Place::RequestLine)
    }

    fn step_in_name(&mut self, byte: u8) -> Option<Place> {
        self.field.name.push(byte.to_ascii_lowercase());
        is_token(byte).then_some(Place::Name)
    }

    fn step_in_chunk(&mut self, byte: u8) -> Option<Place> {
        match (self.place, byte) {
            (Place::ChunkSize { digits: 1.., size }, b'\r') => Some(Place::ChunkSizeLf(size)),
            (Place::ChunkSize { digits: 1.., size }, b';') => Some(Place::ChunkExtension { bytes: 0, size }),
            (Place::ChunkSize { digits, size }, _) if digits < MAX_HEX_DIGITS => {
                let digit = char::from(byte).to_digit(16)?;
                Some(Place::ChunkSize { digits: digits + 1, size: size << 4 | u64::from(digit) })
            }
            (Place::ChunkExtension { size, .. }, b'\r') => Some(Place::ChunkSizeLf(size)),
            (Place::ChunkExtension { bytes, size }, _) if bytes < MAX_CHUNK_EXTENSION => {
                is_text(byte).then_some(Place::ChunkExtension { bytes: bytes + 1, size })
            }
            (Place::ChunkSizeLf(0), b'\n') => {
                self.field.in_trailer = true;
                Some(Place::FieldBegin)
            }
            (Place::ChunkSizeLf(size), b'\n') => Some(Place::ChunkData(size)),
            (Place::ChunkDataCr, b'\r') => Some(Place::ChunkDataLf),
            (Place::ChunkDataLf, b'\n') => Some(Place::ChunkSize { digits: 0, size: 0 }),
            _ => None,
        }
    }

    /// Takes in what a field says about the body; whether that is all that was said.
    fn end_field(&mut self) -> bool {
        let alone = self.length.is_none() && !self.chunked;
        match self.field.frames {
            Frames::Nothing => true,
            Frames::Length => {
                self.length = self.field.value.decimal();
                alone && self.length.is_some()
            }
            Frames::Encoding => {
                // HTTP/1.0 knows no chunks (§6.1).
                self.chunked = self.field.value.text() == Some(b"chunked") && self.version == version(b"HTTP/1.1");
                alone && self.chunked
            }
        }
    }

    fn begin_body(&mut self) -> Place {
        match self.length {
            _ if self.field.in_trailer => Place::Between,
            _ if self.chunked => Place::ChunkSize { digits: 0, size: 0 },
            Some(0) | None => Place::Between,
            Some(length) => Place::Sized(length),
        }
    }
}

impl Field {
    /// A trailer frames nothing (RFC 9110 §6.5.1): what it says there is never read.
    fn meaning(&self) -> Frames {
        match self.name.text() {
            _ if self.in_trailer => Frames::Nothing,
            Some(CONTENT_LENGTH) => Frames::Length,
            Some(TRANSFER_ENCODING) => Frames::Encoding,
            _ => Frames::Nothing,
        }
    }

    /// Keeps the value of a field that frames, without the space around it (§5.1).
    fn keep_value(&mut self, byte: u8) {
        let space = matches!(byte, b' ' | b'\t');
        if self.frames != Frames::Nothing {
            self.value.push_trimmed(byte.to_ascii_lowercase(), space);
        }
    }
}

/// The first bytes of a text, and whether there were more.
#[derive(Debug)]
struct Kept<const MOST: usize> {
    bytes: [u8; MOST],
    /// More than `MOST`: too long to be anything known.
    length: usize,
    space_after: bool,
}

impl<const MOST: usize> Default for Kept<MOST> {
    fn default() -> Self {
        Self { bytes: [0; MOST], length: 0, space_after: false }
    }
}

impl<const MOST: usize> Kept<MOST> {
    fn push(&mut self, byte: u8) {
        if let Some(free) = self.bytes.get_mut(self.length) {
            *free = byte;
        }
        self.length = self.length.saturating_add(1);
    }

    /// Passes over space around the text; space within it makes it too long to be known.
    fn push_trimmed(&mut self, byte: u8, space: bool) {
        if space {
            self.space_after = self.length > 0;
        } else if self.space_after {
            self.length = usize::MAX;
        } else {
            self.push(byte);
        }
    }

    fn text(&self) -> Option<&[u8]> {
        self.bytes.get(..self.length)
    }

    fn decimal(&self) -> Option<u64> {
        let digits = self.text().filter(|text| !text.is_empty())?;
        digits.iter().try_fold(0_u64, |sum, byte| {
            let digit = char::from(*byte).to_digit(10)?;
            sum.checked_mul(10)?.checked_add(digit.into())
        })
    }
}

const fn version(text: &[u8; 8]) -> u64 {
    u64::from_be_bytes(*text)
}

/// What a value may hold (§5.5): no control character but the tab.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7f
}

/// A letter of a name (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
