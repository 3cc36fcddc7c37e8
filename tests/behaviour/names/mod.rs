//! Who is called what: in memory, and in hosts files.

mod files;
mod follows;
mod ground;
mod host_gateway;
mod links;
mod modes;
mod peers;
mod records;
mod resolv_links;
mod rootfs;

use std::path::Path;

use bridgework::{Container, ContainerConfig, ContainerId, Netns};

/// A config of a container with an id that shows in texts: `ababababab` and so on.
fn config(name: &str, id: u8) -> ContainerConfig {
    let netns = Netns::create().unwrap();
    ContainerConfig::new(name, netns).id(ContainerId::from_bytes([id; 32]))
}

fn with_hosts(name: &str, id: u8, path: &Path) -> Container {
    Container::open(config(name, id).hosts_file(path)).unwrap()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
