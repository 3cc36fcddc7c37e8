//! How soon tables are there again that somebody else has flushed.
//!
//! `cargo bench --bench watch`
//!
//! With so many ports published, `nft flush ruleset` is run again and again. `heard` is from the first
//! notice of the kernel's until everything is there, `nft` from its start. Median and 99th percentile
//! in ms; the last column is what we promise of the latter. Without `--bench` (as `cargo test` runs
//! it) there are a few of each, which shows that it works and measures nothing.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use bridgework::{Container, EndpointConfig, Host, NetworkConfig};

const PROMISE_MS: f64 = 50.0;
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    if let Err(error) = bridgework::sandbox::enter() {
        eprintln!("NOT MEASURED: {error}");
        return ExitCode::FAILURE;
    }
    let is_bench = std::env::args().any(|word| word == "--bench");
    let (rounds, sizes): (usize, &[u32]) = match is_bench {
        true => (200, &[0, 1_000, 10_000]),
        false => (2, &[0, 20]),
    };
    println!(
        "{:<20} {:>10} {:>10} {:>10} {:>10}  promised",
        "ms", "heard", "p99", "nft", "p99"
    );
    for &ports in sizes {
        if let Err(error) = row(ports, rounds) {
            println!("{ports:>6} ports NOT MEASURED: {error}");
        }
    }
    ExitCode::SUCCESS
}

fn row(ports: u32, rounds: usize) -> Result<(), Box<dyn std::error::Error>> {
    let host = Host::open()?;
    let network = host.create_network(NetworkConfig::bridge("bench"))?;
    let web = Container::isolated("web")?;
    let endpoint = network.connect_with(&web, EndpointConfig::new())?;
    if ports > 0 {
        let (first, last) = (40_000, 40_000 + ports - 1);
        endpoint.publish(format!("0.0.0.0:{first}-{last}:{first}-{last}").as_str())?;
    }
    let events = host.subscribe();
    let (mut heard, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        let flushed = Command::new("nft").args(["flush", "ruleset"]).status()?;
        let event = events.recv_timeout(PATIENCE).map_err(|_| "no repair")?;
        whole.push(begun.elapsed());
        heard.push(event.took);
        if !flushed.success() {
            return Err("nft refused".into());
        }
    }
    let [heard, whole] = [heard, whole].map(|mut times| {
        times.sort();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        [at(50), at(99)]
    });
    println!(
        "{:<20} {:>10.2} {:>10.2} {:>10.2} {:>10.2}  {PROMISE_MS:.0}",
        format!("{ports} ports"),
        heard[0],
        heard[1],
        whole[0],
        whole[1]
    );
    Ok(())
}
