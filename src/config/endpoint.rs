//! A container's place in a network as it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::addr::{
    ContainerLink, Family, HostName, LinkName, LinkSysctl, MacAddr, PortMapping, Subnet,
};
use crate::error::Fault;
use crate::plan::{PortOptions, Switch};

use super::endpoint_options::EndpointOptions;
use super::endpoint_request::{EndpointRequest, Recollection};
use super::take;

/// What to ask [`Network::connect_with`](crate::Network::connect_with) for.
///
/// Everything has a default: the next free addresses, a random hardware address, the next free
/// `eth0`, `eth1`…
///
/// ```no_run
/// use bridgework::plan::{PortOptions, Switch};
/// use bridgework::{Container, EndpointConfig, Host, NetworkConfig};
///
/// let lab = NetworkConfig::bridge("lab").subnet("10.89.0.0/24");
/// let network = Host::isolated()?.create_network(lab)?;
/// let config = EndpointConfig::new()
///     .ip([10, 89, 0, 7]).further("10.89.0.8/24".parse::<ipnet::IpNet>()?).link_local([169, 254, 0, 7])
///     .mac("02:42:0a:59:00:07").link_name("lan0").host_link_name("web-port")
///     .alias("www").link("mysql:db")
///     .publish("8080:80").expose("443").publish_exposed()
///     .sysctl("net.ipv4.conf.IFNAME.log_martians=1")
///     .priority(10).route_metric(100).leads_out(Switch::On)
///     .source_guard(Switch::Off).port_options(PortOptions::new().hairpin(Switch::On))
///     .anew(); // whatever it was connected with before
/// let web = network.connect_with(&Container::isolated("web")?, config)?;
///
/// let spec = web.spec();
/// assert_eq!((spec.link.name.as_str(), spec.host_link.name.as_str()), ("lan0", "web-port"));
/// assert_eq!(web.ip(), std::net::IpAddr::from([10, 89, 0, 7]));
/// assert_eq!(spec.link_local.len(), 2); // both further addresses
/// assert_eq!(spec.links[0].to_string(), "mysql:db"); // who is not there yet
/// assert_eq!((spec.ports.len(), spec.exposed.len()), (2, 1));
/// assert_eq!((spec.priority, spec.route_metric), (10, 100));
/// assert_eq!(spec.source_guard, Switch::Off);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct EndpointConfig {
    addresses: Vec<IpAddr>,
    mac: Option<MacAddr>,
    link_local: Vec<IpAddr>,
    further: Vec<IpNet>,
    priority: Option<i32>,
    aliases: Vec<HostName>,
    links: Vec<ContainerLink>,
    link_name: Option<LinkName>,
    port: PortOptions,
    sysctls: Vec<LinkSysctl>,
    ports: Vec<PortMapping>,
    exposed: Vec<PortMapping>,
    exposure: Exposure,
    source_guard: Option<Switch>,
    leads_out_ipv4: Option<Switch>,
    leads_out_ipv6: Option<Switch>,
    route_metric: Option<u32>,
    host_link_name: Option<LinkName>,
    by_key: BTreeMap<String, String>,
    memory: Recollection,
    #[cfg_attr(
        feature = "serde",
        serde(
            skip_deserializing,
            skip_serializing_if = "Vec::is_empty",
            serialize_with = "super::refuse"
        )
    )]
    faults: Vec<Fault>,
}

/// What becomes of ports that are exposed and not published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
enum Exposure {
    #[default]
    Documented,
    Published,
}

impl EndpointConfig {
    /// All defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A static address, one for each of the network's subnets: as a rule one for each family.
    #[must_use]
    pub fn ip(mut self, address: impl Into<IpAddr>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// One more address, good on the link alone: of `169.254.0.0/16` or `fe80::/64`.
    #[must_use]
    pub fn link_local(mut self, address: impl Into<IpAddr>) -> Self {
        self.link_local.push(address.into());
        self
    }

    /// One more address, with the length of its subnet's prefix: of the network's subnet, or of one that
    /// the caller has its own reasons for. That nobody else has it is for the caller to see to. The
    /// container may send by it; no name and no published port leads there.
    #[must_use]
    pub fn further(mut self, address: impl Into<IpNet>) -> Self {
        self.further.push(address.into());
        self
    }

    /// The higher, the sooner the container's default route leads by this endpoint. Default: 0.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = Some(priority);
        self
    }

    /// A container that this one alone knows by a name of its own: `other:alias`.
    #[must_use]
    pub fn link<V>(mut self, link: V) -> Self
    where
        V: TryInto<ContainerLink>,
        V::Error: Into<Fault>,
    {
        self.links.extend(take(link, &mut self.faults));
        self
    }

