//! A socket for nf_tables: a transaction is one datagram, and the kernel has done it or refused it
//! when the send returns. It must not know what the changes mean.
//!
//! Closing it after a transaction that removed something waits for the kernel to free that; whoever
//! commits often keeps it open.

use std::time::{Duration, Instant};

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_NETFILTER;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, SndBuf, SndBufForce};
use nix::sys::socket::{getsockopt, setsockopt};

use super::wire::Wire;
use crate::errno::Errno;
use crate::netlink::frame::{Body, Refusal, Reply, replies};
use crate::netlink::nft::read::{self, Query};
use crate::netlink::nft::{Batch, Change, Place, encode};
use crate::plan::nft::{Set, Table, TableFamily};

/// The kernel counts twice what is asked for, and holds nothing in reserve for it.
const SEND_BUFFER_BYTES: usize = 64 << 20;
pub(super) const RECEIVE_BUFFER_BYTES: usize = 8 << 20;
/// What the kernel keeps back of a send buffer (`netlink_sendmsg`).
const RESERVED_BYTES: usize = 32;
/// How often a transaction is tried that something passing was in the way of.
const ATTEMPTS: u32 = 8;
/// How long, and how often at the least, a dump that is disturbed is repeated.
const PATIENCE: Duration = Duration::from_secs(1);
const DISTURBED_ENOUGH: u32 = 16;

/// Why a transaction was not done. Nothing of it has been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommitError {
    /// Somebody else has changed something since that generation.
    Stale,
    /// It is longer than the longest datagram that this socket may send.
    TooLarge { bytes: usize, limit: usize },
    /// The kernel refused it, because of that change if it says so.
    Refused {
        place: Option<Place>,
        refusal: Refusal,
    },
    /// The kernel's answer is lost: it may have been done after all.
    Unknown(Errno),
}

#[derive(Debug)]
pub(crate) struct NftSocket {
    wire: Wire,
    /// By which the kernel knows it among those of its namespace.
    port: u32,
}

impl NftSocket {
    /// A socket into the namespace of the calling thread. It stays there, whoever uses it.
    pub(crate) fn open() -> Result<Self, Errno> {
        Self::try_open().map_err(|error| Errno::from(&error))
    }

