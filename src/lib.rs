//! bridgework
#![forbid(unsafe_code)]
pub mod addr;
mod errno;
mod error;
mod netlink;
pub mod plan;
pub mod snapshot;
pub use addr::*;
pub use errno::Errno;
pub use error::{Error, Fault, FaultClass, Obstacle, Occupant, Result};
