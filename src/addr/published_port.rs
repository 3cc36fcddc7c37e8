//! A port of a container's and the one of the host's by which it is reached.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::port::{Port, Protocol};

/// A port of a container's and the one of the host's by which it is reached. It prints as
/// `0.0.0.0:8080->80/tcp`.
///
/// ```
/// use bridgework::{Port, Protocol, PublishedPort};
///
/// let published = PublishedPort {
///     host_address: [0, 0, 0, 0].into(),
///     host_port: Port::new(8080)?,
///     protocol: Protocol::Tcp,
///     container_port: Port::new(80)?,
/// };
/// assert_eq!(published.to_string(), "0.0.0.0:8080->80/tcp");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct PublishedPort {
    /// The host's address; `0.0.0.0` and `::` stand for all of its family.
    pub host_address: IpAddr,
    /// The host's port.
    pub host_port: Port,
    /// Of both.
    pub protocol: Protocol,
    /// The container's port.
    pub container_port: Port,
}

impl fmt::Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = SocketAddr::new(self.host_address, self.host_port.get());
        write!(f, "{host}->{}/{}", self.container_port, self.protocol)
    }
}
