//! What is no proper query, and what nobody here answers.

use domain::base::iana::{Class, Opcode, Rtype};

use super::{client, network, outcome, owner, query, with_edns};
use crate::resolver::{Client, Forwarding, Transport};

/// It knows `db`, whatever is asked of it.
fn knowing() -> Client {
    let shop = network("shop", [owner(1, &["db"], &["172.18.0.2"])], &[]);
    client([shop], Forwarding::Host)
}

fn told(query: &[u8]) -> String {
    let [udp, tcp] =
        [Transport::Udp, Transport::Tcp].map(|transport| outcome(&knowing(), query, transport));
    assert_eq!(udp, tcp);
    udp
}

/// The query with this byte in the place of another.
fn changed(mut query: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    query[at] = byte;
    query
}

/// A question for an address whose name is these bytes.
fn named(name: &[u8]) -> Vec<u8> {
    let mut query = query(".", Rtype::A);
    query.splice(12..13, name.iter().copied());
    query
}

const DB: &str = "NOERROR aa: db 3 A 172.18.0.2";

#[test]
fn every_query_cut_short_is_ignored_or_said_to_be_malformed() {
    let whole = with_edns(query("db", Rtype::A), 1232);
    let expected = format!("{DB}; additional: OPT 1232");
    assert_eq!(told(&whole), expected);
    for length in 0..whole.len() {
        let expected = match length {
            0..12 => "ignore",
            _ => "FORMERR",
        };
        assert_eq!(told(&whole[..length]), expected, "{length} bytes");
    }
    let mut longer = query("db", Rtype::A);
    longer.push(0);
    assert_eq!(told(&longer), "FORMERR");
}

#[test]
fn an_answer_is_never_answered() {
    for flags in [0x80, 0x81, 0xf8, 0xff] {
        assert_eq!(told(&changed(query("db", Rtype::A), 2, flags)), "ignore");
        assert_eq!(
            told(&changed(query("db", Rtype::A)[..12].to_vec(), 2, flags)),
            "ignore"
        );
    }
}

#[test]
fn what_is_no_query_is_not_implemented() {
    for opcode in 1..16 {
        let mut asked = query("db", Rtype::A);
        asked[2] = opcode << 3;
        assert_eq!(told(&asked), "NOTIMP", "{:?}", Opcode::from_int(opcode));
        // rfc8490 §5.4: a message of that opcode has no question, and an update has other sections
        assert_eq!(told(&changed(asked[..12].to_vec(), 5, 0)), "NOTIMP");
        assert_eq!(told(&changed(asked, 9, 7)), "NOTIMP");
    }
}

#[test]
fn a_query_has_one_question_and_nothing_but_that() {
    let asked = query("db", Rtype::A);
    assert_eq!(told(&changed(asked.clone(), 5, 0)), "FORMERR");
    assert_eq!(told(&changed(asked[..12].to_vec(), 5, 0)), "FORMERR");
    let mut twice = asked.clone();
    twice.extend_from_slice(&asked[12..]);
    assert_eq!(told(&changed(twice, 5, 2)), "FORMERR");
    assert_eq!(told(&changed(asked.clone(), 4, 1)), "FORMERR");
    for section in [7, 9] {
        let mut more = asked.clone();
        more.extend_from_slice(b"\x02db\0\0\x01\0\x01\0\0\0\0\0\x04\x0a\0\0\x01");
        assert_eq!(told(&changed(more, section, 1)), "FORMERR");
    }
    for count in [7, 9, 11] {
        assert_eq!(told(&changed(asked.clone(), count, 1)), "FORMERR");
    }
}

