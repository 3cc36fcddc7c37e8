//! A model of a host with two containers, what somebody does to it, and what the kernel makes of steps.

mod expected;
mod missing;

use ipnet::IpNet;
use proptest::prelude::*;

use super::{Deviation, Present};
use crate::addr::{LinkIndex, MacAddr, Mtu};
use crate::plan::{
    BridgeOptions, ConfScope, Ipv4Conf, Link, PROHIBITION_TABLE, Plan, PortOptions, Prohibition,
    ROUTE_PROTOCOL, Route, Side, Step, Switch, Sysctl, VethStep,
};
use crate::snapshot::{AddressState, LinkState, RouteState, Snapshot};

const FOREIGN: u32 = 40;

fn link(side: Side, name: &str, index: u32) -> Link {
    let index = LinkIndex::new(index).expect("it is in range");
    Link::new(side, name.parse().expect("it is a name"), index)
}

fn bridge() -> Link {
    link(Side::Host, "br0", 10)
}

fn mac(last: u8) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 0, last]).expect("it is one")
}

fn net(text: &str) -> IpNet {
    text.parse().expect("it is one")
}

fn prohibition(subnet: &str) -> Step {
    Step::AddProhibition(Prohibition {
        subnet: subnet.parse().expect("it is one"),
        table: PROHIBITION_TABLE,
    })
}

fn network() -> Plan {
    let link = bridge();
    let add = |address: &str| Step::AddAddress {
        link: bridge(),
        address: net(address),
    };
    let forwarding = Sysctl::Ipv4(ConfScope::Link(link.name.clone()), Ipv4Conf::Forwarding);
    Plan::from_iter([
        prohibition("10.9.0.0/24"),
        prohibition("fd09::/64"),
        Step::AddBridge {
            link: link.clone(),
            mac: mac(1),
            mtu: Mtu::ETHERNET,
            options: BridgeOptions::new(),
        },
        Step::SetAlias {
            link: link.clone(),
            alias: "bridgework network web".to_owned(),
        },
        Step::SetSysctl {
            side: Side::Host,
            key: forwarding,
            value: 1,
        },
        add("10.9.0.1/24"),
        add("fd09::1/64"),
        add("10.9.1.1/32"),
        Step::SetUp { link: link.clone() },
        Step::AddRoute(Route::new(net("10.10.0.0/16"), &link)),
        Step::AddRoute(Route::new(net("fd10::/64"), &link)),
    ])
}

fn wire(number: u8) -> Plan {
    let near = link(Side::Host, &format!("veth{number}"), 20 + u32::from(number));
    let far = link(Side::Container, "eth0", 30);
    let veth = VethStep {
        link: near.clone(),
        mac: mac(20 + number),
        master: Some(bridge()),
        peer: far.clone(),
        peer_mac: mac(30),
        mtu: Mtu::ETHERNET,
    };
    Plan::from_iter([
        Step::AddVeth(veth),
        Step::SetAlias {
            link: near.clone(),
            alias: format!("bridgework endpoint {number}"),
        },
        Step::SetPort {
            link: near.clone(),
            options: PortOptions::new().isolated(Switch::On),
        },
        Step::SetUp { link: near },
        Step::AddAddress {
            link: far.clone(),
            address: net("10.9.0.2/24"),
        },
        Step::SetUp { link: far },
    ])
}

fn plans() -> [Plan; 3] {
    [network(), wire(1), wire(2)]
}

/// What the kernel would make of a step.
fn perform(host: &mut Snapshot, step: &Step) {
    let Some(link) = step.link() else {
        if let Step::AddProhibition(prohibition) = step {
            host.routes.push(RouteState {
                destination: prohibition.subnet.into(),
                gateway: None,
                link: None,
                metric: 0,
                table: prohibition.table,
                protocol: ROUTE_PROTOCOL,
            });
        }
        return;
    };
    let index = link.index.get();
    if let Step::AddBridge { mac, mtu, .. } = step {
        bear(host, (link, "bridge"), *mac, *mtu);
    }
    if let Step::AddVeth(veth) = step {
        bear(host, (link, "veth"), veth.mac, veth.mtu);
        state(host, index).master = veth.master.as_ref().map(|master| master.index.get());
    }
    match step {
        Step::SetAlias { alias, .. } => state(host, index).alias.clone_from(alias),
        Step::SetName { link, .. } => state(host, index).name = link.name.to_string(),
        Step::SetMtu { mtu, .. } => state(host, index).mtu_bytes = mtu.bytes(),
        Step::Announce { mac, .. } => state(host, index).mac = Some(*mac),
        Step::SetMaster { master, .. } => {
            state(host, index).master = master.as_ref().map(|master| master.index.get());
        }
        Step::SetUp { .. } => raise(host, index),
        Step::AddAddress { address, .. } => {
            host.addresses.push(AddressState::new(index, *address));
            if state(host, index).up {
                connect(host, index, *address);
            }
        }
        Step::AddSubnetRoute { address, .. } => connect(host, index, *address),
        Step::AddRoute(route) => host.routes.push(RouteState {
            destination: route.destination.trunc(),
            gateway: None,
            link: Some(index),
            metric: route.kernel_metric(),
            table: 254,
            protocol: ROUTE_PROTOCOL,
        }),
        _ => {}
    }
}

