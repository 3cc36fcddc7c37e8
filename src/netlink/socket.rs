//! A blocking netlink socket: sends a batch, matches the answers by sequence number, repeats a
//! disturbed dump. It must not know what the messages mean.

mod monitor;
pub(crate) mod nft;
mod wire;

use std::time::{Duration, Instant};

use netlink_sys::Socket;
use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBuf, ReceiveTimeout};
use nix::sys::time::TimeVal;

use super::frame::{Body, Refusal, Request, encode, replies};
use super::read::Reader;
use crate::errno::Errno;
pub(crate) use monitor::{Bell, Monitor};
use wire::Wire;

/// The kernel answers within the send itself; whoever waits this long waits for nothing.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// How long a dump that is disturbed is repeated in the hope of a moment without changes, and how
/// often at the least.
const PATIENCE: Duration = Duration::from_millis(50);
const DISTURBED_ENOUGH: u32 = 4;

/// What became of one request of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The kernel did it.
    Done,
    /// The kernel refused it, and went on with the next.
    Refused(Refusal),
    /// The answer was lost: it may have been done or not.
    Unknown(Errno),
}

#[derive(Debug)]
pub(crate) struct NetlinkSocket(Wire);

impl NetlinkSocket {
    /// A socket for links, addresses, routes and rules, into the namespace of the calling thread.
    /// It stays there, whoever uses it.
    pub(crate) fn route() -> Result<Self, Errno> {
        Self::open(NETLINK_ROUTE).map_err(|error| Errno::from(&error))
    }

    /// One for what netfilter keeps.
    pub(crate) fn netfilter() -> Result<Self, Errno> {
        Self::open(NETLINK_NETFILTER).map_err(|error| Errno::from(&error))
    }

