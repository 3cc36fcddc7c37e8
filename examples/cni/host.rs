//! How the crate's host is opened: by one process a verb, which answers no names and carries nothing
//! over, since it ends. Whoever serves the same records does. Nor does it hold ports: some runtimes do so
//! themselves.

use std::path::Path;

use bridgework::plan::Switch;
use bridgework::record::Body;
use bridgework::store::{Sqlite, Store};
use bridgework::{Host, HostConfig};

use crate::failure::{Failure, Outcome};

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

/// Whether anything is written down of a container of that name, also while it comes or goes. Where
/// nothing is written down at all, it may have been lost.
pub(crate) fn may_have_record(state_dir: &Path, name: &str) -> Outcome<bool> {
    let records = Sqlite::open(state_dir).and_then(|store| store.changes(None));
    let mut records = records.map_err(Failure::of_store)?.records;
    records.retain(|(_, record)| !matches!(record.body, Body::Host(_)));
    let is_of_it = |body: &Body| match body {
        Body::Endpoint(endpoint) => endpoint.spec.container.as_str() == name,
        Body::Container(container) => container.name.as_str() == name,
        _ => false,
    };
    let mut bodies = records.iter().map(|(_, record)| &record.body);
    Ok(records.is_empty() || bodies.any(is_of_it))
}