fn bear(host: &mut Snapshot, (link, kind): (&Link, &str), mac: MacAddr, mtu: Mtu) {
    let mut state = LinkState::new(link.index.get(), link.name.as_str(), kind);
    state.mac = Some(mac);
    state.mtu_bytes = mtu.bytes();
    host.links.push(state);
}

fn state(host: &mut Snapshot, index: u32) -> &mut LinkState {
    let mut links = host.links.iter_mut();
    links.find(|link| link.index == index).expect("it is there")
}

fn connect(host: &mut Snapshot, index: u32, address: IpNet) {
    let route = RouteState {
        destination: address.trunc(),
        gateway: None,
        link: Some(index),
        metric: 0,
        table: 254,
        protocol: 2,
    };
    let is_alone = address.prefix_len() == address.max_prefix_len();
    if !is_alone && !host.routes.contains(&route) {
        host.routes.push(route);
    }
}

fn raise(host: &mut Snapshot, index: u32) {
    state(host, index).up = true;
    let addresses = host.addresses.clone();
    let own = addresses.iter().filter(|address| address.link == index);
    own.for_each(|own| connect(host, index, own.address));
}

fn delete(host: &mut Snapshot, index: u32) {
    host.links.retain(|link| link.index != index);
    host.addresses.retain(|address| address.link != index);
    host.routes.retain(|route| route.link != Some(index));
    let ports = host.links.iter_mut();
    let ports = ports.filter(|link| link.master == Some(index));
    ports.for_each(|port| port.master = None);
}

fn whole() -> Snapshot {
    let mut host = Snapshot::default();
    for (index, name) in [(1, "lo"), (FOREIGN, "lan")] {
        host.links.push(LinkState::new(index, name, ""));
        host.addresses
            .push(AddressState::new(index, net("192.0.2.1/24")));
        raise(&mut host, index);
    }
    let plans = plans();
    let steps = plans.iter().flat_map(Plan::steps);
    let near = steps.filter(|step| step.side() == Some(Side::Host));
    near.for_each(|step| perform(&mut host, step));
    host
}

fn missing(plan: &Plan, host: &Snapshot) -> Vec<Deviation> {
    super::missing(plan, &Present::of(host))
}

/// What of all plans is missing.
fn all_missing(host: &Snapshot) -> Vec<Deviation> {
    let plans = plans();
    plans.iter().flat_map(|plan| missing(plan, host)).collect()
}

/// What somebody does.
#[derive(Debug, Clone)]
enum Act {
    Delete(u32),
    Rename(u32),
    Down(u32),
    Readdress(u32),
    Resize(u32),
    Enslave(u32, Option<u32>),
    Forget(u32),
    TakeAddress(usize),
    TakeRoute(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let ours = || prop_oneof![Just(10u32), Just(21), Just(22)];
    prop_oneof![
        ours().prop_map(Act::Delete),
        ours().prop_map(Act::Rename),
        ours().prop_map(Act::Down),
        ours().prop_map(Act::Readdress),
        ours().prop_map(Act::Resize),
        (ours(), proptest::option::of(Just(FOREIGN))).prop_map(|(of, to)| Act::Enslave(of, to)),
        ours().prop_map(Act::Forget),
        (0..8usize).prop_map(Act::TakeAddress),
        (0..12usize).prop_map(Act::TakeRoute),
    ]
}

fn suffer(host: &mut Snapshot, act: &Act) {
    let is_foreign = |link: Option<u32>| [Some(1), Some(FOREIGN)].contains(&link);
    match *act {
        Act::TakeAddress(at) if at < host.addresses.len() => {
            let AddressState { link, address, .. } = host.addresses[at].clone();
            if !is_foreign(Some(link)) {
                host.addresses.remove(at);
                let is_its = |r: &RouteState| r.protocol == 2 && r.destination == address.trunc();
                host.routes
                    .retain(|route| route.link != Some(link) || !is_its(route));
            }
        }
        Act::TakeRoute(at) if at < host.routes.len() => {
            if !is_foreign(host.routes[at].link) {
                host.routes.remove(at);
            }
        }
        Act::TakeAddress(_) | Act::TakeRoute(_) => {}
        Act::Delete(of)
        | Act::Rename(of)
        | Act::Down(of)
        | Act::Readdress(of)
        | Act::Resize(of)
        | Act::Enslave(of, _)
        | Act::Forget(of) => {
            if host.link_at(of).is_none() {
                return;
            }
            let link = state(host, of);
            match act {
                Act::Rename(_) => link.name = format!("odd{of}"),
                Act::Readdress(_) => link.mac = Some(mac(99)),
                Act::Resize(_) => link.mtu_bytes = 1400,
                Act::Enslave(_, to) => link.master = *to,
                // somebody who renames it too has taken it over
                Act::Forget(_) if !link.name.starts_with("odd") => link.alias.clear(),
                Act::Down(_) => {
                    link.up = false;
                    host.routes.retain(|route| route.link != Some(of));
                }
                Act::Delete(_) => delete(host, of),
                _ => {}
            }
        }
    }
}

fn sorted(mut host: Snapshot) -> Snapshot {
    host.links.sort_by_key(|link| link.index);
    host.addresses.sort();
    host.routes.sort();
    host
}
