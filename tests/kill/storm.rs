//! Several processes with several threads each work on the same networks in one directory of records,
//! and are killed now and then: nobody ever has what another one has, the living go on, and whoever
//! recovers at the end finds all in order.
//!
//! `STORM_SEED` repeats a run, `STORM_VERBS` says how many verbs there are.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use bridgework::plan::Switch;
use bridgework::{Endpoint, EndpointConfig, Error, Host, Netns, Network, NetworkConfig};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lab;
use crate::lab::chance::Chance;
use crate::world::{Place, World};

const PROCESSES: usize = 4;
const THREADS: usize = 8;
const CONTAINERS: usize = 16;
const NETWORKS: usize = 3;
/// So many verbs of all processes lie between two deaths, at the most.
const BETWEEN_DEATHS: u64 = 40;

const PLACE: &str = "BRIDGEWORK_STORM_PLACE";
const SEED: &str = "BRIDGEWORK_STORM_SEED";

fn container(number: usize) -> String {
    format!("c{number}")
}

fn shared(number: usize) -> NetworkConfig {
    // the first has room for few
    let subnet = ["10.90.0.0/28", "10.90.1.0/24", "10.90.2.0/24"][number];
    NetworkConfig::bridge(format!("shared{number}"))
        .subnet(subnet)
        .subnet(format!("fd00:90:{number}::/64").as_str())
}

/// One that works, until it is killed.
#[test]
fn worker_in_a_process_of_its_own() {
    let Ok(number) = std::env::var(PLACE) else {
        return;
    };
    let place = Place::of(number.parse().expect("a number"));
    let seed: u64 = std::env::var(SEED).expect("a seed").parse().expect("one");
    let watch = [Switch::On, Switch::Off][Chance::new(seed).below(2)];
    let host = place.open_watching(watch);
    thread::scope(|scope| {
        for at in 0..THREADS {
            let (host, place) = (&host, &place);
            scope.spawn(move || {
                let mut log = Log::open(place);
                let mut worker = Worker {
                    host,
                    chance: Chance::new(seed ^ (at as u64) << 56),
                    held: Vec::new(),
                };
                loop {
                    let begun = Instant::now();
                    let (verb, result) = worker.act();
                    log.write(verb, result, begun);
                }
            });
        }
    });
}

/// A line for each verb, by whoever did it.
struct Log(File);

impl Log {
    fn path(place: &Place) -> PathBuf {
        place.directory.join("verbs")
    }

    fn open(place: &Place) -> Self {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(Self::path(place));
        Self(file.expect("a file"))
    }

    fn write(&mut self, verb: &str, result: Result<(), Error>, begun: Instant) {
        let said = match result {
            Ok(()) => "done".to_owned(),
            Err(error) if is_by_another(&error) => "not now".to_owned(),
            Err(error) => format!("WRONG {error:?}").replace('\n', " "),
        };
        let line = format!("{} {verb} {said}\n", begun.elapsed().as_millis());
        self.0.write_all(line.as_bytes()).expect("written");
    }
}

/// Another one was faster, or has it.
fn is_by_another(error: &Error) -> bool {
    error.is_exists() || error.is_not_found() || error.is_exhausted() || error.is_in_use()
}

struct Worker<'h> {
    host: &'h Host,
    chance: Chance,
    held: Vec<Endpoint>,
}

impl Worker<'_> {
    fn act(&mut self) -> (&'static str, Result<(), Error>) {
        match self.chance.below(16) {
            0..=6 => ("connect", self.connect()),
            7..=11 => ("disconnect", self.disconnect()),
            12 => ("let go", self.let_go()),
            13 => ("create", self.create()),
            14 => ("remove", self.remove()),
            _ => ("recover", self.host.recover().map(drop)),
        }
    }

    fn network(&mut self) -> Result<Network, Error> {
        let at = self.chance.below(NETWORKS);
        self.host.network(&format!("shared{at}"))
    }

    fn connect(&mut self) -> Result<(), Error> {
        let network = self.network()?;
        let container = self
            .host
            .container(&container(self.chance.below(CONTAINERS)))?;
        let mut config = EndpointConfig::new();
        if self.chance.below(4) == 0 {
            let subnet = network.spec().ipv4.as_ref().expect("both families").subnet;
            let host = 5 + self.chance.below(3);
            let address = subnet.to_string().replace(".0/28", "").replace(".0/24", "");
            let address: std::net::Ipv4Addr = format!("{address}.{host}").parse().expect("one");
            config = config.ip(address);
        }
        if self.chance.below(3) == 0 {
            config = config.publish(format!("{}:80", 8000 + self.chance.below(4)).as_str());
        }
        if self.chance.below(6) == 0 {
            config = config.mac(format!("02:00:00:00:90:0{}", self.chance.below(3)).as_str());
        }
        let endpoint = network.connect_with(&container, config)?;
        match self.chance.below(4) {
            0 => self.held.push(endpoint),
            _ => drop(endpoint.persist()?),
        }
        Ok(())
    }

    fn disconnect(&mut self) -> Result<(), Error> {
        let network = self.network()?;
        network.disconnect(&container(self.chance.below(CONTAINERS)))
    }

    fn let_go(&mut self) -> Result<(), Error> {
        self.held.drain(..).try_for_each(Endpoint::disconnect)
    }

    fn create(&mut self) -> Result<(), Error> {
        let name = format!("own{}", self.chance.below(3));
        self.host
            .create_network(NetworkConfig::bridge(name))?
            .persist()?;
        Ok(())
    }

    fn remove(&mut self) -> Result<(), Error> {
        let name = format!("own{}", self.chance.below(3));
        self.host.network(&name)?.remove()
    }
}

