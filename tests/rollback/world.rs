//! A host and containers of a test's own, and all that can be seen of them: by our own snapshots,
//! and by `ip -j` and `/proc/sys`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use bridgework::kernel::Kernel;
use bridgework::plan::Switch;
use bridgework::snapshot::{RouteState, Snapshot};
use bridgework::{
    Container, ContainerConfig, EndpointConfig, FaultInjector, Host, HostConfig, Netns, Network,
};

use ipnet::IpNet;

use crate::lab;

/// How many containers have room on a network of a test: five of a /29, and five of a /125.
pub const ROOM: usize = 5;

pub struct World {
    pub host: Host,
    pub injector: FaultInjector,
    /// Some that are connected, or are to be.
    pub containers: Vec<Container>,
    /// Some that are only planned for, to see how many addresses are left.
    spares: Vec<Container>,
    eyes: Vec<Kernel>,
    files: Vec<PathBuf>,
    directory: PathBuf,
}

/// What our own snapshots see, and the hosts files.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    namespaces: Vec<Snapshot>,
    files: Vec<Option<String>>,
    networks: Vec<String>,
}

impl World {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let injector = FaultInjector::new();
        let name = format!("bridgework-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = Path::new("/run").join(name);
        fs::create_dir(&directory).unwrap();
        let resolv_conf = directory.join("host-resolv");
        fs::write(&resolv_conf, "nameserver 192.0.2.53\n").unwrap();
        let config = HostConfig::new()
            .netns(Netns::create().unwrap())
            .resolv_conf(resolv_conf)
            // its calls would be counted, too, whenever it looks
            .watch(Switch::Off)
            .fault_injector(injector.clone());
        let host = Host::open_with(config).unwrap();
        let mut files: Vec<PathBuf> = ["one", "two"].map(|name| directory.join(name)).into();
        let with_file = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let config = ContainerConfig::new(name, Netns::create().unwrap());
            Container::open(config.hosts_file(path)).unwrap()
        };
        let mut containers: Vec<Container> = files.iter().map(with_file).collect();
        containers.push(lab::container("three"));
        files.push(directory.join("resolv"));
        let config = ContainerConfig::named("four").resolv_conf(&files[2]);
        containers.push(Container::open(config).unwrap());
        let spares = (0..=ROOM).map(|n| lab::container(&format!("spare{n}")));
        let eyes = std::iter::once(host.netns())
            .chain(containers.iter().map(Container::netns))
            .map(|netns| Kernel::new(netns.clone()).unwrap())
            .collect();
        Self {
            spares: spares.collect(),
            host,
            injector,
            containers,
            eyes,
            files,
            directory,
        }
    }

    /// The host's namespace, by a kernel that no fault is injected into.
    pub fn kernel(&self) -> &Kernel {
        &self.eyes[0]
    }

    pub fn state(&self) -> State {
        let see = |kernel: &Kernel| kernel.snapshot().unwrap();
        let mut namespaces: Vec<Snapshot> = self.eyes.iter().map(see).collect();
        namespaces[1..].iter_mut().for_each(overlook_loopback);
        namespaces.iter_mut().for_each(overlook_local_ipv6);
        let networks = self.host.networks();
        let network = |network: &Network| format!("{network:?} {:?}", network.endpoints());
        let read = |path: &PathBuf| fs::read_to_string(path).ok();
        State {
            namespaces,
            files: self.files.iter().map(read).collect(),
            networks: networks.iter().map(network).collect(),
        }
    }

    /// Links are as they were at once; what the kernel drops later, on its own, soon.
    #[track_caller]
    pub fn assert_same(&self, before: &State, when: &str) {
        let mut now = self.state();
        assert_eq!(now.links(), before.links(), "{when}");
        assert_eq!(now.files, before.files, "{when}");
        assert_eq!(now.networks, before.networks, "{when}");
        let deadline = std::time::Instant::now() + lab::DEADLINE;
        while now != *before && std::time::Instant::now() < deadline {
            now = self.state();
        }
        for (now, before) in now.namespaces.iter().zip(&before.namespaces) {
            assert_none(&difference(&now.links, &before.links), when);
            assert_none(&difference(&now.addresses, &before.addresses), when);
            assert_none(&difference(&now.routes, &before.routes), when);
        }
    }

    /// No address is held that nobody has: as many containers as there is room for can come.
    #[track_caller]
    pub fn assert_room(&self, network: &Network, when: &str) {
        self.assert_room_for(network, ROOM - network.endpoints().len(), when);
    }

    /// As many containers can come, and no more.
    #[track_caller]
    pub fn assert_room_for(&self, network: &Network, free: usize, when: &str) {
        let mut draft = network.draft();
        for spare in &self.spares[..free] {
            let planned = draft.plan_connect(spare, &EndpointConfig::new());
            assert!(planned.is_ok(), "{when}: {:?}", planned.err());
        }
        let one_more = draft.plan_connect(&self.spares[free], &EndpointConfig::new());
        assert!(one_more.unwrap_err().is_exhausted(), "{when}");
    }

    /// All that [`deep`](Self::deep) sees is as it was; only what differs is shown.
    pub fn assert_deep(&self, before: &[(String, serde_json::Value)], what: &str) {
        for ((label, was), (_, is)) in before.iter().zip(self.deep()) {
            let lines = |value: &serde_json::Value| {
                let text = serde_json::to_string_pretty(value).expect("json");
                text.lines().map(str::to_owned).collect::<Vec<_>>()
            };
            let (was, is) = (lines(was), lines(&is));
            let gone: Vec<_> = was.iter().filter(|line| !is.contains(line)).collect();
            let new: Vec<_> = is.iter().filter(|line| !was.contains(line)).collect();
            assert!(was == is, "{what}: {label}: gone {gone:#?}, new {new:#?}");
        }
    }

    /// What others than ourselves see: `ip -j`, and the settings that no link has.
    pub fn deep(&self) -> Vec<(String, serde_json::Value)> {
        let mut seen = Vec::new();
        for (at, kernel) in self.eyes.iter().enumerate() {
            for arguments in [
                "-d link",
                "addr",
                "route show table all",
                "-6 route show table all",
            ] {
                let Some(mut items) = lab::ip_json(kernel.namespace(), arguments) else {
                    continue;
                };
                items.retain_mut(|item| at == 0 || without_loopback(item));
                seen.push((format!("{at} ip {arguments}"), items.into()));
            }
            for command in ["nft list ruleset", "ip rule", "ip -6 rule"] {
                let shown = lab::output(kernel.namespace(), command);
                seen.extend(shown.map(|text| (format!("{at} {command}"), text.into())));
            }
            let mut settings = settings(kernel.namespace());
            // it stays by design: a link takes redirects if its own or this is 1
            settings.remove("/proc/sys/net/ipv4/conf/all/accept_redirects");
            let settings = serde_json::to_value(settings).unwrap();
            seen.push((format!("{at} settings"), settings));
        }
        seen
    }
}

