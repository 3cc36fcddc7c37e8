//! The bridge driver: a bridge for the network, a veth pair for each container, its far end born
//! in the container's namespace under its final name.
//!
//! Decisions only; `kernel` performs them.

use ipnet::IpNet;

use super::Driver;
use crate::addr::{Family, LinkName, LinkSysctl, Mtu, SysctlTable};
use crate::error::Fault;
use crate::firewall::{
    apart_element, barriers, barriers_of_way_out, elements_of_way_out, guard_elements,
    host_firewall, is_open, network_elements, unguarded_element,
};
use crate::plan::nft::Element;
use crate::plan::{
    ALIAS_MARK, BridgeOptions, ConfScope, ElementsEdit, Ipv4Conf, Ipv6Conf, Link, Plan,
    PortOptions, Side, Step, Switch, Sysctl, VethStep,
};
use crate::snapshot::{LinkState, Snapshot, View};
use crate::spec::{EndpointAddress, EndpointSpec, History, NetworkRange, NetworkSpec};

/// The driver named `bridge`.
///
/// ```
/// use bridgework::driver::{BridgeDriver, Driver, Stack};
///
/// assert_eq!(BridgeDriver.stack(), Stack::Own);
/// assert!(BridgeDriver.open(&"web".parse()?).is_empty()); // it is connected later
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BridgeDriver;

impl Driver for BridgeDriver {
    fn name(&self) -> &str {
        "bridge"
    }

    fn create(&self, network: &NetworkSpec, host: &Snapshot) -> Result<Plan, Fault> {
        let bridge = &network.link;
        match host.link_named(bridge.name.as_str()) {
            Some(state) if state.index == bridge.index.get() => return adopt(network, state, host),
            Some(_) => {
                return Err(Fault::LinkExists {
                    name: bridge.name.clone(),
                    namespace: None,
                });
            }
            None => {}
        }
        let mut plan = Plan::new();
        plan.extend(raise_firewall(network, host, Before::Nothing));
        plan.push(Step::AddBridge {
            link: bridge.clone(),
            mac: network.mac,
            mtu: network.mtu,
            options: bridge_options(network),
        });
        let alias = format!(
            "{ALIAS_MARK} network {} {}",
            network.name,
            network.id.short()
        );
        plan.push(Step::SetAlias {
            link: bridge.clone(),
            alias,
        });
        plan.extend(no_auto_address(bridge, network.mtu));
        plan.extend(forwarding(network));
        let has_ipv6 = network.ipv6.is_some() && network.options.bears_gateway(Family::V6);
        plan.extend(guard(bridge, has_ipv6, network.mtu));
        plan.extend(bridge_addresses(network).map(|address| add_address(bridge, address)));
        if has_ipv6 {
            plan.push(add_address(bridge, link_local(network.mac)));
        }
        plan.push(Step::SetUp {
            link: bridge.clone(),
        });
        Ok(plan)
    }

    /// The network's own link is left out of it, or put in as it was before.
    fn view(&self) -> View {
        View::Uplinks
    }

    fn connect(&self, network: &NetworkSpec, endpoint: &EndpointSpec) -> Result<Plan, Fault> {
        let mut plan = self.stage(network, endpoint)?;
        plan.extend(into_service(network, endpoint));
        Ok(plan)
    }

    fn stage(&self, network: &NetworkSpec, endpoint: &EndpointSpec) -> Result<Plan, Fault> {
        let mut plan = Plan::with_container(endpoint.container.clone());
        plan.extend(host_side(network, endpoint));
        Ok(plan)
    }

    fn join(&self, network: &NetworkSpec, endpoint: &EndpointSpec) -> Result<Plan, Fault> {
        let mut plan = Plan::with_container(endpoint.container.clone());
        plan.extend(into_service(network, endpoint));
        Ok(plan)
    }
}

/// With a guard at its ports, a bridge learns from no frame that passes the guard by.
fn bridge_options(network: &NetworkSpec) -> BridgeOptions {
    let mut options = network.bridge.clone();
    if network.firewall.is_on() {
        options.reserved_learning.get_or_insert(Switch::Off);
    }
    options
}

/// What the packet filter may have of a link before it is a network's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// Others may reach networks by it, which ends for good.
    WayOut,
}

