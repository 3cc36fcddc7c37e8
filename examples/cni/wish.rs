//! What is asked for of one attachment: from the configuration, the runtime and `CNI_ARGS` to an
//! endpoint of the crate's.

use std::net::IpAddr;

use bridgework::plan::{PortOptions, Switch};
use bridgework::{
    EndpointConfig, Family, HostName, LinkName, MacAddr, Port, PortMapping, Protocol,
};
use ipnet::IpNet;

use crate::call::Call;
use crate::conf::{Conf, Dns, Publication, Range, Route};
use crate::failure::{Failure, Outcome};

/// All that is asked for of one attachment.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// One for each address that the container gets, in their order.
    pub(crate) ranges: Vec<Range>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) routes: Vec<Route>,
    pub(crate) dns: Dns,
    pub(crate) hostname: Option<HostName>,
    mac: Option<MacAddr>,
    ports: Vec<PortMapping>,
    aliases: Vec<String>,
}

impl Wish {
    /// Where the addresses are the crate's own to choose.
    pub(crate) fn new(call: &Call, conf: &Conf) -> Outcome<Self> {
        let runtime = &conf.keys.runtimeconfig;
        let given = [&runtime.ips, &conf.keys.args.cni.ips];
        let given = given.into_iter().flatten().map(String::as_str);
        let of_args = call.args.get("IP").map(String::as_str);
        let mut addresses = Vec::new();
        for text in given.chain(of_args.into_iter().flat_map(|ips| ips.split(','))) {
            let address = address(text)?;
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let macs = [
            runtime.mac.as_str(),
            conf.keys.args.cni.mac.as_str(),
            call.args.get("MAC").map_or("", String::as_str),
        ];
        let mac = macs.into_iter().find(|mac| !mac.is_empty());
        let sets = runtime.ipranges.iter().map(Vec::as_slice);
        let sets = sets.chain(conf.keys.ipam.all_sets());
        let published = runtime.portmappings.iter();
        let published = published.filter(|port| port.hostport != 0);
        let ports: Vec<PortMapping> = published.map(mapping).collect::<Outcome<_>>()?;
        if !ports.is_empty() && !conf.is_gateway() {
            let words = "ports can't be published where the bridge is no gateway";
            return Err(Failure::invalid(words));
        }
        let mut aliases = conf.aliases();
        let pod = call.args.get("K8S_POD_NAME");
        aliases.extend(pod.cloned());
        aliases.retain(|alias| !alias.is_empty());
        aliases.sort();
        aliases.dedup();
        Ok(Self {
            ranges: sets.map(only).collect::<Outcome<_>>()?,
            addresses,
            routes: conf.keys.ipam.routes.clone(),
            dns: conf.dns().clone(),
            hostname: pod.and_then(|name| name.parse().ok()),
            mac: mac.map(str::parse).transpose()?,
            ports,
            aliases,
        })
    }

    /// What the crate is asked for.
    pub(crate) fn config(&self, conf: &Conf, link: &LinkName) -> EndpointConfig {
        let keys = &conf.keys;
        let on = |is_on: bool| if is_on { Switch::On } else { Switch::Off };
        let mut port = PortOptions::new().hairpin(on(keys.hairpinmode));
        if keys.portisolation {
            port = port.isolated(Switch::On);
        }
        let mut config = EndpointConfig::new().anew().port_options(port);
        config = config.link_name(link.clone());
        for &address in &self.addresses {
            config = config.ip(address);
        }
        if let Some(mac) = self.mac {
            config = config.mac(mac);
        }
        for alias in &self.aliases {
            config = config.alias(alias.as_str());
        }
        for &mapping in &self.ports {
            config = config.publish(mapping);
        }
        if keys.macspoofchk == Some(false) {
            config = config.source_guard(Switch::Off);
        }
        for family in [Family::V4, Family::V6] {
            config = config.leads_out_by(family, on(self.leads_out_by(conf, family)));
        }
        config
    }

    /// Whether the container's default route of that family is to lead by this interface.
    pub(crate) fn leads_out_by(&self, conf: &Conf, family: Family) -> bool {
        let is_asked = |route: &Route| route.is_default() && Family::of(route.dst.addr()) == family;
        conf.is_default_gateway() || self.routes.iter().any(is_asked)
    }
}

/// The only range of a set. Where there are several, the reference gives an address of the first one
/// that has any left, which is not done here.
fn only(set: &[Range]) -> Outcome<Range> {
    match set {
        [range] => Ok(range.clone()),
        [] => Err(Failure::invalid("a set of ranges is empty")),
        several => {
            let subnets = several.iter().filter_map(|range| range.subnet);
            let subnets: Vec<String> = subnets.map(|subnet| subnet.to_string()).collect();
            let words = "a set of ranges has multiple subnets";
            Err(Failure::invalid(format!("{words}: {}", subnets.join(", "))))
        }
    }
}

/// With the length of a prefix or without.
fn address(text: &str) -> Outcome<IpAddr> {
    let net = text.parse::<IpNet>().map(|net| net.addr());
    net.or_else(|_| text.parse())
        .map_err(|_| Failure::invalid(format!("invalid address {text:?}")))
}

fn mapping(publication: &Publication) -> Outcome<PortMapping> {
    let protocol = match publication.protocol.to_lowercase().as_str() {
        "" => Protocol::Tcp,
        word => word.parse()?,
    };
    let mapping = PortMapping::new(Port::new(publication.containerport)?, protocol);
    let mapping = mapping.by(Port::new(publication.hostport)?)?;
    match publication.hostip.as_str() {
        "" => Ok(mapping),
        text => Ok(mapping.at(address(text)?)),
    }
}
