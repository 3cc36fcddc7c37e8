//! Containers on several networks, which come and go at run time.

mod force;
mod foreign;
mod gateway;
mod given_up;
mod kept;
mod memory;
mod reborn;
mod running;
mod together;

use std::net::IpAddr;
use std::process::Command;

use bridgework::snapshot::{RouteState, Snapshot};
use bridgework::{Host, Netns, Network, NetworkConfig};

use crate::bad_input::settled;
use crate::lab::{DEADLINE, ip_json};

/// A network of both families, whose subnets have its number.
fn dual(host: &Host, name: &str, number: u8) -> Network {
    host.create_network(dual_config(name, number)).unwrap()
}

fn dual_config(name: &str, number: u8) -> NetworkConfig {
    NetworkConfig::bridge(name)
        .subnet(format!("10.77.{number}.0/24").as_str())
        .subnet(format!("fd00:77:{number:x}::/64").as_str())
}

/// `ip ARGUMENTS` inside, as somebody else would; `None` where iproute2 is missing.
fn ip(netns: &Netns, arguments: &str) -> Option<()> {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let run = || Command::new("ip").args(&arguments).output();
    let output = match netns.run(run).expect("inside the namespace") {
        Ok(output) => output,
        Err(error) => {
            eprintln!("NOT CHECKED: ip {arguments:?}: {error}: install iproute2");
            assert!(std::env::var_os("CI").is_none(), "iproute2 is missing");
            return None;
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "ip {arguments:?}: {errors}");
    Some(())
}

/// The default routes of one family as `ip` has them: by which link, and by which next hop.
fn defaults(netns: &Netns, option: &str) -> Option<Vec<(String, String)>> {
    let routes = ip_json(netns, &format!("{option} route show default"))?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let default = |route: &serde_json::Value| (text(&route["dev"]), text(&route["gateway"]));
    Some(routes.iter().map(default).collect())
}

/// The links of the default routes, IPv4 and IPv6; each family has one at most.
fn led_by(netns: &Netns) -> Option<[Option<String>; 2]> {
    let of = |option: &str| {
        let mut found = defaults(netns, option)?;
        assert!(found.len() < 2, "{option}: {found:?}");
        Some(found.pop().map(|(link, _)| link))
    };
    Some([of("-4")?, of("-6")?])
}

/// The name of the link that has this address inside.
fn link_of(netns: &Netns, address: IpAddr) -> Option<String> {
    let links = ip_json(netns, "addr show")?;
    let has_it = |link: &&serde_json::Value| {
        let addresses = link["addr_info"].as_array().into_iter().flatten();
        let mut locals = addresses.map(|address| &address["local"]);
        locals.any(|local| *local == address.to_string())
    };
    let link = links.iter().find(has_it).expect("a link has the address");
    link["ifname"].as_str().map(str::to_owned)
}

/// All that can be seen of a namespace but multicast routes, which the kernel adds to links a while
/// after they are up.
fn still(netns: &Netns) -> Snapshot {
    let mut snapshot = settled(netns);
    let multicast = |route: &RouteState| route.destination.addr().is_multicast();
    snapshot.routes.retain(|route| !multicast(route));
    snapshot
}

/// All that can be seen of a host and a container.
fn seen(host: &Host, container: &Netns) -> [Snapshot; 2] {
    [still(host.netns()), still(container)]
}

/// A process inside a namespace, which does nothing until it is killed.
struct Idler(std::process::Child);

impl Idler {
    fn start(netns: &Netns) -> Self {
        let seconds = (6 * DEADLINE).as_secs().to_string();
        let start = || Command::new("sleep").arg(&seconds).spawn();
        Self(netns.run(start).unwrap().expect("a process"))
    }
}

impl Drop for Idler {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _ended_already = self.0.wait();
    }
}
