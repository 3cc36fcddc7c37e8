//! An endpoint: one container's place in one network, as a handle.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::addr::{EndpointId, LinkName, MacAddr};
use crate::container::Container;
use crate::error::Result;
use crate::plan::Plan;
use crate::resolver::View;
use crate::spec::EndpointSpec;

use super::Network;
use super::attachment::Attachment;
use super::detach::{detach_together, join};

/// One container's place in one network.
///
/// **Dropping it disconnects the container**; what goes wrong then is lost. To disconnect on
/// purpose and hear of it, call [`disconnect`](Self::disconnect); to let the wiring outlive the
/// process, [`persist`](Self::persist). It holds its network and its container, so neither can go
/// before it. While other containers share the container's stack, they hold the wiring too:
/// dropping the handle then leaves it to them.
///
/// ```no_run
/// # fn main() -> Result<(), bridgework::Error> {
/// use bridgework::{Container, Host, NetworkConfig};
///
/// let host = Host::isolated()?;
/// let network = host.create_network(NetworkConfig::bridge("web"))?;
/// let endpoint = network.connect(&Container::isolated("app")?)?;
/// println!("{} has {}", endpoint.link_name(), endpoint.ip());
/// endpoint.disconnect()?; // the address, the name and the traffic are gone
/// # Ok(()) }
/// ```
///
/// What it tells:
///
/// ```no_run
/// # fn main() -> Result<(), bridgework::Error> {
/// # use bridgework::{Container, Host, NetworkConfig};
/// # let host = Host::isolated()?;
/// # let (network, app) = (host.create_network(NetworkConfig::bridge("web"))?, Container::isolated("app")?);
/// use bridgework::Family;
/// use bridgework::resolver::Answer;
///
/// let endpoint = network.connect(&app)?;
/// assert_eq!((endpoint.network().id(), endpoint.container().id()), (network.id(), app.id()));
/// let spec = endpoint.spec(); // all that was chosen
/// assert_eq!((spec.id, spec.mac), (endpoint.id(), endpoint.mac()));
/// let itself = endpoint.view().lookup("app.web", Family::V4);
/// assert_eq!(itself, Answer::Addresses(vec![endpoint.ip()]));
/// # Ok(()) }
/// ```
pub struct Endpoint {
    pub(super) attachment: Arc<Attachment>,
}

impl Endpoint {
    pub(super) fn new(attachment: Arc<Attachment>) -> Self {
        Self { attachment }
    }

