//! The driver of no network at all: containers have `lo` and nothing else.

use super::{Driver, Stack};
use crate::addr::ContainerName;
use crate::error::Fault;
use crate::plan::{Plan, Side, Step};
use crate::snapshot::{Snapshot, View};
use crate::spec::{EndpointSpec, NetworkSpec};

/// The driver named `null`, as Docker calls it: containers have `lo` and nothing else.
///
/// ```
/// use bridgework::driver::{Driver, NoneDriver};
///
/// let plan = NoneDriver.open(&"batch".parse()?);
/// assert_eq!(plan.to_string(), "ip -n batch link set dev lo up\n");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoneDriver;

impl Driver for NoneDriver {
    fn name(&self) -> &str {
        "null"
    }

    fn stack(&self) -> Stack {
        Stack::Private
    }

    fn create(&self, _: &NetworkSpec, _: &Snapshot) -> Result<Plan, Fault> {
        Ok(Plan::new())
    }

    fn view(&self) -> View {
        View::Uplinks
    }

    fn connect(&self, _: &NetworkSpec, _: &EndpointSpec) -> Result<Plan, Fault> {
        Err(Fault::PrivateStack)
    }

    fn open(&self, container: &ContainerName) -> Plan {
        let mut plan = Plan::with_container(container.clone());
        let side = Side::Container;
        plan.push(Step::RaiseLoopback { side });
        plan
    }
}
