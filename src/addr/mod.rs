//! Values that are parsed once and never invalid afterwards: addresses, names, ids.
//!
//! Nothing here knows of requests, plans or the kernel; a value of these types can be handed to
//! the kernel, a file or a DNS answer as it is.

mod container_link;
mod family;
mod id;
mod link;
mod link_sysctl;
mod mac;
mod name;
mod namespace_id;
mod parse;
mod port;
mod port_mapping;
mod published_port;
mod subnet;
mod time;

pub use container_link::ContainerLink;
pub use family::Family;
pub use id::{ContainerId, EndpointId, NetworkId};
pub use link::{LinkIndex, LinkName, LinkPrefix, Mtu};
pub use link_sysctl::{LinkSysctl, SysctlTable};
pub use mac::MacAddr;
pub use name::{ContainerName, HostName, NetworkName};
pub use namespace_id::NamespaceId;
pub(crate) use parse::text_value;
pub use parse::{ParseError, Reason, ValueKind};
pub use port::{Port, PortRange, Protocol};
pub use port_mapping::PortMapping;
pub use published_port::PublishedPort;
pub use subnet::Subnet;
pub use time::Timestamp;
