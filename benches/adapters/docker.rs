//! Docker: a running container is connected to a network and disconnected, which can't publish a port.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::pod::{Machine, Pod, Ports};
use super::subject::{Names, Outcome, Subject};
use crate::docker::Daemon;

pub struct Docker {
    daemon: Daemon,
    /// The default one has no names.
    network: &'static str,
    /// Containers that run, on no network.
    idle: BTreeSet<String>,
    _machine: Machine,
}

impl Docker {
    /// With one network that is there already.
    pub fn new(peers: &Path, names: Names, (machine, limit): (Machine, Duration)) -> Outcome<Self> {
        let daemon = Daemon::start(peers, &machine.state, limit)?;
        let network = match names {
            Names::Silent => "bridge",
            Names::Answered => {
                daemon.ask("POST /networks/create", &json!({ "Name": "bench" }))?;
                "bench"
            }
        };
        Ok(Self {
            daemon,
            network,
            idle: BTreeSet::new(),
            _machine: machine,
        })
    }

    /// A container in the place of the pod. Docker answers names from the first connect on and does not
    /// stop, so that is none of those that are measured.
    fn make(&mut self, name: &str) -> Outcome<()> {
        self.daemon.create(name, "none", &[])?;
        self.daemon.start_container(name)?;
        self.daemon.network("disconnect", "none", name)?;
        self.daemon.network("connect", self.network, name)?;
        self.daemon.network("disconnect", self.network, name)?;
        self.idle.insert(name.to_owned());
        Ok(())
    }
}

impl Subject for Docker {
    /// With ports, the whole start of a container.
    fn attach(&mut self, pod: &Pod, ports: Ports) -> Outcome<Duration> {
        if ports.count > 0 {
            let each: Vec<u16> = (ports.first..ports.first + ports.count).collect();
            self.daemon.create(&pod.name, self.network, &each)?;
            return self.daemon.start_container(&pod.name);
        }
        if !self.idle.contains(&pod.name) {
            self.make(&pod.name)?;
        }
        self.daemon.network("connect", self.network, &pod.name)
    }

    fn detach(&mut self, pod: &Pod, ports: Ports) -> Outcome<Duration> {
        if ports.count > 0 {
            return self.daemon.remove(&pod.name);
        }
        self.daemon.network("disconnect", self.network, &pod.name)
    }
}
