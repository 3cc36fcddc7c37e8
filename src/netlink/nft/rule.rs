//! Rules as messages: each condition as loads and comparisons, with those that it depends on. Pure.
//!
//! They are what `nft` makes of the same rule, so that it shows them as they were meant.

use std::net::IpAddr;

use super::element::field_value;
use super::expression::{
    Base, Checksum, Comparison, Expressions, Load, Lookup, Meta, Nat, Register, Store,
};
use super::numbers::family;
use super::write::Writer;
use crate::addr::{Family, Port, Protocol, Subnet};
use crate::netlink::bytes::align;
use crate::plan::nft::{
    EtherType, Field, Icmp4Type, Icmp6Type, Match, PortEnd, Rule, Selector, Statement, TableFamily,
    Verdict,
};

// uapi/linux/netfilter/nf_conntrack_common.h: bits of NF_CT_STATE_BIT, IPS_DST_NAT
const ESTABLISHED_OR_RELATED: u32 = 0b110;
const DST_NAT: u32 = 1 << 5;
// uapi/linux/rtnetlink.h: RTN_LOCAL
const LOCAL: u32 = 2;
/// include/net/net_namespace.h: the loopback link is the first of every namespace.
const LOOPBACK_IFINDEX: u32 = 1;
const IPPROTO_ICMP: u8 = 1;
const IPPROTO_ICMPV6: u8 = 58;

/// All expressions of the rule.
pub(super) fn write(writer: &mut Writer, table: TableFamily, rule: &Rule) {
    let mut rule_writer = RuleWriter {
        expressions: Expressions::new(writer),
        table,
        carries: None,
        transport: None,
    };
    for condition in &rule.matches {
        rule_writer.condition(condition);
    }
    rule_writer.statement(&rule.statement);
}

struct RuleWriter<'a> {
    expressions: Expressions<'a>,
    table: TableFamily,
    /// What the packet is known to carry by now.
    carries: Option<EtherType>,
    /// Its transport, if that is known by now.
    transport: Option<u8>,
}

