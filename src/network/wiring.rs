//! What one network stack has of all its networks: the interfaces' names, and which network the
//! default routes lead by. It is of the namespace, whatever handles to it there are.

mod recalled;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, MutexGuard};

use crate::addr::{
    ContainerName, EndpointId, LinkName, LinkPrefix, NamespaceId, ParseError, PortMapping,
    PublishedPort,
};
use crate::driver::{Exit, doors, moves};
use crate::error::Fault;
use crate::kernel::{Claim, Kernel, Netns, Relay, WeakNetns};
use crate::plan::Step;
use crate::resolver::{Client, Membership, View};
use crate::spec::NetworkSpec;

use super::names::{NameService, Names, NamesChange, Outlook, Reach, answers_inside, resolve_on};
use super::ports::{PortSource, Ports, PortsChange, Stays};

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
pub(crate) struct Wirings(Mutex<HashMap<NamespaceId, Weak<Wiring>>>);

/// What one stack has.
#[derive(Debug)]
pub(crate) struct Wiring {
    state: Mutex<State>,
    /// Held while the kernel is asked to change the stack's links and routes.
    turn: Mutex<()>,
    netns: Mutex<WeakNetns>,
    ports: Mutex<Ports>,
    names: Mutex<Names>,
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
    /// Where it leads, until its names are withdrawn.
    reach: Option<Reach>,
    /// Whether the names of its network resolve.
    has_names: bool,
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

    /// That of a namespace that nobody need have open.
    pub(super) fn at(&self, identity: NamespaceId) -> Arc<Wiring> {
        let mut wirings = self.0.lock();
        let slot = wirings.entry(identity).or_default();
        slot.upgrade().unwrap_or_else(|| {
            let wiring = Wiring::new(WeakNetns::of_nobody());
            *slot = Arc::downgrade(&wiring);
            wiring
        })
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
            let wiring = Wiring::new(netns.downgrade());
            *slot = Arc::downgrade(&wiring);
            wiring
        })
    }
}

impl Wiring {
    fn new(netns: WeakNetns) -> Arc<Self> {
        let view = Arc::default();
        Arc::new(Self {
            state: Mutex::default(),
            turn: Mutex::default(),
            netns: Mutex::new(netns),
            ports: Mutex::default(),
            names: Mutex::new(Names::new(&view)),
            view,
        })
    }

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

    /// The steps by which the default routes lead by an endpoint again whose link was gone, if they did.
    pub(super) fn moves_again(&self, endpoint: &EndpointId) -> Vec<Step> {
        moves(&self.exits_without(&[*endpoint]), &self.exits_without(&[]))
    }

    /// What it takes for ports to take account of one more endpoint, and of more mappings.
    pub(super) fn ports_with(
        &self,
        source: PortSource<'_>,
        exit: Option<&Exit>,
        asked: &[PortMapping],
    ) -> Result<PortsChange, Vec<Fault>> {
        let mut exits = self.exits_without(&[]);
        exits.extend(exit.cloned());
        self.ports.lock().with(source, doors(&exits), asked)
    }

    /// What it takes for ports to do without some endpoints. With the last of them all ports go.
    pub(super) fn ports_without(
        &self,
        source: PortSource<'_>,
        endpoints: &[EndpointId],
    ) -> Result<PortsChange, Vec<Fault>> {
        let exits = self.exits_without(endpoints);
        let stays = match exits.is_empty() {
            true => Stays::Nothing,
            false => Stays::All,
        };
        self.ports.lock().by(source, doors(&exits), stays)
    }

    /// What it takes for a mapping not to be published any more.
    pub(super) fn ports_but(
        &self,
        source: PortSource<'_>,
        mapping: &PortMapping,
    ) -> Result<PortsChange, Vec<Fault>> {
        self.ports.lock().without(source, mapping)
    }

