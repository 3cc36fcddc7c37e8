//! What connecting and disconnecting containers costs, beside a floor in the same run.
//!
//! `cargo bench --bench connect [-- connect|behind|disconnect]`
//!
//! The floor (`floor/mod.rs`) performs the very plans that ours performed, as raw bytes on raw
//! sockets, in namespaces of its own: no choosing, no records, no checks, no waiting for the
//! bridge. Rounds of ours and floor alternate, and each starts when nothing of the one before is
//! waiting in the kernel any more. Namespaces are made before and are not counted, except in the
//! rows that say so. Times are medians in ms; what counts on a noisy machine is the ratio.
//!
//! * `connect`: ours against the floor, each with `N` others on its bridge; for many threads the
//!   time of one call, while all others call too. `first`, `middle` and `last` are tenths.
//! * `+wait`: the floor that also looks, without a pause, until the bridge forwards: ours does so.
//! * `disconnect`: ours returns when the link is gone for everybody; the floor, one `RTM_DELLINK`,
//!   when the kernel has done its waiting too.
//! * `disconnect_all`: ours, which puts the links into a group, against one `RTM_DELLINK` of a group
//!   that exists. `ended` is when also nothing waits in the kernel any more.
//!
//! The kernel takes seconds to take down the namespaces of a run that has ended: leave it alone for
//! ten before the next.
//!
//! A container holds one descriptor (its namespace): 1,000 on both sides are 2,000 of them, and
//! rows for which the limit is too low are left out by name. Without `--bench` (as `cargo test`
//! runs it) all rows run with a few containers, which shows that they work and measures nothing.

mod behind;
mod element;
mod floor;
mod ground;
mod several;

use std::process::ExitCode;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use bridgework::{Container, Endpoint};
use floor::{Floor, Until};
use ground::{Ground, REST, Spot, Spots, TWO_THREADS, settle, wander};

const CONNECT_RATIO: f64 = 1.25;
const GROUP_RATIO: f64 = 1.3;
const DISCONNECT_MS: f64 = 2.0;

fn main() -> ExitCode {
    if let Err(error) = bridgework::sandbox::enter() {
        eprintln!("NOT MEASURED: {error}");
        return ExitCode::FAILURE;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let named = |word: &str| {
        let mut rows = words
            .iter()
            .filter(|word| !word.starts_with('-'))
            .peekable();
        rows.peek().is_none() || rows.any(|row| row == word)
    };
    let effort = if words.iter().any(|word| word == "--bench") {
        FULL
    } else {
        SMOKE
    };
    let crowds = named("connect") || named("disconnect");
    let spots = Spots::make(if crowds { effort.sizes } else { &[1] });
    println!(
        "{:<44} {:>8} {:>8} {:>8} {:>6}  target",
        "ms", "ours", "p99", "floor", "ratio"
    );
    if named("connect") {
        single_rows(&spots, effort);
        namespace_row(effort);
        if let Some([spot]) = spots.take(1) {
            several::rows(spot, effort.rounds);
        }
        crowd_rows(&spots, effort);
    }
    if named("behind") {
        if let Some([spot]) = spots.take(1) {
            behind::rows(spot, effort.rounds);
        }
    }
    if named("disconnect") {
        disconnect_rows(&spots, effort);
        group_rows(&spots, effort);
    }
    ExitCode::SUCCESS
}

/// How much is done.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    sizes: &'static [usize],
}

const FULL: Effort = Effort {
    rounds: 100,
    sizes: &[100, 1000],
};
const SMOKE: Effort = Effort {
    rounds: 2,
    sizes: &[4],
};

/// Milliseconds, in the order in which they were measured.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn note(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64() * 1e3);
    }

    fn quantile(&self, share: f64) -> f64 {
        quantile(&self.0, share)
    }
}

fn quantile(times: &[f64], share: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted
        .get((last as f64 * share).round() as usize)
        .copied()
        .unwrap_or(f64::NAN)
}

fn print_row(name: &str, (ours, floor): (&[f64], &[f64]), target: &str) {
    let (middle, slow) = (quantile(ours, 0.5), quantile(ours, 0.99));
    let floor = quantile(floor, 0.5);
    let ratio = middle / floor;
    println!("{name:<44} {middle:>8.3} {slow:>8.3} {floor:>8.3} {ratio:>6.2}  {target}");
}

fn print_connect(name: &str, (ours, floor): (&[f64], &[f64])) {
    let ratio = quantile(ours, 0.5) / quantile(floor, 0.5);
    let verdict = if ratio <= CONNECT_RATIO {
        "met"
    } else {
        "MISSED"
    };
    print_row(
        name,
        (ours, floor),
        &format!("ratio <= {CONNECT_RATIO}: {verdict}"),
    );
}

/// Ours, the floor and the waiting floor of one connect and one disconnect.
#[derive(Default)]
struct Single {
    connect: [Times; 3],
    disconnect: [Times; 2],
}

