//! Endpoints as they come and go, and what is left of them.

use std::net::IpAddr;

use super::{Class, End, Facts, Faults, Holder, Model, Outcome, Planned, Stack, Staged};
use crate::verbs::CONTAINERS;

impl Model {
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
