//! Sequences of verbs by chance, on real kernels: after each verb all that can be seen is what a
//! small model says, and afterwards everything is as it was. Alone in its process, since descriptors
//! and threads are counted.
//!
//! `VERBS_CASES` is how many sequences there are, 160 and more if it is not set. `VERBS_SEED`
//! repeats a run; it is printed by one that fails, with the shortest sequence that was found.

#[path = "../lab/mod.rs"]
mod lab;

mod aim;
mod chance;
mod check;
mod kernel_view;
mod model;
mod run;
mod verbs;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use check::Rest;
use run::Run;
use verbs::Step;

const CASES: u32 = 160;
const THREADS: u32 = 8;
/// One in so many is looked at by `ip -j` too.
const DEEPLY: usize = 20;

/// What a thousand sequences come to 30 times at the least; without it they would show little, so
/// that there are more of them until it has happened.
const MUST_HAPPEN: [&str; 12] = [
    "connected again",
    "connected anew",
    "connected to several",
    "disconnected",
    "disconnected from one of several",
    "disconnected from sharers",
    "joined",
    "left to sharers",
    "persisted, disconnected",
    "pruned",
    "refused by the kernel",
    "removed while in use",
];

/// How often what the sequences must come to has happened.
static TALLY: Mutex<BTreeMap<&str, usize>> = Mutex::new(BTreeMap::new());

/// So many hosts are left alone, and then looked at once more.
const RESTS_MAX: usize = 64;

/// The hosts of sequences that are done.
static RESTS: Mutex<Vec<Rest>> = Mutex::new(Vec::new());

fn number(key: &str) -> Option<u64> {
    let text = std::env::var(key).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{key}={text}: {error}")),
    )
}

fn perform(sequence: &[Step], deeply: bool) {
    let mut run = Run::new();
    for (verb, aim) in sequence {
        run.perform(verb, *aim);
        run.check();
    }
    if deeply {
        run.check_deeply();
    }
    let (rest, counts) = run.take_down();
    let mut tally = TALLY.lock().expect("nobody panics with it");
    for (what, count) in counts {
        *tally.entry(what).or_default() += count;
    }
    drop(tally);
    let mut rests = RESTS.lock().expect("nobody panics with it");
    rests.push(rest);
    let due = rests.len().saturating_sub(RESTS_MAX);
    let due: Vec<Rest> = rests.drain(..due).collect();
    drop(rests);
    due.iter().for_each(Rest::assert_begin);
}

fn holds(sequence: &[Step]) -> Result<(), TestCaseError> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let deeply = NEXT.fetch_add(1, Ordering::Relaxed).is_multiple_of(DEEPLY);
    let outcome = catch_unwind(AssertUnwindSafe(|| perform(sequence, deeply)));
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let done = run::LOG.with_borrow(|log| log.join("\n"));
        TestCaseError::fail(format!("{}\n{done}\n", text.unwrap_or_default()))
    })
}

fn run_some(seed: u64, thread: u32, cases: u32) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..12].copy_from_slice(&thread.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&chance::sequences(), |sequence| holds(&sequence));
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, _)) => panic!("VERBS_SEED={seed}: {why}"),
        Err(abort) => panic!("VERBS_SEED={seed}: {abort}"),
    }
}

fn run_together(seed: u64, cases: u32) {
    thread::scope(|scope| {
        let each = |thread| move || run_some(seed, thread, cases.div_ceil(THREADS));
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(each(thread)))
            .collect();
        for thread in threads {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

/// What has not happened yet.
fn missed() -> Vec<&'static str> {
    let tally = TALLY.lock().expect("nobody panics with it");
    let mut missed = MUST_HAPPEN.to_vec();
    missed.retain(|what| !tally.contains_key(what));
    missed
}

/// What the process holds: threads by name, and descriptors by kind.
fn held() -> [BTreeMap<String, usize>; 2] {
    let entries = |of: &str| {
        let entries = std::fs::read_dir(of).expect("/proc");
        entries.map(|entry| entry.expect("an entry").path())
    };
    let name = |thread: PathBuf| std::fs::read_to_string(thread.join("comm"));
    let target = |descriptor: PathBuf| Ok(std::fs::read_link(descriptor)?.display().to_string());
    let kind = |text: String| text.split(":[").next().unwrap_or_default().to_owned();
    let descriptors = entries("/proc/self/fd").map(target);
    [
        count(entries("/proc/self/task").map(name)),
        count(descriptors.map(|target| target.map(kind))),
    ]
}

/// How many there are of each. Who ends meanwhile has no name.
fn count(each: impl Iterator<Item = std::io::Result<String>>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in each {
        *counts.entry(name.unwrap_or_default()).or_default() += 1;
    }
    counts
}

#[test]
fn a_thousand_sequences_of_verbs_do_what_the_model_says_and_leave_nothing() {
    let cases = number("VERBS_CASES").map_or(CASES, |cases| u32::try_from(cases).expect("fewer"));
    let chance = std::collections::hash_map::RandomState::new();
    let chance = std::hash::BuildHasher::hash_one(&chance, 0);
    let seed = number("VERBS_SEED").unwrap_or(chance);
    // first of all: what ends later would be missing afterwards
    let before = held();
    run_together(seed, cases);
    let mut more = 0;
    while cases >= CASES && !missed().is_empty() && more < 4 {
        more += 1;
        run_together(seed.wrapping_add(more), cases);
    }
    let rests = std::mem::take(&mut *RESTS.lock().expect("nobody panics with it"));
    rests.iter().for_each(Rest::assert_begin);
    drop(rests);
    lab::wait_until_it_is(&before, held);
    if cases >= CASES {
        assert_eq!(missed(), [""; 0], "VERBS_SEED={seed}");
    }
}
