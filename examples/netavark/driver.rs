//! The bridge driver, and what the caller's networks have beside: routes of their own inside containers,
//! and bridges that are somebody else's and stay as they are.
//!
//! Decisions only, of what stands in the network's options.

use bridgework::driver::{BridgeDriver, Driver};
use bridgework::plan::{Plan, Route, Step};
use bridgework::snapshot::{Snapshot, View};
use bridgework::spec::{EndpointSpec, NetworkSpec};
use bridgework::{Fault, Firewall};

use crate::wire::Way;

/// The option that has a network's routes, as JSON.
pub(crate) const ROUTES: &str = "netavark.routes";
/// The option that says that the bridge is somebody else's.
pub(crate) const UNMANAGED: &str = "netavark.unmanaged";

/// Metric of a route that is given none.
const DEFAULT_METRIC: u32 = 100;

/// The driver named `bridge` on hosts of ours.
#[derive(Debug)]
pub(crate) struct PodmanDriver;

impl Driver for PodmanDriver {
    fn name(&self) -> &str {
        BridgeDriver.name()
    }

    fn option_keys(&self) -> &[&str] {
        &[ROUTES, UNMANAGED]
    }

    fn create(&self, network: &NetworkSpec, host: &Snapshot) -> Result<Plan, Fault> {
        match is_unmanaged(network) {
            true => Ok(Plan::new()),
            false => BridgeDriver.create(network, host),
        }
    }

    fn view(&self) -> View {
        BridgeDriver.view()
    }

    fn connect(&self, network: &NetworkSpec, endpoint: &EndpointSpec) -> Result<Plan, Fault> {
        let mut plan = match is_unmanaged(network) {
            // what is somebody else's is filtered by them
            true => {
                let mut network = network.clone();
                network.firewall = Firewall::Off;
                BridgeDriver.connect(&network, endpoint)?
            }
            false => BridgeDriver.connect(network, endpoint)?,
        };
        let ways = ways(network)?;
        plan.extend(ways.iter().filter_map(|way| route(way, endpoint)));
        Ok(plan)
    }
}

/// What stands in the network's options.
fn ways(network: &NetworkSpec) -> Result<Vec<Way>, Fault> {
    let text = network.options.of_driver.get(ROUTES);
    let read = text.map_or(Ok(Vec::new()), |text| serde_json::from_str(text));
    read.map_err(|error| Fault::Driver {
        driver: network.driver.clone(),
        why: error.to_string(),
    })
}

fn is_unmanaged(network: &NetworkSpec) -> bool {
    network.options.of_driver.contains_key(UNMANAGED)
}

/// Of a family that the container has not, there is none.
fn route(way: &Way, endpoint: &EndpointSpec) -> Option<Step> {
    let is_ipv4 = way.destination.addr().is_ipv4();
    let mut addresses = endpoint.addresses();
    addresses.find(|own| own.address.addr().is_ipv4() == is_ipv4)?;
    Some(Step::AddRoute(Route {
        gateway: way.gateway,
        metric: way.metric.unwrap_or(DEFAULT_METRIC),
        ..Route::new(way.destination.trunc(), &endpoint.link)
    }))
}