/// Before the bridge is there: nothing passes it that is not meant to.
fn raise_firewall(network: &NetworkSpec, host: &Snapshot, before: Before) -> Vec<Step> {
    if !network.firewall.is_on() {
        return Vec::new();
    }
    let name = &network.link.name;
    let (superseded, stale) = match before {
        Before::Nothing => (Vec::new(), Vec::new()),
        Before::WayOut => (
            elements_of_way_out(name),
            barriers_of_way_out(name).collect(),
        ),
    };
    let (rules, prohibitions) = barriers(network);
    let mut steps = vec![
        Step::RaiseFirewall(host_firewall(host, network)),
        Step::EditElements(ElementsEdit {
            superseded,
            ..ElementsEdit::adding(network_elements(network))
        }),
    ];
    steps.extend(stale.into_iter().map(Step::DeletePolicyRule));
    steps.extend(rules.into_iter().map(Step::AddPolicyRule));
    steps.extend(prohibitions.into_iter().map(Step::AddProhibition));
    steps
}

/// Whether what comes in by the bridge is forwarded, in each family. What a bridge does not forward
/// reaches nobody, with a packet filter and without.
fn forwarding(network: &NetworkSpec) -> Vec<Step> {
    let scope = || ConfScope::Link(network.link.name.clone());
    let ipv4 = |conf, value| sysctl(Side::Host, Sysctl::Ipv4(scope(), conf), value);
    let mut steps = Vec::new();
    if !network.firewall.is_on() {
        return vec![refuse_redirects(Side::Host)];
    }
    if network.ipv4.is_some() {
        // so that the check of the source knows what the filter vouches for
        steps.push(ipv4(Ipv4Conf::SrcValidMark, 1));
    }
    match is_open(network, Family::V4) {
        true => steps.push(ipv4(Ipv4Conf::Forwarding, 1)),
        false => {
            // nobody behind a bridge without an address of the host's is a neighbour of it
            let is_borne = network.options.bears_gateway(Family::V4);
            steps.extend((!is_borne).then(|| ipv4(Ipv4Conf::RpFilter, 1)));
            steps.push(ipv4(Ipv4Conf::Forwarding, 0));
            steps.push(refuse_redirects(Side::Host));
        }
    }
    if is_open(network, Family::V6) {
        let forward = Sysctl::Ipv6(scope(), Ipv6Conf::ForceForwarding);
        steps.push(sysctl(Side::Host, forward, 1));
    }
    steps
}

/// Containers that are kept apart are so on the bridge itself, too.
fn port_options(network: &NetworkSpec, endpoint: &EndpointSpec) -> PortOptions {
    let mut options = endpoint.port.clone();
    if network.options.icc == Some(Switch::Off) {
        options.isolated = Some(Switch::On);
    }
    options
}

fn into_service(network: &NetworkSpec, endpoint: &EndpointSpec) -> Vec<Step> {
    let mut steps = container_side(endpoint, network.mtu);
    // with spanning tree a port listens and learns for twice the delay: nobody waits for that
    if network.bridge.stp != Some(Switch::On) {
        steps.push(Step::AwaitForwarding {
            link: endpoint.host_link.clone(),
        });
        steps.extend(announcement(endpoint));
    }
    steps.extend(settings(endpoint, is_forgotten));
    steps
}

/// A bridge that is there and is the network's by its index: it gets what it lacks, which is taken
/// away again, and keeps all that it has.
fn adopt(network: &NetworkSpec, state: &LinkState, host: &Snapshot) -> Result<Plan, Fault> {
    let bridge = &network.link;
    let has = |address: &IpNet| {
        let mut states = host.addresses.iter();
        states.any(|state| state.link == bridge.index.get() && state.address == *address)
    };
    let mut plan = Plan::new();
    plan.extend(raise_firewall(network, host, Before::WayOut));
    let lacking: Vec<IpNet> = bridge_addresses(network).filter(|a| !has(a)).collect();
    // a bridge without the family takes no address of it
    let lacks_ipv6 = lacking.iter().any(|address| address.addr().is_ipv6());
    let disable = Sysctl::Ipv6(ConfScope::Link(bridge.name.clone()), Ipv6Conf::DisableIpv6);
    let enabled = lacks_ipv6.then(|| sysctl(bridge.side, disable, 0));
    let forwarding = forwarding(network);
    let changes = forwarding.iter().chain(&enabled);
    plan.extend(kept(network, changes, host));
    plan.extend(forwarding);
    // a bridge whose address nobody has set takes the lowest one of its ports', and another one as
    // they come and go (`br_stp_recalculate_bridge_id`): containers would lose their gateway
    plan.push(Step::Announce {
        link: bridge.clone(),
        mac: network.mac,
    });
    plan.extend(enabled);
    plan.extend(
        lacking
            .into_iter()
            .map(|address| add_address(bridge, address)),
    );
    if !state.up {
        let link = bridge.clone();
        plan.push(Step::SetUp { link });
    }
    Ok(plan)
}

