//! What happened to a network or an endpoint, as a value. Who is told is the business of `events`.

use std::fmt;
use std::time::Duration;

use crate::addr::{
    ContainerId, ContainerName, EndpointId, NetworkId, NetworkName, PortMapping, Timestamp,
};
use crate::spec::{EndpointSpec, NetworkSpec};

/// Something that happened. It prints as one line of a log, as `docker events` does.
///
/// ```
/// use std::time::Duration;
/// use bridgework::{Event, EventKind, EventNetwork, NetworkId};
///
/// let network = EventNetwork {
///     name: "web".parse()?,
///     id: NetworkId::from_bytes([0xab; 32]),
///     driver: "bridge".to_owned(),
/// };
/// let event = Event {
///     at: "2026-11-21T06:44:00Z".parse()?,
///     took: Duration::from_micros(1400),
///     kind: EventKind::Create { network },
/// };
/// let id = "ab".repeat(32);
/// assert_eq!(
///     event.to_string(),
///     format!("2026-11-21T06:44:00.000000000Z network create {id} (name=web, took=1.4ms, type=bridge)"),
/// );
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Event {
    /// When it was done.
    pub at: Timestamp,
    /// How long it took from the call on; of [`EventKind::Unpublish`] from when ports began to be closed;
    /// zero of what another process did.
    pub took: Duration,
    /// What happened.
    pub kind: EventKind,
}

/// What happened, in Docker's words.
///
/// ```
/// use bridgework::{EventKind, EventNetwork, NetworkId};
/// # let (name, driver) = ("web".parse()?, "bridge".to_owned());
/// # let network = EventNetwork { name, id: NetworkId::from_bytes([0xab; 32]), driver };
///
/// let is_about_networks =
///     |kind: &EventKind| matches!(kind, EventKind::Create { .. } | EventKind::Destroy { .. });
/// assert!(is_about_networks(&EventKind::Create { network }));
/// assert!(!is_about_networks(&EventKind::Lost { events: 3 }));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum EventKind {
    /// A network was made.
    Create {
        /// The network.
        network: EventNetwork,
    },
    /// A network was removed.
    Destroy {
        /// The network.
        network: EventNetwork,
    },
    /// A container was connected to a network.
    Connect {
        /// The network.
        network: EventNetwork,
        /// The container's place in it.
        endpoint: EventEndpoint,
    },
    /// A container was disconnected from a network.
    Disconnect {
        /// The network.
        network: EventNetwork,
        /// The container's place in it.
        endpoint: EventEndpoint,
    },
    /// A port that a container publishes is so no more, though nobody asked for that: the container left a
    /// network, and where its others have their ports somebody else has that one.
    Unpublish {
        /// The network that was left.
        network: EventNetwork,
        /// The container's place in it.
        endpoint: EventEndpoint,
        /// As it was asked for.
        mapping: PortMapping,
        /// Who has the port, in the words of [`PortFault`](crate::PortFault).
        why: String,
    },
    /// Somebody else had removed or changed something of ours on the host's side, and all is as it was
    /// (see [`HostConfig::watch`](crate::HostConfig::watch)).
    Repair {
        /// Of what kind.
        scope: RepairScope,
        /// How many parts were missing or changed. A table counts once with all that is in it, and
        /// all that fell with a link counts too.
        parts: u64,
        /// Whose doing it was, if the kernel said so.
        by: Option<EventProcess>,
    },
    /// Events that happened here were not delivered, because the subscriber did not read in time.
    Lost {
        /// How many.
        events: u64,
    },
}

/// What was put right.
///
/// ```
/// use bridgework::{EventKind, RepairScope};
///
/// let repaired = EventKind::Repair { scope: RepairScope::Tables, parts: 2, by: None };
/// if let EventKind::Repair { scope, parts, .. } = repaired {
///     assert_eq!(format!("{parts} {scope}"), "2 tables");
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum RepairScope {
    /// Tables of the packet filter, their sets, chains and elements.
    Tables,
    /// Links, their addresses and routes, rules of the routing policy, and settings.
    Links,
}

