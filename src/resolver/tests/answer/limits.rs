//! How long answers get.

use std::net::IpAddr;

use domain::base::Message;
use domain::base::iana::Rtype;

use super::{MANNER, client, network, query, with_edns, words};
use crate::resolver::tests::endpoint;
use crate::resolver::{Client, Forwarding, Manner, Names, Owner, Transport, Verdict, answer};

/// So many containers have the alias `all`, each with an address of either family.
fn crowd(count: u32) -> Client {
    let owners = (0..count).map(|number| {
        let name = format!("c{number}").parse().unwrap();
        let addresses = [
            IpAddr::from((0x0a00_0000 + number).to_be_bytes()),
            IpAddr::from((0xfd00_u128 << 112 | u128::from(number)).to_be_bytes()),
        ];
        Owner::new(
            endpoint(number),
            Names::new(name, ["all".parse().unwrap()]),
            addresses,
        )
    });
    client([network("n", owners, &[])], Forwarding::Host)
}

/// How many bytes the answer has, how many records, and whether it says that it is truncated.
fn measure(client: &Client, query: &[u8], transport: Transport) -> (usize, usize, bool) {
    let mut reply = Vec::new();
    let verdict = answer(query, transport, client, MANNER, &mut reply);
    assert_eq!(verdict, Verdict::Reply);
    // it reads to its end
    words(query, &reply);
    let message = Message::from_octets(&reply).unwrap();
    let answers = usize::from(message.header_counts().ancount());
    (reply.len(), answers, message.header().tc())
}

#[test]
fn an_answer_by_udp_is_as_long_as_the_client_takes() {
    let client = crowd(200);
    for (edns, limit) in [
        (None, 512),
        (Some(0), 512),
        (Some(511), 512),
        (Some(512), 512),
        (Some(513), 513),
        (Some(1000), 1000),
        (Some(1231), 1231),
        (Some(1232), 1232),
        (Some(1233), 1232),
        (Some(4096), 1232),
        (Some(65_535), 1232),
    ] {
        let opt = edns.map_or(0, |_| 11);
        for (rtype, record) in [(Rtype::A, 16), (Rtype::AAAA, 28), (Rtype::ANY, 16)] {
            let asked = query("all", rtype);
            let bare = asked.len();
            let asked = match edns {
                None => asked,
                Some(udp_bytes) => with_edns(asked, udp_bytes),
            };
            let fit = (limit - bare - opt) / record;
            let expected = (bare + opt + fit * record, fit, true);
            let measured = measure(&client, &asked, Transport::Udp);
            assert_eq!(measured, expected, "{rtype} {edns:?}");
        }
    }
}

#[test]
fn an_answer_is_truncated_only_where_something_is_missing() {
    // 12 bytes of header, 9 of question, 16 for each: 30 fit into 501
    for (count, expected) in [(30, (501, 30, false)), (31, (501, 30, true))] {
        let measured = measure(&crowd(count), &query("all", Rtype::A), Transport::Udp);
        assert_eq!(measured, expected);
    }
}

#[test]
fn an_answer_by_tcp_has_all_up_to_65535_bytes() {
    let asked = query("all", Rtype::ANY);
    let all = (21 + 1000 * 44, 2000, false);
    assert_eq!(measure(&crowd(1000), &asked, Transport::Tcp), all);
    let asked = with_edns(query("all", Rtype::A), 512);
    let (bytes, answers, truncated) = measure(&crowd(4100), &asked, Transport::Tcp);
    assert_eq!((bytes, answers, truncated), (32 + 4093 * 16, 4093, true));
}

#[test]
fn the_longest_name_fits_into_the_shortest_answer() {
    let label = "n".repeat(63);
    let name = format!("{label}.{label}.{label}.{}", "m".repeat(61));
    let addresses = (0..200).map(|last| IpAddr::from([10, 0, 0, last]));
    let owner = Owner::new(
        endpoint(1),
        Names::new(name.parse().unwrap(), []),
        addresses,
    );
    let client = client([network("n", [owner], &[])], Forwarding::Host);
    let asked = with_edns(query(&name, Rtype::A), 0);
    let fit = (512 - 12 - 259 - 11) / 16;
    let measured = measure(&client, &asked, Transport::Udp);
    assert_eq!(measured, (282 + fit * 16, fit, true));
    let asked = with_edns(query(&name, Rtype::AAAA), 0);
    assert_eq!(
        measure(&client, &asked, Transport::Udp),
        (282 + 35, 0, false)
    );
}

#[test]
fn everybody_is_named_first_as_often_and_in_as_many_answers() {
    const OWNERS: u32 = 50;
    let client = crowd(OWNERS);
    let asked = query("all", Rtype::A);
    let mut first = vec![0; OWNERS as usize];
    let mut named = vec![0; OWNERS as usize];
    let mut reply = Vec::new();
    for turn in 0..10 * OWNERS {
        let manner = Manner { ttl_s: 0, turn };
        answer(&asked, Transport::Udp, &client, manner, &mut reply);
        let records = reply[asked.len()..].chunks(16);
        for (position, record) in records.enumerate() {
            let owner = usize::from(record[15]);
            named[owner] += 1;
            first[owner] += usize::from(position == 0);
        }
    }
    assert!(first.iter().all(|times| *times == 10), "{first:?}");
    assert!(named.iter().all(|times| *times == 300), "{named:?}");
}
