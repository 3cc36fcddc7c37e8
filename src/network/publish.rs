//! Publishing ports of a container that is running, and what is published of it.

use crate::addr::{ContainerName, PortMapping, PublishedPort};
use crate::config::take;
use crate::driver::Exit;
use crate::error::{Error, Fault, Result};
use crate::plan::Plan;
use crate::spec::EndpointSpec;

use super::Network;
use super::endpoint::Endpoint;
use super::ports::{PortSource, PortsChange};
use super::wiring::Wiring;

impl Endpoint {
    /// The ports of the host's that lead to the container now.
    ///
    /// They are the container's and not the endpoint's: they follow its default route, and stay when
    /// one network goes as long as another one leads out.
    #[must_use]
    pub fn published(&self) -> Vec<PublishedPort> {
        self.attachment.ties.place.wiring().published()
    }

    /// Publishes ports while the container is running; returns those of the host's that lead there
    /// from now on. What is published already is left as it is.
    ///
    /// Nobody else can have the host's ports from now on, and no connection is refused in between.
    /// They are held, and what the kernel can't lead there is carried over, while this process lives;
    /// they go with [`unpublish`](Self::unpublish), or with the last network that leads out. Needs
    /// `CAP_NET_ADMIN`, and `CAP_NET_BIND_SERVICE` for a port of the host's below 1024.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let host = Host::isolated()?;
    /// # bridgework::Device::open(host.netns(), "lo")?.set_up()?;
    /// # let network = host.create_network(NetworkConfig::bridge("web"))?;
    /// let web = network.connect(&Container::isolated("web")?)?;
    /// for port in web.publish("127.0.0.1:8080:80")? {
    ///     println!("{port}"); // 127.0.0.1:8080->80/tcp
    /// }
    /// assert_eq!(web.published()[0].host_port.get(), 8080);
    /// web.unpublish("127.0.0.1:8080:80")?;
    /// assert!(web.published().is_empty());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The mapping does not have its form; a port of the host's is taken ([`Error::is_exists`]), or
    /// none is left ([`Error::is_exhausted`]); or the kernel refused, and all is as it was.
    pub fn publish<V>(&self, mapping: V) -> Result<Vec<PublishedPort>>
    where
        V: TryInto<PortMapping>,
        V::Error: Into<Fault>,
    {
        let mapping = parsed(mapping)?;
        let attempt = || format!("publish {mapping} of {}", self.spec().container);
        let came = self.change_ports(|wiring, source| wiring.ports_with(source, None, &[mapping]));
        let came = came.map_err(|error| error.during(attempt()))?;
        match self
            .network()
            .carry_over(self.attachment.ties.place.wiring())
        {
            Err(error) if !came.is_empty() => {
                // the kernel has done its part, and this process can't do its own
                let _as_before = self.unpublish(mapping);
                Err(error.during(attempt()))
            }
            carried => carried.map(|()| came),
        }
    }

    /// The ports of this mapping lead there no more, and are anybody's. If they never did, that is
    /// done.
    ///
    /// # Errors
    /// The mapping does not have its form, or the kernel refused.
    pub fn unpublish<V>(&self, mapping: V) -> Result<()>
    where
        V: TryInto<PortMapping>,
        V::Error: Into<Fault>,
    {
        let mapping = parsed(mapping)?;
        let attempt = || format!("unpublish {mapping} of {}", self.spec().container);
        let changed = self.change_ports(|wiring, source| wiring.ports_but(source, &mapping));
        changed.map_err(|error| error.during(attempt())).map(|_| ())
    }

    fn change_ports(
        &self,
        plan: impl Fn(&Wiring, PortSource<'_>) -> std::result::Result<PortsChange, Vec<Fault>>,
    ) -> Result<Vec<PublishedPort>> {
        self.network().attempt(|| self.try_change_ports(&plan))
    }

    fn try_change_ports(
        &self,
        plan: impl Fn(&Wiring, PortSource<'_>) -> std::result::Result<PortsChange, Vec<Fault>>,
    ) -> Result<Vec<PublishedPort>> {
        let network = self.network();
        let wiring = self.attachment.ties.place.wiring();
        let _turn = wiring.take_turn();
        let change = plan(wiring, network.port_source(&self.spec().container));
        let change = change.map_err(|faults| Error::of("", faults))?;
        let (before, after) = (wiring.publications(), wiring.outcome(&change));
        let container = self.spec().container_id;
        network.write_published(container, after)?;
        let steps = Plan::from_iter(change.steps().iter().cloned());
        network.kernel().apply(&steps, None).inspect_err(|_| {
            let _left_to_recovery = network.write_published(container, before);
        })?;
        Ok(wiring.settle_ports(network.kernel(), change))
    }
}

impl Network {
    /// Where ports for a container are taken from.
    pub(super) fn port_source<'a>(&'a self, container: &'a ContainerName) -> PortSource<'a> {
        let ports = self.0.registered.registry().host_ports();
        PortSource { ports, container }
    }

    /// What the kernel can't lead to the stack's ports is led there by this process, unless nothing
    /// shall be.
    pub(super) fn carry_over(&self, wiring: &Wiring) -> Result<()> {
        let relay = self.0.registered.registry().relay();
        relay.map_or(Ok(()), |relay| wiring.carry_over(relay))
    }

    /// What it takes for a container's ports to take account of an endpoint that is coming.
    pub(super) fn ports_with(
        &self,
        wiring: &Wiring,
        (spec, exit): (&EndpointSpec, &Exit),
    ) -> Result<PortsChange> {
        let change = wiring.ports_with(self.port_source(&spec.container), Some(exit), &spec.ports);
        change.map_err(|faults| Error::of("", faults))
    }
}

fn parsed<V>(mapping: V) -> Result<PortMapping>
where
    V: TryInto<PortMapping>,
    V::Error: Into<Fault>,
{
    let mut faults = Vec::new();
    take(mapping, &mut faults).ok_or_else(|| Error::of("read port mapping", faults))
}
