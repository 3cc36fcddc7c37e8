//! The printed lines are true: typed into a shell, in a namespace of their own, they make exactly
//! what the crate makes, and take it back.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bridgework::kernel::Kernel;
use bridgework::plan::{HostsFile, Plan, Step};
use bridgework::{Container, ContainerName, EndpointConfig, Netns, NetworkConfig};
use serde_json::Value;

use crate::cases::{self, Case, Place};
use crate::lab;

/// Whether the shell has all that lines are made of; says so loudly if not, and fails under CI.
pub(crate) fn has_tools() -> bool {
    let missing = ["ip", "bridge", "sysctl"].map(|tool| {
        let run = Command::new(tool).arg("-V").output();
        run.err().map(|error| format!("{tool}: {error}"))
    });
    let missing: Vec<String> = missing.into_iter().flatten().collect();
    if missing.is_empty() {
        return true;
    }
    let what = missing.join(", ");
    eprintln!("NOT CHECKED: plans as lines: {what}: install iproute2 and procps");
    assert!(std::env::var_os("CI").is_none(), "{what}");
    false
}

/// Types `lines` into a shell inside the namespace; it stops at the first that fails.
pub(crate) fn type_lines(host: &Netns, lines: &str, when: &str) {
    let shell = || Command::new("sh").args(["-euc", lines]).output();
    let output = host.run(shell).unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    // it counts what it has forgotten there
    let errors = errors
        .lines()
        .filter(|line| !line.starts_with("conntrack v"));
    let errors: String = errors.collect();
    assert!(output.status.success(), "{when}: {errors}\n{lines}");
    assert_eq!(errors, "", "{when}\n{lines}");
}

/// A container's namespace with the name by which lines reach it.
pub(crate) struct Pinned {
    pub(crate) netns: Netns,
    name: ContainerName,
}

impl Pinned {
    pub(crate) fn new(name: &ContainerName) -> Self {
        let netns = Netns::create().unwrap();
        netns.pin(name).unwrap();
        let name = name.clone();
        Self { netns, name }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        Netns::unpin(&self.name).unwrap();
    }
}

/// Two of all: one that the crate works on, one that lines are typed into.
struct Twins {
    made: Kernel,
    typed: Netns,
    /// The container's namespaces.
    inside: Option<(Netns, Pinned)>,
}

impl Twins {
    fn new(container: Option<&ContainerName>) -> Self {
        let inside = container.map(|name| (Netns::create().unwrap(), Pinned::new(name)));
        Self {
            made: Kernel::new(Netns::create().unwrap()).unwrap(),
            typed: Netns::create().unwrap(),
            inside,
        }
    }

    fn apply(&self, plan: &Plan, text: &str, when: &str) {
        let container = self.inside.as_ref().map(|(netns, _)| netns);
        self.made.apply(plan, container).expect(when);
        type_lines(&self.typed, text, when);
        self.assert_alike(when);
    }

    fn take_back(&self, plan: &Plan, text: &str, when: &str) {
        let container = self.inside.as_ref().map(|(netns, _)| netns);
        self.made.take_back(plan, container).expect(when);
        type_lines(&self.typed, text, when);
        self.assert_alike(when);
    }

    fn assert_alike(&self, when: &str) {
        assert_alike(self.made.namespace(), &self.typed, when);
        if let Some((made, typed)) = &self.inside {
            assert_alike(made, &typed.netns, when);
        }
    }
}

/// Both are alike, once the kernel has done what it does on its own (carrier, routes of its own).
pub(crate) fn assert_alike(made: &Netns, typed: &Netns, when: &str) {
    let deadline = std::time::Instant::now() + lab::DEADLINE;
    let (mut of_crate, mut of_lines) = (look(made), look(typed));
    while of_crate != of_lines && std::time::Instant::now() < deadline {
        (of_crate, of_lines) = (look(made), look(typed));
    }
    for (what, of_crate) in &of_crate {
        let of_lines = of_lines.get(what);
        assert_eq!(Some(of_crate), of_lines, "{when}: {what}");
    }
    assert_eq!(of_crate.len(), of_lines.len(), "{when}");
}

