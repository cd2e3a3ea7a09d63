//! A connection that hands on what is framed in one way alone.
//!
//! The parser behind tolerates more, so a violation reaches it as a byte that it refuses, and
//! nothing after it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::{Ambiguous, Framing};

/// No line of HTTP may hold it, in any place.
const POISON: u8 = 0;

/// A connection whose incoming bytes are framed in one way only.
pub(super) struct Strict<T> {
    inner: T,
    /// Nothing where another protocol frames the messages.
    framing: Option<Framing>,
    refused: bool,
}

impl<T> Strict<T> {
    pub(super) fn new(inner: T, framing: Option<Framing>) -> Self {
        Self { inner, framing, refused: false }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Strict<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.refused {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if let Some(framing) = &mut self.framing
            && let Err(Ambiguous { at }) = framing.scan(fresh)
        {
            self.refused = true;
            buf.set_filled(before + at);
            // There is room: at least the refused byte stood there.
            buf.put_slice(&[POISON]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Strict<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_reader_gets_what_was_clear_then_a_byte_it_refuses_and_no_more() {
        let text = "GET / HTTP/1.1\r\nX: a\nContent-Length: 5\r\n\r\nhello";
        let mut read = Vec::new();
        Strict::new(text.as_bytes(), Some(Framing::default())).read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"GET / HTTP/1.1\r\nX: a\0");
    }
}