impl fmt::Display for RepairScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tables => "tables",
            Self::Links => "links",
        })
    }
}

/// The process that caused an event.
///
/// ```
/// use bridgework::{EventKind, EventProcess, RepairScope};
///
/// let by = Some(EventProcess { pid: 4711, name: "nft".to_owned() });
/// let kind = EventKind::Repair { scope: RepairScope::Tables, parts: 1, by };
/// assert!(matches!(kind, EventKind::Repair { by: Some(process), .. } if process.name == "nft"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct EventProcess {
    /// Its number.
    pub pid: u32,
    /// The first 15 bytes of its name, in which any bytes can be.
    pub name: String,
}

/// The network of an event.
///
/// ```no_run
/// use bridgework::{EventNetwork, Host, NetworkConfig};
///
/// let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
/// let told = EventNetwork::from(network.spec());
/// assert_eq!((told.id, told.driver.as_str()), (network.id(), "bridge"));
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct EventNetwork {
    /// Its name.
    pub name: NetworkName,
    /// Its id.
    pub id: NetworkId,
    /// The name of its driver.
    pub driver: String,
}

/// The container's place in the network of an event.
///
/// ```no_run
/// use bridgework::{Container, EventEndpoint, Host, NetworkConfig};
///
/// let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
/// let endpoint = network.connect(&Container::isolated("app")?)?;
/// assert_eq!(EventEndpoint::from(endpoint.spec()).id, endpoint.id());
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct EventEndpoint {
    /// Its id.
    pub id: EndpointId,
    /// The container's name.
    pub container: ContainerName,
    /// The container's id.
    pub container_id: ContainerId,
}

impl From<&NetworkSpec> for EventNetwork {
    fn from(spec: &NetworkSpec) -> Self {
        Self {
            name: spec.name.clone(),
            id: spec.id,
            driver: spec.driver.clone(),
        }
    }
}

impl From<&EndpointSpec> for EventEndpoint {
    fn from(spec: &EndpointSpec) -> Self {
        Self {
            id: spec.id,
            container: spec.container.clone(),
            container_id: spec.container_id,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, network, endpoint) = match &self.kind {
            EventKind::Create { network } => ("create", network, None),
            EventKind::Destroy { network } => ("destroy", network, None),
            EventKind::Connect { network, endpoint } => ("connect", network, Some(endpoint)),
            EventKind::Disconnect { network, endpoint } => ("disconnect", network, Some(endpoint)),
            EventKind::Unpublish {
                network, endpoint, ..
            } => ("unpublish", network, Some(endpoint)),
            EventKind::Lost { events } => {
                return write!(f, "{} network lost (events={events})", self.at);
            }
            EventKind::Repair { scope, parts, by } => {
                write!(f, "{} network repair (", self.at)?;
                if let Some(EventProcess { pid, name }) = by {
                    write!(f, "by={}, pid={pid}, ", name.escape_debug())?;
                }
                return write!(f, "parts={parts}, scope={scope}, took={:?})", self.took);
            }
        };
        write!(f, "{} network {action} {} (", self.at, network.id)?;
        if let Some(endpoint) = endpoint {
            let EventEndpoint {
                id,
                container,
                container_id,
            } = endpoint;
            write!(f, "container={container_id}, container_name={container}, ")?;
            write!(f, "endpoint={id}, ")?;
        }
        if let EventKind::Unpublish { mapping, why, .. } = &self.kind {
            write!(f, "mapping={mapping}, why={}, ", why.escape_debug())?;
        }
        // a driver's name may be anything
        let driver = network.driver.escape_debug();
        write!(f, "name={}, ", network.name)?;
        if !self.took.is_zero() {
            write!(f, "took={:?}, ", self.took)?;
        }
        write!(f, "type={driver})")
    }
}
