//! Planning without doing: what connecting would ask of the kernel, from a network that is there
//! or one that is only drafted.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::addr::{ContainerLink, EndpointId, Family, HostName, LinkName, MacAddr, Subnet};
use crate::config::{
    EndpointConfig, EndpointRequest, HostsScope, MacPolicy, check_default_request,
};
use crate::container::{Container, Identity, ResolvChange};
use crate::driver::{Driver, Exit, lead_out};
use crate::error::{Error, Fault, Result};
use crate::kernel::random_bytes;
use crate::plan::{HostsEdit, HostsFile, Link, Plan, Side, Step, Switch};
use crate::resolver::{Names, Owner, endpoint_lines, link_lines, peer_lines};
use crate::spec::{EndpointAddress, EndpointSpec, NetworkRange, NetworkSpec, Origin, Requested};

use super::members::{Admission, Member, Members};
use super::ports::PortSource;
use super::registry::Registry;
use super::resolv::resolv_with;
use super::unrecalled::Concern;
use super::wiring::link_prefix;

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
/// print!("# {}\n{}", draft.spec().id, draft.plan());
/// let mysql = Container::isolated("mysql")?;
/// print!("{}", draft.plan_connect(&mysql, &EndpointConfig::new())?);
/// # Ok(()) }
/// ```
pub struct Draft {
    spec: NetworkSpec,
    driver: Arc<dyn Driver>,
    plan: Plan,
    members: Members,
    registry: Arc<Registry>,
}