/// What came, with `+`, and what went, with `-`.
fn difference<T: fmt::Debug + PartialEq>(now: &[T], before: &[T]) -> String {
    let line = |sign: char| move |item: &T| format!("\n{sign} {item:?}");
    let came = now.iter().filter(|item| !before.contains(item));
    let went = before.iter().filter(|item| !now.contains(item));
    came.map(line('+')).chain(went.map(line('-'))).collect()
}

#[track_caller]
fn assert_none(difference: &str, when: &str) {
    assert!(difference.is_empty(), "{when}{difference}");
}

impl State {
    pub fn files(&self) -> &[Option<String>] {
        &self.files
    }

    fn links(&self) -> Vec<Vec<&str>> {
        self.namespaces
            .iter()
            .map(|s| s.links.iter().map(|link| link.name.as_str()).collect())
            .collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.directory);
    }
}

const LOOPBACK_INDEX: u32 = 1;

/// A container's `lo` stays up by design, and has its own two addresses then.
fn overlook_loopback(snapshot: &mut Snapshot) {
    let own = |address: std::net::IpAddr| address.is_loopback();
    let is_lo = |link: u32| link == LOOPBACK_INDEX;
    snapshot
        .addresses
        .retain(|state| !(is_lo(state.link) && own(state.address.addr())));
    snapshot
        .routes
        .retain(|state| !(state.link.is_some_and(is_lo) && own(state.destination.addr())));
    let lo = snapshot.links.iter_mut().find(|link| is_lo(link.index));
    lo.expect("lo").up = false;
}

/// Table `local` of IPv6 is the kernel's own: it makes these routes of the addresses, which are
/// compared, in its own time, and the one for multicast with the first carrier.
fn overlook_local_ipv6(snapshot: &mut Snapshot) {
    let is_local_ipv6 = |state: &RouteState| {
        let (local, kernel) = (state.table == 255, state.protocol == 2);
        matches!(state.destination, IpNet::V6(_)) && local && kernel
    };
    snapshot.routes.retain(|state| !is_local_ipv6(state));
}

fn without_loopback(item: &mut serde_json::Value) -> bool {
    if item["dev"] == "lo" {
        let to = item["dst"].as_str().unwrap_or_default();
        return !(to.starts_with("127.") || to == "::1");
    }
    if item["ifname"] == "lo" {
        for what in ["flags", "operstate", "qdisc"] {
            item[what] = serde_json::Value::Null;
        }
        let own = |address: &serde_json::Value| {
            address["local"] != "127.0.0.1" && address["local"] != "::1"
        };
        if let Some(addresses) = item["addr_info"].as_array_mut() {
            addresses.retain(own);
        }
    }
    true
}

fn settings(netns: &Netns) -> BTreeMap<String, String> {
    let read = || {
        let mut settings = BTreeMap::new();
        for family in ["ipv4", "ipv6"] {
            for whose in ["all", "default"] {
                let directory = format!("/proc/sys/net/{family}/conf/{whose}");
                for entry in fs::read_dir(directory).unwrap() {
                    let path = entry.unwrap().path();
                    let value = fs::read_to_string(&path).unwrap_or_default();
                    settings.insert(path.display().to_string(), value);
                }
            }
        }
        settings
    };
    netns.run(read).unwrap()
}
