//! What one network stack has of all its networks: the interfaces' names, and which network the
//! default routes lead by. It is of the namespace, whatever handles to it there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, MutexGuard};

use crate::addr::{ContainerName, EndpointId, LinkName, LinkPrefix, ParseError};
use crate::driver::{Exit, moves};
use crate::error::Fault;
use crate::kernel::{Netns, WeakNetns};
use crate::plan::Step;
use crate::resolver::{Membership, View};
use crate::spec::NetworkSpec;

/// What a network's interfaces in containers are called, followed by a number.
pub(crate) fn link_prefix(network: &NetworkSpec) -> &str {
    network
        .options
        .container_prefix
        .as_ref()
        .map_or("eth", LinkPrefix::as_str)
}

/// The wirings of a host's containers, found by namespace.
#[derive(Default)]
pub(crate) struct Wirings(Mutex<HashMap<(u64, u64), Weak<Wiring>>>);

/// What one stack has.
#[derive(Debug)]
pub(crate) struct Wiring {
    state: Mutex<State>,
    /// Held while the kernel is asked to change the stack's links and routes.
    turn: Mutex<()>,
    netns: Mutex<WeakNetns>,
    /// The names of all its networks, as the containers of the stack see them.
    view: Arc<View>,
}

#[derive(Debug, Default)]
struct State {
    /// Each with the number of the place that has it.
    names: BTreeMap<LinkName, u64>,
    places: u64,
    /// In the order in which they came, which is that of the interfaces.
    tenants: Vec<Tenant>,
    /// How many want it to have nothing but `lo`.
    closings: usize,
}

/// Nothing is connected to the stack as long as this is there.
#[derive(Debug)]
pub(crate) struct Closing(Arc<Wiring>);

/// One endpoint of the stack.
#[derive(Debug)]
struct Tenant {
    id: EndpointId,
    exit: Exit,
    /// The names that it brings, once they are published.
    membership: Option<Membership>,
}

/// An interface name that is held until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    wiring: Arc<Wiring>,
    pub(crate) name: LinkName,
    number: u64,
}

impl Wirings {
    pub(crate) fn of(&self, netns: &Netns) -> Arc<Wiring> {
        let known = self.0.lock().get(&netns.identity()).and_then(Weak::upgrade);
        match known {
            Some(wiring) if wiring.is_of(netns) => wiring,
            stale => self.begin(netns, stale.as_ref()),
        }
    }

    /// One for a namespace that has none, or one that is of a namespace that is gone.
    fn begin(&self, netns: &Netns, stale: Option<&Arc<Wiring>>) -> Arc<Wiring> {
        let mut wirings = self.0.lock();
        // so seldom that it costs each only a little
        if wirings.len() == wirings.capacity() {
            wirings.retain(|_, wiring| wiring.strong_count() > 0);
        }
        let slot = wirings.entry(netns.identity()).or_default();
        let others = slot.upgrade().filter(|wiring| match stale {
            Some(stale) => !Arc::ptr_eq(stale, wiring),
            None => true,
        });
        others.unwrap_or_else(|| {
            let wiring = Arc::new(Wiring {
                state: Mutex::default(),
                turn: Mutex::default(),
                netns: Mutex::new(netns.downgrade()),
                view: Arc::default(),
            });
            *slot = Arc::downgrade(&wiring);
            wiring
        })
    }
}

impl Wiring {
    /// While somebody has a descriptor of the namespace, its number is nobody else's. Where only
    /// what was persisted is left, the kernel may have given the number to another one since: the
    /// links tell.
    fn is_of(&self, netns: &Netns) -> bool {
        if self.netns.lock().is_alive() {
            return true;
        }
        let snapshot = netns.snapshot().unwrap_or_default();
        let state = self.state.lock();
        let is_there = |exit: &Exit| {
            let found = snapshot.link_at(exit.link().index.get());
            found.is_some_and(|link| link.name == exit.link().name.as_str())
        };
        let is_same = state.tenants.iter().any(|tenant| is_there(&tenant.exit));
        drop(state);
        if is_same {
            *self.netns.lock() = netns.downgrade();
        }
        is_same
    }

    /// The namespace, while there is a handle to it.
    pub(crate) fn netns(&self) -> Option<Netns> {
        self.netns.lock().upgrade()
    }

