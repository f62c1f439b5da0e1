//! The stream of a connection, which reports to its [`Conversation`] what is received and sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::conversation::Conversation;

/// The most bytes from a caller that are discarded after its response: a body of usual size.
const THROWN_AWAY_MAX: usize = 16 * 1024 * 1024;

/// A stream that is watched.
pub(super) struct WatchedStream<S> {
    stream: S,
    conversation: Arc<Conversation>,
    /// How many bytes may still be discarded, once this end is shut.
    throws_away: Option<usize>,
}

impl<S> WatchedStream<S> {
    pub(super) fn new(stream: S, conversation: Arc<Conversation>) -> Self {
        Self { stream, conversation, throws_away: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.conversation.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.conversation.sends(written.is_ready());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.conversation.sends(written.is_ready());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.conversation.sends(flushed.is_ready());
        flushed
    }

    /// Closing a socket with unread bytes resets the connection, and the caller may lose its response. So further bytes
    /// are first read and discarded, for a while.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.throws_away.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.throws_away = Some(if self.conversation.closes() { THROWN_AWAY_MAX } else { 0 });
        }
        let mut scratch = [0; 8 * 1024];
        while let Some(left @ 1..) = self.throws_away {
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            let read = buffer.filled().len();
            self.throws_away = Some(if read == 0 { 0 } else { left.saturating_sub(read) });
        }
        Poll::Ready(Ok(()))
    }
}
