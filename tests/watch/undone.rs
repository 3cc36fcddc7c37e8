//! Whatever is done to what is ours is undone; what is not ours stays.

use std::time::Duration;

use bridgework::EventKind;

use crate::ground::{Ground, ground, is_back, nft, own, ruleset, unwatched};
use crate::lab;

/// Somebody does this, and everything is as before.
fn undone(commands: &[&str]) {
    let ground = ground();
    let netns = ground.host.netns();
    let before = ruleset(netns);
    for command in commands {
        nft(netns, command);
        is_back(netns, &before);
    }
}

#[test]
fn a_flush_of_everything_is_undone() {
    undone(&["flush ruleset"]);
}

#[test]
fn tables_that_are_deleted_come_back() {
    undone(&[
        "delete table inet bridgework",
        "delete table bridge bridgework",
    ]);
}

#[test]
fn chains_that_are_flushed_are_filled() {
    undone(&[
        "flush chain inet bridgework forward",
        "flush chain inet bridgework published",
        "flush chain bridge bridgework guard",
        "flush table inet bridgework",
    ]);
}

#[test]
fn a_base_chain_that_is_deleted_comes_back() {
    undone(&["delete chain inet bridgework input; "]);
}

#[test]
fn elements_that_are_deleted_come_back() {
    let ground = ground();
    let netns = ground.host.netns();
    let before = ruleset(netns);
    let bridge = &ground.network.spec().link.name;
    let subnet = ground.network.spec().ipv4.as_ref().unwrap().subnet;
    for (set, key) in [
        ("bridges", format!("\"{bridge}\"")),
        ("within", format!("\"{bridge}\" . \"{bridge}\"")),
        ("masquerade4", subnet.to_string()),
        ("own4", format!("{subnet} . \"{bridge}\"")),
    ] {
        let text = format!("delete element inet bridgework {set} {{ {key} }}");
        crate::ground::try_nft(netns, &[&text]).unwrap();
        is_back(netns, &before);
    }
    for set in [
        "map published_any4",
        "map published4",
        "map entering",
        "set subnets6",
    ] {
        let [kind, set] = set.split(' ').collect::<Vec<_>>()[..] else {
            unreachable!()
        };
        nft(netns, &format!("flush {kind} inet bridgework {set}"));
        is_back(netns, &before);
    }
}

#[test]
fn an_element_that_leads_elsewhere_leads_back() {
    let ground = ground();
    let netns = ground.host.netns();
    let before = ruleset(netns);
    let port = ground.endpoint.published()[0].host_port;
    let element = format!("inet bridgework published_any4 {{ tcp . {port}");
    let text = format!("delete element {element} }}; add element {element} : 10.9.9.9 . 99 }}");
    crate::ground::try_nft(netns, &[&text]).unwrap();
    is_back(netns, &before);
}

