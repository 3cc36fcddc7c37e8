//! Whether a network can be as it is asked for: all that is wrong with it, found without knowing
//! what the host has.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::addr::{Family, LinkName, MacAddr, Mtu, NetworkName, Subnet};
use crate::error::Fault;
use crate::plan::{BridgeOptions, Switch};

use super::network::{HostsScope, MacPolicy, NetworkConfig, ResolverScope};
use super::options::{GatewayMode, NetworkOptions};
use super::take;

impl NetworkConfig {
    /// The request, as far as it can be understood; all that is wrong with it goes to `faults`.
    /// `None` if its name does not have its form.
    ///
    /// `driver_keys` are the driver's own options; where it is not known, no key is unknown.
    pub(crate) fn check(
        &self,
        driver_keys: Option<&[&str]>,
        faults: &mut Vec<Fault>,
    ) -> Option<NetworkRequest> {
        faults.extend_from_slice(&self.faults);
        let name = take::<NetworkName, _>(self.name.as_str(), faults);
        let by_key = NetworkOptions::parse(&self.by_key, faults);
        let options = self.typed_options().joined(by_key.clone(), faults);
        // a template's options are those of the drivers of who depends on it
        if let (Some(keys), Switch::Off) = (driver_keys, self.config_only) {
            faults.extend(options.unknown_to(keys));
        }
        let ipv4 = self.family((Family::V4, options.enable_ipv4), faults);
        let ipv6 = self.family((Family::V6, options.enable_ipv6), faults);
        if ipv4.is_none() && ipv6.is_none() {
            faults.push(Fault::NoFamily);
        }
        if let (Some(mtu), Some(_)) = (options.mtu, &ipv6) {
            if mtu < Mtu::IPV6_MIN {
                faults.push(Fault::MtuBelowIpv6 { mtu });
            }
        }
        let mut request = NetworkRequest {
            name: name?,
            driver: self.driver.clone(),
            ipv4,
            ipv6,
            internal: options.internal.unwrap_or(Switch::Off),
            mtu: options.mtu,
            link_name: options.bridge_name.clone(),
            mac: self.mac,
            bridge: self.bridge.clone(),
            mac_policy: self.mac_policy,
            hosts: self.hosts,
            resolver: self.resolver,
            labels: self.labels.clone(),
            config_only: self.config_only,
            config_from: self.config_from.clone(),
            options: NetworkOptions {
                enable_ipv4: by_key.enable_ipv4,
                enable_ipv6: by_key.enable_ipv6,
                internal: by_key.internal,
                ..options
            },
        };
        self.check_template(&request.options, faults);
        if !request.config_only.is_on() {
            request.choose_gateways(faults);
        }
        Some(request)
    }

    /// Whether the family is not wanted, said by a method or by a key.
    pub(crate) fn is_off(&self, family: Family) -> bool {
        // what is wrong with them is told when it is checked
        let mut untold = Vec::new();
        let by_key = NetworkOptions::parse(&self.by_key, &mut untold);
        let options = self.typed_options().joined(by_key, &mut untold);
        let switch = match family {
            Family::V4 => options.enable_ipv4,
            Family::V6 => options.enable_ipv6,
        };
        switch == Some(Switch::Off)
    }

    /// What typed methods were told, with that for which they have fields of their own.
    fn typed_options(&self) -> NetworkOptions {
        NetworkOptions {
            enable_ipv4: self.ipv4,
            enable_ipv6: self.ipv6,
            internal: Some(self.internal).filter(|internal| internal.is_on()),
            ..self.options.clone()
        }
    }

    fn family(
        &self,
        (family, wanted): (Family, Option<Switch>),
        faults: &mut Vec<Fault>,
    ) -> Option<FamilyRequest> {
        let subnets: Vec<Subnet> = self
            .subnets
            .iter()
            .copied()
            .filter(|s| Family::of_subnet(*s) == family)
            .collect();
        let switch = match family {
            Family::V6 if subnets.is_empty() => wanted.unwrap_or(Switch::Off),
            Family::V4 | Family::V6 => wanted.unwrap_or(Switch::On),
        };
        if !switch.is_on() {
            let unwanted = subnets.iter().map(Subnet::to_string);
            faults.extend(unwanted.map(|s| Fault::Conflicting(format!("{s} and its family off"))));
            return None;
        }
        if subnets.len() > 1 {
            let driver = self.driver.clone();
            faults.push(Fault::MultipleSubnets {
                driver,
                subnets: subnets.clone(),
            });
        }
        let subnet = subnets.first().copied();
        // `0.0.0.0/24` asks for any subnet of that size: nothing is known to lie in it
        let given = subnet.filter(|subnet| !subnet.first().is_unspecified());
        faults.extend(given.and_then(unusable));
        Some(FamilyRequest {
            subnet,
            gateway: self.gateway_in(family, given, faults),
            gateway_choice: Switch::On,
            range: self.range_in(family, given, faults),
            auxiliary: self.auxiliary_in(family, given, faults),
        })
    }

    fn gateway_in(
        &self,
        family: Family,
        subnet: Option<Subnet>,
        faults: &mut Vec<Fault>,
    ) -> Option<IpAddr> {
        let mut gateways = self
            .gateways
            .iter()
            .copied()
            .filter(|g| Family::of(*g) == family);
        let gateway = gateways.next()?;
        if let Some(second) = gateways.next() {
            faults.push(Fault::Conflicting(format!(
                "gateway {gateway} and gateway {second}"
            )));
        }
        match subnet {
            Some(subnet) if subnet.contains(gateway) => faults.extend(reserved(subnet, gateway)),
            subnet => {
                faults.push(Fault::GatewayOutside {
                    gateway,
                    subnets: Vec::from_iter(subnet),
                });
            }
        }
        Some(gateway)
    }

