//! Chains and their rules: the closed set of what rules of ours can say.

use super::Field;

/// When a chain sees a packet.
///
/// ```
/// use bridgework::plan::nft::{Chain, ChainKind, Hook, HookPoint};
/// # use bridgework::plan::nft::{Ownership, Table, TableFamily};
/// # let in_table = |chain| Table {
/// #     family: TableFamily::Inet,
/// #     name: "mine",
/// #     comment: "",
/// #     ownership: Ownership::Shared,
/// #     sets: Vec::new(),
/// #     chains: vec![chain],
/// # };
///
/// let hook = Some(Hook { kind: ChainKind::Filter, point: HookPoint::Input, priority: 0 });
/// let chain = Chain { name: "input", comment: "", hook, rules: Vec::new() };
/// let printed = in_table(chain).to_string();
/// assert!(printed.contains("type filter hook input priority filter; policy accept;"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HookPoint {
    /// As it comes in, before it is routed.
    Prerouting,
    /// On its way to the host itself.
    Input,
    /// On its way from one link to another.
    Forward,
    /// As the host itself sends it.
    Output,
    /// As it goes out.
    Postrouting,
}

/// What a chain is for.
///
/// ```
/// use bridgework::plan::nft::{Chain, ChainKind, Hook, HookPoint};
/// # use bridgework::plan::nft::{Ownership, Table, TableFamily};
/// # let in_table = |chain| Table {
/// #     family: TableFamily::Inet,
/// #     name: "mine",
/// #     comment: "",
/// #     ownership: Ownership::Shared,
/// #     sets: Vec::new(),
/// #     chains: vec![chain],
/// # };
///
/// let hook = Some(Hook { kind: ChainKind::Nat, point: HookPoint::Postrouting, priority: 101 });
/// let chain = Chain { name: "postrouting", comment: "", hook, rules: Vec::new() };
/// assert!(in_table(chain).to_string().contains("type nat hook postrouting priority srcnat + 1;"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChainKind {
    /// It lets packets pass or not.
    Filter,
    /// It sees the first packet of a flow and translates addresses.
    Nat,
}

/// Where in the packets' way a base chain stands. Its policy is accept.
///
/// ```
/// use bridgework::plan::nft::{Chain, ChainKind, Hook, HookPoint};
/// # use bridgework::plan::nft::{Ownership, Table, TableFamily};
/// # let in_table = |chain| Table {
/// #     family: TableFamily::Inet,
/// #     name: "mine",
/// #     comment: "",
/// #     ownership: Ownership::Shared,
/// #     sets: Vec::new(),
/// #     chains: vec![chain],
/// # };
///
/// let hook = Hook { kind: ChainKind::Filter, point: HookPoint::Forward, priority: 0 };
/// let later = Some(Hook { priority: hook.priority + 1, ..hook });
/// let chain = Chain { name: "forward", comment: "", hook: later, rules: Vec::new() };
/// assert!(in_table(chain).to_string().contains("hook forward priority filter + 1;"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hook {
    /// What it is for.
    pub kind: ChainKind,
    /// When.
    pub point: HookPoint,
    /// The lower, the sooner among those of the same point.
    pub priority: i32,
}

/// What is looked at in a packet.
///
/// ```
/// use bridgework::plan::nft::{Field, Match, Rule, Selector, Statement, Verdict};
///
/// let from = Match::Is(Selector::Source4, Field::Ipv4([10, 89, 0, 2].into()));
/// let rule = Rule { matches: vec![from], statement: Statement::Verdict(Verdict::Accept) };
/// assert_eq!(rule.to_string(), "ip saddr 10.89.0.2 accept");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Selector {
    /// The name of the link that it came by.
    LinkIn,
    /// The name of the link that it leaves by.
    LinkOut,
    /// IPv4 or IPv6; in the inet family.
    Family,
    /// The transport protocol.
    Protocol,
    /// The transport's source port.
    SourcePort,
    /// The transport's destination port.
    DestinationPort,
    /// The IPv4 source.
    Source4,
    /// The IPv4 destination.
    Destination4,
    /// The IPv6 source.
    Source6,
    /// The IPv6 destination.
    Destination6,
    /// The frame's source.
    SourceMac,
    /// Who an ARP message says has sent it, by hardware address.
    ArpSourceMac,
    /// Who an ARP message says has sent it, by IPv4 address.
    ArpSource4,
    /// The address that a neighbour advertisement is about, if no other header stands before that
    /// of ICMPv6.
    NeighbourTarget,
}

/// What a frame carries.
///
/// ```
/// use bridgework::plan::nft::{EtherType, Match, Rule, Statement, Verdict};
///
/// let matches = vec![Match::Carries(EtherType::Arp)];
/// let rule = Rule { matches, statement: Statement::Verdict(Verdict::Drop) };
/// assert_eq!(rule.to_string(), "meta protocol arp drop");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EtherType {
    /// ARP.
    Arp,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// Messages of ICMPv6, by their numbers (rfc4861 §4).
///
/// ```
/// use bridgework::plan::nft::{Icmp6Type, Match, Rule, Statement, Verdict};
///
/// let matches = vec![Match::Icmp6(Icmp6Type::RouterAdvertisement)];
/// let rule = Rule { matches, statement: Statement::Verdict(Verdict::Drop) };
/// assert_eq!(rule.to_string(), "icmpv6 type nd-router-advert drop");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Icmp6Type {
    /// A router's advertisement: 134.
    RouterAdvertisement,
    /// A neighbour's question: 135.
    NeighbourSolicitation,
    /// A neighbour's advertisement: 136.
    NeighbourAdvertisement,
    /// A redirect: 137.
    Redirect,
}

