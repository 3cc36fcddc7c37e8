//! What `--publish` says: ports of a container, and those of the host by which they are reached.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::parse::{ParseError, Reason, ValueKind, text_value};
use super::port::{Port, PortRange, Protocol};

/// Ports of a container, and where the host has them:
/// `[HOST-ADDRESS:][HOST-PORTS:]CONTAINER-PORTS[/PROTOCOL]`.
///
/// Each kind of ports is one, or the first and the last with a dash between them. With as many of
/// the host's as of the container's, each belongs to one; for one of the container's, the first
/// that is free of several of the host's is taken; with none of the host's, or 0 for one of the
/// container's, any that are free. An IPv6 address stands in brackets or without. An address without
/// ports has two colons behind it. What is left empty is as if it were not there.
///
/// ```
/// use std::net::Ipv6Addr;
/// use bridgework::{PortMapping, PortRange, Protocol};
///
/// let mapping: PortMapping = "[::1]:8080-8081:80-81/udp".parse()?;
/// let (of_host, of_container): (PortRange, PortRange) = ("8080-8081".parse()?, "80-81".parse()?);
/// let made = PortMapping::new(of_container, Protocol::Udp).at(Ipv6Addr::LOCALHOST).by(of_host)?;
/// assert_eq!(made, mapping);
///
/// assert_eq!(mapping.host_address(), Some(Ipv6Addr::LOCALHOST.into()));
/// assert_eq!(mapping.host_ports(), Some(of_host));
/// assert_eq!((mapping.container_ports(), mapping.protocol()), (of_container, Protocol::Udp));
///
/// assert_eq!("80".parse::<PortMapping>()?.to_string(), "80/tcp");
/// assert_eq!("127.0.0.1::80".parse::<PortMapping>()?.to_string(), "127.0.0.1::80/tcp");
/// assert!("8080-8082:80-81".parse::<PortMapping>().is_err());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortMapping {
    host_address: Option<IpAddr>,
    host_ports: Option<PortRange>,
    container_ports: PortRange,
    protocol: Protocol,
}

impl PortMapping {
    /// These ports of a container, at any ports of the host's that are free.
    #[must_use]
    pub fn new(container_ports: impl Into<PortRange>, protocol: Protocol) -> Self {
        Self {
            host_address: None,
            host_ports: None,
            container_ports: container_ports.into(),
            protocol,
        }
    }

    /// The same, at one address of the host's.
    #[must_use]
    pub fn at(self, address: impl Into<IpAddr>) -> Self {
        Self {
            host_address: Some(address.into()),
            ..self
        }
    }

    /// The same, at these ports of the host's.
    ///
    /// # Errors
    /// There are several of the container's, and not as many of the host's.
    pub fn by(self, host_ports: impl Into<PortRange>) -> Result<Self, ParseError> {
        let mapping = Self {
            host_ports: Some(host_ports.into()),
            ..self
        };
        let host_count = mapping.host_ports.map_or(0, PortRange::count);
        let container_count = self.container_ports.count();
        if container_count == 1 || container_count == host_count {
            return Ok(mapping);
        }
        let reason = Reason::CountsDiffer {
            host: host_count,
            container: container_count,
        };
        let text = mapping.to_string();
        Err(ParseError::new(ValueKind::PortMapping, &text, reason))
    }

    /// The address of the host's, or none for all that the network publishes at.
    #[must_use]
    pub fn host_address(&self) -> Option<IpAddr> {
        self.host_address
    }

    /// The ports of the host's, or none for any that are free.
    #[must_use]
    pub fn host_ports(&self) -> Option<PortRange> {
        self.host_ports
    }

    /// The ports of the container's.
    #[must_use]
    pub fn container_ports(&self) -> PortRange {
        self.container_ports
    }

    /// The transport.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }
}

impl From<Port> for PortMapping {
    /// One port of TCP.
    fn from(port: Port) -> Self {
        Self::new(port, Protocol::Tcp)
    }
}

impl FromStr for PortMapping {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.is_empty() {
            return Err(ParseError::new(ValueKind::PortMapping, text, Reason::Empty));
        }
        let (ports, protocol) = match text.split_once('/') {
            Some((ports, "")) => (ports, Protocol::default()),
            Some((ports, protocol)) => (ports, protocol.parse()?),
            None => (text, Protocol::Tcp),
        };
        let (before, container_ports) = ports.rsplit_once(':').unwrap_or(("", ports));
        let mut mapping = Self::new(container_ports.parse::<PortRange>()?, protocol);
        let (address, host_ports) = match before.rsplit_once(':') {
            Some((address, host_ports)) => (Some(address), host_ports),
            None => (None, before),
        };
        if let Some(address) = address.filter(|address| !address.is_empty()) {
            mapping = mapping.at(host_address(address, text)?);
        }
        match host_ports {
            "" => Ok(mapping),
            "0" => match mapping.container_ports.count() {
                1 => Ok(mapping),
                container => {
                    let reason = Reason::CountsDiffer { host: 1, container };
                    Err(ParseError::new(ValueKind::PortMapping, text, reason))
                }
            },
            ports => mapping
                .by(ports.parse::<PortRange>()?)
                .map_err(|error| error.quoting(text)),
        }
    }
}

/// An address as it is; one of IPv6 may stand in brackets.
fn host_address(address: &str, whole: &str) -> Result<IpAddr, ParseError> {
    let bracketed = address
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let parsed = match bracketed {
        Some(inside) => inside.parse::<Ipv6Addr>().map(IpAddr::V6).ok(),
        None => address.parse().ok(),
    };
    let reason = Reason::Malformed {
        expected: "[HOST-ADDRESS:][HOST-PORTS:]CONTAINER-PORTS[/PROTOCOL]",
    };
    parsed.ok_or_else(|| ParseError::new(ValueKind::PortMapping, whole, reason))
}

impl fmt::Display for PortMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host_address {
            Some(IpAddr::V4(address)) => write!(f, "{address}:")?,
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:")?,
            None => {}
        }
        match (self.host_ports, self.host_address) {
            (Some(ports), _) => write!(f, "{ports}:")?,
            (None, Some(_)) => f.write_str(":")?,
            (None, None) => {}
        }
        write!(f, "{}/{}", self.container_ports, self.protocol)
    }
}

text_value!(PortMapping, ValueKind::PortMapping);