    /// The kernel has done it. Returns the ports that came.
    pub(super) fn settle_ports(&self, kernel: &Kernel, change: PortsChange) -> Vec<PublishedPort> {
        self.edit_ports(kernel, |ports| change.settle(ports))
    }

    /// What the kernel can't lead to the ports is led there by this process from now on.
    pub(super) fn carry_over(&self, relay: &Relay) -> crate::error::Result<()> {
        self.ports.lock().carry_over(relay)
    }

    /// The ports of the host's that lead to the stack.
    pub(crate) fn published(&self) -> Vec<PublishedPort> {
        self.ports.lock().published()
    }

    /// Who asks, when the stack's containers do.
    pub(super) fn client(&self) -> Arc<Client> {
        Arc::clone(self.names.lock().client())
    }

    /// What it takes for the stack to be answered, once it has an endpoint on that network too. Where
    /// it is answered elsewhere, that is by what its containers want all the same.
    pub(super) fn names_with(
        &self,
        (service, kernel): (&NameService, &Kernel),
        (network, inside): (&NetworkSpec, (&Netns, Claim)),
        outlook: Outlook,
    ) -> crate::error::Result<NamesChange> {
        match answers_inside(network) {
            true => self.names.lock().begin((service, kernel), inside, outlook),
            false => Ok(NamesChange::Renews(outlook)),
        }
    }

    /// What it takes for the stack to do without some endpoints: without any network whose names
    /// resolve it is not answered.
    pub(super) fn names_without(&self, endpoints: &[EndpointId]) -> NamesChange {
        let state = self.state.lock();
        let mut left = state.tenants.iter();
        let is_answered = left.any(|tenant| tenant.has_names && !endpoints.contains(&tenant.id));
        drop(state);
        match is_answered {
            true => NamesChange::None,
            false => self.names.lock().end(),
        }
    }

    /// The step of [`names_with`](Self::names_with), where nothing is opened.
    pub(super) fn names_on_paper(&self, network: &NetworkSpec) -> Option<Step> {
        answers_inside(network).then(|| self.names.lock().begin_on_paper())?
    }

    /// The kernel has done it. Who asks from now on is answered by what its containers want now.
    pub(super) fn settle_names(&self, change: NamesChange) {
        let former = change.settle(&mut self.names.lock());
        self.change(|_| ());
        // whoever answers is waited for
        drop(former);
    }

    pub(crate) fn enter(&self, id: EndpointId, network: &NetworkSpec, exit: Exit) {
        let tenant = Tenant {
            id,
            exit,
            reach: Some(Reach::of(network)),
            has_names: resolve_on(network),
            membership: None,
        };
        self.change(|tenants| tenants.push(tenant));
    }

    /// Without any, no port leads anywhere, though another process's record may have said so meanwhile.
    pub(crate) fn leave(&self, kernel: &Kernel, endpoint: &EndpointId) {
        self.change(|tenants| tenants.retain(|tenant| tenant.id != *endpoint));
        self.edit_ports(kernel, |ports| {
            if self.exits_without(&[]).is_empty() {
                *ports = Ports::default();
            }
        });
    }

    /// The names of a network are seen from now on.
    pub(crate) fn publish(&self, endpoint: &EndpointId, membership: Membership) {
        self.change(|tenants| {
            if let Some(tenant) = tenants.iter_mut().find(|t| t.id == *endpoint) {
                tenant.membership = Some(membership);
            }
        });
    }

    /// The names of a network are not seen any more, and nobody is asked on its account.
    pub(crate) fn withdraw(&self, endpoint: &EndpointId) {
        self.change(|tenants| {
            if let Some(tenant) = tenants.iter_mut().find(|t| t.id == *endpoint) {
                tenant.membership = None;
                tenant.reach = None;
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
        let reaches = state.tenants.iter().filter_map(|t| t.reach.clone());
        let reaches: Vec<Reach> = reaches.collect();
        self.names.lock().look_out(&reaches);
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
