//! What drivers plan, as text, in both directions, beside texts that a person has read; and every
//! step's line, fate and inverse. No kernel.
//!
//! After a change that is meant, `UPDATE_GOLDEN=1 cargo test --test plans` writes the texts anew:
//! read the difference before you commit it.

#![allow(clippy::unwrap_used)]

mod cases;

#[path = "plans/firewall_steps.rs"]
mod firewall_steps;
#[path = "plans/modes.rs"]
mod modes;
#[path = "plans/steps.rs"]
mod steps;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use bridgework::plan::Plan;

const SEPARATOR: &str = "--- undo\n";

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn text(plan: &Plan) -> String {
    format!("{plan}{SEPARATOR}{}", cases::undo(plan))
}

/// All cases: the golden file's name, and what it should say.
fn all() -> Vec<(&'static str, String)> {
    let networks = cases::networks().into_iter();
    let places = cases::places().into_iter();
    let modes = cases::modes::plans().into_iter();
    networks
        .map(|case| (case.name, text(&cases::create(&case.spec))))
        .chain(places.map(|case| (case.name, text(&cases::connect(&case.spec)))))
        .chain(modes.map(|case| (case.name, text(&case.spec))))
        .collect()
}

#[test]
fn every_verb_plans_the_lines_of_its_golden_file_in_both_directions() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differences = String::new();
    for (name, actual) in all() {
        let path = directory().join(format!("{name}.txt"));
        if update {
            fs::write(&path, &actual).expect("write the golden file");
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if expected != actual {
            let _written = write!(differences, "\n{name}.txt\n{}", diff(&expected, &actual));
        }
    }
    let how = "if this is meant: UPDATE_GOLDEN=1 cargo test --test plans";
    assert!(differences.is_empty(), "{differences}\n{how}");
}

#[test]
fn every_golden_file_belongs_to_a_case() {
    let cases: BTreeSet<String> = all()
        .iter()
        .map(|(name, _)| format!("{name}.txt"))
        .collect();
    let files = fs::read_dir(directory()).expect("the golden files");
    let files: BTreeSet<String> = files
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, cases);
}

#[test]
fn the_same_spec_gives_the_same_plan_every_time() {
    assert_eq!(all(), all());
}

#[test]
fn taking_back_a_part_of_a_plan_takes_back_no_more_than_that_part() {
    for case in cases::places() {
        let plan = cases::connect(&case.spec);
        for done in 0..=plan.steps().len() {
            let undo = plan.undo(done);
            let first = Plan::from_iter(plan.steps()[..done].iter().cloned());
            assert_eq!(undo.steps(), cases::undo(&first).steps(), "{}", case.name);
            assert_eq!(undo.is_empty(), done == 0, "{} {done}: {undo}", case.name);
            assert_eq!(undo.container(), plan.container());
        }
    }
}

#[test]
fn nothing_of_an_ordinary_plan_is_left_out_of_what_takes_it_back_but_what_falls_or_stays() {
    for case in cases::networks() {
        let undo = cases::undo(&cases::create(&case.spec)).to_string();
        assert_eq!(undo, format!("ip link del dev {}\n", case.spec.link.name));
    }
}

/// Lines that went with `-`, that came with `+`, by the longest common subsequence.
fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = match old[i] == new[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        let same = i < old.len() && j < new.len() && old[i] == new[j];
        let goes = j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]);
        let (sign, line) = match (same, goes) {
            (true, _) => (' ', old[i]),
            (false, true) => ('-', old[i]),
            (false, false) => ('+', new[j]),
        };
        i += usize::from(same || sign == '-');
        j += usize::from(same || sign == '+');
        let _written = writeln!(out, "{sign} {line}");
    }
    out
}

#[test]
fn the_difference_shows_lines_that_went_and_lines_that_came() {
    assert_eq!(
        diff("a\nb\nc\n", "a\nx\nc\nd\n"),
        "  a\n- b\n+ x\n  c\n+ d\n"
    );
}
