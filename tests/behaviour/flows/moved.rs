//! A port that is led elsewhere: with the next packet after forgetting, the flow goes there too.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use bridgework::kernel::Kernel;
use bridgework::plan::FlowMatch;
use bridgework::{Family, Netns, Protocol};

use super::{FAMILIES, kernel, port, tracked, type_to};
use crate::by_hand::{Pinned, ip};
use crate::lab;

/// A host with a client and two containers, each behind a link of its own, and a rule that leads
/// what comes to its address and port 53 to one of them.
struct Ground {
    kernel: Kernel,
    netns: [Netns; 3],
    _pinned: Vec<Pinned>,
    family: Family,
}

const CLIENT: usize = 0;

impl Ground {
    fn new(family: Family, name: &str) -> Self {
        let kernel = kernel();
        let netns = [(); 3].map(|()| Netns::create().unwrap());
        let ground = Self {
            _pinned: (0..3)
                .map(|n| Pinned::new(&netns[n], &format!("{name}-{n}")))
                .collect(),
            kernel,
            netns,
            family,
        };
        for (number, inside) in ground.netns.iter().enumerate() {
            let (host, near) = (ground.host(), format!("v{number}"));
            let far = format!("{name}-{number}");
            ip(
                host,
                &format!("link add {near} type veth peer name eth0 netns {far}"),
            );
            let add = |at: IpAddr| format!("addr add {at}/{} dev", ground.prefix_len());
            let nodad = if family == Family::V6 { " nodad" } else { "" };
            ip(
                host,
                &format!("{} {near}{nodad}", add(ground.address(number, 1))),
            );
            ip(
                inside,
                &format!("{} eth0{nodad}", add(ground.address(number, 2))),
            );
            ip(host, &format!("link set {near} up"));
            ip(inside, "link set eth0 up");
            let flag = if family == Family::V6 { "-6 " } else { "" };
            let gateway = ground.address(number, 1);
            ip(inside, &format!("{flag}route add default via {gateway}"));
        }
        let path = match family {
            Family::V4 => "/proc/sys/net/ipv4/ip_forward",
            Family::V6 => "/proc/sys/net/ipv6/conf/all/forwarding",
        };
        let forward = || std::fs::write(path, "1");
        ground.host().run(forward).unwrap().unwrap();
        ground
    }

    fn host(&self) -> &Netns {
        self.kernel.namespace()
    }

    fn prefix_len(&self) -> u8 {
        if self.family == Family::V4 { 24 } else { 64 }
    }

    fn address(&self, link: usize, last: u8) -> IpAddr {
        let text = match self.family {
            Family::V4 => format!("10.{link}.0.{last}"),
            Family::V6 => format!("fd00:{link}::{last}"),
        };
        text.parse().unwrap()
    }

    /// Where the client sends to: the host's address on the link to it.
    fn published(&self) -> IpAddr {
        self.address(CLIENT, 1)
    }

    /// From now on, what comes for `ports` of the host is led to that container. `None` if that
    /// can't be done here.
    fn lead(&self, ports: &[u16], container: usize) -> Option<()> {
        let family = match self.family {
            Family::V4 => "ip",
            Family::V6 => "ip6",
        };
        let to = self.address(container, 2);
        let rule =
            |port: &u16| format!("fib daddr type local udp dport {port} dnat {family} to {to}\n");
        let rules: String = ports.iter().map(rule).collect();
        let table = format!(
            "table inet t\ndelete table inet t\ntable inet t {{ chain c {{\n\
             type nat hook prerouting priority dstnat\n{rules}}}\n}}\n"
        );
        type_to(self.host(), "nft -f -", &table).map(drop)
    }

    fn bind(&self, inside: usize, port: u16) -> UdpSocket {
        let at = SocketAddr::new(self.address(inside, 2), port);
        let bound = self.netns[inside].run(|| UdpSocket::bind(at));
        let socket = bound.unwrap().unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }
}

/// Which of the servers the client's next packet comes to; it is answered.
fn comes_to(client: &UdpSocket, to: SocketAddr, servers: [&UdpSocket; 2]) -> usize {
    client.send_to(b"ping", to).unwrap();
    let (mut buffer, mut came) = ([0; 8], None);
    lab::wait_until("a packet", || {
        came = (0..2).find_map(|n| Some((n, servers[n].recv_from(&mut buffer).ok()?.1)));
        came.is_some()
    });
    let (number, from) = came.unwrap();
    servers[number].send_to(b"pong", from).unwrap();
    lab::wait_until("the answer", || client.recv_from(&mut buffer).is_ok());
    number
}

