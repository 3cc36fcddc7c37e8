//! What can be wrong with a host port, in the words that people search for.

use std::net::SocketAddr;

use crate::addr::{ContainerName, PortRange, Protocol};

/// Why a port of the host is not to be had.
///
/// ```
/// use bridgework::{Fault, FaultClass, PortFault, Protocol};
///
/// let address = "0.0.0.0:80".parse().unwrap();
/// let (protocol, container) = (Protocol::Tcp, "web".parse().unwrap());
/// let fault = PortFault::Allocated { address, protocol, container };
/// let text = "bind for 0.0.0.0:80: port is already allocated to container web (tcp)";
/// assert_eq!(fault.to_string(), text);
/// assert_eq!(Fault::from(fault).class(), FaultClass::Exists);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortFault {
    /// A container of this host has it.
    #[error("bind for {address}: port is already allocated to container {container} ({protocol})")]
    Allocated {
        /// The address and the port that were asked for.
        address: SocketAddr,
        /// Of which transport.
        protocol: Protocol,
        /// Who has it; who asked where two of its own mappings want one port.
        container: ContainerName,
    },
    /// Somebody else's socket has it.
    #[error("bind host port {address}/{protocol}: address already in use by {holder}")]
    InUse {
        /// The address and the port that were asked for.
        address: SocketAddr,
        /// Of which transport.
        protocol: Protocol,
        /// Whose socket it is: a command and its process, or `somebody` where that can't be seen.
        holder: String,
    },
    /// None of the ports that would do is free.
    #[error("all ports are allocated: none of {ports}/{protocol} is free")]
    Exhausted {
        /// The ports that would do.
        ports: PortRange,
        /// Of which transport.
        protocol: Protocol,
    },
    /// The host has no such address.
    #[error("bind host port {port}/{protocol}: the host does not have the address {host}", port = address.port(), host = address.ip())]
    NoSuchAddress {
        /// The address and the port that were asked for.
        address: SocketAddr,
        /// Of which transport.
        protocol: Protocol,
    },
}