impl RuleWriter<'_> {
    fn condition(&mut self, condition: &Match) {
        match condition {
            Match::Is(selector, field) => self.compare(*selector, field, Comparison::Equal),
            Match::IsNot(selector, field) => self.compare(*selector, field, Comparison::NotEqual),
            Match::In(selectors, set) => self.look_up(selectors, Lookup::In, set),
            Match::NotIn(selectors, set) => self.look_up(selectors, Lookup::NotIn, set),
            Match::Carries(kind) => self.carries(*kind),
            Match::Icmp6Extended => self.icmp6_extended(),
            Match::Icmp4(kind) => self.icmp(Family::V4, icmp4_number(*kind)),
            Match::Icmp6(kind) => self.icmp(Family::V6, icmp6_number(*kind)),
            Match::Icmp(Family::V4) => self.transport(IPPROTO_ICMP),
            Match::Icmp(Family::V6) => self.transport(IPPROTO_ICMPV6),
            Match::Established => self.bits(
                Load::FlowState,
                ESTABLISHED_OR_RELATED,
                Comparison::NotEqual,
            ),
            Match::Translated => self.bits(Load::FlowStatus, DST_NAT, Comparison::NotEqual),
            Match::Unmarked(bit) => self.bits(Load::Meta(Meta::Mark), *bit, Comparison::Equal),
            Match::ToHost => {
                self.load(Load::DestinationType);
                self.equal(&LOCAL.to_ne_bytes());
            }
            Match::NotByLoopback => {
                self.load(Load::Meta(Meta::LinkOutIndex));
                self.expressions
                    .compare(Comparison::NotEqual, &LOOPBACK_IFINDEX.to_ne_bytes());
            }
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Verdict(verdict) => self.expressions.verdict(*verdict),
            Statement::ByMap(selectors, map) => self.look_up(selectors, Lookup::Verdict, map),
            Statement::Dnat(of, selectors, map) => {
                self.look_up(selectors, Lookup::Value, map);
                let port = Register::FIRST.after(address_bytes(*of));
                self.expressions.nat(Nat::Destination(port), family(*of));
            }
            Statement::Snat(of, selector, map) => {
                self.look_up(&[*selector], Lookup::Value, map);
                self.expressions.nat(Nat::Source, family(*of));
            }
            Statement::Masquerade => self.expressions.masquerade(),
            Statement::Mark(bit) => {
                self.load(Load::Meta(Meta::Mark));
                self.expressions
                    .bitwise(&(!bit).to_ne_bytes(), &bit.to_ne_bytes());
                self.expressions.set_mark();
            }
            Statement::SetPort(protocol, end, port) => self.set_port(*protocol, *end, *port),
        }
    }

    fn set_port(&mut self, protocol: Protocol, end: PortEnd, port: Port) {
        // rfc768, rfc9293 §3.1, rfc9260 §3.1
        let (checksum, checksum_offset) = match protocol {
            Protocol::Udp => (Checksum::Inet, 6),
            Protocol::Tcp => (Checksum::Inet, 16),
            Protocol::Sctp => (Checksum::Sctp, 8),
        };
        let offset = match end {
            PortEnd::Source => 0,
            PortEnd::Destination => 2,
        };
        self.expressions.untrack();
        self.expressions.immediate(&field_value(&Field::Port(port)));
        self.expressions.store(Store {
            base: Base::Transport,
            offset,
            length: 2,
            checksum,
            checksum_offset,
        });
        self.expressions.verdict(Verdict::Accept);
    }

    fn load(&mut self, what: Load) {
        self.expressions.load(what, Register::FIRST);
    }

    fn equal(&mut self, value: &[u8]) {
        self.expressions.compare(Comparison::Equal, value);
    }

    fn compare(&mut self, selector: Selector, field: &Field, comparison: Comparison) {
        let known = (selector, comparison) == (Selector::Protocol, Comparison::Equal);
        if let (true, [number]) = (known, field_value(field).as_slice()) {
            return self.transport(*number);
        }
        self.depend(selector);
        match field {
            Field::Subnet(subnet) => self.compare_subnet(selector, *subnet, comparison),
            field => {
                self.load(load_of(selector));
                self.expressions.compare(comparison, &field_value(field));
            }
        }
    }

    /// Of a prefix that ends with a byte, only the bytes that it has are looked at.
    fn compare_subnet(&mut self, selector: Selector, subnet: Subnet, comparison: Comparison) {
        let prefix_len = usize::from(subnet.prefix_len());
        let address = field_value(&Field::from(subnet.first()));
        match (load_of(selector), prefix_len / 8, prefix_len % 8) {
            (Load::Payload { base, offset, .. }, whole @ 1.., 0) => {
                let value = address.get(..whole).unwrap_or(&address);
                let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
                self.load(Load::Payload {
                    base,
                    offset,
                    length,
                });
                self.expressions.compare(comparison, value);
            }
            (load, ..) => {
                self.load(load);
                self.expressions
                    .bitwise(&mask(address.len(), prefix_len), &vec![0; address.len()]);
                self.expressions.compare(comparison, &address);
            }
        }
    }

    fn look_up(&mut self, selectors: &[Selector], lookup: Lookup, set: &str) {
        for selector in selectors {
            self.depend(*selector);
        }
        let mut register = Register::FIRST;
        for selector in selectors {
            self.expressions.load(load_of(*selector), register);
            register = register.after(align(loaded_bytes(*selector)));
        }
        self.expressions.look_up(lookup, set);
    }

    /// How these bits compare with none.
    fn bits(&mut self, load: Load, bits: u32, comparison: Comparison) {
        self.load(load);
        self.expressions.bitwise(&bits.to_ne_bytes(), &[0; 4]);
        self.expressions.compare(comparison, &[0; 4]);
    }

    fn icmp(&mut self, of: Family, number: u8) {
        let (kind, protocol) = match of {
            Family::V4 => (EtherType::Ipv4, IPPROTO_ICMP),
            Family::V6 => (EtherType::Ipv6, IPPROTO_ICMPV6),
        };
        if self.table == TableFamily::Bridge {
            self.carries(kind);
        }
        self.transport(protocol);
        self.load(Load::Payload {
            base: Base::Transport,
            offset: 0,
            length: 1,
        });
        self.equal(&[number]);
    }

    fn icmp6_extended(&mut self) {
        self.carries(EtherType::Ipv6);
        self.load(Load::Payload {
            base: Base::Network,
            offset: 6,
            length: 1,
        });
        self.expressions
            .compare(Comparison::NotEqual, &[IPPROTO_ICMPV6]);
    }

    /// What must be true of a packet before such bytes of it mean anything.
    fn depend(&mut self, selector: Selector) {
        use Selector as S;
        match selector {
            S::Source4 | S::Destination4 => self.carries(EtherType::Ipv4),
            S::Source6 | S::Destination6 => self.carries(EtherType::Ipv6),
            S::ArpSourceMac | S::ArpSource4 => self.carries(EtherType::Arp),
            S::LinkIn | S::LinkOut | S::Family | S::Protocol => {}
            S::SourcePort | S::DestinationPort | S::SourceMac | S::NeighbourTarget => {}
        }
    }

    /// The rule goes on only for packets of that kind; said once.
    fn carries(&mut self, kind: EtherType) {
        if self.carries == Some(kind) {
            return;
        }
        self.carries = Some(kind);
        match (self.table, kind) {
            (TableFamily::Inet, EtherType::Ipv4) => self.family(Family::V4),
            (TableFamily::Inet, EtherType::Ipv6) => self.family(Family::V6),
            (TableFamily::Ip, EtherType::Ipv4) => {}
            // what never comes into such a chain: the rule never holds
            (TableFamily::Ip, EtherType::Ipv6)
            | (TableFamily::Bridge, _)
            | (TableFamily::Inet | TableFamily::Ip, EtherType::Arp) => {
                self.load(Load::Meta(Meta::Protocol));
                self.equal(&ether_type(kind).to_be_bytes());
            }
        }
    }

    fn family(&mut self, of: Family) {
        self.load(Load::Meta(Meta::Family));
        self.equal(&[family(of)]);
    }

    /// The rule goes on only for packets of that transport; said once.
    fn transport(&mut self, number: u8) {
        if self.transport == Some(number) {
            return;
        }
        self.transport = Some(number);
        self.load(Load::Meta(Meta::TransportProtocol));
        self.equal(&[number]);
    }
}

