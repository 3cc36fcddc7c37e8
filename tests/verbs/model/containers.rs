//! Containers as they are opened and closed, and whose stack they have.

use std::collections::BTreeMap;

use super::{Body, Class, Faults, HOST, Holder, Model, Outcome, Planned, Stack};
use crate::verbs::{Ask, CONTAINERS};

impl Ask {
    /// Whether it asks for what only a wire of one's own can have.
    fn wants_wire(&self) -> bool {
        let address = self.ip4.or(self.ip6).or(self.link_local);
        let is_named = self.link_name.is_some() || !self.aliases.is_empty();
        address.or(self.mac).is_some() || is_named || !self.links.is_empty()
    }
}

impl Model {
    /// What is wrong with opening a container without a wire.
    pub fn check_wireless(&self, ask: &Ask) -> Outcome {
        let mut faults = Faults::new();
        if ask.wants_wire() || ask.flaw.is_some() {
            faults.insert(Class::Invalid);
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// What is wrong with opening a container beside another that is named to the host.
    pub fn check_beside(&self, other: usize, ask: &Ask) -> Outcome {
        let mut faults = self.check_wireless(ask).err().unwrap_or_default();
        if !self.body(other).is_some_and(|other| other.known) {
            faults.insert(Class::NotFound);
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// What opening a container on a network would come to. Where there is nothing yet, nothing is
    /// made for what is refused.
    pub fn plan_open_on(&mut self, at: usize, net: usize, ask: &Ask) -> Outcome<Planned> {
        let was_there = self.nets[net].is_some();
        if self.look_up(net).is_err() {
            let mut faults: Faults = [Class::NotFound].into();
            faults.extend(ask.flaw.map(|_| Class::Invalid));
            return Err(faults);
        }
        self.opened(at, Stack::Own, None, String::new());
        let mut planned = self.plan_connect(at, net, ask);
        self.bodies.pop();
        self.open[at] = None;
        if let (Err(faults), false) = (&mut planned, was_there) {
            self.nets[net] = None;
            // nobody knows yet which addresses there would be
            faults.remove(&Class::Exists);
        }
        planned
    }

    /// The container is there. `other` is the one whose stack it shares.
    pub fn opened(&mut self, at: usize, kind: Stack, other: Option<usize>, id: String) {
        let body = self.bodies.len();
        let stack = match (kind, other.and_then(|other| self.body(other))) {
            (Stack::Host, _) => HOST,
            (_, Some(other)) => other.stack,
            _ => body,
        };
        self.bodies.push(Body {
            name: CONTAINERS[at],
            id,
            kind,
            stack,
            known: false,
            memories: BTreeMap::new(),
        });
        self.open[at] = Some(body);
    }

    /// The host has seen the container, and can look it up.
    pub fn known(&mut self, at: usize) {
        if let Some(body) = self.open[at] {
            self.bodies[body].known = true;
        }
    }

    /// All handles of the caller's to the container are dropped.
    pub fn close(&mut self, at: usize) {
        let Some(body) = self.open[at] else { return };
        let of_body = |end: &super::End| end.body == body && end.holder == Holder::Handle;
        while let Some(end) = self.ends.iter().position(of_body) {
            self.drop_handle(end);
        }
        self.open[at] = None;
        let Body { kind, stack, .. } = self.bodies[body];
        if kind == Stack::Shared && self.sharers(stack) == 0 {
            let left = |end: &super::End| end.stack == stack && end.holder == Holder::Sharers;
            while let Some(end) = self.ends.iter().position(left) {
                self.disconnected(end);
            }
        }
        self.sweep();
    }
}
