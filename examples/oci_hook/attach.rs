//! On the network as the container begins, off it as it ends; either may be repeated.

use bridgework::{Container, Host, Netns};

use crate::Outcome;
use crate::life::{is_another_s, is_there, may_have_record};
use crate::network::{get_or_create, remove_unused};
use crate::state::State;
use crate::wish::Wish;

/// So often others may remove the network that they were alone on.
const TRIES: usize = 64;

pub(crate) fn attach(host: &Host, state: &State, wish: &Wish) -> Outcome {
    let netns = Netns::of_pid(state.pid()?)?;
    if is_there(host, wish, &netns)? {
        return Ok(());
    }
    let container = Container::open(wish.container_config(netns))?;
    for _ in 0..TRIES {
        let network = get_or_create(host, wish)?;
        let connected = network.connect_with(&container, wish.endpoint.clone());
        let error = match connected.and_then(|endpoint| endpoint.persist()) {
            Ok(_spec) => return Ok(()),
            Err(error) => error,
        };
        let same = host
            .network_named(&wish.network)
            .is_some_and(|there| there.id() == network.id());
        if same || !error.is_not_found() {
            remove_unused(&network)?;
            return Err(error.into());
        }
    }
    Err(format!("network {} is removed again and again", wish.network).into())
}

pub(crate) fn detach(host: &Host, wish: &Wish) -> Outcome {
    if is_another_s(host, wish) {
        // what was of this one went before that had the name
        return Ok(());
    }
    if !disconnect(host, wish)? {
        // whoever was attaching it may have died of it, or its record was lost
        let recovered = host.recover();
        if disconnect(host, wish)? {
            // one that was found again is kept until it is forgotten
            host.forget(&wish.container)?;
        } else if let Err(error) = recovered {
            // what is wrong with others is not this one's matter
            if may_have_record(host, wish)? {
                return Err(error.into());
            }
        }
    }
    host.network_named(&wish.network)
        .map_or(Ok(()), |network| remove_unused(&network))
}

/// Whether it was on the network.
fn disconnect(host: &Host, wish: &Wish) -> Outcome<bool> {
    let network = host.network_named(&wish.network);
    match network.map(|network| network.disconnect(&wish.container)) {
        Some(Ok(())) => Ok(true),
        Some(Err(error)) if !error.is_not_found() => Err(error.into()),
        Some(Err(_)) | None => Ok(false),
    }
}
