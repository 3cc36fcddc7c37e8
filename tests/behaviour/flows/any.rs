//! Any connections in the table, and any that are meant: those go, and no others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bridgework::plan::FlowMatch;
use bridgework::{Family, Protocol};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{FAMILIES, Made, kernel, port, track, tracked};

/// Few enough addresses and ports that they often meet.
fn address(family: Family, number: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 0, 0, number).into(),
        Family::V6 => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()).into(),
    }
}

fn protocol() -> impl Strategy<Value = Option<Protocol>> {
    option::of(select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]))
}

fn meant() -> impl Strategy<Value = FlowMatch> {
    let one = |first: u8| option::of(first..first + 3);
    let ports = || option::of(53u16..55);
    let reply = option::of((30u8..33, ports()));
    let fields = (protocol(), one(10), ports(), one(20), reply);
    (select(FAMILIES.to_vec()), fields).prop_map(|(family, (protocol, to, at, from, reply))| {
        FlowMatch {
            family,
            protocol,
            original_destination: to.map(|number| address(family, number)),
            original_destination_port: at.map(port),
            original_source: from.map(|number| address(family, number)),
            reply_source: reply.map(|(number, by)| (address(family, number), by.map(port))),
        }
    })
}

fn made() -> impl Strategy<Value = Vec<Made>> {
    let tuple = (
        0..2usize,
        protocol(),
        20u8..23,
        10u8..13,
        53u16..55,
        30u8..33,
        53u16..55,
    );
    let number = |(count, tuple): (usize, _)| {
        let (family, protocol, from, to, at, by, reply_port): (usize, _, _, _, _, _, _) = tuple;
        let family = FAMILIES[family];
        // a source port of its own makes each unlike all others
        let source_port = 1000 + u16::try_from(count).unwrap();
        Made {
            protocol,
            source: address(family, from),
            destination: address(family, to),
            ports: (source_port, at),
            reply: (address(family, by), reply_port),
        }
    };
    btree_set(tuple, 0..120).prop_map(move |all| all.into_iter().enumerate().map(number).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() })]

    #[test]
    fn those_that_are_meant_are_forgotten_and_no_others(
        made in made(),
        meant in vec(meant(), 0..8),
        besides in select(vec![0, 100]),
    ) {
        // for so many, the kernel tells of all connections, and each is compared here
        let nobody = FlowMatch {
            original_source: Some(address(Family::V4, 99)),
            ..FlowMatch::new(Family::V4)
        };
        let meant = [meant, vec![nobody; besides]].concat();
        let kernel = kernel();
        let netns = kernel.namespace();
        if track(netns, &made) {
            prop_assert_eq!(tracked(netns).len(), made.len());
            let goes = |made: &&Made| meant.iter().any(|one| made.is_of(one));
            let (gone, stays): (Vec<Made>, Vec<Made>) = made.iter().partition(goes);
            prop_assert_eq!(gone.len() + stays.len(), made.len());
            kernel.forget_flows(&meant).unwrap();
            let expected = {
                let beside = super::kernel();
                assert!(track(beside.namespace(), &stays));
                tracked(beside.namespace())
            };
            prop_assert_eq!(&tracked(netns), &expected);
            kernel.forget_flows(&meant).unwrap();
            prop_assert_eq!(tracked(netns), expected);
        }
    }
}
