//! Whether a network can be as it is asked for: all that is wrong with it, found without knowing
//! what the host has.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::addr::{Family, LinkName, MacAddr, Mtu, NetworkName, Subnet};
use crate::error::Fault;
use crate::plan::{BridgeOptions, Switch};

use super::network::{MacPolicy, NetworkConfig};
use super::options::{GatewayMode, NetworkOptions};
use super::scope::{HostsScope, ResolverScope};
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
        let further = self.further_beside([&ipv4, &ipv6], faults);
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
            further,
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
        let request = FamilyRequest {
            subnet,
            ..self.request_in((family, None), given, faults)
        };
        Some(request)
    }

    /// The further subnets, each beside the first one of its family.
    fn further_beside(
        &self,
        first: [&Option<FamilyRequest>; 2],
        faults: &mut Vec<Fault>,
    ) -> Vec<FamilyRequest> {
        let first = first.into_iter().flatten().filter_map(|asked| asked.subnet);
        let mut known: Vec<Subnet> = first.filter(|s| !s.first().is_unspecified()).collect();
        let mut further = Vec::new();
        for &subnet in &self.further {
            let family = Family::of_subnet(subnet);
            let is_beside = known.iter().any(|s| Family::of_subnet(*s) == family);
            if !is_beside || subnet.first().is_unspecified() {
                let why = format!("further subnet {subnet} and one of its family left open");
                faults.push(Fault::Conflicting(why));
            } else if let Some(other) = known.iter().find(|other| other.overlaps(subnet)) {
                let why = format!("subnet {other} and further subnet {subnet}");
                faults.push(Fault::Conflicting(why));
            } else {
                let place = (family, Some(subnet));
                further.push(self.request_in(place, Some(subnet), faults));
                known.push(subnet);
            }
        }
        further
    }

    /// What is asked for of one subnet: that of a family, or a further one.
    fn request_in(
        &self,
        place: (Family, Option<Subnet>),
        given: Option<Subnet>,
        faults: &mut Vec<Fault>,
    ) -> FamilyRequest {
        faults.extend(given.and_then(unusable));
        FamilyRequest {
            subnet: given,
            gateway: self.gateway_in(place, given, faults),
            gateway_choice: Switch::On,
            range: self.range_in(place, given, faults),
            auxiliary: self.auxiliary_in(place, given, faults),
        }
    }

    /// Whether what has that address is meant for that subnet: the further one that it lies in, or else
    /// that of its family.
    fn is_for(&self, (family, further): (Family, Option<Subnet>), address: IpAddr) -> bool {
        let mut subnets = self.further.iter().copied();
        let around = subnets.find(|subnet| subnet.contains(address));
        Family::of(address) == family && around == further
    }

    fn gateway_in(
        &self,
        place: (Family, Option<Subnet>),
        subnet: Option<Subnet>,
        faults: &mut Vec<Fault>,
    ) -> Option<IpAddr> {
        let gateways = self.gateways.iter().copied();
        let mut gateways = gateways.filter(|gateway| self.is_for(place, *gateway));
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
        place: (Family, Option<Subnet>),
        subnet: Option<Subnet>,
        faults: &mut Vec<Fault>,
    ) -> Option<Subnet> {
        let ranges = self.ranges.iter().copied();
        let mut ranges = ranges.filter(|range| self.is_for(place, range.first()));
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
        place: (Family, Option<Subnet>),
        subnet: Option<Subnet>,
        faults: &mut Vec<Fault>,
    ) -> BTreeMap<String, IpAddr> {
        let meant = self.auxiliary.iter();
        let meant = meant.filter(|(_, address)| self.is_for(place, **address));
        let chosen: BTreeMap<String, IpAddr> = meant
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
    /// Those of further subnets, which are all given.
    pub(crate) further: Vec<FamilyRequest>,
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
            let subnet = |request: &FamilyRequest| request.subnet.map(Family::of_subnet);
            let further = self.further.iter_mut();
            let further = further.filter(|request| subnet(request) == Some(family));
            for request in request.iter_mut().chain(further) {
                let unneeded = is_internal && !self.options.bears_gateway(family);
                request.gateway_choice = if unneeded { Switch::Off } else { Switch::On };
            }
        }
    }
}
