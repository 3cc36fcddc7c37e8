//! Whom the names of a network's containers are told, and where.

/// Whose names stand in the hosts files of a network's containers.
///
/// ```
/// use bridgework::{HostsScope, NetworkConfig};
///
/// let config = NetworkConfig::bridge("web").hosts(HostsScope::Everyone); // and no DNS server
/// assert_ne!(config, NetworkConfig::bridge("web"));
/// assert_eq!(NetworkConfig::bridge("web").hosts(HostsScope::Own), NetworkConfig::bridge("web"));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum HostsScope {
    /// The container's own, as Docker does; peers are found by DNS.
    #[default]
    Own,
    /// Those of all containers of the network: unmodified programs find each other with no DNS
    /// server. Each connect and disconnect writes to the hosts file of every member.
    Everyone,
}

/// Where the containers of a network ask for names.
///
/// ```
/// use bridgework::{NetworkConfig, ResolverScope};
///
/// let config = NetworkConfig::bridge("web").resolver(ResolverScope::Gateway);
/// assert_ne!(config, NetworkConfig::bridge("web")); // where 127.0.0.11 alone answers
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum ResolverScope {
    /// At `127.0.0.11`, each inside itself, as Docker's do.
    #[default]
    Containers,
    /// Besides, at the network's gateways, port 53, as Podman's do: sockets of the host's own, which
    /// nobody else may have there. Whoever has an address in the network's subnets is answered,
    /// the host among them: a container by what it knows, everybody else by the names of this
    /// network.
    Gateway,
    /// There, and not inside: nothing of ours is in the containers, and their `resolv.conf`, which is
    /// the caller's then, names the gateways. One that [`ContainerConfig`](crate::ContainerConfig) is
    /// given names `127.0.0.11` all the same.
    GatewayAlone,
    /// Nowhere: its names are none, for its containers' other networks either. What a container asks it
    /// asks the servers of its `resolv.conf` itself, as on the default bridge.
    Nowhere,
}

impl ResolverScope {
    /// Whether containers are answered at `127.0.0.11`.
    pub(crate) fn is_inside(self) -> bool {
        matches!(self, Self::Containers | Self::Gateway)
    }

    /// Whether whoever is on the network is answered at its gateways.
    pub(crate) fn is_at_gateway(self) -> bool {
        matches!(self, Self::Gateway | Self::GatewayAlone)
    }
}
