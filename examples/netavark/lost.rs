//! Records that were lost. The crate makes them again of what the kernel still says: of a container that is
//! its name, and no more of its id than an endpoint's first digits.

use std::collections::BTreeSet;
use std::path::Path;

use bridgework::record::Body;
use bridgework::spec::EndpointSpec;
use bridgework::store::{Sqlite, Store};
use bridgework::{ContainerId, Host, Network};

use crate::failure::{Failure, Outcome};
use crate::host::state_dir;
use crate::wire::Request;

/// So many digits of an id stand in a link's alias.
const KNOWN_DIGITS: usize = 12;

/// Whom a verb is about.
#[derive(Debug)]
pub(crate) struct Who {
    pub(crate) id: ContainerId,
    name: String,
}

impl Who {
    pub(crate) fn of(request: &Request) -> Outcome<Self> {
        Ok(Self {
            id: request.container_id.parse()?,
            name: request.container_name.clone(),
        })
    }

    /// Its place on a network: by its id, whatever it was called then; or by its name, where nobody knows
    /// the id.
    pub(crate) fn place_on(&self, network: &Network) -> Option<EndpointSpec> {
        let mut endpoints = network.endpoints().into_iter();
        endpoints.find(|spec| self.is_it(spec))
    }

    fn is_it(&self, spec: &EndpointSpec) -> bool {
        spec.container_id == self.id || is_found_again(spec) && spec.container.as_str() == self.name
    }
}

fn is_found_again(spec: &EndpointSpec) -> bool {
    let id = spec.container_id.to_string();
    id.bytes().skip(KNOWN_DIGITS).all(|digit| digit == b'0')
}

/// What was found again of a container is less than what is known of it by whoever sets it up: it is made
/// anew.
pub(crate) fn give_up_found(host: &Host, who: &Who, networks: &[&str]) -> Outcome {
    for network in networks.iter().filter_map(|name| host.network_named(name)) {
        let found = who.place_on(&network).filter(is_found_again);
        match found.map(|spec| network.disconnect(spec.container.as_str())) {
            Some(Err(error)) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Makes records again before anything is written beside them: what was of those that are lost would be
/// nobody's then.
pub(crate) fn find_again(host: &Host) -> Outcome {
    if !host.has_lost_records()? {
        return Ok(());
    }
    match host.recover() {
        // what else is wrong is not this verb's matter
        Err(error) if host.has_lost_records()? => Err(error.into()),
        _ => Ok(()),
    }
}

/// Whether anything is written down of the container's places on these networks, also while it comes or
/// goes. Where nothing is written down at all, it may have been lost.
pub(crate) fn may_have_record(config: &Path, who: &Who, names: &[&str]) -> Outcome<bool> {
    let mut bodies = bodies(config)?;
    bodies.retain(|body| !matches!(body, Body::Host(_)));
    let meant = bodies.iter().filter_map(|body| match body {
        Body::Network(network) if names.contains(&network.spec.name.as_str()) => {
            Some(network.spec.id)
        }
        _ => None,
    });
    let networks: BTreeSet<_> = meant.collect();
    let is_of_it = |body: &Body| match body {
        Body::Endpoint(endpoint) => {
            who.is_it(&endpoint.spec) && networks.contains(&endpoint.spec.network)
        }
        _ => false,
    };
    Ok(bodies.is_empty() || bodies.iter().any(is_of_it))
}

fn bodies(config: &Path) -> Outcome<Vec<Body>> {
    let read = Sqlite::open(state_dir(config)).and_then(|store| store.changes(None));
    let read = read.map_err(|error| Failure::new(format!("read the records: {error}")))?;
    let records = read.records.into_iter();
    Ok(records.map(|(_, record)| record.body).collect())
}
