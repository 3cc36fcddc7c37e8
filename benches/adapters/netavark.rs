//! netavark, ours or the peers': the same command line, the same words on stdin, as podman 4.3 has them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::pod::{Machine, Pod, Ports};
use super::program::Caller;
use super::subject::{Names, Outcome, Subject};

pub struct Netavark {
    program: PathBuf,
    /// The peer's own server of names.
    aardvark: PathBuf,
    names: Names,
    caller: Caller,
    machine: Machine,
}

impl Netavark {
    /// On a host of its own. Without `aardvark`, names are answered by the program itself.
    pub fn new(
        program: PathBuf,
        aardvark: Option<PathBuf>,
        names: Names,
        (machine, limit): (Machine, Duration),
    ) -> Outcome<Self> {
        // the peer makes no more than what is below it
        fs::create_dir_all(machine.state.join("state"))?;
        let caller = Caller::new(&machine.netns, &machine.state, limit);
        Ok(Self {
            program,
            aardvark: aardvark.unwrap_or_else(|| PathBuf::from("/nowhere/aardvark-dns")),
            names,
            caller,
            machine,
        })
    }

    fn call(&self, verb: &str, pod: &Pod, ports: Ports) -> Outcome<Duration> {
        let mut command = Command::new(&self.program);
        command
            .arg("--config")
            .arg(self.machine.state.join("state"));
        command.arg("--rootless=false");
        command.arg(format!("--aardvark-binary={}", self.aardvark.display()));
        command.args([verb, &pod.path()]);
        let request = self.request(pod, ports).to_string();
        Ok(self.caller.call(command, request.as_bytes())?.took)
    }

    fn request(&self, pod: &Pod, ports: Ports) -> Value {
        let mapping = |(port, range): (u16, u16)| {
            json!({
                "host_ip": "", "container_port": port, "host_port": port, "range": range,
                "protocol": "tcp",
            })
        };
        let mappings: Vec<Value> = ports.mappings().into_iter().map(mapping).collect();
        json!({
            "container_id": pod.id,
            "container_name": pod.name,
            "port_mappings": mappings,
            "networks": { "bench": {
                "static_ips": [pod.address], "aliases": [&pod.id[..12]], "interface_name": "eth0",
            } },
            "network_info": { "bench": {
                "name": "bench",
                "id": format!("{:064x}", 0xbe7c),
                "driver": "bridge",
                "network_interface": "podman1",
                "created": "2026-11-21T01:46:01.185305476Z",
                "subnets": [{ "subnet": "10.89.0.0/16", "gateway": "10.89.0.1" }],
                "ipv6_enabled": false,
                "internal": false,
                "dns_enabled": self.names == Names::Answered,
                "ipam_options": { "driver": "host-local" },
            } },
        })
    }
}

impl Subject for Netavark {
    fn attach(&mut self, pod: &Pod, ports: Ports) -> Outcome<Duration> {
        self.call("setup", pod, ports)
    }

    fn detach(&mut self, pod: &Pod, ports: Ports) -> Outcome<Duration> {
        self.call("teardown", pod, ports)
    }
}

impl Drop for Netavark {
    /// Who answers names for it ends with it.
    fn drop(&mut self) {
        for pid in processes_of(&self.machine.state) {
            let _ended = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Those on whose command line the directory stands: it is named for this process.
fn processes_of(state: &Path) -> Vec<i32> {
    let mark = state.display().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_ours = |pid: &i32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(&mark)
    };
    pids.filter(is_ours).collect()
}
