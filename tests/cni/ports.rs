//! Ways in and out: published ports, and whom the outside sees.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use bridgework::{Container, Device, Host, HostConfig, Netns, VethPair};
use serde_json::{Value, json};

use crate::ground::{Ask, Machine, Pod, address};
use crate::lab::{DEADLINE, neighbour, wait_for, wait_until};

/// Somebody outside of the machine, at 192.0.2.1 and 2001:db8::1 on its side.
pub(crate) fn outside(machine: &Machine) -> (VethPair, Container) {
    let config = HostConfig::new().netns(machine.netns.clone());
    let host = Host::open_with(config.watch(bridgework::plan::Switch::Off)).expect("a host");
    let (pair, outside) = neighbour(&host, "outside");
    let far = Device::open(outside.netns(), "eth0").expect("its end");
    for own in ["192.0.2.9/24", "2001:db8::9/64"] {
        far.add_address(own.parse().expect("it")).expect("it");
    }
    (pair, outside)
}

/// The first byte that comes from there, or nothing.
fn fetch(from: &Netns, at: SocketAddr) -> Option<u8> {
    let connect = || TcpStream::connect_timeout(&at, std::time::Duration::from_millis(700));
    let mut stream = from.run(connect).expect("inside").ok()?;
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let mut byte = [0];
    stream.read_exact(&mut byte).ok()?;
    Some(byte[0])
}

/// Answers each connection on port 80 with a byte, until the process ends.
fn serve(pod: &Pod, byte: u8) {
    let bind = || TcpListener::bind(("::", 80));
    let listener = pod.container.run(bind).expect("inside").expect("port 80");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _gone = stream.expect("a connection").write_all(&[byte]);
        }
    });
}

/// As podman and cnitool spell it, and as containerd does.
fn mappings() -> [Value; 2] {
    [
        json!([
            { "hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": null },
            { "hostPort": 8081, "containerPort": 80, "protocol": "TCP", "hostIP": "127.0.0.1" },
        ]),
        json!([
            { "HostPort": 8080, "ContainerPort": 80, "Protocol": "tcp", "HostIP": "" },
            { "HostPort": 8081, "ContainerPort": 80, "Protocol": "tcp", "HostIP": "127.0.0.1" },
            { "HostPort": 0, "ContainerPort": 81, "Protocol": "udp", "HostIP": "" },
        ]),
    ]
}

#[test]
fn published_ports_lead_in_in_either_spelling_and_only_where_they_are_published() {
    let machine = Machine::new("ports");
    let (pair, outside) = outside(&machine);
    for (byte, mappings) in [b'a', b'b'].into_iter().zip(mappings()) {
        let pod = Pod::new("pod");
        let mut conf = machine.usual();
        conf["runtimeConfig"] = json!({ "portMappings": mappings, "dns": null });
        machine.add(&pod, &conf);
        serve(&pod, byte);
        let from_outside = |port| {
            fetch(
                outside.netns(),
                SocketAddr::new([192, 0, 2, 1].into(), port),
            )
        };
        assert_eq!(from_outside(8080), Some(byte));
        assert_eq!(from_outside(8081), None);
        let here = |port| fetch(&machine.netns, SocketAddr::new([127, 0, 0, 1].into(), port));
        assert_eq!(here(8080), Some(byte));
        assert_eq!(here(8081), Some(byte));
        machine.done(&Ask::of("CHECK", &pod), &conf);
        machine.del(&pod, &conf);
        assert_eq!(from_outside(8080), None);
    }
    drop(pair);
    machine.assert_clean();
}

#[test]
fn a_port_that_another_container_has_is_refused_and_nothing_is_left() {
    let machine = Machine::new("port_taken");
    let (a, b) = (Pod::new("a"), Pod::new("b"));
    let mut conf = machine.usual();
    let mapping = json!({ "hostPort": 8080, "containerPort": 80, "protocol": "tcp" });
    conf["runtimeConfig"] = json!({ "portMappings": [mapping] });
    machine.add(&a, &conf);
    let before = machine.left();
    let (code, words) = machine.refused(&Ask::of("ADD", &b), &conf);
    assert_eq!(code, 100);
    assert!(
        words.contains("8080") && words.contains("already allocated"),
        "{words}"
    );
    wait_until("all is as before", || machine.left() == before);
    assert!(b.addresses("eth0").is_empty());
    machine.del(&b, &conf);
    machine.del(&a, &conf);
    machine.assert_clean();
}

/// Whom a datagram from the container comes from, as the other one sees it.
fn seen_by(outside: &Container, pod: &Pod) -> Option<IpAddr> {
    let bind = || UdpSocket::bind("192.0.2.9:7");
    let socket = wait_for("a socket", || outside.run(bind).expect("inside").ok());
    let patience = std::time::Duration::from_millis(700);
    socket.set_read_timeout(Some(patience)).expect("a timeout");
    let send = || UdpSocket::bind("0.0.0.0:0")?.send_to(b"?", "192.0.2.9:7");
    let _unreachable = pod.container.run(send).expect("inside");
    socket.recv_from(&mut [0]).ok().map(|(_, from)| from.ip())
}

#[test]
fn containers_leave_by_the_host_s_address_or_by_their_own_or_not_at_all() {
    let machine = Machine::new("outside");
    let (pair, outside) = outside(&machine);
    let way_out = json!([{ "dst": "0.0.0.0/0" }]);
    // where nobody is the gateway, there is one more address for containers
    let cases = [
        (true, true, &way_out, "10.88.0.2", Some([192, 0, 2, 1])),
        (true, false, &way_out, "10.88.0.2", Some([10, 88, 0, 2])),
        (false, false, &way_out, "10.88.0.2", None),
        (false, false, &Value::Null, "10.88.0.1", None),
    ];
    for (is_gateway, masquerades, routes, own, seen) in cases {
        let pod = Pod::new("pod");
        let mut conf = machine.usual();
        conf["isGateway"] = is_gateway.into();
        conf["ipMasq"] = masquerades.into();
        conf["ipam"]["routes"] = routes.clone();
        let result = machine.add(&pod, &conf);
        assert_eq!(address(&result, 0).to_string(), own);
        assert_eq!(seen_by(&outside, &pod), seen.map(IpAddr::from), "{conf}");
        let mut led = pod.routes("-4").into_iter();
        let leads_out = led.any(|route| route["dst"] == "default");
        assert_eq!(leads_out, !routes.is_null());
        assert_eq!(
            result["routes"],
            *routes.as_array().map_or(&json!([]), |_| routes)
        );
        machine.del(&pod, &conf);
    }
    drop(pair);
    machine.assert_clean();
}
