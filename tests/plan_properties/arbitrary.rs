//! Any step and any plan, with names, aliases and paths that mean harm.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bridgework::plan::{
    BridgeOptions, ConfScope, ContainerFile, FileWrite, HostsEdit, HostsFile, Ipv4Conf, Ipv6Conf,
    Link, Plan, PolicyAction, PolicyRule, PortOptions, Prohibition, Redirect, RootFile, Route,
    Side, Step, Switch, Sysctl, VethStep,
};
use bridgework::{
    ContainerName, Family, LinkIndex, LinkName, LinkSysctl, MacAddr, Mtu, Port, Subnet,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn side() -> impl Strategy<Value = Side> {
    select(vec![Side::Host, Side::Container])
}

fn link_name() -> impl Strategy<Value = LinkName> {
    let names = [
        "eth0", "br-1", "a;b", "$(id)", "`id`", "it's", "\"x", ">&*~", "é", "-n", "a=b",
    ];
    select(names.to_vec()).prop_map(|name| name.parse().expect("the kernel takes it"))
}

/// Few enough links that steps often meet on one.
pub(crate) fn link() -> impl Strategy<Value = Link> {
    let index = (1..3u32).prop_map(|number| LinkIndex::new(number).expect("it is positive"));
    (side(), link_name(), index).prop_map(|(side, name, index)| Link::new(side, name, index))
}

fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr::locally_administered)
}

fn mtu() -> impl Strategy<Value = Mtu> {
    (68..=65_535u32).prop_map(|bytes| Mtu::new(bytes).expect("it is in range"))
}

fn net() -> impl Strategy<Value = ipnet::IpNet> {
    let v4 = (any::<u32>(), 0..=32u8).prop_map(|(bits, len)| {
        ipnet::Ipv4Net::new(bits.into(), len)
            .expect("it is not too long")
            .into()
    });
    let v6 = (any::<u128>(), 0..=128u8).prop_map(|(bits, len)| {
        ipnet::Ipv6Net::new(bits.into(), len)
            .expect("it is not too long")
            .into()
    });
    prop_oneof![v4, v6]
}

/// Text that means harm to a shell, a terminal or a log.
pub(crate) fn nasty() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,12}",
        "['\"`$(){};&|<>*?~#! \\\\\n\r\t\u{1b}\u{85}\u{2028}a-c0-9]{0,12}",
        select(vec![
            "",
            "$(reboot)",
            "`reboot`",
            "';reboot;'",
            "a\nreboot",
            "\\",
            "-n x",
            "\\c"
        ])
        .prop_map(str::to_owned),
    ]
}

fn path() -> impl Strategy<Value = PathBuf> {
    let bytes = prop_oneof![nasty().prop_map(String::into_bytes), vec(any::<u8>(), 0..9)];
    bytes.prop_map(|bytes| Path::new("/run").join(OsString::from_vec(bytes)))
}

pub(crate) fn hosts_edit() -> impl Strategy<Value = HostsEdit> {
    let file = prop_oneof![
        path().prop_map(HostsFile::At),
        path().prop_map(HostsFile::InRoot)
    ];
    let lines = || vec(nasty(), 0..3);
    (file, lines(), lines()).prop_map(|(file, remove, add)| HostsEdit { file, remove, add })
}

pub(crate) fn file_write() -> impl Strategy<Value = FileWrite> {
    let in_root = |(root, file)| ContainerFile::InRoot { root, file };
    let named = select(vec![RootFile::Hosts, RootFile::ResolvConf]);
    let file = prop_oneof![
        path().prop_map(ContainerFile::At),
        (path(), named).prop_map(in_root)
    ];
    (file, nasty(), nasty()).prop_map(|(file, text, former)| FileWrite { file, text, former })
}

fn switch() -> impl Strategy<Value = Option<Switch>> {
    option::of(select(vec![Switch::On, Switch::Off]))
}