/// Connects and disconnects one container again and again on `ground`. Its name is new each time,
/// unless it is `given`: then it gets its former address, and announces it.
fn measure_single(ground: &Ground, spot: &Spot, rounds: usize, given: Option<&str>) -> Single {
    wander(|| {
        let floor = Floor::enter(&ground.twin);
        let mut single = Single::default();
        for round in 0..rounds {
            let fresh = format!("single{round}");
            settle(TWO_THREADS);
            let (taken, endpoint) = ground.connect(given.unwrap_or(&fresh), spot);
            single.connect[0].note(taken);
            let script = Ground::script(&endpoint, spot);
            let link = endpoint.spec().host_link.index.get();
            settle(TWO_THREADS);
            let start = Instant::now();
            endpoint.disconnect().expect("disconnected");
            single.disconnect[0].note(start.elapsed());
            for (until, times) in [Until::Acknowledged, Until::Forwarding]
                .into_iter()
                .zip(1..)
            {
                settle(TWO_THREADS);
                let taken = floor.perform(&script, Some(&spot.floor), until);
                single.connect[times].note(taken);
                settle(TWO_THREADS);
                single.disconnect[1].note(floor.delete(link));
            }
        }
        single
    })
}

fn single_rows(spots: &Spots, effort: Effort) {
    let Some([spot]) = spots.take(1) else { return };
    for (name, ground, given) in [
        ("connect, 0 others", Ground::v4(), None),
        (
            "connect, 0 others, a name that comes back",
            Ground::v4(),
            Some("again"),
        ),
        ("connect, 0 others, IPv6 too", Ground::dual(), None),
    ] {
        let single = measure_single(&ground, spot, effort.rounds, given);
        let [ours, floor, waiting] = &single.connect;
        print_connect(name, (&ours.0, &floor.0));
        print_row("  +wait", (&ours.0, &waiting.0), "");
    }
}

/// A namespace of its own for each round: all are kept until the end, since taking a namespace down
/// keeps the kernel busy.
fn namespace_row(effort: Effort) {
    let ground = Ground::v4();
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    wander(|| {
        let floor = Floor::enter(&ground.twin);
        let mut kept = Vec::new();
        for round in 0..effort.rounds.min(50) {
            settle(TWO_THREADS);
            let start = Instant::now();
            let container = Container::isolated(format!("new{round}")).expect("a container");
            let endpoint = ground.network.connect(&container).expect("connected");
            ours.note(start.elapsed());
            settle(TWO_THREADS);
            let (taken, namespace) = floor.perform_anew(endpoint.plan());
            theirs.note(taken);
            kept.push((endpoint, namespace));
        }
        let (endpoints, _namespaces): (Vec<_>, Vec<_>) = kept.into_iter().unzip();
        Endpoint::disconnect_all(endpoints).expect("disconnected");
    });
    print_connect("namespace made, and connect", (&ours.0, &theirs.0));
}

/// All of a crowd's connects, in their order, and what has to go again.
#[derive(Default)]
struct Crowd {
    ours: Times,
    floor: Times,
    endpoints: Vec<Endpoint>,
}

