//! Tables that only one process may change.

use bridgework::{Firewall, Host, HostConfig, Netns, NetworkConfig};

use crate::ground::{ground_on, nft, own, ruleset, try_nft};
use crate::lab;

fn exclusive(netns: &Netns) -> Host {
    let config = HostConfig::new().netns(netns.clone());
    Host::open_with(config.firewall(Firewall::Exclusive)).unwrap()
}

fn shared(netns: &Netns) -> Host {
    Host::open_with(HostConfig::new().netns(netns.clone())).unwrap()
}

/// But for whose it is, which is another socket's each time.
fn without_owners(lines: Vec<String>) -> Vec<String> {
    lines
        .into_iter()
        .filter(|line| !line.starts_with("table "))
        .collect()
}

#[test]
fn nobody_else_can_flush_delete_or_change_tables_that_are_owned() {
    let netns = Netns::create().unwrap();
    let ground = ground_on(exclusive(&netns), "web");
    let before = ruleset(&netns);
    let text = nft(&netns, "list tables");
    assert!(text.contains("table inet bridgework"), "{text}");
    let text = nft(&netns, "list table inet bridgework");
    assert!(text.contains("flags owner"), "{text}");
    nft(&netns, "flush ruleset");
    assert_eq!(
        ruleset(&netns),
        before,
        "it is passed over, and nothing has to be repaired"
    );
    for refused in [
        "delete table inet bridgework",
        "flush chain inet bridgework forward",
        "add rule inet bridgework user accept",
        "delete table bridge bridgework",
    ] {
        let error = try_nft(&netns, &[refused]).unwrap_err();
        assert!(
            error.contains("Operation not permitted"),
            "{refused}: {error}"
        );
    }
    // and we can
    let other = ground
        .host
        .create_network(NetworkConfig::bridge("other"))
        .unwrap();
    let endpoint = other.connect(&lab::container("db")).unwrap();
    endpoint.publish("9999:99").unwrap();
    assert_eq!(ground.host.check().unwrap(), []);
    drop((endpoint, other));
    assert_eq!(ruleset(&netns), before);
    drop(ground);
    assert_eq!(own(&netns), [""; 0]);
}

#[test]
fn tables_outlive_their_owner_and_another_process_takes_them_over() {
    let netns = Netns::create().unwrap();
    let host = exclusive(&netns);
    let kept = host.create_network(NetworkConfig::bridge("kept")).unwrap();
    kept.persist().unwrap();
    let before = without_owners(own(&netns));
    // its handle to itself keeps the network, and so its host: only the end of a process ends that
    let another = exclusive(&netns);
    let refused = another
        .create_network(NetworkConfig::bridge("web"))
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("another process owns the table inet bridgework"),
        "{refused}"
    );
    assert_eq!(without_owners(own(&netns)), before, "nothing is left of it");
    let refused = shared(&netns)
        .create_network(NetworkConfig::bridge("web"))
        .unwrap_err();
    assert!(
        refused.to_string().contains("another process owns"),
        "{refused}"
    );
    kept.remove().unwrap();
    drop((kept, host));
    assert_eq!(own(&netns), [""; 0]);
    let web = ground_on(another, "web");
    assert_eq!(web.host.check().unwrap(), []);
    drop(web);
}

#[test]
fn tables_without_an_owner_are_adopted_with_all_that_is_in_them() {
    let netns = Netns::create().unwrap();
    // what a process leaves that is killed
    let dead = orphan(&netns);
    let before = without_owners(own(&netns));
    assert!(!nft(&netns, "list table inet bridgework").contains("flags owner"));
    nft(
        &netns,
        "add rule inet bridgework user ip saddr 203.0.113.0/24 drop",
    );
    let heir = ground_on(exclusive(&netns), "web");
    let text = nft(&netns, "list table inet bridgework");
    assert!(
        text.contains("flags owner") && text.contains("203.0.113.0/24"),
        "{text}"
    );
    assert!(try_nft(&netns, &["delete table inet bridgework"]).is_err());
    let now = without_owners(own(&netns));
    let rules = |lines: &[String]| lines.iter().filter(|l| l.starts_with("rule")).count();
    assert_eq!(rules(&now), rules(&before) + 1);
    assert!(
        text.contains("left behind"),
        "its elements are there: {text}"
    );
    drop((heir, dead));
}

#[test]
fn shared_tables_become_owned_once_nobody_uses_them_and_owned_ones_shared() {
    let netns = Netns::create().unwrap();
    let one = ground_on(shared(&netns), "one");
    let refused = exclusive(&netns)
        .create_network(NetworkConfig::bridge("web"))
        .unwrap_err();
    assert!(
        refused.to_string().contains("used by another process"),
        "{refused}"
    );
    nft(
        &netns,
        "add rule inet bridgework user ip saddr 203.0.113.0/24 drop",
    );
    drop(one);
    // the user's rules keep the tables
    assert!(!own(&netns).is_empty());
    let owned = ground_on(exclusive(&netns), "web");
    let text = nft(&netns, "list table inet bridgework");
    assert!(
        text.contains("flags owner") && text.contains("203.0.113.0/24"),
        "{text}"
    );
    drop(owned);
    let again = ground_on(shared(&netns), "one");
    let text = nft(&netns, "list table inet bridgework");
    assert!(
        !text.contains("flags owner") && text.contains("203.0.113.0/24"),
        "{text}"
    );
    nft(&netns, "flush ruleset");
    drop(again);
}

/// Both tables as a process leaves them that owned them and was killed.
fn orphan(netns: &Netns) -> Netns {
    use bridgework::firewall::{TABLE, tables};
    use bridgework::kernel::Kernel;
    use bridgework::plan::nft::{Element, Field, Ownership, TableFamily, Value};
    use bridgework::plan::{ElementsEdit, HostFirewall, Plan, Step};
    let kernel = Kernel::new(netns.clone()).unwrap();
    let firewall = HostFirewall {
        tables: tables(Ownership::Exclusive),
        rules: Vec::new(),
        barriers: Vec::new(),
        uplinks: Vec::new(),
    };
    let left = Element {
        family: TableFamily::Inet,
        table: TABLE,
        set: "subnets4",
        key: vec![Field::Subnet("10.99.0.0/24".parse().unwrap())],
        value: Value::None,
        comment: "left behind".to_owned(),
    };
    let left = Step::EditElements(ElementsEdit::adding(vec![left]));
    let plan = Plan::from_iter([Step::RaiseFirewall(firewall), left]);
    kernel.apply(&plan, None).unwrap();
    assert!(nft(netns, "list table inet bridgework").contains("flags owner"));
    drop(kernel);
    netns.clone()
}