    fn open(protocol: isize) -> std::io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        // kernels before 4.20 do not have it, and then filter nothing
        let _unfiltered = socket.set_netlink_get_strict_chk(true);
        let timeout = TimeVal::new(i64::try_from(DEADLINE.as_secs()).unwrap_or(i64::MAX), 0);
        setsockopt(&socket, ReceiveTimeout, &timeout)?;
        setsockopt(&socket, RcvBuf, &(1 << 20))?;
        Ok(Self(Wire::new(socket)))
    }

    /// What no other namespace has had since the machine was started; 0 where the kernel tells none, as
    /// before 5.14.
    pub(crate) fn namespace_cookie(&self) -> u64 {
        self.0.namespace_cookie()
    }

    /// Sends all requests at once and tells what became of each, in their order. A refused one
    /// does not keep the kernel from the later ones.
    pub(crate) fn transact(&mut self, requests: &[Request]) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Done; requests.len()];
        if requests.is_empty() {
            return outcomes;
        }
        let first = self.0.take_sequences(requests.len());
        if let Err(errno) = self.0.send(&encode(requests, first)) {
            // nothing of a datagram that could not be sent has been done
            outcomes.fill(Outcome::Refused(errno.into()));
            return outcomes;
        }
        if let Err(errno) = self.collect(first, &mut outcomes) {
            for outcome in &mut outcomes {
                if *outcome == Outcome::Done {
                    *outcome = Outcome::Unknown(errno);
                }
            }
        }
        outcomes
    }

    /// Sends one request and returns when the kernel has answered it.
    pub(crate) fn call(&mut self, request: Request) -> Result<(), Refusal> {
        match self.transact(std::slice::from_ref(&request)).pop() {
            Some(Outcome::Done) | None => Ok(()),
            Some(Outcome::Refused(refusal)) => Err(refusal),
            Some(Outcome::Unknown(errno)) => Err(errno.into()),
        }
    }

    /// One object.
    pub(crate) fn get<T>(
        &mut self,
        request: Request,
        reader: &Reader<T>,
    ) -> Result<Option<T>, Refusal> {
        let first = self.0.take_sequences(1);
        self.0
            .send(&encode(std::slice::from_ref(&request), first))?;
        let mut found = None;
        self.each_reply(first, |body| match body {
            Body::Object(of_kind, bytes) => {
                if *of_kind == reader.kind {
                    found = (reader.read)(bytes);
                }
                Flow::Continue
            }
            Body::Acknowledged | Body::Done => Flow::Stop,
            Body::Refused(refusal) => Flow::Refuse(refusal.clone()),
            Body::Overrun => Flow::Refuse(Errno::ENOBUFS.into()),
        })?;
        Ok(found)
    }

    /// All objects, as they were at one moment: a dump that a change disturbed, or of which
    /// messages were lost, is repeated.
    ///
    /// Where changes never pause, one disturbed dump follows another. What was there all the while
    /// is then in their union: the kernel goes on after the last object that it told of, so that
    /// it leaves out only what comes or goes. Something that has gone since may be in it.
    pub(crate) fn dump<T: PartialEq>(
        &mut self,
        request: Request,
        reader: &Reader<T>,
    ) -> Result<Vec<T>, Refusal> {
        self.dump_only(request, reader, |_| true)
    }

    /// As [`dump`](Self::dump), of the objects that are `wanted`.
    pub(crate) fn dump_only<T: PartialEq>(
        &mut self,
        request: Request,
        reader: &Reader<T>,
        wanted: impl Fn(&T) -> bool,
    ) -> Result<Vec<T>, Refusal> {
        let begin = Instant::now();
        let request = [request];
        let mut union: Vec<T> = Vec::new();
        let mut disturbed = 0;
        loop {
            match self.try_dump(&request, reader, &wanted) {
                Ok((objects, Calm::Still)) => return Ok(objects),
                Ok((objects, Calm::Disturbed)) => {
                    disturbed += 1;
                    union.retain(|object| !objects.contains(object));
                    union.extend(objects);
                }
                Err(refusal) if refusal.errno == Errno::ENOBUFS => {}
                Err(refusal) => return Err(refusal),
            }
            if disturbed >= DISTURBED_ENOUGH && begin.elapsed() > PATIENCE {
                return Ok(union);
            }
            if begin.elapsed() > DEADLINE {
                return Err(Errno::ETIMEDOUT.into());
            }
        }
    }

    fn try_dump<T>(
        &mut self,
        request: &[Request],
        reader: &Reader<T>,
        wanted: impl Fn(&T) -> bool,
    ) -> Result<(Vec<T>, Calm), Refusal> {
        let first = self.0.take_sequences(1);
        self.0.send(&encode(request, first))?;
        let mut objects = Vec::new();
        let calm = self.each_reply(first, |body| match body {
            Body::Object(of_kind, bytes) => {
                if *of_kind == reader.kind {
                    objects.extend((reader.read)(bytes).filter(&wanted));
                }
                Flow::Continue
            }
            Body::Done | Body::Acknowledged => Flow::Stop,
            Body::Refused(refusal) => Flow::Refuse(refusal.clone()),
            Body::Overrun => Flow::Refuse(Errno::ENOBUFS.into()),
        })?;
        Ok((objects, calm))
    }

    /// Reads until the last request of the batch is answered.
    fn collect(&mut self, first: u32, outcomes: &mut [Outcome]) -> Result<(), Errno> {
        let mut waiting = true;
        while waiting {
            for reply in replies(self.receive()?) {
                let reply = reply.map_err(|_| Errno::EIO)?;
                let Ok(index) = usize::try_from(reply.sequence.wrapping_sub(first)) else {
                    continue;
                };
                let last = index + 1 == outcomes.len();
                // an answer to an earlier batch, given up when its deadline passed
                let Some(outcome) = outcomes.get_mut(index) else {
                    continue;
                };
                match reply.body {
                    Body::Acknowledged => waiting &= !last,
                    Body::Refused(refusal) => {
                        *outcome = Outcome::Refused(refusal);
                        waiting &= !last;
                    }
                    Body::Overrun => return Err(Errno::ENOBUFS),
                    Body::Done | Body::Object(..) => {}
                }
            }
        }
        Ok(())
    }

    /// Hands each reply to one request to `react` until it stops; tells whether one of them said
    /// that the dump was disturbed.
    fn each_reply(
        &mut self,
        sequence: u32,
        mut react: impl FnMut(&Body<'_>) -> Flow,
    ) -> Result<Calm, Refusal> {
        let mut calm = Calm::Still;
        loop {
            for reply in replies(self.receive()?) {
                let reply = reply.map_err(|_| Errno::EIO)?;
                if reply.sequence != sequence {
                    continue;
                }
                if reply.interrupted {
                    calm = Calm::Disturbed;
                }
                match react(&reply.body) {
                    Flow::Continue => {}
                    Flow::Stop => return Ok(calm),
                    Flow::Refuse(refusal) => return Err(refusal),
                }
            }
        }
    }

    fn receive(&mut self) -> Result<&[u8], Errno> {
        self.0.receive().map_err(|errno| match errno {
            Errno::EAGAIN => Errno::ETIMEDOUT,
            errno => errno,
        })
    }
}

/// Whether anything changed while the kernel told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Calm {
    Still,
    Disturbed,
}

enum Flow {
    Continue,
    Stop,
    Refuse(Refusal),
}
