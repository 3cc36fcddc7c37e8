//! Containers are opened and closed.

use bridgework::{Container, ContainerConfig, NetworkMode};

use super::Run;
use crate::model::{Outcome, Stack};
use crate::verbs::{Ask, CONTAINERS, Mode, NETWORKS};
use crate::world::{endpoint_config, outcome};

impl Run {
    pub(super) fn open(&mut self, at: usize, mode: Mode, ask: &Ask) {
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

    pub(super) fn open_own(&mut self, at: usize) {
        let config = self.world.config(at, self.model.bodies.len());
        let container = Container::open(config).expect("it is opened");
        self.opened(at, container, (Stack::Own, None));
    }

    pub(super) fn share(&mut self, at: usize, other: usize) {
        let Some(container) = &self.world.containers[other] else {
            return;
        };
        let config = ContainerConfig::sharing(CONTAINERS[at], container);
        let container = Container::open(config).expect("it is opened");
        self.opened(at, container, (Stack::Shared, Some(other)));
    }

    pub(super) fn opened(
        &mut self,
        at: usize,
        container: Container,
        (kind, other): (Stack, Option<usize>),
    ) {
        let body = self.model.bodies.len();
        if kind != Stack::Own && kind != Stack::None {
            self.world.files.remove(&body);
        }
        self.model.opened(at, kind, other, container.id().short());
        self.eyes.open(&self.model.bodies[body], &container);
        self.world.containers[at] = Some(container);
    }

    pub(super) fn attach(
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

    pub(super) fn close(&mut self, at: usize) {
        self.world.endpoints.retain(|(of, _), _| *of != at);
        let stack = self.model.body(at).map(|body| body.stack);
        self.world.containers[at] = None;
        self.model.close(at);
        if let Some(stack) = stack.filter(|stack| !self.model.is_open(*stack)) {
            self.eyes.close(stack);
        }
    }

    pub(super) fn open_on(&mut self, at: usize, net: usize, ask: &Ask) {
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
}