/// What `ip -j` and `/proc/sys` say of a namespace.
fn look(netns: &Netns) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    for arguments in [
        "-d link",
        "addr",
        "-d route show table all",
        "-d -6 route show table all",
        "-d rule",
        "-d -6 rule",
    ] {
        for mut item in lab::ip_json(netns, arguments).unwrap_or_default() {
            forget_what_runs(&mut item);
            let of = item.get("ifname").or(item.get("dst")).cloned();
            let dev = item.get("dev").cloned().unwrap_or_default();
            let key = format!("ip {arguments}: {} {dev}", of.unwrap_or_default());
            let text = serde_json::to_string_pretty(&item).unwrap();
            seen.entry(key).or_insert_with(String::new).push_str(&text);
        }
    }
    seen.extend(netns.run(settings).unwrap());
    seen
}

/// Timers run and, with spanning tree, the state of a port follows them; the kernel numbers the
/// namespaces that a namespace knows as they come.
fn forget_what_runs(item: &mut Value) {
    match item {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                let runs = name.ends_with("_timer") || name == "link_netnsid";
                !(runs || name == "state" || name == "topology_change")
            });
            fields.values_mut().for_each(forget_what_runs);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_what_runs),
        _ => {}
    }
}

fn settings() -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    for family in ["/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv6/conf"] {
        for link in fs::read_dir(family).unwrap() {
            for file in fs::read_dir(link.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let value = fs::read_to_string(&path).unwrap_or_default();
                // random, and made when it is first needed
                if !path.ends_with("stable_secret") {
                    settings.insert(path.display().to_string(), value);
                }
            }
        }
    }
    settings
}

/// A directory with the hosts files of a case, as they are before.
struct HostsFiles(PathBuf);

impl HostsFiles {
    fn new(name: &str) -> Self {
        let directory = Path::new("/run/text").join(name);
        fs::create_dir_all(directory.join("dd/etc")).unwrap();
        let files = Self(directory);
        for (path, text) in files
            .paths()
            .iter()
            .zip(["127.0.0.1\tlocalhost\n", "# a\n# b\n"])
        {
            fs::write(path, text).unwrap();
        }
        files
    }

    fn paths(&self) -> [PathBuf; 2] {
        [self.0.join("hosts"), self.0.join("dd/etc/hosts")]
    }

    fn texts(&self) -> [String; 2] {
        self.paths().map(|path| fs::read_to_string(path).unwrap())
    }

    fn of(&self, place: &Place) -> Place {
        let (hosts, root) = (self.0.join("hosts"), self.0.join("dd"));
        Place {
            network: place.network.clone(),
            endpoint: place.endpoint.clone(),
            hosts: place.hosts.as_ref().map(|_| HostsFile::At(hosts)),
            peer_hosts: place.peer_hosts.as_ref().map(|_| HostsFile::InRoot(root)),
        }
    }
}

