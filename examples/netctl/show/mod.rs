//! Looking at containers: what netctl keeps of them together with what the crate shows of their
//! networks.

mod ago;
mod inspect;
mod list;
mod port;

pub(crate) use inspect::inspect;
pub(crate) use list::list;
pub(crate) use port::port;

use bridgework::Host;
use bridgework::inspect::NetworkSettings;

use crate::state::Record;

/// What the crate shows of a container; nothing, if it does not run.
fn settings(host: &Host, record: &Record) -> NetworkSettings {
    let running = record.running();
    let container = running.and_then(|_| host.container(record.name.as_str()).ok());
    container.map_or_else(NetworkSettings::default, |container| {
        host.inspect(&container)
    })
}
