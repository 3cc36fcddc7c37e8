//! bridgework
#![forbid(unsafe_code)]
pub mod addr;
mod errno;
mod error;
mod kernel;
pub mod plan;
pub mod resolver;
pub use addr::*;
pub use errno::Errno;
pub use error::{Error, Fault, FaultClass, Obstacle, Occupant, Result};
