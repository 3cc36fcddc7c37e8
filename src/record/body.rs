//! The kinds of things that are kept, and what each claims.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;

use super::claim::Claim;
use super::key::Key;
use crate::addr::{
    ContainerId, ContainerName, EndpointId, HostName, LinkName, NamespaceId, NetworkId,
    PortMapping, PublishedPort,
};
use crate::plan::{
    ConfScope, ContainerFile, FileOrigin, HostsFile, Ipv4Conf, Ipv6Conf, Link, Switch, Sysctl,
};
use crate::spec::{EndpointSpec, NetworkSpec, Stack};

const HOST: &str = "host";
const NETWORK: &str = "network";
const CONTAINER: &str = "container";
const ENDPOINT: &str = "endpoint";
const RESERVATION: &str = "reservation";

/// The kinds of all keys, as text.
#[cfg(feature = "store")]
pub(super) const KINDS: [&str; 5] = [HOST, NETWORK, CONTAINER, ENDPOINT, RESERVATION];

/// What is kept.
///
/// ```
/// use bridgework::NamespaceId;
/// use bridgework::record::{Body, HostRecord};
///
/// let body = Body::Host(HostRecord { boot: "a boot".to_owned(), netns: NamespaceId::new(4, 7, 1) });
/// assert_eq!(body.key().to_string(), "host/host");
/// assert!(body.claims().is_empty());
/// ```
///
/// The keys of what is known by an id:
///
/// ```
/// use bridgework::record::Body;
/// use bridgework::{ContainerId, EndpointId, NetworkId};
///
/// let id = [7; 32];
/// assert_eq!(Body::network_key(NetworkId::from_bytes(id)).kind(), "network");
/// assert_eq!(Body::container_key(ContainerId::from_bytes(id)).kind(), "container");
/// assert_eq!(Body::endpoint_key(EndpointId::from_bytes(id)).kind(), "endpoint");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Body {
    /// The host itself: there is one.
    Host(HostRecord),
    /// A network.
    Network(Arc<NetworkRecord>),
    /// A container that is on some network, or is kept.
    Container(Arc<ContainerRecord>),
    /// A container's place on a network.
    Endpoint(Arc<EndpointRecord>),
    /// An address that is kept for a container's name.
    Reservation(Reservation),
}

/// What all records of a store are about.
///
/// ```
/// use bridgework::NamespaceId;
/// use bridgework::record::HostRecord;
///
/// let then = HostRecord { boot: "one".to_owned(), netns: NamespaceId::new(4, 7, 1) };
/// let now = HostRecord { boot: "another".to_owned(), ..then.clone() };
/// assert_ne!(then, now); // what the records say of the kernel has gone with the boot
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct HostRecord {
    /// Of the boot that the kernel's objects are of: `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
    /// Which network namespace the host has in that boot.
    pub netns: NamespaceId,
}

/// A network.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use bridgework::record::{Body, NetworkRecord};
/// use bridgework::{Host, NetworkConfig};
///
/// let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
/// let record = NetworkRecord { spec: network.spec().clone(), found: None };
/// assert_eq!(Body::Network(Arc::new(record)).key(), Body::network_key(network.id()));
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NetworkRecord {
    /// All that was chosen for it.
    pub spec: NetworkSpec,
    /// Its link as it was found, if it was there before the network: what of it stays.
    #[cfg_attr(feature = "serde", serde(default))]
    pub found: Option<FoundLink>,
}

/// A bridge that was there before the network.
///
/// ```
/// use bridgework::plan::{Ipv4Conf, Switch};
/// use bridgework::record::FoundLink;
///
/// let found = FoundLink {
///     up: Switch::On,
///     addresses: vec!["10.89.0.1/24".parse()?],
///     ipv4: [(Ipv4Conf::Forwarding, 0)].into(),
///     ipv6: Default::default(),
/// };
/// assert!(found.up.is_on()); // and so it stays when its network goes
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct FoundLink {
    /// Whether it was up.
    pub up: Switch,
    /// The addresses that it had.
    pub addresses: Vec<IpNet>,
    /// Those of its settings of IPv4 that a network may change, as they were.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ipv4: BTreeMap<Ipv4Conf, u32>,
    /// Those of IPv6.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ipv6: BTreeMap<Ipv6Conf, u32>,
}

impl FoundLink {
    /// Its settings, by the name that it has.
    pub(crate) fn settings(&self, name: &LinkName) -> Vec<(Sysctl, u32)> {
        let scope = || ConfScope::Link(name.clone());
        let ipv4 = self.ipv4.iter();
        let ipv4 = ipv4.map(|(conf, value)| (Sysctl::Ipv4(scope(), *conf), *value));
        let ipv6 = self.ipv6.iter();
        let ipv6 = ipv6.map(|(conf, value)| (Sysctl::Ipv6(scope(), *conf), *value));
        ipv4.chain(ipv6).collect()
    }
}

