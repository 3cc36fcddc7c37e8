//! Every step, one by one: its line, its fate, and the line of its inverse.

use std::collections::BTreeSet;
use std::time::Duration;

use bridgework::plan::{
    BridgeOptions, ConfScope, ContainerFile, Fate, FileWrite, HostsEdit, HostsFile, Ipv4Conf,
    Ipv6Conf, Link, PolicyAction, PolicyRule, PortOptions, Prohibition, RootFile, Route, Side,
    Step, Switch, Sysctl, VethStep,
};
use bridgework::{Family, LinkIndex, LinkName, MacAddr, Mtu};

const FALLS: Fate = Fate::FallsWithLink;
pub const STAYS: Fate = Fate::Stays;
pub const UNDONE: Fate = Fate::Undone;
pub const NONE: &str = "";

fn link(side: Side, name: &str, index: u32) -> Link {
    let name: LinkName = name.parse().unwrap();
    Link::new(side, name, LinkIndex::new(index).unwrap())
}

fn near() -> Link {
    link(Side::Host, "veth0", 7)
}

fn far() -> Link {
    link(Side::Container, "eth0", 8)
}

fn bridge() -> Link {
    link(Side::Host, "br0", 9)
}

fn mac(last: u8) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 0, last]).unwrap()
}

fn check(rows: Vec<(Step, &str, Fate, &str)>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (step, line, fate, inverse) in rows {
        let name = variant(&step);
        assert_eq!(step.to_string(), line, "{name}");
        assert_eq!(step.fate(), fate, "{name}");
        let back = step.inverse().map(|step| step.to_string());
        assert_eq!(back.unwrap_or_default(), inverse, "{name}");
        names.insert(name);
    }
    names
}

/// The variant's name, which `Debug` writes first.
fn variant(step: &Step) -> String {
    let text = format!("{step:?}");
    let end = text.find(|c: char| !c.is_ascii_alphanumeric());
    text[..end.unwrap_or(text.len())].to_owned()
}

/// The names of all variants, read from the source: `Step` is not exhaustive, so that no match out
/// here could say that one is missing.
fn variants_in_source() -> BTreeSet<String> {
    let source = include_str!("../../src/plan/step.rs");
    let start = source.find("pub enum Step {").expect("the enum");
    let body = &source[start..];
    let body = &body[..body.find("\n}").expect("its end")];
    let name = |line: &str| {
        let word = line.strip_prefix("    ")?;
        let end = word.find(|c: char| !c.is_ascii_alphanumeric())?;
        word.starts_with(|c: char| c.is_ascii_uppercase())
            .then(|| word[..end].to_owned())
    };
    body.lines().filter_map(name).collect()
}

#[test]
fn every_kind_of_step_has_a_line_a_fate_and_an_inverse_that_somebody_has_read() {
    let mut covered = BTreeSet::new();
    for rows in [
        births(),
        marks(),
        states(),
        addresses(),
        routes(),
        policy(),
        crate::firewall_steps::rows(),
        others(),
        files(),
    ] {
        covered.extend(check(rows));
    }
    assert_eq!(covered, variants_in_source());
    assert_eq!(covered.len(), 36);
}

fn births() -> Vec<(Step, &'static str, Fate, &'static str)> {
    let options = BridgeOptions::new()
        .stp(Switch::On)
        .ageing(Duration::from_millis(12_345))
        .multicast_snooping(Switch::Off)
        .forward_delay(Duration::from_secs(2));
    let add_bridge = |options| Step::AddBridge {
        link: bridge(),
        mac: mac(1),
        mtu: Mtu::ETHERNET,
        options,
    };
    let add_veth = |master, peer| {
        Step::AddVeth(VethStep {
            link: near(),
            mac: mac(2),
            master,
            peer,
            peer_mac: mac(3),
            mtu: Mtu::IPV6_MIN,
        })
    };
    let beside = link(Side::Host, "veth1", 8);
    let gone = Step::DeleteLink { link: far() };
    let moved = Step::MoveLink {
        from: beside.clone(),
        to: far(),
    };
    vec![
        (
            moved,
            "ip link set dev veth1 netns container name eth0",
            FALLS,
            "ip -n container link set dev eth0 netns $$ name veth1",
        ),
        (
            add_bridge(BridgeOptions::new()),
            "ip link add name br0 index 9 address 02:00:00:00:00:01 mtu 1500 type bridge",
            UNDONE,
            "ip link del dev br0",
        ),
        (
            add_bridge(options),
            "ip link add name br0 index 9 address 02:00:00:00:00:01 mtu 1500 type bridge \
             stp_state 1 ageing_time 1234 mcast_snooping 0 forward_delay 200",
            UNDONE,
            "ip link del dev br0",
        ),
        (
            add_veth(Some(bridge()), far()),
            "ip link add name veth0 index 7 address 02:00:00:00:00:02 mtu 1280 numtxqueues 1 \
             numrxqueues 1 master br0 type veth peer name eth0 index 8 address 02:00:00:00:00:03 \
             mtu 1280 numtxqueues 1 numrxqueues 1 netns container",
            UNDONE,
            "ip link del dev veth0",
        ),
        (
            add_veth(None, beside),
            "ip link add name veth0 index 7 address 02:00:00:00:00:02 mtu 1280 numtxqueues 1 \
             numrxqueues 1 type veth peer name veth1 index 8 address 02:00:00:00:00:03 \
             mtu 1280 numtxqueues 1 numrxqueues 1",
            UNDONE,
            "ip link del dev veth0",
        ),
        (gone, "ip -n container link del dev eth0", STAYS, NONE),
    ]
}

