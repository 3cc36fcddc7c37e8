//! The library in this one process: a host that keeps records in a directory, or none.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bridgework::plan::Switch;
use bridgework::{
    Container, ContainerConfig, Endpoint, EndpointConfig, Host, HostConfig, Network, NetworkConfig,
};

use super::pod::{Machine, Pod, Ports};
use super::subject::{Names, Outcome, Subject};

/// Whether there are records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Records {
    None,
    Kept,
}

pub struct Library {
    records: Records,
    network: Network,
    /// What is attached, where no record says so.
    held: BTreeMap<String, Endpoint>,
    _host: Host,
    _machine: Machine,
}

impl Library {
    /// With one network that is there already.
    pub fn new(records: Records, names: Names, machine: Machine) -> Outcome<Self> {
        let resolver = match names {
            Names::Silent => Switch::Off,
            Names::Answered => Switch::On,
        };
        let mut config = HostConfig::new()
            .netns(machine.netns.clone())
            .resolver(resolver);
        if records == Records::Kept {
            config = config.state_dir(machine.state.join("state"));
        }
        let host = Host::open_with(config)?;
        let config = NetworkConfig::bridge("bench").subnet("10.89.0.0/16");
        Ok(Self {
            records,
            network: host.create_network(config)?,
            held: BTreeMap::new(),
            _host: host,
            _machine: machine,
        })
    }

    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What is attached and no record holds.
    pub fn endpoint(&self, pod: &Pod) -> Option<&Endpoint> {
        self.held.get(&pod.name)
    }
}

/// As one would type them.
fn wish(ports: Ports) -> EndpointConfig {
    let text = |(first, count): (u16, u16)| match count {
        1 => format!("{first}:{first}"),
        _ => format!("{first}-{0}:{first}-{0}", first + count - 1),
    };
    let texts = ports.mappings().into_iter().map(text);
    texts.fold(EndpointConfig::new(), |config, text| {
        config.publish(text.as_str())
    })
}

impl Subject for Library {
    fn attach(&mut self, pod: &Pod, ports: Ports) -> Outcome<Duration> {
        let config = ContainerConfig::new(&pod.name, pod.netns.clone());
        let start = Instant::now();
        let container = Container::open(config)?;
        let endpoint = self.network.connect_with(&container, wish(ports))?;
        match self.records {
            Records::None => {
                let took = start.elapsed();
                self.held.insert(pod.name.clone(), endpoint);
                Ok(took)
            }
            Records::Kept => {
                let _spec = endpoint.persist()?;
                Ok(start.elapsed())
            }
        }
    }

    fn detach(&mut self, pod: &Pod, _ports: Ports) -> Outcome<Duration> {
        let held = self.held.remove(&pod.name);
        let start = Instant::now();
        match held {
            Some(endpoint) => endpoint.disconnect()?,
            None => self.network.disconnect(&pod.name)?,
        }
        Ok(start.elapsed())
    }
}
