//! Containers whose process is gone while somebody answers their questions: the sockets keep the network
//! namespace, and nobody finds it any more. Who has it by anything else keeps it.

use std::process::{Child, Command};

use bridgework::{Container, ContainerConfig, EndpointConfig, Host, Netns, Network, NetworkConfig};
use nix::mount::{MntFlags, umount2};

use crate::lab;
use crate::served::pair;

/// A process that sleeps in a namespace, ended with this at the latest.
struct Sleeper(Child);

impl Sleeper {
    fn inside(netns: &Netns, program: &[&str]) -> Self {
        let mut command = Command::new(program[0]);
        let spawned = netns.run(|| command.args(&program[1..]).spawn());
        Self(spawned.unwrap().unwrap())
    }

    fn end(&mut self) {
        let _ended = self.0.kill();
        let _waited = self.0.wait();
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.end();
    }
}

const SLEEP: [&str; 2] = ["sleep", "1000"];

fn net(open: impl Fn() -> Host) -> Network {
    let network = open().create_network(NetworkConfig::bridge("net"));
    let network = network.unwrap();
    network.persist().unwrap();
    network
}

/// One that is kept and connected by a process that has ended since, with a port; its process; and a
/// namespace that has a link as long as there is that of the container.
fn run(host: &Host, name: &str) -> (Sleeper, Netns) {
    let (netns, witness) = (Netns::create().unwrap(), Netns::create().unwrap());
    let process = Sleeper::inside(&netns, &SLEEP);
    let pid = process.0.id();
    drop(netns);
    let container = Container::of_pid(name, pid).unwrap();
    let watcher = Sleeper::inside(&witness, &SLEEP);
    let pair = format!(
        "ip link add far0 type veth peer name seen0 netns {}",
        watcher.0.id()
    );
    lab::output(container.netns(), &pair);
    host.keep(&container).unwrap();
    let network = host.network("net").unwrap();
    let config = EndpointConfig::new().publish("8080:80");
    network
        .connect_with(&container, config)
        .unwrap()
        .persist()
        .unwrap();
    (process, witness)
}

fn pruned(host: &Host) -> Vec<String> {
    let pruned = host.prune_containers().unwrap();
    pruned.iter().map(ToString::to_string).collect()
}

fn dead(host: &Host) -> Vec<String> {
    let dead = host.recover().unwrap().dead;
    dead.iter().map(ToString::to_string).collect()
}

/// Who is being started at that moment has a copy of all that is open, until it runs its program.
fn await_pruned(host: &Host) {
    lab::wait_until("it is pruned", || match &*pruned(host) {
        [] => false,
        [name] => name == "app",
        more => panic!("{more:?}"),
    });
}

fn assert_gone(host: &Host, witness: &Netns) {
    assert!(host.network("net").unwrap().endpoints().is_empty());
    assert!(host.records_of("app").unwrap().is_empty());
    assert_eq!(host.export().unwrap().records.len(), 1); // the network
    lab::wait_until("its namespace goes", || {
        !lab::has_link(witness, "seen0").unwrap_or(false)
    });
    assert!(pruned(host).is_empty());
    assert!(host.recover().unwrap().is_empty());
}

#[test]
fn a_dead_container_is_pruned_by_another_process_while_it_is_answered() {
    let (open, living) = pair();
    let service = living.serve().unwrap();
    let _network = net(&open);
    let (mut process, witness) = run(&open(), "app");
    lab::wait_until("it is served", || service.look().is_ok());
    assert!(pruned(&open()).is_empty());
    process.end();
    lab::wait_until("it is found dead", || dead(&open()) == ["app"]);
    await_pruned(&open());
    assert_gone(&open(), &witness);
    // its name and its port are anybody's
    let (_process, _witness) = run(&open(), "app");
    assert_eq!(open().containers().len(), 1);
}

#[test]
fn a_dead_container_is_pruned_by_who_answers_it() {
    let (open, living) = pair();
    let service = living.serve().unwrap();
    let _network = net(&open);
    let (mut process, witness) = run(&living, "app");
    lab::wait_until("it is served", || service.look().is_ok());
    process.end();
    lab::wait_until("it is found dead", || dead(&living) == ["app"]);
    await_pruned(&living);
    assert_gone(&living, &witness);
}

#[test]
fn one_that_somebody_is_in_or_has_open_is_not_dead() {
    let (open, living) = pair();
    let service = living.serve().unwrap();
    let _network = net(&open);
    let (mut process, witness) = run(&open(), "app");
    lab::wait_until("it is served", || service.look().is_ok());
    let spare = open().container("app").unwrap();
    process.end();
    for host in [&open(), &living] {
        assert!(host.containers().is_empty());
        assert!(pruned(host).is_empty());
        assert!(dead(host).is_empty());
    }
    let mut child = Sleeper::inside(spare.netns(), &SLEEP);
    drop(spare);
    assert!(pruned(&open()).is_empty());
    child.end();
    await_pruned(&open());
    assert_gone(&open(), &witness);
}

