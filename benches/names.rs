//! What names cost, beside the floor in the same namespace: a thread that sends back what it gets,
//! a datagram at a time; and beside other servers.
//!
//! `cargo bench --bench names [-- serve|many|connect|memory|attack]`
//!
//! * `serve`: 10 names of 2 containers, from the first of them. `one by one` is the time of a
//!   question; `64 at once` is answers a second with as many on their way at any time.
//! * `many`: 10,000 names of 1,000 containers; ours also beside its own rate with 10 names.
//! * `connect`: a container on a host whose names are served, and on one whose names are not.
//! * `memory`: what each of 1,000 idle containers has this process allocate, beside what it has
//!   without a server; and how long it takes until all have left together.
//! * `attack`: a container's questions, while another keeps opening connections on which it sends
//!   one byte, and sends 100,000 datagrams a second that are no questions.
//!
//! The same client asks all, in rounds that alternate. Servers that are not installed are named and
//! left out. Figures are medians; what counts on a noisy machine is the ratio to the echo. Without
//! `--bench` (as `cargo test` runs it) there is little of each, which shows that it works and
//! measures nothing.

mod allocated;
mod asking;
mod peers;

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use asking::{Client, dns};
use bridgework::plan::Switch;
use bridgework::{
    Container, Endpoint, EndpointConfig, Host, HostConfig, Netns, Network, NetworkConfig,
};
use peers::{Name, Peer};

const RATE_SHARE: f64 = 0.85;
const BEST_PEER_RATIO: f64 = 1.5;
const LATENCY_RATIO: f64 = 1.25;
const MANY_SHARE: f64 = 0.95;
const IDLE_BYTES: f64 = 4096.0;
const ATTACKED_P99_MS: f64 = 5.0;

fn main() -> ExitCode {
    if let Err(error) = bridgework::sandbox::enter() {
        eprintln!("NOT MEASURED: {error}");
        return ExitCode::FAILURE;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let rows: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let named = |word: &str| rows.is_empty() || rows.iter().any(|row| *row == word);
    let effort = match words.iter().any(|word| word == "--bench") {
        true => FULL,
        false => SMOKE,
    };
    let scratch = Scratch::new();
    if named("serve") {
        serve(&scratch, effort, effort.few);
    }
    if named("many") {
        serve(&scratch, effort, effort.many);
        grow(effort);
    }
    if named("connect") {
        connect(effort);
    }
    if named("memory") {
        memory(effort);
    }
    if named("attack") {
        attack(effort);
    }
    ExitCode::SUCCESS
}

#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    questions: usize,
    time: Duration,
    few: (usize, usize),
    many: (usize, usize),
    half_connections: u64,
}

const FULL: Effort = Effort {
    rounds: 15,
    questions: 3_000,
    time: Duration::from_millis(300),
    few: (2, 10),
    many: (1_000, 10_000),
    half_connections: 10_000,
};
const SMOKE: Effort = Effort {
    rounds: 1,
    questions: 20,
    time: Duration::from_millis(5),
    few: (2, 10),
    many: (5, 50),
    half_connections: 50,
};

/// A folder for the files of the peers.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("names-{}", std::process::id()));
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

/// Containers on one network, with aliases.
struct Ground {
    containers: Vec<Container>,
    endpoints: Vec<Endpoint>,
    names: Vec<Name>,
    network: Network,
    _host: Host,
}

impl Ground {
    fn make(containers: usize, names: usize) -> Self {
        let host = Host::isolated().expect("a host");
        let config = NetworkConfig::bridge("bench").subnet("10.88.0.0/16");
        let network = host.create_network(config).expect("a network");
        let mut ground = Self {
            containers: Vec::new(),
            endpoints: Vec::new(),
            names: Vec::new(),
            network,
            _host: host,
        };
        for number in 0..containers {
            ground.add(number, names / containers);
        }
        ground
    }

