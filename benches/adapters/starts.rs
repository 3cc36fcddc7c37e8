//! What Docker's networks add to the start and the removal of a container: it publishes ports then, and
//! at no other time.

use std::thread;

use super::rounds::{Effort, REST};
use super::subject::Outcome;
use super::table::{median, short};
use crate::docker::Daemon;

/// What a container is started with: words, its network and its ports.
const KINDS: [(&str, &str, &[u16]); 3] = [
    ("no network", "none", &[]),
    ("a network", "bridge", &[]),
    ("a network and 1 port", "bridge", &[20_000]),
];

/// What one kind took, in milliseconds.
#[derive(Default)]
struct Times {
    starts_ms: Vec<f64>,
    removals_ms: Vec<f64>,
}

/// Rounds of all kinds, each beginning with another.
///
/// # Errors
/// The daemon refused something.
pub fn measure(daemon: &Daemon, effort: Effort) -> Outcome<()> {
    let mut times: [Times; KINDS.len()] = Default::default();
    for round in 0..effort.rounds {
        for step in 0..KINDS.len() {
            let turn = (round + step) % KINDS.len();
            let (_, network, ports) = KINDS[turn];
            daemon.create("started", network, ports)?;
            let start = daemon.start_container("started")?;
            thread::sleep(REST);
            times[turn].starts_ms.push(start.as_secs_f64() * 1e3);
            let removal = daemon.remove("started")?;
            thread::sleep(REST);
            times[turn].removals_ms.push(removal.as_secs_f64() * 1e3);
        }
    }
    print(&times);
    Ok(())
}

/// Differences of medians.
fn print(times: &[Times]) {
    println!(
        "\n| Docker, ms, median (least) | start | more than without | removal | more than without |"
    );
    println!("|---|---|---|---|---|");
    for ((words, _, _), kind) in KINDS.iter().zip(times) {
        let starts = cells(&kind.starts_ms, &times[0].starts_ms);
        let removals = cells(&kind.removals_ms, &times[0].removals_ms);
        println!("| a container with {words} | {starts} | {removals} |");
    }
}

fn cells(times_ms: &[f64], without_ms: &[f64]) -> String {
    let (Some(middle), Some(without)) = (median(times_ms), median(without_ms)) else {
        return " | ".to_owned();
    };
    let least = times_ms.iter().copied().fold(f64::MAX, f64::min);
    let more = middle - without;
    format!("{} ({}) | {}", short(middle), short(least), short(more))
}
