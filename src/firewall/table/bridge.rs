//! What a container sends, as it comes into its bridge: nothing but its own, before anybody is asked.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::parts::{accept, base, chain, drop, set, verdict};
use super::{COMMENT, TABLE, UNGUARDED_MARK};
use crate::addr::{Port, Protocol};
use crate::plan::nft::{
    ChainKind, EtherType, Field, FieldType, HookPoint, Icmp4Type, Icmp6Type, Match, Ownership,
    Rule, Selector, Statement, Table, TableFamily, Verdict,
};

/// Before all else that a bridge does (`NF_BR_PRI_NAT_DST_BRIDGED`).
const FIRST: i32 = -300;
/// Where a bridge's filters are (`NF_BR_PRI_FILTER_BRIDGED`).
const FILTER: i32 = -200;

/// Ports of those who give out addresses: DHCP servers (rfc2131 §4.1, rfc8415 §7.2).
const DHCP_SERVERS: [u32; 2] = [67, 547];

pub(super) fn table(ownership: Ownership) -> Table {
    use FieldType::{Ether, Ipv4, Ipv6, LinkName};
    let first = (ChainKind::Filter, HookPoint::Prerouting, FIRST);
    let filter = (ChainKind::Filter, HookPoint::Forward, FILTER);
    Table {
        family: TableFamily::Bridge,
        name: TABLE,
        comment: COMMENT,
        ownership,
        sets: vec![
            set("guarded", vec![LinkName]),
            set("macs", vec![LinkName, Ether]),
            set("sources4", vec![LinkName, Ether, Ipv4]),
            set("sources6", vec![LinkName, Ether, Ipv6]),
            set("targets6", vec![LinkName, Ether, FieldType::Target]),
            set("unguarded", vec![LinkName]),
            set("apart", vec![LinkName]),
        ],
        chains: vec![
            chain("from_arp", "who it says it is", arp()),
            chain("from_ipv4", "from where it says it comes", ipv4()),
            chain("from_ipv6", "from where it says it comes", ipv6()),
            chain("guard", "what a container may send", guard()),
            base("prerouting", first, prerouting()),
            base(
                "forward",
                filter,
                vec![drop(vec![Match::In(vec![Selector::LinkIn], "apart")])],
            ),
        ],
    }
}

/// Where bridged packets are filtered as routed ones, the inet table sees them before it is known
/// which they are, and by their bridge alone: what it needs to know of their port is in their mark.
fn prerouting() -> Vec<Rule> {
    let by = |set| vec![Match::In(vec![Selector::LinkIn], set)];
    vec![
        verdict(by("guarded"), Verdict::Goto("guard")),
        Rule {
            matches: by("unguarded"),
            statement: Statement::Mark(UNGUARDED_MARK),
        },
    ]
}

fn guard() -> Vec<Rule> {
    let to = |kind, chain| verdict(vec![Match::Carries(kind)], Verdict::Goto(chain));
    vec![
        drop(vec![Match::NotIn(
            vec![Selector::LinkIn, Selector::SourceMac],
            "macs",
        )]),
        to(EtherType::Arp, "from_arp"),
        to(EtherType::Ipv4, "from_ipv4"),
        to(EtherType::Ipv6, "from_ipv6"),
        drop(vec![]),
    ]
}

/// Who asks whether an address is taken has none yet (rfc5227 §2.1.1).
fn arp() -> Vec<Rule> {
    vec![
        accept(vec![
            Match::Is(Selector::ArpSource4, Field::Ipv4(Ipv4Addr::UNSPECIFIED)),
            Match::In(vec![Selector::LinkIn, Selector::ArpSourceMac], "macs"),
        ]),
        drop(vec![Match::NotIn(
            vec![
                Selector::LinkIn,
                Selector::ArpSourceMac,
                Selector::ArpSource4,
            ],
            "sources4",
        )]),
    ]
}

fn ipv4() -> Vec<Rule> {
    vec![
        drop(vec![Match::Icmp4(Icmp4Type::Redirect)]),
        drop(vec![Match::NotIn(
            vec![Selector::LinkIn, Selector::SourceMac, Selector::Source4],
            "sources4",
        )]),
        no_dhcp_server(DHCP_SERVERS[0]),
    ]
}

/// Who asks whether an address is taken has none yet (rfc4862 §5.4.2).
fn ipv6() -> Vec<Rule> {
    let source = |address| vec![Selector::LinkIn, Selector::SourceMac, address];
    vec![
        drop(vec![Match::Icmp6(Icmp6Type::RouterAdvertisement)]),
        drop(vec![Match::Icmp6(Icmp6Type::Redirect)]),
        accept(vec![
            Match::Is(Selector::Source6, Field::Ipv6(Ipv6Addr::UNSPECIFIED)),
            Match::Icmp6(Icmp6Type::NeighbourSolicitation),
        ]),
        drop(vec![Match::NotIn(source(Selector::Source6), "sources6")]),
        drop(vec![
            Match::Icmp6(Icmp6Type::NeighbourAdvertisement),
            Match::Icmp6Extended,
        ]),
        drop(vec![
            Match::Icmp6(Icmp6Type::NeighbourAdvertisement),
            Match::NotIn(source(Selector::NeighbourTarget), "targets6"),
        ]),
        no_dhcp_server(DHCP_SERVERS[1]),
    ]
}

fn no_dhcp_server(port: u32) -> Rule {
    let port = Port::new(port).expect("a constant above 0 and below 65536");
    drop(vec![
        Match::Is(Selector::Protocol, Field::Protocol(Protocol::Udp)),
        Match::Is(Selector::SourcePort, Field::Port(port)),
    ])
}
