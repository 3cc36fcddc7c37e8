//! What was made, for people to read.

use std::path::Path;

use bridgework::snapshot::Snapshot;
use bridgework::{Container, Endpoint, Network};

pub fn network(network: &Network) {
    let spec = network.spec();
    println!("network {} ({})", spec.name, spec.id.short());
    println!(
        "  bridge {} with MAC {}, MTU {}",
        spec.link.name, spec.mac, spec.mtu
    );
    for range in [&spec.ipv4, &spec.ipv6].into_iter().flatten() {
        let gateway = range.gateway.map(|address| format!(", gateway {address}"));
        println!("  subnet {}{}", range.subnet, gateway.unwrap_or_default());
    }
}

pub fn endpoint(endpoint: &Endpoint) {
    let spec = endpoint.spec();
    let aliases: String = spec
        .aliases
        .iter()
        .map(|alias| format!(", alias {alias}"))
        .collect();
    println!(
        "container {}{aliases}, host name {}",
        spec.container, spec.hostname
    );
    println!(
        "  {} with MAC {}, in the host {}",
        spec.link.name, spec.mac, spec.host_link.name
    );
    for address in spec.addresses() {
        println!("  address {}", address.address);
    }
}

pub fn hosts_file(container: &Container, path: &Path) -> std::io::Result<()> {
    println!("hosts file of {}", container.name());
    for line in std::fs::read_to_string(path)?.lines() {
        println!("  {line}");
    }
    Ok(())
}

/// Compares what the host has with what it had.
pub fn nothing_left(
    before: &Snapshot,
    after: &Snapshot,
    folder: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let files = std::fs::read_dir(folder)?.count();
    if before != after || files > 0 {
        return Err(format!("left over: {after:?}, {files} files").into());
    }
    let Snapshot {
        links,
        addresses,
        routes,
        ..
    } = after;
    println!(
        "\nall is taken down: {} link (lo), {} addresses, {} routes and no file, as before",
        links.len(),
        addresses.len(),
        routes.len(),
    );
    Ok(())
}
