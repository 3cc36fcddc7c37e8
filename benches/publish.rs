//! What publishing ports costs, beside the raw elements in the same run.
//!
//! `cargo bench --bench publish [-- one|many|connect|latency]`
//!
//! * `one`: one port of a container that is running, with so many published already. The floor adds
//!   an element to a map of the same kind with as many elements. Ours also holds the port by a
//!   socket; the row `and ::1` has this process carry over what the kernel can't lead there.
//! * `many`: 1,000 ports by one call, and 1,000 elements in one transaction.
//! * `connect`: a container with one port, and the floor's plan of it and its elements.
//! * `latency`: a connection by a published port, with so many published, beside one with one.
//!
//! Times are medians in microseconds; what counts on a noisy machine is the ratio. Without `--bench`
//! (as `cargo test` runs it) there are a few of each, which shows that it works and measures nothing.

mod element;

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use bridgework::{Container, Endpoint, EndpointConfig, Host, Network, NetworkConfig};
use element::Elements;

const RATIO: f64 = 3.0;
const LATENCY_RATIO: f64 = 1.3;
/// Behind all that the floor has.
const FIRST_PORT: u32 = 20_000;

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
    println!(
        "{:<44} {:>8} {:>8} {:>8} {:>6}  target",
        "us", "ours", "p99", "floor", "ratio"
    );
    let measured = effort.there.iter().try_for_each(|&there| {
        if named("one") {
            one(there, effort)?;
        }
        Ok::<(), String>(())
    });
    let measured = measured.and_then(|()| if named("many") { many(effort) } else { Ok(()) });
    if let Err(error) = measured {
        println!("NOT MEASURED: {error}");
    }
    if named("latency") {
        latency(effort);
    }
    ExitCode::SUCCESS
}

#[derive(Clone, Copy)]
struct Effort {
    rounds: u32,
    there: &'static [u32],
    many: u32,
}

const FULL: Effort = Effort {
    rounds: 300,
    there: &[0, 1_000, 10_000],
    many: 1_000,
};
const SMOKE: Effort = Effort {
    rounds: 2,
    there: &[0, 20],
    many: 20,
};

/// A container that is running, on the host that the process is in.
struct Ground {
    endpoint: Endpoint,
    container: Container,
    _network: Network,
}

impl Ground {
    fn make() -> Self {
        let host = Host::open().expect("a host");
        let config = NetworkConfig::bridge("bench").subnet("10.89.0.0/16");
        let network = host.create_network(config).expect("a network");
        let container = Container::isolated("web").expect("a container");
        // what the first port of a container needs besides is there then
        let config = EndpointConfig::new().publish("0.0.0.0:19999:9");
        let endpoint = network.connect_with(&container, config).expect("connected");
        Self {
            endpoint,
            container,
            _network: network,
        }
    }

    /// So many ports are published, by as few calls as there are ranges.
    fn publish(&self, count: u32) {
        if count > 0 {
            let (first, last) = (40_000, 40_000 + count - 1);
            let mapping = format!("0.0.0.0:{first}-{last}:{first}-{last}");
            self.endpoint.publish(mapping.as_str()).expect("published");
        }
    }
}

fn one(there: u32, effort: Effort) -> Result<(), String> {
    for (label, host) in [("", "0.0.0.0:"), (" and ::1", "")] {
        let ground = Ground::make();
        ground.publish(there);
        let mut floor = Elements::make(there)?;
        let (mut ours, mut raw) = (Vec::new(), Vec::new());
        for n in 0..effort.rounds {
            let port = FIRST_PORT + n;
            let mapping = format!("{host}{port}:80");
            let start = Instant::now();
            ground
                .endpoint
                .publish(mapping.as_str())
                .expect("published");
            ours.push(start.elapsed());
            raw.push(floor.add(FIRST_PORT + n, 1));
        }
        floor.delete();
        let label = format!("publish one port{label}, {there} others");
        print_row(&label, &ours, &raw, Some(RATIO));
    }
    Ok(())
}

fn many(effort: Effort) -> Result<(), String> {
    let ground = Ground::make();
    let mut floor = Elements::make(0)?;
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    let (first, last) = (FIRST_PORT, FIRST_PORT + effort.many - 1);
    let mapping = format!("0.0.0.0:{first}-{last}:{first}-{last}");
    for _ in 0..effort.rounds.min(20) {
        let start = Instant::now();
        ground
            .endpoint
            .publish(mapping.as_str())
            .expect("published");
        ours.push(start.elapsed() / effort.many);
        raw.push(floor.add(FIRST_PORT, effort.many) / effort.many);
        ground
            .endpoint
            .unpublish(mapping.as_str())
            .expect("unpublished");
        floor.remove(FIRST_PORT, effort.many);
    }
    floor.delete();
    let label = format!("publish {} ports at once, each", effort.many);
    print_row(&label, &ours, &raw, Some(RATIO));
    Ok(())
}

/// The host's own connections by a port that is published to all, the last of so many.
fn latency(effort: Effort) {
    let ground = Ground::make();
    let port = FIRST_PORT + 5_000;
    let mapping = format!("0.0.0.0:{port}:80");
    ground
        .endpoint
        .publish(mapping.as_str())
        .expect("published");
    let listen = || TcpListener::bind("0.0.0.0:80");
    let listener = ground
        .container
        .run(listen)
        .expect("inside")
        .expect("bound");
    // ends with the process
    thread::spawn(move || listener.incoming().flatten().for_each(drop));
    let address = SocketAddr::from(([10, 89, 0, 1], u16::try_from(port).expect("a port")));
    let connect = || {
        let start = Instant::now();
        let mut stream = TcpStream::connect(address).expect("connected");
        let took = start.elapsed();
        let _end = stream.read(&mut [0; 1]);
        took
    };
    let measure = || {
        (0..effort.rounds)
            .map(|_| connect())
            .collect::<Vec<Duration>>()
    };
    let most = effort.there.last().copied().unwrap_or_default();
    let (mut alone, mut among) = (Vec::new(), Vec::new());
    let range = format!("0.0.0.0:40000-{0}:40000-{0}", 40_000 + most - 1);
    for _ in 0..4 {
        alone.extend(measure());
        ground.endpoint.publish(range.as_str()).expect("published");
        among.extend(measure());
        ground
            .endpoint
            .unpublish(range.as_str())
            .expect("unpublished");
    }
    let label = format!("connect by a port, {most} others (floor: none)");
    print_row(&label, &among, &alone, Some(LATENCY_RATIO));
}

fn print_row(label: &str, ours: &[Duration], floor: &[Duration], target: Option<f64>) {
    let [middle, late] = [0.5, 0.99].map(|share| quantile(ours, share));
    let floor = quantile(floor, 0.5);
    let target = target.map_or(String::new(), |target| format!("<= {target}"));
    let ratio = middle / floor;
    println!("{label:<44} {middle:>8.1} {late:>8.1} {floor:>8.1} {ratio:>6.2}  {target}");
}

fn quantile(times: &[Duration], share: f64) -> f64 {
    let mut micros: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
    micros.sort_by(f64::total_cmp);
    let last = micros.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    micros.get(at).copied().unwrap_or_default()
}
