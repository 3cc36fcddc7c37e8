//! What is wrong with a host's networks, each with its remedy.

use std::fmt;

use super::Deviation;
use crate::addr::{Family, LinkName, NetworkName};
use crate::plan::nft::{self, Field, Part, State};
use crate::plan::shell::quote;
use crate::plan::{PolicyRule, Prohibition, Side, Step, Sysctl};
use crate::record::Key;

/// Something that keeps a network from working, or open where it must not be. It prints as what is
/// wrong, and the remedy behind it.
///
/// ```
/// use bridgework::{Family, Finding};
///
/// let finding = Finding::ForeignDrop {
///     family: "ip".to_owned(),
///     table: "filter".to_owned(),
///     chain: "FORWARD".to_owned(),
///     bridges: vec!["br0".parse()?],
/// };
/// assert_eq!(
///     finding.to_string(),
///     "chain FORWARD of table ip filter drops what it does not accept, and nothing else can accept \
///      it: nft 'insert rule ip filter FORWARD iifname \"br0\" accept; \
///      insert rule ip filter FORWARD oifname \"br0\" accept'",
/// );
/// assert!(!finding.is_ours()); // Host::repair leaves it to whoever has made the chain
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// Something of our tables is missing or was changed.
    Table(nft::Deviation),
    /// A link of a network's or of a container's, an address of it or a route by it, is gone or was
    /// changed on the host's side.
    Deviation(Deviation),
    /// A rule of the routing policy is missing: without the tables, networks are open.
    PolicyRule(PolicyRule),
    /// A network can be reached by who must not, if the tables are not there.
    Prohibition(Prohibition),
    /// A setting of the host's has another value than a network needs.
    Setting {
        /// Which.
        key: Sysctl,
        /// What it is; `None` if it is not there.
        found: Option<u32>,
        /// What it must be.
        needed: u32,
    },
    /// A link of the host's has got addresses since the networks were made: nothing is forwarded
    /// between it and containers, or they are not protected from it.
    Uplink {
        /// The link.
        link: LinkName,
    },
    /// A network's bridge, which was there before the network, is gone, and with it all that its
    /// containers could reach.
    BridgeMissing {
        /// The network.
        network: NetworkName,
        /// Its bridge.
        bridge: LinkName,
    },
    /// A table of somebody else's drops what is forwarded unless it accepts it itself. A packet must
    /// pass all tables: none of ours can accept it instead.
    ForeignDrop {
        /// `ip`, `ip6` or `inet`.
        family: String,
        /// The table's name.
        table: String,
        /// The base chain at the hook `forward`.
        chain: String,
        /// Those of ours that it has no rules for which accept all that they send and get.
        bridges: Vec<LinkName>,
    },
    /// What goes from one container to another of the same network is shown to the tables for
    /// routed packets (`net.bridge.bridge-nf-call-iptables`), and that hurts: a foreign table drops
    /// it there, or containers that are kept apart cannot reach each other's published ports.
    FramesFiltered {
        /// Networks that lose what goes from container to container.
        dropped: Vec<LinkName>,
        /// Networks whose containers are kept apart.
        apart: Vec<LinkName>,
    },
    /// A process has died before it was done with something, or had it for itself alone; or this one could
    /// not take it back.
    Unfinished {
        /// The record of it.
        record: Key,
    },
    /// Something bears our mark and is of no record.
    Unowned {
        /// What it is, as people call it.
        what: String,
    },
    /// The older packet filter is in use, whose rules and policy are not to be read here.
    LegacyFilter {
        /// Of which packets.
        family: Family,
    },
}

impl Finding {
    /// Whether [`Host::repair`](crate::Host::repair) puts it right. What is not ours is left to
    /// whoever it belongs to.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Table(_)
            | Self::PolicyRule(_)
            | Self::Prohibition(_)
            | Self::Setting { .. }
            | Self::Uplink { .. } => true,
            Self::Deviation(deviation) => deviation.is_ours(),
            Self::BridgeMissing { .. }
            | Self::ForeignDrop { .. }
            | Self::FramesFiltered { .. }
            | Self::Unfinished { .. }
            | Self::Unowned { .. }
            | Self::LegacyFilter { .. } => false,
        }
    }
}