fn marks() -> Vec<(Step, &'static str, Fate, &'static str)> {
    let alias = "it's ours; $(reboot)".to_owned();
    vec![
        (
            Step::SetAlias {
                link: near(),
                alias,
            },
            r"ip link set dev veth0 alias 'it'\''s ours; $(reboot)'",
            FALLS,
            NONE,
        ),
        (
            Step::SetNoAutoAddress { link: far() },
            "ip -n container link set dev eth0 addrgenmode none",
            FALLS,
            NONE,
        ),
        (
            Step::SetMaster {
                link: near(),
                master: Some(bridge()),
            },
            "ip link set dev veth0 master br0",
            FALLS,
            "ip link set dev veth0 nomaster",
        ),
        (
            Step::SetMaster {
                link: near(),
                master: None,
            },
            "ip link set dev veth0 nomaster",
            FALLS,
            NONE,
        ),
        (
            Step::SetPort {
                link: near(),
                options: PortOptions::new()
                    .hairpin(Switch::On)
                    .isolated(Switch::Off)
                    .learning(Switch::On),
            },
            "bridge link set dev veth0 hairpin on isolated off learning on",
            FALLS,
            NONE,
        ),
    ]
}

fn states() -> Vec<(Step, &'static str, Fate, &'static str)> {
    vec![
        (
            Step::RaiseLoopback { side: Side::Host },
            "ip link set dev lo up",
            STAYS,
            NONE,
        ),
        (
            Step::SetUp { link: far() },
            "ip -n container link set dev eth0 up",
            FALLS,
            "ip -n container link set dev eth0 down",
        ),
        (
            Step::SetDown { link: near() },
            "ip link set dev veth0 down",
            STAYS,
            NONE,
        ),
        (
            Step::SetName {
                link: near(),
                found: "elsewhere".to_owned(),
            },
            "ip link set dev elsewhere name veth0",
            FALLS,
            NONE,
        ),
        (
            Step::SetMtu {
                link: near(),
                mtu: Mtu::IPV6_MIN,
            },
            "ip link set dev veth0 mtu 1280",
            FALLS,
            NONE,
        ),
        (
            Step::AddSubnetRoute {
                link: bridge(),
                address: "10.0.0.1/24".parse().unwrap(),
            },
            "ip route add 10.0.0.0/24 dev br0 proto kernel scope link src 10.0.0.1",
            FALLS,
            NONE,
        ),
        (
            Step::AwaitForwarding { link: near() },
            "until bridge link show dev veth0 | grep -q forwarding; do :; done",
            FALLS,
            NONE,
        ),
        (
            Step::Announce {
                link: far(),
                mac: mac(3),
            },
            "ip -n container link set dev eth0 address 02:00:00:00:00:03",
            FALLS,
            NONE,
        ),
    ]
}

