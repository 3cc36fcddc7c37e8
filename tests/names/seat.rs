//! Who answers a container that several could: the one who serves, as long as it lives, and then
//! whoever else is there. Nobody's end leaves a container without answers.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bridgework::plan::Switch;
use bridgework::store::Memory;
use bridgework::{
    Container, ContainerConfig, Host, HostConfig, Netns, Network, NetworkConfig, Service,
};

use super::ask::SERVER;
use super::dns::{A, Message, query};
use super::lab::{output, wait_until};

/// The records of a host, and the namespace that it is.
struct Realm {
    netns: Netns,
    store: Memory,
}

impl Realm {
    fn new() -> Self {
        let netns = Netns::create().expect("a namespace");
        let store = Memory::new();
        Self { netns, store }
    }

    fn config(&self) -> HostConfig {
        let store = Arc::new(self.store.open());
        HostConfig::new().netns(self.netns.clone()).store(store)
    }

    /// One process's host, with all defaults.
    fn open(&self) -> Host {
        Host::open_with(self.config()).expect("a host")
    }
}

/// A container that every process can find by a file, as long as what comes with it is there.
fn resident() -> (Container, Netns) {
    let made = Netns::create().expect("a namespace");
    let netns = Netns::at(made.path()).expect("its file");
    let config = ContainerConfig::new("web", netns);
    (Container::open(config).expect("a container"), made)
}

fn network(host: &Host, name: &str) -> Network {
    let network = host.create_network(NetworkConfig::bridge(name));
    let network = network.expect("a network");
    network.persist().expect("kept");
    network
}

fn connect(network: &Network, container: &Container) {
    let endpoint = network.connect(container).expect("connected");
    endpoint.persist().expect("kept");
}

/// Whether somebody says in the container where `name` is; silence is an answer, too.
fn resolves(container: &Container, name: &str) -> bool {
    let query = query(name, A).bytes;
    let asked = container.netns().run(move || {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        socket.connect(SERVER)?;
        socket.send(&query)?;
        let mut answer = [0; 512];
        let length = socket.recv(&mut answer)?;
        Ok::<_, std::io::Error>(Message::read(&answer[..length]))
    });
    let told = asked.expect("inside").ok().flatten();
    told.is_some_and(|told| !told.answers.is_empty())
}

fn silence(container: &Container) {
    output(container.netns(), "nft delete table ip bridgework");
    assert!(!resolves(container, "web"));
}

#[test]
fn who_connects_a_container_that_is_served_does_not_take_it_over() {
    let realm = Realm::new();
    let daemon = realm.open();
    let service = daemon.serve().unwrap();
    let (one, _two) = (network(&daemon, "one"), network(&daemon, "two"));
    let (web, _web) = resident();
    connect(&one, &web);
    assert!(resolves(&web, "web.one"));
    let led = output(web.netns(), "nft list ruleset");
    let other = realm.open();
    connect(&other.network("two").unwrap(), &web);
    assert_eq!(output(web.netns(), "nft list ruleset"), led);
    assert!(resolves(&web, "web.one"));
    service.look().unwrap();
    assert!(resolves(&web, "web.two"), "it follows what others do");
    drop(other);
    assert!(resolves(&web, "web.one") && resolves(&web, "web.two"));
}

#[test]
fn who_waits_for_its_turn_answers_once_who_answered_has_ended() {
    let realm = Realm::new();
    let first = realm.open();
    let (one, _two) = (network(&first, "one"), network(&first, "two"));
    let (web, _web) = resident();
    connect(&one, &web);
    let second = realm.open();
    connect(&second.network("two").unwrap(), &web);
    assert!(resolves(&web, "web.one"));
    drop((one, _two, first));
    wait_until("the second one answers", || resolves(&web, "web.two"));
}

#[test]
fn who_serves_has_its_containers_back_when_another_one_that_served_has_ended() {
    let realm = Realm::new();
    let daemon = realm.open();
    let _service = daemon.serve().unwrap();
    let one = network(&daemon, "one");
    let (web, _web) = resident();
    connect(&one, &web);
    for _ in 0..2 {
        let before = output(web.netns(), "nft list ruleset");
        let other = realm.open();
        let took = other.serve().unwrap();
        assert_ne!(output(web.netns(), "nft list ruleset"), before);
        assert!(resolves(&web, "web"));
        // nothing is written down of its end, as of that of one that is killed
        drop((took, other));
        wait_until("the first one answers", || resolves(&web, "web"));
    }
}

