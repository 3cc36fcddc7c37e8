//! What can't be seen by a look at the tables that there are: `netlink` holds those against `nft`.

use super::super::{Chain, Element, Field, Ownership, Table, TableFamily, Value, Verdict};
use super::super::{ChainKind, Hook, HookPoint};
use crate::addr::Subnet;

fn element(comment: &str, link: &str) -> Element {
    Element {
        family: TableFamily::Inet,
        table: "t",
        set: "within",
        key: vec![Field::Link(link.parse().expect("a name"))],
        value: Value::Verdict(Verdict::Goto("published")),
        comment: comment.to_owned(),
    }
}

#[test]
fn no_name_and_no_comment_ends_its_quotes_or_the_command() {
    let plain = element("x", "br1").to_string();
    let expected = "nft 'add element inet t within { \"br1\" comment \"x\" : goto published }'";
    assert_eq!(plain, expected);
    let wild = element("a\" } ; flush ruleset '\n;", "a\"';$(b)").to_string();
    let inside = "{ \"a?'\\'';$(b)\" comment \"a? } ; flush ruleset '\\''?;\" : goto published }";
    assert_eq!(wild, format!("nft 'add element inet t within {inside}'"));
}

#[test]
fn a_star_in_a_links_name_is_a_star() {
    assert_eq!(
        Field::Link("br*".parse().expect("a name")).to_string(),
        "\"br\\*\""
    );
}

#[test]
fn a_prefix_of_one_address_is_that_address() {
    let subnet = |text: &str| Field::Subnet(text.parse::<Subnet>().expect("a subnet"));
    assert_eq!(subnet("10.0.0.1/32").to_string(), "10.0.0.1");
    assert_eq!(subnet("fd00::1/128").to_string(), "fd00::1");
    assert_eq!(subnet("0.0.0.0/0").to_string(), "0.0.0.0/0");
}

fn with_hook(family: TableFamily, point: HookPoint, priority: i32) -> String {
    let hook = Hook {
        kind: ChainKind::Filter,
        point,
        priority,
    };
    let chain = Chain {
        name: "c",
        comment: "",
        hook: Some(hook),
        rules: vec![],
    };
    let table = Table {
        family,
        name: "t",
        comment: "",
        ownership: Ownership::Shared,
        sets: vec![],
        chains: vec![chain],
    };
    table.to_string()
}

#[test]
fn a_priority_has_a_name_as_far_as_ten_from_it_and_where_it_is_used() {
    use HookPoint::{Output, Prerouting};
    use TableFamily::{Bridge, Inet};
    let cases = [
        (Inet, Prerouting, -300, "raw"),
        (Inet, Prerouting, -90, "dstnat + 10"),
        (Inet, Prerouting, -89, "-89"),
        (Inet, Prerouting, -110, "dstnat - 10"),
        (Inet, Output, -100, "-100"),
        (Bridge, Prerouting, -300, "dstnat"),
        (Bridge, Output, -200, "filter"),
        (Bridge, Output, 0, "0"),
        (Inet, Output, i32::MIN, "-2147483648"),
    ];
    for (family, point, priority, expected) in cases {
        let text = with_hook(family, point, priority);
        let found = text
            .split("priority ")
            .nth(1)
            .and_then(|rest| rest.split(';').next());
        assert_eq!(found, Some(expected), "{text}");
    }
}