    fn try_open() -> std::io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        let port = socket.bind_auto()?.port_number();
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        socket.set_non_blocking(true)?;
        // past the host's limit where the privilege is that of the host, else up to it
        if setsockopt(&socket, SndBufForce, &SEND_BUFFER_BYTES).is_err() {
            setsockopt(&socket, SndBuf, &SEND_BUFFER_BYTES)?;
        }
        if setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER_BYTES).is_err() {
            setsockopt(&socket, RcvBuf, &RECEIVE_BUFFER_BYTES)?;
        }
        let wire = Wire::new(socket);
        Ok(Self { wire, port })
    }

    pub(crate) fn port(&self) -> u32 {
        self.port
    }

    /// All changes or none. With a generation, none if anybody has changed anything since.
    pub(crate) fn commit(
        &mut self,
        changes: &[Change<'_>],
        generation: Option<u32>,
    ) -> Result<(), CommitError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.try_commit(changes, generation) {
                Err(CommitError::Refused { refusal, .. })
                    if is_passing(refusal.errno) && attempts < ATTEMPTS =>
                {
                    std::thread::yield_now();
                }
                answer => return answer,
            }
        }
    }

    fn try_commit(
        &mut self,
        changes: &[Change<'_>],
        generation: Option<u32>,
    ) -> Result<(), CommitError> {
        let batch = encode(changes, generation, self.wire.next_sequence());
        if batch.is_empty() {
            return Ok(());
        }
        self.wire.take_sequences(batch.sequences());
        self.wire.send(&batch.bytes).map_err(|errno| match errno {
            Errno::EMSGSIZE => CommitError::TooLarge {
                bytes: batch.bytes.len(),
                limit: self.limit(),
            },
            errno => refused(None, errno.into()),
        })?;
        self.collect(&batch, generation)
    }

    /// Reads what the kernel said of the batch, all of which it has said by now.
    fn collect(&mut self, batch: &Batch, generation: Option<u32>) -> Result<(), CommitError> {
        let mut first = None;
        loop {
            let datagram = match self.wire.receive() {
                Ok(datagram) => datagram,
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(CommitError::Unknown(errno)),
            };
            for reply in replies(datagram) {
                let reply = reply.map_err(|_| CommitError::Unknown(Errno::EIO))?;
                if !batch.has(reply.sequence) {
                    continue;
                }
                match reply.body {
                    Body::Refused(refusal) => {
                        let place = batch.place(reply.sequence, reply.offset);
                        first.get_or_insert((place, refusal));
                    }
                    Body::Acknowledged if batch.is_last(reply.sequence) => {
                        return first.map_or(Ok(()), |first| Err(judge(first, generation)));
                    }
                    Body::Overrun => return Err(CommitError::Unknown(Errno::ENOBUFS)),
                    Body::Acknowledged | Body::Done | Body::Object(..) => {}
                }
            }
        }
        // a batch that is refused as a whole has no answer to its last message
        match first {
            Some(first) => Err(judge(first, generation)),
            None => Err(CommitError::Unknown(Errno::EIO)),
        }
    }

    /// The longest datagram that it may send.
    fn limit(&self) -> usize {
        let bytes = getsockopt(&self.wire.socket, SndBuf).unwrap_or_default();
        bytes.saturating_sub(RESERVED_BYTES)
    }

    /// The number of the last transaction of anybody's in this namespace.
    pub(crate) fn generation(&mut self) -> Result<u32, Refusal> {
        let found = self.query(read::generation_query, read::generation)?;
        found.first().copied().ok_or(Errno::EIO.into())
    }

    /// All tables of all families.
    pub(crate) fn tables(&mut self) -> Result<Vec<read::TableState>, Refusal> {
        self.query(read::tables_query, read::table)
    }

    /// All chains of all tables.
    pub(crate) fn chains(&mut self) -> Result<Vec<read::ChainState>, Refusal> {
        self.query(read::chains_query, read::chain)
    }

    /// The rules of one chain in their order; none if there is no such chain.
    pub(crate) fn rules(
        &mut self,
        family: TableFamily,
        table: &str,
        chain: &str,
    ) -> Result<Vec<read::RuleState>, Refusal> {
        self.rules_of(read::number_of(family), table, chain)
    }

    /// As [`rules`](Self::rules), of a table of anybody's, by its family's number.
    pub(crate) fn rules_of(
        &mut self,
        family: u8,
        table: &str,
        chain: &str,
    ) -> Result<Vec<read::RuleState>, Refusal> {
        self.query(
            |sequence| read::rules_query(sequence, family, table, chain),
            read::rule,
        )
    }

    /// The rules of all chains of one table, each chain's in their order.
    pub(crate) fn all_rules(
        &mut self,
        family: TableFamily,
        table: &str,
    ) -> Result<Vec<read::RuleState>, Refusal> {
        self.query(
            |sequence| read::all_rules_query(sequence, family, table),
            read::rule,
        )
    }

    /// The sets of one table.
    pub(crate) fn sets(
        &mut self,
        family: TableFamily,
        table: &str,
    ) -> Result<Vec<read::SetState>, Refusal> {
        self.query(
            |sequence| read::sets_query(sequence, family, table),
            read::set,
        )
    }

    /// What is in a set of ours.
    pub(crate) fn elements(&mut self, table: &Table, set: &Set) -> Result<read::Contents, Refusal> {
        let entries = self.query(
            |sequence| read::elements_query(sequence, table, set),
            |body| Some(read::entries(body)),
        )?;
        let entries = entries.into_iter().flatten().collect();
        Ok(read::assemble(entries, table, set))
    }

    /// All answers, as they were at one moment: what a change disturbed is asked again.
    fn query<T>(
        &mut self,
        query: impl Fn(u32) -> Query,
        reader: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Refusal> {
        let begin = Instant::now();
        let mut disturbed = 0;
        loop {
            let sequence = self.wire.take_sequences(1);
            let outcome = self.try_query(&query(sequence), sequence, &reader);
            match outcome {
                Err(refusal) if is_disturbance(refusal.errno) => disturbed += 1,
                outcome => return outcome,
            }
            if disturbed >= DISTURBED_ENOUGH && begin.elapsed() > PATIENCE {
                return Err(Errno::EINTR.into());
            }
        }
    }

    fn try_query<T>(
        &mut self,
        query: &Query,
        sequence: u32,
        reader: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Refusal> {
        self.wire.send(&query.bytes)?;
        let mut found = Vec::new();
        let mut disturbed = false;
        loop {
            for reply in replies(self.wire.receive()?) {
                let reply = reply.map_err(|_| Errno::EIO)?;
                if reply.sequence != sequence {
                    continue;
                }
                let Reply {
                    body, interrupted, ..
                } = reply;
                disturbed |= interrupted;
                match body {
                    Body::Object(kind, bytes) if kind == query.answer => {
                        found.extend(reader(bytes));
                    }
                    Body::Object(..) => {}
                    Body::Acknowledged | Body::Done if disturbed => return Err(Errno::EINTR.into()),
                    Body::Acknowledged | Body::Done => return Ok(found),
                    Body::Refused(refusal) => return Err(refusal),
                    Body::Overrun => return Err(Errno::ENOBUFS.into()),
                }
            }
        }
    }
}

fn refused(place: Option<Place>, refusal: Refusal) -> CommitError {
    CommitError::Refused { place, refusal }
}

fn judge((place, refusal): (Option<Place>, Refusal), generation: Option<u32>) -> CommitError {
    match place {
        None if refusal.errno == Errno::ERESTART && generation.is_some() => CommitError::Stale,
        place => refused(place, refusal),
    }
}

/// Whether the same may be taken a moment later.
fn is_passing(errno: Errno) -> bool {
    [Errno::EBUSY, Errno::EAGAIN, Errno::EINTR, Errno::ERESTART].contains(&errno)
}

/// Whether an answer is to be asked for again.
fn is_disturbance(errno: Errno) -> bool {
    [Errno::EINTR, Errno::EAGAIN, Errno::ENOBUFS].contains(&errno)
}

#[cfg(test)]
mod tests;
