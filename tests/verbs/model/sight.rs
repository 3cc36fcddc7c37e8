//! How things look if the model is right: links and routes of each stack, hosts files, and names.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use super::{Body, End, Model, Staged};
use crate::kernel_view::{LinkSeen, StackSeen};
use crate::verbs::{Mark, NETWORKS};

/// What a name comes to in one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    As(Vec<IpAddr>),
    WithoutAddress,
    Not,
}

/// The address that a link has by itself (rfc4291 appendix A).
fn by_itself(mac: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = mac;
    let pair = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    let address = Ipv6Addr::new(
        0xfe80,
        0,
        0,
        0,
        pair(a ^ 2, b),
        pair(c, 0xff),
        pair(0xfe, d),
        pair(e, f),
    );
    format!("{address}/64")
}

pub fn text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

impl Model {
    /// The interfaces and default routes of a stack that is not the host's.
    pub fn stack(&self, stack: usize) -> StackSeen {
        let ends = || self.ends.iter().filter(|end| end.stack == stack);
        let link = |end: &End| (end.link.clone(), self.interface(end));
        let default = |is_ipv6| self.default_route(ends(), is_ipv6);
        StackSeen {
            links: ends().map(link).collect(),
            defaults: [default(false), default(true)]
                .into_iter()
                .flatten()
                .collect(),
        }
    }

    fn interface(&self, end: &End) -> LinkSeen {
        let network = self.net(end.net);
        let with_prefix = |address: IpAddr| {
            let pool = network
                .pool(address.is_ipv6())
                .expect("it is of the network");
            format!("{address}/{}", pool.prefix)
        };
        let mut addresses: BTreeSet<String> =
            end.v4.into_iter().chain(end.v6).map(with_prefix).collect();
        addresses.extend(end.v6.map(|_| by_itself(end.facts.mac)));
        addresses.extend(
            end.request
                .link_local()
                .map(|last| format!("169.254.9.{last}/16")),
        );
        LinkSeen {
            mac: text(end.facts.mac),
            master: None,
            up: true,
            addresses,
        }
    }

