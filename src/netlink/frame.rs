//! Frames: requests to bytes, and the bytes of an answer to replies. Pure.
//!
//! rfc3549 §2.2, uapi/linux/netlink.h

use netlink_packet_core::Emitable;
use netlink_packet_route::RouteNetlinkMessage;
use nix::libc;

use super::attribute::find;
use super::bytes::{align, u16_at, u32_at};
use crate::errno::Errno;

pub(crate) const HEADER_BYTES: usize = 16;

const NLM_F_REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const NLM_F_ACK: u16 = libc::NLM_F_ACK as u16;
const NLM_F_DUMP: u16 = libc::NLM_F_DUMP as u16;
const NLM_F_CREATE: u16 = libc::NLM_F_CREATE as u16;
const NLM_F_EXCL: u16 = libc::NLM_F_EXCL as u16;
const NLM_F_REPLACE: u16 = libc::NLM_F_REPLACE as u16;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;

const NLMSG_ERROR: u16 = libc::NLMSG_ERROR as u16;
const NLMSG_DONE: u16 = libc::NLMSG_DONE as u16;
const NLMSG_OVERRUN: u16 = libc::NLMSG_OVERRUN as u16;
const NLMSGERR_ATTR_MSG: u16 = 1;
const NLMSGERR_ATTR_OFFS: u16 = 2;

/// What a request wants of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// The object must not be there yet.
    Create,
    /// The object takes the place of one like it, or there is none yet.
    Replace,
    /// The object is there, or goes.
    Change,
    /// One object is read.
    Get,
    /// All objects are read.
    Dump,
}

/// One message to the kernel.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    intent: Intent,
    kind: u16,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn create(message: RouteNetlinkMessage) -> Self {
        Self::of_route(Intent::Create, &message)
    }

    pub(crate) fn replace(message: RouteNetlinkMessage) -> Self {
        Self::of_route(Intent::Replace, &message)
    }

    pub(crate) fn change(message: RouteNetlinkMessage) -> Self {
        Self::of_route(Intent::Change, &message)
    }

    pub(crate) fn get(message: RouteNetlinkMessage) -> Self {
        Self::of_route(Intent::Get, &message)
    }

    pub(crate) fn dump(message: RouteNetlinkMessage) -> Self {
        Self::of_route(Intent::Dump, &message)
    }

    fn of_route(intent: Intent, message: &RouteNetlinkMessage) -> Self {
        // zeroed, padding included: a strict kernel refuses anything else
        let mut body = vec![0; message.buffer_len()];
        message.emit(&mut body);
        Self::new(intent, message.message_type(), body)
    }

    /// A message of any kind, with all that comes after the header.
    pub(crate) fn new(intent: Intent, kind: u16, body: Vec<u8>) -> Self {
        Self { intent, kind, body }
    }
}

/// All requests as one datagram. They are numbered from `first_sequence`, and the last asks for an
/// acknowledgement; the kernel reports an error of any of them unasked.
pub(crate) fn encode(requests: &[Request], first_sequence: u32) -> Vec<u8> {
    let total = requests
        .iter()
        .map(|r| align(HEADER_BYTES + r.body.len()))
        .sum();
    let mut bytes = vec![0; total];
    let mut start = 0;
    for (index, request) in requests.iter().enumerate() {
        let length = HEADER_BYTES + request.body.len();
        let last = index + 1 == requests.len();
        let frame = &mut bytes[start..start + length];
        let sequence = first_sequence.wrapping_add(u32::try_from(index).unwrap_or(u32::MAX));
        write_header(frame, request, sequence, last);
        frame[HEADER_BYTES..].copy_from_slice(&request.body);
        start += align(length);
    }
    bytes
}

fn write_header(frame: &mut [u8], request: &Request, sequence: u32, last: bool) {
    let mut flags = NLM_F_REQUEST;
    flags |= match request.intent {
        Intent::Create => NLM_F_CREATE | NLM_F_EXCL,
        Intent::Replace => NLM_F_CREATE | NLM_F_REPLACE,
        Intent::Dump => NLM_F_DUMP,
        Intent::Change | Intent::Get => 0,
    };
    if last && request.intent != Intent::Dump {
        flags |= NLM_F_ACK;
    }
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    frame[0..4].copy_from_slice(&length.to_ne_bytes());
    frame[4..6].copy_from_slice(&request.kind.to_ne_bytes());
    frame[6..8].copy_from_slice(&flags.to_ne_bytes());
    frame[8..12].copy_from_slice(&sequence.to_ne_bytes());
}

