//! A steady stream of datagrams to places that must get none, while something else happens; and
//! how many came, as the receiver's kernel counts them.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bridgework::Netns;

use crate::lab::wait_until;

/// Where nobody listens.
const PORT: u16 = 9;

/// It ends when it is dropped.
pub struct Steady {
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// `FIREWALL_PROBES_PER_S`, for all streams of a test together.
fn probes_per_s() -> u64 {
    let text = std::env::var("FIREWALL_PROBES_PER_S").ok();
    text.map_or(3000, |text| text.parse().expect("a number"))
}

impl Steady {
    /// From a namespace to addresses in turn; one of `streams` that share what a test sends.
    pub fn start(from: &Netns, to: &[IpAddr], streams: u64) -> Self {
        let to = to.iter().map(|to| SocketAddr::new(*to, PORT)).collect();
        Self::start_at(from, to, streams)
    }

    /// As [`start`](Self::start), to ports of the caller's.
    pub fn start_at(from: &Netns, to: Vec<SocketAddr>, streams: u64) -> Self {
        let (sent, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let open = || ["0.0.0.0:0", "[::]:0"].map(|any| UdpSocket::bind(any).expect("a socket"));
        let sockets = from.run(open).expect("inside the namespace");
        let (counted, stopped) = (Arc::clone(&sent), Arc::clone(&stop));
        let pause = Duration::from_secs(1) / u32::try_from(probes_per_s() / streams).unwrap();
        let thread = std::thread::spawn(move || {
            let [ipv4, ipv6] = sockets;
            let began = Instant::now();
            for (number, to) in (1..).zip(to.iter().cycle()) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let socket = if to.is_ipv4() { &ipv4 } else { &ipv6 };
                let _refused = socket.send_to(b"never", to);
                counted.fetch_add(1, Ordering::Relaxed);
                let due = began + pause * number;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        Self {
            sent,
            stop,
            thread: Some(thread),
        }
    }

    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Waits until so many more are sent.
    pub fn await_more(&self, count: u64) {
        let before = self.sent();
        wait_until("more probes", || self.sent() >= before + count);
    }
}

impl Drop for Steady {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the prober has failed");
        }
    }
}

/// How many datagrams came to a namespace, read or not.
pub fn datagrams(netns: &Netns) -> u64 {
    datagrams_of_each_family(netns).iter().sum()
}

/// The same, by IPv4 and by IPv6.
pub fn datagrams_of_each_family(netns: &Netns) -> [u64; 2] {
    const NAMES: [&str; 3] = ["InDatagrams", "NoPorts", "InErrors"];
    let ipv4 = counters(netns, "/proc/thread-self/net/snmp", |text| {
        pairs(text, "Udp", &NAMES)
    });
    let ipv6 = counters(netns, "/proc/thread-self/net/snmp6", |text| {
        let names = NAMES.map(|name| format!("Udp6{name} "));
        let named = |line: &&str| names.iter().any(|name| line.starts_with(name.as_str()));
        let lines = text.lines().filter(named);
        let numbers = lines.filter_map(|line| line.split_whitespace().nth(1));
        numbers
            .map(|number| number.parse::<u64>().expect("a number"))
            .sum()
    });
    [ipv4, ipv6]
}

/// How many TCP segments came to a namespace.
pub fn segments(netns: &Netns) -> u64 {
    counters(netns, "/proc/thread-self/net/snmp", |text| {
        pairs(text, "Tcp", &["InSegs"])
    })
}

fn counters(netns: &Netns, path: &str, read: impl Fn(&str) -> u64 + Sync) -> u64 {
    let text = netns.run(|| std::fs::read_to_string(path));
    read(&text.expect("inside the namespace").expect("counters"))
}

/// `/proc/net/snmp` has a line of names and a line of numbers.
fn pairs(text: &str, group: &str, names: &[&str]) -> u64 {
    let prefix = format!("{group}:");
    let mut lines = text.lines().filter(|line| line.starts_with(&prefix));
    let (heads, numbers) = (lines.next().expect("names"), lines.next().expect("numbers"));
    let columns = heads.split_whitespace().zip(numbers.split_whitespace());
    let wanted = columns.filter(|(head, _)| names.contains(head));
    wanted
        .map(|(_, number)| number.parse::<u64>().expect("a number"))
        .sum()
}
