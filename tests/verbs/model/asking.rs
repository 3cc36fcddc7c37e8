//! What is asked of an endpoint: what is wrong with it, and what it would come to.

use std::net::IpAddr;

use super::{Class, Faults, Model, Net, Outcome, Request, Stack, Staged};
use crate::verbs::{ALIASES, Ask, CONTAINERS, LINK_ALIASES, LINK_NAMES, Mark};

/// What is left to chance, as it came out.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub host_link: String,
    pub mac: [u8; 6],
}

/// What an endpoint will be.
#[derive(Debug, Clone)]
pub struct Planned {
    pub request: Request,
    /// Nothing where it is staged.
    pub link: String,
    pub v4: Option<IpAddr>,
    pub v6: Option<IpAddr>,
    pub anew: bool,
}

impl Planned {
    /// The hardware address, where it is not left to chance.
    pub fn mac(&self) -> Option<[u8; 6]> {
        self.request.mac
    }
}

pub fn mac(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, number]
}

impl Request {
    fn of(ask: &Ask, net: Option<&Net>) -> Self {
        let at = |is_ipv6, offset: Option<u8>| {
            let offset = u128::from(offset?);
            let foreign = if is_ipv6 {
                [0xfd00, 1, 1, 1, 1, 1, 1, 1].into()
            } else {
                [192, 0, 2, 1].into()
            };
            let pool = net.and_then(|net| net.pool(is_ipv6));
            Some(pool.map_or(foreign, |pool| pool.at(offset)))
        };
        Self {
            ip4: at(false, ask.ip4),
            ip6: at(true, ask.ip6),
            link_local: ask.link_local,
            mac: ask.mac.map(mac),
            link_name: ask.link_name.map(|name| LINK_NAMES[name]),
            aliases: ask.aliases.iter().map(|alias| ALIASES[*alias]).collect(),
            links: ask
                .links
                .iter()
                .map(|(to, alias)| (CONTAINERS[*to], LINK_ALIASES[*alias]))
                .collect(),
            priority: ask.priority,
        }
    }

    /// What it leaves open is as it was then.
    fn recalling(self, then: &Self) -> Self {
        let or = |now: Vec<_>, then: &Vec<_>| if now.is_empty() { then.clone() } else { now };
        let aliases = if self.aliases.is_empty() {
            then.aliases.clone()
        } else {
            self.aliases
        };
        Self {
            ip4: self.ip4.or(then.ip4),
            ip6: self.ip6.or(then.ip6),
            link_local: self.link_local.or(then.link_local),
            mac: self.mac.or(then.mac),
            link_name: self.link_name.or(then.link_name),
            aliases,
            links: or(self.links, &then.links),
            priority: self.priority.or(then.priority),
        }
    }

    pub fn priority(&self) -> i32 {
        self.priority.unwrap_or(0)
    }

    pub fn aliases(&self) -> &[&'static str] {
        &self.aliases
    }

    pub fn links(&self) -> &[(&'static str, &'static str)] {
        &self.links
    }

    pub fn link_local(&self) -> Option<u8> {
        self.link_local
    }
}

impl Model {
    /// The addresses that the offsets mean, of a network that may not be there.
    pub fn addresses(&self, net: usize, ask: &Ask) -> [Option<IpAddr>; 2] {
        let request = Request::of(ask, self.nets[net].as_ref());
        [request.ip4, request.ip6]
    }

    /// What connecting would come to. The network has been looked up.
    pub fn plan_connect(&self, at: usize, net: usize, ask: &Ask) -> Outcome<Planned> {
        let body = self.body(at).expect("the container is open");
        let network = self.net(net);
        let mut request = Request::of(ask, Some(network));
        let former = body.memories.get(&network.serial).filter(|_| !ask.anew);
        if let Some(former) = former {
            request = request.recalling(former);
        }
        let mut faults = Faults::new();
        if body.kind != Stack::Own {
            faults.insert(Class::Invalid);
        }
        let link = self.place(body.stack, network, request.link_name, &mut faults);
        self.plan((body.name, net, ask), request, link, faults)
    }

    /// What staging would come to. Nothing is forgotten by it, since no container is there.
    pub fn plan_stage(&self, at: usize, net: usize, ask: &Ask) -> Outcome<Planned> {
        let request = Request::of(ask, Some(self.net(net)));
        let who = (CONTAINERS[at], net, ask);
        let planned = self.plan(who, request, String::new(), Faults::new())?;
        let anew = false;
        Ok(Planned { anew, ..planned })
    }

    fn plan(
        &self,
        (name, net, ask): (&str, usize, &Ask),
        request: Request,
        link: String,
        mut faults: Faults,
    ) -> Outcome<Planned> {
        let network = self.net(net);
        if ask.flaw.is_some() || (request.link_local.is_some() && network.v4.is_none()) {
            faults.insert(Class::Invalid);
        }
        let names = self.names_on(net);
        let is_coming = |s: &Staged| s.net == net && s.name == name;
        if names.contains(&name) || self.staged.iter().any(is_coming) {
            faults.insert(Class::Exists);
        }
        if network.is_builtin() {
            if request.ip4.is_some() || request.ip6.is_some() || !request.aliases.is_empty() {
                faults.insert(Class::Invalid);
            }
            if request.links.iter().any(|(to, _)| !names.contains(to)) {
                faults.insert(Class::NotFound);
            }
        }
        let mut addresses = [None, None];
        for (is_ipv6, asked) in [(false, request.ip4), (true, request.ip6)] {
            let mut pool = network.pool(is_ipv6).cloned();
            match (asked, &mut pool) {
                (None, None) => {}
                (Some(_), None) => {
                    faults.insert(Class::Invalid);
                }
                (Some(address), Some(pool)) => {
                    pool.check(address, &mut faults);
                    addresses[usize::from(is_ipv6)] = Some(address);
                }
                (None, Some(pool)) if ask.anew => {
                    pool.unkeep(name);
                    addresses[usize::from(is_ipv6)] = pool.next_anew();
                }
                (None, Some(pool)) => addresses[usize::from(is_ipv6)] = pool.next(name),
            }
        }
        let [v4, v6] = addresses;
        if faults.is_empty() && v4.iter().chain(&v6).count() < network.pools().count() {
            faults.insert(Class::Exhausted);
        }
        let anew = ask.anew;
        let planned = Planned {
            request,
            link,
            v4,
            v6,
            anew,
        };
        if faults.is_empty() {
            Ok(planned)
        } else {
            Err(faults)
        }
    }

    /// The interface's name: the one that is asked for, else the lowest free one.
    pub fn place(
        &self,
        stack: usize,
        network: &Net,
        wanted: Option<&str>,
        faults: &mut Faults,
    ) -> String {
        let taken = |name: &str| self.ends.iter().any(|e| e.stack == stack && e.link == name);
        if wanted.is_some_and(taken) {
            faults.insert(Class::Exists);
        }
        let prefix = if network.kind.is(Mark::Lan) {
            "lan"
        } else {
            "eth"
        };
        let mut numbered = (0..).map(|number| format!("{prefix}{number}"));
        let lowest = numbered.find(|name| !taken(name)).expect("one is free");
        wanted.map_or(lowest, str::to_owned)
    }

    /// The names of the containers on a network, in the order in which they came.
    pub fn names_on(&self, net: usize) -> Vec<&'static str> {
        let ends = self.ends.iter().filter(|end| end.net == net);
        ends.map(|end| end.name).collect()
    }
}
