//! Each connection that is meant crosses over on one of the walks, and none is taken for another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::attribute::{nest, put};
use super::conntrack::{COUNT, FLOW, Flow, delete, delete_all};
use super::flow_filter::{Filter, split, walks};
use super::frame::encode;
use crate::addr::{Family, Port, Protocol};
use crate::plan::FlowMatch;

/// A connection in plain values. Without a protocol, it is one that has no ports.
#[derive(Debug, Clone, Copy)]
struct Tracked {
    family: Family,
    protocol: Option<Protocol>,
    source: IpAddr,
    destination: IpAddr,
    port: Port,
    reply: (IpAddr, Port),
}

fn address(family: Family, number: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 0, 0, number).into(),
        Family::V6 => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()).into(),
    }
}

fn family() -> impl Strategy<Value = Family> {
    select(vec![Family::V4, Family::V6])
}

fn protocol() -> impl Strategy<Value = Option<Protocol>> {
    option::of(select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]))
}

fn port() -> impl Strategy<Value = Port> {
    (53..56u32).prop_map(|number| Port::new(number).expect("a port"))
}

fn tracked() -> impl Strategy<Value = Tracked> {
    let fields = (family(), protocol(), 1..3u8, 1..3u8, port(), 1..3u8, port());
    fields.prop_map(
        |(family, protocol, source, destination, port, answers, by)| Tracked {
            family,
            protocol,
            source: address(family, source),
            destination: address(family, destination),
            port,
            reply: (address(family, answers), by),
        },
    )
}

fn meant() -> impl Strategy<Value = FlowMatch> {
    let one = || option::of(1..3u8);
    let reply = option::of((1..3u8, option::of(port())));
    let fields = (
        family(),
        protocol(),
        one(),
        option::of(port()),
        one(),
        reply,
    );
    fields.prop_map(|(family, protocol, to, at, from, reply)| FlowMatch {
        protocol,
        original_destination: to.map(|number| address(family, number)),
        original_destination_port: at,
        original_source: from.map(|number| address(family, number)),
        reply_source: reply.map(|(number, by)| (address(family, number), by)),
        ..FlowMatch::new(family)
    })
}

fn is_or_any<T: PartialEq>(asked: Option<T>, found: T) -> bool {
    asked.is_none_or(|asked| asked == found)
}

impl Tracked {
    fn number(&self) -> u8 {
        match self.protocol {
            Some(Protocol::Tcp) => 6,
            Some(Protocol::Udp) => 17,
            Some(Protocol::Sctp) => 132,
            None => 1,
        }
    }

    /// As the kernel tells of it.
    fn body(&self) -> Vec<u8> {
        let mut body = vec![if self.family == Family::V4 { 2 } else { 10 }, 0, 0, 0];
        let first = if self.family == Family::V4 { 1 } else { 3 };
        let octets = |address: IpAddr| match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let directions = [
            (self.source, self.destination, 4000, self.port.get()),
            (self.reply.0, self.source, self.reply.1.get(), 4000),
        ];
        for (kind, (source, destination, from, to)) in (1..).zip(directions) {
            nest(&mut body, kind, |body| {
                nest(body, 1, |body| {
                    put(body, first, &octets(source));
                    put(body, first + 1, &octets(destination));
                });
                nest(body, 2, |body| {
                    put(body, 1, &[self.number()]);
                    if self.protocol.is_some() {
                        put(body, 2, &u16::to_be_bytes(from));
                        put(body, 3, &u16::to_be_bytes(to));
                    }
                });
            });
        }
        put(&mut body, 12, &[0, 0, 0, 7]);
        body
    }

    fn read(&self) -> Flow {
        (FLOW.read)(&self.body()).expect("it has all that a connection has")
    }

    fn is_of(&self, meant: &FlowMatch) -> bool {
        let with_ports = self.protocol.is_some();
        let at = with_ports.then_some(self.port);
        let by = with_ports.then_some(self.reply.1);
        meant.family == self.family
            && (meant.protocol.is_none() || meant.protocol == self.protocol)
            && is_or_any(meant.original_source, self.source)
            && is_or_any(meant.original_destination, self.destination)
            && (meant.original_destination_port.is_none() || meant.original_destination_port == at)
            && meant.reply_source.is_none_or(|(address, port)| {
                address == self.reply.0 && (port.is_none() || port == by)
            })
    }