fn load_of(selector: Selector) -> Load {
    let payload = |base, offset, length| Load::Payload {
        base,
        offset,
        length,
    };
    match selector {
        Selector::LinkIn => Load::Meta(Meta::LinkIn),
        Selector::LinkOut => Load::Meta(Meta::LinkOut),
        Selector::Family => Load::Meta(Meta::Family),
        Selector::Protocol => Load::Meta(Meta::TransportProtocol),
        Selector::SourcePort => payload(Base::Transport, 0, 2),
        Selector::DestinationPort => payload(Base::Transport, 2, 2),
        // rfc791 §3.1, rfc8200 §3, rfc826, rfc4861 §4.4
        Selector::Source4 => payload(Base::Network, 12, 4),
        Selector::Destination4 => payload(Base::Network, 16, 4),
        Selector::Source6 => payload(Base::Network, 8, 16),
        Selector::Destination6 => payload(Base::Network, 24, 16),
        Selector::SourceMac => payload(Base::Link, 6, 6),
        Selector::ArpSourceMac => payload(Base::Network, 8, 6),
        Selector::ArpSource4 => payload(Base::Network, 14, 4),
        Selector::NeighbourTarget => payload(Base::Network, 48, 16),
    }
}

fn loaded_bytes(selector: Selector) -> usize {
    match load_of(selector) {
        Load::Payload { length, .. } => usize::try_from(length).unwrap_or(usize::MAX),
        Load::Meta(Meta::LinkIn | Meta::LinkOut) => 16,
        Load::Meta(Meta::Family | Meta::TransportProtocol) => 1,
        Load::Meta(Meta::Mark | Meta::LinkOutIndex | Meta::Protocol)
        | Load::FlowState
        | Load::FlowStatus
        | Load::DestinationType => 4,
    }
}

fn address_bytes(family: Family) -> usize {
    match family {
        Family::V4 => 4,
        Family::V6 => 16,
    }
}

/// IEEE 802's numbers.
fn ether_type(kind: EtherType) -> u16 {
    match kind {
        EtherType::Ipv4 => 0x0800,
        EtherType::Arp => 0x0806,
        EtherType::Ipv6 => 0x86dd,
    }
}

fn icmp4_number(kind: Icmp4Type) -> u8 {
    match kind {
        Icmp4Type::Redirect => 5,
    }
}

fn icmp6_number(kind: Icmp6Type) -> u8 {
    match kind {
        Icmp6Type::RouterAdvertisement => 134,
        Icmp6Type::NeighbourSolicitation => 135,
        Icmp6Type::NeighbourAdvertisement => 136,
        Icmp6Type::Redirect => 137,
    }
}

fn mask(bytes: usize, prefix_len: usize) -> Vec<u8> {
    let full = if bytes == 4 {
        IpAddr::from([0xff; 4])
    } else {
        IpAddr::from([0xff; 16])
    };
    let prefix_len = u8::try_from(prefix_len).unwrap_or(u8::MAX);
    let masked = ipnet::IpNet::new(full, prefix_len).map(|net| net.netmask());
    field_value(&Field::from(masked.unwrap_or(full)))
}