#[test]
fn a_host_that_does_not_serve_has_its_containers_back_too() {
    let realm = Realm::new();
    let host = realm.open();
    let one = network(&host, "one");
    let (web, _web) = resident();
    connect(&one, &web);
    let other = realm.open();
    let took = other.serve().unwrap();
    assert!(resolves(&web, "web"));
    drop((took, other));
    wait_until("the host answers", || resolves(&web, "web"));
}

#[test]
fn a_look_a_recovery_and_a_new_service_cure_at_once() {
    let realm = Realm::new();
    let daemon = realm.open();
    let service = daemon.serve().unwrap();
    let one = network(&daemon, "one");
    let (web, _web) = resident();
    connect(&one, &web);
    silence(&web);
    service.look().unwrap();
    assert!(resolves(&web, "web"));
    silence(&web);
    let _found = daemon.recover().unwrap();
    assert!(resolves(&web, "web"));
    silence(&web);
    let _again = daemon.serve().unwrap();
    assert!(resolves(&web, "web"));
    // of one that lives nothing is taken but by who serves
    let other = realm.open();
    let _took = other.serve().unwrap();
    let led = output(web.netns(), "nft list ruleset");
    service.look().unwrap();
    let _found = daemon.recover().unwrap();
    assert_eq!(output(web.netns(), "nft list ruleset"), led);
    let _back = daemon.serve().unwrap();
    assert_ne!(output(web.netns(), "nft list ruleset"), led);
    assert!(resolves(&web, "web"));
}

/// As often as it takes for some to meet.
const ROUNDS: usize = 60;

/// In how many rounds questions are led somewhere once the container is disconnected by that host, while
/// the one that answers it looks without end.
fn led_after_its_end(daemon: &Host, by: &Host) -> usize {
    let service = daemon.serve().unwrap();
    let (at_daemon, at_other) = (daemon.network("one").unwrap(), by.network("one").unwrap());
    let (web, _web) = resident();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                service.look().unwrap();
            }
        });
        let round = |_: &usize| {
            connect(&at_daemon, &web);
            let ended = at_other.disconnect("web");
            let led = output(web.netns(), "nft list tables");
            ended.is_err() || led.is_none_or(|led| !led.is_empty())
        };
        let led = (0..ROUNDS).filter(round).count();
        is_over.store(true, Ordering::Relaxed);
        led
    })
}

#[test]
fn nobody_leads_questions_of_a_container_that_is_being_disconnected() {
    let realm = Realm::new();
    let daemon = realm.open();
    let _one = network(&daemon, "one");
    assert_eq!(led_after_its_end(&daemon, &daemon), 0);
    let other = Host::open_with(realm.config().resolver(Switch::Off)).unwrap();
    assert_eq!(led_after_its_end(&daemon, &other), 0);
}

/// A host that serves, and its network as another process has it that answers nobody.
fn served_for_another() -> (Host, Service, Network) {
    let realm = Realm::new();
    let daemon = realm.open();
    let service = daemon.serve().unwrap();
    network(&daemon, "one");
    let other = Host::open_with(realm.config().resolver(Switch::Off)).unwrap();
    let one = other.network("one").unwrap();
    (daemon, service, one)
}

#[test]
fn who_answers_nobody_ends_the_leading_of_what_it_has_connected() {
    let (_daemon, service, one) = served_for_another();
    let (web, _web) = resident();
    for _ in 0..2 {
        let endpoint = one.connect(&web).unwrap();
        wait_until("it is answered", || resolves(&web, "web"));
        endpoint.disconnect().unwrap();
        service.look().unwrap();
        let led = output(web.netns(), "nft list tables");
        assert_eq!(led.unwrap_or_default(), "");
    }
}

#[test]
fn a_container_that_goes_while_it_begins_to_be_served_is_as_it_was() {
    let (_daemon, service, one) = served_for_another();
    let (web, _web) = resident();
    for round in 0..ROUNDS {
        connect(&one, &web);
        // whoever serves looks every 20 ms
        std::thread::sleep(Duration::from_micros(400) * u32::try_from(round).unwrap());
        one.disconnect("web").unwrap();
        service.look().unwrap();
        wait_until("its questions are led nowhere", || {
            output(web.netns(), "nft list tables").is_none_or(|led| led.is_empty())
        });
    }
}
