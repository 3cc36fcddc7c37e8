//! From the configuration to a network of the crate's, which is there from its first container to its
//! last.

use bridgework::plan::Switch;
use bridgework::spec::NetworkSpec;
use bridgework::{Family, GatewayMode, Host, Mtu, Network, NetworkConfig, Subnet};

use crate::conf::{Conf, Range};
use crate::failure::{Failure, Outcome};
use crate::range::with_ranges;
use crate::wish::Wish;

/// The label of networks that the plugin has made.
const MADE: &str = "cni.made";

/// Where the containers' way out begins.
enum Gateway {
    Bridge,
    /// At somebody else's machine on the bridge.
    Another,
    Nowhere,
}

/// What the crate is asked for.
pub(crate) fn config(conf: &Conf, wish: &Wish) -> Outcome<NetworkConfig> {
    let keys = &conf.keys;
    let mut config = NetworkConfig::bridge(&keys.name).label(MADE, "");
    if !keys.bridge.is_empty() {
        config = config.bridge_name(keys.bridge.as_str());
    }
    if keys.mtu != 0 {
        config = config.mtu(Mtu::new(keys.mtu)?);
    }
    config = with_ranges(config, &wish.ranges)?;
    let is_ipv6 = |range: &Range| range.subnet.is_some_and(|subnet| subnet.addr().is_ipv6());
    if !wish.ranges.is_empty() && wish.ranges.iter().all(is_ipv6) {
        config = config.ipv4(Switch::Off);
    }
    let leads_out = |family| wish.leads_out_by(conf, family);
    let leads_out = leads_out(Family::V4) || leads_out(Family::V6);
    let gateway = match (conf.is_gateway(), leads_out) {
        (true, _) => Gateway::Bridge,
        (false, true) => Gateway::Another,
        (false, false) => Gateway::Nowhere,
    };
    let (mode, config) = match gateway {
        Gateway::Bridge if conf.masquerades() => (GatewayMode::Nat, config),
        // who translates nothing wants the containers' own addresses to be reached
        Gateway::Bridge => (GatewayMode::NatUnprotected, config.masquerade(Switch::Off)),
        Gateway::Another => {
            let config = config.inhibit_ipv4(Switch::On).inhibit_ipv6(Switch::On);
            (GatewayMode::NatUnprotected, config.masquerade(Switch::Off))
        }
        Gateway::Nowhere => (GatewayMode::Isolated, config.internal()),
    };
    let config = config.gateway_mode(Family::V4, mode);
    Ok(config.gateway_mode(Family::V6, mode))
}

/// The network, made if it is not there, of several containers that come at once by the first.
pub(crate) fn get_or_create(host: &Host, conf: &Conf, wish: &Wish) -> Outcome<Network> {
    let network = host.ensure_network(config(conf, wish)?)?;
    let _spec = network.persist()?;
    check_ranges(network.spec(), &wish.ranges)?;
    Ok(network)
}

/// A network that containers are on stays as it was made.
fn check_ranges(spec: &NetworkSpec, ranges: &[Range]) -> Outcome {
    let has = |subnet| spec.ranges().any(|range| range.subnet == subnet);
    let mut subnets = ranges.iter().filter_map(|range| range.subnet);
    match subnets.find(|subnet| !has(Subnet::of(*subnet))) {
        Some(subnet) => Err(Failure::invalid(format!(
            "network {} is there without {subnet}, and containers are on it",
            spec.name
        ))),
        None => Ok(()),
    }
}

/// It goes unless somebody is on it, or somebody else has made it.
pub(crate) fn remove_unused(network: &Network) -> Outcome {
    if network.spec().labels.contains_key(MADE) {
        network.remove_unused()?;
    }
    Ok(())
}
