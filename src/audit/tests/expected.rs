//! One change by itself is judged as a look at all would be.

use proptest::prelude::*;

use super::super::{Expected, Verdict};
use super::{FOREIGN, act, all_missing, net, plans, suffer, whole};
use crate::plan::Step;
use crate::snapshot::{Change, RouteState};

fn expected() -> Expected {
    let mut expected = Expected::default();
    plans().iter().for_each(|plan| expected.add(plan));
    expected
}

fn verdict(expected: &Expected, change: &Change) -> Option<Verdict> {
    expected.judge(change).map(|(_, verdict)| verdict)
}

#[test]
fn a_change_to_what_is_as_it_must_be_is_right_and_one_of_others_is_nothing() {
    let (host, expected) = (whole(), expected());
    for link in &host.links {
        let is_ours = link.alias.starts_with("bridgework");
        let right = is_ours.then_some(Verdict::Right);
        assert_eq!(verdict(&expected, &Change::Link(link.clone())), right);
        let wrong = is_ours.then_some(Verdict::Wrong);
        assert_eq!(verdict(&expected, &Change::LinkGone(link.index)), wrong);
    }
    for address in &host.addresses {
        let is_ours = address.link == 10;
        let right = is_ours.then_some(Verdict::Right);
        assert_eq!(verdict(&expected, &Change::Address(address.clone())), right);
        let wrong = is_ours.then_some(Verdict::Wrong);
        assert_eq!(
            verdict(&expected, &Change::AddressGone(address.clone())),
            wrong
        );
    }
    for route in &host.routes {
        let is_ours = ![Some(1), Some(FOREIGN)].contains(&route.link);
        let right = is_ours.then_some(Verdict::Right);
        assert_eq!(verdict(&expected, &Change::Route(route.clone())), right);
        let wrong = is_ours.then_some(Verdict::Wrong);
        assert_eq!(verdict(&expected, &Change::RouteGone(route.clone())), wrong);
    }
}

#[test]
fn a_foreign_route_to_where_one_of_ours_leads_may_have_taken_its_place() {
    let route = RouteState {
        destination: net("10.9.0.0/24"),
        gateway: None,
        link: Some(FOREIGN),
        metric: 0,
        table: 254,
        protocol: 3,
    };
    assert_eq!(
        verdict(&expected(), &Change::Route(route)),
        Some(Verdict::Wrong)
    );
}

proptest! {
    #[test]
    fn whatever_is_missing_of_a_link_that_is_there_was_told_as_wrong(act in act()) {
        let (mut host, expected) = (whole(), expected());
        suffer(&mut host, &act);
        for index in [10, 21, 22] {
            let Some(state) = host.link_at(index) else {
                continue;
            };
            let judged = verdict(&expected, &Change::Link(state.clone()));
            let found = all_missing(&host);
            let is_wrong = found.iter().any(|deviation| match &deviation.step {
                Step::AddAddress { .. } | Step::AddSubnetRoute { .. } | Step::AddRoute(_) => false,
                step => step.link().is_some_and(|link| link.index.get() == index),
            });
            // that its bridge is gone is told of the bridge, and then of its ports
            prop_assert_eq!(judged == Some(Verdict::Wrong), is_wrong, "{:#?}", found);
        }
    }

    #[test]
    fn what_is_expected_no_more_is_nobodys(order in Just([0usize, 1, 2]).prop_shuffle()) {
        let mut expected = expected();
        let plans = plans();
        order.iter().for_each(|&at| expected.remove(&plans[at]));
        let host = whole();
        for link in host.links {
            prop_assert_eq!(expected.judge(&Change::Link(link)), None);
        }
        for route in host.routes {
            prop_assert_eq!(expected.judge(&Change::RouteGone(route)), None);
        }
    }
}
