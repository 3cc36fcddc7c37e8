//! From a container's place on a network, as it is asked for, to an endpoint of the crate's; and from
//! what was made of it to what is printed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bridgework::plan::Switch;
use bridgework::spec::EndpointSpec;
use bridgework::{EndpointConfig, MacAddr, Port, PortMapping, PortRange, Protocol, Subnet};

use ipnet::IpNet;

use crate::failure::{Failure, Outcome};
use crate::network::{gateways, is_unmanaged, number, truth};
use crate::wire::{Address, Definition, Interface, Place, Publication, Request, Status};

/// Of default routes by a bridge.
const DEFAULT_METRIC: u32 = 100;

/// What the crate is asked for.
pub(crate) fn config(
    request: &Request,
    definition: &Definition,
    place: &Place,
) -> Outcome<EndpointConfig> {
    let mut config = EndpointConfig::new().link_name(place.interface_name.as_str());
    let mut known = Vec::new();
    for &address in &place.static_ips {
        let net = net_of(definition, address)?;
        let subnet = Subnet::of(net);
        config = match known.contains(&subnet) {
            true => config.further(net),
            false => config.ip(address),
        };
        known.push(subnet);
    }
    if !place.static_mac.is_empty() {
        config = config.mac(mac(&place.static_mac)?);
    }
    for alias in &place.aliases {
        config = config.alias(alias.as_str());
    }
    let mappings = mappings(&request.port_mappings)?;
    // ports lead to nobody on a bridge that somebody else filters
    if !is_unmanaged(definition) {
        config = mappings.into_iter().fold(config, EndpointConfig::publish);
    }
    if let Some(name) = place.options.get("host_interface_name") {
        config = config.host_link_name(name.as_str());
    }
    let metric = number(definition, "metric")?.unwrap_or(DEFAULT_METRIC);
    config = config.route_metric(metric);
    // of several networks the one with the lowest metric leads out
    config = config.priority(i32::try_from(metric).map_or(i32::MIN, |metric| -metric));
    if truth(definition, "no_default_route")? {
        config = config.leads_out(Switch::Off);
    }
    Ok(config)
}

/// The address with its subnet's prefix.
fn net_of(definition: &Definition, address: IpAddr) -> Outcome<IpNet> {
    let subnets = definition.subnets.iter();
    let mut subnets = subnets.map(|range| Subnet::of(range.subnet));
    let subnet = subnets.find(|subnet| subnet.contains(address));
    let net = subnet.and_then(|subnet| subnet.interface(address));
    let misfit = || {
        let name = &definition.name;
        Failure::new(format!(
            "requested ip address {address} does not fit in any subnet of {name}"
        ))
    };
    net.ok_or_else(misfit)
}

/// With colons or with hyphens.
fn mac(text: &str) -> Outcome<MacAddr> {
    Ok(text.replace('-', ":").parse()?)
}

/// What is published. Several protocols may stand together.
pub(crate) fn mappings(publications: &[Publication]) -> Outcome<Vec<PortMapping>> {
    let mut mappings = Vec::new();
    for publication in publications {
        for protocol in publication.protocol.split(',') {
            mappings.push(mapping(publication, protocol.parse()?)?);
        }
    }
    Ok(mappings)
}

/// An address that the host has not is taken as it is: it may get it later.
fn mapping(publication: &Publication, protocol: Protocol) -> Outcome<PortMapping> {
    let range = |first: u16| {
        let last = u32::from(first) + u32::from(publication.range.max(1)) - 1;
        PortRange::new(Port::new(first.into())?, Port::new(last)?)
    };
    let mapping = PortMapping::new(range(publication.container_port)?, protocol);
    let mapping = mapping.by(range(publication.host_port)?)?;
    match publication.host_ip.as_str() {
        "" => Ok(mapping),
        text => {
            let unreadable = |_| Failure::new(format!("invalid host ip {text:?} of a port"));
            Ok(mapping.at(text.parse::<IpAddr>().map_err(unreadable)?))
        }
    }
}

/// What is printed of it.
pub(crate) fn status(request: &Request, definition: &Definition, spec: &EndpointSpec) -> Status {
    let gateway = |address: IpAddr| {
        let mut ranges = definition.subnets.iter();
        let range = ranges.find(|range| Subnet::of(range.subnet).contains(address));
        range.and_then(|range| range.gateway)
    };
    let first = spec.addresses().map(|address| address.address);
    let subnets = first
        .chain(spec.link_local.iter().copied())
        .map(|ipnet| Address {
            gateway: gateway(ipnet.addr()),
            ipnet,
        });
    let interface = Interface {
        mac_address: spec.mac.to_string(),
        subnets: subnets.collect(),
    };
    let (dns_search_domains, dns_server_ips) = match definition.dns_enabled {
        true => (vec![SEARCH_DOMAIN.to_owned()], gateways(definition)),
        false => (Vec::new(), request.dns_servers.clone()),
    };
    Status {
        dns_search_domains,
        dns_server_ips,
        interfaces: BTreeMap::from([(spec.link.name.to_string(), interface)]),
    }
}

/// Under which containers know each other, too.
pub(crate) const SEARCH_DOMAIN: &str = "dns.podman";