/// Fills bridges from several threads at once, in blocks: all do ours, then all the floor.
fn fill(grounds: &[&Ground], spots: &[Spot], threads: usize) -> Crowd {
    const BLOCK: usize = 10;
    let barrier = Barrier::new(threads);
    let share = |thread: usize| {
        let ground = grounds[thread % grounds.len()];
        let floor = Floor::enter(&ground.twin);
        let mut crowd = Crowd::default();
        let mine: Vec<&Spot> = spots.iter().skip(thread).step_by(threads).collect();
        for spots in mine.chunks(BLOCK) {
            std::thread::sleep(REST);
            barrier.wait();
            let mut scripts = Vec::new();
            for spot in spots {
                let name = format!("crowd{thread}.{}", crowd.endpoints.len());
                let (taken, endpoint) = ground.connect(&name, spot);
                crowd.ours.note(taken);
                scripts.push((Ground::script(&endpoint, spot), spot));
                crowd.endpoints.push(endpoint);
            }
            barrier.wait();
            std::thread::sleep(REST);
            barrier.wait();
            for (script, spot) in &scripts {
                let taken = floor.perform(script, Some(&spot.floor), Until::Acknowledged);
                crowd.floor.note(taken);
            }
        }
        crowd
    };
    let crowds: Vec<Crowd> = std::thread::scope(|scope| {
        let share = &share;
        let started: Vec<_> = (0..threads)
            .map(|t| scope.spawn(move || share(t)))
            .collect();
        started
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    interleave(crowds)
}

/// Tenths of the whole stay tenths: the first times of all threads come first.
fn interleave(crowds: Vec<Crowd>) -> Crowd {
    let mut whole = Crowd::default();
    let most = crowds
        .iter()
        .map(|crowd| crowd.ours.0.len())
        .max()
        .unwrap_or_default();
    for at in 0..most {
        for crowd in &crowds {
            whole.ours.0.extend(crowd.ours.0.get(at));
            whole.floor.0.extend(crowd.floor.0.get(at));
        }
    }
    whole.endpoints = crowds
        .into_iter()
        .flat_map(|crowd| crowd.endpoints)
        .collect();
    whole
}

/// Takes a crowd down: the times of ours to return and to end, and of the floor.
fn clear(grounds: &[&Ground], crowd: Crowd) -> [Duration; 3] {
    if crowd.endpoints.is_empty() {
        return [Duration::ZERO; 3];
    }
    let links: Vec<(bridgework::NetworkId, u32)> = crowd
        .endpoints
        .iter()
        .map(|endpoint| {
            (
                endpoint.network().id(),
                endpoint.spec().host_link.index.get(),
            )
        })
        .collect();
    settle(1);
    let start = Instant::now();
    Endpoint::disconnect_all(crowd.endpoints).expect("disconnected");
    let returned = start.elapsed();
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    while threads() > 1 {
        std::thread::sleep(Duration::from_micros(200));
    }
    let ended = start.elapsed();
    settle(1);
    let floor = grounds.iter().map(|ground| {
        let id = ground.network.id();
        let of_it = links.iter().filter(|(network, _)| *network == id);
        let indexes: Vec<u32> = of_it.map(|&(_, index)| index).collect();
        wander(|| Floor::enter(&ground.twin).delete_group(&indexes))
    });
    let floor = floor.sum();
    settle(1);
    [returned, ended, floor]
}

fn crowd_rows(spots: &Spots, effort: Effort) {
    for &size in effort.sizes {
        let Some(all) = spots.take(size) else {
            continue;
        };
        for threads in [1, 2] {
            let ground = Ground::v4();
            crowd_row(
                &format!("{size} on one bridge, threads: {threads}"),
                (&[&ground], all, threads),
            );
        }
        let grounds = [Ground::v4(), Ground::v4()];
        let each = [&grounds[0], &grounds[1]];
        crowd_row(
            &format!("{size} on two bridges, threads: 2"),
            (&each, all, 2),
        );
    }
    if let Some(spots) = spots.take(effort.sizes[0]) {
        let ground = Ground::dual();
        let name = format!("{} on one bridge, threads: 1, IPv6 too", effort.sizes[0]);
        crowd_row(&name, (&[&ground], spots, 1));
    }
}

fn crowd_row(name: &str, (grounds, spots, threads): (&[&Ground], &[Spot], usize)) {
    let crowd = fill(grounds, spots, threads);
    let (ours, floor) = (&crowd.ours.0, &crowd.floor.0);
    print_connect(&format!("connect, {name}"), (ours, floor));
    let tenth = ours.len().div_ceil(10);
    let middle = ours.len() / 2;
    for (part, from) in [
        ("first", 0),
        ("middle", middle),
        ("last", ours.len() - tenth),
    ] {
        let range = from..from + tenth;
        print_connect(
            &format!("  the {part} {tenth}"),
            (&ours[range.clone()], &floor[range]),
        );
    }
    clear(grounds, crowd);
}

fn disconnect_rows(spots: &Spots, effort: Effort) {
    for &others in [0].iter().chain(effort.sizes) {
        let Some(spots) = spots.take(others + 1) else {
            continue;
        };
        let ground = Ground::v4();
        let crowd = fill(&[&ground], &spots[..others], 1);
        let single = measure_single(&ground, &spots[others], effort.rounds.min(50), None);
        if others > 0 {
            let [ours, floor, waiting] = &single.connect;
            print_connect(&format!("connect, {others} others"), (&ours.0, &floor.0));
            print_row("  +wait", (&ours.0, &waiting.0), "");
        }
        let [ours, floor] = &single.disconnect;
        let met = if ours.quantile(0.5) <= DISCONNECT_MS {
            "met"
        } else {
            "MISSED"
        };
        let target = format!("ours <= {DISCONNECT_MS:.0} ms: {met}");
        print_row(
            &format!("disconnect, {others} others"),
            (&ours.0, &floor.0),
            &target,
        );
        clear(&[&ground], crowd);
    }
}

fn group_rows(spots: &Spots, effort: Effort) {
    for (size, rounds) in [(10, 8), (100, 5), (1000, 2)] {
        let most = effort.sizes.iter().max().copied().unwrap_or_default();
        let Some(spots) = spots.take(size.min(most)) else {
            continue;
        };
        let ground = Ground::v4();
        let mut times: [Times; 3] = Default::default();
        for _ in 0..rounds.min(effort.rounds) {
            let crowd = fill(&[&ground], spots, 1);
            for (times, taken) in times.iter_mut().zip(clear(&[&ground], crowd)) {
                times.note(taken);
            }
        }
        let [returned, ended, floor] = &times;
        let ratio = returned.quantile(0.5) / floor.quantile(0.5);
        let verdict = if ratio <= GROUP_RATIO {
            "met"
        } else {
            "MISSED"
        };
        let target = format!("ratio <= {GROUP_RATIO}: {verdict}");
        print_row(
            &format!("disconnect_all, {}", spots.len()),
            (&returned.0, &floor.0),
            &target,
        );
        print_row("  ended", (&ended.0, &floor.0), "");
    }
}
