//! Drivers decide: from a spec to the plan that makes it so. Pure: no socket, file, clock or
//! thread.
//!
//! There is no verb for taking down. Disconnecting and removing perform the same plan backwards
//! ([`Plan::undo`]), so a driver that can connect can disconnect.

mod bridge;
mod container;
mod gateway;
mod host;
mod none;

use std::fmt;

pub use bridge::BridgeDriver;
pub use container::ContainerDriver;
pub(crate) use gateway::{Exit, lead_out, moves};
pub use host::HostDriver;
pub use none::NoneDriver;

use crate::addr::ContainerName;
use crate::error::Fault;
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::spec::{EndpointSpec, NetworkSpec};

/// Whose network stack the containers of a driver's networks have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stack {
    /// Each its own, which may be on several networks.
    Own,
    /// Each its own, with `lo` in it and nothing else ever.
    Private,
    /// The host's.
    Host,
    /// Another container's.
    Shared,
}

/// What a kind of network consists of. Register one with
/// [`HostConfig::driver`](crate::HostConfig::driver) and ask for it by its name with
/// [`NetworkConfig::new`](crate::NetworkConfig::new); `examples/own_driver.rs` is a whole one.
///
/// All methods are pure: the same arguments give the same plan. Ids, names, indexes, addresses
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

    /// The keys of options that this driver alone knows. They come to it as they were given, in
    /// [`NetworkOptions::of_driver`](crate::config::NetworkOptions::of_driver). Default: none.
    fn option_keys(&self) -> &[&str] {
        &[]
    }

    /// What the network itself needs on the host's side: `host` is what is there now.
    ///
    /// # Errors
    /// What the driver can't make of the request.
    fn create(&self, network: &NetworkSpec, host: &Snapshot) -> Result<Plan, Fault>;

    /// What one more container needs. The plan's container side is the endpoint's container.
    ///
    /// Default routes are no part of it: which of a container's networks they lead by changes as
    /// networks come and go. What an endpoint has to offer is in its addresses' `gateway`.
    ///
    /// # Errors
    /// What the driver can't make of the request.
    fn connect(&self, network: &NetworkSpec, endpoint: &EndpointSpec) -> Result<Plan, Fault>;

    /// Whose stack its containers have. Where it is not their own, they belong to the network from
    /// when they are opened, by [`open`](Self::open), and can't be connected later.
    fn stack(&self) -> Stack {
        Stack::Own
    }

    /// What a container needs that is opened with this driver's stack and never connected.
    fn open(&self, container: &ContainerName) -> Plan {
        Plan::with_container(container.clone())
    }

    /// The first half of [`connect`](Self::connect), for a container whose namespace is not there
    /// yet: its end of the wire is left on the host's side, where `endpoint.link` is.
    ///
    /// # Errors
    /// What the driver can't make of the request; by default all of it.
    fn stage(&self, network: &NetworkSpec, endpoint: &EndpointSpec) -> Result<Plan, Fault> {
        let _unused = (network, endpoint);
        let why = "it does not make endpoints before their containers".to_owned();
        let driver = self.name().to_owned();
        Err(Fault::Driver { driver, why })
    }

    /// The second half, for an end that is in the container's namespace by now.
    ///
    /// # Errors
    /// As for [`stage`](Self::stage).
    fn join(&self, network: &NetworkSpec, endpoint: &EndpointSpec) -> Result<Plan, Fault> {
        self.stage(network, endpoint)
    }
}