/// One message of the kernel's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply<'a> {
    pub(crate) sequence: u32,
    /// The port of the socket that it answers, or that asked for the change that it tells of.
    pub(crate) port: u32,
    /// Whether a dump was disturbed by a change, so that it must be repeated.
    pub(crate) interrupted: bool,
    /// Where in the request the attribute is that a refusal is about, if the kernel says so.
    pub(crate) offset: Option<usize>,
    pub(crate) body: Body<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body<'a> {
    /// The request was carried out.
    Acknowledged,
    /// It was not.
    Refused(Refusal),
    /// The dump is complete.
    Done,
    /// An object, by its message type and the bytes after the header.
    Object(u16, &'a [u8]),
    /// Messages were lost.
    Overrun,
}

/// Why the kernel refused a request, in its own words where it has some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) errno: Errno,
    pub(crate) words: Option<String>,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self { errno, words: None }
    }
}

/// The bytes are not netlink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Garbled;

/// The messages of one datagram.
pub(crate) fn replies(datagram: &[u8]) -> Replies<'_> {
    Replies { rest: datagram }
}

/// An iterator over the messages of a datagram. It ends after the first that is garbled.
#[derive(Debug)]
pub(crate) struct Replies<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Replies<'a> {
    type Item = Result<Reply<'a>, Garbled>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (frame, rest) = split_frame(self.rest);
        self.rest = rest;
        Some(frame.and_then(parse).ok_or(Garbled))
    }
}

fn split_frame(bytes: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let length = u32_at(bytes, 0).and_then(|length| usize::try_from(length).ok());
    match length {
        Some(length) if length >= HEADER_BYTES && length <= bytes.len() => (
            Some(&bytes[..length]),
            bytes.get(align(length)..).unwrap_or_default(),
        ),
        _ => (None, &[]),
    }
}

fn parse(frame: &[u8]) -> Option<Reply<'_>> {
    let kind = u16_at(frame, 4)?;
    let flags = u16_at(frame, 6)?;
    let sequence = u32_at(frame, 8)?;
    let port = u32_at(frame, 12)?;
    let payload = frame.get(HEADER_BYTES..)?;
    let mut offset = None;
    let body = match kind {
        NLMSG_ERROR => {
            let attributes = error_attributes(payload, flags);
            offset = find(attributes, NLMSGERR_ATTR_OFFS).and_then(|value| u32_at(value, 0));
            verdict(payload, attributes)?
        }
        NLMSG_DONE => done(payload, flags),
        NLMSG_OVERRUN => Body::Overrun,
        kind => Body::Object(kind, payload),
    };
    Some(Reply {
        sequence,
        port,
        interrupted: flags & NLM_F_DUMP_INTR != 0,
        offset: offset.and_then(|offset| usize::try_from(offset).ok()),
        body,
    })
}

/// A dump can fail at its end; its payload is then the error number and the kernel's words.
fn done(payload: &[u8], flags: u16) -> Body<'static> {
    let attributes = if flags & NLM_F_ACK_TLVS != 0 {
        payload.get(4..)
    } else {
        None
    };
    match verdict(payload, attributes.unwrap_or_default()) {
        Some(Body::Refused(refusal)) => Body::Refused(refusal),
        _ => Body::Done,
    }
}

fn verdict(payload: &[u8], attributes: &[u8]) -> Option<Body<'static>> {
    let number = i32::from_ne_bytes(payload.get(..4)?.try_into().ok()?);
    if number == 0 {
        return Some(Body::Acknowledged);
    }
    let errno = Errno::from_raw(number.saturating_neg());
    Some(Body::Refused(Refusal {
        errno,
        words: words(attributes),
    }))
}

/// The attributes after an error stand behind the request, or behind its header if it is capped.
fn error_attributes(payload: &[u8], flags: u16) -> &[u8] {
    if flags & NLM_F_ACK_TLVS == 0 {
        return &[];
    }
    let request = match u32_at(payload, 4).and_then(|length| usize::try_from(length).ok()) {
        Some(length) if flags & NLM_F_CAPPED == 0 => align(length.min(payload.len())),
        _ => HEADER_BYTES,
    };
    payload.get(4 + request..).unwrap_or_default()
}

fn words(attributes: &[u8]) -> Option<String> {
    let message = find(attributes, NLMSGERR_ATTR_MSG)?;
    let text = message.split(|&byte| byte == 0).next()?;
    Some(String::from_utf8_lossy(text).into_owned())
}
