//! The laboratory: a private machine for the whole test binary, private hosts for each test, and
//! oracles that are not ours: packets, and what `ip -j` says.

#![allow(dead_code)]

pub mod packet;

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use bridgework::{Container, Host, Netns};

/// Runs before the test harness starts its threads, since a user namespace can only be entered by
/// a process with one thread.
#[used]
#[unsafe(link_section = ".init_array")]
static ENTER: extern "C" fn() = {
    extern "C" fn enter() {
        if let Err(error) = bridgework::sandbox::enter() {
            eprintln!("NOT TESTED: {error}");
            std::process::exit(1);
        }
    }
    enter
};

/// How long anything that comes at all may take to come.
pub const DEADLINE: Duration = Duration::from_secs(10);

pub fn host() -> Host {
    Host::isolated().expect("a private host")
}

pub fn container(name: &str) -> Container {
    Container::isolated(name).expect("a container")
}

/// Waits until `met` holds, looking again and again; panics with `what` at the deadline.
pub fn wait_until(what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !met() {
        assert!(Instant::now() < deadline, "{what} did not come to be");
        std::thread::yield_now();
    }
}

/// What `ip -j ARGUMENTS` prints inside the namespace. `None`, loudly, where iproute2 is missing;
/// under CI that is a failure.
pub fn ip_json(netns: &Netns, arguments: &str) -> Option<Vec<serde_json::Value>> {
    iproute_json("ip", netns, arguments)
}

/// As [`ip_json`], of `bridge -j`.
pub fn bridge_json(netns: &Netns, arguments: &str) -> Option<Vec<serde_json::Value>> {
    iproute_json("bridge", netns, arguments)
}

fn iproute_json(program: &str, netns: &Netns, arguments: &str) -> Option<Vec<serde_json::Value>> {
    let output = netns
        .run(|| {
            Command::new(program)
                .arg("-j")
                .args(arguments.split_whitespace())
                .output()
        })
        .expect("inside the namespace");
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            eprintln!("NOT CHECKED: {program} {arguments}: {error}: install iproute2");
            assert!(std::env::var_os("CI").is_none(), "iproute2 is missing");
            return None;
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments}: {errors}");
    let text = String::from_utf8(output.stdout).expect("utf-8");
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    match serde_json::from_str(&text).expect("json") {
        serde_json::Value::Array(items) => Some(items),
        other => Some(vec![other]),
    }
}

/// Whether the namespace has a link of that name, as `ip` sees it.
pub fn has_link(netns: &Netns, name: &str) -> Option<bool> {
    let links = ip_json(netns, "link show")?;
    Some(links.iter().any(|link| link["ifname"] == name))
}

/// The addresses of a link, as `ip` has them: text without the prefix, and its flags.
pub fn addresses(netns: &Netns, link: &str) -> Option<Vec<serde_json::Value>> {
    let links = ip_json(netns, &format!("addr show dev {link}"))?;
    let all = links.iter().filter_map(|link| link["addr_info"].as_array());
    Some(
        all.flatten()
            .filter(|address| address["local"].is_string())
            .cloned()
            .collect(),
    )
}

/// One datagram each way; panics if either does not come.
pub fn udp_both_ways(client: &Container, server: &Container, at: IpAddr) {
    let listening = server
        .run(|| UdpSocket::bind(SocketAddr::new(at, 0)))
        .unwrap()
        .unwrap();
    let to = listening.local_addr().unwrap();
    let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let sending = client.run(|| UdpSocket::bind(any)).unwrap().unwrap();
    for socket in [&listening, &sending] {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
    }
    sending.send_to(b"ping", to).expect("send");
    let mut buffer = [0; 16];
    let (length, from) = listening.recv_from(&mut buffer).expect("the datagram came");
    assert_eq!(&buffer[..length], b"ping");
    listening.send_to(b"pong", from).expect("answer");
    let (length, from) = sending.recv_from(&mut buffer).expect("the answer came");
    assert_eq!((&buffer[..length], from), (&b"pong"[..], to));
}

/// Whether a datagram from `client` reaches `server` at `at` within `patience`.
pub fn udp_arrives(client: &Netns, server: &Netns, at: IpAddr, patience: Duration) -> bool {
    let Ok(listening) = server
        .run(|| UdpSocket::bind(SocketAddr::new(at, 0)))
        .unwrap()
    else {
        return false;
    };
    let to = listening.local_addr().unwrap();
    let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let sending = client.run(|| UdpSocket::bind(any)).unwrap().unwrap();
    listening.set_read_timeout(Some(patience)).unwrap();
    let _unreachable = sending.send_to(b"ping", to);
    listening.recv_from(&mut [0; 16]).is_ok()
}

/// A connection from `client`, and a byte each way.
pub fn tcp_both_ways(client: &Container, server: &Container, at: IpAddr) {
    use std::io::{Read, Write};
    let listening = server
        .run(|| TcpListener::bind(SocketAddr::new(at, 0)))
        .unwrap()
        .unwrap();
    let to = listening.local_addr().unwrap();
    let connected = client
        .run(|| TcpStream::connect_timeout(&to, DEADLINE))
        .unwrap();
    let mut near = connected.expect("connect");
    let (mut far, _) = listening.accept().expect("accept");
    near.write_all(b"?").unwrap();
    let mut byte = [0];
    far.read_exact(&mut byte).unwrap();
    far.write_all(b"!").unwrap();
    near.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"!");
}
