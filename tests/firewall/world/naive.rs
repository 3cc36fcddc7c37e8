//! A firewall made by hand as others made theirs, with the faults that they are known for: it
//! forwards everything, translates what passes through, hides clients, and filters nothing. An
//! attack that fails here too says nothing of the guard.

use std::fmt::Write as _;
use std::net::IpAddr;

use bridgework::{Host, PortMapping};

use super::forward_everything;
use crate::text::{nft, set_sysctl};

pub fn raise(host: &Host) {
    forward_everything(host.netns());
    let links = host
        .netns()
        .run(|| std::fs::read_dir("/proc/sys/net/ipv4/conf"));
    for link in links.expect("inside").expect("links").flatten() {
        let link = link.file_name().to_string_lossy().into_owned();
        let key = |name: &str| format!("ipv4.conf.{}.{name}", link.replace('.', "/"));
        set_sysctl(host.netns(), &key("route_localnet"), "1");
        set_sysctl(host.netns(), &key("rp_filter"), "0");
    }
    nft(host.netns(), &table(host));
}

fn table(host: &Host) -> String {
    let mut ports = String::new();
    for network in host.networks() {
        for endpoint in network.endpoints() {
            for mapping in &endpoint.ports {
                for to in endpoint.addresses() {
                    write_port(&mut ports, mapping, to.address.addr());
                }
            }
        }
    }
    let bridges: Vec<_> = host
        .networks()
        .iter()
        .map(|n| n.spec().link.name.to_string())
        .collect();
    let bridges = bridges.join(", ");
    format!(
        "add table inet naive\nflush table inet naive\ntable inet naive {{\n\
         chain prerouting {{ type nat hook prerouting priority dstnat - 1; {ports} }}\n\
         chain output {{ type nat hook output priority -100; {ports} }}\n\
         chain postrouting {{ type nat hook postrouting priority srcnat; \
         oifname {{ {bridges} }} masquerade; iifname {{ {bridges} }} masquerade; }}\n}}\n"
    )
}

/// Whoever passes with that port is translated, wherever it goes.
fn write_port(text: &mut String, mapping: &PortMapping, to: IpAddr) {
    let (Some(from), inside) = (mapping.host_ports(), mapping.container_ports()) else {
        return;
    };
    let (family, to) = match to {
        IpAddr::V4(to) => ("ip", to.to_string()),
        IpAddr::V6(to) => ("ip6", format!("[{to}]")),
    };
    let at = match mapping.host_address() {
        Some(IpAddr::V4(at)) if family == "ip" => format!("ip daddr {at}"),
        Some(IpAddr::V6(at)) if family == "ip6" => format!("ip6 daddr {at}"),
        Some(_) => return,
        None => String::new(),
    };
    for (from, inside) in from.ports().zip(inside.ports()) {
        let protocol = mapping.protocol();
        let _always = write!(
            text,
            "{at} meta nfproto ip{} {protocol} dport {from} dnat {family} to {to}:{inside}; ",
            if family == "ip" { "v4" } else { "v6" },
        );
    }
}
