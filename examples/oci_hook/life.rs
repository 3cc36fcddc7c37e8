//! Whose a name is: of this container, of one that lives, or of one whose end nobody has told of.

use bridgework::spec::EndpointSpec;
use bridgework::{ContainerId, Host, Netns, Network};

use crate::Outcome;
use crate::network::remove_unused;
use crate::wish::Wish;

/// So many digits of an id stand in a link's alias, by which records that were lost are found again.
const KNOWN_DIGITS: usize = 12;

/// Whether it is on the network by this namespace. What is left of earlier lives of its name is taken back;
/// another container that lives keeps the name.
pub(crate) fn is_there(host: &Host, wish: &Wish, netns: &Netns) -> Outcome<bool> {
    let mut earlier = host.networks();
    earlier.retain(|network| place_on(network, wish).is_some());
    if earlier.is_empty() {
        return Ok(false);
    }
    match host.container(&wish.container) {
        Ok(other) if other.id() != wish.id => {
            let name = &wish.container;
            return Err(format!("another container is named {name}, and lives").into());
        }
        Ok(known) if known.netns() == netns => {
            let mut names = earlier.iter().map(|network| network.name().as_str());
            return Ok(names.any(|name| name == wish.network));
        }
        Err(error) if !error.is_not_found() => return Err(error.into()),
        _ => {}
    }
    for network in earlier {
        match network.disconnect(&wish.container) {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
        if network.name().as_str() != wish.network {
            remove_unused(&network)?;
        }
    }
    Ok(false)
}

/// Whether the name is another container's by now, that took it when this one had gone.
pub(crate) fn is_another_s(host: &Host, wish: &Wish) -> bool {
    let networks = host.networks();
    let mut places = networks
        .iter()
        .filter_map(|network| place_on(network, wish));
    places.any(|spec| spec.container_id != wish.id && !is_found_again(spec.container_id))
}

fn place_on(network: &Network, wish: &Wish) -> Option<EndpointSpec> {
    let mut endpoints = network.endpoints().into_iter();
    endpoints.find(|spec| spec.container.as_str() == wish.container)
}

fn is_found_again(id: ContainerId) -> bool {
    let digits = id.to_string();
    digits.bytes().skip(KNOWN_DIGITS).all(|digit| digit == b'0')
}

/// Whether anything is written down of the name, also while it comes or goes; or may have been, before
/// the records were lost.
pub(crate) fn may_have_record(host: &Host, wish: &Wish) -> Outcome<bool> {
    Ok(!host.records_of(&wish.container)?.is_empty() || host.has_lost_records()?)
}
