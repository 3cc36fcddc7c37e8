//! How figures of servers are printed.

use std::time::Duration;

use super::serve::Row;

const RATE_SHARE: f64 = 0.85;
const BEST_PEER_RATIO: f64 = 1.5;
const LATENCY_RATIO: f64 = 1.25;

pub fn print_rows(rows: &[Row], containers: usize, names: usize) {
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
            row.peer.label
        );
    }
    println!(
        "{:<44} {:>24} {:>28}",
        "  target of ours",
        format!("<= {LATENCY_RATIO}"),
        format!(">= {RATE_SHARE}; >= {BEST_PEER_RATIO} x Docker's and aardvark-dns")
    );
}

pub fn quantile_us(times: &[Duration], share: f64) -> f64 {
    let mut micros: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
    micros.sort_by(f64::total_cmp);
    let last = micros.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    micros.get(at).copied().unwrap_or_default()
}
