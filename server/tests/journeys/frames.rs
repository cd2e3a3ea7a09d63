//! HTTP/2 frame by frame, with heads as they come, right or wrong (RFC 9113, RFC 7541).

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::stage::{HUNG, connect};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection whose frames are all written by the test.
pub(crate) struct Frames {
    pub(crate) stream: TlsStream<TcpStream>,
}

/// What became of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer with its status.
    Answered(u16),
    /// The stream was reset with this code.
    Reset(u32),
    /// The connection was ended with this code.
    GoAway(u32),
    /// The connection was closed.
    Closed,
}

impl Outcome {
    pub(crate) fn is_refused(&self) -> bool {
        !matches!(self, Self::Answered(100..400))
    }
}

impl Frames {
    /// Shakes hands for `h2` and sends preface and settings.
    pub(crate) async fn open(address: SocketAddr, client: &Arc<ClientConfig>) -> Self {
        Self::open_with(address, client, &[]).await
    }

    pub(crate) async fn open_with(address: SocketAddr, client: &Arc<ClientConfig>, settings: &[u8]) -> Self {
        let mut client = (**client).clone();
        client.alpn_protocols = vec![b"h2".to_vec()];
        let stream = connect(address, &Arc::new(client), b"").await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let mut frames = Self { stream };
        frames.write(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, settings)[..]].concat()).await;
        frames
    }

    /// Writes; whether the peer still took it.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        let written = async { self.stream.write_all(bytes).await.is_ok() && self.stream.flush().await.is_ok() };
        tokio::time::timeout(HUNG, written).await.expect("the server takes or closes")
    }

    /// The next frame: kind, flags, stream, payload; nothing when closed.
    pub(crate) async fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        tokio::time::timeout(HUNG, async {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await.ok()?;
            let [high, middle, low, kind, flags, stream @ ..] = head;
            let length = u32::from_be_bytes([0, high, middle, low]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some((kind, flags, u32::from_be_bytes(stream), payload))
        })
        .await
        .expect("the server answers or closes")
    }

    /// Reads on until a stream has its head, its reset, or the connection its end.
    pub(crate) async fn outcome_of(&mut self, wanted: u32) -> Outcome {
        loop {
            let Some((kind, _, stream, payload)) = self.next().await else { return Outcome::Closed };
            let code = |at: usize| payload.get(at..at + 4).map(|code| u32::from_be_bytes(code.try_into().unwrap()));
            match kind {
                HEADERS if stream == wanted => return Outcome::Answered(status(&payload)),
                RST_STREAM if stream == wanted => return Outcome::Reset(code(0).unwrap()),
                GOAWAY if code(4) != Some(0) => return Outcome::GoAway(code(4).unwrap()),
                _ => {}
            }
        }
    }

    /// Reads on until the connection has its end.
    pub(crate) async fn end(&mut self) -> Outcome {
        self.outcome_of(u32::MAX).await
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(crate) fn headers(stream: u32, block: &[u8], ends: bool) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | if ends { END_STREAM } else { 0 }, stream, block)
}

/// A head that goes on in `CONTINUATION`.
pub(crate) fn open_headers(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_STREAM, stream, block)
}

pub(crate) fn data(stream: u32, body: &[u8], ends: bool) -> Vec<u8> {
    frame(DATA, u8::from(ends), stream, body)
}

pub(crate) fn reset(stream: u32) -> Vec<u8> {
    // CANCEL (RFC 9113 §7).
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

/// A field as a literal, without index and without Huffman (RFC 7541 §6.2.2): any bytes.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        let length = text.len();
        if length < 127 {
            bytes.push(u8::try_from(length).unwrap());
        } else {
            bytes.push(127);
            let mut rest = length - 127;
            while rest >= 128 {
                bytes.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            bytes.push(u8::try_from(rest).unwrap());
        }
        bytes.extend(text.as_bytes());
    }
    bytes
}

pub(crate) fn head(method: &str, path: &str, authority: &str) -> Vec<u8> {
    let fields = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)];
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

/// `:status`, which comes first: indexed, or a literal of the static name 8, its digits with or
/// without Huffman (RFC 7541 appendices A, B).
fn status(block: &[u8]) -> u16 {
    match block {
        [indexed @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        [0x48 | 0x08 | 0x18, 3, digits @ ..] => std::str::from_utf8(&digits[..3]).unwrap().parse().unwrap(),
        [0x48 | 0x08 | 0x18, length, coded @ ..] if length & 0x80 != 0 => {
            let bits: Vec<bool> =
                coded.iter().flat_map(|byte| (0..8).map(move |at| byte >> (7 - at) & 1 == 1)).collect();
            let number = |bits: &[bool]| bits.iter().fold(0_u16, |sum, bit| sum << 1 | u16::from(*bit));
            let mut rest = &bits[..];
            (0..3).fold(0, |sum, _| {
                let (digit, length) = match number(&rest[..5]) {
                    short @ 0..=2 => (short, 5),
                    _ => (number(&rest[..6]) - 22, 6),
                };
                rest = &rest[length..];
                sum * 10 + digit
            })
        }
        _ => panic!("no status at the beginning of {block:02x?}"),
    }
}

#[test]
fn a_status_is_read_in_each_of_its_forms() {
    assert_eq!(status(&[0x88, 0x5f]), 200);
    assert_eq!(status(&[0x8d]), 404);
    assert_eq!(status(&[0x48, 3, b'4', b'3', b'1']), 431);
    // 4 = 011010, 3 = 011001, 1 = 00001, then ones.
    assert_eq!(status(&[0x48, 0x83, 0b0110_1001, 0b1001_0000, 0b1111_1111]), 431);
}
