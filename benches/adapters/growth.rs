//! Containers with four ports each come one after the other, and stay: what the last cost, and what the
//! first.

use std::time::{Duration, Instant};

use super::seat::Seat;
use super::table::{median, short};

const PORTS_EACH: u16 = 4;
/// Of so many at each end the median counts.
const END: usize = 5;

/// All who are there, interleaved.
pub fn measure(mut seats: Vec<Seat>, containers: u16, growth_max: Duration) {
    seats.retain(Seat::is_there);
    let mut times_ms = vec![Vec::new(); seats.len()];
    let mut spent = vec![Duration::ZERO; seats.len()];
    for _ in 0..containers {
        for (turn, seat) in seats.iter_mut().enumerate() {
            if spent[turn] > growth_max {
                continue;
            }
            let start = Instant::now();
            match seat.attach_further(PORTS_EACH) {
                Ok(took) => times_ms[turn].push(took.as_secs_f64() * 1e3),
                Err(error) => {
                    seat.say("NOT MEASURED", &error.to_string());
                    spent[turn] = Duration::MAX;
                    continue;
                }
            }
            spent[turn] += start.elapsed();
        }
    }
    println!(
        "\n| attach with {PORTS_EACH} ports, ms | containers | first {END} | last {END} | last / first |"
    );
    println!("|---|---|---|---|---|");
    for (seat, times_ms) in seats.iter().zip(&times_ms) {
        let first = median(times_ms.get(..END).unwrap_or(times_ms));
        let last = times_ms.len().saturating_sub(END);
        let last = median(times_ms.get(last..).unwrap_or(times_ms));
        let (Some(first), Some(last)) = (first, last) else {
            continue;
        };
        let ratio = last / first;
        println!(
            "| {} | {} | {} | {} | {ratio:.2} |",
            seat.column.heading(),
            times_ms.len(),
            short(first),
            short(last),
        );
    }
}
