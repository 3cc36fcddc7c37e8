//! `DEL`: the attachment is gone, however much of it there was, with its namespace or without, and
//! however often it is asked for.

use bridgework::Host;

use crate::attachment::Attachment;
use crate::call::Call;
use crate::conf::Conf;
use crate::failure::Outcome;
use crate::host;
use crate::ipam::Delegate;
use crate::network::remove_unused;

pub(crate) fn del(call: &Call, conf: &Conf, at: &Attachment) -> Outcome {
    if let Some(host) = host::open_if_there(&conf.state_dir())? {
        take_back(&host, conf, at)?;
    }
    // nobody gets its addresses before they are free
    Delegate::of(call, conf).map_or(Ok(()), |delegate| delegate.tell("DEL"))
}

fn take_back(host: &Host, conf: &Conf, at: &Attachment) -> Outcome {
    if !disconnect(host, conf, at)? {
        // whoever was making it may have died of it, or its record was lost
        let recovered = host.recover();
        if disconnect(host, conf, at)? {
            // one that was found again is kept until it is forgotten
            host.forget(at.name())?;
        } else if let Err(error) = recovered {
            // what is wrong with others is not this one's matter
            if host::may_have_record(host, at.name())? {
                return Err(error.into());
            }
        }
    }
    let network = host.network_named(&conf.keys.name);
    network.map_or(Ok(()), |network| remove_unused(&network))
}

/// Whether it was on the network.
fn disconnect(host: &Host, conf: &Conf, at: &Attachment) -> Outcome<bool> {
    let network = host.network_named(&conf.keys.name);
    match network.map(|network| network.disconnect(at.name())) {
        Some(Ok(())) => Ok(true),
        Some(Err(error)) if !error.is_not_found() => Err(error.into()),
        Some(Err(_)) | None => Ok(false),
    }
}
