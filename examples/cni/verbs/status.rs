//! `STATUS`: whether an `ADD` could succeed now.

use bridgework::Network;

use crate::call::Call;
use crate::conf::Conf;
use crate::failure::{Code, Failure, Outcome};
use crate::host;
use crate::ipam::Delegate;
use crate::network::config;
use crate::wish::Wish;

pub(crate) fn status(call: &Call, conf: &Conf) -> Outcome {
    if let Some(delegate) = Delegate::of(call, conf) {
        return delegate.tell("STATUS");
    }
    let is_ready =
        host::open(&conf.state_dir()).and_then(|host| match host.network_named(&conf.keys.name) {
            Some(network) => see_that_there_is_room(&network),
            None => {
                let asked = config(conf, &Wish::new(call, conf)?)?;
                Ok(host.draft_network(&asked).map(drop)?)
            }
        });
    is_ready.map_err(|failure| Failure {
        code: Code::NotAvailable as u32,
        ..failure
    })
}

/// What the dead have left counts as taken until somebody is added.
fn see_that_there_is_room(network: &Network) -> Outcome {
    let status = network.inspect().status.unwrap_or_default();
    let mut subnets = status.ipam.subnets.into_iter();
    match subnets.find(|(_, status)| status.available == 0) {
        Some((subnet, _)) => Err(Failure::new(
            Code::NotAvailable,
            format!("no address is left in {subnet}"),
        )),
        None => Ok(()),
    }
}
