//! One sequence: each verb is done, and comes to what the model says.

use std::cell::RefCell;

use bridgework::inspect::PruneFilter;
use bridgework::{Container, ContainerConfig, Endpoint, NetworkMode};

use crate::aim::aimed;
use crate::check::{Eyes, check_spec};
use crate::model::{Model, Outcome, Planned, Stack};
use crate::verbs::{Aim, Ask, BRIDGE, CONTAINERS, Delete, How, Mode, NETWORKS, Strike, Verb};
use crate::world::{World, classes, endpoint_config, facts, network_config, outcome};

pub struct Run {
    pub model: Model,
    pub world: World,
    pub eyes: Eyes,
}

thread_local! {
    /// What was done, as it was meant.
    pub static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

impl Run {
    pub fn new() -> Self {
        LOG.with_borrow_mut(Vec::clear);
        let world = World::new();
        let eyes = Eyes::of(&world.host);
        Self {
            model: Model::default(),
            world,
            eyes,
        }
    }

    /// Does a verb, of something that is there if it is led so.
    pub fn perform(&mut self, verb: &Verb, aim: Option<Aim>) {
        let verb = &match aim {
            Some(aim) => aimed(&self.model, verb, aim),
            None => verb.clone(),
        };
        LOG.with_borrow_mut(|log| log.push(format!("{verb:?}")));
        match verb {
            Verb::Create { net, kind, flaw } => {
                let config = network_config(*net, *kind, *flaw);
                let created = outcome(self.world.host.create_network(config));
                let expected = self.model.create(*net, *kind, *flaw);
                assert_eq!(created.as_ref().map(drop), expected.as_ref().copied());
                self.world.networks[*net] = created.ok().or(self.world.networks[*net].take());
            }
            Verb::Remove { net } => {
                let removed = self
                    .world
                    .network(*net)
                    .and_then(|network| network.remove());
                let expected = self.model.remove(*net);
                if expected.is_ok() {
                    self.world.networks[*net] = None;
                }
                assert_eq!(outcome(removed), expected);
            }
            Verb::Prune => self.prune(),
            Verb::LetGo { net } => {
                self.world.networks[*net] = None;
                self.model.let_go(*net);
            }
            Verb::Open { at, mode, ask } => self.open(*at, *mode, ask),
            Verb::Close { at } => self.close(*at),
            Verb::Connect {
                at,
                net,
                ask,
                strike,
            } => self.connect(*at, *net, ask, *strike),
            Verb::Disconnect { at, net, how } => self.disconnect(*at, *net, *how),
            Verb::DisconnectTogether { at, net } => self.disconnect_together(*at, *net),
            Verb::Forget { at, net } => self.forget(*at, *net),
            Verb::Stage { at, net, ask } => self.stage(*at, *net, ask),
            Verb::Join { at, net, into } => self.join(*at, *net, *into),
            Verb::Delete { at, net, how } => self.delete(*at, *net, *how),
        }
        self.learn_bridges();
    }

    /// What bridges are called is left to chance, but for the default one.
    fn learn_bridges(&mut self) {
        for network in self.world.host.networks() {
            let at = NETWORKS
                .iter()
                .position(|name| *name == network.name().as_str());
            let Some(known) = at.and_then(|at| self.model.nets[at].as_mut()) else {
                continue;
            };
            let name = match known.is_builtin() {
                true => "docker0".to_owned(),
                false => format!("br-{}", network.id().short()),
            };
            known.bridge = (name, network.spec().mac.octets());
        }
    }

    fn look_up(&mut self, net: usize) -> Outcome<bridgework::Network> {
        let found = outcome(self.world.network(net));
        assert_eq!(
            found.as_ref().map(drop),
            self.model.look_up(net).as_ref().copied()
        );
        found
    }

    fn prune(&mut self) {
        let pruned = self.world.host.prune(&PruneFilter::new()).expect("pruned");
        let names: Vec<&str> = pruned
            .iter()
            .map(|network| network.name().as_str())
            .collect();
        assert_eq!(names, self.model.prune());
        for net in 0..BRIDGE {
            self.world.networks[net].take_if(|_| self.model.nets[net].is_none());
        }
    }

    fn open(&mut self, at: usize, mode: Mode, ask: &Ask) {
        let body = self.model.bodies.len();
        if self.model.open[at].is_some() {
            return;
        }
        match mode {
            Mode::Own => self.open_own(at),
            Mode::None | Mode::Host => {
                let (kind, term) = match mode {
                    Mode::None => (Stack::None, NetworkMode::None),
                    _ => (Stack::Host, NetworkMode::Host),
                };
                let config = match kind {
                    Stack::None => self.world.config(at, body),
                    _ => ContainerConfig::named(CONTAINERS[at]),
                };
                let expected = self.model.check_wireless(ask);
                self.attach(at, (term, config), ask, (kind, None), expected);
            }
            Mode::Sharing(other) => self.share(at, other),
            Mode::Beside(other) => {
                let expected = self.model.check_beside(other, ask);
                let other_id = match &self.world.containers[other] {
                    Some(other) => other.id().to_string(),
                    None => "0".repeat(64),
                };
                let term = format!("container:{other_id}").parse().expect("a mode");
                let config = ContainerConfig::named(CONTAINERS[at]);
                self.attach(
                    at,
                    (term, config),
                    ask,
                    (Stack::Shared, Some(other)),
                    expected,
                );
            }
            Mode::On(net) => self.open_on(at, net, ask),
        }
    }

    fn open_own(&mut self, at: usize) {
        let config = self.world.config(at, self.model.bodies.len());
        let container = Container::open(config).expect("it is opened");
        self.opened(at, container, (Stack::Own, None));
    }

    fn share(&mut self, at: usize, other: usize) {
        let Some(container) = &self.world.containers[other] else {
            return;
        };
        let config = ContainerConfig::sharing(CONTAINERS[at], container);
        let container = Container::open(config).expect("it is opened");
        self.opened(at, container, (Stack::Shared, Some(other)));
    }

    fn opened(&mut self, at: usize, container: Container, (kind, other): (Stack, Option<usize>)) {
        let body = self.model.bodies.len();
        if kind != Stack::Own && kind != Stack::None {
            self.world.files.remove(&body);
        }
        self.model.opened(at, kind, other, container.id().short());
        self.eyes.open(&self.model.bodies[body], &container);
        self.world.containers[at] = Some(container);
    }

    fn attach(
        &mut self,
        at: usize,
        (mode, config): (NetworkMode, ContainerConfig),
        ask: &Ask,
        of: (Stack, Option<usize>),
        expected: Outcome,
    ) {
        let v4 = ask.ip4.map(|last| [10, 9, 0, last].into());
        let v6 = ask.ip6.map(|_| std::net::Ipv6Addr::LOCALHOST.into());
        let ask = endpoint_config(ask, [v4, v6]);
        let attached = outcome(self.world.host.attach(&mode, config, ask));
        assert_eq!(attached.as_ref().map(drop), expected.as_ref().copied());
        match attached {
            Ok(attached) => {
                self.opened(at, attached.container, of);
                self.model.known(at);
            }
            Err(_) => drop(self.world.files.remove(&self.model.bodies.len())),
        }
    }

    fn close(&mut self, at: usize) {
        self.world.endpoints.retain(|(of, _), _| *of != at);
        let stack = self.model.body(at).map(|body| body.stack);
        self.world.containers[at] = None;
        self.model.close(at);
        if let Some(stack) = stack.filter(|stack| !self.model.is_open(*stack)) {
            self.eyes.close(stack);
        }
    }

    fn connect(&mut self, at: usize, net: usize, ask: &Ask, strike: Option<Strike>) {
        if self.model.open[at].is_none() {
            self.open_own(at);
        }
        let Ok(network) = self.look_up(net) else {
            return;
        };
        let expected = self.model.plan_connect(at, net, ask);
        let config = endpoint_config(ask, self.model.addresses(net, ask));
        let (connected, struck) = self.world.connect((at, &network), config, strike);
        match (connected, expected) {
            (Ok(endpoint), Ok(planned)) => self.connected(at, net, endpoint, planned),
            (Err(_), Ok(planned)) if struck => self.model.refused(at, net, &planned),
            (connected, expected) => {
                assert_eq!(outcome(connected).map(drop), expected.map(drop));
            }
        }
    }

    fn connected(&mut self, at: usize, net: usize, endpoint: Endpoint, planned: Planned) {
        check_spec(endpoint.spec(), &planned);
        assert_eq!(endpoint.link_name().as_str(), planned.link);
        let facts = facts(endpoint.spec());
        let former = self.world.endpoints.insert((at, net), endpoint);
        assert!(former.is_none(), "it had no handle");
        self.model.connected(at, net, planned, facts);
    }

    fn open_on(&mut self, at: usize, net: usize, ask: &Ask) {
        let config = self.world.config(at, self.model.bodies.len());
        let addresses = self.model.addresses(net, ask);
        let expected = self.model.plan_open_on(at, net, ask);
        let mode: NetworkMode = NETWORKS[net].parse().expect("a mode");
        let ask = endpoint_config(ask, addresses);
        match (self.world.host.attach(&mode, config, ask), expected) {
            (Ok(attached), Ok(planned)) => {
                let endpoint = attached.endpoint.expect("it is connected");
                self.opened(at, attached.container, (Stack::Own, None));
                self.connected(at, net, endpoint, planned);
            }
            (attached, expected) => {
                self.world.files.remove(&self.model.bodies.len());
                assert_eq!(outcome(attached).map(drop), expected.map(drop));
            }
        }
    }

    fn disconnect(&mut self, at: usize, net: usize, how: How) {
        if let How::Name | How::Force = how {
            return self.disconnect_by_name(at, net, how);
        }
        let place = self.model.handle(at, net);
        let handle = self.world.endpoints.remove(&(at, net));
        assert_eq!(
            handle.is_some(),
            place.is_some(),
            "whether there is a handle"
        );
        let (Some(handle), Some(place)) = (handle, place) else {
            return;
        };
        match how {
            How::Handle => {
                handle.disconnect().expect("disconnected");
                self.model.disconnected(place);
            }
            How::Drop => {
                drop(handle);
                self.model.drop_handle(place);
            }
            How::Persist => {
                let _spec = handle.persist();
                self.model.persist(place);
            }
            How::Leave | How::Name | How::Force => {
                let expected = self.model.leave(place, at);
                match handle.leave() {
                    Ok(staged) => drop(self.world.staged.insert((at, net), staged)),
                    Err(refused) => {
                        let (error, handle) = refused.into_parts();
                        assert_eq!(Err(classes(&error)), expected);
                        self.world.endpoints.insert((at, net), handle);
                        return;
                    }
                }
                assert_eq!(Ok(()), expected);
            }
        }
    }

    fn disconnect_by_name(&mut self, at: usize, net: usize, how: How) {
        let Ok(network) = self.look_up(net) else {
            return;
        };
        let name = CONTAINERS[at];
        let gone = match how {
            How::Force => network
                .disconnect_by_force(name)
                .map(|left| assert!(left.is_empty())),
            _ => network.disconnect(name),
        };
        assert_eq!(outcome(gone), self.model.disconnect(name, net));
        if self.model.handle(at, net).is_none() {
            let former = self.world.endpoints.remove(&(at, net));
            former
                .map_or(Ok(()), Endpoint::disconnect)
                .expect("nothing is left to do");
        }
    }

    fn disconnect_together(&mut self, at: Option<usize>, net: Option<usize>) {
        let is_meant = |(a, n): &(usize, usize)| {
            at.is_none_or(|at| at == *a) && net.is_none_or(|net| net == *n)
        };
        let all = std::mem::take(&mut self.world.endpoints);
        let (going, staying) = all.into_iter().partition(|(key, _)| is_meant(key));
        self.world.endpoints = staying;
        let going: std::collections::BTreeMap<(usize, usize), Endpoint> = going;
        for (at, net) in going.keys() {
            let place = self.model.handle(*at, *net).expect("it has a handle");
            self.model.disconnected(place);
        }
        Endpoint::disconnect_all(going.into_values()).expect("disconnected");
    }

    fn forget(&mut self, at: usize, net: usize) {
        if let (Ok(network), Some(container)) = (self.look_up(net), &self.world.containers[at]) {
            network.forget(container);
            self.model.forget(at, net);
        }
    }

    fn stage(&mut self, at: usize, net: usize, ask: &Ask) {
        let Ok(network) = self.look_up(net) else {
            return;
        };
        let config = endpoint_config(ask, self.model.addresses(net, ask));
        let staged = network.stage(CONTAINERS[at], config);
        match (staged, self.model.plan_stage(at, net, ask)) {
            (Ok(staged), Ok(planned)) => {
                check_spec(staged.spec(), &planned);
                let facts = facts(staged.spec());
                self.model.stage(at, net, planned, facts);
                self.world.staged.insert((at, net), staged);
            }
            (staged, expected) => assert_eq!(outcome(staged).map(drop), expected.map(drop)),
        }
    }

    fn join(&mut self, at: usize, net: usize, into: usize) {
        let Some(place) = self.model.staged(at, net) else {
            return;
        };
        if self.model.open[into].is_none() {
            self.open_own(into);
        }
        let staged = self
            .world
            .staged
            .remove(&(at, net))
            .expect("it has a handle");
        let expected = self.model.join(place, into);
        match staged.join(self.world.container(into)) {
            Ok(endpoint) => {
                assert_eq!(Ok(()), expected);
                self.world.endpoints.insert((into, net), endpoint);
            }
            Err(refused) => {
                let (error, staged) = refused.into_parts();
                assert_eq!(Err(classes(&error)), expected);
                self.world.staged.insert((at, net), staged);
            }
        }
    }

    fn delete(&mut self, at: usize, net: usize, how: Delete) {
        let Some(place) = self.model.staged(at, net) else {
            return;
        };
        let staged = self
            .world
            .staged
            .remove(&(at, net))
            .expect("it has a handle");
        match how {
            Delete::Purpose => staged.delete().expect("deleted"),
            Delete::Drop => drop(staged),
        }
        self.model.delete(place);
    }
}