    /// As `ctnetlink_filter_match` decides: ports count for TCP and UDP alone.
    fn passes(&self, filter: &Filter) -> bool {
        let with_ports = matches!(self.protocol, Some(Protocol::Tcp | Protocol::Udp));
        is_or_any(filter.family, self.family)
            && (filter.protocol.is_none() || filter.protocol == self.protocol)
            && is_or_any(filter.original_source, self.source)
            && is_or_any(filter.original_destination, self.destination)
            && is_or_any(filter.reply_source, self.reply.0)
            && (!with_ports
                || is_or_any(filter.original_destination_port, self.port)
                    && is_or_any(filter.reply_port, self.reply.1))
    }
}

/// Whether the kernel takes it, and sees what we mean by it.
fn is_sound(filter: &Filter) -> bool {
    let addresses = [
        filter.original_source,
        filter.original_destination,
        filter.reply_source,
    ];
    let has_port = filter.original_destination_port.is_some() || filter.reply_port.is_some();
    let has_address = addresses.iter().any(Option::is_some);
    let is_any = filter.protocol.is_none() && !has_port && !has_address;
    addresses.iter().flatten().all(IpAddr::is_ipv4)
        && (filter.protocol.is_some() || !has_port)
        && (filter.family.is_some() || is_any)
}

proptest! {
    #[test]
    fn what_is_meant_crosses_over_on_few_walks(
        meant in vec(meant(), 0..6),
        flows in vec(tracked(), 1..20),
        tracked in select(vec![1u32, 4_999, 5_000, 9_999, 10_000, 200_000, u32::MAX]),
    ) {
        let walks = walks(&meant, tracked);
        prop_assert!(walks.len() as u64 <= 1 + u64::from(tracked) / 5_000);
        prop_assert!(walks.iter().all(is_sound), "{walks:?}");
        let narrow: Vec<&FlowMatch> = meant.iter().filter(|one| one.is_narrow()).collect();
        prop_assert_eq!(walks.is_empty(), narrow.is_empty());
        for flow in flows.iter().filter(|flow| narrow.iter().any(|one| flow.is_of(one))) {
            prop_assert!(walks.iter().any(|walk| flow.passes(walk)), "{flow:?}: {walks:?}");
        }
    }

    #[test]
    fn what_is_deleted_by_filter_and_what_is_walked_for_is_all_that_is_meant(
        meant in vec(meant(), 0..6),
        flows in vec(tracked(), 1..20),
        tracked in select(vec![1u32, 999, 20_000, 200_000]),
    ) {
        let (direct, rest) = split(&meant, tracked);
        prop_assert!(direct.iter().all(is_sound), "{direct:?}");
        prop_assert!(direct.iter().all(|filter| delete_all(filter).is_some()), "{direct:?}");
        prop_assert!(direct.len() as u64 * u64::from(tracked) < 100_000);
        for flow in &flows {
            let is_meant = meant.iter().any(|one| one.is_narrow() && flow.is_of(one));
            let goes = direct.iter().any(|filter| flow.passes(filter));
            let is_left = rest.iter().any(|one| one.is_narrow() && flow.is_of(one));
            prop_assert_eq!(goes || is_left, is_meant, "{:?}: {:?}, {:?}", flow, direct, rest);
        }
    }

    #[test]
    fn a_connection_is_of_those_that_its_fields_say(meant in meant(), tracked in tracked()) {
        prop_assert_eq!(tracked.read().is_of(&meant), tracked.is_of(&meant));
    }

    #[test]
    fn a_connection_cut_short_is_none_or_the_same(tracked in tracked(), cut in 0..200usize) {
        let body = tracked.body();
        let short = (FLOW.read)(&body[..cut.min(body.len())]);
        prop_assert!(short.is_none_or(|flow| flow == tracked.read()));
    }

    #[test]
    fn a_deletion_names_its_connection_as_the_kernel_did(tracked in tracked()) {
        let sent = encode(&[delete(&tracked.read())], 1);
        let (body, id) = (tracked.body(), [8, 0, 12, 0, 0, 0, 0, 7]);
        let tuple_bytes = usize::from(u16::from_ne_bytes([body[4], body[5]])).next_multiple_of(4);
        prop_assert_eq!(&sent[16..], &[&body[..4 + tuple_bytes], &id[..]].concat()[..]);
    }
}

/// It would delete everybody's.
#[test]
fn nothing_is_deleted_by_a_filter_that_lets_all_pass() {
    let meant = FlowMatch {
        original_source: Some(address(Family::V6, 1)),
        ..FlowMatch::new(Family::V6)
    };
    let all = walks(&[meant], 1);
    assert_eq!(all.len(), 1);
    assert!(delete_all(&all[0]).is_none());
}

#[test]
fn a_count_that_is_not_there_is_none() {
    let mut body = vec![0; 4];
    assert_eq!((COUNT.read)(&body), None);
    put(&mut body, 1, &[0, 0, 1, 2]);
    assert_eq!((COUNT.read)(&body), Some(258));
}
