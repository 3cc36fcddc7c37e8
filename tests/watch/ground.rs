//! Hosts with networks and published ports, and somebody with `nft` beside them.

use std::io::Write;
use std::process::{Command, Stdio};

use bridgework::plan::Switch;
use bridgework::{
    Container, Endpoint, EndpointConfig, Host, HostConfig, Netns, Network, NetworkConfig,
};
use serde_json::Value;

use crate::lab;

/// `nft` takes the text, and says what.
pub fn try_nft(netns: &Netns, arguments: &[&str]) -> Result<String, String> {
    let run = || Command::new("nft").args(arguments).output();
    let output = netns.run(run).unwrap().expect("nft, of nftables");
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

pub fn nft(netns: &Netns, command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    try_nft(netns, &words).unwrap_or_else(|error| panic!("nft {command}: {error}"))
}

/// One process that flushes all tables again and again.
pub fn flush_without_a_pause(netns: &Netns, times: usize) {
    let mut command = Command::new("nft");
    command
        .arg("-i")
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let mut flushing = netns.run(|| command.spawn()).unwrap().unwrap();
    let mut commands = flushing.stdin.take().unwrap();
    let written = commands.write_all("flush ruleset\n".repeat(times).as_bytes());
    drop(commands);
    assert!(flushing.wait().unwrap().success());
    written.unwrap();
}

/// All that the kernel has of tables, as `nft` sees it, but for what differs from copy to copy: the
/// numbers of rules, and the order of what has none.
pub fn ruleset(netns: &Netns) -> Vec<String> {
    listed(&nft(netns, "-j -n -s list ruleset"))
}

fn listed(text: &str) -> Vec<String> {
    let whole: Value = serde_json::from_str(text).unwrap();
    let objects = whole["nftables"].as_array().unwrap();
    let mut found: Vec<(String, String)> = objects
        .iter()
        .filter(|object| object.get("metainfo").is_none())
        .map(|object| {
            let (kind, inner) = object.as_object().unwrap().iter().next().unwrap();
            let mut inner = inner.clone();
            inner.as_object_mut().unwrap().remove("handle");
            if let Some(elements) = inner.get_mut("elem").and_then(Value::as_array_mut) {
                elements.sort_by_key(Value::to_string);
            }
            let place = ["family", "table", "chain", "name"].map(|key| inner[key].to_string());
            (format!("{kind} {place:?}"), inner.to_string())
        })
        .collect();
    // rules of one chain stay in their order
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
        .into_iter()
        .map(|(place, inner)| place + &inner)
        .collect()
}

/// Of our own tables alone.
pub fn own(netns: &Netns) -> Vec<String> {
    let all = ruleset(netns).into_iter();
    all.filter(|line| line.contains("bridgework")).collect()
}

/// What is there is what was there, sooner or later.
pub fn is_back(netns: &Netns, before: &[String]) {
    let mut now = Vec::new();
    let deadline = std::time::Instant::now() + lab::DEADLINE;
    while std::time::Instant::now() < deadline {
        now = ruleset(netns);
        if now == before {
            return;
        }
    }
    let missing: Vec<&String> = before.iter().filter(|line| !now.contains(line)).collect();
    let strange: Vec<&String> = now.iter().filter(|line| !before.contains(line)).collect();
    panic!("missing: {missing:#?}\nnot there before: {strange:#?}");
}

/// A host with one dual-stack network, and a container on it with published ports.
pub struct Ground {
    pub host: Host,
    pub network: Network,
    pub endpoint: Endpoint,
    pub web: Container,
}

pub fn ground() -> Ground {
    ground_on(lab::host(), "web")
}

pub fn unwatched() -> Ground {
    let config = HostConfig::new().netns(Netns::create().unwrap());
    ground_on(Host::open_with(config.watch(Switch::Off)).unwrap(), "web")
}

/// Of networks with different names the subnets differ too.
pub fn ground_on(host: Host, name: &str) -> Ground {
    let lo = || {
        bridgework::Device::open(&Netns::current().unwrap(), "lo")
            .unwrap()
            .set_up()
    };
    host.netns().run(lo).unwrap().unwrap();
    let third = name.bytes().fold(0u8, |sum, byte| sum.wrapping_add(byte));
    let config = NetworkConfig::bridge(name)
        .subnet(format!("10.89.{third}.0/24").as_str())
        .subnet(format!("fd00:89:{third}::/64").as_str());
    let network = host.create_network(config).unwrap();
    let web = lab::container(name);
    let ports = EndpointConfig::new()
        .publish("80")
        .publish("127.0.0.1::53/udp");
    let endpoint = network.connect_with(&web, ports).unwrap();
    Ground {
        host,
        network,
        endpoint,
        web,
    }
}