    fn range_in(
        &self,
        family: Family,
        subnet: Option<Subnet>,
        faults: &mut Vec<Fault>,
    ) -> Option<Subnet> {
        let mut ranges = self
            .ranges
            .iter()
            .copied()
            .filter(|r| Family::of_subnet(*r) == family);
        let range = ranges.next()?;
        if let Some(second) = ranges.next() {
            faults.push(Fault::Conflicting(format!(
                "ip-range {range} and ip-range {second}"
            )));
        }
        if !subnet.is_some_and(|subnet| subnet.covers(range)) {
            faults.push(Fault::RangeOutside {
                range,
                subnets: Vec::from_iter(subnet),
            });
        }
        Some(range)
    }

    fn auxiliary_in(
        &self,
        family: Family,
        subnet: Option<Subnet>,
        faults: &mut Vec<Fault>,
    ) -> BTreeMap<String, IpAddr> {
        let of_family = self
            .auxiliary
            .iter()
            .filter(|(_, address)| Family::of(**address) == family);
        let chosen: BTreeMap<String, IpAddr> = of_family
            .map(|(name, address)| (name.clone(), *address))
            .collect();
        for (name, &address) in &chosen {
            if !subnet.is_some_and(|subnet| subnet.contains(address)) {
                let (name, subnets) = (name.clone(), Vec::from_iter(subnet));
                faults.push(Fault::AuxiliaryOutside {
                    name,
                    address,
                    subnets,
                });
            }
        }
        chosen
    }
}

/// A subnet that an interface can't have an address of.
fn unusable(subnet: Subnet) -> Option<Fault> {
    let prefix = |first: IpAddr, len| Subnet::new(first, len).expect("no host bits are set");
    let multicast = "multicast addresses are in it";
    let loopback = "loopback addresses are in it";
    let special = [
        (prefix([224, 0, 0, 0].into(), 4), multicast),
        (prefix([127, 0, 0, 0].into(), 8), loopback),
        (prefix([0xff00, 0, 0, 0, 0, 0, 0, 0].into(), 8), multicast),
        (prefix(Ipv6Addr::LOCALHOST.into(), 128), loopback),
        (
            prefix([0xfe80, 0, 0, 0, 0, 0, 0, 0].into(), 10),
            "it clashes with the Link-Local prefix 'fe80::/10'",
        ),
    ];
    let (_, why) = special
        .into_iter()
        .find(|(range, _)| range.overlaps(subnet))?;
    Some(Fault::SubnetUnusable { subnet, why })
}

/// The subnet's own and its broadcast address are nobody's, but for /31 and /32 (rfc3021).
fn reserved(subnet: Subnet, address: IpAddr) -> Option<Fault> {
    if subnet.host_bits() < 2 {
        return None;
    }
    let role = match address {
        address if address == subnet.first() && address.is_ipv4() => "the network's own address",
        address if address == subnet.first() => "the subnet-router anycast address",
        address if address == subnet.last() && address.is_ipv4() => "the broadcast address",
        _ => return None,
    };
    Some(Fault::AddressReserved { address, role })
}

/// One family of a network that passed the check.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FamilyRequest {
    /// The subnet that was asked for; `0.0.0.0/24` asks for any of that size.
    pub(crate) subnet: Option<Subnet>,
    pub(crate) gateway: Option<IpAddr>,
    /// Whether one is chosen where none was asked for.
    pub(crate) gateway_choice: Switch,
    pub(crate) range: Option<Subnet>,
    pub(crate) auxiliary: BTreeMap<String, IpAddr>,
}

/// A network that passed the check.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NetworkRequest {
    pub(crate) name: NetworkName,
    pub(crate) driver: String,
    pub(crate) ipv4: Option<FamilyRequest>,
    pub(crate) ipv6: Option<FamilyRequest>,
    pub(crate) internal: Switch,
    pub(crate) mtu: Option<Mtu>,
    pub(crate) link_name: Option<LinkName>,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) bridge: BridgeOptions,
    pub(crate) mac_policy: MacPolicy,
    pub(crate) hosts: HostsScope,
    pub(crate) resolver: ResolverScope,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) options: NetworkOptions,
    /// Whether it is a template, and no network.
    pub(crate) config_only: Switch,
    /// The template that it depends on.
    pub(crate) config_from: Option<NetworkName>,
}

impl NetworkRequest {
    /// Which families need a gateway's address: not those that nothing leaves by.
    pub(super) fn choose_gateways(&mut self, faults: &mut Vec<Fault>) {
        let is_internal = self.internal.is_on();
        let families = [(Family::V4, &mut self.ipv4), (Family::V6, &mut self.ipv6)];
        for (family, request) in families {
            let is_isolated = self.options.gateway_mode(family) == GatewayMode::Isolated;
            if is_isolated && !is_internal && !faults.contains(&Fault::IsolatedNotInternal) {
                faults.push(Fault::IsolatedNotInternal);
            }
            if let Some(request) = request {
                let unneeded = is_internal && !self.options.bears_gateway(family);
                request.gateway_choice = if unneeded { Switch::Off } else { Switch::On };
            }
        }
    }
}
