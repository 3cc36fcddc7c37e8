//! CNI plugins, ours or the reference's, called as libcni calls them: the result of one goes to the
//! next, and they are called in reverse when a container goes.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::pod::{Machine, Pod, Ports};
use super::program::{Called, Caller};
use super::subject::{Outcome, Subject};

const VERSION: &str = "1.0.0";

pub struct Cni {
    plugins: Vec<(PathBuf, Value)>,
    path: PathBuf,
    caller: Caller,
    _machine: Machine,
    results: std::collections::BTreeMap<String, Value>,
}

impl Cni {
    /// `examples/cni`, alone.
    pub fn ours(program: PathBuf, (machine, limit): (Machine, Duration)) -> Self {
        let conf = json!({
            "cniVersion": VERSION, "name": "bench", "type": "bridgework",
            "stateDir": machine.state.join("state"),
            "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
            "ipam": { "subnet": "10.89.0.0/16", "routes": [{ "dst": "0.0.0.0/0" }] },
        });
        Self::of(vec![(program, conf)], PathBuf::new(), (machine, limit))
    }

    /// bridge with host-local, portmap and firewall, as podman chains them.
    pub fn reference(folder: PathBuf, (machine, limit): (Machine, Duration)) -> Self {
        let bridge = json!({
            "cniVersion": VERSION, "name": "bench", "type": "bridge",
            "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
            "ipam": {
                "type": "host-local", "dataDir": machine.state.join("leases"),
                "ranges": [[{ "subnet": "10.89.0.0/16", "gateway": "10.89.0.1" }]],
                "routes": [{ "dst": "0.0.0.0/0" }],
            },
        });
        let portmap = json!({
            "cniVersion": VERSION, "name": "bench", "type": "portmap",
            "capabilities": { "portMappings": true },
        });
        let firewall = json!({
            "cniVersion": VERSION, "name": "bench", "type": "firewall", "backend": "iptables",
        });
        let chain = [
            ("bridge", bridge),
            ("portmap", portmap),
            ("firewall", firewall),
        ];
        let plugins = chain.map(|(name, conf)| (folder.join(name), conf));
        Self::of(plugins.into(), folder, (machine, limit))
    }

    fn of(
        plugins: Vec<(PathBuf, Value)>,
        path: PathBuf,
        (machine, limit): (Machine, Duration),
    ) -> Self {
        Self {
            plugins,
            path,
            caller: Caller::new(&machine.netns, &machine.state, limit),
            _machine: machine,
            results: std::collections::BTreeMap::new(),
        }
    }

    fn call(&self, verb: &str, pod: &Pod, (program, conf): (&PathBuf, &Value)) -> Outcome<Called> {
        let mut command = Command::new(program);
        command.env("CNI_COMMAND", verb);
        command.env("CNI_CONTAINERID", &pod.id);
        command.env("CNI_NETNS", pod.path());
        command.env("CNI_IFNAME", "eth0");
        command.env("CNI_ARGS", "IgnoreUnknown=1");
        command.env("CNI_PATH", &self.path);
        self.caller.call(command, conf.to_string().as_bytes())
    }
}

/// The configuration with what the runtime asks for, where the plugin can do that.
fn with_ports(conf: &Value, ports: Ports) -> Value {
    // the protocol has no ranges
    let single = ports.first..ports.first + ports.count;
    let mappings: Vec<Value> = single
        .map(|port| json!({ "hostPort": port, "containerPort": port, "protocol": "tcp" }))
        .collect();
    let mut conf = conf.clone();
    if ["bridgework", "portmap"]
        .map(Value::from)
        .contains(&conf["type"])
    {
        conf["runtimeConfig"] = json!({ "portMappings": mappings });
    }
    conf
}

impl Subject for Cni {
    fn attach(&mut self, pod: &Pod, ports: Ports) -> Outcome<Duration> {
        let mut took = Duration::ZERO;
        let mut result: Option<Value> = None;
        for (program, conf) in &self.plugins {
            let mut conf = with_ports(conf, ports);
            if let Some(result) = result.take() {
                conf["prevResult"] = result;
            }
            let called = self.call("ADD", pod, (program, &conf))?;
            took += called.took;
            result = Some(serde_json::from_str(&called.printed)?);
        }
        self.results
            .extend(result.map(|result| (pod.name.clone(), result)));
        Ok(took)
    }

    fn detach(&mut self, pod: &Pod, ports: Ports) -> Outcome<Duration> {
        let mut took = Duration::ZERO;
        for (program, conf) in self.plugins.iter().rev() {
            let mut conf = with_ports(conf, ports);
            if let Some(result) = self.results.get(&pod.name) {
                conf["prevResult"] = result.clone();
            }
            took += self.call("DEL", pod, (program, &conf))?.took;
        }
        self.results.remove(&pod.name);
        Ok(took)
    }
}
