//! What is routed: published ports, who may reach whom, and by which address one leaves.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::parts::{accept, base, chain, drop, map, prefixes, set, verdict};
use super::{COMMENT, TABLE, UNGUARDED_MARK, VOUCHED_MARK};
use crate::addr::{Family, LinkName, Subnet};
use crate::plan::nft::{
    ChainKind, Field, FieldType, HookPoint, Match, Ownership, Rule, Selector, Set, SetValue,
    Statement, Table, TableFamily, Verdict,
};

/// Nothing has been translated yet, and flows are not known either (`NF_IP_PRI_RAW`).
const RAW: i32 = -300;
/// Just behind where others translate destinations (`NF_IP_PRI_NAT_DST`): of those with the same
/// priority the kernel asks the newest first, and what somebody else has translated is theirs.
const DSTNAT: i32 = -99;
/// Where most filters are (`NF_IP_PRI_FILTER`).
const FILTER: i32 = 0;
/// Where sources are translated (`NF_IP_PRI_NAT_SRC`).
const SRCNAT: i32 = 100;

pub(super) fn table(ownership: Ownership) -> Table {
    Table {
        family: TableFamily::Inet,
        name: TABLE,
        comment: COMMENT,
        ownership,
        sets: inet_sets(),
        chains: vec![
            chain(
                "user",
                "yours: asked first of all that is forwarded",
                vec![],
            ),
            chain("published", "into a network behind nat", published()),
            chain("routed", "into a network by its own addresses", routed()),
            chain("publish", "from a host's port to a container's", publish()),
            chain("vouched", "may go where it is bound for", vouched()),
            chain("bound", "is bound for a container", bound()),
            chain("posing", "comes from elsewhere than it says", posing()),
            base(
                "martian",
                (ChainKind::Filter, HookPoint::Prerouting, RAW),
                martian(),
            ),
            base(
                "martian_input",
                (ChainKind::Filter, HookPoint::Input, RAW),
                from_elsewhere(Verdict::Drop),
            ),
            base(
                "martian_forward",
                (ChainKind::Filter, HookPoint::Forward, RAW),
                from_elsewhere(Verdict::Goto("posing")),
            ),
            base(
                "prerouting",
                (ChainKind::Nat, HookPoint::Prerouting, DSTNAT),
                prerouting(),
            ),
            base(
                "vouch",
                (ChainKind::Filter, HookPoint::Prerouting, DSTNAT + 9),
                vouch(),
            ),
            base(
                "input",
                (ChainKind::Filter, HookPoint::Input, FILTER),
                input(),
            ),
            base(
                "forward",
                (ChainKind::Filter, HookPoint::Forward, FILTER),
                forward(),
            ),
            base(
                "output",
                (ChainKind::Nat, HookPoint::Output, DSTNAT),
                output(),
            ),
            base(
                "postrouting",
                (ChainKind::Nat, HookPoint::Postrouting, SRCNAT),
                postrouting(),
            ),
        ],
    }
}

fn inet_sets() -> Vec<Set> {
    use FieldType::{Family, Ipv4, Ipv6, LinkName, Port, Protocol};
    let fields = SetValue::Fields;
    vec![
        map(
            "published4",
            vec![Ipv4, Protocol, Port],
            fields(vec![Ipv4, Port]),
        ),
        map(
            "published6",
            vec![Ipv6, Protocol, Port],
            fields(vec![Ipv6, Port]),
        ),
        map(
            "published_any4",
            vec![Protocol, Port],
            fields(vec![Ipv4, Port]),
        ),
        map(
            "published_any6",
            vec![Protocol, Port],
            fields(vec![Ipv6, Port]),
        ),
        set("open4", vec![Ipv4, Protocol, Port]),
        set("open6", vec![Ipv6, Protocol, Port]),
        map("within", vec![LinkName, LinkName], SetValue::Verdict),
        map("leaving", vec![Family, LinkName], SetValue::Verdict),
        map("entering", vec![Family, LinkName], SetValue::Verdict),
        set("isolated", vec![Family, LinkName]),
        set("bridges", vec![LinkName]),
        set("uplinks", vec![LinkName]),
        set("raised", vec![Family, LinkName]),
        set("carried6", vec![Ipv6, Protocol, Port]),
        set("carried_any6", vec![Family, Protocol, Port]),
        prefixes(set("trusted4", vec![LinkName, Ipv4])),
        prefixes(set("trusted6", vec![LinkName, Ipv6])),
        prefixes(set("subnets4", vec![Ipv4])),
        prefixes(set("subnets6", vec![Ipv6])),
        prefixes(set("direct4", vec![Ipv4])),
        prefixes(set("direct6", vec![Ipv6])),
        prefixes(set("own4", vec![Ipv4, LinkName])),
        prefixes(set("own6", vec![Ipv6, LinkName])),
        prefixes(set("masquerade4", vec![Ipv4])),
        prefixes(set("masquerade6", vec![Ipv6])),
        prefixes(map("source4", vec![Ipv4], fields(vec![Ipv4]))),
        prefixes(map("source6", vec![Ipv6], fields(vec![Ipv6]))),
    ]
}