fn addresses() -> Vec<(Step, &'static str, Fate, &'static str)> {
    let add = |address: &str| Step::AddAddress {
        link: far(),
        address: address.parse().unwrap(),
    };
    vec![
        (
            add("10.0.0.2/24"),
            "ip -n container addr add 10.0.0.2/24 brd + dev eth0",
            FALLS,
            "ip -n container addr del 10.0.0.2/24 dev eth0",
        ),
        (
            add("10.0.0.2/31"),
            "ip -n container addr add 10.0.0.2/31 dev eth0",
            FALLS,
            "ip -n container addr del 10.0.0.2/31 dev eth0",
        ),
        (
            add("fd00::2/64"),
            "ip -n container addr add fd00::2/64 nodad dev eth0",
            FALLS,
            "ip -n container addr del fd00::2/64 dev eth0",
        ),
        (
            Step::DeleteAddress {
                link: near(),
                address: "10.0.0.2/24".parse().unwrap(),
            },
            "ip addr del 10.0.0.2/24 dev veth0",
            STAYS,
            NONE,
        ),
    ]
}

fn routes() -> Vec<(Step, &'static str, Fate, &'static str)> {
    let route = |destination: &str, gateway: Option<&str>, metric| Route {
        destination: destination.parse().unwrap(),
        gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        link: far(),
        metric,
    };
    let v4 = route("0.0.0.0/0", Some("10.0.0.1"), 0);
    let v6 = route("::/0", Some("fd00::1"), 1025);
    let (from, to) = (
        route("::/0", Some("fd00::1"), 0),
        route("::/0", Some("fd00::9"), 0),
    );
    vec![
        (
            Step::AddRoute(v4),
            "ip -n container route add default via 10.0.0.1 dev eth0 proto 98",
            FALLS,
            "ip -n container route del default via 10.0.0.1 dev eth0 proto 98",
        ),
        (
            Step::ReplaceRoute { from, to },
            "ip -n container -6 route replace default via fd00::9 dev eth0 proto 98",
            UNDONE,
            "ip -n container -6 route replace default via fd00::1 dev eth0 proto 98",
        ),
        (
            Step::AddRoute(v6),
            "ip -n container -6 route add default via fd00::1 dev eth0 proto 98 metric 1025",
            FALLS,
            "ip -n container -6 route del default via fd00::1 dev eth0 proto 98 metric 1025",
        ),
        (
            Step::DeleteRoute(route("10.9.0.0/16", None, 5)),
            "ip -n container route del 10.9.0.0/16 dev eth0 proto 98 metric 5",
            STAYS,
            NONE,
        ),
    ]
}

fn policy() -> Vec<(Step, &'static str, Fate, &'static str)> {
    let rule = |family, by: Option<&str>, unless_marked, action| PolicyRule {
        family,
        priority: 9805,
        by: by.map(|name| name.parse().unwrap()),
        unless_marked,
        action,
    };
    let unmarked = Some(0x0800_0000);
    let lookup = PolicyAction::Lookup(9805);
    let prohibition = |subnet: &str| Prohibition {
        subnet: subnet.parse().unwrap(),
        table: 9805,
    };
    vec![
        (
            Step::AddPolicyRule(rule(Family::V4, Some("br0"), unmarked, lookup)),
            "ip -4 rule add pref 9805 iif br0 fwmark 0/0x8000000 lookup 9805 protocol 98",
            UNDONE,
            "ip -4 rule del pref 9805 iif br0 fwmark 0/0x8000000 lookup 9805 protocol 98",
        ),
        (
            Step::AddPolicyRule(rule(Family::V6, Some("lo"), None, PolicyAction::Goto(9809))),
            "ip -6 rule add pref 9805 iif lo goto 9809 protocol 98",
            UNDONE,
            "ip -6 rule del pref 9805 iif lo goto 9809 protocol 98",
        ),
        (
            Step::DeletePolicyRule(rule(Family::V4, None, None, PolicyAction::Nop)),
            "ip -4 rule del pref 9805 nop protocol 98",
            STAYS,
            NONE,
        ),
        (
            Step::AddProhibition(prohibition("10.1.0.0/24")),
            "ip route replace prohibit 10.1.0.0/24 table 9805 proto 98",
            UNDONE,
            "ip route del prohibit 10.1.0.0/24 table 9805 proto 98",
        ),
        (
            Step::DeleteProhibition(prohibition("fd00::/64")),
            "ip -6 route del prohibit fd00::/64 table 9805 proto 98",
            STAYS,
            NONE,
        ),
    ]
}

