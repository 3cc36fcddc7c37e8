//! `GC`: of the network only those attachments are left that the runtime knows of, and nothing that
//! dead processes left.

use std::collections::BTreeSet;

use bridgework::spec::EndpointSpec;
use bridgework::{Host, LinkName, Network};

use crate::attachment::Attachment;
use crate::call::Call;
use crate::conf::{Conf, Valid};
use crate::failure::{Failure, Outcome};
use crate::host;
use crate::ipam::Delegate;
use crate::network::remove_unused;

pub(crate) fn gc(call: &Call, conf: &Conf) -> Outcome {
    let collected = match host::open_if_there(&conf.state_dir())? {
        Some(host) => collect(&host, conf),
        None => Ok(()),
    };
    let told = Delegate::of(call, conf).map_or(Ok(()), |delegate| delegate.tell("GC"));
    collected.and(told)
}

/// All that can go does, whatever can't.
fn collect(host: &Host, conf: &Conf) -> Outcome {
    // what is wrong with others is said at the end
    let recovered = host.recover().map(drop).map_err(Failure::from);
    let valid: BTreeSet<String> = conf.valid().filter_map(name).collect();
    let network = host.network_named(&conf.keys.name);
    let collected = network.map_or(Ok(()), |network| leave_alone(&network, &valid));
    collected.and(recovered)
}

/// Only those are left on the network, and others' own.
fn leave_alone(network: &Network, valid: &BTreeSet<String>) -> Outcome {
    let mut stale = network.endpoints();
    stale.retain(|spec| !valid.contains(spec.container.as_str()) && is_ours(spec));
    let mut first = None;
    for spec in stale {
        match network.disconnect(spec.container.as_str()) {
            Err(error) if !error.is_not_found() => {
                first.get_or_insert(Failure::from(error));
            }
            _ => {}
        }
    }
    remove_unused(network)?;
    first.map_or(Ok(()), Err)
}

fn name(valid: &Valid) -> Option<String> {
    let link: LinkName = valid.ifname.parse().ok()?;
    let at = Attachment::new(&valid.container, link).ok()?;
    Some(at.name().to_owned())
}

/// Whether a plugin such as this one made it.
fn is_ours(spec: &EndpointSpec) -> bool {
    Attachment::is_named(spec.container.as_str(), &spec.link.name)
}
