//! What happened to a network or an endpoint, as a value. Who is told is the business of `events`.

use std::fmt;
use std::time::Duration;

use crate::addr::{ContainerId, ContainerName, EndpointId, NetworkId, NetworkName, Timestamp};
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
    /// How long it took from the call on.
    pub took: Duration,
    /// What happened.
    pub kind: EventKind,
}

/// What happened, in Docker's words.
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
    /// Events that happened here were not delivered, because the subscriber did not read in time.
    Lost {
        /// How many.
        events: u64,
    },
}

/// The network of an event.
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
            EventKind::Lost { events } => {
                return write!(f, "{} network lost (events={events})", self.at);
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
        // the driver's name is the only text here that may be anything
        let driver = network.driver.escape_debug();
        let (name, took) = (&network.name, self.took);
        write!(f, "name={name}, took={took:?}, type={driver})")
    }
}
