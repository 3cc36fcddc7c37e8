//! Drivers decide: from a spec to the plan that makes it so. Pure: no socket, file, clock or
//! thread.
//!
//! There is no verb for taking down. Disconnecting and removing perform the same plan backwards
//! ([`Plan::undo`]), so a driver that can connect can disconnect.

mod bridge;

use std::fmt;

pub use bridge::BridgeDriver;

use crate::error::Fault;
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::spec::{EndpointSpec, NetworkSpec};

/// What a kind of network consists of. Register one with
/// [`HostConfig::driver`](crate::HostConfig::driver) and ask for it by its name with
/// [`NetworkConfig::new`](crate::NetworkConfig::new); `examples/own_driver.rs` is a whole one.
///
/// Both methods are pure: the same arguments give the same plan. Ids, names, indexes, addresses
/// and hardware addresses are in the specs, chosen before. A refusal changes nothing.
///
/// ```
/// use bridgework::driver::{BridgeDriver, Driver};
///
/// assert_eq!(BridgeDriver.name(), "bridge");
/// ```
pub trait Driver: Send + Sync + fmt::Debug {
    /// The name that networks are asked for by.
    fn name(&self) -> &str;

    /// What the network itself needs on the host's side: `host` is what is there now.
    ///
    /// # Errors
    /// What the driver can't make of the request.
    fn create(&self, network: &NetworkSpec, host: &Snapshot) -> Result<Plan, Fault>;

    /// What one more container needs. The plan's container side is the endpoint's container.
    ///
    /// # Errors
    /// What the driver can't make of the request.
    fn connect(&self, network: &NetworkSpec, endpoint: &EndpointSpec) -> Result<Plan, Fault>;
}
