//! Published ports, by packets: who reaches them from where, which of the host's they are, and
//! what changes while they are published.

mod changes;
mod conflicts;
pub mod moves;
mod origins;
mod ports;
mod successor;

use std::net::IpAddr;

use bridgework::{Endpoint, EndpointConfig, PublishedPort};

use crate::probe::{Kind, SHORT, Seen, Target, all_answered, answered};
use crate::world::Place;

/// The same ports of both transports.
pub fn both(ports: &str) -> EndpointConfig {
    EndpointConfig::new()
        .publish(format!("{ports}/tcp").as_str())
        .publish(format!("{ports}/udp").as_str())
}

/// All are answered, and by whom they should be.
pub fn assert_reaches(from: &impl Place, targets: &[Target], name: &str) -> Vec<(Target, Seen)> {
    let answers = all_answered(from.at(), targets);
    for (target, seen) in &answers {
        let who = from.name();
        assert_eq!(seen.by, name, "{who} asks {target:?}: {seen:?}");
        assert!(
            !seen.client.is_loopback(),
            "{who} asks {target:?}: {seen:?}"
        );
    }
    answers.into_iter().collect()
}

pub fn assert_silent(from: &impl Place, targets: &[Target]) {
    let answers = answered(from.at(), targets, SHORT);
    assert!(
        answers.is_empty(),
        "{} is answered: {answers:?}",
        from.name()
    );
}

/// Where and as what a container's ports are published, in one order.
pub fn published(endpoint: &Endpoint) -> Vec<String> {
    let mut published: Vec<_> = endpoint
        .published()
        .iter()
        .map(PublishedPort::to_string)
        .collect();
    published.sort();
    published
}

/// The ports of the host's by which one port of the container's is reached.
pub fn host_ports(endpoint: &Endpoint, kind: Kind, container_port: u16) -> Vec<u16> {
    let protocol = match kind {
        Kind::Tcp => bridgework::Protocol::Tcp,
        _ => bridgework::Protocol::Udp,
    };
    let all = endpoint.published().into_iter();
    let of = all.filter(|p| p.protocol == protocol && p.container_port.get() == container_port);
    let mut ports: Vec<_> = of.map(|p| p.host_port.get()).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// A TCP target.
pub fn tcp(at: IpAddr, port: u16) -> Target {
    let at = std::net::SocketAddr::new(at, port);
    Target {
        kind: Kind::Tcp,
        at,
    }
}
