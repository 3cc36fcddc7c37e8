//! What others do beside the crate: `ip` lines typed by hand, names for namespaces, processes that
//! are in one.

use std::net::IpAddr;
use std::process::{Child, Command, Stdio};

use bridgework::{ContainerName, Netns};

use crate::lab;

/// Types `ip ARGUMENTS` inside the namespace.
#[track_caller]
pub fn ip(netns: &Netns, arguments: &str) {
    let mut command = Command::new("ip");
    command.args(arguments.split_whitespace());
    let output = netns.run(|| command.output()).unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {errors}");
}

/// The next hops of the default routes, IPv4 first, as `ip` sees them.
#[track_caller]
pub fn default_gateways(netns: &Netns) -> Vec<IpAddr> {
    let families = ["route show default", "-6 route show default"];
    let routes = families.map(|shown| lab::ip_json(netns, shown).unwrap());
    let gateway = |route: &serde_json::Value| route["gateway"].as_str().unwrap().parse().unwrap();
    routes.iter().flatten().map(gateway).collect()
}

/// The names of all links, as `ip` sees them.
#[track_caller]
pub fn links(netns: &Netns) -> Vec<String> {
    let links = lab::ip_json(netns, "link show").unwrap();
    let name = |link: &serde_json::Value| link["ifname"].as_str().unwrap().to_owned();
    links.iter().map(name).collect()
}

/// A name in `/run/netns`, until this is dropped.
pub struct Pinned(pub ContainerName);

impl Pinned {
    pub fn new(netns: &Netns, name: &str) -> Self {
        let name = name.parse().unwrap();
        netns.pin(&name).unwrap();
        Self(name)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        Netns::unpin(&self.0).unwrap();
    }
}

/// A process that sleeps, ended when this is dropped.
pub struct Sleeper(Child);

impl Sleeper {
    /// Born into the namespace of the thread that makes it.
    pub fn inside(netns: &Netns) -> Self {
        let child = netns.run(|| Command::new("sleep").arg("1000").spawn());
        Self(child.unwrap().expect("sleep"))
    }

    /// In namespaces of its own, as `unshare` makes them.
    pub fn unshared(options: &[&str]) -> Self {
        let mut command = Command::new("unshare");
        command.args(options).args(["sh", "-c"]);
        let child = command
            .args(["echo; exec sleep 1000"])
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.expect("unshare, of util-linux");
        let mut line = [0];
        let said = child.stdout.take().expect("it is piped");
        std::io::Read::read_exact(&mut { said }, &mut line).expect("it is in its namespaces");
        Self(child)
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// It ends, and nobody sees it any more.
    pub fn end(mut self) {
        self.kill();
    }

    fn kill(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.kill();
    }
}