fn bridge_options() -> impl Strategy<Value = BridgeOptions> {
    let time = || option::of(any::<u32>().prop_map(|ms| Duration::from_millis(ms.into())));
    (switch(), time(), switch(), time()).prop_map(|(stp, ageing, snooping, delay)| {
        let mut options = BridgeOptions::new();
        options.stp = stp;
        options.ageing = ageing;
        options.multicast_snooping = snooping;
        options.forward_delay = delay;
        options
    })
}

fn port_options() -> impl Strategy<Value = PortOptions> {
    (switch(), switch(), switch()).prop_map(|(hairpin, isolated, learning)| {
        let mut options = PortOptions::new();
        options.hairpin = hairpin;
        options.isolated = isolated;
        options.learning = learning;
        options
    })
}

fn sysctl() -> impl Strategy<Value = Sysctl> {
    let scope = prop_oneof![
        Just(ConfScope::All),
        Just(ConfScope::Default),
        link_name().prop_map(ConfScope::Link),
    ];
    let v4 = select(vec![
        Ipv4Conf::AcceptRedirects,
        Ipv4Conf::ArpNotify,
        Ipv4Conf::Forwarding,
    ]);
    let v6 = select(vec![
        Ipv6Conf::AcceptRa,
        Ipv6Conf::AcceptRedirects,
        Ipv6Conf::DisableIpv6,
        Ipv6Conf::Forwarding,
        Ipv6Conf::NdiscNotify,
    ]);
    (scope, v4, v6, any::<bool>()).prop_map(|(scope, v4, v6, is_ipv4)| match is_ipv4 {
        true => Sysctl::Ipv4(scope, v4),
        false => Sysctl::Ipv6(scope, v6),
    })
}

fn link_sysctl() -> impl Strategy<Value = LinkSysctl> {
    "net\\.ipv[46]\\.(conf|neigh)\\.IFNAME\\.[a-z0-9_]{1,9}=[0-9a-zA-Z:-]([0-9a-z: -]{0,9}[0-9A-Z])?"
        .prop_map(|text| text.parse().expect("it has the form of a setting"))
}

fn veth() -> impl Strategy<Value = VethStep> {
    (link(), mac(), option::of(link()), link(), mac(), mtu()).prop_map(
        |(link, mac, master, peer, peer_mac, mtu)| VethStep {
            link,
            mac,
            master,
            peer,
            peer_mac,
            mtu,
        },
    )
}

/// A route that becomes another of the same kind.
fn replace_route() -> impl Strategy<Value = Step> {
    let gateway = option::of(net().prop_map(|net| net.addr()));
    (route(), gateway, link()).prop_map(|(from, gateway, link)| {
        let to = Route {
            gateway,
            link,
            ..from.clone()
        };
        Step::ReplaceRoute { from, to }
    })
}

fn route() -> impl Strategy<Value = Route> {
    let gateway = option::of(net().prop_map(|net| net.addr()));
    (net(), gateway, link(), 0..3u32).prop_map(|(destination, gateway, link, metric)| Route {
        destination: Subnet::of(destination).into(),
        gateway,
        link,
        metric,
    })
}

fn policy_rule() -> impl Strategy<Value = PolicyRule> {
    let family = select(vec![Family::V4, Family::V6]);
    let action = prop_oneof![
        any::<u32>().prop_map(PolicyAction::Lookup),
        any::<u32>().prop_map(PolicyAction::Goto),
        Just(PolicyAction::Nop),
    ];
    let (by, mark) = (option::of(link_name()), option::of(any::<u32>()));
    (family, any::<u32>(), by, mark, action).prop_map(
        |(family, priority, by, unless_marked, action)| PolicyRule {
            family,
            priority,
            by,
            unless_marked,
            action,
        },
    )
}

fn prohibition() -> impl Strategy<Value = Prohibition> {
    (net(), any::<u32>()).prop_map(|(net, table)| Prohibition {
        subnet: Subnet::of(net),
        table,
    })
}

