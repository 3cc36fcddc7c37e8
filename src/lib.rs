//! bridgework
#![forbid(unsafe_code)]
pub mod addr;
mod errno;
mod error;
pub mod ipam;
pub mod plan;
pub use addr::*;
pub use errno::Errno;
pub use error::{Error, Fault, FaultClass, Obstacle, Occupant, Result};
