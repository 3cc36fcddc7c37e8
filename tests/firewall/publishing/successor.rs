//! A process that is killed while it has ports, and the one that comes after it.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Stdio};

use bridgework::{
    Container, ContainerConfig, EndpointConfig, Firewall, Host, HostConfig, Netns, NetworkConfig,
};

use super::moves::Client;
use super::{assert_reaches, both};
use crate::attack::{Attack, held};
use crate::lab;
use crate::probe::{KINDS, TRANSPORTS, all_answered, targets};
use crate::serve::Server;
use crate::steady::{Steady, datagrams};
use crate::world::{Ground, Guard, Place, forward_everything};

const HOST: &str = "BRIDGEWORK_TEST_HOST";
const CONTAINER: &str = "BRIDGEWORK_TEST_CONTAINER";
const NUMBER: &str = "BRIDGEWORK_TEST_NUMBER";
const NARROW: &str = "BRIDGEWORK_TEST_IPV4_ALONE";
const BARE: &str = "BRIDGEWORK_TEST_WITHOUT_FIREWALL";
const READY: &str = "the port is published";

/// Run by the tests below in a process of its own: publishes a port of somebody else's host for
/// somebody else's container, and waits to be killed.
#[test]
fn holder_in_a_process_of_its_own() {
    let Some(path) = std::env::var_os(HOST) else {
        return;
    };
    let number = std::env::var(NUMBER).expect("a number");
    let netns = Netns::at(path).expect("the host");
    let firewall = match std::env::var_os(BARE) {
        Some(_) => Firewall::Off,
        None => Firewall::Shared,
    };
    let config = HostConfig::new().netns(netns).firewall(firewall);
    let host = Host::open_with(config).expect("a host");
    let config = NetworkConfig::bridge(format!("killed{number}"))
        .bridge_name(format!("brk{number}").as_str())
        .subnet(format!("10.{number}.0.0/24").as_str());
    let config = match std::env::var_os(NARROW) {
        Some(_) => config,
        None => config.subnet(format!("fd00:{number}::/64").as_str()),
    };
    let network = host.create_network(config).expect("a network");
    let inside = Netns::at(std::env::var_os(CONTAINER).expect("a path")).expect("a container's");
    let container = Container::open(ContainerConfig::new("holder", inside)).expect("a container");
    let _endpoint = network
        .connect_with(&container, both("8080:80"))
        .expect("an endpoint");
    println!("{READY}");
    loop {
        std::thread::park();
    }
}

/// It is killed when it is dropped.
struct Holder {
    process: Child,
    number: u8,
    container: Netns,
    families: Families,
}

/// Which its network has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Families {
    Both,
    Ipv4,
}

impl Holder {
    fn start(ground: &Ground, number: u8) -> Self {
        Self::start_with(ground, number, Families::Both)
    }

    fn start_with(ground: &Ground, number: u8, families: Families) -> Self {
        let container = Netns::create().expect("a namespace");
        let program = std::env::current_exe().expect("this program");
        let name = "publishing::successor::holder_in_a_process_of_its_own";
        let mut command = Command::new(program);
        command
            .args(["--exact", name, "--nocapture"])
            .env(HOST, ground.netns().path())
            .env(CONTAINER, container.path())
            .env(NUMBER, number.to_string())
            .stdout(Stdio::piped());
        if ground.guard == Guard::Off {
            command.env(BARE, "1");
        }
        if families == Families::Ipv4 {
            command.env(NARROW, "1");
        }
        let mut process = command.spawn().expect("a process");
        let output = process.stdout.take().expect("piped");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        assert!(
            lines.any(|line| line.contains(READY)),
            "the holder has failed"
        );
        Self {
            process,
            number,
            container,
            families,
        }
    }

    fn addresses(&self) -> Vec<IpAddr> {
        let number = self.number;
        let all = [format!("10.{number}.0.2"), format!("fd00:{number}::2")];
        let count = match self.families {
            Families::Both => 2,
            Families::Ipv4 => 1,
        };
        let all = all.iter().take(count);
        all.map(|text| text.parse().expect("an address")).collect()
    }

    fn serve(&self, port: u16) -> Server {
        Server::open(&self.container, "holder", &self.addresses(), port)
    }

    fn kill(&mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("its end");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
fn who_comes_after_one_that_was_killed_has_its_port_at_once() {
    let ground = Ground::new(Guard::On);
    let all = targets(&TRANSPORTS, &ground.a.host_addresses(), 8080);
    for round in 0..3 {
        let mut holder = Holder::start(&ground, 30 + round);
        let server = holder.serve(80);
        assert_reaches(&ground.a, &all, "holder");
        drop(server);
        let early = ground.network(40 + round, |config| config);
        let container = lab::container("early");
        let refused = early.connect_with(&container, EndpointConfig::new().publish("8080:80"));
        assert!(refused.expect_err("it is held").is_exists());
        holder.kill();
        let one = ground.connect(&early, "successor", both("8080:80"));
        let _server = one.serve(80);
        assert_reaches(&ground.a, &all, "successor");
        one.disconnect().expect("the end");
    }
}

/// By IPv6 who has IPv4 alone is reached by elements of another kind.
#[test]
fn who_comes_after_one_with_ipv4_alone_has_its_port_and_its_clients_at_once() {
    let ground = Ground::new(Guard::On);
    let all = targets(&TRANSPORTS, &ground.a.host_addresses(), 8080);
    let mut holder = Holder::start_with(&ground, 30, Families::Ipv4);
    let _left = holder.serve(80);
    assert_reaches(&ground.a, &all, "holder");
    let client = Client::of(
        &ground.a,
        SocketAddr::new(ground.a.host_addresses()[0], 8080),
    );
    assert_eq!(client.ask(), "holder");
    holder.kill();
    let config = NetworkConfig::bridge("n40").bridge_name("br40");
    let network = ground.host.create_network(config.subnet("10.40.0.0/24"));
    let one = ground.connect(&network.expect("a network"), "successor", both("8080:80"));
    let _server = one.serve(80);
    assert_eq!(client.ask(), "successor");
    assert_reaches(&ground.a, &all, "successor");
}

#[test]
fn who_is_kept_out_stays_out_when_the_process_is_killed() {
    held(|guard| {
        let ground = Ground::new(guard);
        if guard == Guard::Off {
            forward_everything(ground.netns());
        }
        let mut through = Vec::new();
        for round in 0..3 {
            let mut holder = Holder::start(&ground, 30 + round);
            let before = datagrams(&holder.container);
            let steady = Steady::start(ground.a.netns(), &holder.addresses(), 1);
            steady.await_more(100);
            holder.kill();
            steady.await_more(100);
            drop(steady);
            if datagrams(&holder.container) > before {
                through.push(round);
            }
            // and what may leave still does
            let _server = ground.a.serve(80);
            let out = targets(&KINDS, &Place::addresses(&ground.a), 80);
            all_answered(&holder.container, &out);
        }
        Attack {
            tried: vec![0, 1, 2],
            through,
        }
    });
}
