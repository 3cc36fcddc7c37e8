//! What is answered to whom.

use proptest::prelude::*;

use super::{address, endpoint, owner};
use crate::addr::Family;
use crate::addr::{ContainerId, HostName};
use crate::resolver::{Answer, Names, Records, parse_reverse_name, reverse_name};

fn records() -> Records {
    Records::new("hmall".parse().unwrap())
}

fn addresses(texts: &[&str]) -> Answer {
    Answer::Addresses(texts.iter().map(|text| address(text)).collect())
}

#[test]
fn a_name_resolves_in_any_case_with_the_final_dot_and_with_the_network() {
    let records = records();
    records.insert(owner(
        1,
        &["mysql", "Db.Internal"],
        &["172.18.0.2", "fd00::2"],
    ));
    for name in [
        "mysql",
        "MySQL",
        "mysql.",
        "mysql.hmall",
        "MYSQL.HMALL.",
        "db.internal",
        "db.internal.hmall.",
    ] {
        assert_eq!(
            records.lookup(name, Family::V4),
            addresses(&["172.18.0.2"]),
            "{name}"
        );
        assert_eq!(
            records.lookup(name, Family::V6),
            addresses(&["fd00::2"]),
            "{name}"
        );
    }
    for name in [
        "",
        ".",
        "..",
        "mysql..",
        ".mysql",
        "hmall",
        ".hmall",
        "mysqlhmall",
        "mysql.hmall.hmall",
        "mysql..hmall",
        "db",
        "mysql.other",
    ] {
        assert_eq!(
            records.lookup(name, Family::V4),
            Answer::Unknown,
            "{name:?}"
        );
    }
}

#[test]
fn a_name_without_an_address_of_the_family_is_known() {
    let records = records();
    records.insert(owner(1, &["v4", "both"], &["172.18.0.2"]));
    records.insert(owner(2, &["v6", "both"], &["fd00::2"]));
    records.insert(owner(3, &["none"], &[]));
    assert_eq!(records.lookup("v4", Family::V6), Answer::NoData);
    assert_eq!(records.lookup("v6.hmall", Family::V4), Answer::NoData);
    assert_eq!(records.lookup("none", Family::V4), Answer::NoData);
    assert_eq!(
        records.lookup("both", Family::V4),
        addresses(&["172.18.0.2"])
    );
    assert_eq!(records.lookup("both", Family::V6), addresses(&["fd00::2"]));
}

