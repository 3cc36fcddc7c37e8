//! A machine of a test's own that runtimes call the plugin on, and what they call it with. When it
//! goes, nothing may be left of what was asked for.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Child, Command};

use bridgework::{Container, Netns};
use serde_json::{Value, json};

use crate::lab::example::{self, Said, built};
use crate::lab::machine::{Folder, global_addresses, kept, machine, sight};
use crate::lab::{ip_json, wait_until};

/// A private host, and a state directory.
pub struct Machine {
    pub netns: Netns,
    folder: Folder,
    before: Vec<String>,
}

/// What a runtime has made before it calls: an id and a namespace.
pub struct Pod {
    pub id: String,
    pub container: Container,
}

/// One call, but for the configuration.
#[derive(Clone)]
pub struct Ask<'p> {
    pub verb: &'static str,
    pub pod: Option<&'p Pod>,
    pub ifname: &'static str,
    pub args: &'static str,
}

impl Machine {
    pub fn new(name: &str) -> Self {
        let (netns, folder) = (machine(), Folder::new("cni", name));
        let before = sight(&netns);
        Self {
            netns,
            folder,
            before,
        }
    }

    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Where other plugins are.
    pub fn plugins(&self) -> PathBuf {
        self.folder.join("plugins")
    }

    /// A configuration with this machine's state directory.
    pub fn conf(&self, version: &str, more: Value) -> Value {
        let mut conf = json!({
            "cniVersion": version,
            "name": "web",
            "type": "bridgework",
            "stateDir": self.state(),
        });
        for (key, value) in more.as_object().expect("an object") {
            conf[key] = value.clone();
        }
        conf
    }

    /// One that most tests are content with.
    pub fn usual(&self) -> Value {
        self.conf(
            "1.0.0",
            json!({
                "bridge": "cni0",
                "isGateway": true,
                "ipMasq": true,
                "ipam": {
                    "subnet": "10.88.0.0/24",
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            }),
        )
    }

    fn command(&self, ask: &Ask<'_>) -> Command {
        let mut command = Command::new(built("cni"));
        let text = |of: fn(&Pod) -> String| ask.pod.map(of).unwrap_or_default();
        command.env("CNI_COMMAND", ask.verb);
        command.env("CNI_CONTAINERID", text(|pod| pod.id.clone()));
        command.env("CNI_NETNS", text(Pod::path));
        command.env("CNI_IFNAME", ask.ifname);
        command.env("CNI_ARGS", ask.args);
        command.env("CNI_PATH", self.plugins());
        command
    }

    pub fn call(&self, ask: &Ask<'_>, conf: &Value) -> Said {
        let command = self.command(ask);
        example::run(&self.netns, command, conf.to_string().as_bytes())
    }

    /// A call with an environment and a stdin of any kind.
    pub fn call_raw(&self, environment: &[(&str, &str)], stdin: &[u8]) -> Said {
        let mut command = Command::new(built("cni"));
        command.envs(environment.iter().copied());
        example::run(&self.netns, command, stdin)
    }

    pub fn begin(&self, ask: &Ask<'_>, conf: &Value) -> Child {
        let command = self.command(ask);
        example::begin(&self.netns, command, conf.to_string().as_bytes())
    }

    /// As [`call`](Self::call), of what can't fail: the result, or nothing.
    pub fn done(&self, ask: &Ask<'_>, conf: &Value) -> Value {
        let said = self.call(ask, conf);
        assert_eq!(said.status, 0, "{} {conf}: {said:?}", ask.verb);
        match said.out.is_empty() {
            true => Value::Null,
            false => serde_json::from_str(&said.out).expect("json"),
        }
    }

    pub fn add(&self, pod: &Pod, conf: &Value) -> Value {
        self.done(&Ask::of("ADD", pod), conf)
    }

    pub fn del(&self, pod: &Pod, conf: &Value) {
        let nothing = self.done(&Ask::of("DEL", pod), conf);
        assert_eq!(nothing, Value::Null);
    }

    /// The error that a call ends by: the spec's JSON on stdout.
    pub fn refused(&self, ask: &Ask<'_>, conf: &Value) -> (u64, String) {
        refusal(&self.call(ask, conf))
    }

    /// What is kept in the records of networks and containers.
    pub fn records(&self) -> usize {
        kept(&self.state()).len()
    }

    /// What is otherwise than before anything was asked for.
    pub fn left(&self) -> Vec<String> {
        let mut left = sight(&self.netns);
        left.retain(|line| !self.before.contains(line));
        left
    }

    /// Waits until nothing is left: links go in the kernel's own time.
    pub fn assert_clean(&self) {
        assert_eq!(self.records(), 0, "records are left");
        let mut left = Vec::new();
        let mut tries = 0;
        wait_until("the machine is as it was", || {
            left = self.left();
            tries += 1;
            assert!(tries < 500, "left: {left:#?}");
            left.is_empty()
        });
    }
}

impl Pod {
    /// Its id is one as containerd's are.
    pub fn new(name: &str) -> Self {
        let container = Container::isolated(name).expect("a container");
        let id = container.id().to_string();
        Self { id, container }
    }

    pub fn path(&self) -> String {
        self.container.netns().path().display().to_string()
    }

    /// The addresses of an interface, as `ip` has them.
    pub fn addresses(&self, link: &str) -> Vec<String> {
        global_addresses(self.container.netns(), link)
    }

    pub fn routes(&self, family: &str) -> Vec<Value> {
        let found = ip_json(self.container.netns(), &format!("{family} route show"));
        found.unwrap_or_default()
    }
}

impl<'p> Ask<'p> {
    pub fn of(verb: &'static str, pod: &'p Pod) -> Self {
        Self {
            verb,
            pod: Some(pod),
            ifname: "eth0",
            args: "IgnoreUnknown=1",
        }
    }

    /// Of no container.
    pub fn alone(verb: &'static str) -> Self {
        Self {
            verb,
            pod: None,
            ifname: "",
            args: "",
        }
    }
}

/// The code and the words of a well-formed error.
pub fn refusal(said: &Said) -> (u64, String) {
    assert_ne!(said.status, 0, "{said:?}");
    let error: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    assert!(error["cniVersion"].is_string(), "{said:?}");
    let code = error["code"].as_u64().unwrap_or_else(|| panic!("{said:?}"));
    let words = error["msg"].as_str().unwrap_or_else(|| panic!("{said:?}"));
    assert!(code > 0 && !words.is_empty(), "{said:?}");
    (code, words.to_owned())
}

/// The first address of a result.
pub fn address(result: &Value, index: usize) -> IpAddr {
    let text = result["ips"][index]["address"]
        .as_str()
        .expect("an address");
    let (address, _length) = text.split_once('/').expect("a prefix");
    address.parse().expect("an address")
}