/// What answers, and what was published.
fn published() -> Vec<Rule> {
    vec![
        accept(vec![Match::Established]),
        accept(vec![Match::Translated]),
        drop(vec![]),
    ]
}

/// What answers, errors and echoes, and open ports.
fn routed() -> Vec<Rule> {
    let port = |destination| vec![destination, Selector::Protocol, Selector::DestinationPort];
    vec![
        accept(vec![Match::Established]),
        accept(vec![Match::Icmp(Family::V4)]),
        accept(vec![Match::Icmp(Family::V6)]),
        accept(vec![Match::In(port(Selector::Destination4), "open4")]),
        accept(vec![Match::In(port(Selector::Destination6), "open6")]),
        drop(vec![]),
    ]
}

/// One look for a port of one address, one for a port of all addresses, however many there are.
fn publish() -> Vec<Rule> {
    let any = || vec![Selector::Protocol, Selector::DestinationPort];
    let one = |destination| vec![destination, Selector::Protocol, Selector::DestinationPort];
    let rule = |family, keys, map| Rule {
        matches: vec![],
        statement: Statement::Dnat(family, keys, map),
    };
    vec![
        rule(Family::V4, one(Selector::Destination4), "published4"),
        rule(Family::V6, one(Selector::Destination6), "published6"),
        rule(Family::V4, any(), "published_any4"),
        rule(Family::V6, any(), "published_any6"),
    ]
}

fn vouched() -> Vec<Rule> {
    vec![Rule {
        matches: vec![],
        statement: Statement::Mark(VOUCHED_MARK),
    }]
}

fn bound() -> Vec<Rule> {
    let vouched = |matches| verdict(matches, Verdict::Goto("vouched"));
    let from = |destination| vec![Selector::LinkIn, destination];
    vec![
        vouched(vec![Match::Established]),
        vouched(vec![Match::Translated]),
        vouched(vec![Match::In(vec![Selector::Destination4], "direct4")]),
        vouched(vec![Match::In(vec![Selector::Destination6], "direct6")]),
        vouched(vec![Match::In(from(Selector::Destination4), "trusted4")]),
        vouched(vec![Match::In(from(Selector::Destination6), "trusted6")]),
    ]
}

/// A bridge that takes answers for 127.0.0.1 (`route_localnet`) takes nothing else for it; and what
/// says that it comes from a container comes by that container's bridge, or not from there. Of a port
/// that is not guarded that is asked later: it may be no more than bridged.
fn martian() -> Vec<Rule> {
    let lo: LinkName = "lo".parse().expect("it is a name");
    let elsewhere = |source, subnets, own| {
        drop(vec![
            Match::In(vec![source], subnets),
            Match::NotIn(vec![source, Selector::LinkIn], own),
            Match::IsNot(Selector::LinkIn, Field::Link(lo.clone())),
            Match::Unmarked(UNGUARDED_MARK),
        ])
    };
    vec![
        drop(vec![
            Match::In(vec![Selector::LinkIn], "bridges"),
            Match::Is(Selector::Destination4, loopback_addresses()),
        ]),
        elsewhere(Selector::Source4, "subnets4", "own4"),
        elsewhere(Selector::Source6, "subnets6", "own6"),
    ]
}

/// As [`martian`] says, whatever the mark is by now: others may have changed it.
fn from_elsewhere(what: Verdict) -> Vec<Rule> {
    let elsewhere = |source, subnets, own| {
        let matches = vec![
            Match::In(vec![Selector::LinkIn], "bridges"),
            Match::In(vec![source], subnets),
            Match::NotIn(vec![source, Selector::LinkIn], own),
        ];
        verdict(matches, what)
    };
    vec![
        elsewhere(Selector::Source4, "subnets4", "own4"),
        elsewhere(Selector::Source6, "subnets6", "own6"),
    ]
}

/// What is merely bridged comes by its bridge and leaves by it.
fn posing() -> Vec<Rule> {
    let within = Rule {
        matches: vec![],
        statement: Statement::ByMap(vec![Selector::LinkIn, Selector::LinkOut], "within"),
    };
    vec![within, drop(vec![])]
}

