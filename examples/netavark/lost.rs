//! Records that were lost. The crate makes them again of what the kernel still says: of a container that is
//! its name, and no more of its id than an endpoint's first digits.

use std::collections::BTreeSet;

use bridgework::record::Body;
use bridgework::spec::EndpointSpec;
use bridgework::{ContainerId, Host, Network};

use crate::failure::Outcome;
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
/// goes; or may have been, before the records were lost.
pub(crate) fn may_have_record(host: &Host, who: &Who, names: &[&str]) -> Outcome<bool> {
    if host.has_lost_records()? {
        return Ok(true);
    }
    let mut records = host.records_of(&who.id.to_string())?;
    records.extend(host.records_of(&who.name)?);
    let meant = records.iter().filter_map(|record| match &record.body {
        Body::Network(network) if names.contains(&network.spec.name.as_str()) => {
            Some(network.spec.id)
        }
        _ => None,
    });
    let networks: BTreeSet<_> = meant.collect();
    Ok(records.iter().any(|record| match &record.body {
        Body::Endpoint(place) => who.is_it(&place.spec) && networks.contains(&place.spec.network),
        _ => false,
    }))
}
