//! Connecting: hold addresses, choose names, let the driver plan, let the kernel do it, and only
//! then tell anybody.

use crate::addr::{ContainerName, EndpointId, Family, LinkName, MacAddr};
use crate::config::{EndpointConfig, EndpointRequest, HostsScope, MacPolicy};
use crate::container::{Container, Place, random_bytes};
use crate::endpoint::Endpoint;
use crate::error::{Error, Fault, Result};
use crate::ipam::Lease;
use crate::plan::{HostsEdit, Link, Plan, Side, Step, Switch};
use crate::resolver::{Names, Owner, endpoint_lines, peer_lines};
use crate::spec::{EndpointAddress, EndpointSpec, NetworkRange};

use super::members::{Admission, Member};
use super::{Life, Network};

/// An id, and so a name or an index, that is taken already is chosen anew this many times.
const ID_TRIES: usize = 4;

/// An IPv6 route of metric 0 gets this one (`IP6_RT_PRIO_USER`).
const IPV6_METRIC_DEFAULT: u32 = 1024;

impl Network {
    /// Connects `container` with all defaults; see [`connect_with`](Self::connect_with).
    ///
    /// # Errors
    /// As for [`connect_with`](Self::connect_with).
    pub fn connect(&self, container: &Container) -> Result<Endpoint> {
        self.connect_with(container, EndpointConfig::new())
    }

    /// Connects `container`: all of it, or nothing.
    ///
    /// When it returns, the first packet either way gets through: addresses are usable (no
    /// duplicate address detection), the bridge forwards, neighbours that knew an address by
    /// another hardware address have been told, and the names resolve. Needs `CAP_NET_ADMIN` in
    /// both namespaces.
    ///
    /// # Errors
    /// All that is wrong with the request; or what the kernel refused, and then everything is as it
    /// was, unless [`Error::left_behind`] says otherwise. [`Error::is_exists`]: the container is
    /// connected already, the address is in use, the link name is taken. [`Error::is_exhausted`]:
    /// no address is left, or the bridge is full (1023 ports).
    pub fn connect_with(&self, container: &Container, config: EndpointConfig) -> Result<Endpoint> {
        crate::trace::operation!("connect", network = self.name(), container = container);
        self.try_connect(container, &config)
            .map_err(|error| error.during(self.attempt(container.name())))
    }