/// What merely passes through is not ours, and nothing is published to others by 127.0.0.1. What comes
/// from an address of a link's own is never forwarded, and is carried over; but who is on a network of
/// ours has others.
fn prerouting() -> Vec<Rule> {
    vec![
        verdict(
            vec![
                Match::Is(Selector::Source6, link_local_addresses()),
                Match::NotIn(vec![Selector::LinkIn], "bridges"),
            ],
            Verdict::Return,
        ),
        verdict(
            vec![Match::Is(Selector::Destination4, loopback_addresses())],
            Verdict::Return,
        ),
        verdict(vec![Match::ToHost], Verdict::Goto("publish")),
    ]
}

/// The kernel can't send from ::1 by another link, nor from an address of one link by another.
fn output() -> Vec<Rule> {
    let loopback = Field::Ipv6(Ipv6Addr::LOCALHOST);
    vec![
        verdict(
            vec![Match::Is(Selector::Source6, link_local_addresses())],
            Verdict::Return,
        ),
        verdict(
            vec![Match::Is(Selector::Destination6, loopback)],
            Verdict::Return,
        ),
        verdict(vec![Match::ToHost], Verdict::Goto("publish")),
    ]
}

fn vouch() -> Vec<Rule> {
    let bound =
        |selector, set| verdict(vec![Match::In(vec![selector], set)], Verdict::Goto("bound"));
    vec![
        bound(Selector::Destination4, "subnets4"),
        bound(Selector::Destination6, "subnets6"),
        verdict(
            vec![Match::In(vec![Selector::LinkIn], "bridges")],
            Verdict::Goto("vouched"),
        ),
    ]
}

/// What a process of the host's carries over is not for those who may not leave their network.
fn input() -> Vec<Rule> {
    let by = || vec![Selector::Family, Selector::LinkIn];
    let port = |of| vec![of, Selector::Protocol, Selector::DestinationPort];
    let may_leave = |port, carried| Rule {
        matches: vec![Match::In(port, carried)],
        statement: Statement::ByMap(by(), "leaving"),
    };
    vec![
        drop(vec![Match::In(by(), "isolated")]),
        may_leave(port(Selector::Destination6), "carried6"),
        may_leave(port(Selector::Family), "carried_any6"),
    ]
}

/// The last rule keeps the host from forwarding for others what it did not forward before.
fn forward() -> Vec<Rule> {
    let by_map = |keys, map| Rule {
        matches: vec![],
        statement: Statement::ByMap(keys, map),
    };
    vec![
        verdict(vec![], Verdict::Jump("user")),
        by_map(vec![Selector::LinkIn, Selector::LinkOut], "within"),
        by_map(vec![Selector::Family, Selector::LinkIn], "leaving"),
        by_map(vec![Selector::Family, Selector::LinkOut], "entering"),
        accept(vec![Match::In(vec![Selector::LinkIn], "bridges")]),
        drop(vec![Match::In(
            vec![Selector::Family, Selector::LinkIn],
            "raised",
        )]),
    ]
}

/// What goes back into the network that it came from would be answered past the host, and is
/// answered by way of it; else it keeps its source there.
fn postrouting() -> Vec<Rule> {
    let own = |source, set| Match::In(vec![source, Selector::LinkOut], set);
    let masquerade = |matches| Rule {
        matches,
        statement: Statement::Masquerade,
    };
    let snat = |family, source, map| Rule {
        matches: vec![],
        statement: Statement::Snat(family, source, map),
    };
    vec![
        masquerade(vec![
            Match::In(vec![Selector::LinkOut], "bridges"),
            Match::Is(Selector::Source4, loopback_addresses()),
        ]),
        masquerade(vec![own(Selector::Source4, "own4"), Match::Translated]),
        verdict(vec![own(Selector::Source4, "own4")], Verdict::Return),
        masquerade(vec![own(Selector::Source6, "own6"), Match::Translated]),
        verdict(vec![own(Selector::Source6, "own6")], Verdict::Return),
        snat(Family::V4, Selector::Source4, "source4"),
        snat(Family::V6, Selector::Source6, "source6"),
        masquerade(vec![Match::In(vec![Selector::Source4], "masquerade4")]),
        masquerade(vec![Match::In(vec![Selector::Source6], "masquerade6")]),
    ]
}

fn link_local_addresses() -> Field {
    let link_local = Subnet::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0).into(), 10);
    Field::Subnet(link_local.expect("fe80::/10 is a subnet"))
}

fn loopback_addresses() -> Field {
    let loopback = Subnet::new(Ipv4Addr::new(127, 0, 0, 0).into(), 8);
    Field::Subnet(loopback.expect("127.0.0.0/8 is a subnet"))
}
