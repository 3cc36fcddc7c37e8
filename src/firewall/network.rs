//! A network as elements: who may reach whom, and by which address its containers leave.

use std::net::IpAddr;

use super::words::{Words, link, of};
use crate::addr::{Family, Subnet};
use crate::config::GatewayMode;
use crate::plan::Switch;
use crate::plan::nft::{Element, Field, TableFamily, Value, Verdict};
use crate::spec::NetworkSpec;

/// How a network is open to the outside, in one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// There is no way in or out.
    Closed,
    /// By the mode's rules.
    Open(GatewayMode),
}

impl Opening {
    pub(super) fn of(network: &NetworkSpec, family: Family) -> Self {
        let mode = network.options.gateway_mode(family);
        let is_closed = network.internal.is_on()
            || mode == GatewayMode::Isolated
            || subnets(network, family).next().is_none();
        if is_closed {
            Self::Closed
        } else {
            Self::Open(mode)
        }
    }
}

/// Whether containers of the network can be reached, or can reach others, by way of the host.
pub(crate) fn is_open(network: &NetworkSpec, family: Family) -> bool {
    Opening::of(network, family) != Opening::Closed
}

/// All that the tables have of a network.
pub(crate) fn network_elements(network: &NetworkSpec) -> Vec<Element> {
    let words = Words::new(TableFamily::Inet, format!("network {}", network.name));
    let bridge = &network.link.name;
    let apart = network.options.icc == Some(Switch::Off);
    let within = match apart {
        true => Verdict::Goto("published"),
        false => Verdict::Accept,
    };
    let mut elements = vec![
        words.member("bridges", [link(bridge)]),
        words.verdict("within", [link(bridge), link(bridge)], within),
    ];
    for family in [Family::V4, Family::V6] {
        elements.extend(doors(&words, network, family));
        for subnet in subnets(network, family) {
            elements.extend(places(&words, network, (family, subnet)));
        }
    }
    let trusted = network.options.trusted_host_interfaces.iter().flatten();
    elements.extend(
        trusted.map(|from| words.verdict("within", [link(from), link(bridge)], Verdict::Accept)),
    );
    elements
}

/// What may come in and go out by way of the host.
fn doors(words: &Words, network: &NetworkSpec, family: Family) -> Vec<Element> {
    let key = || [Field::Family(family), link(&network.link.name)];
    let entering = |verdict| words.verdict("entering", key(), verdict);
    match Opening::of(network, family) {
        Opening::Closed => {
            let is_isolated = network.options.gateway_mode(family) == GatewayMode::Isolated;
            let isolated = is_isolated.then(|| words.member("isolated", key()));
            let leaving = words.verdict("leaving", key(), Verdict::Drop);
            let both = [leaving, entering(Verdict::Drop)];
            both.into_iter().chain(isolated).collect()
        }
        Opening::Open(GatewayMode::NatUnprotected) => vec![entering(Verdict::Accept)],
        Opening::Open(GatewayMode::Routed) => vec![entering(Verdict::Goto("routed"))],
        Opening::Open(_) => vec![entering(Verdict::Goto("published"))],
    }
}

/// Where the network is, and by which address its containers leave.
fn places(
    words: &Words,
    network: &NetworkSpec,
    (family, subnet): (Family, Subnet),
) -> Vec<Element> {
    let bridge = &network.link.name;
    let prefix = || Field::Subnet(subnet);
    let mut elements = vec![
        words.member(of(family, ["subnets4", "subnets6"]), [prefix()]),
        words.member(of(family, ["own4", "own6"]), [prefix(), link(bridge)]),
    ];
    let Opening::Open(mode) = Opening::of(network, family) else {
        return elements;
    };
    if matches!(mode, GatewayMode::Routed | GatewayMode::NatUnprotected) {
        elements.push(words.member(of(family, ["direct4", "direct6"]), [prefix()]));
    }
    let trusted = network.options.trusted_host_interfaces.iter().flatten();
    elements
        .extend(trusted.map(|from| {
            words.member(of(family, ["trusted4", "trusted6"]), [link(from), prefix()])
        }));
    if mode != GatewayMode::Routed {
        elements.extend(leaving_by(words, network, (family, subnet)));
    }
    elements
}

/// The address that was asked for, or that of the link that a packet leaves by, or its own.
fn leaving_by(
    words: &Words,
    network: &NetworkSpec,
    (family, subnet): (Family, Subnet),
) -> Option<Element> {
    let options = &network.options;
    let address: Option<IpAddr> = match family {
        Family::V4 => options.host_ipv4.map(IpAddr::V4),
        Family::V6 => options.host_ipv6.map(IpAddr::V6),
    };
    let key = [Field::Subnet(subnet)];
    match (options.masquerade, address) {
        (Some(Switch::Off), _) => None,
        (_, Some(address)) => {
            let value = Value::Fields(vec![address.into()]);
            Some(words.element(of(family, ["source4", "source6"]), key, value))
        }
        (_, None) => Some(words.member(of(family, ["masquerade4", "masquerade6"]), key)),
    }
}

/// Those of one family, the first one first.
pub(crate) fn subnets(network: &NetworkSpec, family: Family) -> impl Iterator<Item = Subnet> {
    let subnets = network.ranges().map(|range| range.subnet);
    subnets.filter(move |subnet| Family::of_subnet(*subnet) == family)
}
