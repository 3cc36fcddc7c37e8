//! Endpoints: what is wrong with asking for one, what one becomes, and what is left of it.

use std::net::IpAddr;

use super::{Class, End, Faults, Holder, Model, Net, Outcome, Request, Stack, Staged};
use crate::verbs::{ALIASES, Ask, CONTAINERS, LINK_ALIASES, LINK_NAMES};

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
    anew: bool,
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

    pub fn plan_stage(&self, at: usize, net: usize, ask: &Ask) -> Outcome<Planned> {
        let request = Request::of(ask, Some(self.net(net)));
        let ask = &Ask {
            anew: false,
            ..ask.clone()
        };
        self.plan(
            (CONTAINERS[at], net, ask),
            request,
            String::new(),
            Faults::new(),
        )
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
    fn place(
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
        let prefix = if network.kind.lan { "lan" } else { "eth" };
        let mut numbered = (0..).map(|number| format!("{prefix}{number}"));
        let lowest = numbered.find(|name| !taken(name)).expect("one is free");
        wanted.map_or(lowest, str::to_owned)
    }

    /// The names of the containers on a network, in the order in which they came.
    pub fn names_on(&self, net: usize) -> Vec<&'static str> {
        let ends = self.ends.iter().filter(|end| end.net == net);
        ends.map(|end| end.name).collect()
    }

    /// The addresses are the name's.
    pub fn hold(&mut self, name: &str, net: usize, planned: &Planned) {
        for pool in self.net_mut(net).pools_mut() {
            if planned.anew {
                pool.forget(name);
            }
            let address = if pool.gateway.is_ipv6() {
                planned.v6
            } else {
                planned.v4
            };
            pool.take(name, address.expect("there is one for each family"));
        }
    }

    pub fn give_back(&mut self, name: &str, net: usize, addresses: [Option<IpAddr>; 2]) {
        for pool in self.net_mut(net).pools_mut() {
            let [v4, v6] = addresses;
            let address = if pool.gateway.is_ipv6() { v6 } else { v4 };
            pool.release(name, address.expect("there is one for each family"));
        }
    }

    /// The kernel has refused: all is as it was, but that addresses that waited for nobody come last
    /// in the order, for this name alone first.
    pub fn refused(&mut self, at: usize, net: usize, planned: &Planned) {
        self.note("refused by the kernel");
        for pool in self.net_mut(net).pools_mut() {
            let address = if pool.gateway.is_ipv6() {
                planned.v6
            } else {
                planned.v4
            };
            let address = address.expect("there is one for each family");
            if !pool.is_kept(address) {
                pool.take(CONTAINERS[at], address);
                pool.release(CONTAINERS[at], address);
            }
        }
    }

    pub fn connected(&mut self, at: usize, net: usize, planned: Planned, facts: Facts) {
        let body = self.open[at].expect("the container is open");
        let (name, stack) = (self.bodies[body].name, self.bodies[body].stack);
        self.hold(name, net, &planned);
        self.note("connected");
        if self.ends.iter().any(|end| end.stack == stack) {
            self.note("connected to several");
        }
        if self.bodies[body]
            .memories
            .contains_key(&self.net(net).serial)
        {
            self.note(if planned.anew {
                "connected anew"
            } else {
                "connected again"
            });
        }
        let Planned {
            request,
            link,
            v4,
            v6,
            ..
        } = planned;
        let (was_staged, holder) = (false, Holder::Handle);
        self.ends.push(End {
            net,
            body,
            name,
            stack,
            link,
            v4,
            v6,
            request,
            facts,
            was_staged,
            holder,
        });
        self.known(at);
    }

    pub fn stage(&mut self, at: usize, net: usize, planned: Planned, facts: Facts) {
        let name = CONTAINERS[at];
        self.hold(name, net, &planned);
        let Planned {
            request, v4, v6, ..
        } = planned;
        self.staged.push(Staged {
            net,
            at,
            name,
            v4,
            v6,
            request,
            facts,
        });
    }

    /// The staged endpoint is its container's, or staged as before.
    pub fn join(&mut self, staged: usize, into: usize) -> Outcome {
        let body = self.open[into].expect("the container is open");
        let (kind, stack) = (self.bodies[body].kind, self.bodies[body].stack);
        let Staged {
            net, name, request, ..
        } = &self.staged[staged];
        if kind != Stack::Own || self.bodies[body].name != *name {
            return Err([Class::Invalid].into());
        }
        let mut faults = Faults::new();
        let link = self.place(stack, self.net(*net), request.link_name, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let Staged {
            net,
            name,
            v4,
            v6,
            request,
            facts,
            ..
        } = self.staged.remove(staged);
        let (was_staged, holder) = (true, Holder::Handle);
        self.ends.push(End {
            net,
            body,
            name,
            stack,
            link,
            v4,
            v6,
            request,
            facts,
            was_staged,
            holder,
        });
        self.known(into);
        self.note("joined");
        Ok(())
    }

    /// The container's end goes back to the host's side, if it was there.
    pub fn leave(&mut self, end: usize, at: usize) -> Outcome {
        if !self.ends[end].was_staged {
            return Err([Class::Invalid].into());
        }
        let End {
            net,
            name,
            v4,
            v6,
            request,
            facts,
            ..
        } = self.ends.remove(end);
        self.staged.push(Staged {
            net,
            at,
            name,
            v4,
            v6,
            request,
            facts,
        });
        self.note("left");
        self.sweep();
        Ok(())
    }

    pub fn delete(&mut self, staged: usize) {
        let Staged {
            net, name, v4, v6, ..
        } = self.staged.remove(staged);
        self.give_back(name, net, [v4, v6]);
        self.sweep();
    }

    /// Dropping a handle leaves the endpoint to those who share its stack.
    pub fn drop_handle(&mut self, end: usize) {
        if self.sharers(self.ends[end].stack) > 0 {
            self.ends[end].holder = Holder::Sharers;
            self.note("left to sharers");
        } else {
            self.disconnected(end);
        }
        self.sweep();
    }

    pub fn persist(&mut self, end: usize) {
        self.ends[end].holder = Holder::Nobody;
        let net = self.ends[end].net;
        self.net_mut(net).persisted = true;
        self.sweep();
    }

    /// The endpoint is gone. Its container remembers it, if there is a handle to that.
    pub fn disconnected(&mut self, end: usize) {
        let is_alive = self.is_alive(self.ends[end].body);
        let stack = self.ends[end].stack;
        match (self.ends[end].holder, self.is_open(stack)) {
            (Holder::Handle, _) => self.note("disconnected"),
            (Holder::Sharers, _) => self.note("disconnected from sharers"),
            (Holder::Nobody, true) if is_alive => self.note("persisted, disconnected"),
            (Holder::Nobody, true) => self.note("persisted, disconnected without its container"),
            (Holder::Nobody, false) => self.note("persisted, disconnected without its stack"),
        }
        let others = self.ends.iter().filter(|end| end.stack == stack).count() > 1;
        if others && self.is_open(stack) {
            self.note("disconnected from one of several");
            if !is_alive {
                self.note("disconnected from one of several without its container");
            }
        }
        let End {
            net,
            body,
            name,
            v4,
            v6,
            mut request,
            facts,
            ..
        } = self.ends.remove(end);
        self.give_back(name, net, [v4, v6]);
        if is_alive {
            for pool in self.net_mut(net).pools_mut() {
                let asked = if pool.gateway.is_ipv6() {
                    request.ip6
                } else {
                    request.ip4
                };
                pool.keep(name, body, asked);
            }
            request.mac = Some(facts.mac);
            request.priority = Some(request.priority());
            let serial = self.net(net).serial;
            self.bodies[body].memories.insert(serial, request);
        }
        self.sweep();
    }

    /// By the container's name, whoever holds it.
    pub fn disconnect(&mut self, name: &str, net: usize) -> Outcome {
        let end = self
            .ends
            .iter()
            .position(|end| end.net == net && end.name == name);
        self.disconnected(end.ok_or([Class::NotFound])?);
        Ok(())
    }

    pub fn forget(&mut self, at: usize, net: usize) {
        let (Some(body), Some(network)) = (self.open[at], &mut self.nets[net]) else {
            return;
        };
        self.bodies[body].memories.remove(&network.serial);
        let name = self.bodies[body].name;
        network.pools_mut().for_each(|pool| {
            pool.unkeep_of(name, body);
            pool.disown(name);
        });
    }
}
