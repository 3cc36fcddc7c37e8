//! What holds for every plan, whatever its steps: how it is taken back, and that it prints as one
//! safe line a step.

mod arbitrary;
mod text;

use arbitrary::{plan, step};
use bridgework::plan::{ConfScope, Fate, Link, Plan, Step};
use proptest::prelude::*;

/// No file of past failures: the smallest failing input is printed, and belongs in a test.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn born(step: &Step) -> Vec<&Link> {
    match step {
        Step::AddBridge { link, .. } => vec![link],
        Step::AddVeth(veth) => vec![&veth.link, &veth.peer],
        _ => vec![],
    }
}

/// The links that are there because of it.
fn brought(step: &Step) -> Vec<&Link> {
    match step {
        Step::MoveLink { to, .. } => vec![to],
        other => born(other),
    }
}

/// Whether one of `steps` makes or fetches the link that `step` changes.
fn is_about_a_link_of(steps: &[Step], step: &Step) -> bool {
    let mut links = steps.iter().flat_map(brought);
    match step {
        Step::SetSysctl { side, key, .. } | Step::KeepSysctl { side, key, .. } => links
            .any(|link| link.side == *side && *key.scope() == ConfScope::Link(link.name.clone())),
        _ => links.any(|link| step.link() == Some(link)),
    }
}

fn takes_away(step: &Step) -> bool {
    matches!(
        step,
        Step::DeleteLink { .. }
            | Step::SetDown { .. }
            | Step::DeleteAddress { .. }
            | Step::DeleteRoute(_)
            | Step::DeletePolicyRule(_)
            | Step::DeleteProhibition(_)
            | Step::DeleteRedirect(_)
            | Step::SetMaster { master: None, .. }
            | Step::EditHosts(_)
            | Step::WriteFile(_)
    )
}

/// Whether it puts something back as it was.
fn restores(step: &Step) -> bool {
    let sets_back = matches!(
        step,
        Step::ReplaceRoute { .. } | Step::MoveLink { .. } | Step::SetSysctl { .. }
    );
    sets_back || takes_away(step)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn taking_back_adds_nothing(plan in plan(), done in 0..14usize) {
        let undo = plan.undo(done);
        prop_assert!(undo.steps().iter().all(restores), "{undo}");
        prop_assert_eq!(undo.container(), plan.container());
    }

    #[test]
    fn what_was_done_is_taken_back_last_first(plan in plan(), done in 0..14usize) {
        let done = &plan.steps()[..done.min(plan.steps().len())];
        let expected: Vec<Step> = done
            .iter()
            .rev()
            .filter(|step| match step.fate() {
                Fate::Undone => true,
                Fate::FallsWithLink => !is_about_a_link_of(done, step),
                Fate::Stays => false,
            })
            .filter_map(Step::inverse)
            .collect();
        let undo = plan.undo(done.len());
        prop_assert_eq!(undo.steps(), expected);
    }

    #[test]
    fn nothing_is_said_of_a_link_that_goes_but_that_it_goes(plan in plan()) {
        let undo = plan.undo(plan.steps().len());
        let links: Vec<&Link> = plan.steps().iter().flat_map(born).collect();
        for step in undo.steps() {
            let about = match step {
                Step::DeleteLink { .. } => None,
                // what it was before it was moved; as a route led before, its link is not asked
                Step::MoveLink { to, .. } => Some(to),
                Step::ReplaceRoute { .. } => None,
                other => other.link(),
            };
            prop_assert!(about.is_none_or(|link| !links.contains(&link)), "{step}");
        }
    }

    #[test]
    fn steps_after_those_done_do_not_matter(plan in plan(), done in 0..12usize) {
        let prefix: Vec<Step> = plan.steps().iter().take(done).cloned().collect();
        let (short, long) = (Plan::from_iter(prefix).undo(done), plan.undo(done));
        prop_assert_eq!(short.steps(), long.steps());
        prop_assert!(plan.undo(0).is_empty());
        prop_assert_eq!(plan.undo(usize::MAX), plan.undo(plan.steps().len()));
    }

    #[test]
    fn taking_back_the_taking_back_makes_no_link_and_restores_files_and_routes(plan in plan()) {
        let edits = |plan: &Plan| -> Vec<Step> {
            let lasts = |s: &&Step| {
                let on_file = matches!(s, Step::EditHosts(_) | Step::WriteFile(_));
                on_file || matches!(s, Step::ReplaceRoute { .. })
            };
            plan.steps().iter().filter(lasts).cloned().collect()
        };
        let undo = plan.undo(plan.steps().len());
        let again = undo.undo(undo.steps().len());
        let moved = |step: &&Step| !matches!(step, Step::MoveLink { .. });
        let again: Vec<Step> = again.steps().iter().filter(moved).cloned().collect();
        prop_assert_eq!(again, edits(&plan));
    }

    #[test]
    fn what_goes_from_one_place_to_another_is_taken_back_by_its_mirror_image(step in step()) {
        match (&step, step.inverse()) {
            (Step::ReplaceRoute { from, to }, Some(Step::ReplaceRoute { from: back, to: there })) => {
                prop_assert_eq!((from, to), (&there, &back));
            }
            (Step::MoveLink { from, to }, Some(Step::MoveLink { from: back, to: there })) => {
                prop_assert_eq!((from, to), (&there, &back));
            }
            (Step::ReplaceRoute { .. } | Step::MoveLink { .. }, other) => {
                prop_assert!(false, "{other:?}");
            }
            _ => {}
        }
    }

    #[test]
    fn a_step_that_is_undone_has_an_inverse_and_one_that_stays_has_none(step in step()) {
        match step.fate() {
            Fate::Undone => prop_assert!(step.inverse().is_some_and(|step| restores(&step))),
            Fate::FallsWithLink => prop_assert!(step.inverse().is_none_or(|s| restores(&s))),
            Fate::Stays => prop_assert_eq!(step.inverse(), None),
        }
    }
}
