//! What each network mode does with a request: all that is wrong with it is told before anything is
//! made, the default network among it.

use crate::addr::{ContainerLink, NetworkName};
use crate::config::{
    ContainerTerm, EndpointConfig, EndpointRequest, NetworkTerm, check_default_request,
};
use crate::container::{Container, ContainerConfig};
use crate::driver::{ContainerDriver, Driver, Stack};
use crate::error::{Error, Fault, Result};
use crate::network::Network;

use super::builtin::Builtin;
use super::{Attached, Host, Warning};

impl Host {
    /// On the default network, which is made for the first of its containers.
    pub(super) fn on_default(
        &self,
        container: ContainerConfig,
        endpoint: EndpointConfig,
    ) -> Result<Attached> {
        let mut faults = container.faults_of_wire();
        let request = endpoint.check(&mut faults);
        match self.made(Builtin::Bridge)? {
            Some(network) => network.check_stranger(container.name(), &request, &mut faults),
            None => {
                check_default_request(&request, &mut faults);
                faults.extend(self.links_to_nobody(&request));
            }
        }
        if !faults.is_empty() {
            return Err(Error::of("", faults));
        }
        self.connected(&self.default_network()?, container, endpoint, faults)
    }

    /// On the default network a link leads to somebody who is there: nobody, where it is not made.
    fn links_to_nobody(&self, request: &EndpointRequest) -> Vec<Fault> {
        let Ok(network) = self.0.config.default_network.name().parse::<NetworkName>() else {
            return Vec::new();
        };
        let targets = request.links.iter().map(ContainerLink::container);
        targets
            .map(|name| Fault::LinkTarget {
                container: name.clone(),
                network: network.clone(),
            })
            .collect()
    }

    pub(super) fn on_network(
        &self,
        term: &NetworkTerm,
        container: ContainerConfig,
        endpoint: EndpointConfig,
    ) -> Result<Attached> {
        let term = term.to_string();
        if self.builtin_named(&term) == Some(Builtin::Bridge) {
            return self.on_default(container, endpoint);
        }
        let mut faults = container.faults_of_wire();
        let request = endpoint.check(&mut faults);
        match self.network(&term) {
            Ok(network) => {
                network.check_stranger(container.name(), &request, &mut faults);
                self.connected(&network, container, endpoint, faults)
            }
            Err(error) => {
                faults.extend(error.faults().iter().cloned());
                Err(Error::of("", faults))
            }
        }
    }

    fn connected(
        &self,
        network: &Network,
        container: ContainerConfig,
        endpoint: EndpointConfig,
        faults: Vec<Fault>,
    ) -> Result<Attached> {
        let (container, warnings) = self.open_container(container, faults)?;
        let endpoint = network.connect_with(&container, endpoint)?;
        Ok(Attached {
            container,
            endpoint: Some(endpoint),
            warnings,
        })
    }

    pub(super) fn on_host(
        &self,
        container: ContainerConfig,
        endpoint: &EndpointConfig,
    ) -> Result<Attached> {
        let container = container.with_stack(Stack::Host, self.netns());
        let mut faults = container.faults();
        let request = endpoint.check(&mut faults);
        refuse_wire(&request, "host type networking", &mut faults);
        let (container, mut warnings) = self.open_container(container, faults)?;
        self.builtin(Builtin::Host)?.take_in(&container)?;
        let has_ports = !request.ports.is_empty();
        warnings.extend(has_ports.then_some(Warning::PortsDiscarded));
        Ok(without_wire(container, warnings))
    }

    pub(super) fn alone(
        &self,
        container: ContainerConfig,
        endpoint: &EndpointConfig,
    ) -> Result<Attached> {
        let container = container.with_stack(Stack::Private, self.netns());
        let mut faults = container.faults();
        let request = endpoint.check(&mut faults);
        refuse_wire(&request, "none type networking", &mut faults);
        let (container, mut warnings) = self.open_container(container, faults)?;
        self.know_all_of(&container)?;
        let wiring = self.0.registry.wirings().of(container.netns());
        let closed = wiring.close();
        let closed = closed.map_err(|fault| Error::of("", vec![fault]))?;
        self.builtin(Builtin::None)?.take_in(&container)?;
        container.hold_with_stack(Box::new(closed));
        let has_ports = !request.ports.is_empty();
        warnings.extend(has_ports.then_some(Warning::PortsUnreachable));
        Ok(without_wire(container, warnings))
    }

    pub(super) fn beside(
        &self,
        term: &ContainerTerm,
        container: ContainerConfig,
        endpoint: &EndpointConfig,
    ) -> Result<Attached> {
        let mut faults = Vec::new();
        let other = match container.is_meant_by(term) {
            true => Err(Error::of("", vec![Fault::OwnNamespace])),
            false => self.known_container(&term.to_string()),
        };
        let other = other.map_err(|error| faults.extend(error.faults().iter().cloned()));
        let container = container.with_stack_of(other.as_ref().ok());
        faults.extend(container.faults());
        let request = endpoint.check(&mut faults);
        refuse_wire(&request, "container type network", &mut faults);
        if !request.ports.is_empty() {
            let why = "port publishing and the container type network mode".to_owned();
            faults.push(Fault::Conflicting(why));
        }
        let (container, warnings) = self.open_container(container, faults)?;
        let plan = ContainerDriver.open(container.name());
        let lodging = self.0.registry.lodge(&container, None)?;
        self.kernel().apply(&plan, Some(container.netns()))?;
        container.hold(Box::new(lodging));
        self.0.registry.know(&container);
        Ok(without_wire(container, warnings))
    }
}

/// A wire of its own is what names, addresses and the like are of.
fn refuse_wire(request: &EndpointRequest, mode: &str, faults: &mut Vec<Fault>) {
    if !request.links.is_empty() {
        faults.push(Fault::Conflicting(format!(
            "{mode} can't be used with links. This would result in undefined behavior"
        )));
    }
    let is_addressed = !request.link_local.is_empty();
    let is_told = request.ipv4.is_some() || request.ipv6.is_some();
    faults.extend((is_addressed && !is_told).then_some(Fault::AddressOnDefault));
    check_default_request(request, faults);
    let given = [
        ("mac-address", request.mac.is_some()),
        ("interface name", request.link_name.is_some()),
        ("interface settings", !request.sysctls.is_empty()),
        ("port options", !request.port.is_default()),
    ];
    let given = given.into_iter().filter(|(_, is_given)| *is_given);
    let conflict = |(what, _)| Fault::Conflicting(format!("{what} and the network mode"));
    faults.extend(given.map(conflict));
}

fn without_wire(container: Container, warnings: Vec<Warning>) -> Attached {
    Attached {
        container,
        endpoint: None,
        warnings,
    }
}
