//! What is written is read as the same, whatever it is; what is read may be anything.

pub(crate) mod elements;

use std::net::Ipv4Addr;

use elements::{draw, each_set, together};
use proptest::prelude::*;

use super::{Change, Presence, encode, read};
use crate::addr::Subnet;
use crate::firewall::tables;
use crate::netlink::bytes::{u16_at, u32_at};
use crate::netlink::frame::{Body, replies};
use crate::plan::nft::{Element, Field, Ownership, Set, Table, TableFamily, Value};

/// The elements that the bytes of such a transaction stand for.
fn read_back(elements: &[Element], table: &Table, set: &Set) -> read::Contents {
    let batch = encode(&[Change::AddElements(elements, Presence::Refused)], None, 1);
    let messages = replies(&batch.bytes).map(|reply| reply.expect("well formed").body);
    let entries = messages.flat_map(|body| match body {
        Body::Object(_, body) => read::entries(body),
        other => panic!("{other:?}"),
    });
    read::assemble(entries.collect(), table, set)
}

#[test]
fn a_hundred_thousand_elements_are_read_as_they_were_written() {
    let tables = tables(Ownership::Shared);
    let sets: Vec<_> = each_set(&tables).collect();
    let count = 100_000 / sets.len() + 1;
    for (table, set) in sets {
        for element in draw(table, set, count) {
            let one = std::slice::from_ref(&element);
            let found = read_back(one, table, set);
            assert_eq!((found.elements.as_slice(), found.strange), (one, 0));
        }
    }
}

#[test]
fn elements_of_one_set_are_told_from_each_other_however_close_they_are() {
    let tables = tables(Ownership::Shared);
    for (table, set) in each_set(&tables) {
        let mut all = together(draw(table, set, 200));
        if let [Field::Subnet(_)] = all[0].key.as_slice() {
            // both edges of all addresses, and neighbours
            let texts = match all[0].key[0].field_type() {
                crate::plan::nft::FieldType::Ipv4 => [
                    "0.0.0.0/9",
                    "0.128.0.0/9",
                    "255.255.255.254/32",
                    "255.255.255.255/32",
                ],
                _ => ["::/9", "80::/9", "ffff::/17", "ffff:8000::/17"],
            };
            let value = all[0].value.clone();
            all = texts
                .map(|text| of_subnet(&all[0], text, value.clone()))
                .to_vec();
        }
        all.sort();
        let mut found = read_back(&all, table, set);
        found.elements.sort();
        assert_eq!((found.elements, found.strange), (all, 0), "{}", set.name);
    }
}

fn of_subnet(like: &Element, text: &str, value: Value) -> Element {
    Element {
        key: vec![Field::Subnet(text.parse::<Subnet>().expect("a subnet"))],
        value,
        ..like.clone()
    }
}

/// Byte for byte as `nft --debug=mnl` shows them: a mistake made twice would not be seen above.
#[test]
fn elements_have_the_bytes_that_nft_gives_them() {
    let element = Element {
        family: TableFamily::Inet,
        table: "t",
        set: "q",
        key: vec![
            Field::Subnet("10.1.0.0/16".parse().expect("a subnet")),
            Field::Link("a".parse().expect("a name")),
        ],
        value: Value::Fields(vec![
            Field::Ipv4(Ipv4Addr::new(1, 2, 3, 4)),
            Field::Port(crate::addr::Port::new(5).expect("a port")),
        ]),
        comment: "src".to_owned(),
    };
    let batch = encode(
        &[Change::AddElements(&[element], Presence::Accepted)],
        None,
        1,
    );
    let name = [b"a".as_slice(), &[0; 15]].concat();
    let expected: Vec<&[u8]> = vec![
        &[28, 0, 1, 0x80, 24, 0, 1, 0, 10, 1, 0, 0],
        &name,
        &[28, 0, 10, 0x80, 24, 0, 1, 0, 10, 1, 255, 255],
        &name,
        &[16, 0, 2, 0x80, 12, 0, 1, 0, 1, 2, 3, 4, 0, 5, 0, 0],
        &[10, 0, 6, 0, 0, 4, b's', b'r', b'c', 0, 0, 0],
    ];
    if cfg!(target_endian = "little") {
        let expected = expected.concat();
        let at = batch
            .bytes
            .windows(expected.len())
            .position(|w| w == expected);
        assert!(at.is_some(), "{:?}", batch.bytes);
    }
}