#[test]
fn names_with_pointers_are_malformed_wherever_they_lead() {
    for name in [
        &b"\xc0\x0c"[..],    // to itself
        b"\xc0\x0e\xc0\x0c", // to one another
        b"\xc0\x10",         // forward
        b"\xc0\x00",         // into the header
        b"\xff\xff",         // out of the message
        b"\x02db\xc0\x0c",   // a loop behind a label
        b"\x41\x0adb",       // a type of label that is no more
        b"\x80db",
        b"\x3fdb", // a label longer than all there is
    ] {
        assert_eq!(told(&named(name)), "FORMERR", "{name:?}");
    }
    let chain: Vec<u8> = (0..127_u16)
        .flat_map(|hop| (0xc000 | (14 + 2 * hop)).to_be_bytes())
        .chain(*b"\x02db\0")
        .collect();
    assert_eq!(told(&named(&chain)), "FORMERR");
    // the name of a record behind the question, which is read no further than there
    for pointer in [[0xc0, 0x0c], [0xc0, 0x14], [0xc0, 0x16]] {
        let mut asked = changed(query("db", Rtype::A), 11, 1);
        asked.extend_from_slice(&pointer);
        asked.extend_from_slice(&[0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(told(&asked), "FORMERR", "{pointer:?}");
    }
}

#[test]
fn a_name_is_255_bytes_long_at_most() {
    let name = |last: usize| {
        let mut name = Vec::new();
        for length in [63, 63, 63, last] {
            name.push(length as u8);
            name.resize(name.len() + length, b'a');
        }
        name.push(0);
        name
    };
    assert_eq!(name(61).len(), 255);
    assert_eq!(told(&named(&name(61))), "forward");
    assert_eq!(told(&named(&name(62))), "FORMERR");
    assert_eq!(told(&named(&[1; 255])), "FORMERR");
    let mut labels = [1, b'a'].repeat(127);
    labels.push(0);
    assert_eq!(told(&named(&labels)), "forward");
    labels.splice(0..0, [1, b'a']);
    assert_eq!(told(&named(&labels)), "FORMERR");
}

#[test]
fn other_classes_and_types_that_no_record_has_are_refused() {
    let classed = |name: &str, class: Class| {
        let mut asked = query(name, Rtype::A);
        let end = asked.len();
        asked[end - 2..].copy_from_slice(&class.to_int().to_be_bytes());
        told(&asked)
    };
    for name in ["db", "example.com"] {
        for class in [
            Class::CH,
            Class::HS,
            Class::NONE,
            Class::ANY,
            Class::from_int(0),
        ] {
            assert_eq!(classed(name, class), "REFUSED");
        }
        for rtype in [
            Rtype::AXFR,
            Rtype::IXFR,
            Rtype::MAILA,
            Rtype::MAILB,
            Rtype::OPT,
        ] {
            assert_eq!(told(&query(name, rtype)), "REFUSED");
        }
        for rtype in [0, 128, Rtype::TSIG.to_int(), Rtype::TKEY.to_int(), 254] {
            assert_eq!(told(&query(name, Rtype::from_int(rtype))), "REFUSED");
        }
        for rtype in [127, Rtype::ANY.to_int(), 256, 65_535] {
            assert_ne!(told(&query(name, Rtype::from_int(rtype))), "REFUSED");
        }
    }
    // a transfer brings a record of its own, and EDNS is answered where it can be read
    let mut transfer = changed(query("db", Rtype::IXFR), 9, 1);
    transfer.extend_from_slice(b"\xc0\x0c\0\x06\0\x01\0\0\0\0\0\0");
    assert_eq!(told(&transfer), "REFUSED");
    let transfer = with_edns(query("db", Rtype::AXFR), 1232);
    assert_eq!(told(&transfer), "REFUSED; additional: OPT 1232");
}

#[test]
fn edns_has_one_version_and_one_record() {
    let asked = with_edns(query("db", Rtype::A), 1232);
    let version = asked.len() - 5;
    for unknown in [1, 2, 255] {
        let told = told(&changed(asked.clone(), version, unknown));
        assert_eq!(told, "BADVERS; additional: OPT 1232");
    }
    assert_eq!(told(&with_edns(asked, 1232)), "FORMERR");
    // an owner that is not the root
    let mut owned = changed(query("db", Rtype::A), 11, 1);
    owned.extend_from_slice(b"\x01a\0\0\x29\x04\xd0\0\0\0\0\0\0");
    assert_eq!(told(&owned), "FORMERR");
    // options that do not end where they say
    for (option, expected) in [(&b"\0\x0a\0\x02??"[..], DB), (b"\0\x0a\0\x03??", "FORMERR")] {
        let mut optional = with_edns(query("db", Rtype::A), 1232);
        let end = optional.len();
        optional[end - 1] = 6;
        optional.extend_from_slice(option);
        assert!(told(&optional).starts_with(expected), "{option:?}");
    }
    // other records there are skipped
    let mut more = changed(query("db", Rtype::A), 11, 1);
    more.extend_from_slice(b"\x03key\0\0\xfa\0\xff\0\0\0\0\0\x02??");
    assert_eq!(told(&more), DB);
    assert_eq!(
        told(&with_edns(more, 1232)),
        format!("{DB}; additional: OPT 1232")
    );
}
