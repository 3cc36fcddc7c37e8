//! The host driver: containers have the host's own stack. Nothing is made for them.

use super::{Driver, Stack};
use crate::error::Fault;
use crate::plan::Plan;
use crate::snapshot::{Snapshot, View};
use crate::spec::{EndpointSpec, NetworkSpec};

/// The driver named `host`: containers have the host's addresses, links and ports.
///
/// ```
/// use bridgework::driver::{Driver, HostDriver, Stack};
///
/// assert_eq!(HostDriver.stack(), Stack::Host);
/// assert!(HostDriver.open(&"web".parse()?).is_empty());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostDriver;

impl Driver for HostDriver {
    fn name(&self) -> &str {
        "host"
    }

    fn stack(&self) -> Stack {
        Stack::Host
    }

    fn create(&self, _: &NetworkSpec, _: &Snapshot) -> Result<Plan, Fault> {
        Ok(Plan::new())
    }

    fn view(&self) -> View {
        View::Uplinks
    }

    fn connect(&self, _: &NetworkSpec, _: &EndpointSpec) -> Result<Plan, Fault> {
        Err(Fault::HostStackLater)
    }
}
