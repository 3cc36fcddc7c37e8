//! Planning without doing: what connecting would ask of the kernel, from a network that is there
//! or one that is only drafted.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::addr::{EndpointId, Family, LinkName, MacAddr};
use crate::config::{EndpointConfig, EndpointRequest, HostsScope, MacPolicy};
use crate::container::{Container, Place};
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::ipam::Lease;
use crate::kernel::random_bytes;
use crate::plan::{HostsEdit, HostsFile, Link, Plan, Side, Step, Switch};
use crate::resolver::{Names, Owner, endpoint_lines, peer_lines};
use crate::spec::{EndpointAddress, EndpointSpec, NetworkRange, NetworkSpec, Requested};

use super::members::{Admission, Member, Members};

/// An IPv6 route of metric 0 gets this one (`IP6_RT_PRIO_USER`).
const IPV6_METRIC_DEFAULT: u32 = 1024;

/// A network on paper: plans for it and for containers on it, of which nothing is performed.
///
/// Dropping it changes nothing. Ids are random, so that names derived from them come out otherwise
/// when it is done in earnest.
///
/// ```no_run
/// # fn main() -> Result<(), bridgework::Error> {
/// use bridgework::{Container, EndpointConfig, Host, NetworkConfig};
///
/// let host = Host::isolated()?;
/// let mut draft = host.draft_network(&NetworkConfig::bridge("hmall"))?;
/// print!("{}", draft.plan());
/// let mysql = Container::isolated("mysql")?;
/// print!("{}", draft.plan_connect(&mysql, &EndpointConfig::new())?);
/// # Ok(()) }
/// ```
pub struct Draft {
    spec: NetworkSpec,
    driver: Arc<dyn Driver>,
    plan: Plan,
    members: Members,
}

impl Draft {
    pub(crate) fn new(
        spec: NetworkSpec,
        driver: Arc<dyn Driver>,
        plan: Plan,
        members: Members,
    ) -> Self {
        Self {
            spec,
            driver,
            plan,
            members,
        }
    }

    /// Everything that was chosen for the network.
    #[must_use]
    pub fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    /// The steps that make the network.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The steps that connect a container. On paper it is connected from then on: the next one
    /// gets the next address.
    ///
    /// # Errors
    /// As for [`Network::connect_with`](crate::Network::connect_with), as far as the kernel need
    /// not be asked.
    pub fn plan_connect(&mut self, container: &Container, config: &EndpointConfig) -> Result<Plan> {
        let attempt = || format!("plan to connect {} to {}", container.name(), self.spec.name);
        let mut faults = Vec::new();
        let request = config.check(&mut faults);
        let placed = container.take_place(&request, &mut faults);
        let name = container.name();
        let admitted = self.members.admit(name, &request, &self.spec, &mut faults);
        let (Some(place), Some(admission)) = (placed, admitted) else {
            return Err(Error::of(attempt(), faults));
        };
        let spec = choose(&self.spec, container, (&request, &admission), &place)?;
        let mut plan = plan_endpoint((&self.spec, self.driver.as_ref()), container, &spec)?;
        let newcomer = Member {
            spec,
            hosts: container.hosts_file().cloned(),
        };
        plan.extend(introductions(&self.spec, &self.members, &newcomer));
        self.members.welcome(newcomer);
        Ok(plan)
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({}, {})", self.spec.name, self.spec.id.short())
    }
}

/// Everything about an endpoint that its config leaves open.
pub(super) fn choose(
    network: &NetworkSpec,
    container: &Container,
    (request, admission): (&EndpointRequest, &Admission),
    place: &Place,
) -> Result<EndpointSpec> {
    let id = EndpointId::from_bytes(random_bytes()?);
    let digits = &id.short()[..7];
    let host_name: LinkName = format!("veth{digits}").parse()?;
    let address = |range: &Option<NetworkRange>, lease: &Option<Lease>| {
        endpoint_address(network, (range.as_ref()?, lease.as_ref()?), place.rank)
    };
    Ok(EndpointSpec {
        id,
        network: network.id,
        container_id: container.id(),
        container: container.name().clone(),
        hostname: container.hostname().clone(),
        host_link: Link::new(Side::Host, host_name, id.host_link_index()),
        host_mac: MacAddr::locally_administered(random_bytes()?),
        link: Link::new(
            Side::Container,
            place.name.clone(),
            id.container_link_index(),
        ),
        mac: choose_mac(network.mac_policy, request, admission)?,
        ipv4: address(&network.ipv4, &admission.ipv4),
        ipv6: address(&network.ipv6, &admission.ipv6),
        requested: Requested {
            ipv4: request.ipv4,
            ipv6: request.ipv6,
            mac: request.mac,
            link_name: request.link_name.clone(),
        },
        link_local: request.link_local.clone(),
        priority: request.priority,
        aliases: request.aliases.clone(),
        links: request.links.clone(),
        port: request.port.clone(),
    })
}

