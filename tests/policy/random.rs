//! Worlds by chance.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::change::changed;
use crate::doors::Door;
use crate::ground::Ground;
use crate::model::{Expected, Question, Seen, expected};
use crate::probe::{Answer, Probes};
use crate::questions;
use crate::topology::Topology;

/// How long the worlds of an ordinary run may take together.
const ORDINARY: Duration = Duration::from_secs(30);

fn number_of(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{variable}: {error}")),
    )
}

fn seed_by_clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_millis() as u64
}

#[test]
fn in_every_world_everybody_reaches_exactly_whom_the_policy_lets_them_reach() {
    let start = Instant::now();
    let first = number_of("POLICY_SEED").unwrap_or_else(seed_by_clock);
    let cases = number_of("POLICY_CASES");
    println!("POLICY_SEED={first}");
    let mut wrong = String::new();
    let (mut worlds, mut asked, mut answered) = (0, 0, 0);
    for seed in first.. {
        let done = match cases {
            Some(cases) => worlds == cases,
            None => start.elapsed() > ORDINARY,
        };
        if done {
            break;
        }
        let world = Topology::by_chance(seed);
        for judged in judge_twice(&world) {
            asked += judged.asked;
            answered += judged.answered;
            if !judged.wrong.is_empty() {
                let _ = writeln!(wrong, "POLICY_SEED={seed} POLICY_CASES=1\n{world}");
                let _ = writeln!(wrong, "{}", judged.wrong);
            }
        }
        worlds += 1;
    }
    println!(
        "{worlds} worlds, {asked} questions, {answered} answers, {:?}",
        start.elapsed()
    );
    assert!(wrong.is_empty(), "{wrong}");
}

pub struct Judged {
    asked: usize,
    answered: usize,
    /// One line for each question whose answer is not as it must be.
    pub wrong: String,
}

/// The world as it is made.
pub fn judge(world: &Topology) -> Judged {
    judge_here(&Ground::new(world), world)
}

/// The world as it is made, and as it is after changes.
fn judge_twice(world: &Topology) -> [Judged; 2] {
    let mut ground = Ground::new(world);
    let first = judge_here(&ground, world);
    let (changes, changed) = changed(world);
    ground.change(&changed, &changes);
    let mut second = judge_here(&ground, &changed);
    if !second.wrong.is_empty() {
        second.wrong = format!("{changes:?}\n{changed}\n{}", second.wrong);
    }
    [first, second]
}

pub fn judge_here(ground: &Ground, world: &Topology) -> Judged {
    let places = questions::places(world).into_iter();
    let doors = places.flat_map(|place| Door::all(world, place, ground.at(place)));
    let probes = Probes::new(doors.collect());
    let questions = questions::all(world);
    let expected: Vec<_> = questions
        .iter()
        .map(|q| (*q, expected(world, *q)))
        .collect();
    let must = |expected: &Expected| matches!(expected, Expected::Answer { .. });
    let asked: Vec<_> = expected.iter().map(|(q, e)| (*q, must(e))).collect();
    let answers = probes.ask(&asked, |place| ground.at(place));
    let mut wrong = String::new();
    for ((question, expected), answer) in expected.iter().zip(&answers) {
        if !is_right(world, question, expected, answer.as_ref()) {
            let _ = writeln!(wrong, "{question:?} must: {expected:?} is: {answer:?}");
        }
    }
    Judged {
        asked: questions.len(),
        answered: answers.iter().flatten().count(),
        wrong,
    }
}

fn is_right(
    world: &Topology,
    question: &Question,
    expected: &Expected,
    answer: Option<&Answer>,
) -> bool {
    match (expected, answer) {
        (Expected::Silence, None) => true,
        (Expected::Answer { by, port, seen }, Some(answer)) => {
            let is_seen = match seen {
                Seen::As(addresses) => addresses.contains(&answer.client),
                Seen::Own => match answer.asked_by {
                    Some(own) => own == answer.client,
                    None => own_addresses(world, question).contains(&answer.client),
                },
            };
            *by == answer.by && *port == answer.port && is_seen
        }
        _ => false,
    }
}

fn own_addresses(world: &Topology, question: &Question) -> Vec<IpAddr> {
    questions::addresses(world, question.from)
}