    /// Disconnects the container. It returns when the address, the names and the traffic are gone;
    /// the kernel's own waiting for its readers (15 to 30 ms) goes on after that on a thread of the
    /// crate's own, and ends also if the process does. What is gone already, the container's
    /// namespace among it, counts as done.
    ///
    /// If the container's default route led by this network and another one leads out too, it leads
    /// there from one moment to the next.
    ///
    /// # Errors
    /// Something could not be taken back; it is in
    /// [`Error::left_behind`](crate::Error::left_behind), and the endpoint's address is not given
    /// to anybody else.
    ///
    /// ```no_run
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// # let app = Container::isolated("app")?;
    /// network.connect(&app)?.disconnect()?;
    /// assert!(network.endpoints().is_empty());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn disconnect(self) -> Result<()> {
        self.attachment.disconnect()
    }

    /// Disconnects many at once. The links go as one group, for which the kernel waits once: 1.4 to
    /// 2 ms a link for a hundred.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Container, Endpoint, Host, NetworkConfig};
    /// # let host = Host::isolated()?;
    /// # let network = host.create_network(NetworkConfig::bridge("web"))?;
    /// let containers = [Container::isolated("a")?, Container::isolated("b")?];
    /// let endpoints = network.connect_all(&containers)?;
    /// Endpoint::disconnect_all(endpoints)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`disconnect`](Self::disconnect), of all together.
    pub fn disconnect_all(endpoints: impl IntoIterator<Item = Endpoint>) -> Result<()> {
        let mut left: Vec<Endpoint> = endpoints.into_iter().collect();
        left.retain(|endpoint| {
            let attachment = &endpoint.attachment;
            let is_ours = || !attachment.stays() || endpoint.network().hand_over(&attachment.ties);
            attachment.let_go() && is_ours()
        });
        let mut results = Vec::new();
        while let Some(first) = left.first() {
            let kernel = first.network().kernel().clone();
            let (of_host, others): (Vec<_>, Vec<_>) = left
                .into_iter()
                .partition(|endpoint| endpoint.network().kernel().is_same(&kernel));
            left = others;
            let departures: Vec<_> = of_host.iter().map(|e| e.attachment.departure()).collect();
            results.push(detach_together(&kernel, &departures));
            let attachments = of_host.iter().map(|endpoint| &endpoint.attachment);
            attachments.for_each(|attachment| attachment.end());
        }
        join(results).map_err(|error| error.during("disconnect together"))
    }

    /// Leaves the wiring as it is when the process ends, and returns what was chosen. The network
    /// is persisted with it, one that every host has until the last such container is disconnected.
    /// [`Network::disconnect`] still disconnects the container. The container's namespace is not
    /// held, and goes as others hold it, unless the container's questions are
    /// [answered](crate::HostConfig::resolver): they still are while this process lives, and the
    /// sockets for that keep the namespace until the container is disconnected.
    ///
    /// Published ports still lead there when the process has ended, but nobody holds them any more:
    /// whoever publishes one of them next gets it.
    ///
    /// Where the host keeps [records](crate::HostConfig::store), other processes find it there from now
    /// on, and the next one.
    ///
    /// # Errors
    /// The record can't be written; the container is disconnected then.
    ///
    /// ```no_run
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// # let app = Container::isolated("app")?;
    /// let spec = network.connect(&app)?.persist()?;
    /// assert_eq!(network.endpoint("app")?.id(), spec.id); // it is still there
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn persist(self) -> Result<EndpointSpec> {
        let ties = Arc::clone(&self.attachment.ties);
        let network = self.network();
        if self.attachment.stays() && !network.is_held_elsewhere(ties.spec.id) {
            return Ok(ties.spec.clone());
        }
        let kept = network.persist_with(&ties);
        kept.map_err(|error| {
            error.during(format!(
                "persist {} on {}",
                ties.spec.container,
                network.name()
            ))
        })?;
        if network.keep_wiring(&self.attachment) {
            self.container().leave_files();
            self.attachment.end();
        }
        Ok(ties.spec.clone())
    }

    /// Everything that was chosen for it.
    #[must_use]
    pub fn spec(&self) -> &EndpointSpec {
        &self.attachment.ties.spec
    }

    /// The steps that made it, which print as the lines that an operator would type.
    ///
    /// ```no_run
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// # let app = Container::isolated("app")?;
    /// let endpoint = network.connect(&app)?;
    /// print!("{}", endpoint.plan());
    /// assert_eq!(endpoint.plan().container(), Some(app.name()));
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.attachment.ties.plan
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> EndpointId {
        self.attachment.ties.spec.id
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.attachment.network
    }

    /// The container.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.attachment.container
    }

    /// The names that the container sees over all of its networks of this host.
    #[must_use]
    pub fn view(&self) -> &Arc<View> {
        self.attachment.ties.place.wiring().view()
    }

    /// The interface's name inside the container, `eth0` say.
    #[must_use]
    pub fn link_name(&self) -> &LinkName {
        &self.attachment.ties.spec.link.name
    }

    /// The interface's hardware address.
    #[must_use]
    pub fn mac(&self) -> MacAddr {
        self.attachment.ties.spec.mac
    }

    /// Its address: the IPv4 one where it has both. It always has one, since a network without a
    /// family is refused.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        let first = self.attachment.ties.spec.addresses().next();
        first.map_or(IpAddr::from([0, 0, 0, 0]), |address| address.address.addr())
    }

    /// All its addresses, IPv4 first, and those of further subnets last.
    ///
    /// ```no_run
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// # let app = Container::isolated("app")?;
    /// let endpoint = network.connect(&app)?;
    /// assert_eq!(endpoint.ips().next(), Some(endpoint.ip()));
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> {
        self.spec().addresses().map(|a| a.address.addr())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EndpointSpec { container, id, .. } = &self.attachment.ties.spec;
        write!(
            f,
            "Endpoint({container} on {}, {})",
            self.network().name(),
            id.short()
        )
    }
}
