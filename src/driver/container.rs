//! The container driver: a container has another one's stack. Nothing is made for it.

use super::{Driver, Stack};
use crate::error::Fault;
use crate::plan::Plan;
use crate::snapshot::{Snapshot, View};
use crate::spec::{EndpointSpec, NetworkSpec};

/// The driver named `container`: a container has all that another one has, its addresses and ports,
/// its `lo`, its hosts file and its names.
///
/// ```
/// use bridgework::driver::{ContainerDriver, Driver, Stack};
///
/// assert_eq!(ContainerDriver.stack(), Stack::Shared);
/// assert!(ContainerDriver.open(&"sidecar".parse()?).is_empty());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContainerDriver;

impl Driver for ContainerDriver {
    fn name(&self) -> &str {
        "container"
    }

    fn stack(&self) -> Stack {
        Stack::Shared
    }

    fn create(&self, _: &NetworkSpec, _: &Snapshot) -> Result<Plan, Fault> {
        Ok(Plan::new())
    }

    fn view(&self) -> View {
        View::Uplinks
    }

    fn connect(&self, _: &NetworkSpec, _: &EndpointSpec) -> Result<Plan, Fault> {
        Err(Fault::SharedStack)
    }
}