    /// The hardware address of the container's end.
    #[must_use]
    pub fn mac<V>(mut self, mac: V) -> Self
    where
        V: TryInto<MacAddr>,
        V::Error: Into<Fault>,
    {
        self.mac = take(mac, &mut self.faults).or(self.mac);
        self
    }

    /// One more name that resolves to the container on this network.
    #[must_use]
    pub fn alias<V>(mut self, alias: V) -> Self
    where
        V: TryInto<HostName>,
        V::Error: Into<Fault>,
    {
        self.aliases.extend(take(alias, &mut self.faults));
        self
    }

    /// The name of the interface inside the container.
    #[must_use]
    pub fn link_name<V>(mut self, name: V) -> Self
    where
        V: TryInto<LinkName>,
        V::Error: Into<Fault>,
    {
        self.link_name = take(name, &mut self.faults).or(self.link_name);
        self
    }

    /// Nothing is as it was when the container was connected before. Without this, what is left open
    /// is: aliases, links, priority, hardware address, interface name, settings, ports, static
    /// addresses, and the addresses that were chosen unless somebody was given them since.
    #[must_use]
    pub fn anew(mut self) -> Self {
        self.memory = Recollection::Forgotten;
        self
    }

    /// A kernel setting of the interface inside the container: `net.ipv4.conf.IFNAME.log_martians=1`.
    /// It is set after the crate's own, and before the interface is up where it would hold.
    #[must_use]
    pub fn sysctl<V>(mut self, setting: V) -> Self
    where
        V: TryInto<LinkSysctl>,
        V::Error: Into<Fault>,
    {
        self.sysctls.extend(take(setting, &mut self.faults));
        self
    }

    /// Ports of the container, by which the host's address reaches it: `8080:80/tcp`, or a
    /// [`PortMapping`]. They are the container's: they follow its default route from network to
    /// network, see [`Endpoint::published`](crate::Endpoint::published).
    #[must_use]
    pub fn publish<V>(mut self, mapping: V) -> Self
    where
        V: TryInto<PortMapping>,
        V::Error: Into<Fault>,
    {
        self.ports.extend(take(mapping, &mut self.faults));
        self
    }

    /// An option by its key, as `docker network connect --driver-opt KEY=VALUE` takes it:
    /// `com.docker.network.endpoint.ifname`, which is the [`link_name`](Self::link_name), or
    /// `com.docker.network.endpoint.sysctls`, which is several [`sysctl`](Self::sysctl) with commas
    /// between them. Of two with the same key, the last is taken.
    ///
    /// ```
    /// use bridgework::EndpointConfig;
    ///
    /// let config = EndpointConfig::new()
    ///     .option("com.docker.network.endpoint.ifname", "lan0")
    ///     .option(
    ///         "com.docker.network.endpoint.sysctls",
    ///         "net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.neigh.IFNAME.gc_stale_time=30",
    ///     );
    /// assert_ne!(config, EndpointConfig::new());
    /// ```
    #[must_use]
    pub fn option(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.by_key.insert(key.into(), value.into());
        self
    }

    /// Ports that the container listens on, as an image says it: `80/tcp`, `8000-8010/udp`. They are
    /// published only if [`publish_exposed`](Self::publish_exposed) says so, and are shown by
    /// inspection either way.
    #[must_use]
    pub fn expose<V>(mut self, ports: V) -> Self
    where
        V: TryInto<PortMapping>,
        V::Error: Into<Fault>,
    {
        self.exposed.extend(take(ports, &mut self.faults));
        self
    }

    /// Publishes every exposed port that is not published by itself, each by a port of the host's that
    /// is chosen for it: `docker run -P`.
    #[must_use]
    pub fn publish_exposed(mut self) -> Self {
        self.exposure = Exposure::Published;
        self
    }

    /// Whether the container may send nothing under other addresses than its own: neither frames of
    /// another hardware address, nor ARP, IPv4 or IPv6 of another address, nor what only a router or
    /// DHCP server says, nor anything but ARP and IP. Default: on. A container that answers for other
    /// addresses (a virtual router, nested containers on a bridge of their own) needs it off.
    #[must_use]
    pub fn source_guard(mut self, guard: Switch) -> Self {
        self.source_guard = Some(guard);
        self
    }

    /// Whether a default route of the container may lead by this endpoint. Default: on, where the network
    /// leads out. Off, its published ports are not reached by this network either, since nothing would
    /// find the way back.
    #[must_use]
    pub fn leads_out(self, leads_out: Switch) -> Self {
        let ipv4 = self.leads_out_by(Family::V4, leads_out);
        ipv4.leads_out_by(Family::V6, leads_out)
    }