/// A container that is on some network, or is kept, so that it can be opened again.
///
/// ```
/// use std::sync::Arc;
///
/// use bridgework::record::{Body, ContainerRecord, Namespace};
/// use bridgework::{ContainerId, NamespaceId};
///
/// let record = ContainerRecord {
///     id: ContainerId::from_bytes([7; 32]),
///     name: "web".parse()?,
///     hostname: "web".parse()?,
///     domain: None,
///     namespace: Namespace {
///         path: Some("/run/netns/web".into()),
///         identity: NamespaceId::new(4, 7, 1),
///     },
///     files: Default::default(),
///     dns: Default::default(),
///     published: Default::default(),
///     stack: Default::default(),
///     residence: None,
/// };
/// assert_eq!(record.hosts_file(), None); // none is kept for it
/// let claims = Body::Container(Arc::new(record)).claims();
/// assert_eq!(claims[0].to_string(), "container name web");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ContainerRecord {
    /// Its id.
    pub id: ContainerId,
    /// Its name.
    pub name: ContainerName,
    /// Its host name.
    pub hostname: HostName,
    /// The domain that its host name is in.
    pub domain: Option<HostName>,
    /// Its network namespace.
    pub namespace: Namespace,
    /// The files that are kept for it.
    pub files: ContainerFiles,
    /// Whom its name server asks, and for what, where that is not as the host has it.
    pub dns: DnsOverrides,
    /// Its published ports, as they were asked for and as they are.
    pub published: BTreeMap<PortMapping, Vec<PublishedPort>>,
    /// Whose network stack it has.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Stack::is_own")
    )]
    pub stack: Stack,
    /// Its place on a network that it belongs to without a wire, if it does.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub residence: Option<Residence>,
}

/// A container's place on a network that has no wires: the host's own, or that of nobody.
///
/// ```
/// use bridgework::record::Residence;
/// use bridgework::{EndpointId, NetworkId};
///
/// let host = NetworkId::from_bytes([1; 32]);
/// let residence = Residence { network: host, endpoint: EndpointId::from_bytes([2; 32]) };
/// assert_eq!(residence.network, host);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Residence {
    /// The network.
    pub network: NetworkId,
    /// The id of the place.
    pub endpoint: EndpointId,
}

/// Whom a container's name server asks, and for what, as `--dns`, `--dns-search` and `--dns-option` say
/// it.
///
/// ```
/// use bridgework::record::DnsOverrides;
///
/// let dns = DnsOverrides { servers: vec!["10.0.0.2".to_owned()], ..DnsOverrides::default() };
/// assert!(dns.search.is_empty()); // as the host has it
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct DnsOverrides {
    /// The name servers.
    pub servers: Vec<String>,
    /// The search domains.
    pub search: Vec<String>,
    /// The options.
    pub options: Vec<String>,
}

/// Where a network namespace is found again.
///
/// ```no_run
/// use bridgework::record::Namespace;
/// use bridgework::{NamespaceId, Netns};
///
/// let kept = Namespace { path: Some("/run/netns/web".into()), identity: NamespaceId::new(4, 7, 1) };
/// if let Some(path) = &kept.path {
///     let is_same = Netns::at(path)?.identity() == kept.identity;
///     println!("{} {}", path.display(), if is_same { "is it" } else { "is another one" });
/// }
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Namespace {
    /// A file that stood for it; `None` if it had no name.
    pub path: Option<PathBuf>,
    /// Which one it is.
    pub identity: NamespaceId,
}

/// The files that are kept for a container.
///
/// ```
/// use bridgework::plan::{FileOrigin, HostsFile};
/// use bridgework::record::{ContainerFiles, KeptFile};
///
/// let was = KeptFile { base: String::new(), origin: FileOrigin::Created };
/// let hosts = Some((HostsFile::InRoot("/srv/web".into()), was));
/// let files = ContainerFiles { hosts, resolv: None };
/// assert_ne!(files, ContainerFiles::default());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ContainerFiles {
    /// The hosts file.
    pub hosts: Option<(HostsFile, KeptFile)>,
    /// The `resolv.conf`, and what was written there last.
    pub resolv: Option<(ContainerFile, KeptFile, String)>,
}