fn redirect() -> impl Strategy<Value = Redirect> {
    let port = (1..=65_535u32).prop_map(|number| Port::new(number).expect("in range"));
    (any::<[u8; 4]>(), port).prop_map(|(server, port)| Redirect {
        server: server.into(),
        port,
    })
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let add_bridge =
        (link(), mac(), mtu(), bridge_options()).prop_map(|(link, mac, mtu, options)| {
            Step::AddBridge {
                link,
                mac,
                mtu,
                options,
            }
        });
    let moved = (link(), link()).prop_map(|(from, mut to)| {
        to.side = match from.side {
            Side::Host => Side::Container,
            Side::Container => Side::Host,
        };
        Step::MoveLink { from, to }
    });
    let births = prop_oneof![add_bridge, veth().prop_map(Step::AddVeth), moved];
    let sets = prop_oneof![
        (link(), nasty()).prop_map(|(link, alias)| Step::SetAlias { link, alias }),
        link().prop_map(|link| Step::SetNoAutoAddress { link }),
        (link(), nasty()).prop_map(|(link, found)| Step::SetName { link, found }),
        (link(), 68..9000u32).prop_map(|(link, bytes)| {
            let mtu = bridgework::Mtu::new(bytes).unwrap();
            Step::SetMtu { link, mtu }
        }),
        (link(), net()).prop_map(|(link, address)| Step::AddSubnetRoute { link, address }),
        (link(), option::of(link())).prop_map(|(link, master)| Step::SetMaster { link, master }),
        (link(), port_options()).prop_map(|(link, options)| Step::SetPort { link, options }),
        link().prop_map(|link| Step::SetUp { link }),
        (link(), net()).prop_map(|(link, address)| Step::AddAddress { link, address }),
        route().prop_map(Step::AddRoute),
        replace_route(),
        policy_rule().prop_map(Step::AddPolicyRule),
        prohibition().prop_map(Step::AddProhibition),
        redirect().prop_map(Step::AddRedirect),
        link().prop_map(|link| Step::AwaitForwarding { link }),
        (link(), mac()).prop_map(|(link, mac)| Step::Announce { link, mac }),
        (link(), link_sysctl()).prop_map(|(link, setting)| Step::SetLinkSysctl { link, setting }),
        (side(), sysctl(), 0..3u32).prop_map(|(side, key, value)| Step::SetSysctl {
            side,
            key,
            value
        }),
        (side(), sysctl(), 0..3u32).prop_map(|(side, key, value)| Step::KeepSysctl {
            side,
            key,
            value
        }),
    ];
    let ends = prop_oneof![
        link().prop_map(|link| Step::DeleteLink { link }),
        link().prop_map(|link| Step::SetDown { link }),
        (link(), net()).prop_map(|(link, address)| Step::DeleteAddress { link, address }),
        route().prop_map(Step::DeleteRoute),
        policy_rule().prop_map(Step::DeletePolicyRule),
        prohibition().prop_map(Step::DeleteProhibition),
        redirect().prop_map(Step::DeleteRedirect),
    ];
    let files = prop_oneof![
        hosts_edit().prop_map(Step::EditHosts),
        file_write().prop_map(Step::WriteFile)
    ];
    prop_oneof![2 => births, 6 => sets, 1 => ends, 2 => files]
}

/// A plan of which every step prints as one line.
pub(crate) fn plan_of_lines() -> impl Strategy<Value = Plan> {
    plan().prop_map(|plan| {
        let mut lines = plan.undo(0);
        let steps = plan.steps().iter().cloned();
        lines.extend(steps.filter(|step| !matches!(step, Step::AddRedirect(_))));
        lines
    })
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let container = option::of("[a-z0-9][a-z0-9_.-]{0,3}[a-z]");
    (container, vec(step(), 0..12)).prop_map(|(container, steps)| {
        let name = container.and_then(|name| name.parse::<ContainerName>().ok());
        let mut plan = name.map_or_else(Plan::new, Plan::with_container);
        plan.extend(steps);
        plan
    })
}
