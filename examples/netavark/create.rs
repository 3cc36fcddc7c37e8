//! `create`: a network that is going to be, with what its caller left open: a name for its bridge, its
//! subnets, their gateways. Nothing is made.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use bridgework::{Netns, Subnet};
use ipnet::IpNet;
use serde::Deserialize;

use crate::failure::{Failure, Outcome};
use crate::wire::{Definition, Range, or_default};

/// What is read.
#[derive(Debug, Deserialize)]
pub(crate) struct CreateRequest {
    network: Definition,
    #[serde(default, deserialize_with = "or_default")]
    used: Used,
    #[serde(default, deserialize_with = "or_default")]
    options: Defaults,
}

/// What the caller's other networks have.
#[derive(Debug, Default, Deserialize)]
struct Used {
    #[serde(default, deserialize_with = "or_default")]
    interfaces: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    names: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_default")]
    subnets: Vec<IpNet>,
}

#[derive(Debug, Default, Deserialize)]
struct Defaults {
    #[serde(default, deserialize_with = "or_default")]
    subnet_pools: Vec<Pool>,
    #[serde(default, deserialize_with = "or_default")]
    default_interface_name: String,
    #[serde(default, deserialize_with = "or_default")]
    check_used_subnets: bool,
}

#[derive(Debug, Deserialize)]
struct Pool {
    base: IpNet,
    size: u8,
}

/// What this does of a network of the bridge driver.
const OPTIONS: [&str; 8] = [
    "mode",
    "mtu",
    "isolate",
    "metric",
    "no_default_route",
    "outbound_addr4",
    "outbound_addr6",
    "com.docker.network.driver.mtu",
];

/// The network with all that it needs.
pub(crate) fn create(request: CreateRequest) -> Outcome<Definition> {
    let CreateRequest {
        mut network,
        used,
        options,
    } = request;
    if used.names.contains_key(&network.name) {
        let words = format!("network name {} is already used", network.name);
        return Err(Failure::new(words));
    }
    rename_options(&mut network)?;
    let taken = Taken::now(used, options.check_used_subnets)?;
    if network.network_interface.is_none() {
        network.network_interface = Some(taken.free_interface(&options.default_interface_name)?);
    }
    if network.subnets.is_empty() {
        network
            .subnets
            .push(range(taken.free_subnet(&options.subnet_pools)?));
    } else {
        taken.check(&network.subnets)?;
    }
    let has_ipv6 = |network: &Definition| network.subnets.iter().any(|r| r.subnet.addr().is_ipv6());
    if network.ipv6_enabled && !has_ipv6(&network) {
        network.subnets.push(range(random_ipv6()?));
    }
    network.ipv6_enabled = has_ipv6(&network);
    for range in &mut network.subnets {
        range.subnet = range.subnet.trunc();
        // without a way out and without names there is nobody to ask
        if range.gateway.is_none() && (!network.internal || network.dns_enabled) {
            range.gateway = Subnet::of(range.subnet).nth(1);
        }
    }
    let ipam = network.ipam_options.entry("driver".to_owned());
    ipam.or_insert_with(|| "host-local".to_owned());
    let now = bridgework::Timestamp::from(std::time::SystemTime::now());
    network.created.get_or_insert_with(|| now.to_string());
    crate::network::config(&network)?;
    Ok(network)
}

fn range(subnet: IpNet) -> Range {
    Range {
        subnet,
        gateway: None,
        lease_range: None,
    }
}

/// Docker's keys are understood, and others are refused.
fn rename_options(network: &mut Definition) -> Outcome {
    if let Some(name) = network.options.remove("com.docker.network.bridge.name") {
        network.network_interface.get_or_insert(name);
    }
    let unknown = network
        .options
        .keys()
        .find(|key| !OPTIONS.contains(&key.as_str()));
    if let Some(key) = unknown {
        let driver = &network.driver;
        let words = format!("unsupported {driver} network option: {key}");
        return Err(Failure::new(words));
    }
    if let Some(mtu) = network.options.remove("com.docker.network.driver.mtu") {
        network.options.entry("mtu".to_owned()).or_insert(mtu);
    }
    Ok(())
}

/// What nobody else can have.
struct Taken {
    interfaces: Vec<String>,
    subnets: Vec<Subnet>,
}

impl Taken {
    /// By the caller's other networks, and by the host itself.
    fn now(used: Used, with_host: bool) -> Outcome<Self> {
        let host = Netns::current()?.snapshot()?;
        let mut interfaces = used.interfaces;
        interfaces.extend(host.links.into_iter().map(|link| link.name));
        let mut subnets: Vec<Subnet> = used.subnets.into_iter().map(Subnet::of).collect();
        if with_host {
            subnets.extend(host.addresses.iter().map(|at| Subnet::of(at.address)));
            let routes = host
                .routes
                .iter()
                .filter(|route| route.destination.prefix_len() > 0);
            subnets.extend(routes.map(|route| Subnet::of(route.destination)));
        }
        Ok(Self {
            interfaces,
            subnets,
        })
    }

    fn free_interface(&self, prefix: &str) -> Outcome<String> {
        let prefix = if prefix.is_empty() { "podman" } else { prefix };
        let mut names = (1..u32::MAX).map(|number| format!("{prefix}{number}"));
        let free = names.find(|name| !self.interfaces.contains(name));
        free.ok_or_else(|| Failure::new("no interface name is left"))
    }

    fn is_free(&self, subnet: Subnet) -> bool {
        !self.subnets.iter().any(|taken| taken.overlaps(subnet))
    }

    /// The first one of the pools, in their order.
    fn free_subnet(&self, pools: &[Pool]) -> Outcome<IpNet> {
        let all = pools.iter().flat_map(|pool| {
            let parts = pool.base.subnets(pool.size).ok();
            parts.into_iter().flatten()
        });
        let mut free = all.filter(|subnet| self.is_free(Subnet::of(*subnet)));
        let none = || Failure::new("could not find free subnet from subnet pools");
        free.next().ok_or_else(none)
    }

    fn check(&self, ranges: &[Range]) -> Outcome {
        let mut subnets = ranges.iter().map(|range| Subnet::of(range.subnet));
        match subnets.find(|subnet| !self.is_free(*subnet)) {
            None => Ok(()),
            Some(subnet) => Err(Failure::new(format!(
                "subnet {subnet} is already used on the host or by another config"
            ))),
        }
    }
}

/// rfc4193 §3.2.1: 40 random bits.
fn random_ipv6() -> Outcome<IpNet> {
    let bytes = getrandom::u64().map_err(|error| Failure::new(error.to_string()))?;
    let [a, b, c, d, e, ..] = bytes.to_be_bytes();
    let octets = [0xfd, a, b, c, d, e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let address = IpAddr::V6(Ipv6Addr::from(octets));
    IpNet::new(address, 64).map_err(|error| Failure::new(error.to_string()))
}
