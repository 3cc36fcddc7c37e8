//! What records cost: connecting with them and without, and putting in order a host on which nothing
//! is wrong.
//!
//! `cargo bench --features store --bench recover [-- connect|recover]`
//!
//! * `connect`: a container on a host that keeps records in a directory on a tmpfs, beside one on a
//!   host that keeps none: the floor. Both are disconnected again each time.
//! * `recover`: `Host::recover` where 1,000 containers with a published port each are connected by a
//!   process that has ended, and where opening the host that finds them is timed as well.
//!
//! Figures are medians of rounds that alternate. Without `--bench` (as `cargo test` runs it) there is
//! little of each, which shows that it works and measures nothing.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bridgework::plan::Switch;
use bridgework::{Container, EndpointConfig, Host, HostConfig, Netns, Network, NetworkConfig};

type Outcome<T> = Result<T, Box<dyn Error>>;

const CONNECT_MORE_MS: f64 = 1.0;
const RECOVER_MS: f64 = 200.0;

fn main() -> ExitCode {
    if let Err(error) = bridgework::sandbox::enter() {
        eprintln!("NOT MEASURED: {error}");
        return ExitCode::FAILURE;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_bench = words.iter().any(|word| word == "--bench");
    let rows: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let named = |word: &str| rows.is_empty() || rows.iter().any(|row| *row == word);
    let (rounds, containers) = if is_bench { (200, 1_000) } else { (3, 20) };
    let measured = (|| -> Outcome<()> {
        if named("connect") {
            connect(rounds)?;
        }
        if named("recover") {
            recover(containers, rounds.min(21))?;
        }
        Ok(())
    })();
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("NOT MEASURED: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Below `/run`, which is a tmpfs of the bench's own.
fn state_dir(name: &str) -> PathBuf {
    PathBuf::from("/run/bench-recover").join(name)
}

fn config(netns: &Netns) -> HostConfig {
    HostConfig::new().netns(netns.clone()).resolver(Switch::Off)
}

fn network_of(config: HostConfig) -> Outcome<(Host, Network)> {
    let host = Host::open_with(config)?;
    let network = host.create_network(NetworkConfig::bridge("bench").subnet("10.89.0.0/16"))?;
    Ok((host, network))
}

fn connect(rounds: usize) -> Outcome<()> {
    let (kept, plain) = (Netns::create()?, Netns::create()?);
    let (_kept_host, kept) = network_of(config(&kept).state_dir(state_dir("connect")))?;
    let (_plain_host, plain) = network_of(config(&plain))?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let name = format!("c{round}");
        for (network, times) in [(&kept, &mut with), (&plain, &mut without)] {
            let container = Container::isolated(name.as_str())?;
            let begun = Instant::now();
            let at = network.connect(&container)?;
            times.push(begun.elapsed());
            at.disconnect()?;
        }
    }
    let (with, without) = (median_ms(with), median_ms(without));
    let more = with - without;
    println!(
        "connect: with records {with:.2} ms, without {without:.2} ms: {more:+.2} ms \
         ({:.2} times; target: at most {CONNECT_MORE_MS:+.2} ms)",
        with / without
    );
    Ok(())
}

fn recover(containers: usize, rounds: usize) -> Outcome<()> {
    let netns = Netns::create()?;
    let directory = state_dir("recover");
    let connected = connect_many(&netns, &directory, containers)?;
    let (mut opened, mut recovered) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        let host = Host::open_with(config(&netns).watch(Switch::Off).state_dir(&directory))?;
        opened.push(begun.elapsed());
        let begun = Instant::now();
        let found = host.recover()?;
        recovered.push(begun.elapsed());
        if !found.is_empty() {
            return Err(format!("something was wrong:\n{found}").into());
        }
    }
    println!(
        "recover: {containers} containers with a port each: {:.1} ms, opening the host {:.1} ms \
         (target: at most {RECOVER_MS} ms)",
        median_ms(recovered),
        median_ms(opened)
    );
    drop(connected);
    Ok(())
}

/// By a host that has ended by then; the namespaces stay.
fn connect_many(netns: &Netns, directory: &PathBuf, count: usize) -> Outcome<Vec<Netns>> {
    let (_host, network) = network_of(config(netns).state_dir(directory))?;
    network.persist()?;
    let mut namespaces = Vec::with_capacity(count);
    for number in 0..count {
        let made = Netns::create()?;
        let container = Container::open(bridgework::ContainerConfig::new(
            format!("c{number}"),
            Netns::at(made.path())?,
        ))?;
        let port = format!("{}:80", 20_000 + number);
        let config = EndpointConfig::new().publish(port.as_str());
        let _spec = network.connect_with(&container, config)?.persist()?;
        namespaces.push(made);
    }
    Ok(namespaces)
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}
