//! The table in the container's packet filter: what of it is there, and that others' stay as they
//! are.

use bridgework::Errno;
use bridgework::kernel::Kernel;
use bridgework::plan::{Plan, Step};
use bridgework::{FaultInjector, Netns};

use super::{Both, Ground, any4, assert_answered, at, plan_to, redirect_to};
use crate::ruleset;
use crate::text::{Pinned, has_tools, type_lines};

const FOREIGN: &str = r#"
table ip nat {
	map to { type inet_service : ipv4_addr . inet_service; elements = { 80 : 10.0.0.2 . 8080 }; }
	chain out { type nat hook output priority -100; dnat ip to tcp dport map @to; }
}
table inet bridgework {
	set seen { type ipv4_addr; flags dynamic; }
	chain names { type filter hook output priority raw; ip daddr 127.0.0.11 counter accept; }
}
table ip6 bridgework {
	chain names { tcp dport 53 accept; }
}
"#;

fn listed(netns: &Netns) -> String {
    ruleset::nft(netns, "-a list ruleset", "")
}

#[test]
fn tables_of_the_containers_own_stay_as_they_are() {
    let ground = Ground::new();
    ruleset::nft(&ground.container, "-f -", FOREIGN);
    let before = listed(&ground.container);
    ground.lead_to(65_053);
    let ours = ruleset::nft(&ground.container, "list table ip bridgework", "");
    assert_eq!(ours, redirect_to(65_053).table().to_string());
    let meanwhile = listed(&ground.container);
    assert!(meanwhile.starts_with(&before), "{meanwhile}");
    ground.take_back(65_053);
    assert_eq!(listed(&ground.container), before);
}

#[test]
fn a_redirect_that_is_there_is_replaced_whatever_it_is() {
    let ground = Ground::new();
    let [old, new] = [65_053, 65_054].map(|port| ground.inside(|| Both::bind(at(port))).unwrap());
    ground.lead_to(65_053);
    assert_answered(&ground, any4(), at(53), &old.udp);
    for left in [
        "",
        "delete table ip bridgework",
        "delete table ip bridgework; table ip bridgework { flags dormant; set s { type mark; }; \
         chain names { type filter hook input priority 7; policy drop; }; chain a { accept; }; }",
    ] {
        ruleset::nft(&ground.container, "-f -", left);
        ground.lead_to(65_054);
        let there = ruleset::nft(&ground.container, "list ruleset", "");
        assert_eq!(there, redirect_to(65_054).table().to_string(), "{left}");
        assert_answered(&ground, any4(), at(53), &new.udp);
    }
}

#[test]
fn what_is_gone_is_taken_back_without_a_word() {
    let ground = Ground::new();
    ground.take_back(65_053);
    ground.lead_to(65_053);
    ground.take_back(65_053);
    ground.take_back(65_053);
    assert_eq!(listed(&ground.container), "");
}

#[test]
fn a_plan_that_fails_after_its_redirect_or_loses_its_answer_leaves_none() {
    type Strike = fn(&FaultInjector, u64, Errno);
    let strikes: [(Strike, u64); 3] = [
        (FaultInjector::fail_nth, 2),
        (FaultInjector::lose_nth_answer, 2),
        (FaultInjector::fail_nth, 3),
    ];
    for (strike, nth) in strikes {
        let injector = FaultInjector::new();
        let host = Netns::create().unwrap();
        let kernel = Kernel::with_injector(host, injector.clone()).unwrap();
        let container = Netns::create().unwrap();
        ruleset::nft(&container, "-f -", FOREIGN);
        let before = listed(&container);
        let mut plan = plan_to(65_053);
        plan.push(Step::AddRedirect(redirect_to(65_054)));
        strike(&injector, nth, Errno::ENOMEM);
        let failed = kernel.apply(&plan, Some(&container)).unwrap_err();
        assert_eq!(failed.faults()[0].errno(), Some(Errno::ENOMEM));
        assert!(failed.left_behind().is_empty());
        assert_eq!(listed(&container), before);
    }
}

#[test]
fn lines_typed_into_a_shell_make_the_same_table_and_take_it_back() {
    if !has_tools() {
        return;
    }
    let ground = Ground::new();
    let name = "redirected-box".parse().unwrap();
    let typed = Pinned::new(&name);
    let plan = |port| {
        let mut plan = Plan::with_container(name.clone());
        plan.extend(plan_to(port).steps().iter().cloned());
        plan
    };
    // a table that is there is replaced by lines, too
    for port in [65_053, 65_060] {
        ground.lead_to(port);
        type_lines(&ground.container, &plan(port).to_string(), "redirect");
        let [made, typed] = [&ground.container, &typed.netns].map(of_netns);
        assert_eq!(made, typed);
        assert!(made.0.contains(&format!("dport set {port}")), "{made:?}");
    }
    ground.take_back(65_060);
    let undo = plan(65_060).undo(2).to_string();
    type_lines(&ground.container, &undo, "taken back");
    assert_eq!(
        [&ground.container, &typed.netns].map(|n| of_netns(n).0),
        [""; 2]
    );
}

/// The table as text, and as the kernel's expressions.
fn of_netns(netns: &Netns) -> (String, String) {
    let text = ruleset::nft(netns, "list ruleset", "");
    let expressions = ruleset::nft(netns, "--debug=netlink list ruleset", "");
    let known = |line: &&str| line.trim_start().starts_with('[');
    let expressions: Vec<&str> = expressions.lines().filter(known).collect();
    (text, expressions.join("\n"))
}
