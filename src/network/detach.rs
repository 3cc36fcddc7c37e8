//! Leaving: the same plans backwards. Names go first, so that nobody is led to an address that
//! is going.

use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::plan::{Link, Plan, Side, Step};
use crate::trace::operation;

use super::Network;
use super::draft::introductions;
use super::endpoint::Endpoint;
use super::members::Member;

impl Network {
    /// Takes back all that connecting did.
    pub(super) fn detach(&self, endpoint: &Endpoint) -> Result<()> {
        let operation = operation!("disconnect", self.name(), endpoint.container());
        let farewell = self.withdraw(endpoint);
        let undo = endpoint.plan.undo(endpoint.plan.steps().len());
        let namespace = Some(endpoint.container.netns());
        let unwired = self.0.kernel.take_back(&undo, namespace);
        let left = join([farewell, unwired]);
        self.dismiss(endpoint, &left);
        left.map_err(|error| {
            let (container, network) = (endpoint.container.name(), self.name());
            operation.refused(error.during(format!("disconnect {container} from {network}")))
        })
    }

    /// The names go, and the lines by which it and the others know each other.
    fn withdraw(&self, endpoint: &Endpoint) -> Result<()> {
        self.0.records.remove(&endpoint.spec.id);
        let _in_step = self.0.introductions.lock();
        let hosts = endpoint.container.hosts_file().cloned();
        let member = Member {
            spec: endpoint.spec.clone(),
            hosts,
        };
        let steps = introductions(&self.0.spec, &self.0.members.lock(), &member);
        self.0.members.lock().withdraw(&endpoint.spec.id);
        let introductions = Plan::from_iter(steps);
        let undo = introductions.undo(introductions.steps().len());
        self.0.kernel.take_back(&undo, None)
    }

    fn dismiss(&self, endpoint: &Endpoint, left: &Result<()>) {
        let mut members = self.0.members.lock();
        match left {
            Ok(()) => members.dismiss(&endpoint.spec.id),
            Err(_) => members.strike_off(&endpoint.spec.id),
        }
    }
}

/// As [`Network::detach`] for many endpoints of one host, with their links deleted as a group.
pub(super) fn detach_together(kernel: &Kernel, endpoints: &[Endpoint]) -> Result<()> {
    let mut results: Vec<Result<()>> = endpoints
        .iter()
        .map(|endpoint| endpoint.network.withdraw(endpoint))
        .collect();
    let mut links: Vec<Link> = Vec::new();
    for endpoint in endpoints {
        let mut rest = Plan::with_container(endpoint.container.name().clone());
        for step in endpoint.plan.undo(endpoint.plan.steps().len()).steps() {
            match step {
                Step::DeleteLink { link } if link.side == Side::Host => links.push(link.clone()),
                step => rest.push(step.clone()),
            }
        }
        if !rest.is_empty() {
            let namespace = Some(endpoint.container.netns());
            results.push(kernel.take_back(&rest, namespace));
        }
    }
    results.push(kernel.delete_together(&links));
    let left = join(results);
    for endpoint in endpoints {
        endpoint.network.dismiss(endpoint, &left);
    }
    left
}

/// All that went wrong, as one error.
pub(super) fn join(results: impl IntoIterator<Item = Result<()>>) -> Result<()> {
    let errors = results.into_iter().filter_map(Result::err);
    let joined = errors.reduce(|first, second| {
        let faults = first
            .faults()
            .iter()
            .chain(second.faults())
            .cloned()
            .collect();
        let mut left = first.left_behind().clone();
        left.extend(second.left_behind().steps().iter().cloned());
        Error::of(first.attempt(), faults).leaving(left)
    });
    joined.map_or(Ok(()), Err)
}