#[test]
fn one_that_is_pinned_anywhere_is_not_dead() {
    let (open, living) = pair();
    let service = living.serve().unwrap();
    let _network = net(&open);
    let (mut process, witness) = run(&open(), "app");
    lab::wait_until("it is served", || service.look().is_ok());
    let name = format!("abandoned-{}", std::process::id()).parse().unwrap();
    let container = open().container("app").unwrap();
    let path = container.netns().pin(&name).unwrap();
    drop(container);
    process.end();
    assert!(pruned(&open()).is_empty());
    // another mount namespace has it, and this one not any more
    let elsewhere = ["unshare", "-m", "sleep", "1000"];
    let mut elsewhere = Sleeper::inside(open().netns(), &elsewhere);
    let place = format!("/proc/{}/comm", elsewhere.0.id());
    lab::wait_until("it is elsewhere", || {
        std::fs::read_to_string(&place).is_ok_and(|comm| comm == "sleep\n")
    });
    umount2(&path, MntFlags::MNT_DETACH).unwrap();
    assert!(pruned(&open()).is_empty());
    elsewhere.end();
    await_pruned(&open());
    Netns::unpin(&name).unwrap();
    assert_gone(&open(), &witness);
}

/// What is open is called by the name that it was opened by, or by none once that is gone.
#[test]
fn one_that_somebody_has_open_by_a_name_that_it_had_is_not_dead() {
    let (open, _) = pair();
    let network = net(&open);
    let made = Netns::create().unwrap();
    let name = format!("opened-{}", std::process::id()).parse().unwrap();
    let path = made.pin(&name).unwrap();
    let app = Container::open(ContainerConfig::new("app", Netns::at(&path).unwrap())).unwrap();
    open().keep(&app).unwrap();
    let network = open().network(network.name().as_str()).unwrap();
    network.connect(&app).unwrap().persist().unwrap();
    let spare = Netns::at(&path).unwrap();
    drop((app, made));
    Netns::unpin(&name).unwrap();
    for _ in 0..2 {
        assert_eq!(pruned(&open()), [""; 0]);
        assert_eq!(dead(&open()), [""; 0]);
    }
    drop(spare);
    await_pruned(&open());
}

#[test]
fn one_that_a_living_process_holds_on_its_network_is_not_dead() {
    let (open, living) = pair();
    let _service = living.serve().unwrap();
    let network = net(&open);
    let mut process = Sleeper::inside(&Netns::create().unwrap(), &SLEEP);
    let app = Container::of_pid("app", process.0.id()).unwrap();
    let at_net = network.connect(&app).unwrap();
    drop(app);
    process.end();
    for host in [&open(), &living] {
        assert!(pruned(host).is_empty());
        assert!(dead(host).is_empty());
    }
    assert_eq!(network.endpoints().len(), 1);
    at_net.disconnect().unwrap();
}

/// Nobody knows where that is, so that nobody says that it is gone.
#[test]
fn one_of_no_known_place_is_not_dead_while_its_wire_is_there() {
    let (open, living) = pair();
    let _service = living.serve().unwrap();
    let _network = net(&open);
    let app = lab::container("app");
    let network = living.network("net").unwrap();
    network.connect(&app).unwrap().persist().unwrap();
    drop(app);
    for host in [&open(), &living] {
        assert!(pruned(host).is_empty());
    }
    living.remove_container("app").unwrap();
}

#[test]
fn who_is_pruned_is_forgotten() {
    let (open, _) = pair();
    let _network = net(&open);
    let (mut process, witness) = run(&open(), "app");
    process.end();
    await_pruned(&open());
    assert_gone(&open(), &witness);
    let other = Netns::create().unwrap();
    let again = Sleeper::inside(&other, &SLEEP);
    let app = Container::of_pid("app", again.0.id()).unwrap();
    open().keep(&app).unwrap();
}

#[test]
fn a_kept_container_on_no_network_is_pruned_when_nobody_has_it() {
    let (open, _) = pair();
    let mut process = Sleeper::inside(&Netns::create().unwrap(), &SLEEP);
    let app = Container::of_pid("app", process.0.id()).unwrap();
    open().keep(&app).unwrap();
    assert!(pruned(&open()).is_empty());
    process.end();
    assert!(pruned(&open()).is_empty());
    drop(app);
    await_pruned(&open());
    assert!(open().records_of("app").unwrap().is_empty());
    let unseen = lab::container("app");
    open().keep(&unseen).unwrap();
    assert!(pruned(&open()).is_empty());
    drop(unseen);
    await_pruned(&open());
}