struct Storm {
    world: World,
    netns: Vec<Netns>,
    workers: Vec<Child>,
    chance: Chance,
    deaths: usize,
    log: File,
    verbs: u64,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let names: Vec<String> = (0..CONTAINERS).map(container).collect();
        let world = World::with(&names);
        let host = world.0.open();
        for number in 0..NETWORKS {
            host.create_network(shared(number))
                .unwrap()
                .persist()
                .unwrap();
        }
        for name in &names {
            host.keep(&world.0.container(name)).unwrap();
        }
        host.recover().unwrap();
        drop(Log::open(&world.0));
        let log = File::open(Log::path(&world.0)).unwrap();
        Self {
            netns: names.iter().map(|name| world.0.netns(name)).collect(),
            world,
            workers: Vec::new(),
            chance: Chance::new(seed),
            deaths: 0,
            log,
            verbs: 0,
        }
    }

    fn start_worker(&mut self) {
        let said = self.world.0.directory.join("said");
        let said = OpenOptions::new()
            .append(true)
            .create(true)
            .open(said)
            .unwrap();
        let worker = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "storm::worker_in_a_process_of_its_own"])
            .args(["--nocapture", "--test-threads=1"])
            .env(PLACE, self.world.0.number().to_string())
            .env(SEED, self.chance.next().to_string())
            .env(bridgework_ground::STAY, "1")
            .stdout(Stdio::null())
            .stderr(Stdio::from(said))
            .spawn();
        self.workers.push(worker.unwrap());
    }

    /// How many have been done; only what is new in the log is read.
    fn verbs(&mut self) -> u64 {
        let mut new = Vec::new();
        self.log.read_to_end(&mut new).unwrap();
        self.verbs += new.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.verbs
    }

    fn run(&mut self, verbs: u64) {
        for _ in 0..PROCESSES {
            self.start_worker();
        }
        let mut done = 0;
        while done < verbs {
            let next = done + 1 + self.chance.next() % BETWEEN_DEATHS;
            lab::wait_until("the living go on", || {
                done = self.verbs();
                done >= next
            });
            if self.deaths.is_multiple_of(4) {
                self.assert_nothing_twice();
            }
            let at = self.chance.below(PROCESSES);
            let mut dead = self.workers.swap_remove(at);
            dead.kill().unwrap();
            let status = dead.wait().unwrap();
            assert_eq!(
                status.code(),
                None,
                "a worker ended by itself: {}",
                self.said()
            );
            self.deaths += 1;
            self.start_worker();
        }
        for worker in &mut self.workers {
            worker.kill().unwrap();
            worker.wait().unwrap();
        }
        self.workers.clear();
    }

    fn said(&self) -> String {
        fs::read_to_string(self.world.0.directory.join("said")).unwrap_or_default()
    }

    /// While all stand still, by what the kernel says.
    fn assert_nothing_twice(&self) {
        let all = |signal| {
            for worker in &self.workers {
                let pid = Pid::from_raw(i32::try_from(worker.id()).unwrap());
                kill(pid, signal).unwrap();
            }
        };
        all(Signal::SIGSTOP);
        let mut holders: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (at, netns) in self.netns.iter().enumerate() {
            for link in lab::ip_json(netns, "addr").unwrap_or_default() {
                if link["ifname"] == "lo" {
                    continue;
                }
                let addresses = link["addr_info"].as_array().cloned().unwrap_or_default();
                let locals: Vec<_> = addresses
                    .iter()
                    .filter_map(|a| a["local"].as_str())
                    .collect();
                // each network is a world of its own for what is below addresses
                let Some(of) = locals.iter().find_map(|local| local.strip_prefix("10.90.")) else {
                    continue;
                };
                let network = of.split('.').next().unwrap();
                let mac = link["address"].as_str().unwrap();
                let name = |key: &str| link[key].as_str().unwrap_or_default().to_owned();
                let holder = format!(
                    "c{at} {} {} {mac} {} to {}",
                    name("ifname"),
                    name("ifalias"),
                    link["ifindex"],
                    link["link_index"]
                );
                for what in locals.iter().copied().chain([mac]) {
                    holders
                        .entry(format!("{what} on {network}"))
                        .or_default()
                        .push(holder.clone());
                }
            }
        }
        holders.retain(|_, holders| holders.len() > 1);
        all(Signal::SIGCONT);
        assert!(holders.is_empty(), "several have the same: {holders:?}");
    }

    /// All that is seen of the host, to the byte.
    fn host_side(&self) -> Vec<String> {
        let commands = [
            "nft -a list ruleset",
            "ip link",
            "ip addr",
            "ip route show table all",
            "ip -6 route show table all",
            "ip rule",
            "ip -6 rule",
        ];
        let host = self.world.0.netns("host");
        let said = |command| lab::output(&host, command).unwrap_or_default();
        commands
            .map(said)
            .iter()
            .map(|text| at_rest(text))
            .collect()
    }

    fn assert_in_order(&self, wanted: &Orphans) {
        let host = self.world.0.open();
        let recovered = host.recover().unwrap();
        let (repaired, orphans) = (&recovered.repaired, &recovered.orphans);
        println!(
            "recovered: {} taken back, {} repaired, {} orphans",
            recovered.taken_back.len(),
            repaired.len(),
            orphans.len()
        );
        assert!(
            *wanted == Orphans::Some || orphans.is_empty(),
            "{orphans:#?}"
        );
        let again = host.recover().unwrap();
        assert!(again.is_empty(), "{again}");
        let findings = host.check().unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        self.assert_nothing_twice();
        let before = self.host_side();
        for _ in 0..20 {
            assert!(self.world.0.open().recover().unwrap().is_empty());
            let after = self.host_side();
            for (before, after) in before.iter().zip(&after) {
                assert_eq!(before, after);
            }
        }
        for network in host.networks() {
            for endpoint in network.endpoints() {
                network.disconnect(endpoint.container.as_str()).unwrap();
            }
            network.remove().unwrap();
        }
        drop(host);
        for netns in &self.netns {
            let links = lab::ip_json(netns, "link").unwrap_or_default();
            assert!(links.len() <= 1, "{links:?}");
        }
        let [ruleset, links, ..] = self
            .host_side()
            .try_into()
            .unwrap_or([""; 7].map(str::to_owned));
        assert_eq!(ruleset, "");
        assert_eq!(links.lines().count(), 2, "{links}");
    }

    fn assert_nothing_wrong(&self) {
        let log = fs::read_to_string(Log::path(&self.world.0)).unwrap();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut longest: BTreeMap<&str, u64> = BTreeMap::new();
        let mut wrong = BTreeMap::new();
        for line in log.lines() {
            let (took, said) = line.split_once(' ').unwrap();
            let verb = said.split(' ').next().unwrap();
            let longest = longest.entry(verb).or_default();
            *longest = took.parse::<u64>().unwrap().max(*longest);
            match said.split_once("WRONG ") {
                None => *counts.entry(said.to_owned()).or_default() += 1,
                Some((_, why)) => *wrong.entry(why.to_owned()).or_insert(0) += 1,
            }
        }
        println!("{counts:?}\nthe longest took ms: {longest:?}");
        let few: Vec<_> = wrong.iter().take(8).collect();
        assert!(wrong.is_empty(), "{} verbs: {few:#?}", wrong.len());
    }
}