    fn add(&mut self, number: usize, names: usize) {
        let container = Container::isolated(format!("c{number}")).expect("a container");
        let aliases = (1..names).map(|alias| format!("c{number}-a{alias}"));
        let config = aliases
            .clone()
            .fold(EndpointConfig::new(), |config, alias| {
                config.alias(alias.as_str())
            });
        let endpoint = self.network.connect_with(&container, config);
        let endpoint = endpoint.expect("connected");
        let own = [format!("c{number}")].into_iter().chain(aliases);
        self.names.extend(own.map(|name| (name, endpoint.ip())));
        self.endpoints.push(endpoint);
        self.containers.push(container);
    }

    fn asked_for(&self) -> Vec<String> {
        self.names.iter().map(|(name, _)| name.clone()).collect()
    }
}

fn ours() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 11], 53))
}

/// What one server has done in all rounds.
struct Row {
    label: &'static str,
    client: Client,
    times: Vec<Duration>,
    rates: Vec<f64>,
    _peer: Option<Peer>,
}

impl Row {
    fn new(ground: &Ground, label: &'static str, at: SocketAddr, peer: Option<Peer>) -> Self {
        let client = Client::new(ground.containers[0].netns(), at, &ground.asked_for());
        let (times, rates) = (Vec::new(), Vec::new());
        Self {
            label,
            client,
            times,
            rates,
            _peer: peer,
        }
    }
}

fn serve(scratch: &Scratch, effort: Effort, (containers, names): (usize, usize)) {
    if !descriptors_for(containers) {
        return;
    }
    let ground = Ground::make(containers, names);
    let netns = ground.containers[0].netns();
    let echo = peers::echo(netns);
    let others = peers::all(netns, &scratch.0, &ground.names);
    let mut rows = vec![
        Row::new(&ground, "echo", echo.at, Some(echo)),
        Row::new(&ground, "ours", ours(), None),
    ];
    for peer in others {
        rows.push(Row::new(&ground, peer.label, peer.at, Some(peer)));
    }
    rows.retain_mut(|row| row.label == "echo" || knows_all(row, ground.names.len()));
    for _ in 0..effort.rounds {
        for row in &mut rows {
            row.client.one_by_one(effort.questions / 10);
            row.times.extend(row.client.one_by_one(effort.questions));
        }
        for row in &mut rows {
            row.rates.push(row.client.all_at_once(effort.time));
        }
    }
    print_rows(&rows, containers, ground.names.len());
}

