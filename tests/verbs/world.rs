//! The handles that a caller of the crate would have, and each verb done by them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use bridgework::plan::Switch;
use bridgework::{
    Container, ContainerConfig, Endpoint, EndpointConfig, Errno, Error, FaultClass, FaultInjector,
    Host, HostConfig, HostsScope, Netns, Network, NetworkConfig, StagedEndpoint,
};

use crate::model::{Class, Facts, Faults, Outcome, networks};
use crate::verbs::{
    ALIASES, Ask, AskFlaw, CONTAINERS, CreateFlaw, Families, Kind, LINK_ALIASES, LINK_NAMES, Mark,
    NETWORKS, Strike,
};

/// What a caller holds. Networks and containers are where their numbers say.
pub struct World {
    pub host: Host,
    pub injector: FaultInjector,
    pub networks: [Option<Network>; 4],
    pub containers: [Option<Container>; 4],
    pub endpoints: BTreeMap<(usize, usize), Endpoint>,
    pub staged: BTreeMap<(usize, usize), StagedEndpoint>,
    /// The hosts files of all containers, by their places in the model.
    pub files: BTreeMap<usize, PathBuf>,
    directory: PathBuf,
}

impl World {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = Path::new("/run").join(format!("verbs-{number}"));
        std::fs::create_dir(&directory).expect("/run is private");
        let injector = FaultInjector::new();
        let netns = Netns::create().expect("a namespace");
        let config = HostConfig::new()
            .netns(netns)
            .fault_injector(injector.clone());
        Self {
            host: Host::open_with(config).expect("a host"),
            injector,
            networks: Default::default(),
            containers: Default::default(),
            endpoints: BTreeMap::new(),
            staged: BTreeMap::new(),
            files: BTreeMap::new(),
            directory,
        }
    }

    pub fn container(&self, at: usize) -> &Container {
        self.containers[at].as_ref().expect("it is open")
    }

    pub fn network(&self, net: usize) -> Result<Network, Error> {
        self.host.network(NETWORKS[net])
    }

    /// A config with a hosts file of its own. `body` is the container's place in the model.
    pub fn config(&mut self, at: usize, body: usize) -> ContainerConfig {
        let path = self.directory.join(format!("hosts-{body}"));
        let config = ContainerConfig::named(CONTAINERS[at]).hosts_file(&path);
        self.files.insert(body, path);
        config
    }

    /// Connects while one call of the kernel's fails. Whether it has failed is the second part.
    pub fn connect(
        &self,
        (at, network): (usize, &Network),
        config: EndpointConfig,
        strike: Option<Strike>,
    ) -> (Result<Endpoint, Error>, bool) {
        let container = self.container(at);
        let Some(Strike { call, answer_lost }) = strike else {
            return (network.connect_with(container, config), false);
        };
        let due = self.injector.calls() + call;
        match answer_lost {
            true => self.injector.lose_nth_answer(call, Errno::ENOMEM),
            false => self.injector.fail_nth(call, Errno::ENOMEM),
        }
        let connected = network.connect_with(container, config);
        let struck = self.injector.calls() >= due;
        while self.injector.calls() < due {
            let _spent = self.host.snapshot();
        }
        (connected, struck)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.endpoints.clear();
        self.staged.clear();
        let _left = std::fs::remove_dir_all(&self.directory);
    }
}

/// What a verb came to, as the model says it. What is none of its classes is a bug.
pub fn outcome<T>(result: Result<T, Error>) -> Outcome<T> {
    result.map_err(|error| classes(&error))
}

pub fn classes(error: &Error) -> Faults {
    assert!(error.left_behind().is_empty(), "{error}");
    let class = |class| match class {
        FaultClass::Invalid => Class::Invalid,
        FaultClass::Exists => Class::Exists,
        FaultClass::NotFound => Class::NotFound,
        FaultClass::Exhausted => Class::Exhausted,
        FaultClass::InUse => Class::InUse,
        other => panic!("{other:?}: {error}"),
    };
    error
        .faults()
        .iter()
        .map(|fault| class(fault.class()))
        .collect()
}

pub fn facts(spec: &bridgework::spec::EndpointSpec) -> Facts {
    Facts {
        host_link: spec.host_link.name.to_string(),
        mac: spec.mac.octets(),
    }
}

pub fn network_config(net: usize, kind: &Kind, flaw: Option<CreateFlaw>) -> NetworkConfig {
    let mut config = NetworkConfig::bridge(NETWORKS[net]);
    for (base, prefix) in networks::subnets(net, kind).into_iter().flatten() {
        config = config.subnet(format!("{base}/{prefix}").as_str());
    }
    if kind.families == Families::V6 {
        config = config.ipv4(Switch::Off);
    }
    if kind.is(Mark::Internal) {
        config = config.internal();
    }
    if kind.is(Mark::Lan) {
        config = config.container_prefix("lan");
    }
    if kind.is(Mark::Everyone) {
        config = config.hosts(HostsScope::Everyone);
    }
    match flaw {
        None => config,
        Some(CreateFlaw::GatewayOutside) => match kind.families {
            Families::V6 => config.gateway([0xfd00, 1, 1, 1, 1, 1, 1, 1]),
            _ => config.gateway([192, 0, 2, 1]),
        },
        Some(CreateFlaw::UnknownOption) => config.option("com.docker.network.bridge.nmae", "b"),
    }
}

/// As [`Ask`] has it, with the addresses that the model has found for its offsets.
pub fn endpoint_config(ask: &Ask, addresses: [Option<IpAddr>; 2]) -> EndpointConfig {
    let mut config = EndpointConfig::new();
    for address in addresses.into_iter().flatten() {
        config = config.ip(address);
    }
    if let Some(last) = ask.link_local {
        config = config.link_local([169, 254, 9, last]);
    }
    if let Some(last) = ask.mac {
        config = config.mac(format!("02:00:00:00:00:{last:02x}").as_str());
    }
    if let Some(name) = ask.link_name {
        config = config.link_name(LINK_NAMES[name]);
    }
    for alias in &ask.aliases {
        config = config.alias(ALIASES[*alias]);
    }
    for (to, alias) in &ask.links {
        config = config.link(format!("{}:{}", CONTAINERS[*to], LINK_ALIASES[*alias]).as_str());
    }
    if let Some(priority) = ask.priority {
        config = config.priority(priority);
    }
    if ask.anew {
        config = config.anew();
    }
    match ask.flaw {
        None => config,
        Some(AskFlaw::Alias) => config.alias("not a name"),
        Some(AskFlaw::LinkName) => config.link_name("a/b"),
        Some(AskFlaw::Mac) => config.mac("zz"),
        Some(AskFlaw::LinkLocal) => config.link_local([192, 0, 2, 1]),
    }
}