/// What of a bridge that stays is set otherwise by its network, or by published ports.
fn kept<'s>(
    network: &NetworkSpec,
    changes: impl Iterator<Item = &'s Step>,
    host: &Snapshot,
) -> Vec<Step> {
    let scope = ConfScope::Link(network.link.name.clone());
    let of_ports = Sysctl::Ipv4(scope, Ipv4Conf::RouteLocalnet);
    let changed = changes.filter_map(|step| match step {
        Step::SetSysctl { key, .. } => Some(key),
        _ => None,
    });
    let mut changed: Vec<&Sysctl> = changed.collect();
    changed.extend(network.firewall.is_on().then_some(&of_ports));
    let found = host.settings.iter();
    let found = found.filter(|(key, _)| changed.contains(&key));
    let keep = |(key, value): &(Sysctl, u32)| Step::KeepSysctl {
        side: network.link.side,
        key: key.clone(),
        value: *value,
    };
    found.map(keep).collect()
}

/// The settings of a link that a network on it may change.
pub(crate) fn settings_of(link: &LinkName) -> Vec<Sysctl> {
    let scope = || ConfScope::Link(link.clone());
    let ipv4 = [
        Ipv4Conf::Forwarding,
        Ipv4Conf::RouteLocalnet,
        Ipv4Conf::RpFilter,
        Ipv4Conf::SrcValidMark,
    ];
    let ipv6 = [Ipv6Conf::DisableIpv6, Ipv6Conf::ForceForwarding];
    let ipv4 = ipv4.map(|conf| Sysctl::Ipv4(scope(), conf));
    let ipv6 = ipv6.map(|conf| Sysctl::Ipv6(scope(), conf));
    ipv4.into_iter().chain(ipv6).collect()
}

/// What the caller set, where `place` holds for it.
fn settings(endpoint: &EndpointSpec, place: impl Fn(&LinkSysctl) -> bool) -> Vec<Step> {
    let chosen = endpoint.sysctls.iter().filter(|setting| place(setting));
    let set = |setting: &LinkSysctl| Step::SetLinkSysctl {
        link: endpoint.link.clone(),
        setting: setting.clone(),
    };
    chosen.map(set).collect()
}

/// Whether a link that comes up forgets it: IPv6's MTU becomes the link's, once more when the kernel
/// hears of carrier (`addrconf_notify`), which is waited for. All others hold from before.
fn is_forgotten(setting: &LinkSysctl) -> bool {
    let place = (setting.family(), setting.table(), setting.key());
    place == (Family::V6, SysctlTable::Conf, "mtu")
}

/// The gateways' addresses, but for those that another machine has, or nobody.
fn bridge_addresses(network: &NetworkSpec) -> impl Iterator<Item = IpNet> {
    let family = |range: &NetworkRange| Family::of_subnet(range.subnet);
    let ranges = network.ranges();
    let borne = ranges.filter(move |range| network.options.bears_gateway(family(range)));
    borne.filter_map(NetworkRange::gateway_interface)
}

fn host_side(network: &NetworkSpec, endpoint: &EndpointSpec) -> Vec<Step> {
    let near = &endpoint.host_link;
    let veth = VethStep {
        link: near.clone(),
        mac: endpoint.host_mac,
        master: Some(network.link.clone()),
        peer: endpoint.link.clone(),
        peer_mac: endpoint.mac,
        mtu: network.mtu,
    };
    let EndpointSpec { container, id, .. } = endpoint;
    let alias = format!(
        "{ALIAS_MARK} endpoint {container} on {} {}",
        network.name,
        id.short()
    );
    let filters = port_filters(network, endpoint);
    let filters = (!filters.is_empty()).then(|| Step::EditElements(ElementsEdit::adding(filters)));
    let mut steps = Vec::from_iter(filters);
    steps.extend([
        Step::AddVeth(veth),
        Step::SetAlias {
            link: near.clone(),
            alias,
        },
    ]);
    steps.extend(no_auto_address(near, network.mtu));
    let options = port_options(network, endpoint);
    if !options.is_default() {
        let link = near.clone();
        steps.push(Step::SetPort { link, options });
    }
    steps.push(Step::SetUp { link: near.clone() });
    steps
}

/// What is kept from its port on the bridge.
fn port_filters(network: &NetworkSpec, endpoint: &EndpointSpec) -> Vec<Element> {
    if !network.firewall.is_on() {
        return Vec::new();
    }
    let guard = endpoint.source_guard.is_on();
    let mut elements = match guard {
        true => guard_elements(endpoint),
        false => vec![unguarded_element(endpoint)],
    };
    let is_apart = network.options.icc == Some(Switch::Off);
    elements.extend(is_apart.then(|| apart_element(endpoint)));
    elements
}