/// What a file was like when it began to be kept.
///
/// ```
/// use bridgework::plan::FileOrigin;
/// use bridgework::record::KeptFile;
///
/// let base = "127.0.0.1\tlocalhost\n".to_owned();
/// let hosts = KeptFile { base, origin: FileOrigin::Found };
/// assert_ne!(hosts.origin, FileOrigin::Created); // it is nobody's to remove
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct KeptFile {
    /// Its text while its container is on no network.
    pub base: String,
    /// What there was before.
    pub origin: FileOrigin,
}

/// A container's place on a network.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use bridgework::record::{Body, EndpointRecord};
/// use bridgework::{Container, Host, NetworkConfig};
///
/// let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
/// let endpoint = network.connect(&Container::isolated("app")?)?;
/// let record = EndpointRecord { spec: endpoint.spec().clone(), staged: None };
/// assert_eq!(Body::Endpoint(Arc::new(record)).key(), Body::endpoint_key(endpoint.id()));
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct EndpointRecord {
    /// All that was chosen for it.
    pub spec: EndpointSpec,
    /// Where its container's end was before it was joined, if it was staged.
    #[cfg_attr(feature = "serde", serde(default))]
    pub staged: Option<Link>,
}

/// An address that nobody else gets.
///
/// ```
/// use bridgework::NetworkId;
/// use bridgework::record::{Body, Reservation};
///
/// let (network, container) = (NetworkId::from_bytes([0xab; 32]), "web".parse()?);
/// let kept = Reservation { network, container, address: [10, 0, 0, 7].into() };
/// assert!(Body::Reservation(kept).key().id().ends_with("/10.0.0.7"));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Reservation {
    /// On which network.
    pub network: NetworkId,
    /// For whom.
    pub container: ContainerName,
    /// Which.
    pub address: IpAddr,
}

impl Body {
    /// By which it is found.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Host(_) => Key::new(HOST, "host"),
            Self::Network(network) => Self::network_key(network.spec.id),
            Self::Container(container) => Self::container_key(container.id),
            Self::Endpoint(endpoint) => Self::endpoint_key(endpoint.spec.id),
            Self::Reservation(kept) => {
                let (network, address) = (kept.network, kept.address);
                Key::new(RESERVATION, format!("{network}/{address}"))
            }
        }
    }

    /// That of the network of that id.
    #[must_use]
    pub fn network_key(id: NetworkId) -> Key {
        Key::new(NETWORK, id.to_string())
    }

    /// That of the container of that id.
    #[must_use]
    pub fn container_key(id: ContainerId) -> Key {
        Key::new(CONTAINER, id.to_string())
    }

    /// That of the endpoint of that id.
    #[must_use]
    pub fn endpoint_key(id: EndpointId) -> Key {
        Key::new(ENDPOINT, id.to_string())
    }

    /// What no other record may have. An address that is reserved may be its own container's: that
    /// is claimed under the reservation's own kind.
    #[must_use]
    pub fn claims(&self) -> Vec<Claim> {
        match self {
            Self::Host(_) => Vec::new(),
            Self::Network(network) => network.claims(),
            Self::Container(container) => container.claims(),
            Self::Endpoint(endpoint) => endpoint.claims(),
            Self::Reservation(kept) => vec![Claim::reservation(&kept.network, kept.address)],
        }
    }
}

impl NetworkRecord {
    /// A template has the subnets that it gives, and none of its own.
    fn claims(&self) -> Vec<Claim> {
        let mut claims = vec![Claim::network_name(&self.spec.name)];
        if !self.spec.config_only.is_on() {
            let ranges = self.spec.ranges();
            claims.extend(ranges.map(|range| Claim::subnet(range.subnet)));
        }
        claims
    }
}

impl ContainerRecord {
    /// Its hosts file, if one is kept for it.
    #[must_use]
    pub fn hosts_file(&self) -> Option<&HostsFile> {
        self.files.hosts.as_ref().map(|(file, _)| file)
    }

    fn claims(&self) -> Vec<Claim> {
        let ports = self.published.values().flatten();
        let mut claims: Vec<Claim> = ports.map(Claim::port).collect();
        // one port of the container's may be at several of the host's, and never twice at one
        claims.sort();
        claims.dedup();
        claims.push(Claim::container_name(&self.name));
        claims
    }
}

impl EndpointRecord {
    fn claims(&self) -> Vec<Claim> {
        let EndpointSpec {
            network, container, ..
        } = &self.spec;
        let addresses = self.spec.addresses();
        let addresses = addresses.map(|a| Claim::address(network, a.address.addr()));
        let mut claims: Vec<Claim> = addresses.collect();
        claims.push(Claim::place(network, container));
        claims.push(Claim::mac(network, self.spec.mac));
        claims
    }
}
