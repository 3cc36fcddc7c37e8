//! What names cost, beside the floor in the same namespace: a thread that sends back what it gets,
//! a datagram at a time; and beside other servers.
//!
//! ```sh
//! benches/adapters/peers target/peers
//! BRIDGEWORK_PEERS=target/peers cargo bench --bench names [-- serve|many|connect|memory|attack]
//! ```
//!
//! * `serve`: 10 names of 2 containers, then 20 of 20, from the first of them. `us` is the time of a
//!   question, one by one; `64 at once` is answers a second with as many on their way at any time.
//! * `many`: 10,000 names of 1,000 containers; ours also beside its own rate with 10 names. Docker is
//!   left out, since each of its containers takes half a second and a few processes; up to how many it
//!   is asked says `NAMES_DOCKER_CONTAINERS`.
//! * `connect`: a container on a host whose names are served, and on one whose names are not.
//! * `memory`: what each of 1,000 idle containers has this process allocate, beside what it has
//!   without a server; and how long it takes until all have left together.
//! * `attack`: a container's questions, while another keeps opening connections on which it sends
//!   one byte, and sends 100,000 datagrams a second that are no questions.
//!
//! The same client asks all, in rounds that alternate. dnsmasq, unbound and aardvark-dns listen in the
//! namespace where ours is asked. Docker's server answers containers of its own alone and is asked in
//! one of those, beside an echo there: its daemon lives in namespaces of its own, for which one has to
//! be root. `ratio` is by the echo in the same namespace, `by ours` how many times ours a question
//! takes, `ours by` how many times the peer's answers ours are. Servers that are not there are named and
//! left out. Figures are medians; what counts on a noisy machine is the ratio to the echo. Without
//! `--bench` (as `cargo test` runs it) there is little of each, which shows that it works and
//! measures nothing.

#[path = "names/mod.rs"]
mod rooms;

mod allocated;
mod asking;
// other benches use more of it
#[allow(dead_code)]
mod docker;
mod peers;
mod unpacked;

use std::net::{TcpStream, UdpSocket};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use asking::{Client, dns};
use bridgework::plan::Switch;
use bridgework::{Container, Endpoint, Host, HostConfig, Netns, Network, NetworkConfig};
use rooms::ground::{Ground, descriptors_for, ours};
use rooms::serve::{grow, serve};
use rooms::table::quantile_us;

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
    if named("serve") {
        serve(effort, effort.few);
        serve(effort, effort.some);
    }
    if named("many") {
        serve(effort, effort.many);
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
    /// Between the start of containers and the first question.
    lull: Duration,
    /// Containers, and their names.
    few: (usize, usize),
    some: (usize, usize),
    many: (usize, usize),
    half_connections: u64,
}

const FULL: Effort = Effort {
    rounds: 15,
    questions: 3_000,
    time: Duration::from_millis(300),
    lull: Duration::from_secs(3),
    few: (2, 10),
    some: (20, 20),
    many: (1_000, 10_000),
    half_connections: 10_000,
};
const SMOKE: Effort = Effort {
    rounds: 1,
    questions: 20,
    time: Duration::from_millis(5),
    lull: Duration::ZERO,
    few: (2, 10),
    some: (3, 3),
    many: (5, 50),
    half_connections: 50,
};

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
    let bad_network = ground.host.create_network(NetworkConfig::bridge("bad"));
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
