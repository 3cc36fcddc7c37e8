//! Rules as `nft` shows them. Pure.
//!
//! It leaves out what another condition of the same rule implies.

use std::fmt;

use super::joined;
use crate::addr::{Family, Protocol};
use crate::plan::nft::{
    EtherType, Field, Icmp4Type, Icmp6Type, Match, PortEnd, Rule, Selector, Statement,
};

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut transport = None;
        for (index, condition) in self.matches.iter().enumerate() {
            match condition {
                Match::Is(Selector::Protocol, Field::Protocol(protocol)) => {
                    transport = Some(*protocol);
                    let rest = self.matches.iter().skip(index + 1);
                    if rest.clone().any(is_about_a_port) {
                        continue;
                    }
                    write!(f, "meta l4proto {protocol} ")?;
                }
                condition => {
                    write_match(f, condition, transport)?;
                    f.write_str(" ")?;
                }
            }
        }
        write!(f, "{}", self.statement)
    }
}

fn is_about_a_port(condition: &Match) -> bool {
    matches!(
        condition,
        Match::Is(Selector::SourcePort | Selector::DestinationPort, _)
            | Match::IsNot(Selector::SourcePort | Selector::DestinationPort, _)
    )
}

fn write_match(
    f: &mut fmt::Formatter<'_>,
    condition: &Match,
    transport: Option<Protocol>,
) -> fmt::Result {
    match condition {
        Match::Is(selector, field) => {
            write_selector(f, *selector, transport)?;
            write!(f, " {field}")
        }
        Match::IsNot(selector, field) => {
            write_selector(f, *selector, transport)?;
            write!(f, " != {field}")
        }
        Match::In(selectors, set) => write!(f, "{} @{set}", Selectors(selectors)),
        Match::NotIn(selectors, set) => write!(f, "{} != @{set}", Selectors(selectors)),
        Match::Carries(EtherType::Arp) => f.write_str("meta protocol arp"),
        Match::Carries(EtherType::Ipv4) => f.write_str("meta protocol ip"),
        Match::Carries(EtherType::Ipv6) => f.write_str("meta protocol ip6"),
        Match::Icmp4(Icmp4Type::Redirect) => f.write_str("icmp type redirect"),
        Match::Icmp6(kind) => write!(f, "icmpv6 type {}", icmp6_word(*kind)),
        Match::Icmp6Extended => f.write_str("ip6 nexthdr != ipv6-icmp"),
        Match::Icmp(Family::V4) => f.write_str("meta l4proto icmp"),
        Match::Icmp(Family::V6) => f.write_str("meta l4proto ipv6-icmp"),
        Match::Established => f.write_str("ct state established,related"),
        Match::Translated => f.write_str("ct status dnat"),
        Match::ToHost => f.write_str("fib daddr type local"),
        Match::NotByLoopback => f.write_str("oif != \"lo\""),
        Match::Unmarked(bit) => write!(f, "meta mark & {bit:#010x} == 0x00000000"),
    }
}

/// A port is that of the transport that the rule has asked for.
fn write_selector(
    f: &mut fmt::Formatter<'_>,
    selector: Selector,
    transport: Option<Protocol>,
) -> fmt::Result {
    match (selector, transport) {
        (Selector::SourcePort, Some(protocol)) => write!(f, "{protocol} sport"),
        (Selector::DestinationPort, Some(protocol)) => write!(f, "{protocol} dport"),
        (selector, _) => f.write_str(selector_words(selector)),
    }
}

fn selector_words(selector: Selector) -> &'static str {
    match selector {
        Selector::LinkIn => "iifname",
        Selector::LinkOut => "oifname",
        Selector::Family => "meta nfproto",
        Selector::Protocol => "meta l4proto",
        Selector::SourcePort => "th sport",
        Selector::DestinationPort => "th dport",
        Selector::Source4 => "ip saddr",
        Selector::Destination4 => "ip daddr",
        Selector::Source6 => "ip6 saddr",
        Selector::Destination6 => "ip6 daddr",
        Selector::SourceMac => "ether saddr",
        Selector::ArpSourceMac => "arp saddr ether",
        Selector::ArpSource4 => "arp saddr ip",
        Selector::NeighbourTarget => "@nh,384,128",
    }
}

fn icmp6_word(kind: Icmp6Type) -> &'static str {
    match kind {
        Icmp6Type::RouterAdvertisement => "nd-router-advert",
        Icmp6Type::NeighbourSolicitation => "nd-neighbor-solicit",
        Icmp6Type::NeighbourAdvertisement => "nd-neighbor-advert",
        Icmp6Type::Redirect => "nd-redirect",
    }
}

/// Selectors that are looked up together.
struct Selectors<'a>(&'a [Selector]);

impl fmt::Display for Selectors<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(f, self.0.iter().map(|selector| selector_words(*selector)))
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict(verdict) => write!(f, "{verdict}"),
            Self::ByMap(selectors, map) => write!(f, "{} vmap @{map}", Selectors(selectors)),
            Self::Dnat(family, selectors, map) => {
                let (family, of) = (family_word(*family), Selectors(selectors));
                write!(f, "dnat {family} to {of} map @{map}")
            }
            Self::Snat(family, selector, map) => {
                let (family, of) = (family_word(*family), selector_words(*selector));
                write!(f, "snat {family} to {of} map @{map}")
            }
            Self::Masquerade => f.write_str("masquerade"),
            Self::Mark(bit) => write!(f, "meta mark set meta mark | {bit:#010x}"),
            Self::SetPort(protocol, end, port) => {
                let end = match end {
                    PortEnd::Source => "sport",
                    PortEnd::Destination => "dport",
                };
                write!(f, "notrack {protocol} {end} set {port} accept")
            }
        }
    }
}

fn family_word(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}
