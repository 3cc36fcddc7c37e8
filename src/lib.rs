//! bridgework
#![forbid(unsafe_code)]
pub mod addr;
pub mod config;
pub mod driver;
mod errno;
mod error;
pub mod kernel;
mod netlink;
pub mod plan;
pub mod snapshot;
pub mod spec;
pub use addr::*;
pub use config::{EndpointConfig, HostsScope, MacPolicy, NetworkConfig};
pub use errno::Errno;
pub use error::{Error, Fault, FaultClass, Obstacle, Occupant, Result};
pub use kernel::{FaultInjector, Netns};