    /// One at a time changes the stack.
    pub(crate) fn take_turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock()
    }

    /// Why nothing can be connected to it, if nothing can.
    pub(crate) fn refuses(&self) -> Option<Fault> {
        self.state.lock().refuses()
    }

    /// The name that was asked for, or the lowest free one of `prefix`.
    pub(crate) fn take_place(
        self: &Arc<Self>,
        (wanted, prefix): (Option<&LinkName>, &str),
        container: &ContainerName,
        faults: &mut Vec<Fault>,
    ) -> Option<Place> {
        if let Some(fault) = self.refuses() {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
            return None;
        }
        if let Some(name) = wanted {
            return self.take_name(name, container, faults);
        }
        let next = self.take_next(prefix);
        next.map_err(|fault| faults.push(fault)).ok()
    }

    /// The name that was asked for.
    pub(crate) fn take_name(
        self: &Arc<Self>,
        name: &LinkName,
        container: &ContainerName,
        faults: &mut Vec<Fault>,
    ) -> Option<Place> {
        let mut state = self.state.lock();
        if state.names.contains_key(name) {
            let namespace = Some(container.to_string());
            let name = name.clone();
            faults.push(Fault::LinkExists { name, namespace });
            return None;
        }
        Some(self.hold(&mut state, name.clone()))
    }

    /// The lowest free name of `prefix`.
    pub(crate) fn take_next(self: &Arc<Self>, prefix: &str) -> Result<Place, Fault> {
        let mut state = self.state.lock();
        state.refuses().map_or(Ok(()), Err)?;
        let name = state.lowest_free_name(prefix)?;
        Ok(self.hold(&mut state, name))
    }

    fn hold(self: &Arc<Self>, state: &mut State, name: LinkName) -> Place {
        state.places += 1;
        let number = state.places;
        state.names.insert(name.clone(), number);
        Place {
            wiring: Arc::clone(self),
            name,
            number,
        }
    }

    /// Nothing is connected to it as long as what is returned is there, if nothing is now.
    pub(crate) fn close(self: &Arc<Self>) -> Result<Closing, Fault> {
        let mut state = self.state.lock();
        if !state.names.is_empty() {
            return Err(Fault::PrivateStack);
        }
        state.closings += 1;
        Ok(Closing(Arc::clone(self)))
    }

    /// The steps by which the default routes take account of one more endpoint.
    pub(crate) fn moves_with(&self, exit: &Exit) -> Vec<Step> {
        let before = self.exits_without(&[]);
        let after: Vec<Exit> = before.iter().chain([exit]).cloned().collect();
        moves(&before, &after)
    }

    /// The steps by which the default routes do without some endpoints.
    pub(crate) fn moves_without(&self, endpoints: &[EndpointId]) -> Vec<Step> {
        moves(&self.exits_without(&[]), &self.exits_without(endpoints))
    }

    pub(crate) fn enter(&self, id: EndpointId, exit: Exit) {
        let membership = None;
        let tenant = Tenant {
            id,
            exit,
            membership,
        };
        self.state.lock().tenants.push(tenant);
    }

    pub(crate) fn leave(&self, endpoint: &EndpointId) {
        self.change(|tenants| tenants.retain(|tenant| tenant.id != *endpoint));
    }

    /// The names of a network are seen from now on.
    pub(crate) fn publish(&self, endpoint: &EndpointId, membership: Membership) {
        self.change(|tenants| {
            if let Some(tenant) = tenants.iter_mut().find(|t| t.id == *endpoint) {
                tenant.membership = Some(membership);
            }
        });
    }

    /// The names of a network are not seen any more.
    pub(crate) fn withdraw(&self, endpoint: &EndpointId) {
        self.change(|tenants| {
            if let Some(tenant) = tenants.iter_mut().find(|t| t.id == *endpoint) {
                tenant.membership = None;
            }
        });
    }

    pub(crate) fn view(&self) -> &Arc<View> {
        &self.view
    }

    fn change(&self, act: impl FnOnce(&mut Vec<Tenant>)) {
        let mut state = self.state.lock();
        act(&mut state.tenants);
        let memberships = state.tenants.iter().filter_map(|t| t.membership.clone());
        self.view.replace(memberships);
    }

    fn exits_without(&self, endpoints: &[EndpointId]) -> Vec<Exit> {
        let state = self.state.lock();
        let tenants = state.tenants.iter();
        let left = tenants.filter(|tenant| !endpoints.contains(&tenant.id));
        left.map(|tenant| tenant.exit.clone()).collect()
    }
}

impl State {
    fn refuses(&self) -> Option<Fault> {
        (self.closings > 0).then_some(Fault::PrivateStack)
    }

    fn lowest_free_name(&self, prefix: &str) -> Result<LinkName, ParseError> {
        let mut number = 0;
        loop {
            let name = LinkName::numbered(prefix, number)?;
            if !self.names.contains_key(&name) {
                return Ok(name);
            }
            number += 1;
        }
    }
}

impl Place {
    pub(crate) fn wiring(&self) -> &Arc<Wiring> {
        &self.wiring
    }

    /// The name is free from now on, and may have been taken again when this is dropped.
    pub(crate) fn give_up(&self) {
        let mut state = self.wiring.state.lock();
        if state.names.get(&self.name) == Some(&self.number) {
            state.names.remove(&self.name);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.state.lock().closings -= 1;
    }
}