#[test]
fn the_next_packet_of_a_moved_port_comes_to_the_new_container() {
    for family in FAMILIES {
        let ground = Ground::new(family, &format!("moved{family:?}"));
        if ground.lead(&[53], 1).is_none() {
            return;
        }
        let client = ground.bind(CLIENT, 4000);
        let servers = [ground.bind(1, 53), ground.bind(2, 53)];
        let next = || {
            let to = SocketAddr::new(ground.published(), 53);
            comes_to(&client, to, servers.each_ref())
        };
        assert_eq!(next(), 0);
        ground.lead(&[53], 2).unwrap();
        assert_eq!(next(), 0, "the kernel has tracked it");
        let meant = FlowMatch {
            protocol: Some(Protocol::Udp),
            original_destination: Some(ground.published()),
            original_destination_port: Some(port(53)),
            reply_source: Some((ground.address(1, 2), Some(port(53)))),
            ..FlowMatch::new(family)
        };
        ground.kernel.forget_flows(&[meant]).unwrap();
        assert_eq!(next(), 1);
        // it is led to the new place, and so not meant any more
        let before = tracked(ground.host());
        ground.kernel.forget_flows(&[meant]).unwrap();
        assert_eq!(tracked(ground.host()), before);
    }
}

#[test]
fn flows_to_other_ports_and_other_containers_stay() {
    for family in FAMILIES {
        let ground = Ground::new(family, &format!("other{family:?}"));
        if ground.lead(&[53, 54], 1).is_none() {
            return;
        }
        let client = ground.bind(CLIENT, 4000);
        let (at_53, at_54) = (ground.bind(1, 53), ground.bind(1, 54));
        let other = ground.bind(2, 53);
        let to = |port| SocketAddr::new(ground.published(), port);
        assert_eq!(comes_to(&client, to(53), [&at_53, &other]), 0);
        assert_eq!(comes_to(&client, to(54), [&at_54, &other]), 0);
        let direct = SocketAddr::new(ground.address(2, 2), 53);
        assert_eq!(comes_to(&client, direct, [&at_53, &other]), 1);
        let before = tracked(ground.host());
        assert_eq!(before.len(), 3, "{before:?}");
        let meant = FlowMatch {
            original_destination_port: Some(port(53)),
            reply_source: Some((ground.address(1, 2), None)),
            ..FlowMatch::new(family)
        };
        ground.kernel.forget_flows(&[meant]).unwrap();
        let is_meant = |line: &&String| {
            line.contains(&format!(" src={}", ground.address(1, 2))) && line.contains("dport=53 ")
        };
        let stay: Vec<String> = before.iter().filter(|l| !is_meant(l)).cloned().collect();
        assert_eq!(stay.len(), 2);
        assert_eq!(tracked(ground.host()), stay);
    }
}

#[test]
fn where_nothing_is_tracked_nothing_is_forgotten() {
    let kernel = kernel();
    let meant = FAMILIES.map(|family| FlowMatch {
        original_destination_port: Some(port(53)),
        ..FlowMatch::new(family)
    });
    kernel.forget_flows(&meant).unwrap();
    kernel.forget_flows(&[]).unwrap();
    assert_eq!(tracked(kernel.namespace()), [] as [String; 0]);
}

/// Zones keep connections apart that look the same.
#[test]
fn the_same_connection_is_forgotten_in_every_zone() {
    let kernel = kernel();
    let line = |zone: &str, reply: u8| {
        format!(
            "-I -t 600 -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 4000 --dport 53 -r 10.0.0.{reply} \
             -q 10.0.0.1 --reply-port-src 53 --reply-port-dst 4000 {zone}\n"
        )
    };
    let zones = ["", "--zone 5", "--orig-zone 6", "--reply-zone 7"];
    // a zone of one direction does not keep the other apart
    let lines = (2..).zip(zones).map(|(reply, zone)| match zone {
        "--reply-zone 7" => line(zone, reply).replace("--sport 4000", "--sport 4001"),
        _ => line(zone, reply),
    });
    let lines: String = lines.collect();
    if type_to(kernel.namespace(), "conntrack -R -", &lines).is_none() {
        return;
    }
    assert_eq!(tracked(kernel.namespace()).len(), 4);
    let meant = FlowMatch {
        original_destination: Some([10, 0, 0, 2].into()),
        ..FlowMatch::new(Family::V4)
    };
    kernel.forget_flows(&[meant]).unwrap();
    assert_eq!(tracked(kernel.namespace()), [] as [String; 0]);
}