/// Messages of ICMP, by their numbers (rfc792).
///
/// ```
/// use bridgework::plan::nft::{Icmp4Type, Match, Rule, Statement, Verdict};
///
/// let matches = vec![Match::Icmp4(Icmp4Type::Redirect)];
/// let rule = Rule { matches, statement: Statement::Verdict(Verdict::Drop) };
/// assert_eq!(rule.to_string(), "icmp type redirect drop");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Icmp4Type {
    /// A redirect: 5.
    Redirect,
}

/// One condition of a rule.
///
/// ```
/// use bridgework::plan::nft::{Match, Rule, Selector, Statement, Verdict};
///
/// let matches = vec![Match::NotIn(vec![Selector::LinkIn, Selector::Source4], "guarded")];
/// let rule = Rule { matches, statement: Statement::Verdict(Verdict::Drop) };
/// assert_eq!(rule.to_string(), "iifname . ip saddr != @guarded drop");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// It is this.
    Is(Selector, Field),
    /// It is anything but this.
    IsNot(Selector, Field),
    /// All of them together are in the set.
    In(Vec<Selector>, &'static str),
    /// All of them together are not in the set.
    NotIn(Vec<Selector>, &'static str),
    /// The frame carries that.
    Carries(EtherType),
    /// It is an ICMP message of that kind.
    Icmp4(Icmp4Type),
    /// It is an ICMPv6 message of that kind.
    Icmp6(Icmp6Type),
    /// Other headers stand before its ICMPv6 header.
    Icmp6Extended,
    /// It is any message of that family's ICMP.
    Icmp(crate::addr::Family),
    /// It belongs to a flow that both sides have seen packets of, or is about one.
    Established,
    /// It belongs to a flow whose destination was translated.
    Translated,
    /// Its destination is an address of the host's.
    ToHost,
    /// It leaves by another link than the loopback link.
    NotByLoopback,
    /// Its mark does not have this bit.
    Unmarked(u32),
}

/// Which of the two ports that a packet has.
///
/// ```
/// use bridgework::{Port, Protocol};
/// use bridgework::plan::nft::{PortEnd, Statement};
///
/// let port = "5353".parse::<Port>()?;
/// let statement = Statement::SetPort(Protocol::Udp, PortEnd::Destination, port);
/// assert!(statement.to_string().contains("udp dport"));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortEnd {
    /// That of whoever sent it.
    Source,
    /// That of whoever it is sent to.
    Destination,
}

/// What becomes of a packet.
///
/// ```
/// use bridgework::plan::nft::Verdict;
///
/// assert_eq!(Verdict::Jump("user").to_string(), "jump user");
/// assert_eq!(Verdict::Return.to_string(), "return");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// It passes this chain.
    Accept,
    /// It is gone.
    Drop,
    /// The calling chain goes on.
    Return,
    /// Another chain is asked, and this one goes on if it does not say.
    Jump(&'static str),
    /// Another chain is asked instead of the rest of this one.
    Goto(&'static str),
}

/// What a rule does with a packet that it is about.
///
/// ```
/// use bridgework::Family;
/// use bridgework::plan::nft::{Selector, Statement};
///
/// let statement = Statement::Snat(Family::V4, Selector::Source4, "sources4");
/// assert_eq!(statement.to_string(), "snat ip to ip saddr map @sources4");
/// assert_eq!(Statement::Masquerade.to_string(), "masquerade");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// This.
    Verdict(Verdict),
    /// What the map says of these, if it knows them.
    ByMap(Vec<Selector>, &'static str),
    /// It gets the destination address and port that the map has for these, if it has any.
    Dnat(crate::addr::Family, Vec<Selector>, &'static str),
    /// It gets the source address that the map has for this, if it has any.
    Snat(crate::addr::Family, Selector, &'static str),
    /// It gets the source address of the link that it leaves by.
    Masquerade,
    /// Its mark has this bit from now on.
    Mark(u32),
    /// The connection that it belongs to is not tracked, this port of that transport becomes that,
    /// and it passes this chain.
    SetPort(crate::addr::Protocol, PortEnd, crate::addr::Port),
}

/// One rule.
///
/// ```
/// use bridgework::plan::nft::{Match, Rule, Statement, Verdict};
///
/// let statement = Statement::Verdict(Verdict::Accept);
/// let rule = Rule { matches: vec![Match::Established], statement };
/// assert_eq!(rule.to_string(), "ct state established,related accept");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// All must hold.
    pub matches: Vec<Match>,
    /// What is done then.
    pub statement: Statement,
}

/// One chain.
///
/// ```
/// use bridgework::plan::nft::{Chain, Rule, Statement, Verdict};
/// # use bridgework::plan::nft::{Ownership, Table, TableFamily};
/// # let in_table = |chain| Table {
/// #     family: TableFamily::Inet,
/// #     name: "mine",
/// #     comment: "",
/// #     ownership: Ownership::Shared,
/// #     sets: Vec::new(),
/// #     chains: vec![chain],
/// # };
///
/// let rules = vec![Rule { matches: Vec::new(), statement: Statement::Verdict(Verdict::Return) }];
/// let chain = Chain { name: "user", comment: "yours", hook: None, rules };
/// let printed = in_table(chain).to_string();
/// assert!(printed.contains("\tchain user {\n\t\tcomment \"yours\"\n\t\treturn\n\t}"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a line.
    pub comment: &'static str,
    /// Where in the packets' way it stands, if it is not just jumped to.
    pub hook: Option<Hook>,
    /// Its rules, in their order.
    pub rules: Vec<Rule>,
}