impl Draft {
    pub(crate) fn new(
        spec: NetworkSpec,
        driver: Arc<dyn Driver>,
        plan: Plan,
        members: Members,
        registry: Arc<Registry>,
    ) -> Self {
        Self {
            spec,
            driver,
            plan,
            members,
            registry,
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
        self.plan_after(Vec::new(), container, config)
    }

    /// As [`plan_connect`](Self::plan_connect), with faults that were found before.
    pub(super) fn plan_after(
        &mut self,
        mut faults: Vec<Fault>,
        container: &Container,
        config: &EndpointConfig,
    ) -> Result<Plan> {
        let attempt = || format!("plan to connect {} to {}", container.name(), self.spec.name);
        let request = requested(&self.spec, container, config, &mut faults);
        // what can't be read is as it was
        let _known = self.registry.catch_up_on(Concern::Container(container));
        let wiring = self.registry.wirings().of(container.netns());
        let prefix = link_prefix(&self.spec);
        let wanted = (request.link_name.as_ref(), prefix);
        let name = container.name();
        let placed = wiring.take_place(wanted, name, &mut faults);
        let admitted = self.members.admit(name, &request, &self.spec, &mut faults);
        let (Some(place), Some(admission)) = (placed, admitted) else {
            return Err(Error::of(attempt(), faults));
        };
        let far = FarEnd::Joined(place.name.clone());
        let identity = container.identity();
        let spec = choose(&self.spec, identity, (&request, &admission), far)?;
        let mut plan = plan_endpoint((&self.spec, self.driver.as_ref()), container, &spec)?;
        let exit = Exit::new(&self.spec, &spec, &plan);
        let _own = lead_out(&mut plan, &spec.link, wiring.moves_with(&exit));
        let resolv = resolv_with((&self.spec, &self.registry), container, &spec);
        plan.extend(resolv.as_ref().and_then(ResolvChange::step));
        let side = PortSource {
            ports: self.registry.host_ports(),
            container: &spec.container,
        };
        let ports = wiring.ports_with(side, Some(&exit), &spec.ports);
        let ports = ports.map_err(|faults| Error::of(attempt(), faults))?;
        plan.extend(ports.steps().iter().cloned());
        let service = self.registry.names();
        plan.extend(service.and_then(|_| wiring.names_on_paper(&self.spec)));
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

/// Where the container's end of a wire is.
pub(super) enum FarEnd {
    /// In the container, under this name.
    Joined(LinkName),
    /// Beside the other end.
    Staged,
}

impl FarEnd {
    fn link(self, id: &EndpointId, near: &LinkName) -> Result<Link> {
        let index = id.container_link_index();
        Ok(match self {
            Self::Joined(name) => Link::new(Side::Container, name, index),
            Self::Staged => Link::new(Side::Host, format!("{near}p").parse()?, index),
        })
    }
}

/// Everything about an endpoint that its config leaves open.
pub(super) fn choose(
    network: &NetworkSpec,
    identity: &Identity,
    (request, admission): (&EndpointRequest, &Admission),
    far: FarEnd,
) -> Result<EndpointSpec> {
    let id = EndpointId::from_bytes(random_bytes()?).of_store_of(&network.id);
    let digits = &id.short()[..7];
    let host_name: LinkName = match &request.host_link_name {
        Some(name) => name.clone(),
        None => format!("veth{digits}").parse()?,
    };
    let outward = |gateway: &IpAddr| {
        let wanted = request.leads_out(Family::of(*gateway));
        !network.internal.is_on() && wanted.is_on()
    };
    let of_range = |range: &NetworkRange| {
        let gateway = range.gateway.filter(outward);
        endpoint_address(range.subnet, gateway, admission)
    };
    let further = network.further.iter();
    let further = further.filter_map(|range| endpoint_address(range.subnet, None, admission));
    Ok(EndpointSpec {
        id,
        network: network.id,
        container_id: identity.id,
        container: identity.name.clone(),
        hostname: identity.hostname.clone(),
        link: far.link(&id, &host_name)?,
        host_link: Link::new(Side::Host, host_name, id.host_link_index()),
        host_mac: MacAddr::locally_administered(random_bytes()?),
        mac: choose_mac(network, request, admission)?,
        ipv4: network.ipv4.as_ref().and_then(of_range),
        ipv6: network.ipv6.as_ref().and_then(of_range),
        further: further.collect(),
        requested: Requested {
            ipv4: request.ipv4,
            ipv6: request.ipv6,
            further: request.further.clone(),
            mac: request.mac,
            link_name: request.link_name.clone(),
            host_link_name: request.host_link_name.clone(),
            leads_out_ipv4: request.leads_out_ipv4,
            leads_out_ipv6: request.leads_out_ipv6,
        },
        link_local: request.link_local.clone(),
        priority: request.priority.unwrap_or_default(),
        aliases: request.aliases.clone(),
        links: request.links.clone(),
        port: request.port.clone(),
        sysctls: request.sysctls.clone(),
        ports: request.ports.clone(),
        exposed: request.exposed.clone(),
        source_guard: request.source_guard.unwrap_or(Switch::On),
        route_metric: request.route_metric.unwrap_or_default(),
    })
}

fn choose_mac(
    network: &NetworkSpec,
    request: &EndpointRequest,
    admission: &Admission,
) -> Result<MacAddr> {
    let ipv4 = network.ipv4.as_ref();
    let ipv4 = ipv4.and_then(|range| admission.lease_in(range.subnet));
    let ipv4 = ipv4.map(|lease| lease.address);
    Ok(match (request.mac, network.mac_policy, ipv4) {
        (Some(mac), _, _) => mac,
        (None, MacPolicy::FromIpv4, Some(IpAddr::V4(address))) => MacAddr::from_ipv4(address),
        (None, _, _) => MacAddr::locally_administered(random_bytes()?),
    })
}

fn endpoint_address(
    subnet: Subnet,
    gateway: Option<IpAddr>,
    admission: &Admission,
) -> Option<EndpointAddress> {
    let lease = admission.lease_in(subnet)?;
    Some(EndpointAddress {
        address: subnet.interface(lease.address)?,
        gateway,
        history: lease.history,
    })
}

/// What is asked for, each address for the subnet that it lies in.
pub(super) fn asked(
    network: &NetworkSpec,
    config: &EndpointConfig,
    faults: &mut Vec<Fault>,
) -> EndpointRequest {
    let mut request = config.check(faults);
    let addresses = std::mem::take(&mut request.further);
    let further_around = |address: IpAddr| {
        let mut subnets = network.further.iter().map(|range| range.subnet);
        subnets.find(|subnet| subnet.contains(address))
    };
    for address in addresses {
        let known = match further_around(address) {
            Some(around) => {
                let mut further = request.further.iter().copied();
                let known = further.find(|other| around.contains(*other));
                request.further.extend(known.is_none().then_some(address));
                known
            }
            None => {
                let first = match Family::of(address) {
                    Family::V4 => &mut request.ipv4,
                    Family::V6 => &mut request.ipv6,
                };
                let known = *first;
                first.get_or_insert(address);
                known
            }
        };
        if let Some(first) = known {
            let why = format!("address {first} and address {address}");
            faults.push(Fault::Conflicting(why));
        }
    }
    request
}

/// What is asked for, and what was before, as far as it can be met by this network.
pub(super) fn requested(
    network: &NetworkSpec,
    container: &Container,
    config: &EndpointConfig,
    faults: &mut Vec<Fault>,
) -> EndpointRequest {
    let request = asked(network, config, faults);
    let request = match container.recall(network.id) {
        Some(former) if request.recalls() => request.recalling(former),
        _ => request,
    };
    check_request(network, &request, faults);
    request
}

/// What this network can't give to anybody.
pub(super) fn check_request(
    network: &NetworkSpec,
    request: &EndpointRequest,
    faults: &mut Vec<Fault>,
) {
    check_families(network, request, faults);
    check_default(network, request, faults);
}

/// An address that is good on the link alone needs its family there.
fn check_families(network: &NetworkSpec, request: &EndpointRequest, faults: &mut Vec<Fault>) {
    let lacks = |address: &&IpNet| match address {
        IpNet::V4(_) => network.ipv4.is_none(),
        IpNet::V6(_) => network.ipv6.is_none(),
    };
    faults.extend(request.link_local.iter().filter(lacks).map(|net| {
        let why = format!("address {} on a network without its family", net.addr());
        Fault::Conflicting(why)
    }));
}

/// What can be asked of a user-defined network only, and nothing of a template of networks.
fn check_default(network: &NetworkSpec, request: &EndpointRequest, faults: &mut Vec<Fault>) {
    let is_template = network.config_only.is_on();
    faults.extend(is_template.then_some(Fault::TemplateEndpoint));
    if network.origin == Origin::Custom {
        return;
    }
    check_default_request(request, faults);
}

/// The driver's plan, and the container's own lines in its hosts file.
pub(super) fn plan_endpoint(
    (network, driver): (&NetworkSpec, &dyn Driver),
    container: &Container,
    spec: &EndpointSpec,
) -> Result<Plan> {
    let planned = driver.connect(network, spec);
    let mut plan = planned.map_err(|fault| Error::of("", vec![fault]))?;
    plan.extend(own_lines(container, spec));
    Ok(plan)
}

/// The container's own lines in its hosts file.
pub(super) fn own_lines(container: &Container, spec: &EndpointSpec) -> Option<Step> {
    let identity = container.identity();
    let named = (&identity.hostname, identity.domain.as_ref());
    lines_in(container.hosts_file()?, named, spec)
}

/// The lines of a container's that is called so, in its own hosts file.
pub(super) fn lines_in(
    file: &HostsFile,
    (hostname, domain): (&HostName, Option<&HostName>),
    spec: &EndpointSpec,
) -> Option<Step> {
    let addresses: Vec<_> = spec.addresses().map(|a| a.address.addr()).collect();
    let add = endpoint_lines(&addresses, hostname, domain);
    Some(edit_hosts(file.clone(), add))
}

/// The lines by which `member` and all others know each other: the same for coming and, taken
/// back, for leaving.
pub(super) fn introductions(
    network: &NetworkSpec,
    members: &Members,
    member: &Member,
) -> Vec<Step> {
    let mut met = Vec::new();
    let mut steps = Vec::new();
    let others = members
        .iter()
        .filter(|other| other.spec.id != member.spec.id);
    for other in others {
        met.extend(known_by(network, &member.spec, &other.spec));
        let add = known_by(network, &other.spec, &member.spec);
        if !add.is_empty() {
            steps.extend(other.hosts.clone().map(|file| edit_hosts(file, add)));
        }
    }
    if !met.is_empty() {
        steps.extend(member.hosts.clone().map(|file| edit_hosts(file, met)));
    }
    steps
}

/// The lines by which `who` knows `other` in its hosts file: its links to it where no names resolve,
/// and all of its names where everyone's stand in hosts files.
fn known_by(network: &NetworkSpec, who: &EndpointSpec, other: &EndpointSpec) -> Vec<String> {
    let mut lines = Vec::new();
    if network.origin == Origin::Builtin {
        let addresses: Vec<_> = other.addresses().map(|a| a.address.addr()).collect();
        let links = who
            .links
            .iter()
            .filter(|link| *link.container() == other.container);
        let line = |link: &ContainerLink| {
            link_lines(&addresses, link.alias(), &other.hostname, &other.container)
        };
        lines.extend(links.flat_map(line));
    }
    if network.hosts == HostsScope::Everyone {
        lines.extend(peer_lines(&owner(other)));
    }
    lines
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