    /// Connects all of `containers` with all defaults, in their order, or none of them.
    ///
    /// # Errors
    /// As for [`connect_with`](Self::connect_with), of the first that failed.
    pub fn connect_all<'c>(
        &self,
        containers: impl IntoIterator<Item = &'c Container>,
    ) -> Result<Vec<Endpoint>> {
        let mut endpoints = Vec::new();
        for container in containers {
            match self.connect(container) {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(error) => {
                    let undone = Endpoint::disconnect_all(endpoints);
                    let left = undone.err().map(|e| e.left_behind().clone());
                    return Err(left.map_or(error.clone(), |left| error.leaving(left)));
                }
            }
        }
        Ok(endpoints)
    }

    /// What [`connect_with`](Self::connect_with) would do, as steps that print as the lines an
    /// operator would type. Nothing is changed and no address is held; ids are random, so that
    /// names derived from them come out otherwise the next time.
    ///
    /// # Errors
    /// As for [`connect_with`](Self::connect_with), as far as the kernel need not be asked.
    pub fn plan_connect(&self, container: &Container, config: &EndpointConfig) -> Result<Plan> {
        let attempt = || format!("plan to {}", self.attempt(container.name()));
        let mut faults = Vec::new();
        let request = config.check(&mut faults);
        let placed = take_place(container, &request, &mut faults);
        let mut trial = self.0.members.lock().clone();
        let network = (&self.0.spec, self.ports_max());
        faults.extend(self.gone(*self.0.life.lock()));
        let admitted = trial.admit(container.name(), &request, network, &mut faults);
        let (Some(place), Some(admission)) = (placed, admitted) else {
            return Err(Error::of(attempt(), faults));
        };
        let spec = self.choose(container, &request, &admission, &place)?;
        let mut plan = self.plan_endpoint(container, &spec)?;
        let newcomer = Member::new(spec, container.hosts_file().cloned());
        plan.extend(self.introductions(&newcomer));
        Ok(plan)
    }

    fn attempt(&self, container: &ContainerName) -> String {
        format!("connect {container} to {}", self.name())
    }

    /// Only a bridge has a limit to its ports that is known beforehand.
    fn ports_max(&self) -> Option<usize> {
        let limit = usize::try_from(crate::kernel::BRIDGE_PORTS_MAX).unwrap_or(usize::MAX);
        (self.0.spec.driver == "bridge").then_some(limit)
    }

    fn try_connect(&self, container: &Container, config: &EndpointConfig) -> Result<Endpoint> {
        let mut faults = Vec::new();
        let request = config.check(&mut faults);
        let placed = take_place(container, &request, &mut faults);
        let admitted = self.admit(container, &request, &mut faults);
        let (Some(place), Some(admission)) = (placed, admitted) else {
            return Err(Error::of("", faults));
        };
        match self.wire(container, &request, &admission, place) {
            Ok(endpoint) => self.introduce(endpoint),
            Err(error) => {
                self.0
                    .members
                    .lock()
                    .turn_away(container.name(), &admission);
                Err(error)
            }
        }
    }

    fn gone(&self, life: Life) -> Option<Fault> {
        let name = self.name().to_string();
        (life == Life::Removed).then_some(Fault::NetworkNotFound { name })
    }

    fn admit(
        &self,
        container: &Container,
        request: &EndpointRequest,
        faults: &mut Vec<Fault>,
    ) -> Option<Admission> {
        let life = self.0.life.lock();
        faults.extend(self.gone(*life));
        let mut members = self.0.members.lock();
        let network = (&self.0.spec, self.ports_max());
        members.admit(container.name(), request, network, faults)
    }

    /// The kernel's part. Links are named and numbered by the endpoint's id; if one of those is
    /// taken, another id is tried.
    fn wire(
        &self,
        container: &Container,
        request: &EndpointRequest,
        admission: &Admission,
        place: Place,
    ) -> Result<Endpoint> {
        let mut tries = 1;
        loop {
            let spec = self.choose(container, request, admission, &place)?;
            let plan = self.plan_endpoint(container, &spec)?;
            let applied = self.0.host.kernel().apply(&plan, Some(container.netns()));
            match applied {
                Ok(()) => {
                    let (network, container) = (self.clone(), container.clone());
                    return Ok(Endpoint::new(spec, plan, network, container, place));
                }
                Err(error) if tries < ID_TRIES && is_taken(&error, &spec) => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Names are published once the address works, and cannot fail but for hosts files.
    fn introduce(&self, endpoint: Endpoint) -> Result<Endpoint> {
        let hosts = endpoint.container.hosts_file().cloned();
        let newcomer = Member::new(endpoint.spec.clone(), hosts);
        let _in_step = self.0.introductions.lock();
        let plan = Plan::from_iter(self.introductions(&newcomer));
        let introduced = self.0.host.kernel().apply(&plan, None);
        self.0.members.lock().welcome(newcomer);
        // from here on, dropping the endpoint takes all back
        introduced?;
        self.0.records.insert(owner(&endpoint.spec));
        Ok(endpoint)
    }

    /// The lines by which `member` and all others know each other: the same for coming and, taken
    /// back, for leaving.
    pub(super) fn introductions(&self, member: &Member) -> Vec<Step> {
        if self.0.spec.hosts == HostsScope::Own {
            return Vec::new();
        }
        let members = self.0.members.lock();
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

    fn plan_endpoint(&self, container: &Container, spec: &EndpointSpec) -> Result<Plan> {
        let planned = self.0.driver.connect(&self.0.spec, spec);
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

    fn choose(
        &self,
        container: &Container,
        request: &EndpointRequest,
        admission: &Admission,
        place: &Place,
    ) -> Result<EndpointSpec> {
        let id = EndpointId::from_bytes(random_bytes()?);
        let digits = &id.short()[..7];
        let host_name: LinkName = format!("veth{digits}").parse()?;
        let network = &self.0.spec;
        let address = |range: &Option<NetworkRange>, lease: &Option<Lease>| {
            let (range, lease) = (range.as_ref()?, lease.as_ref()?);
            self.endpoint_address(range, lease, place.rank)
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
            mac: self.choose_mac(request, admission)?,
            ipv4: address(&network.ipv4, &admission.ipv4),
            ipv6: address(&network.ipv6, &admission.ipv6),
            aliases: request.aliases.clone(),
            port: request.port.clone(),
        })
    }

    fn choose_mac(&self, request: &EndpointRequest, admission: &Admission) -> Result<MacAddr> {
        let ipv4 = admission.ipv4.as_ref().map(|lease| lease.address);
        Ok(match (request.mac, self.0.spec.mac_policy, ipv4) {
            (Some(mac), _, _) => mac,
            (None, MacPolicy::FromIpv4, Some(std::net::IpAddr::V4(address))) => {
                MacAddr::from_ipv4(address)
            }
            (None, _, _) => MacAddr::locally_administered(random_bytes()?),
        })
    }

    fn endpoint_address(
        &self,
        range: &NetworkRange,
        lease: &Lease,
        rank: u32,
    ) -> Option<EndpointAddress> {
        let outward = self.0.spec.internal == Switch::Off;
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
}

fn take_place(
    container: &Container,
    request: &EndpointRequest,
    faults: &mut Vec<Fault>,
) -> Option<Place> {
    let placed = container.take_place(request.link_name.clone());
    let placed = placed.map_err(|error| faults.extend_from_slice(error.faults()));
    placed.ok()
}

/// Whether it is the host's name or one of the indexes, all derived from the id, that is taken.
fn is_taken(error: &Error, spec: &EndpointSpec) -> bool {
    error.faults().iter().any(|fault| match fault {
        Fault::LinkExists { name, namespace } => {
            namespace.is_none() && *name == spec.host_link.name
        }
        Fault::Kernel { errno, doing, .. } => {
            *errno == crate::Errno::EEXIST && doing.contains(" type veth ")
        }
        _ => false,
    })
}

fn edit_hosts(file: crate::plan::HostsFile, add: Vec<String>) -> Step {
    Step::EditHosts(HostsEdit {
        file,
        remove: Vec::new(),
        add,
    })
}

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
