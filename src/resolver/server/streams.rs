//! Connections of clients (rfc7766): queries one after the other, each behind its length, and
//! answers in whichever order they come. Nothing of a client's is kept beyond a query and the
//! answers that it has not read yet. What is answered is decided elsewhere.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use nix::sys::epoll::EpollFlags;

use super::datagrams::MAX_QUERY_BYTES;
use super::engine::Place;
use crate::resolver::Client;

/// As much is read at once.
pub(super) const CHUNK_BYTES: usize = 4096;

/// Who has as much to read is not read from.
const MOST_UNREAD_BYTES: usize = 4096;

/// Who has more than this to read is given up.
const MAX_UNREAD_BYTES: usize = 64 * 1024;

/// What a length takes.
const LENGTH_BYTES: usize = 2;

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    Stays,
    /// It is to be closed.
    Ends,
}

/// What reading brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// There may be a query.
    Some,
    /// Nothing has come.
    Nothing,
    /// The client has said all that it had to say.
    End,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) client: Arc<Client>,
    pub(super) place: Arc<Place>,
    /// By which listener it came.
    pub(super) door: u64,
    /// When it last had a whole query, or took an answer.
    pub(super) used_at: Instant,
    /// What it is watched for.
    pub(super) watched: EpollFlags,
    /// Begins with a length.
    pending: Vec<u8>,
    /// What is still to come of a query that was too long, and is thrown away.
    excess: usize,
    unread: Vec<u8>,
    /// Of `unread`.
    written: usize,
    /// Queries that others are asked for.
    unanswered: usize,
    has_ended: bool,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        client: Arc<Client>,
        (door, place): (u64, Arc<Place>),
        now: Instant,
    ) -> Self {
        Self {
            stream,
            client,
            place,
            door,
            used_at: now,
            watched: EpollFlags::EPOLLIN,
            pending: Vec::new(),
            excess: 0,
            unread: Vec::new(),
            written: 0,
            unanswered: 0,
            has_ended: false,
        }
    }

    /// Makes nothing wait for it.
    pub(super) fn prepare(&self) -> io::Result<()> {
        self.stream.set_nonblocking(true)?;
        self.stream.set_nodelay(true)
    }

    /// What to watch it for: never for what would not be acted on.
    pub(super) fn wanted(&self, most_unanswered: usize) -> EpollFlags {
        let mut wanted = EpollFlags::empty();
        if !self.has_ended && self.is_attended(most_unanswered) {
            wanted |= EpollFlags::EPOLLIN;
        }
        if !self.unread.is_empty() {
            wanted |= EpollFlags::EPOLLOUT;
        }
        wanted
    }

    /// Whether its next query is looked at: not before it has taken its answers, and while it waits
    /// for too many others.
    pub(super) fn is_attended(&self, most_unanswered: usize) -> bool {
        self.unread_bytes() < MOST_UNREAD_BYTES && self.unanswered < most_unanswered.max(1)
    }

    fn unread_bytes(&self) -> usize {
        self.unread.len() - self.written
    }

    /// Whether nothing will come of it any more.
    pub(super) fn is_over(&self) -> bool {
        let is_done = self.unread.is_empty() && self.unanswered == 0;
        self.has_ended && is_done && self.next_query().is_none()
    }

    /// Reads what has come, at most a chunk of it.
    pub(super) fn read(&mut self, chunk: &mut [u8]) -> io::Result<Taken> {
        let length = match self.stream.read(chunk) {
            Ok(0) => {
                self.has_ended = true;
                return Ok(Taken::End);
            }
            Ok(length) => length,
            Err(error) if is_passing(&error) => return Ok(Taken::Nothing),
            Err(error) => return Err(error),
        };
        let skipped = self.excess.min(length);
        self.excess -= skipped;
        let fresh = chunk.get(skipped..length).unwrap_or_default();
        self.pending.extend_from_slice(fresh);
        Ok(Taken::Some)
    }

    /// Where in [`bytes`](Self::bytes) the next query is, if it is whole. One that is too long is
    /// cut, and thereby malformed.
    pub(super) fn next_query(&self) -> Option<Range<usize>> {
        let (length, _) = self.pending.split_first_chunk::<LENGTH_BYTES>()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(MAX_QUERY_BYTES);
        let query = LENGTH_BYTES..LENGTH_BYTES + length;
        (query.end <= self.pending.len()).then_some(query)
    }

    /// What has come and was not looked at yet.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.pending.get(range).unwrap_or_default()
    }

    /// The query that was next is done with.
    pub(super) fn pass(&mut self, now: Instant) {
        let Some((length, _)) = self.pending.split_first_chunk::<LENGTH_BYTES>() else {
            return;
        };
        let end = LENGTH_BYTES + usize::from(u16::from_be_bytes(*length));
        let passed = end.min(self.pending.len());
        self.pending.drain(..passed);
        self.excess = end - passed;
        self.used_at = now;
    }

    /// Others are asked for the query.
    pub(super) fn await_answer(&mut self) -> Fate {
        self.unanswered += 1;
        Fate::Stays
    }

    /// An answer for one of the queries that others were asked for.
    pub(super) fn answer_awaited(&mut self, reply: &[u8], now: Instant) -> Fate {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.answer(reply, now)
    }

    /// Takes an answer down; [`write`](Self::write) sends it.
    pub(super) fn answer(&mut self, reply: &[u8], now: Instant) -> Fate {
        let Ok(length) = u16::try_from(reply.len()) else {
            return Fate::Ends;
        };
        self.unread.extend_from_slice(&length.to_be_bytes());
        self.unread.extend_from_slice(reply);
        if self.unread_bytes() <= MAX_UNREAD_BYTES {
            return Fate::Stays;
        }
        match self.write(now) {
            Ok(()) if self.unread_bytes() <= MAX_UNREAD_BYTES => Fate::Stays,
            _ => Fate::Ends,
        }
    }

    /// Sends what the client takes.
    pub(super) fn write(&mut self, now: Instant) -> io::Result<()> {
        while let Some(rest) = self.unread.get(self.written..).filter(|r| !r.is_empty()) {
            match self.stream.write(rest) {
                Ok(length) => {
                    self.written += length;
                    self.used_at = now;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_passing(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.written = 0;
        self.unread.clear();
        self.unread.shrink_to(CHUNK_BYTES);
        Ok(())
    }
}

/// Whether it may do better next time.
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
