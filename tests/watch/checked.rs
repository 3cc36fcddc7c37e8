//! What is wrong is found, told with its remedy, and repaired where it is ours.

use std::process::Command;

use bridgework::plan::Switch;
use bridgework::{Finding, Host, HostConfig, Netns, Network, NetworkConfig};

use crate::ground::{Ground, ground, is_back, nft, own, ruleset, unwatched};
use crate::lab;

/// What somebody types.
fn shell(netns: &Netns, line: &str) {
    let run = || Command::new("sh").args(["-c", line]).output();
    let output = netns.run(run).unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{line}: {errors}");
}

/// The settings and rules by which packets are routed, as others see them.
fn routing(netns: &Netns) -> Vec<String> {
    let mut all = Vec::new();
    for question in [
        "-4 rule show",
        "-6 rule show",
        "-4 route show table 9805",
        "-6 route show table 9805",
    ] {
        let told = lab::ip_json(netns, question).unwrap();
        all.extend(told.iter().map(ToString::to_string));
    }
    all.sort();
    all
}

fn texts(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_is_wrong_with_a_host_that_nobody_has_touched() {
    let (wired, ground) = {
        let host = lab::host();
        (
            lab::neighbour(&host, "lan"),
            crate::ground::ground_on(host, "web"),
        )
    };
    assert_eq!(ground.host.check().unwrap(), []);
    assert_eq!(ground.host.repair().unwrap(), []);
    let internal = ground
        .host
        .create_network(NetworkConfig::bridge("ni").internal());
    assert_eq!(ground.host.check().unwrap(), []);
    drop((internal, wired));
}

#[test]
fn a_host_without_networks_has_nothing_wrong() {
    assert_eq!(lab::host().check().unwrap(), []);
    assert_eq!(lab::host().repair().unwrap(), []);
}

#[test]
fn all_that_is_ours_is_found_missing_and_repaired() {
    let Ground { host, network, .. } = &unwatched();
    let netns = host.netns();
    let before = (ruleset(netns), routing(netns));
    let bridge = &network.spec().link.name;
    for (damage, said, findings) in [
        (
            "nft flush ruleset".to_owned(),
            "table inet bridgework is missing",
            2,
        ),
        (
            "nft flush chain inet bridgework forward".to_owned(),
            "the rules of chain forward",
            1,
        ),
        (
            "nft flush map inet bridgework published_any6".to_owned(),
            "nft 'add element inet bridgework published_any6",
            1,
        ),
        (
            "ip rule del pref 9800".to_owned(),
            "ip -4 rule add pref 9800 iif lo goto 9809",
            1,
        ),
        (
            "ip -6 rule flush".to_owned(),
            "ip -6 rule add pref 9805 iif br-",
            3,
        ),
        (
            "ip route flush table 9805".to_owned(),
            "ip route replace prohibit 10.89.",
            1,
        ),
        (
            "ip -6 route flush table 9805".to_owned(),
            "route replace prohibit fd00:89:",
            1,
        ),
        (
            format!("sysctl -qw net.ipv4.conf.{bridge}.forwarding=0"),
            "forwarding is 0: sysctl",
            1,
        ),
        (
            format!("sysctl -qw net.ipv4.conf.{bridge}.src_valid_mark=0"),
            "src_valid_mark is 0: sysctl",
            1,
        ),
        (
            format!("sysctl -qw net.ipv4.conf.{bridge}.route_localnet=0"),
            "route_localnet is 0: sysctl",
            1,
        ),
        (
            format!("sysctl -qw net.ipv6.conf.{bridge}.accept_ra=1"),
            "accept_ra is 1: sysctl",
            1,
        ),
    ] {
        shell(netns, &damage);
        let found = host.check().unwrap();
        assert_eq!(found.len(), findings, "{damage}: {found:#?}");
        assert!(
            texts(&found).iter().any(|text| text.contains(said)),
            "{damage}: {:#?}",
            texts(&found)
        );
        assert!(found.iter().all(Finding::is_ours));
        assert_eq!(host.repair().unwrap(), found, "{damage}");
        assert_eq!(host.check().unwrap(), [], "{damage}");
        is_back(netns, &before.0);
        let now = routing(netns);
        let ours = before.1.iter().filter(|line| line.contains("98"));
        assert!(
            ours.clone().all(|line| now.contains(line)),
            "{damage}: {now:#?}"
        );
    }
}

#[test]
fn the_remedies_that_findings_print_are_remedies() {
    let Ground { host, network, .. } = &unwatched();
    let netns = host.netns();
    let bridge = &network.spec().link.name;
    for damage in [
        "nft flush map inet bridgework published_any4".to_owned(),
        "ip rule del pref 9809".to_owned(),
        "ip route flush table 9805".to_owned(),
        format!("sysctl -qw net.ipv4.conf.{bridge}.forwarding=0"),
    ] {
        shell(netns, &damage);
        let found = texts(&host.check().unwrap());
        assert!(!found.is_empty(), "{damage}");
        for text in found {
            let (_, remedy) = text.split_once(": ").unwrap();
            shell(netns, remedy);
        }
        assert_eq!(host.check().unwrap(), [], "{damage}");
    }
}

#[test]
fn a_link_that_comes_later_becomes_an_uplink() {
    let Ground {
        host,
        endpoint,
        web,
        ..
    } = &ground();
    let (pair, neighbour) = lab::neighbour(host, "late");
    let found = host.check().unwrap();
    assert!(
        matches!(&found[..], [Finding::Uplink { link }] if link.as_str() == "late"),
        "{found:?}"
    );
    assert!(
        texts(&found)[0].starts_with("late has got addresses"),
        "{found:?}"
    );
    assert_eq!(host.repair().unwrap(), found);
    assert_eq!(host.check().unwrap(), []);
    // by which the port is reached
    pair.far()
        .add_address("192.0.2.2/24".parse().unwrap())
        .unwrap();
    let listening = web
        .run(|| std::net::TcpListener::bind("0.0.0.0:80"))
        .unwrap()
        .unwrap();
    let port = endpoint.published()[0].host_port.get();
    let to = std::net::SocketAddr::from(([192, 0, 2, 1], port));
    let connected = neighbour.run(|| std::net::TcpStream::connect_timeout(&to, lab::DEADLINE));
    connected.unwrap().unwrap();
    listening.accept().unwrap();
    // what was switched on for it is found missing, too
    shell(host.netns(), "sysctl -qw net.ipv4.conf.late.forwarding=0");
    let found = host.check().unwrap();
    assert!(matches!(&found[..], [Finding::Setting { .. }]), "{found:?}");
    assert_eq!(host.repair().unwrap(), found);
}

#[test]
fn an_uplink_that_came_later_is_as_it_was_when_the_last_network_goes() {
    let ground = ground();
    let host = ground.host.clone();
    let wired = lab::neighbour(&host, "late");
    host.repair().unwrap();
    let forwards = || std::fs::read_to_string("/proc/sys/net/ipv4/conf/late/forwarding");
    let forwards = || host.netns().run(forwards).unwrap().unwrap();
    assert_eq!(forwards(), "1\n");
    drop(ground);
    assert_eq!(own(host.netns()), [""; 0]);
    assert_eq!(forwards(), "0\n");
    assert!(!routing(host.netns()).iter().any(|line| line.contains("98")));
    drop(wired);
}

fn foreign_drop(network: &Network, family: &str, table: &str, chain: &str) -> String {
    let bridge = &network.spec().link.name;
    format!(
        "chain {chain} of table {family} {table} drops what it does not accept, and nothing else can \
         accept it: nft 'insert rule {family} {table} {chain} iifname \"{bridge}\" accept; insert rule \
         {family} {table} {chain} oifname \"{bridge}\" accept'"
    )
}

#[test]
fn a_foreign_chain_that_drops_is_told_of_until_it_accepts_what_is_ours() {
    let Ground { host, network, .. } = &ground();
    let netns = host.netns();
    for (family, table, chain) in [
        ("ip", "filter", "FORWARD"),
        ("ip6", "mine", "onward"),
        ("inet", "firewalld", "filter_FORWARD"),
    ] {
        nft(netns, &format!("add table {family} {table}"));
        let hook = "{ type filter hook forward priority 0; policy drop; }";
        nft(netns, &format!("add chain {family} {table} {chain} {hook}"));
        let before = ruleset(netns);
        let found = host.check().unwrap();
        let text = foreign_drop(network, family, table, chain);
        assert!(
            texts(&found).contains(&text),
            "{:#?}\n{text}",
            texts(&found)
        );
        assert!(!found.iter().any(Finding::is_ours));
        assert_eq!(host.repair().unwrap(), []);
        assert_eq!(ruleset(netns), before, "it is not ours");
        let (_, remedy) = text.split_once(": ").unwrap();
        shell(netns, remedy);
        assert_eq!(host.check().unwrap(), [], "{:#?}", ruleset(netns));
    }
}

#[test]
fn what_iptables_makes_is_found_and_its_own_accepts_are_understood() {
    let Ground { host, network, .. } = &ground();
    let netns = host.netns();
    if lab::output(netns, "iptables-nft -P FORWARD DROP").is_none() {
        return;
    }
    let found = host.check().unwrap();
    assert!(
        texts(&found).contains(&foreign_drop(network, "ip", "filter", "FORWARD")),
        "{found:#?}"
    );
    let bridge = &network.spec().link.name;
    shell(
        netns,
        &format!("iptables-nft -I FORWARD -i {bridge} -j ACCEPT"),
    );
    assert_ne!(host.check().unwrap(), [], "only one way");
    shell(
        netns,
        &format!("iptables-nft -I FORWARD -o {bridge} -j ACCEPT"),
    );
    assert_eq!(host.check().unwrap(), []);
}

#[test]
fn filtered_frames_are_told_of_where_they_hurt() {
    let host = lab::host();
    let setting = || std::fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "1");
    if host.netns().run(setting).unwrap().is_err() {
        eprintln!("NOT CHECKED: this kernel filters no frames");
        return;
    }
    let apart =
        NetworkConfig::bridge("apart").option("com.docker.network.bridge.enable_icc", "false");
    let network = host.create_network(apart).unwrap();
    let bridge = &network.spec().link.name;
    let found = texts(&host.check().unwrap());
    let [text] = &found[..] else {
        panic!("{found:?}")
    };
    let why = format!(
        "containers that are kept apart reach no published port within {bridge}: sysctl -w"
    );
    assert!(text.contains(&why), "{text}");
    shell(
        host.netns(),
        "nft 'add table ip t; add chain ip t c { type filter hook forward priority 0; policy drop; }'",
    );
    let found = texts(&host.check().unwrap());
    assert!(
        found[1].contains(&format!("a foreign chain drops them within {bridge}, and ")),
        "{found:?}"
    );
    shell(host.netns(), text.split_once(": ").unwrap().1);
    shell(host.netns(), "nft delete table ip t");
    assert_eq!(host.check().unwrap(), []);
}

#[test]
fn a_bridge_that_is_gone_is_told_of() {
    let Ground { host, network, .. } = &unwatched();
    let bridge = &network.spec().link.name;
    shell(host.netns(), &format!("ip link del {bridge}"));
    let found = texts(&host.check().unwrap());
    assert!(
        found[0].starts_with(&format!("the bridge {bridge} is gone: ip link add name")),
        "{found:?}"
    );
}

#[test]
fn a_host_without_a_firewall_is_not_checked_for_one() {
    let config = HostConfig::new()
        .netns(Netns::create().unwrap())
        .firewall(Switch::Off);
    let host = Host::open_with(config).unwrap();
    let network = host.create_network(NetworkConfig::bridge("bare")).unwrap();
    assert_eq!(host.check().unwrap(), []);
    drop(network);
}
