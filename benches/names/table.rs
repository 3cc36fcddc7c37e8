//! How figures of servers are printed.

use std::time::Duration;

use super::serve::Row;

const RATE_SHARE: f64 = 0.85;
const BEST_PEER_RATIO: f64 = 1.5;
const LATENCY_RATIO: f64 = 1.25;

/// What one server's row says.
struct Figures {
    middle_us: f64,
    late_us: f64,
    /// Answers a second, 64 at once.
    rate: f64,
    best: f64,
}

impl Figures {
    fn of(row: &Row) -> Self {
        let mut rates = row.rates.clone();
        rates.sort_by(f64::total_cmp);
        Self {
            middle_us: quantile_us(&row.times, 0.5),
            late_us: quantile_us(&row.times, 0.99),
            rate: rates[rates.len() / 2],
            best: rates[rates.len() - 1],
        }
    }

    /// How many times another's a question takes, and how many times its answers there are.
    fn by(&self, other: &Self) -> (f64, f64) {
        (self.middle_us / other.middle_us, self.rate / other.rate)
    }
}

/// A server beside the echo in its namespace and, where it is a peer, beside ours.
struct Line<'a> {
    label: &'a str,
    figures: Figures,
    by_echo: Option<(f64, f64)>,
    /// How many times ours a question takes; and how many times its answers ours are.
    by_ours: Option<(f64, f64)>,
}

impl Line<'_> {
    /// A question and its p99 in us, how it compares; answers a second and the best, how they compare.
    fn texts(&self) -> [String; 8] {
        let figures = &self.figures;
        let [slower, share] = cells(self.by_echo);
        let [slower_than_ours, ours] = cells(self.by_ours);
        let [middle, late] = [figures.middle_us, figures.late_us].map(|us| format!("{us:.1}"));
        let [rate, best] = [figures.rate, figures.best].map(|rate| format!("{rate:.0}"));
        [
            middle,
            late,
            slower,
            slower_than_ours,
            rate,
            best,
            share,
            ours,
        ]
    }
}

fn lines<'a>(rows: &'a [Row]) -> Vec<Line<'a>> {
    let ours = rows.iter().find(|row| row.peer.is_ours()).map(Figures::of);
    let line = |row: &'a Row| {
        let peer = &row.peer;
        let mut echoes = rows.iter().filter(|other| other.peer.is_echo());
        let echo = echoes.find(|other| other.peer.netns == peer.netns);
        let figures = Figures::of(row);
        let is_peer = !peer.is_echo() && !peer.is_ours();
        let ours = ours.as_ref().filter(|_| is_peer);
        Line {
            label: &peer.label,
            by_echo: echo.map(|echo| figures.by(&Figures::of(echo))),
            by_ours: ours.map(|ours| (figures.by(ours).0, ours.by(&figures).1)),
            figures,
        }
    };
    rows.iter().map(line).collect()
}

/// With columns for eyes, and once more as Markdown.
pub fn print_rows(rows: &[Row], containers: usize, names: usize) {
    let heading = format!("{names} names, {containers} containers");
    let lines = lines(rows);
    print_columns(&heading, &lines);
    print_markdown(&heading, &lines);
}

fn print_columns(heading: &str, lines: &[Line<'_>]) {
    println!(
        "{heading:<28} {:>8} {:>8} {:>6} {:>7} {:>10} {:>10} {:>6} {:>7}",
        "us", "p99", "ratio", "by ours", "64 at once", "best", "ratio", "ours by"
    );
    for line in lines {
        let [
            middle,
            late,
            slower,
            slower_than_ours,
            rate,
            best,
            share,
            ours,
        ] = line.texts();
        println!(
            "{:<28} {middle:>8} {late:>8} {slower:>6} {slower_than_ours:>7} {rate:>10} {best:>10} \
             {share:>6} {ours:>7}",
            line.label
        );
    }
    println!(
        "{:<44} {:>8} {:>36}",
        "  target of ours",
        format!("<= {LATENCY_RATIO}"),
        format!(">= {RATE_SHARE}; >= {BEST_PEER_RATIO} x Docker's and aardvark-dns")
    );
}

fn print_markdown(heading: &str, lines: &[Line<'_>]) {
    println!(
        "\n| {heading} | a question, us (p99) | times its echo | times ours | answers a second, 64 at \
         once (best) | of its echo | ours, times it |\n|---|---|---|---|---|---|---|"
    );
    for line in lines {
        let [
            middle,
            late,
            slower,
            slower_than_ours,
            rate,
            best,
            share,
            ours,
        ] = line.texts();
        println!(
            "| {} | {middle} ({late}) | {slower} | {slower_than_ours} | {rate} ({best}) | {share} | \
             {ours} |",
            line.label
        );
    }
    println!();
}

fn cells(ratios: Option<(f64, f64)>) -> [String; 2] {
    ratios.map_or_else(Default::default, |(one, other)| {
        [one, other].map(|ratio| format!("{ratio:.2}"))
    })
}

pub fn quantile_us(times: &[Duration], share: f64) -> f64 {
    let mut micros: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
    micros.sort_by(f64::total_cmp);
    let last = micros.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    micros.get(at).copied().unwrap_or_default()
}