const REPAIR: &str = "call Host::repair";
const RECOVER: &str = "call Host::recover";

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(deviation) => write_deviation(f, deviation),
            Self::Deviation(deviation) => write!(f, "{deviation}"),
            Self::Unfinished { record } => {
                write!(
                    f,
                    "{record} was not finished, and nobody is at it: {RECOVER}"
                )
            }
            Self::Unowned { what } => {
                write!(f, "{what} bears our mark and is of no record: {RECOVER}")
            }
            Self::PolicyRule(rule) => {
                let step = Step::AddPolicyRule(rule.clone());
                write!(f, "a rule of the routing policy is missing: {step}")
            }
            Self::Prohibition(prohibition) => {
                let step = Step::AddProhibition(*prohibition);
                write!(f, "a route that prohibits is missing: {step}")
            }
            Self::Setting { key, found, needed } => {
                match found {
                    Some(found) => write!(f, "{key} is {found}: ")?,
                    None => write!(f, "{key} is not there: ")?,
                }
                let (side, key, value) = (Side::Host, key.clone(), *needed);
                write!(f, "{}", Step::SetSysctl { side, key, value })
            }
            Self::Uplink { link } => write!(
                f,
                "{link} has got addresses after the networks were made, and is not yet a way to \
                 them: {REPAIR}"
            ),
            Self::BridgeMissing { network, bridge } => write!(
                f,
                "the bridge {bridge} of network {network} is gone: remove the network, and create \
                 it again"
            ),
            Self::ForeignDrop {
                family,
                table,
                chain,
                bridges,
            } => write_drop(f, [family, table, chain], bridges),
            Self::FramesFiltered { dropped, apart } => write_frames(f, dropped, apart),
            Self::LegacyFilter { family } => {
                let command = match family {
                    Family::V4 => "iptables-legacy",
                    Family::V6 => "ip6tables-legacy",
                };
                write!(
                    f,
                    "the older packet filter has a table filter, whose policy may drop what is \
                     forwarded: {command} -S FORWARD"
                )
            }
        }
    }
}

fn write_deviation(f: &mut fmt::Formatter<'_>, deviation: &nft::Deviation) -> fmt::Result {
    match (&deviation.part, deviation.state) {
        (Part::Element(element), State::Missing) => write!(f, "{deviation}: {element}"),
        (Part::Element(element), State::Altered) => {
            write!(f, "{deviation}: {}; {element}", element.to_delete())
        }
        _ => write!(f, "{deviation}: {REPAIR}"),
    }
}

fn write_drop(
    f: &mut fmt::Formatter<'_>,
    [family, table, chain]: [&str; 3],
    bridges: &[LinkName],
) -> fmt::Result {
    write!(
        f,
        "chain {} of table {family} {} drops what it does not accept, and nothing else can accept it: ",
        chain.escape_debug(),
        table.escape_debug(),
    )?;
    if ![family, table, chain].into_iter().all(is_word) {
        return f.write_str(
            "insert rules there that accept what comes by our bridges and leaves by them",
        );
    }
    let ways = |bridge| ["iifname", "oifname"].map(|way| (way, bridge));
    let commands = bridges.iter().flat_map(ways).map(|(way, bridge)| {
        let bridge = Field::Link(LinkName::clone(bridge));
        format!("insert rule {family} {table} {chain} {way} {bridge} accept")
    });
    let commands: Vec<String> = commands.collect();
    write!(f, "nft {}", quote(commands.join("; ")))
}

/// `nft` takes no other names, though the kernel does.
fn is_word(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    name.bytes().all(plain) && name.starts_with(|first: char| first.is_ascii_alphabetic())
}

fn write_frames(
    f: &mut fmt::Formatter<'_>,
    dropped: &[LinkName],
    apart: &[LinkName],
) -> fmt::Result {
    f.write_str("frames within a bridge are filtered as if they were routed, so that ")?;
    let words = [
        (dropped, "a foreign chain drops them within"),
        (
            apart,
            "containers that are kept apart reach no published port within",
        ),
    ];
    let told = words.iter().filter(|(bridges, _)| !bridges.is_empty());
    for (index, (bridges, why)) in told.enumerate() {
        let between = if index == 0 { "" } else { ", and " };
        write!(f, "{between}{why}")?;
        bridges
            .iter()
            .try_for_each(|bridge| write!(f, " {bridge}"))?;
    }
    f.write_str(": sysctl -w net.bridge.bridge-nf-call-iptables=0")
}