#[test]
fn rules_that_are_deleted_replaced_or_added_are_ours_again() {
    let ground = ground();
    let netns = ground.host.netns();
    let before = ruleset(netns);
    let handle = |chain: &str| {
        let text = nft(netns, &format!("-a list chain inet bridgework {chain}"));
        let line = text
            .lines()
            .rfind(|line| line.contains("# handle"))
            .unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    let last = handle("forward");
    nft(
        netns,
        &format!("delete rule inet bridgework forward handle {last}"),
    );
    is_back(netns, &before);
    let last = handle("published");
    nft(
        netns,
        &format!("replace rule inet bridgework published handle {last} accept"),
    );
    is_back(netns, &before);
    nft(netns, "add rule inet bridgework forward accept");
    is_back(netns, &before);
    nft(netns, "insert rule inet bridgework input tcp dport 22 drop");
    is_back(netns, &before);
    nft(netns, "insert rule bridge bridgework guard accept");
    is_back(netns, &before);
}

#[test]
fn a_policy_a_hook_and_a_sleeping_table_are_put_right() {
    undone(&[
        "add chain inet bridgework forward { policy drop; }",
        "flush chain inet bridgework input; delete chain inet bridgework input; \
         add chain inet bridgework input { type filter hook output priority 7; policy accept; }",
        "add table inet bridgework { flags dormant; }",
    ]);
}

#[test]
fn a_set_of_another_kind_makes_way_for_ours_and_the_users_rules_stay() {
    let ground = ground();
    let netns = ground.host.netns();
    nft(
        netns,
        "add rule inet bridgework user ip saddr 203.0.113.0/24 counter drop",
    );
    // as another process would: into a set that has nothing of ours, and into one that has
    nft(
        netns,
        "add element inet bridgework open4 { 10.9.9.9 . tcp . 80 }",
    );
    nft(
        netns,
        "add element inet bridgework subnets4 { 203.0.113.0/24 }",
    );
    let before = ruleset(netns);
    nft(
        netns,
        "flush chain inet bridgework input; delete set inet bridgework isolated; \
         add set inet bridgework isolated { type ipv4_addr; }",
    );
    is_back(netns, &before);
}

#[test]
fn what_is_not_ours_stays() {
    let ground = ground();
    let netns = ground.host.netns();
    nft(netns, "add table inet theirs");
    nft(
        netns,
        "add chain inet theirs forward { type filter hook forward priority 10; }",
    );
    nft(netns, "add rule inet theirs forward counter accept");
    nft(
        netns,
        "add rule inet bridgework user ip saddr 203.0.113.0/24 drop",
    );
    nft(
        netns,
        "add element inet bridgework subnets4 { 203.0.113.0/24 }",
    );
    nft(netns, "add chain inet bridgework theirs");
    nft(netns, "add rule inet bridgework theirs accept");
    let before = ruleset(netns);
    nft(netns, "flush chain inet bridgework forward");
    nft(netns, "flush map inet bridgework published_any6");
    is_back(netns, &before);
    // and our own changes leave them alone
    let other = lab::container("other");
    let endpoint = ground.network.connect(&other).unwrap();
    endpoint.publish("9999:99").unwrap();
    drop(endpoint);
    is_back(netns, &before);
}

#[test]
fn a_flush_takes_the_users_rules_with_it_and_other_tables_are_not_made_again() {
    let ground = ground();
    let netns = ground.host.netns();
    let before = ruleset(netns);
    nft(netns, "add table ip theirs");
    nft(netns, "add rule inet bridgework user drop");
    nft(netns, "flush ruleset");
    is_back(netns, &before);
}

#[test]
fn without_the_watch_nothing_is_undone_until_something_is_changed() {
    let ground = unwatched();
    let netns = ground.host.netns();
    let before = own(netns);
    nft(netns, "flush ruleset");
    // whoever watched would have been done by the time that two other tables came and went
    for _ in 0..100 {
        nft(netns, "add table ip theirs; delete table ip theirs");
    }
    assert_eq!(own(netns), [""; 0]);
    let other = lab::container("other");
    let endpoint = ground
        .network
        .connect_with(&other, bridgework::EndpointConfig::new().publish("9999:99"));
    drop(endpoint.unwrap());
    assert_eq!(own(netns), before);
}

#[test]
fn subscribers_are_told_who_it_was() {
    let ground = ground();
    let netns = ground.host.netns();
    let events = ground.host.subscribe();
    nft(netns, "delete table inet bridgework");
    let event = events.recv_timeout(lab::DEADLINE).unwrap();
    let EventKind::Repair { parts, by, .. } = &event.kind else {
        panic!("{event}");
    };
    assert_eq!((*parts, by.as_ref().unwrap().name.as_str()), (1, "nft"));
    assert!(
        event.to_string().contains("network repair (by=nft, pid="),
        "{event}"
    );
    assert!(event.took < Duration::from_secs(10));
}

#[test]
fn ports_work_again_after_a_flush() {
    let Ground {
        host,
        web,
        endpoint,
        ..
    } = ground();
    let netns = host.netns();
    let before = ruleset(netns);
    nft(netns, "flush ruleset");
    is_back(netns, &before);
    let port = endpoint.published()[0].host_port.get();
    let listening = web
        .run(|| std::net::TcpListener::bind("0.0.0.0:80"))
        .unwrap()
        .unwrap();
    netns
        .run(|| std::net::TcpStream::connect(("127.0.0.1", port)).unwrap())
        .unwrap();
    listening.accept().unwrap();
}
