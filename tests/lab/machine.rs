//! What a program is tried on: a private machine, a directory of its own, and all that others see of
//! both.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

use bridgework::{Device, Netns};

/// A namespace whose loopback link is up, as a machine's is.
pub fn machine() -> Netns {
    let netns = Netns::create().expect("a namespace");
    let lo = netns.run(|| Device::open(&Netns::current()?, "lo")?.set_up());
    lo.expect("inside").expect("lo is up");
    netns
}

/// A directory that goes when this is dropped.
pub struct Folder(PathBuf);

impl Folder {
    /// Of that name among those of this kind.
    pub fn new(kind: &str, name: &str) -> Self {
        let folder = format!("bridgework-{kind}-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir(&folder).expect("a folder");
        Self(folder)
    }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left = fs::remove_dir_all(&self.0);
    }
}

/// Links, routes, rules and tables, line by line.
pub fn sight(netns: &Netns) -> Vec<String> {
    let commands = "ip -o link; ip -4 route show table all; ip -6 route show table all; \
                    ip -4 rule; ip -6 rule; nft list ruleset";
    let run = || Command::new("sh").args(["-euc", commands]).output();
    let output = netns.run(run).expect("inside").expect("a shell");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

/// The addresses of an interface, as `ip` has them: none where there is no such interface.
pub fn global_addresses(netns: &Netns, link: &str) -> Vec<String> {
    if super::has_link(netns, link) != Some(true) {
        return Vec::new();
    }
    let found = super::addresses(netns, link).unwrap_or_default();
    let global = found.iter().filter(|address| address["scope"] == "global");
    let text = |address: &serde_json::Value| {
        let (local, prefix) = (&address["local"], &address["prefixlen"]);
        format!("{}/{prefix}", local.as_str().expect("an address"))
    };
    global.map(text).collect()
}

/// The keys of all that is kept in a directory, but for the host's own.
#[cfg(feature = "store")]
pub fn kept(records: &Path) -> Vec<String> {
    use bridgework::store::{Sqlite, Store};
    if !records.exists() {
        return Vec::new();
    }
    let store = Sqlite::open(records).expect("a store");
    let kept = store.changes(None).expect("it can be read").records;
    let keys = kept.iter().map(|(_, record)| record.key().to_string());
    keys.filter(|key| !key.starts_with("host")).collect()
}
