//! The laboratory: a private machine for the whole test binary, private hosts for each test, and
//! oracles that are not ours: packets, and what `ip -j` says.

#![allow(dead_code)]

pub mod calls;
pub mod chance;
pub mod example;
pub mod machine;
pub mod packet;
pub mod runner;

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use bridgework::plan::Switch;
use bridgework::{Container, Event, EventKind, Host, HostConfig, Netns, VethConfig, VethPair};
// links what enters a private network before the harness starts its threads
use bridgework_ground as _;

/// How long anything that comes at all may take to come.
pub const DEADLINE: Duration = Duration::from_secs(10);

pub fn host() -> Host {
    Host::isolated().expect("a private host")
}

/// A private host that does not answer its containers, and so has no sockets inside them that would
/// keep their namespaces.
pub fn silent_host() -> Host {
    let netns = Netns::create().expect("a namespace");
    let config = HostConfig::new().netns(netns).resolver(Switch::Off);
    Host::open_with(config).expect("a private host")
}

pub fn container(name: &str) -> Container {
    Container::isolated(name).expect("a container")
}

/// `verb network [container]`, of networks and containers that come and go.
pub fn words_of(event: &Event) -> String {
    match &event.kind {
        EventKind::Create { network } => format!("create {}", network.name),
        EventKind::Destroy { network } => format!("destroy {}", network.name),
        EventKind::Connect { network, endpoint } => {
            format!("connect {} {}", network.name, endpoint.container)
        }
        EventKind::Disconnect { network, endpoint } => {
            format!("disconnect {} {}", network.name, endpoint.container)
        }
        other => panic!("{other:?}"),
    }
}

/// Waits until `met` holds, looking again and again; panics with `what` at the deadline.
pub fn wait_until(what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !met() {
        assert!(Instant::now() < deadline, "{what} did not come to be");
        std::thread::yield_now();
    }
}

/// What is had in the end, trying it again and again; panics with `what` at the deadline. Of what was
/// closed, programs that other tests are just starting have a copy until they run.
pub fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let mut had = None;
    wait_until(what, || {
        had = attempt();
        had.is_some()
    });
    had.expect("it was waited for")
}

/// Waits until what is looked at is `wanted`, looking again and again; at the deadline panics with
/// what is different.
pub fn wait_until_it_is<T: PartialEq + Debug>(wanted: &T, look: impl Fn() -> T) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let seen = look();
        if seen == *wanted {
            return;
        }
        if Instant::now() >= deadline {
            assert_eq!(seen, *wanted);
        }
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

/// What a command without quotes says inside a namespace; `None`, and loudly, where there is no such
/// program.
pub fn output(netns: &Netns, command: &str) -> Option<String> {
    let mut words = command.split_whitespace();
    let program = words.next().expect("a program");
    let run = || Command::new(program).args(words).output();
    let output = match netns.run(run).expect("inside the namespace") {
        Ok(output) => output,
        Err(error) => {
            eprintln!("NOT CHECKED: {command}: {error}: install what has {program}");
            assert!(std::env::var_os("CI").is_none(), "{program} is missing");
            return None;
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command}: {errors}");
    Some(String::from_utf8(output.stdout).expect("utf-8"))
}

fn iproute_json(program: &str, netns: &Netns, arguments: &str) -> Option<Vec<serde_json::Value>> {
    let text = output(netns, &format!("{program} -j {arguments}"))?;
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

/// A neighbour on a wire of its own, by which the host has addresses of both
/// families.
pub fn neighbour(host: &Host, name: &str) -> (VethPair, Container) {
    let neighbour = container(name);
    let pair = VethPair::create(
        (host.netns(), name),
        (neighbour.netns(), "eth0"),
        VethConfig::new(),
    );
    let pair = pair.unwrap();
    pair.near()
        .add_address("192.0.2.1/24".parse().unwrap())
        .unwrap();
    pair.near()
        .add_address("2001:db8::1/64".parse().unwrap())
        .unwrap();
    pair.near().set_up().unwrap();
    pair.far().set_up().unwrap();
    (pair, neighbour)
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
    let (length, from) = receive(&listening, &mut buffer).expect("the datagram came");
    assert_eq!(&buffer[..length], b"ping");
    listening.send_to(b"pong", from).expect("answer");
    let (length, from) = receive(&sending, &mut buffer).expect("the answer came");
    assert_eq!((&buffer[..length], from), (&b"pong"[..], to));
}

/// A signal that some other part of the process gets does not end the wait.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    loop {
        match socket.recv_from(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            received => return received,
        }
    }
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
