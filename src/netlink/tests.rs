//! No bytes that come in can make the readers panic or go on for ever, and what we send is framed
//! as the kernel wants it.

use proptest::prelude::*;

use super::bytes::{u16_at, u32_at};
use super::frame::{Body, HEADER_BYTES, Request, encode, replies};
use super::{address, attribute, conntrack, link, read, route};
use crate::addr::LinkIndex;
use crate::errno::Errno;

/// A message of the kernel's, with its length set right.
fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER_BYTES + payload.len()).expect("small");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn attribute_bytes(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("small");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn read_all(bytes: &[u8]) {
    let _ = (read::LINK.read)(bytes);
    let _ = (read::READINESS.read)(bytes);
    let _ = (read::OWN_ADDRESS.read)(bytes);
    let _ = (read::ADDRESS.read)(bytes);
    let _ = (read::ROUTE.read)(bytes);
    let _ = (conntrack::FLOW.read)(bytes);
    let _ = (conntrack::COUNT.read)(bytes);
}

proptest! {
    #[test]
    fn any_datagram_is_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let count = replies(&bytes).count();
        prop_assert!(count <= bytes.len() / HEADER_BYTES + 1);
        read_all(&bytes);
        prop_assert!(attribute::walk(&bytes).count() <= bytes.len() / 4 + 1);
    }

    #[test]
    fn any_body_of_any_type_is_read_to_an_end(
        kind in any::<u16>(),
        flags in any::<u16>(),
        payload in proptest::collection::vec(any::<u8>(), 0..256),
    ) {
        let datagram = message(kind, flags, 7, &payload);
        for reply in replies(&datagram).flatten() {
            if let Body::Object(_, body) = reply.body {
                read_all(body);
            }
        }
    }

    #[test]
    fn truncating_a_message_never_panics(cut in 0usize..80) {
        let attributes = [attribute_bytes(3, b"eth0\0"), attribute_bytes(20, b"alias\0")].concat();
        let body = [vec![0; 16], attributes].concat();
        let whole = message(16, 0, 1, &body);
        let cut = cut.min(whole.len());
        for reply in replies(&whole[..cut]).flatten() {
            if let Body::Object(_, body) = reply.body {
                read_all(body);
            }
        }
    }

    #[test]
    fn a_refusal_carries_the_kernels_words(text in "[ -~]{0,60}", capped in any::<bool>()) {
        const CAPPED: u16 = 0x100;
        const TLVS: u16 = 0x200;
        let request = message(16, 5, 9, &[0xaa; 24]);
        let echoed = if capped { &request[..HEADER_BYTES] } else { &request[..] };
        let words = attribute_bytes(1, format!("{text}\0").as_bytes());
        let payload = [&(-17i32).to_ne_bytes()[..], echoed, &words].concat();
        let flags = TLVS | if capped { CAPPED } else { 0 };
        let datagram = message(2, flags, 9, &payload);
        let reply = replies(&datagram).next().expect("a message").expect("well formed");
        let Body::Refused(refusal) = reply.body else { panic!("{reply:?}") };
        prop_assert_eq!(refusal.errno, Errno::EEXIST);
        prop_assert_eq!(refusal.words, Some(text));
    }
}

#[test]
fn requests_are_numbered_aligned_and_only_the_last_asks_for_an_answer() {
    const REQUEST: u16 = 1;
    const ACK: u16 = 4;
    let index = LinkIndex::new(7).expect("an index");
    let requests = [
        link::set_alias(index, "a"),
        address::add(index, "10.0.0.1/24".parse().expect("a net")),
        link::delete(index),
    ];
    let bytes = encode(&requests, 40);
    let mut start = 0;
    for number in 0..3u32 {
        let length = usize::try_from(u32_at(&bytes, start).expect("a header")).expect("small");
        let flags = u16_at(&bytes, start + 6).expect("a header");
        assert_eq!(u32_at(&bytes, start + 8), Some(40 + number));
        assert_eq!(flags & REQUEST, REQUEST);
        assert_eq!(flags & ACK != 0, number == 2);
        start += length.next_multiple_of(4);
    }
    assert_eq!(start, bytes.len());
}

#[test]
fn dumps_of_all_kinds_are_requests_for_everything() {
    const DUMP: u16 = 0x300;
    let dumps: [Request; 3] = [link::dump(), address::dump(), route::dump()];
    for dump in dumps {
        let flags = u16_at(&encode(&[dump], 1), 6).expect("a header");
        assert_eq!(flags & DUMP, DUMP);
    }
}

#[test]
fn an_empty_body_is_no_object() {
    assert_eq!((read::LINK.read)(&[]), None);
    assert_eq!((read::ADDRESS.read)(&[]), None);
    assert_eq!((read::ROUTE.read)(&[]), None);
}