fn choose_mac(
    policy: MacPolicy,
    request: &EndpointRequest,
    admission: &Admission,
) -> Result<MacAddr> {
    let ipv4 = admission.ipv4.as_ref().map(|lease| lease.address);
    Ok(match (request.mac, policy, ipv4) {
        (Some(mac), _, _) => mac,
        (None, MacPolicy::FromIpv4, Some(IpAddr::V4(address))) => MacAddr::from_ipv4(address),
        (None, _, _) => MacAddr::locally_administered(random_bytes()?),
    })
}

/// Each endpoint of a container has a default route of a metric of its own, so that the kernel
/// falls to the next when one goes.
fn endpoint_address(
    network: &NetworkSpec,
    (range, lease): (&NetworkRange, &Lease),
    rank: u32,
) -> Option<EndpointAddress> {
    let outward = network.internal == Switch::Off;
    let metric = match (Family::of(lease.address), rank) {
        (_, 0) => 0,
        (Family::V4, rank) => rank,
        (Family::V6, rank) => IPV6_METRIC_DEFAULT.saturating_add(rank),
    };
    Some(EndpointAddress {
        address: range.subnet.interface(lease.address)?,
        gateway: range.gateway.filter(|_| outward),
        metric,
        history: lease.history,
    })
}

/// The driver's plan, and the container's own lines in its hosts file.
pub(super) fn plan_endpoint(
    (network, driver): (&NetworkSpec, &dyn Driver),
    container: &Container,
    spec: &EndpointSpec,
) -> Result<Plan> {
    let planned = driver.connect(network, spec);
    let mut plan = planned.map_err(|fault| Error::of("", vec![fault]))?;
    if let Some(file) = container.hosts_file() {
        let addresses: Vec<_> = spec.addresses().map(|a| a.address.addr()).collect();
        let identity = container.identity();
        let domain = identity.domain.as_ref();
        let add = endpoint_lines(&addresses, &identity.hostname, domain);
        plan.push(edit_hosts(file.clone(), add));
    }
    Ok(plan)
}

/// The lines by which `member` and all others know each other: the same for coming and, taken
/// back, for leaving.
pub(super) fn introductions(
    network: &NetworkSpec,
    members: &Members,
    member: &Member,
) -> Vec<Step> {
    if network.hosts == HostsScope::Own {
        return Vec::new();
    }
    let others = members
        .iter()
        .filter(|other| other.spec.id != member.spec.id);
    let mut met = Vec::new();
    let mut steps = Vec::new();
    for other in others {
        met.extend(peer_lines(&owner(&other.spec)));
        let add = peer_lines(&owner(&member.spec));
        steps.extend(other.hosts.clone().map(|file| edit_hosts(file, add)));
    }
    if !met.is_empty() {
        steps.extend(member.hosts.clone().map(|file| edit_hosts(file, met)));
    }
    steps
}

fn edit_hosts(file: HostsFile, add: Vec<String>) -> Step {
    Step::EditHosts(HostsEdit {
        file,
        remove: Vec::new(),
        add,
    })
}

/// The endpoint as its network's records know it.
pub(super) fn owner(spec: &EndpointSpec) -> Owner {
    let names = Names::of_container(
        &spec.container,
        &spec.aliases,
        &spec.container_id,
        Some(&spec.hostname),
    );
    Owner::new(
        spec.id,
        names,
        spec.addresses().map(|address| address.address.addr()),
    )
}
