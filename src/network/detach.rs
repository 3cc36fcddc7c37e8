//! Leaving: the same plans backwards. Names go first, so that nobody is led to an address that
//! is going.

use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::plan::{Link, Plan, Step};

use super::Network;
use super::members::Member;

impl Network {
    /// Takes back all that connecting did.
    pub(crate) fn detach(&self, endpoint: &Endpoint) -> Result<()> {
        crate::trace::operation!(
            "disconnect",
            network = self.name(),
            container = endpoint.container()
        );
        let mut undo = self.farewell(endpoint);
        undo.extend(
            endpoint
                .plan
                .undo(endpoint.plan.steps().len())
                .steps()
                .iter()
                .cloned(),
        );
        let kernel = self.0.host.kernel();
        let taken_back = kernel.take_back(&undo, Some(endpoint.container.netns()));
        self.dismiss(endpoint, &taken_back);
        let attempt = || {
            format!(
                "disconnect {} from {}",
                endpoint.container.name(),
                self.name()
            )
        };
        taken_back.map_err(|error| error.during(attempt()))
    }

    /// The names go, and the lines by which it and the others know each other.
    fn farewell(&self, endpoint: &Endpoint) -> Plan {
        self.0.records.remove(&endpoint.spec.id);
        let _in_step = self.0.introductions.lock();
        let hosts = endpoint.container.hosts_file().cloned();
        let member = Member::new(endpoint.spec.clone(), hosts);
        self.0.members.lock().part(&endpoint.spec.id);
        let introductions = Plan::from_iter(self.introductions(&member));
        let mut plan = Plan::with_container(endpoint.container.name().clone());
        plan.extend(
            introductions
                .undo(introductions.steps().len())
                .steps()
                .iter()
                .cloned(),
        );
        plan
    }

    fn dismiss(&self, endpoint: &Endpoint, taken_back: &Result<()>) {
        let mut members = self.0.members.lock();
        match taken_back {
            Ok(()) => members.dismiss(&endpoint.spec.id),
            Err(_) => members.strike_off(&endpoint.spec.id),
        }
    }
}

/// As [`Network::detach`] for many endpoints of one host, with their links deleted as a group.
pub(crate) fn detach_together(endpoints: &[Endpoint]) -> Result<()> {
    let Some(host) = endpoints.first().map(|endpoint| endpoint.network.host()) else {
        return Ok(());
    };
    let mut links: Vec<Link> = Vec::new();
    let mut rest = Plan::new();
    for endpoint in endpoints {
        rest.extend(endpoint.network.farewell(endpoint).steps().iter().cloned());
        for step in endpoint.plan.undo(endpoint.plan.steps().len()).steps() {
            match step {
                Step::DeleteLink { link } if link.side == crate::plan::Side::Host => {
                    links.push(link.clone());
                }
                step => rest.push(step.clone()),
            }
        }
    }
    let kernel = host.kernel();
    let results = [
        kernel.take_back(&rest, None),
        kernel.delete_together(&links),
    ];
    let merged = results
        .into_iter()
        .filter_map(Result::err)
        .reduce(join)
        .map_or(Ok(()), Err);
    for endpoint in endpoints {
        endpoint.network.dismiss(endpoint, &merged);
    }
    merged
}

fn join(first: Error, second: Error) -> Error {
    let faults = first
        .faults()
        .iter()
        .chain(second.faults())
        .cloned()
        .collect();
    let mut left = first.left_behind().clone();
    left.extend(second.left_behind().steps().iter().cloned());
    Error::of("disconnect together", faults).leaving(left)
}
