//! The packet filter's steps: several lines each, which can be typed one network after the other.

use bridgework::plan::nft::{
    Chain, Element, Field, FieldType, Keys, Match, Ownership, Rule, Selector, Set, SetValue,
    Statement, Table, TableFamily, Value, Verdict,
};
use bridgework::plan::{
    ElementsEdit, Fate, FlowMatch, HostFirewall, Plan, PolicyAction, PolicyRule, Redirect, Side,
    Step, Uplink, UplinkFamily,
};
use bridgework::{Family, Port, Protocol};

use crate::steps::{NONE, STAYS, UNDONE};

pub fn rows() -> Vec<(Step, &'static str, Fate, &'static str)> {
    let moved = ElementsEdit {
        remove: vec![published(2)],
        add: vec![published(3)],
        ..ElementsEdit::default()
    };
    let for_good = ElementsEdit {
        superseded: vec![published(2)],
        ..ElementsEdit::adding(vec![published(3)])
    };
    vec![
        (Step::RaiseFirewall(host()), RAISED, UNDONE, RETIRED),
        (Step::RetireFirewall(host()), RETIRED, STAYS, NONE),
        (
            Step::EditElements(moved),
            "nft 'delete element inet t ports { tcp . 8080 }'\n\
             nft 'add element inet t ports { tcp . 8080 comment \"web\" : 10.89.0.3 . 80 }'",
            UNDONE,
            "nft 'delete element inet t ports { tcp . 8080 }'\n\
             nft 'add element inet t ports { tcp . 8080 comment \"web\" : 10.89.0.2 . 80 }'",
        ),
        (
            Step::EditElements(for_good),
            "nft 'delete element inet t ports { tcp . 8080 }' 2> /dev/null || true\n\
             nft 'add element inet t ports { tcp . 8080 comment \"web\" : 10.89.0.3 . 80 }'",
            UNDONE,
            "nft 'delete element inet t ports { tcp . 8080 }'",
        ),
        (
            Step::ForgetFlows(vec![FlowMatch {
                protocol: Some(Protocol::Udp),
                original_destination_port: Some(port(53)),
                reply_source: Some(([10, 89, 0, 2].into(), Some(port(5353)))),
                ..FlowMatch::new(Family::V4)
            }]),
            "conntrack -D -f ipv4 -p udp --orig-port-dst 53 --reply-src 10.89.0.2 \
             --reply-port-src 5353 || true",
            STAYS,
            NONE,
        ),
        (Step::ForgetFlows(Vec::new()), ":", STAYS, NONE),
        (
            Step::AddRedirect(redirect()),
            REDIRECTED,
            UNDONE,
            "ip netns exec container nft delete table ip bridgework",
        ),
        (
            Step::DeleteRedirect(redirect()),
            "ip netns exec container nft delete table ip bridgework",
            STAYS,
            NONE,
        ),
        (
            Step::EditElements(ElementsEdit::default()),
            ":",
            UNDONE,
            ":",
        ),
    ]
}

const RAISED: &str = r#"nft list table inet t > /dev/null 2>&1 || {
nft -f - << 'EOF'
table inet t {
	comment "ours"
	map ports {
		type inet_proto . inet_service : ipv4_addr . inet_service
	}

	chain user {
		iifname @uplinks drop
	}
}
EOF
ip -4 rule add pref 9809 nop protocol 98
}
nft 'get element inet t uplinks { "lan0" }' > /dev/null 2>&1 || {
nft 'add element inet t uplinks { "lan0" comment "out" }'
ip -6 rule add pref 9805 iif lan0 fwmark 0/0x8000000 lookup 9805 protocol 98
test "$(sysctl -n net.ipv6.conf.all.forwarding)" = 1 || test "$(sysctl -n net/ipv6/conf/lan0/force_forwarding)" = 1 || { ip -6 rule add pref 9806 iif lan0 nop protocol 98; nft 'add element inet t within { "lan0" . "lan0" comment "out" : accept }'; nft 'add element inet t raised { ipv6 . "lan0" comment "out" }'; sysctl -w net/ipv6/conf/lan0/force_forwarding=1; }
}"#;

const RETIRED: &str = r#"nft list set inet t bridges | grep -q elements || {
nft 'get element inet t raised { ipv6 . "lan0" }' > /dev/null 2>&1 && sysctl -w net/ipv6/conf/lan0/force_forwarding=0 && ip -6 rule del pref 9806 iif lan0 nop protocol 98
ip -6 rule del pref 9805 iif lan0 fwmark 0/0x8000000 lookup 9805 protocol 98
ip -4 rule del pref 9809 nop protocol 98
nft delete table inet t
}"#;

