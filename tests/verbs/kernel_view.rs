//! What the kernel has, as text: by the crate's own snapshots, which are fast, and by `ip -j`, which
//! is nobody's but iproute2's.

use std::collections::{BTreeMap, BTreeSet};

use bridgework::Netns;
use bridgework::kernel::Kernel;
use bridgework::snapshot::Snapshot;

use crate::lab::ip_json;

/// One network stack without its `lo`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StackSeen {
    pub links: BTreeMap<String, LinkSeen>,
    pub defaults: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSeen {
    pub mac: String,
    pub master: Option<String>,
    pub up: bool,
    pub addresses: BTreeSet<String>,
}

impl StackSeen {
    /// Without what nobody can say when it goes, and without hardware addresses of ports, which are
    /// left to chance and mean nothing.
    pub fn overlooking(mut self, ghosts: &BTreeSet<String>) -> Self {
        self.links.retain(|name, _| !ghosts.contains(name));
        for link in self.links.values_mut().filter(|link| link.master.is_some()) {
            link.mac.clear();
        }
        self
    }
}

pub fn by_snapshot(kernel: &Kernel) -> StackSeen {
    let snapshot = kernel.snapshot().expect("a snapshot");
    let name = |index: u32| snapshot.link_at(index).map(|link| link.name.clone());
    let links = snapshot.links.iter().filter(|link| link.name != "lo");
    let seen = links.map(|link| {
        let seen = LinkSeen {
            mac: link.mac.map(|mac| mac.to_string()).unwrap_or_default(),
            master: link.master.and_then(name),
            up: link.up,
            addresses: addresses_of(&snapshot, link.index),
        };
        (link.name.clone(), seen)
    });
    let links = seen.collect();
    // a route whose link has gone goes soon after it
    let defaults = snapshot.routes.iter().filter_map(|route| {
        let is_default = route.destination.prefix_len() == 0 && route.table == 254;
        let (gateway, device) = (route.gateway?, name(route.link?)?);
        is_default.then(|| format!("default via {gateway} dev {device}"))
    });
    let defaults = defaults.collect();
    StackSeen { links, defaults }
}

fn addresses_of(snapshot: &Snapshot, link: u32) -> BTreeSet<String> {
    let of_link = snapshot
        .addresses
        .iter()
        .filter(|address| address.link == link);
    of_link.map(|address| address.address.to_string()).collect()
}

/// `None`, loudly, where iproute2 is missing.
pub fn by_ip(netns: &Netns) -> Option<StackSeen> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut seen = StackSeen::default();
    for link in ip_json(netns, "addr show")? {
        let name = text(&link["ifname"]);
        let flags = link["flags"].as_array().expect("flags");
        let addresses = link["addr_info"].as_array().expect("addresses");
        let addresses = addresses
            .iter()
            .filter(|address| address["local"].is_string());
        let with_prefix =
            |a: &serde_json::Value| format!("{}/{}", text(&a["local"]), a["prefixlen"]);
        let link = LinkSeen {
            mac: text(&link["address"]),
            master: link["master"].as_str().map(str::to_owned),
            up: flags.contains(&"UP".into()),
            addresses: addresses.map(with_prefix).collect(),
        };
        if name != "lo" {
            seen.links.insert(name, link);
        }
    }
    for arguments in ["-4 route show default", "-6 route show default"] {
        let routes = ip_json(netns, arguments)?;
        let line = |r: &serde_json::Value| {
            format!(
                "default via {} dev {}",
                text(&r["gateway"]),
                text(&r["dev"])
            )
        };
        seen.defaults.extend(routes.iter().map(line));
    }
    Some(seen)
}