fn container_side(endpoint: &EndpointSpec, mtu: Mtu) -> Vec<Step> {
    let far = &endpoint.link;
    let mut steps = vec![refuse_redirects(far.side)];
    steps.extend(guard(far, endpoint.ipv6.is_some(), mtu));
    steps.push(Step::RaiseLoopback { side: far.side });
    if endpoint.ipv6.is_some() {
        steps.extend(no_auto_address(far, mtu));
    }
    steps.extend(settings(endpoint, |setting| !is_forgotten(setting)));
    steps.extend(endpoint.addresses().map(|a| add_address(far, a.address)));
    if endpoint.ipv6.is_some() {
        steps.push(add_address(far, link_local(endpoint.mac)));
    }
    let on_link = endpoint.link_local.iter();
    steps.extend(on_link.map(|&address| add_address(far, address)));
    steps.push(Step::SetUp { link: far.clone() });
    steps
}

/// A link that does not forward takes redirects if its own or `all`'s setting is 1; the kernel
/// itself puts `all`'s to 0 when forwarding is switched on. Other links keep their own.
fn refuse_redirects(side: Side) -> Step {
    let all = Sysctl::Ipv4(ConfScope::All, Ipv4Conf::AcceptRedirects);
    sysctl(side, all, 0)
}

/// Settings that must hold before the link is up: nobody on the wire changes addresses or routes,
/// and a link of a network without IPv6 has none.
fn guard(link: &Link, has_ipv6: bool, mtu: Mtu) -> Vec<Step> {
    let scope = || ConfScope::Link(link.name.clone());
    let ipv6 = |conf, value| sysctl(link.side, Sysctl::Ipv6(scope(), conf), value);
    let mut steps = vec![sysctl(
        link.side,
        Sysctl::Ipv4(scope(), Ipv4Conf::AcceptRedirects),
        0,
    )];
    if has_ipv6 {
        steps.push(ipv6(Ipv6Conf::DisableIpv6, 0));
        steps.push(ipv6(Ipv6Conf::AcceptRa, 0));
        steps.push(ipv6(Ipv6Conf::AcceptRedirects, 0));
    } else if mtu >= Mtu::IPV6_MIN {
        steps.push(ipv6(Ipv6Conf::DisableIpv6, 1));
    }
    steps
}

/// Below IPv6's least MTU the kernel gives a link no IPv6, and no settings of it either
/// (`addrconf_notify`).
fn no_auto_address(link: &Link, mtu: Mtu) -> Option<Step> {
    let link = link.clone();
    (mtu >= Mtu::IPV6_MIN).then_some(Step::SetNoAutoAddress { link })
}

/// Neighbours are told of an address that they may know by another hardware address. One that is
/// fresh is known to nobody, and flooding a thousand ports for it would cost more than the rest.
fn announcement(endpoint: &EndpointSpec) -> Vec<Step> {
    let far = &endpoint.link;
    let reused = |family| {
        let of_family = |address: &EndpointAddress| Family::of(address.address.addr()) == family;
        let mut addresses = endpoint.addresses();
        addresses.any(|address| of_family(address) && address.history == History::Reused)
    };
    let scope = || ConfScope::Link(far.name.clone());
    let notify = |key| sysctl(far.side, key, 1);
    let mut steps = Vec::new();
    if reused(Family::V4) {
        steps.push(notify(Sysctl::Ipv4(scope(), Ipv4Conf::ArpNotify)));
    }
    if reused(Family::V6) {
        steps.push(notify(Sysctl::Ipv6(scope(), Ipv6Conf::NdiscNotify)));
    }
    if !steps.is_empty() {
        steps.push(Step::Announce {
            link: far.clone(),
            mac: endpoint.mac,
        });
        // the caller's own word is the last one
        let notifies = ["arp_notify", "ndisc_notify"];
        steps.extend(settings(endpoint, |set| notifies.contains(&set.key())));
    }
    steps
}

fn add_address(link: &Link, address: IpNet) -> Step {
    Step::AddAddress {
        link: link.clone(),
        address,
    }
}

fn link_local(mac: crate::addr::MacAddr) -> IpNet {
    const PREFIX_LEN: u8 = 64;
    IpNet::V6(ipnet::Ipv6Net::new_assert(mac.link_local(), PREFIX_LEN))
}

fn sysctl(side: Side, key: Sysctl, value: u32) -> Step {
    Step::SetSysctl { side, key, value }
}