const REDIRECTED: &str = r#"ip netns exec container nft -f - << 'EOF'
add table ip bridgework
delete table ip bridgework
table ip bridgework {
	comment "made by bridgework; it leads queries to the name server"
	chain names {
		type filter hook output priority raw; policy accept;
		oif != "lo" accept
		ip daddr 127.0.0.11 udp dport 53 notrack udp dport set 65054 accept
		ip daddr 127.0.0.11 tcp dport 53 notrack tcp dport set 65054 accept
		ip saddr 127.0.0.11 udp sport 65054 notrack udp sport set 53 accept
		ip saddr 127.0.0.11 tcp sport 65054 notrack tcp sport set 53 accept
	}
}
EOF"#;

fn redirect() -> Redirect {
    Redirect {
        server: [127, 0, 0, 11].into(),
        port: port(65054),
    }
}

#[test]
fn a_redirect_is_told_of_in_one_line_and_is_of_the_containers_side() {
    let step = Step::AddRedirect(redirect());
    assert_eq!((step.side(), step.link()), (Some(Side::Container), None));
    let plan = Plan::from_iter([step.clone(), Step::DeleteRedirect(redirect())]);
    let lines: Vec<String> = plan.lines().collect();
    assert_eq!(
        lines,
        [
            "lead what is sent to 127.0.0.11:53 to port 65054",
            "ip netns exec container nft delete table ip bridgework"
        ]
    );
    let mut named = Plan::with_container("web".parse().unwrap());
    named.push(step);
    let text = named.to_string();
    assert!(text.starts_with("ip netns exec web nft -f - <<"), "{text}");
    let undo = "ip netns exec web nft delete table ip bridgework\n";
    assert_eq!(named.undo(1).to_string(), undo);
}

fn host() -> HostFirewall {
    let lan = || Field::Link("lan0".parse().unwrap());
    let rule = |family, priority, unless_marked, action| PolicyRule {
        family,
        priority,
        by: None,
        unless_marked,
        action,
    };
    let barrier = (Some(0x0800_0000), PolicyAction::Lookup(9805));
    HostFirewall {
        tables: vec![table()],
        rules: vec![rule(Family::V4, 9809, None, PolicyAction::Nop)],
        barriers: vec![rule(Family::V6, 9805, barrier.0, barrier.1)],
        uplinks: vec![Uplink {
            link: "lan0".parse().unwrap(),
            element: element("uplinks", vec![lan()], Value::None),
            families: vec![UplinkFamily {
                family: Family::V6,
                raised: element(
                    "raised",
                    vec![Field::Family(Family::V6), lan()],
                    Value::None,
                ),
                passing: vec![element(
                    "within",
                    vec![lan(), lan()],
                    Value::Verdict(Verdict::Accept),
                )],
            }],
        }],
    }
}

fn table() -> Table {
    use FieldType::{Ipv4, Port, Protocol};
    Table {
        family: TableFamily::Inet,
        name: "t",
        comment: "ours",
        ownership: Ownership::Shared,
        sets: vec![Set {
            name: "ports",
            key: vec![Protocol, Port],
            keys: Keys::Exact,
            value: SetValue::Fields(vec![Ipv4, Port]),
        }],
        chains: vec![Chain {
            name: "user",
            comment: "",
            hook: None,
            rules: vec![Rule {
                matches: vec![Match::In(vec![Selector::LinkIn], "uplinks")],
                statement: Statement::Verdict(Verdict::Drop),
            }],
        }],
    }
}

/// To a container with that address.
fn published(last: u8) -> Element {
    let key = vec![Field::Protocol(Protocol::Tcp), Field::Port(port(8080))];
    let value = Value::Fields(vec![
        Field::Ipv4([10, 89, 0, last].into()),
        Field::Port(port(80)),
    ]);
    Element {
        comment: "web".to_owned(),
        ..element("ports", key, value)
    }
}

fn element(set: &'static str, key: Vec<Field>, value: Value) -> Element {
    Element {
        family: TableFamily::Inet,
        table: "t",
        set,
        key,
        value,
        comment: "out".to_owned(),
    }
}

fn port(number: u32) -> Port {
    Port::new(number).unwrap()
}
