//! bridgework
#![forbid(unsafe_code)]
pub mod addr;
mod errno;
mod error;
pub mod kernel;
mod netlink;
pub mod plan;
pub mod snapshot;
pub use addr::*;
pub use errno::Errno;
pub use error::{Error, Fault, FaultClass, Obstacle, Occupant, Result};
pub use kernel::{FaultInjector, Netns};