impl Drop for HostsFiles {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn check_place(Case { name, spec }: Case<Place>) {
    let mut place = spec;
    place.endpoint.container = name.parse().unwrap();
    let twins = Twins::new(Some(&place.endpoint.container));
    let files = ["made", "typed"].map(|side| HostsFiles::new(&format!("{name}-{side}")));
    let create = cases::create(&place.network);
    twins.apply(&create, &create.to_string(), name);
    let [made, typed] = [&files[0], &files[1]].map(|files| cases::connect(&files.of(&place)));
    let before = files[1].texts();
    twins.apply(&made, &typed.to_string(), name);
    assert_eq!(files[0].texts(), files[1].texts(), "{name}");
    assert_eq!(before != files[1].texts(), place.hosts.is_some(), "{name}");
    let (made, typed) = (cases::undo(&made), cases::undo(&typed));
    twins.take_back(&made, &typed.to_string(), &format!("{name}: undo"));
    assert_eq!(files[0].texts(), before, "{name}: undo");
    assert_eq!(files[1].texts(), before, "{name}: undo");
}

#[test]
fn a_networks_lines_make_what_the_crate_makes() {
    if !has_tools() {
        return;
    }
    for Case { name, spec } in cases::networks() {
        let twins = Twins::new(None);
        let look_back = || {
            let mut seen = look(&twins.typed);
            // it stays by design
            seen.remove("/proc/sys/net/ipv4/conf/all/accept_redirects");
            seen
        };
        let before = look_back();
        let plan = cases::create(&spec);
        twins.apply(&plan, &plan.to_string(), name);
        assert_ne!(look_back(), before, "{name}");
        let undo = cases::undo(&plan);
        twins.take_back(&undo, &undo.to_string(), &format!("{name}: undo"));
        assert_eq!(look_back(), before, "{name}");
    }
}

#[test]
fn a_containers_lines_make_what_the_crate_makes() {
    if has_tools() {
        cases::places().into_iter().for_each(check_place);
    }
}

/// The plans of real handles, with all that was chosen at random.
#[test]
fn what_the_handles_print_is_what_they_did() {
    if !has_tools() {
        return;
    }
    let host = lab::host();
    let config = NetworkConfig::bridge("printed").subnet("10.89.0.0/24");
    let network = host.create_network(config.subnet("fd00:89::/64")).unwrap();
    let containers = ["printed-a", "printed-b"].map(lab::container);
    let connect = |container: &Container| {
        let config = EndpointConfig::new().alias("db");
        network.connect_with(container, config).unwrap()
    };
    let endpoints = containers.each_ref().map(connect);
    let typed = Netns::create().unwrap();
    let inside = containers.each_ref().map(|c| Pinned::new(c.name()));
    type_lines(&typed, &network.plan().to_string(), "network");
    for endpoint in &endpoints {
        type_lines(&typed, &endpoint.plan().to_string(), "endpoint");
    }
    assert_alike(host.netns(), &typed, "host");
    for (container, inside) in containers.iter().zip(&inside) {
        assert_alike(container.netns(), &inside.netns, container.name().as_str());
    }
    let undone = endpoints.map(|endpoint| {
        let undo = cases::undo(endpoint.plan()).to_string();
        endpoint.disconnect().unwrap();
        undo
    });
    type_lines(&typed, &undone.concat(), "disconnect");
    assert_alike(host.netns(), &typed, "host, disconnected");
    type_lines(&typed, &cases::undo(network.plan()).to_string(), "remove");
    network.remove().unwrap();
    assert_alike(host.netns(), &typed, "host, removed");
}

/// A second network that takes the default routes, in two phases, with settings of the link.
#[test]
fn what_is_printed_of_a_second_network_that_is_staged_is_what_was_done() {
    if !has_tools() {
        return;
    }
    let host = lab::host();
    let network = |name: &str, number: u8| {
        let config = NetworkConfig::bridge(name).subnet(format!("10.{number}.0.0/24").as_str());
        let config = config.subnet(format!("fd00:{number}::/64").as_str());
        host.create_network(config).unwrap()
    };
    let (first, second) = (network("first", 88), network("second", 89));
    let container = lab::container("printed-staged");
    let config = EndpointConfig::new()
        .priority(7)
        .sysctl("net.ipv4.conf.IFNAME.log_martians=1")
        .sysctl("net.ipv6.conf.IFNAME.hop_limit=63");
    let typed = Netns::create().unwrap();
    let inside = Pinned::new(container.name());
    let check = |when: &str| {
        assert_alike(host.netns(), &typed, &format!("host, {when}"));
        let (made, typed) = (container.netns(), &inside.netns);
        assert_alike(made, typed, &format!("container, {when}"));
    };
    let at_first = first.connect(&container).unwrap();
    for plan in [first.plan(), second.plan(), at_first.plan()] {
        type_lines(&typed, &plan.to_string(), "ground");
    }
    check("connected to the first");
    let staged = second.stage("printed-staged", config).unwrap();
    let done = staged.plan().to_string();
    type_lines(&typed, &done, "stage");
    check("staged");
    let endpoint = staged.join(&container).unwrap();
    let text = endpoint.plan().to_string();
    let rest = text.strip_prefix(&done).unwrap();
    assert!(rest.contains(" netns printed-staged name eth1"), "{rest}");
    assert!(
        rest.contains(" route replace default via 10.89.0.1 "),
        "{rest}"
    );
    type_lines(&typed, rest, "join");
    check("joined");
    let undo = cases::undo(endpoint.plan());
    let back = |step: &&Step| matches!(step, Step::ReplaceRoute { .. });
    let mut leave = Plan::with_container(container.name().clone());
    leave.extend(undo.steps().iter().filter(back).cloned());
    let moved = endpoint.plan().steps().iter();
    let moved = moved.filter(|step| matches!(step, Step::MoveLink { .. }));
    leave.extend(moved.filter_map(Step::inverse));
    assert_eq!(leave.steps().len(), 3);
    let staged = endpoint.leave().unwrap();
    type_lines(&typed, &leave.to_string(), "leave");
    check("left");
    let undo = cases::undo(staged.plan());
    staged.delete().unwrap();
    type_lines(&typed, &undo.to_string(), "delete");
    check("deleted");
}
