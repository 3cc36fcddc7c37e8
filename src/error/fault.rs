//! All that can be wrong with a request or happen to it: one variant a cause, in the words that
//! people search for.

use std::net::IpAddr;
use std::path::PathBuf;

use super::class::StoreTrouble;
use super::obstacle::Obstacle;
use super::port_fault::PortFault;
use super::words::{active, first_few, in_namespace, join, no_parent, the_network, tried};
use crate::addr::{
    ContainerName, EndpointId, LinkName, Mtu, NetworkId, NetworkName, ParseError, Subnet,
};
use crate::errno::Errno;

/// One thing that is wrong.
///
/// ```
/// use bridgework::{Fault, FaultClass, Subnet};
///
/// let fault = Fault::from("10.0.0.1/24".parse::<Subnet>().unwrap_err());
/// assert_eq!(fault.class(), FaultClass::Invalid);
/// assert_eq!(Fault::NoFamily.to_string(), "IPv4 or IPv6 must be enabled");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A value does not have its form.
    #[error(transparent)]
    Value(#[from] ParseError),
    /// A port of the host is not to be had.
    #[error(transparent)]
    Port(#[from] PortFault),

    /// A network has neither family.
    #[error("IPv4 or IPv6 must be enabled")]
    NoFamily,
    /// A network has more than one subnet of a family.
    #[error("{driver} driver doesn't support multiple subnets: {}", join(subnets))]
    MultipleSubnets {
        /// The driver that would have to make it.
        driver: String,
        /// The subnets of one family.
        subnets: Vec<Subnet>,
    },
    /// A gateway lies in none of the network's subnets.
    #[error("invalid gateway {gateway}: {}", no_parent(subnets, "this address"))]
    GatewayOutside {
        /// The gateway.
        gateway: IpAddr,
        /// The network's subnets.
        subnets: Vec<Subnet>,
    },
    /// A range for automatic addresses lies in none of the network's subnets.
    #[error("invalid ip-range {range}: {}", no_parent(subnets, "ip-range"))]
    RangeOutside {
        /// The range.
        range: Subnet,
        /// The network's subnets.
        subnets: Vec<Subnet>,
    },
    /// An auxiliary address lies in none of the network's subnets.
    #[error(
        "invalid auxiliary address {name}={address}: {}",
        no_parent(subnets, "this address")
    )]
    AuxiliaryOutside {
        /// What the caller calls it.
        name: String,
        /// The address.
        address: IpAddr,
        /// The network's subnets.
        subnets: Vec<Subnet>,
    },
    /// A static address lies in none of the network's subnets.
    #[error(
        "invalid address {address}: it does not belong to any of this network's subnets ({})",
        join(subnets)
    )]
    AddressOutside {
        /// The address.
        address: IpAddr,
        /// The network's subnets.
        subnets: Vec<Subnet>,
    },
    /// An address that no container can have: the network's own, the broadcast address, the
    /// gateway's.
    #[error("invalid address {address}: it is {role}")]
    AddressReserved {
        /// The address.
        address: IpAddr,
        /// What it is there for.
        role: &'static str,
    },
    /// An address that is not good on a link alone.
    #[error("invalid link local IP address: {address}")]
    NotLinkLocal {
        /// The address.
        address: IpAddr,
    },
    /// A subnet has no room for a gateway or a container.
    #[error("invalid subnet {subnet}: {why}")]
    SubnetUnusable {
        /// The subnet.
        subnet: Subnet,
        /// Why it can't be used.
        why: &'static str,
    },
    /// An MTU too small for a network with IPv6.
    #[error("invalid mtu {mtu}: ipv6 needs at least {} bytes", Mtu::IPV6_MIN)]
    MtuBelowIpv6 {
        /// The MTU.
        mtu: Mtu,
    },
    /// The value of an option is none that it can have.
    #[error("failed to parse {key} value: {value:?}: {why}")]
    OptionValue {
        /// The option.
        key: String,
        /// The value, cut after 64 characters.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody knows an option of that key.
    #[error("unknown option {key:?}: did you mean {nearest:?}?")]
    UnknownOption {
        /// The key, cut after 96 characters.
        key: String,
        /// The known key that is most like it.
        nearest: String,
    },
    /// Containers that nothing shall reach, on a network that is not internal.
    #[error("gateway mode 'isolated' can only be used for an internal network")]
    IsolatedNotInternal,
    /// A configuration-only network says what each network says for itself.
    #[error("configuration network can only contain network specific fields: internal is not one")]
    TemplateInternal,
    /// A configuration-only network depends on another.
    #[error("a configuration network cannot depend on another configuration network")]
    TemplateOfTemplate,
    /// A container was to be connected to a configuration-only network.
    #[error("cannot create endpoint on configuration-only network")]
    TemplateEndpoint,
    /// A network says what its configuration-only network says.
    #[error(
        "user specified configurations are not supported if the network depends on a \
         configuration network: {}",
        given.join(", ")
    )]
    GivenByTemplate {
        /// What it says.
        given: Vec<String>,
    },
    /// A network has options beside those of its configuration-only network.
    #[error(
        "network driver options are not supported if the network depends on a configuration \
         network: {}",
        keys.join(", ")
    )]
    OptionsByTemplate {
        /// The keys of the options.
        keys: Vec<String>,
    },
    /// No configuration-only network has that name.
    #[error("configuration network {name:?} not found", name = name.as_str())]
    TemplateNotFound {
        /// The name.
        name: NetworkName,
    },
    /// Networks still depend on the configuration-only network.
    #[error("configuration network {name:?} is in use", name = name.as_str())]
    TemplateInUse {
        /// The name.
        name: NetworkName,
    },
    /// Two parts of a request that can't both be met.
    #[error("conflicting options: {0}")]
    Conflicting(String),
    /// An extra host is to resolve to the host, which has no address for it.
    #[error("unable to derive the IP value for host-gateway")]
    NoHostGateway,
    /// A driver of the caller's refused a request.
    #[error("{driver} driver: {why}")]
    Driver {
        /// The driver's name.
        driver: String,
        /// What it says.
        why: String,
    },

    /// The address has an owner.
    #[error("address {address} is already in use by {owner}")]
    AddressInUse {
        /// The address.
        address: IpAddr,
        /// Who has it.
        owner: String,
    },
    /// The subnet overlaps with something that is there.
    #[error(
        "subnet {subnet}: pool overlaps with other one on this address space: {}",
        join(obstacles)
    )]
    SubnetOverlaps {
        /// The subnet that was asked for.
        subnet: Subnet,
        /// What is in the way.
        obstacles: Vec<Obstacle>,
    },
    /// No automatic subnet is left.
    #[error(
        "all predefined address pools have been fully subnetted{}",
        first_few(obstacles)
    )]
    PoolsExhausted {
        /// What is in the way.
        obstacles: Vec<Obstacle>,
    },
    /// No automatic address is left.
    #[error("no available addresses on subnet {subnet}")]
    AddressesExhausted {
        /// The subnet.
        subnet: Subnet,
    },
    /// The bridge has as many ports as a bridge can have.
    #[error("bridge {bridge} is full: the kernel allows {limit} ports on a bridge")]
    BridgeFull {
        /// The bridge.
        bridge: LinkName,
        /// The most ports that it can have.
        limit: u32,
    },

    /// A network of that name is there.
    #[error("network with name {name} already exists")]
    NetworkExists {
        /// The name.
        name: NetworkName,
    },
    /// No network has that name or id.
    #[error("network {name} not found")]
    NetworkNotFound {
        /// The name or id that was looked up.
        name: String,
    },
    /// More than one network's id begins so, and none has that name.
    #[error("network {term} is ambiguous ({matches} matches found based on ID prefix)")]
    NetworkAmbiguous {
        /// The term that was looked up.
        term: String,
        /// How many ids begin with it.
        matches: usize,
    },
    /// Containers are still connected to the network.
    #[error("network {name} has active endpoints ({})", active(endpoints))]
    ActiveEndpoints {
        /// The network.
        name: NetworkName,
        /// Its id.
        id: NetworkId,
        /// The containers and their endpoints.
        endpoints: Vec<(ContainerName, EndpointId)>,
    },
    /// The network's name is one that every host has.
    #[error("operation is not permitted on predefined {name} network")]
    PredefinedName {
        /// The name.
        name: NetworkName,
    },
    /// The network is one that every host has.
    #[error("{name} is a pre-defined network and cannot be removed")]
    Predefined {
        /// The network.
        name: NetworkName,
    },
    /// A driver of which there is one network, made by the host itself.
    #[error("only one instance of \"{driver}\" network is allowed")]
    OnlyInstance {
        /// The driver.
        driver: String,
    },
    /// No container has that name or id.
    #[error("no such container: {name}")]
    ContainerNotFound {
        /// The name or id that was looked up.
        name: String,
    },
    /// More than one container's id begins so, and none has that name.
    #[error("multiple IDs found with provided prefix: {term}")]
    ContainerAmbiguous {
        /// The term that was looked up.
        term: String,
    },
    /// The container is not on the network.
    #[error("container {container} is not connected to network {network}")]
    NotConnected {
        /// The container, as it was named.
        container: String,
        /// The network.
        network: NetworkName,
    },
    /// A container of which another one's namespace was asked for, and which is that other.
    #[error("cannot join own network namespace")]
    OwnNamespace,
    /// A container with the host's or another container's stack is on no network of its own.
    #[error(
        "container sharing network namespace with another container or host cannot be connected \
         to any other network"
    )]
    SharedStack,
    /// A container that has but `lo` is on no other network.
    #[error(
        "container cannot be connected to multiple networks with one of the networks in private \
         (none) mode"
    )]
    PrivateStack,
    /// The host's stack is chosen when a container is opened, or never.
    #[error(
        "cannot connect container to host network - container must be created in host network mode"
    )]
    HostStackLater,
    /// A container with the host's stack has no other.
    #[error(
        "cannot disconnect container from host network - container was created in host network \
         mode"
    )]
    HostStackLeft,
    /// A static address was asked for on the default network.
    #[error("user-specified IP address is supported on user-defined networks only")]
    AddressOnDefault,
    /// An alias was asked for where no names resolve.
    #[error("network-scoped aliases are only supported for user-defined networks")]
    AliasOnDefault,
    /// The container that a link leads to is not there.
    #[error(
        "cannot link to {container}, as it does not belong to {}",
        the_network(network)
    )]
    LinkTarget {
        /// The container that the link leads to.
        container: ContainerName,
        /// The network.
        network: NetworkName,
    },
    /// The container is connected to the network.
    #[error("endpoint with name {container} already exists in network {network}")]
    EndpointExists {
        /// The container.
        container: ContainerName,
        /// The network.
        network: NetworkName,
    },
    /// A link of that name is there.
    #[error("link {name} is already there{}", in_namespace(namespace))]
    LinkExists {
        /// The name.
        name: LinkName,
        /// Whose namespace it is in; `None` for the host's.
        namespace: Option<String>,
    },
    /// No link has that name.
    #[error("link {name} not found{}", in_namespace(namespace))]
    LinkNotFound {
        /// The name.
        name: LinkName,
        /// Whose namespace it was looked for in; `None` for the host's.
        namespace: Option<String>,
    },
    /// The bridge that the network was made on is not there, or has another number since a reboot.
    #[error("bridge {bridge} of network {network} is not where it was: recover the host")]
    BridgeGone {
        /// The network.
        network: NetworkName,
        /// Its bridge.
        bridge: LinkName,
    },
    /// The link is there, but it is of another kind.
    #[error("existing interface {name} is not a {expected}")]
    LinkKind {
        /// The name.
        name: LinkName,
        /// The kind that it should be of.
        expected: &'static str,
    },

    /// The namespace is gone, or never was.
    #[error("network namespace {namespace} not found: {errno}")]
    NamespaceNotFound {
        /// How the caller named it.
        namespace: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// The namespace of a container that another process has written down is not found any more.
    #[error("network namespace of {container} not found{}", tried(place))]
    ContainerGone {
        /// The container.
        container: ContainerName,
        /// Where it was; `None` where no other process could find it.
        place: Option<PathBuf>,
    },
    /// A file that is not a network namespace.
    #[error("{namespace} is not a network namespace")]
    NotANamespace {
        /// How the caller named it.
        namespace: String,
    },

    /// A privilege is missing.
    #[error("{capability} is missing: {why}")]
    Privilege {
        /// The capability, as in `capabilities(7)`.
        capability: &'static str,
        /// What it is needed for, and how to get it.
        why: String,
    },
    /// A feature is not in this kernel.
    #[error("{feature} is not in this kernel: {hint}")]
    Unsupported {
        /// The feature.
        feature: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
    /// The kernel refused one step.
    #[error("{doing}: {errno}{}", words.as_deref().map(|w| format!(": {w}")).unwrap_or_default())]
    Kernel {
        /// The step, as its line of text, or what else was attempted.
        doing: String,
        /// The error number.
        errno: Errno,
        /// The kernel's own words (`NLMSGERR_ATTR_MSG`), or a hint of ours.
        words: Option<String>,
    },
    /// The kernel's answer can't be understood.
    #[error("{doing}: the kernel's answer can not be understood: {what}")]
    Garbled {
        /// What was attempted.
        doing: String,
        /// What is odd about the answer.
        what: &'static str,
    },
    /// Nothing came within the deadline.
    #[error("{doing}: nothing came within {deadline_ms} ms")]
    TimedOut {
        /// What was awaited.
        doing: String,
        /// The deadline, in milliseconds.
        deadline_ms: u64,
    },
    /// The store of the host's records did not do what it was asked to.
    #[error("{doing}: {why}")]
    Store {
        /// What was being kept: `keep endpoint 4f1c…`.
        doing: String,
        /// The store's own words.
        why: String,
        /// What it means to the caller.
        trouble: StoreTrouble,
    },
    /// The process was forked; its sockets are its parent's.
    #[error("the process was forked: open the host anew")]
    Forked,
    /// Nobody is answered by a host that is opened so.
    #[error("this host answers no container: HostConfig::resolver is off")]
    ResolverOff,
    /// A closure of the caller's panicked on the thread where it ran.
    #[error("the closure panicked: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
}

impl From<std::convert::Infallible> for Fault {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
