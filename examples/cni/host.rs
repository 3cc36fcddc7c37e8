//! How the crate's host is opened: by one process a verb, which answers no names and carries nothing
//! over, since it ends. Whoever serves the same records does. Nor does it hold ports: some runtimes do so
//! themselves.

use std::path::Path;

use bridgework::plan::Switch;
use bridgework::{Host, HostConfig};

use crate::failure::Outcome;

pub(crate) fn open(state_dir: &Path) -> Outcome<Host> {
    let config = HostConfig::new().state_dir(state_dir);
    let config = config.resolver(Switch::Off).relay(Switch::Off);
    let config = config.hold_ports(Switch::Off);
    Ok(Host::open_with(config.watch(Switch::Off))?)
}

/// Where nothing was ever added there is nothing to take back, and nothing is made for it.
pub(crate) fn open_if_there(state_dir: &Path) -> Outcome<Option<Host>> {
    match state_dir.exists() {
        true => open(state_dir).map(Some),
        false => Ok(None),
    }
}

/// Whether anything is written down of a container of that name, also while it comes or goes; or may
/// have been, before the records were lost.
pub(crate) fn may_have_record(host: &Host, name: &str) -> Outcome<bool> {
    Ok(!host.records_of(name)?.is_empty() || host.has_lost_records()?)
}
