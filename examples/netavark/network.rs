//! From a network as the caller keeps it to one of the crate's, got or made.

use std::net::IpAddr;

use bridgework::plan::Switch;
use bridgework::{Family, GatewayMode, Host, Mtu, Network, NetworkConfig, ResolverScope, Subnet};

use crate::driver::{ROUTES, UNMANAGED};
use crate::failure::{Failure, Outcome};
use crate::host::Turn;
use crate::servers::{SERVERS_LABEL, servers_text};
use crate::wire::{Definition, Range};

/// The label under which the caller's own id is kept.
const ID_LABEL: &str = "netavark.id";
/// What the crate is asked for.
pub(crate) fn config(definition: &Definition) -> Outcome<NetworkConfig> {
    check(definition)?;
    let mut config = NetworkConfig::bridge(&definition.name).label(ID_LABEL, &definition.id);
    config = config.label(SERVERS_LABEL, servers_text(&definition.network_dns_servers));
    if let Some(bridge) = &definition.network_interface {
        config = config.bridge_name(bridge.as_str());
    }
    let is_ipv4 = |range: &&Range| range.subnet.addr().is_ipv4();
    let (ipv4, ipv6): (Vec<_>, Vec<_>) = definition.subnets.iter().partition(is_ipv4);
    for of_family in [&ipv4, &ipv6] {
        for (index, range) in of_family.iter().enumerate() {
            let subnet = Subnet::of(range.subnet);
            config = match index {
                0 => config.subnet(subnet),
                _ => config.further_subnet(subnet),
            };
            if let Some(gateway) = range.gateway {
                config = config.gateway(gateway);
            }
        }
    }
    if ipv4.is_empty() {
        config = config.ipv4(Switch::Off);
    }
    if definition.internal {
        config = config.internal();
    }
    let scope = match definition.dns_enabled {
        true => ResolverScope::GatewayAlone,
        false => ResolverScope::Nowhere,
    };
    if !definition.routes.is_empty() {
        config = config.option(ROUTES, serde_json::to_string(&definition.routes)?);
    }
    with_options(config.resolver(scope), definition)
}

fn with_options(mut config: NetworkConfig, definition: &Definition) -> Outcome<NetworkConfig> {
    if let Some(bytes) = number(definition, "mtu")?.filter(|bytes| *bytes != 0) {
        config = config.mtu(Mtu::new(bytes)?);
    }
    // what separates networks is there always; without it, a network is open to all that is routed
    if option(definition, "isolate") == Some("false") && !definition.internal {
        for range in &definition.subnets {
            let family = Family::of(range.subnet.addr());
            config = config.gateway_mode(family, GatewayMode::NatUnprotected);
        }
    }
    for key in ["outbound_addr4", "outbound_addr6"] {
        if let Some(address) = option(definition, key) {
            let unreadable = |_| Failure::new(format!("invalid {key}: {address}"));
            let address: IpAddr = address.parse().map_err(unreadable)?;
            config = config.source_address(address);
        }
    }
    Ok(config)
}

/// What is not done here is refused before anything is changed.
fn check(definition: &Definition) -> Outcome {
    let refuse = |words: String| Err(Failure::new(words));
    if definition.driver != "bridge" {
        return refuse(format!("unknown network driver {:?}", definition.driver));
    }
    let ipam = definition.ipam_options.get("driver").map(String::as_str);
    if !matches!(ipam, None | Some("" | "host-local")) {
        return refuse(format!(
            "unsupported ipam driver {}",
            ipam.unwrap_or_default()
        ));
    }
    if !matches!(
        option(definition, "mode"),
        None | Some("" | "managed" | "unmanaged")
    ) {
        return refuse("mode is one of managed and unmanaged".to_owned());
    }
    for key in ["vlan", "vrf"] {
        if option(definition, key).is_some() {
            return refuse(format!("unsupported bridge network option: {key}"));
        }
    }
    if !matches!(
        option(definition, "isolate"),
        None | Some("true" | "false" | "strict")
    ) {
        return refuse("isolate is one of true, false and strict".to_owned());
    }
    Ok(())
}

pub(crate) fn option<'d>(definition: &'d Definition, key: &str) -> Option<&'d str> {
    definition.options.get(key).map(String::as_str)
}

pub(crate) fn number(definition: &Definition, key: &str) -> Outcome<Option<u32>> {
    let parsed = option(definition, key).map(str::parse).transpose();
    parsed.map_err(|_| Failure::new(format!("unable to parse {key:?}: it is no number")))
}

pub(crate) fn truth(definition: &Definition, key: &str) -> Outcome<bool> {
    match option(definition, key) {
        None | Some("" | "false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(other) => Err(Failure::new(format!("unable to parse {key:?}: {other}"))),
    }
}

/// The addresses by which a network's containers ask for names.
pub(crate) fn gateways(definition: &Definition) -> Vec<IpAddr> {
    let ranges = definition.subnets.iter();
    ranges.filter_map(|range: &Range| range.gateway).collect()
}

/// The network, made if it is not there, of several containers that come at once by the first.
pub(crate) fn get_or_create(turn: &Turn, definition: &Definition) -> Outcome<Network> {
    let known = |host: &Host| {
        host.network_named(&definition.name)
            .filter(|found| is_of(found, definition))
    };
    match known(&turn.host) {
        Some(network) => Ok(network),
        None => turn.alone(
            |host| match (known(host), host.network_named(&definition.name)) {
                (Some(network), _) => Ok(network),
                (None, former) => {
                    // one of the same name that was given up
                    former.map_or(Ok(()), |former| former.remove())?;
                    let network = make(host, definition)?;
                    network.persist()?;
                    Ok(network)
                }
            },
        ),
    }
}

fn make(host: &Host, definition: &Definition) -> Outcome<Network> {
    let config = config(definition)?;
    if !is_unmanaged(definition) {
        return Ok(host.create_network(config)?);
    }
    // names are answered where the bridge itself has the gateway's address
    let own = host.snapshot()?.addresses;
    let is_own = |gateway| own.iter().any(|held| held.address.addr() == gateway);
    let config = match gateways(definition).into_iter().all(is_own) {
        true => config,
        false => config.resolver(ResolverScope::Nowhere),
    };
    Ok(host.adopt_network(config.option(UNMANAGED, "true"))?)
}

/// Whether the bridge is somebody else's, and stays as it is.
pub(crate) fn is_unmanaged(definition: &Definition) -> bool {
    option(definition, "mode") == Some("unmanaged")
}

/// One that was found again when the records were lost has no label. It is made anew as soon as nobody is
/// on it: what it was asked to be, and that names are answered, was lost, too.
fn is_of(network: &Network, definition: &Definition) -> bool {
    match network.spec().labels.get(ID_LABEL) {
        Some(id) => *id == definition.id,
        None => !network.endpoints().is_empty(),
    }
}
