//! What there should be after each verb, by plain lists and the documented rules. It knows nothing of
//! the crate's code, and asks nobody but itself.

mod asking;
mod containers;
mod endpoints;
pub mod networks;
mod pool;
mod sight;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub use asking::{Facts, Planned};
pub use pool::Pool;
pub use sight::Known;

use crate::verbs::Kind;

/// What kind of error a verb has, all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Invalid,
    Exists,
    NotFound,
    Exhausted,
    InUse,
}

pub type Faults = BTreeSet<Class>;
pub type Outcome<T = ()> = Result<T, Faults>;

/// All of a host. Networks and open containers are where their numbers say.
#[derive(Debug, Default)]
pub struct Model {
    pub nets: [Option<Net>; 4],
    /// The open containers, as places in `bodies`.
    pub open: [Option<usize>; 4],
    pub bodies: Vec<Body>,
    /// In the order in which they came.
    pub ends: Vec<End>,
    pub staged: Vec<Staged>,
    nets_so_far: usize,
    /// How often the state was one that must not be missed.
    pub tally: BTreeMap<&'static str, usize>,
}

#[derive(Debug)]
pub struct Net {
    pub name: &'static str,
    serial: usize,
    pub kind: Kind,
    v4: Option<Pool>,
    v6: Option<Pool>,
    /// Whether the caller has a handle to it.
    handle: bool,
    persisted: bool,
    /// What the bridge is called, and its hardware address.
    pub bridge: (String, [u8; 6]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    Own,
    None,
    Host,
    Shared,
}

/// One container, from when it is opened.
#[derive(Debug)]
pub struct Body {
    pub name: &'static str,
    /// The first 12 digits of its id, which are its host name too.
    pub id: String,
    pub kind: Stack,
    /// Whose stack it has: its own number, that of another, or `HOST`.
    pub stack: usize,
    /// Whether the host has seen it.
    known: bool,
    /// With what it returns, by the networks' serials.
    memories: BTreeMap<usize, Request>,
}

pub const HOST: usize = usize::MAX;

/// What is asked for, with addresses in place of offsets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    ip4: Option<IpAddr>,
    ip6: Option<IpAddr>,
    link_local: Option<u8>,
    mac: Option<[u8; 6]>,
    link_name: Option<&'static str>,
    aliases: Vec<&'static str>,
    links: Vec<(&'static str, &'static str)>,
    priority: Option<i32>,
}

/// Who holds an endpoint to its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    Handle,
    /// Those that share the stack.
    Sharers,
    Nobody,
}

/// A container's place in a network.
#[derive(Debug, Clone)]
pub struct End {
    pub net: usize,
    pub body: usize,
    pub name: &'static str,
    pub stack: usize,
    pub link: String,
    pub v4: Option<IpAddr>,
    pub v6: Option<IpAddr>,
    pub request: Request,
    pub facts: Facts,
    pub was_staged: bool,
    pub holder: Holder,
}

/// A place whose container is not there yet.
#[derive(Debug)]
pub struct Staged {
    pub net: usize,
    /// The number of the container that it is for.
    pub at: usize,
    pub name: &'static str,
    pub v4: Option<IpAddr>,
    pub v6: Option<IpAddr>,
    request: Request,
    pub facts: Facts,
}

impl Model {
    pub fn net(&self, net: usize) -> &Net {
        self.nets[net].as_ref().expect("the network is there")
    }

    fn net_mut(&mut self, net: usize) -> &mut Net {
        self.nets[net].as_mut().expect("the network is there")
    }

    /// Something has happened that the sequences must come to.
    fn note(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    pub fn body(&self, at: usize) -> Option<&Body> {
        Some(&self.bodies[self.open[at]?])
    }

    /// Whether the container was on that network before.
    pub fn remembers(&self, body: &Body, net: usize) -> bool {
        let net = self.nets[net].as_ref();
        net.is_some_and(|net| body.memories.contains_key(&net.serial))
    }

    /// Whether anybody has the stack of that number open.
    pub fn is_open(&self, stack: usize) -> bool {
        let mut open = self.open.iter().flatten();
        stack == HOST || open.any(|body| self.bodies[*body].stack == stack)
    }

    /// Whether there is a handle to the container, anywhere.
    fn is_alive(&self, body: usize) -> bool {
        let holds = |end: &End| end.body == body && end.holder != Holder::Nobody;
        self.open.contains(&Some(body)) || self.ends.iter().any(holds)
    }

    fn sharers(&self, stack: usize) -> usize {
        let open = self.open.iter().flatten().map(|body| &self.bodies[*body]);
        open.filter(|body| body.kind == Stack::Shared && body.stack == stack)
            .count()
    }

    /// The place of the endpoint that the open container has there, if the caller has its handle.
    pub fn handle(&self, at: usize, net: usize) -> Option<usize> {
        let body = self.open[at]?;
        let mut ends = self.ends.iter();
        ends.position(|e| e.body == body && e.net == net && e.holder == Holder::Handle)
    }

    pub fn staged(&self, at: usize, net: usize) -> Option<usize> {
        self.staged.iter().position(|s| s.at == at && s.net == net)
    }

    /// What nobody holds any more goes: what containers remember, and networks.
    fn sweep(&mut self) {
        for body in 0..self.bodies.len() {
            if self.is_alive(body) {
                continue;
            }
            let name = self.bodies[body].name;
            self.bodies[body].memories.clear();
            for net in self.nets.iter_mut().flatten() {
                net.pools_mut().for_each(|pool| pool.unkeep_of(name, body));
            }
        }
        for at in 0..self.nets.len() {
            let is_used = self.active(at) > 0;
            self.nets[at].take_if(|net| !net.handle && !net.persisted && !is_used);
        }
    }
}