    /// The higher priority, then the one that leads out in both families, then the lesser name.
    fn default_route<'e>(
        &self,
        ends: impl Iterator<Item = &'e End>,
        is_ipv6: bool,
    ) -> Option<String> {
        let mut best: Option<(&End, i32, usize)> = None;
        for end in ends {
            let network = self.net(end.net);
            if network.kind.is(Mark::Internal) || network.pool(is_ipv6).is_none() {
                continue;
            }
            let (priority, families) = (end.request.priority(), network.pools().count());
            let wins = best.is_none_or(|(other, best_priority, best_families)| {
                let by_name = network.name < self.net(other.net).name;
                priority > best_priority
                    || priority == best_priority
                        && (families > best_families || families == best_families && by_name)
            });
            if wins {
                best = Some((end, priority, families));
            }
        }
        let (end, ..) = best?;
        let gateway = self.net(end.net).pool(is_ipv6)?.gateway;
        Some(format!("default via {gateway} dev {}", end.link))
    }

    /// The host's links: bridges and their ports, and both ends of what is staged.
    pub fn host(&self) -> StackSeen {
        let mut links = BTreeMap::new();
        for network in self.nets.iter().flatten() {
            let (name, mac) = &network.bridge;
            let address = |pool: &super::Pool| format!("{}/{}", pool.gateway, pool.prefix);
            let mut addresses: BTreeSet<String> = network.pools().map(address).collect();
            addresses.extend(network.pool(true).map(|_| by_itself(*mac)));
            let link = LinkSeen {
                mac: text(*mac),
                master: None,
                up: true,
                addresses,
            };
            links.insert(name.clone(), link);
        }
        let port = |net: usize| LinkSeen {
            mac: String::new(),
            master: Some(self.net(net).bridge.0.clone()),
            up: true,
            addresses: BTreeSet::new(),
        };
        let wired = self.ends.iter().filter(|end| self.is_open(end.stack));
        links.extend(wired.map(|end| (end.facts.host_link.clone(), port(end.net))));
        for Staged { net, facts, .. } in &self.staged {
            links.insert(facts.host_link.clone(), port(*net));
            let (mac, master) = (text(facts.mac), None);
            let (up, addresses) = (false, BTreeSet::new());
            let far = LinkSeen {
                mac,
                master,
                up,
                addresses,
            };
            links.insert(format!("{}p", facts.host_link), far);
        }
        StackSeen {
            links,
            defaults: BTreeSet::new(),
        }
    }

    /// The ports of those whose stack is gone: the kernel takes them away in its own time.
    pub fn ghosts(&self) -> BTreeSet<String> {
        let gone = self.ends.iter().filter(|end| !self.is_open(end.stack));
        gone.map(|end| end.facts.host_link.clone()).collect()
    }

    /// What `name` is, seen from a stack.
    pub fn lookup(&self, stack: usize, name: &str, is_ipv6: bool) -> Known {
        let ends = self.ends.iter().filter(|end| end.stack == stack);
        let on: Vec<&End> = ends.filter(|end| !self.net(end.net).is_builtin()).collect();
        match self.answer(&on, name, is_ipv6) {
            Known::Not => {}
            known => return known,
        }
        let Some((name, network)) = name.rsplit_once('.') else {
            return Known::Not;
        };
        let on: Vec<&End> = on
            .into_iter()
            .filter(|end| NETWORKS[end.net] == network)
            .collect();
        self.answer(&on, name, is_ipv6)
    }

    fn answer(&self, on: &[&End], name: &str, is_ipv6: bool) -> Known {
        for end in on {
            for (target, _) in end
                .request
                .links()
                .iter()
                .filter(|(_, alias)| *alias == name)
            {
                match self.record(end.net, target, is_ipv6) {
                    Known::Not => {}
                    known => return known,
                }
            }
        }
        for end in on {
            match self.record(end.net, name, is_ipv6) {
                Known::Not => {}
                known => return known,
            }
        }
        Known::Not
    }

    fn record(&self, net: usize, name: &str, is_ipv6: bool) -> Known {
        let called = |end: &&End| end.net == net && self.names(end).contains(&name);
        let owners: Vec<&End> = self.ends.iter().filter(called).collect();
        let addresses = owners
            .iter()
            .filter_map(|end| if is_ipv6 { end.v6 } else { end.v4 });
        let addresses: Vec<IpAddr> = addresses.collect();
        match (owners.is_empty(), addresses.is_empty()) {
            (true, _) => Known::Not,
            (_, true) => Known::WithoutAddress,
            _ => Known::As(addresses),
        }
    }

    /// What an endpoint is called: each name once.
    fn names<'m>(&'m self, end: &'m End) -> Vec<&'m str> {
        let mut names = vec![end.name];
        let rest = end
            .request
            .aliases()
            .iter()
            .copied()
            .chain([self.bodies[end.body].id.as_str()]);
        for name in rest {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The lines that connecting has written into a container's hosts file, in whatever order.
    pub fn hosts_lines(&self, body: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for end in self.ends.iter().filter(|end| end.body == body) {
            lines.extend(each_address(end, &self.bodies[body].id));
            let others = self
                .ends
                .iter()
                .filter(|other| other.net == end.net && other.body != body);
            for other in others {
                self.introduce(end, other, &mut lines);
            }
        }
        lines.sort();
        lines
    }

    fn introduce(&self, end: &End, other: &End, lines: &mut Vec<String>) {
        let network = self.net(end.net);
        let Body { id, .. } = &self.bodies[other.body];
        let links = end
            .request
            .links()
            .iter()
            .filter(|(to, _)| network.is_builtin() && *to == other.name);
        for (_, alias) in links {
            lines.extend(each_address(other, &format!("{alias} {id} {}", other.name)));
        }
        if network.kind.is(Mark::Everyone) {
            lines.extend(each_address(other, &self.names(other).join(" ")));
        }
    }
}

fn each_address(end: &End, names: &str) -> Vec<String> {
    let addresses = end.v4.into_iter().chain(end.v6);
    addresses
        .map(|address| format!("{address}\t{names}"))
        .collect()
}