/// Ours with few names and with many, asked as many different questions by turns.
fn grow(effort: Effort) {
    if !descriptors_for(effort.few.0 + effort.many.0) {
        return;
    }
    let grounds = [effort.few, effort.many].map(|(containers, names)| {
        let ground = Ground::make(containers, names);
        let asked_for = ground.asked_for().into_iter().cycle();
        let asked_for: Vec<String> = asked_for.take(effort.many.1).collect();
        let client = Client::new(ground.containers[0].netns(), ours(), &asked_for);
        (client, ground)
    });
    let [(mut few, _few), (mut many, _many)] = grounds;
    let mut shares: Vec<f64> = (0..effort.rounds)
        .map(|_| {
            let rate = few.all_at_once(effort.time);
            let share = many.all_at_once(effort.time) / rate;
            // who comes first in a round makes no difference
            let rate = many.all_at_once(effort.time);
            (share + rate / few.all_at_once(effort.time)) / 2.0
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    let share = shares[shares.len() / 2];
    println!("64 at once, with many names / with few: {share:.2}  (target >= {MANY_SHARE})");
}

fn knows_all(row: &mut Row, names: usize) -> bool {
    let known = row.client.known();
    if known != names {
        println!(
            "NOT MEASURED: {}: it knows {known} of {names} names",
            row.label
        );
    }
    known == names
}

fn print_rows(rows: &[Row], containers: usize, names: usize) {
    println!(
        "{:<44} {:>8} {:>8} {:>6} {:>10} {:>10} {:>6}",
        format!("{names} names, {containers} containers"),
        "us",
        "p99",
        "ratio",
        "64 at once",
        "best",
        "ratio"
    );
    let mut floor = None;
    for row in rows {
        let [middle, late] = [0.5, 0.99].map(|share| quantile_us(&row.times, share));
        let mut rates = row.rates.clone();
        rates.sort_by(f64::total_cmp);
        let (rate, best) = (rates[rates.len() / 2], rates[rates.len() - 1]);
        let (least, most) = *floor.get_or_insert((middle, rate));
        let [slower, share] = [middle / least, rate / most];
        println!(
            "{:<44} {middle:>8.1} {late:>8.1} {slower:>6.2} {rate:>10.0} {best:>10.0} {share:>6.2}",
            row.label
        );
    }
    println!(
        "{:<44} {:>24} {:>28}",
        "  target of ours",
        format!("<= {LATENCY_RATIO}"),
        format!(">= {RATE_SHARE}; >= {BEST_PEER_RATIO} x Docker's and aardvark-dns")
    );
}

fn quantile_us(times: &[Duration], share: f64) -> f64 {
    let mut micros: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
    micros.sort_by(f64::total_cmp);
    let last = micros.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    micros.get(at).copied().unwrap_or_default()
}

/// A container needs its namespace and the two sockets of its server.
fn descriptors_for(containers: usize) -> bool {
    let (_, most) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
        .expect("a limit");
    let needed = 8 * u64::try_from(containers).expect("a few") + 200;
    let raised = nix::sys::resource::setrlimit(
        nix::sys::resource::Resource::RLIMIT_NOFILE,
        needed.min(most),
        most,
    );
    let enough = raised.is_ok() && needed <= most;
    if !enough {
        println!(
            "NOT MEASURED: {containers} containers: {needed} descriptors, `ulimit -Hn` is {most}"
        );
    }
    enough
}

/// Two networks on hosts of their own: names are served on the first alone.
fn both_ways() -> [Network; 2] {
    [Switch::On, Switch::Off].map(|resolver| {
        let netns = Netns::create().expect("a namespace");
        let config = HostConfig::new().netns(netns).resolver(resolver);
        let host = Host::open_with(config).expect("a host");
        let wide = NetworkConfig::bridge("bench").subnet("10.88.0.0/16");
        host.create_network(wide).expect("a network")
    })
}

fn connect(effort: Effort) {
    let networks = both_ways();
    let mut connects = [Vec::new(), Vec::new()];
    let mut disconnects = [Vec::new(), Vec::new()];
    // of the first on a network the server's thread is a part
    let _stay = networks.each_ref().map(|network| {
        let first = Container::isolated("first").expect("a container");
        (network.connect(&first).expect("connected"), first)
    });
    for number in 0..effort.rounds * 10 {
        for (way, network) in networks.iter().enumerate() {
            let container = Container::isolated(format!("c{number}")).expect("a container");
            let start = Instant::now();
            let endpoint = network.connect(&container).expect("connected");
            connects[way].push(start.elapsed());
            let start = Instant::now();
            endpoint.disconnect().expect("disconnected");
            disconnects[way].push(start.elapsed());
        }
    }
    for (label, [with, without]) in [("connect", connects), ("disconnect", disconnects)] {
        let [ours, late] = [0.5, 0.99].map(|share| quantile_us(&with, share));
        let bare = quantile_us(&without, 0.5);
        println!(
            "{label:<20} us: with names {ours:.0} (p99 {late:.0}), without {bare:.0}: {:+.0}",
            ours - bare
        );
    }
}

/// What containers without a server add is what they add anyhow.
fn memory(effort: Effort) {
    let (count, _) = effort.many;
    if !descriptors_for(2 * count) {
        return;
    }
    let [(with, left_in), (without, bare)] = both_ways().map(|network| grown(&network, count));
    println!(
        "memory: {with:.0} bytes a container with names, {without:.0} without: {:+.0}  (target <= \
         {IDLE_BYTES:+})",
        with - without
    );
    let [with, without] = [left_in, bare].map(|took| took.as_secs_f64() * 1e3);
    println!("disconnect_all of {count} ms: with names {with:.0}, without {without:.0}");
}

/// By how much what each of so many containers has allocated makes this process larger, and how
/// long it takes until all have left.
fn grown(network: &Network, count: usize) -> (f64, Duration) {
    let before = allocated::bytes();
    let grown: Vec<(Endpoint, Container)> = (0..count)
        .map(|number| {
            let container = Container::isolated(format!("c{number}")).expect("a container");
            (network.connect(&container).expect("connected"), container)
        })
        .collect();
    let after = allocated::bytes();
    let start = Instant::now();
    Endpoint::disconnect_all(grown.into_iter().map(|(endpoint, _)| endpoint))
        .expect("disconnected");
    ((after - before) / count as f64, start.elapsed())
}

/// Two containers on networks of their own: one attacks, the other asks.
fn attack(effort: Effort) {
    let ground = Ground::make(1, 1);
    let bad_network = ground._host.create_network(NetworkConfig::bridge("bad"));
    let bad_network = bad_network.expect("a network");
    let bad = Container::isolated("bad").expect("a container");
    let _bad = bad_network.connect(&bad).expect("connected");
    let names = ground.asked_for();
    let mut client = Client::new(ground.containers[0].netns(), ours(), &names);
    let quiet = client.one_by_one(1_000);
    let (ended, sent, opened) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let start = Instant::now();
    let mut attacked = Vec::new();
    thread::scope(|scope| {
        let bad = bad.netns();
        scope.spawn(|| bad.run(|| send_garbage(&ended, &sent)).expect("inside"));
        let half = || open_halves(&ended, &opened, effort.half_connections);
        scope.spawn(move || bad.run(half).expect("inside"));
        while attacked.len() < 1_000 || opened.load(Ordering::Relaxed) < effort.half_connections {
            attacked.extend(client.one_by_one(100));
        }
        ended.store(true, Ordering::Relaxed);
    });
    let took = start.elapsed().as_secs_f64();
    let lost = attacked
        .iter()
        .filter(|time| **time >= Duration::from_secs(2))
        .count();
    let [datagrams, halves] = [&sent, &opened].map(|count| count.load(Ordering::Relaxed) as f64);
    println!(
        "attack: {halves:.0} half connections and {:.0} datagrams a second in {took:.1} s",
        datagrams / took
    );
    for (label, times) in [("quiet", &quiet), ("attacked", &attacked)] {
        let [middle, late, last] = [0.5, 0.99, 1.0].map(|share| quantile_us(times, share));
        println!(
            "{label:<10} {:>6} questions: p50 {middle:.1} us, p99 {late:.1} us, longest {last:.0} us",
            times.len()
        );
    }
    println!("unanswered: {lost}  (target 0; p99 < {ATTACKED_P99_MS} ms)");
}

/// A hundred each millisecond.
fn send_garbage(ended: &AtomicBool, sent: &AtomicU64) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut bytes = dns::query("www.outside.test", dns::A).bytes;
    let start = Instant::now();
    let mut count = 0_u64;
    while !ended.load(Ordering::Relaxed) {
        let due = u64::try_from(start.elapsed().as_millis()).expect("a while") * 100;
        while count < due {
            count += 1;
            let at = usize::try_from(count % 30).expect("small");
            bytes[at] = bytes[at].wrapping_add(count.to_le_bytes()[0] | 1);
            let _full = socket.send_to(&bytes, ours());
        }
        sent.store(count, Ordering::Relaxed);
        thread::sleep(Duration::from_micros(500));
    }
}

fn open_halves(ended: &AtomicBool, opened: &AtomicU64, all: u64) {
    let mut kept = Vec::new();
    for _ in 0..all {
        if let Ok(mut stream) = TcpStream::connect(ours()) {
            let _room_was_made = std::io::Write::write(&mut stream, b"\0");
            kept.push(stream);
        }
        if kept.len() > 500 {
            kept.drain(..250);
        }
        opened.fetch_add(1, Ordering::Relaxed);
    }
    while !ended.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
    }
}