/// Without what follows carrier, which the kernel hears of in its own time.
fn at_rest(text: &str) -> String {
    let mut after_state = false;
    let words = text.split_inclusive([' ', '\n']).filter(|word| {
        let is_value = std::mem::replace(&mut after_state, ["state ", "qdisc "].contains(word));
        let follows = word.starts_with('<') || ["linkdown ", "dead "].contains(word);
        !(is_value || follows)
    });
    words.collect()
}

/// What the last recovery may find that is of no record.
#[derive(PartialEq)]
enum Orphans {
    /// Processes that live make anew what another one is taking away, if they have not heard of it.
    Some,
    None,
}

fn storm(verbs: u64, orphans: &Orphans) {
    let number = |key| {
        std::env::var(key)
            .ok()
            .and_then(|text: String| text.parse().ok())
    };
    let seed = number("STORM_SEED").unwrap_or_else(crate::lab::chance::seed);
    let verbs = number("STORM_VERBS").unwrap_or(verbs);
    println!("STORM_SEED={seed}");
    let begun = Instant::now();
    let mut storm = Storm::new(seed);
    storm.run(verbs);
    println!(
        "{verbs} verbs, {} deaths, {:?}",
        storm.deaths,
        begun.elapsed()
    );
    storm.assert_nothing_wrong();
    storm.assert_in_order(orphans);
}

impl Drop for Storm {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            let _ended = worker.kill();
            let _reaped = worker.wait();
        }
    }
}

#[test]
fn in_a_storm_of_processes_that_die_nobody_has_what_another_has() {
    storm(300, &Orphans::Some);
}

#[test]
#[ignore = "takes an hour"]
fn in_a_long_storm_of_processes_that_die_nobody_has_what_another_has() {
    storm(100_000, &Orphans::Some);
}

#[test]
#[ignore = "elements of what another process takes away are made anew by those that do not know"]
fn after_a_storm_there_is_nothing_of_no_record() {
    storm(300, &Orphans::None);
}