#[test]
fn an_alias_of_several_owners_gives_them_in_the_order_of_insertion() {
    let records = records();
    for number in [3, 1, 2] {
        let name = format!("web-{number}");
        records.insert(owner(
            number,
            &[&name, "web"],
            &[&format!("10.0.0.{number}")],
        ));
    }
    let all = addresses(&["10.0.0.3", "10.0.0.1", "10.0.0.2"]);
    assert_eq!(records.lookup("web", Family::V4), all);
    records.remove(&endpoint(3));
    records.insert(owner(3, &["web-3", "web"], &["10.0.0.3"]));
    let all = addresses(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    assert_eq!(records.lookup("web", Family::V4), all);
    let names: Vec<String> = records
        .owners()
        .iter()
        .map(|owner| owner.names().first().to_string())
        .collect();
    assert_eq!(names, ["web-1", "web-2", "web-3"]);
}

#[test]
fn a_name_that_is_held_whole_is_not_taken_for_a_qualified_one() {
    let records = records();
    records.insert(owner(1, &["mysql"], &["10.0.0.1"]));
    records.insert(owner(2, &["mysql.hmall"], &["10.0.0.2"]));
    assert_eq!(
        records.lookup("mysql.hmall", Family::V4),
        addresses(&["10.0.0.2"])
    );
    assert_eq!(records.lookup("mysql.hmall", Family::V6), Answer::NoData);
    records.remove(&endpoint(2));
    assert_eq!(
        records.lookup("mysql.hmall", Family::V4),
        addresses(&["10.0.0.1"])
    );
}

#[test]
fn a_replaced_owner_keeps_its_place_and_loses_its_old_names_and_addresses() {
    let records = records();
    records.insert(owner(1, &["a", "web", "old"], &["10.0.0.1"]));
    records.insert(owner(2, &["b", "web"], &["10.0.0.2"]));
    let former = records.insert(owner(1, &["a", "web", "new"], &["10.0.0.9"]));
    assert_eq!(
        former.as_deref(),
        Some(&owner(1, &["a", "web", "old"], &["10.0.0.1"]))
    );
    assert_eq!(
        records.lookup("web", Family::V4),
        addresses(&["10.0.0.9", "10.0.0.2"])
    );
    assert_eq!(records.lookup("old", Family::V4), Answer::Unknown);
    assert_eq!(records.lookup("new", Family::V4), addresses(&["10.0.0.9"]));
    assert_eq!(records.reverse(address("10.0.0.1")), None);
    assert_eq!(records.owners().len(), 2);
}

#[test]
fn a_removed_owner_is_not_found_by_name_or_address() {
    let records = records();
    records.insert(owner(1, &["a", "b"], &["10.0.0.1", "fd00::1"]));
    assert!(records.remove(&endpoint(2)).is_none());
    assert!(records.remove(&endpoint(1)).is_some());
    assert!(records.remove(&endpoint(1)).is_none());
    assert_eq!(records.lookup("a", Family::V4), Answer::Unknown);
    assert_eq!(records.lookup("b.hmall", Family::V6), Answer::Unknown);
    assert_eq!(records.reverse(address("fd00::1")), None);
    assert!(records.owners().is_empty());
}

#[test]
fn a_container_is_removed_by_its_own_name_and_no_alias() {
    let records = records();
    records.insert(owner(1, &["Web", "alias"], &["10.0.0.1"]));
    records.insert(owner(2, &["web"], &["10.0.0.2"]));
    assert!(
        records
            .remove_container(&"alias".parse().unwrap())
            .is_none()
    );
    assert!(records.remove_container(&"web".parse().unwrap()).is_some());
    assert_eq!(records.lookup("web", Family::V4), addresses(&["10.0.0.1"]));
    assert!(records.remove_container(&"web".parse().unwrap()).is_none());
    assert!(records.remove_container(&"Web".parse().unwrap()).is_some());
    assert_eq!(records.lookup("web", Family::V4), Answer::Unknown);
}

#[test]
fn an_address_leads_back_to_the_first_name_in_the_network() {
    let records = records();
    records.insert(owner(1, &["MySQL", "db"], &["172.18.0.2", "fd00::2"]));
    assert_eq!(
        records.reverse(address("172.18.0.2")).as_deref(),
        Some("MySQL.hmall.")
    );
    let name = "2.0.18.172.IN-ADDR.ARPA.";
    assert_eq!(
        records.reverse_lookup(name).as_deref(),
        Some("MySQL.hmall.")
    );
    let name = reverse_name(address("fd00::2")).to_uppercase();
    assert_eq!(
        records.reverse_lookup(name).as_deref(),
        Some("MySQL.hmall.")
    );
    assert_eq!(records.reverse(address("172.18.0.3")), None);
}

#[test]
fn names_of_a_container_come_in_dockers_order_and_once() {
    let id = ContainerId::from_bytes([0xab; 32]);
    let name = |text: &str| text.parse::<HostName>().unwrap();
    let aliases = [name("db"), name("WEB"), name("DB"), name("abababababab")];
    let names = Names::of_container(&"web".parse().unwrap(), &aliases, &id, Some(&name("Db")));
    let texts: Vec<&str> = names.iter().map(HostName::as_str).collect();
    assert_eq!(texts, ["web", "db", "abababababab"]);
}

#[test]
fn what_is_no_reverse_name_is_none() {
    for name in [
        "",
        ".",
        "in-addr.arpa",
        ".in-addr.arpa",
        "18.172.in-addr.arpa",
        "1.2.0.18.172.in-addr.arpa",
        "02.0.18.172.in-addr.arpa",
        "256.0.18.172.in-addr.arpa",
        "+2.0.18.172.in-addr.arpa",
        "2.0.18.172.in-addr.arpa..",
        "2.0.18.172in-addr.arpa",
        "2.0.18.172.ip6.arpa",
        "8.b.d.0.1.0.0.2.ip6.arpa",
    ] {
        assert_eq!(parse_reverse_name(name), None, "{name:?}");
    }
    let nibbles = |label: &str| format!("{}.ip6.arpa", vec![label; 32].join("."));
    assert_eq!(parse_reverse_name(nibbles("0")), Some(address("::")));
    assert_eq!(parse_reverse_name(nibbles("g")), None);
    assert_eq!(parse_reverse_name(nibbles("")), None);
    assert_eq!(parse_reverse_name(format!("0.{}", nibbles("0"))), None);
}

#[test]
fn empty_records_are_small() {
    let fixed = size_of::<Records>();
    let shards = 2 * 64 * size_of::<arc_swap::ArcSwapOption<Vec<u8>>>();
    assert!(fixed + shards < 2048, "{fixed} and {shards} bytes");
}

proptest! {
    #[test]
    fn a_reverse_name_reads_back(v4: [u8; 4], v6: [u8; 16]) {
        for address in [v4.into(), v6.into()] {
            prop_assert_eq!(parse_reverse_name(reverse_name(address)), Some(address));
        }
    }

    #[test]
    fn any_bytes_may_be_asked_for(name: Vec<u8>, long in 250_usize..700) {
        let records = records();
        let longest = [("a", 63), ("b", 63), ("c", 63), ("d", 61)];
        let longest = longest.map(|(label, bytes)| label.repeat(bytes)).join(".");
        records.insert(owner(1, &[&longest], &["10.0.0.1"]));
        for name in [name, vec![b'.'; long], vec![b'a'; long]] {
            prop_assert_eq!(records.lookup(&name, Family::V4), Answer::Unknown);
            prop_assert_eq!(records.reverse_lookup(&name), None);
        }
        let qualified = format!("{}.HMALL.", longest);
        prop_assert_eq!(records.lookup(qualified, Family::V4), addresses(&["10.0.0.1"]));
    }
}
