//! The bridge driver, and what the caller's networks have beside: routes of their own inside containers,
//! several subnets of one family, and bridges that are somebody else's and stay as they are.
//!
//! Decisions only, of what stands in the network's options.

use std::collections::BTreeMap;

use bridgework::driver::{BridgeDriver, Driver};
use bridgework::plan::nft::Element;
use bridgework::plan::{ElementsEdit, Plan, Route, Step};
use bridgework::snapshot::{Snapshot, View};
use bridgework::spec::{EndpointSpec, NetworkRange, NetworkSpec};
use bridgework::{Fault, Firewall, Subnet};
use serde::de::DeserializeOwned;

use crate::wire::{Range, Way};

/// The option that has a network's routes, as JSON.
pub(crate) const ROUTES: &str = "netavark.routes";
/// The option that has a network's further subnets, as JSON.
pub(crate) const FURTHER: &str = "netavark.subnets";
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
        &[ROUTES, FURTHER, UNMANAGED]
    }

    fn create(&self, network: &NetworkSpec, host: &Snapshot) -> Result<Plan, Fault> {
        match is_unmanaged(network) {
            true => Ok(Plan::new()),
            false => {
                let mut plan = BridgeDriver.create(network, host)?;
                for range in read::<Range>(network, FURTHER)? {
                    let more = BridgeDriver.create(&with_subnet(network, &range), host)?;
                    plan.extend(beside(&plan, &more));
                }
                Ok(plan)
            }
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
        let ways = read::<Way>(network, ROUTES)?;
        plan.extend(ways.iter().filter_map(|way| route(way, endpoint)));
        Ok(plan)
    }
}

/// What stands in one of our options.
fn read<T: DeserializeOwned>(network: &NetworkSpec, key: &str) -> Result<Vec<T>, Fault> {
    let text = network.options.of_driver.get(key);
    let read = text.map_or(Ok(Vec::new()), |text| serde_json::from_str(text));
    read.map_err(|error| Fault::Driver {
        driver: network.driver.clone(),
        why: error.to_string(),
    })
}

/// The same network with that subnet in the place of its own one of the family.
fn with_subnet(network: &NetworkSpec, range: &Range) -> NetworkSpec {
    let mut other = network.clone();
    let more = Some(NetworkRange {
        subnet: Subnet::of(range.subnet),
        gateway: range.gateway,
        range: None,
        auxiliary: BTreeMap::new(),
    });
    match range.subnet.addr().is_ipv4() {
        true => other.ipv4 = more,
        false => other.ipv6 = more,
    }
    other
}

/// What `more` has and `plan` has not.
fn beside(plan: &Plan, more: &Plan) -> Vec<Step> {
    let known: Vec<_> = plan.steps().iter().filter_map(edited).flatten().collect();
    let steps = more
        .steps()
        .iter()
        .filter(|step| !plan.steps().contains(step));
    let step = |step: &Step| match edited(step) {
        Some(elements) => {
            let new = elements.iter().filter(|element| !known.contains(element));
            Step::EditElements(ElementsEdit::adding(new.cloned().collect()))
        }
        None => step.clone(),
    };
    steps.map(step).collect()
}

fn edited(step: &Step) -> Option<&[Element]> {
    match step {
        Step::EditElements(edit) => Some(&edit.add),
        _ => None,
    }
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