    /// As [`leads_out`](Self::leads_out), for one family.
    ///
    /// ```
    /// use bridgework::plan::Switch;
    /// use bridgework::{EndpointConfig, Family};
    ///
    /// let aside = EndpointConfig::new().leads_out_by(Family::V4, Switch::Off);
    /// assert_ne!(aside, EndpointConfig::new().leads_out(Switch::Off)); // IPv6 goes out
    /// ```
    #[must_use]
    pub fn leads_out_by(mut self, family: Family, leads_out: Switch) -> Self {
        match family {
            Family::V4 => self.leads_out_ipv4 = Some(leads_out),
            Family::V6 => self.leads_out_ipv6 = Some(leads_out),
        }
        self
    }

    /// The metric of the container's default routes while they lead by this endpoint: the lower, the
    /// better, among routes of others. Which endpoint they lead by is the
    /// [priority](Self::priority)'s matter. Default: the kernel's, 0 for IPv4 and 1024 for IPv6.
    #[must_use]
    pub fn route_metric(mut self, metric: u32) -> Self {
        self.route_metric = Some(metric);
        self
    }

    /// The name of the interface on the host's side. Default: `veth` and 7 digits of the endpoint's id.
    /// A name that the kernel would not take is told by the verb that uses this, with all other faults;
    /// one that another interface has is refused when the container is connected.
    #[must_use]
    pub fn host_link_name<V>(mut self, name: V) -> Self
    where
        V: TryInto<LinkName>,
        V::Error: Into<Fault>,
    {
        self.host_link_name = take(name, &mut self.faults).or(self.host_link_name);
        self
    }

    /// Options of the bridge's port.
    #[must_use]
    pub fn port_options(mut self, options: PortOptions) -> Self {
        self.port = options;
        self
    }

    /// The request, as far as it can be understood; all that is wrong with it goes to `faults`.
    pub(crate) fn check(&self, faults: &mut Vec<Fault>) -> EndpointRequest {
        faults.extend_from_slice(&self.faults);
        let typed = EndpointOptions {
            link_name: self.link_name.clone(),
            sysctls: self.sysctls.clone(),
        };
        let by_key = EndpointOptions::parse(&self.by_key, faults);
        let options = typed.joined(by_key, faults);
        EndpointRequest {
            ipv4: None,
            ipv6: None,
            further: self.addresses.clone(),
            link_local: self.link_local_addresses(faults),
            priority: self.priority,
            links: self.links.clone(),
            mac: self.mac,
            aliases: self.aliases.clone(),
            link_name: options.link_name,
            port: self.port.clone(),
            sysctls: options.sysctls,
            ports: self.published(faults),
            exposed: self.exposed.clone(),
            source_guard: self.source_guard,
            leads_out_ipv4: self.leads_out_ipv4,
            leads_out_ipv6: self.leads_out_ipv6,
            route_metric: self.route_metric,
            host_link_name: self.host_link_name.clone(),
            memory: self.memory,
        }
    }

    /// The mappings that were asked for, each once, and with [`publish_exposed`](Self::publish_exposed) one for
    /// every exposed port that none of them is about.
    fn published(&self, faults: &mut Vec<Fault>) -> Vec<PortMapping> {
        let (mut mappings, mut seen) = (self.ports.clone(), BTreeSet::new());
        mappings.retain(|mapping| seen.insert(*mapping));
        for exposed in &self.exposed {
            if exposed.host_ports().is_some() || exposed.host_address().is_some() {
                let why = format!("the exposed port {exposed} and a port of the host's");
                faults.push(Fault::Conflicting(why));
            }
            if self.exposure == Exposure::Documented {
                continue;
            }
            let (all, protocol) = (exposed.container_ports(), exposed.protocol());
            for port in all.ports() {
                let is_about = |mapping: &PortMapping| {
                    let mut ports = mapping.container_ports().ports();
                    mapping.protocol() == protocol && ports.any(|other| other == port)
                };
                if !mappings.iter().any(is_about) {
                    mappings.push(PortMapping::new(port, protocol));
                }
            }
        }
        mappings
    }

    fn link_local_addresses(&self, faults: &mut Vec<Fault>) -> Vec<IpNet> {
        let mut found = self.further.clone();
        for &address in &self.link_local {
            match on_link(address) {
                Some(net) => found.push(net),
                None => faults.push(Fault::NotLinkLocal { address }),
            }
        }
        found
    }
}

/// The address with the length of the prefix that all of its kind have (rfc3927 §2.1, rfc4291
/// §2.5.6).
fn on_link(address: IpAddr) -> Option<IpNet> {
    let range = match Family::of(address) {
        Family::V4 => Subnet::new([169, 254, 0, 0].into(), 16),
        Family::V6 => Subnet::new([0xfe80, 0, 0, 0, 0, 0, 0, 0].into(), 64),
    };
    range.ok()?.interface(address)
}
