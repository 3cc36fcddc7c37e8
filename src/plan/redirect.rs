//! How a container's queries come to sockets on another port than a name server's: plain data, and
//! the table that it is in the packet filter.

use std::net::Ipv4Addr;

use super::nft::{
    Chain, ChainKind, Field, Hook, HookPoint, Match, Ownership, PortEnd, Rule, Selector, Statement,
    Table, TableFamily, Verdict,
};
use crate::addr::{Port, Protocol};

/// The table's name. Those of a host's networks have it too, in other families.
const TABLE: &str = "bridgework";

/// uapi/linux/netfilter_ipv4.h: NF_IP_PRI_RAW, before connections are tracked.
const RAW: i32 = -300;

/// What a container sends to port 53 of `server`, an address of its loopback link, comes to `port`
/// there, and what is answered comes from port 53. Both of UDP and TCP. No connection is tracked,
/// and port 53 of every address stays free for the container's own programs.
///
/// ```
/// use bridgework::plan::{Redirect, Side, Step};
/// use std::net::Ipv4Addr;
///
/// let server = Ipv4Addr::new(127, 0, 0, 11);
/// let redirect = Redirect { server, port: "65053".parse()? };
/// let step = Step::AddRedirect(redirect);
/// assert_eq!(step.side(), Some(Side::Container));
/// assert_eq!(step.inverse(), Some(Step::DeleteRedirect(redirect)));
/// let rule = "ip daddr 127.0.0.11 udp dport 53 notrack udp dport set 65053 accept";
/// assert!(step.to_string().contains(rule));
/// assert_eq!(redirect.table().chains.len(), 1); // which is all that is in it
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Redirect {
    /// Where programs ask: an address of 127.0.0.0/8.
    pub server: Ipv4Addr,
    /// Where the sockets are that answer, at the same address.
    pub port: Port,
}

impl Redirect {
    /// The table, whole. There is one in each container at the most.
    #[must_use]
    pub fn table(&self) -> Table {
        Table {
            family: TableFamily::Ip,
            name: TABLE,
            comment: "made by bridgework; it leads queries to the name server",
            ownership: Ownership::Shared,
            sets: Vec::new(),
            chains: vec![self.chain()],
        }
    }

    fn chain(&self) -> Chain {
        let elsewhere = Rule {
            matches: vec![Match::NotByLoopback],
            statement: Statement::Verdict(Verdict::Accept),
        };
        let ends = [PortEnd::Destination, PortEnd::Source];
        let rewritten = ends.into_iter().flat_map(|end| {
            [Protocol::Udp, Protocol::Tcp].map(|protocol| self.rewrite(end, protocol))
        });
        Chain {
            name: "names",
            comment: "",
            hook: Some(Hook {
                kind: ChainKind::Filter,
                point: HookPoint::Output,
                priority: RAW,
            }),
            rules: std::iter::once(elsewhere).chain(rewritten).collect(),
        }
    }

    /// Queries have the server as their destination, replies have it as their source.
    fn rewrite(&self, end: PortEnd, protocol: Protocol) -> Rule {
        let (address, port, from, to) = match end {
            PortEnd::Destination => (
                Selector::Destination4,
                Selector::DestinationPort,
                Port::DOMAIN,
                self.port,
            ),
            PortEnd::Source => (
                Selector::Source4,
                Selector::SourcePort,
                self.port,
                Port::DOMAIN,
            ),
        };
        Rule {
            matches: vec![
                Match::Is(address, Field::Ipv4(self.server)),
                Match::Is(Selector::Protocol, Field::Protocol(protocol)),
                Match::Is(port, Field::Port(from)),
            ],
            statement: Statement::SetPort(protocol, end, to),
        }
    }
}
