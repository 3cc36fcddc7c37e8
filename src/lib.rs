//! Docker's container networking inside your own process: bridges, veth pairs, addresses and
//! names, driven directly by netlink. No daemon, no subprocess, no shell, no C.
//!
//! ```no_run
//! use bridgework::{Container, EndpointConfig, Host, NetworkConfig};
//!
//! fn main() -> Result<(), bridgework::Error> {
//!     let host = Host::isolated()?; // or Host::open() for the machine's own network
//!     let network = host.create_network(NetworkConfig::bridge("hmall"))?;
//!     let mysql = Container::isolated("mysql")?;
//!     let app = Container::of_pid("app", 4711)?;
//!
//!     let at_mysql = network.connect_with(&mysql, EndpointConfig::new().alias("db"))?;
//!     let at_app = network.connect(&app)?; // the first packet either way gets through
//!     println!("app ({}) finds db at {}", at_app.ip(), at_mysql.ip());
//!
//!     at_app.disconnect()?; // the address, the name and the traffic are gone
//!     Ok(()) // mysql is disconnected and the network removed as their handles are dropped
//! }
//! ```
//!
//! # The nouns
//!
//! A [`Host`] is the side that has the bridges: the machine, or a private namespace in its place. A
//! [`Container`] is a name and a network namespace, a [`Netns`]. A [`Network`] is a group of
//! containers that can talk, made on a host from a [`NetworkConfig`]. An [`Endpoint`] is one
//! container's place in one network, made from an [`EndpointConfig`]. What was chosen for either is
//! a [`spec`]. A [`driver`] turns specs into a [`plan`]: steps, each of them one change to the
//! kernel, that print as the lines you would type. The [`kernel`] performs a plan, or takes it back.
//! A network's [records](resolver::Records) know its containers' names, and a
//! [server](resolver::server) in this process answers by them. The [`firewall`] says who
//! reaches whom, and leads published ports to containers. A [`store`] keeps [records](mod@record) of all
//! this, for other processes and for the next one. [`Bridge`], [`VethPair`] and [`Device`] are the
//! parts alone. All verbs fail with an [`Error`].
//!
//! # What holds everywhere
//!
//! - All of a request is checked, and all that is wrong with it reported, before the kernel is asked.
//! - A verb does all of it or nothing. What could not be taken back is in [`Error::left_behind`].
//! - Handles are RAII: dropping one takes back what it stands for. `persist` keeps it.
//! - A verb that removes accepts what is gone already, so that it may be repeated.
//! - The calling thread never changes its namespace, and the process never forks. There is no
//!   global state, no environment variable and no signal handler.
//! - Every handle is `Send + Sync`; verbs block, for about a millisecond.
//! - IPv6 is never treated worse than IPv4.
//!
//! # Limits
//!
//! Linux with `/proc` mounted and nftables; it was made and tested on 6.18, and on nothing older. A
//! bridge has at most 1023 ports. IPv6 is forwarded link by link from Linux 6.17 on; before, the
//! host's owner has to say so for all. Names are answered, ports are held, and what the kernel can't
//! lead to them is carried over, only while a process lives that does it: the one that connected, or
//! one that [serves](Host::serve). A process that forks must open its hosts anew. Several hosts are
//! not one network here: there is no overlay.
//!
//! # Where to go on
//!
//! The guides for [runtimes](guide::runtime) and for [tests](guide::fixtures); what things are called
//! if you come from [Docker](guide::docker) or from [netavark or CNI](guide::plugins); the
//! [architecture](_architecture).
//!
//! # Features
//!
//! All are off by default and additive. `serde`: configs, specs and values as text forms.
//! `tracing`: a span for each verb with network, container and namespace, and an event for each
//! refusal with its errno. `store`: records in a directory, by SQLite, which is built with a C
//! compiler (`store::Sqlite`).
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used))]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod addr;
mod audit;
pub mod config;
mod container;
mod device;
pub mod driver;
mod errno;
mod error;
mod event;
mod events;
pub mod firewall;
pub mod guide;
mod host;
pub mod inspect;
pub mod ipam;
pub mod kernel;
mod netlink;
mod network;
pub mod plan;
pub mod record;
pub mod resolver;
pub mod sandbox;
pub mod snapshot;
pub mod spec;
pub mod store;
mod trace;

pub use addr::{
    ContainerId, ContainerLink, ContainerName, EndpointId, Family, HostName, LinkIndex, LinkName,
    LinkPrefix, LinkSysctl, MacAddr, Mtu, NamespaceId, NetworkId, NetworkName, ParseError, Port,
    PortMapping, PortRange, Protocol, PublishedPort, Subnet, SysctlTable, Timestamp,
};
pub use audit::{Deviation, DeviationCause, Finding};
pub use config::{
    ContainerTerm, EndpointConfig, Firewall, GatewayMode, HostsScope, MacPolicy, NetworkConfig,
    NetworkMode, NetworkTerm, ResolverScope,
};
pub use container::{Container, ContainerConfig};
pub use device::{Bridge, BridgeConfig, Device, VethConfig, VethPair};
pub use errno::Errno;
pub use error::{
    Error, Fault, FaultClass, HandBack, Obstacle, Occupant, PortFault, Result, StoreTrouble,
};
pub use event::{Event, EventEndpoint, EventKind, EventNetwork, EventProcess, RepairScope};
pub use events::Subscription;
pub use host::{Attached, Host, HostConfig, Orphan, Recovered, Service, Warning};
pub use kernel::{FaultInjector, Netns};
pub use network::{Draft, Endpoint, Network, StagedEndpoint};

#[doc = include_str!("architecture.md")]
pub mod _architecture {}

#[doc = include_str!("../CHANGELOG.md")]
pub mod _changelog {}

/// The README's programs are compiled with the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// The readers of what the kernel sends, for a fuzzer.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz_netlink(bytes: &[u8]) {
    netlink::fuzz(bytes);
}

/// The reader of what other name servers say, for a fuzzer.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz_dns_reply(bytes: &[u8]) {
    resolver::fuzz_reply(bytes);
}