fn others() -> Vec<(Step, &'static str, Fate, &'static str)> {
    let sysctl = |side, key| Step::SetSysctl {
        side,
        key,
        value: 0,
    };
    let of = |link: Link| ConfScope::Link(link.name);
    let keep = |scope| Step::KeepSysctl {
        side: Side::Host,
        key: Sysctl::Ipv4(scope, Ipv4Conf::Forwarding),
        value: 0,
    };
    let edit = |file| {
        Step::EditHosts(HostsEdit {
            file,
            remove: Vec::new(),
            add: vec!["10.0.0.2\tweb".to_owned()],
        })
    };
    vec![
        (
            sysctl(
                Side::Container,
                Sysctl::Ipv4(of(far()), Ipv4Conf::AcceptRedirects),
            ),
            "ip netns exec container sysctl -w net/ipv4/conf/eth0/accept_redirects=0",
            FALLS,
            NONE,
        ),
        (
            sysctl(
                Side::Host,
                Sysctl::Ipv6(ConfScope::All, Ipv6Conf::Forwarding),
            ),
            "sysctl -w net/ipv6/conf/all/forwarding=0",
            STAYS,
            NONE,
        ),
        (
            sysctl(
                Side::Host,
                Sysctl::Ipv6(ConfScope::Default, Ipv6Conf::DisableIpv6),
            ),
            "sysctl -w net/ipv6/conf/default/disable_ipv6=0",
            STAYS,
            NONE,
        ),
        (
            keep(of(bridge())),
            ": net/ipv4/conf/br0/forwarding=0",
            FALLS,
            "sysctl -w net/ipv4/conf/br0/forwarding=0",
        ),
        (
            keep(ConfScope::Default),
            ": net/ipv4/conf/default/forwarding=0",
            UNDONE,
            "sysctl -w net/ipv4/conf/default/forwarding=0",
        ),
        (
            Step::SetLinkSysctl {
                link: far(),
                setting: "net.ipv4.neigh.IFNAME.gc_stale_time=30".parse().unwrap(),
            },
            "ip netns exec container sysctl -w net/ipv4/neigh/eth0/gc_stale_time=30",
            FALLS,
            NONE,
        ),
        (
            Step::SetLinkSysctl {
                link: link(Side::Host, "a.b$c", 7),
                setting: "net.ipv6.conf.IFNAME.stable_secret=2001:db8::1 2"
                    .parse()
                    .unwrap(),
            },
            "sysctl -w 'net/ipv6/conf/a.b$c/stable_secret=2001:db8::1 2'",
            FALLS,
            NONE,
        ),
        (
            edit(HostsFile::At("/srv/web hosts".into())),
            "echo '10.0.0.2\tweb' >> '/srv/web hosts'",
            UNDONE,
            "grep -avxF -e '10.0.0.2\tweb' '/srv/web hosts' > '/srv/web hosts.kept'; \
             cat '/srv/web hosts.kept' > '/srv/web hosts'; rm '/srv/web hosts.kept'",
        ),
        (
            edit(HostsFile::InRoot("/srv/root".into())),
            "echo '10.0.0.2\tweb' >> /srv/root/etc/hosts",
            UNDONE,
            "grep -avxF -e '10.0.0.2\tweb' /srv/root/etc/hosts > /srv/root/etc/hosts.kept; \
             cat /srv/root/etc/hosts.kept > /srv/root/etc/hosts; rm /srv/root/etc/hosts.kept",
        ),
    ]
}

fn files() -> Vec<(Step, &'static str, Fate, &'static str)> {
    let write = |file: ContainerFile, text: &str, former: &str| {
        let [text, former] = [text, former].map(str::to_owned);
        Step::WriteFile(FileWrite { file, text, former })
    };
    let at = || ContainerFile::At("/srv/web resolv".into());
    let in_root = |file| ContainerFile::InRoot {
        root: "/srv/root".into(),
        file,
    };
    vec![
        (
            write(at(), "search a\n", ""),
            r"test -s '/srv/web resolv' || printf '%s' $'search a\012' > '/srv/web resolv'",
            UNDONE,
            r"if printf '%s' $'search a\012' | cmp -s - '/srv/web resolv'; then : > '/srv/web resolv'; fi",
        ),
        (
            write(in_root(RootFile::ResolvConf), "search a", "search b"),
            "if test '!' -s /srv/root/etc/resolv.conf || printf '%s' 'search b' | cmp -s - \
             /srv/root/etc/resolv.conf; then printf '%s' 'search a' > /srv/root/etc/resolv.conf; fi",
            UNDONE,
            "if test '!' -s /srv/root/etc/resolv.conf || printf '%s' 'search a' | cmp -s - \
             /srv/root/etc/resolv.conf; then printf '%s' 'search b' > /srv/root/etc/resolv.conf; fi",
        ),
        (write(in_root(RootFile::Hosts), "", ""), ":", UNDONE, ":"),
    ]
}