#[test]
fn messages_are_whole_padded_with_zeros_and_numbered_and_the_last_before_the_end_is_answered() {
    const ACK: u16 = 4;
    let tables = tables(Ownership::Shared);
    let changes: Vec<Change<'_>> = tables.iter().flat_map(super::whole).collect();
    let batch = encode(&changes, Some(0x0102_0304), 40);
    let mut starts = Vec::new();
    let mut at = 0;
    while at < batch.bytes.len() {
        starts.push(at);
        let length = u32_at(&batch.bytes, at).expect("a header");
        at += usize::try_from(length).expect("small");
        assert_eq!(at % 4, 0);
    }
    assert_eq!(at, batch.bytes.len());
    assert_eq!(starts.len(), batch.sequences());
    let last = starts.len() - 2;
    for (index, &start) in starts.iter().enumerate() {
        let sequence = u32_at(&batch.bytes, start + 8).expect("a header");
        let flags = u16_at(&batch.bytes, start + 6).expect("a header");
        assert!(batch.has(sequence));
        assert_eq!(
            (batch.is_last(sequence), flags & ACK != 0),
            (index == last, index == last)
        );
        let change = batch.place(sequence, None).map(|place| place.change);
        assert_eq!(
            change,
            index
                .checked_sub(1)
                .filter(|&change| change < changes.len())
        );
    }
    assert!(!batch.has(39) && !batch.has(40 + u32::try_from(starts.len()).expect("small")));
    // the generation, in network byte order
    assert_eq!(
        batch.bytes.get(20..28),
        Some([8, 0, 1, 0, 1, 2, 3, 4].as_slice())
    );
}

proptest! {
    #[test]
    fn any_body_is_read_to_an_end(body in proptest::collection::vec(any::<u8>(), 0..512)) {
        super::fuzz(&body);
    }

    #[test]
    fn a_message_with_any_bytes_changed_is_read_to_an_end(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let tables = tables(Ownership::Shared);
        let sets: Vec<_> = each_set(&tables).collect();
        let (table, set) = sets[which.index(sets.len())];
        let all = draw(table, set, 4);
        let mut bytes = encode(&[Change::AddElements(&all, Presence::Refused)], None, 1).bytes;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for reply in replies(&bytes).flatten() {
            if let Body::Object(_, body) = reply.body {
                super::fuzz(body);
            }
        }
    }

    #[test]
    fn an_offset_anywhere_in_a_message_is_in_one_of_its_elements_or_in_none(
        offset in any::<usize>(),
        sequence in any::<u32>(),
    ) {
        let tables = tables(Ownership::Shared);
        let (table, set) = (&tables[0], &tables[0].sets[14]);
        let all = draw(table, set, 20);
        let batch = encode(&[Change::AddElements(&all, Presence::Refused)], None, 1);
        for (sequence, offset) in [(sequence, offset), (2, offset), (2, offset % 2048)] {
            let place = batch.place(sequence, Some(offset));
            let element = place.and_then(|place| place.element);
            prop_assert!(element.is_none_or(|element| element < all.len()));
        }
    }
}

/// What is not ours among the elements of a set of ours is counted, not mistaken for ours.
#[test]
fn a_range_that_is_no_prefix_is_strange() {
    let tables = tables(Ownership::Shared);
    let (table, set) = each_set(&tables)
        .find(|(_, set)| set.name == "subnets6")
        .expect("it");
    let subnet = |text: &str| Field::Subnet(text.parse().expect("a subnet"));
    let like = &draw(table, set, 1)[0];
    let mut one = like.clone();
    one.key = vec![subnet("fd00::1/128")];
    let found = read_back(&[one.clone()], table, set);
    assert_eq!(found.elements, [one]);
    // it begins with one and goes on to three, as nobody's prefix does
    let mut entries = read::entries(&[]);
    for text in ["fd00::1/128", "fd00::3/128"] {
        let element = Element {
            key: vec![subnet(text)],
            ..like.clone()
        };
        let batch = encode(
            &[Change::AddElements(&[element], Presence::Refused)],
            None,
            1,
        );
        for reply in replies(&batch.bytes).flatten() {
            if let Body::Object(_, body) = reply.body {
                entries.extend(read::entries(body));
            }
        }
    }
    // the end of the first and the beginning of the second go
    entries.remove(1);
    entries.remove(1);
    let found = read::assemble(entries, table, set);
    assert_eq!((found.elements, found.strange), (vec![], 1));
}
