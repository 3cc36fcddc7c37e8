//! What is not the crate's stays as it is: tables, rules, routes and settings of others, while the
//! crate works and when all that it made is gone.

use bridgework::{EndpointConfig, Netns};

use crate::attack::{Attack, held};
use crate::lab::wait_until;
use crate::probe::{TRANSPORTS, all_answered, seen, targets};
use crate::serve::Server;
use crate::text::{nft, run, sysctls};
use crate::world::{Ground, Guard, Place, World};

/// A firewall of the host's own, with a drop for strangers and a port of its own.
const FOREIGN: &str = "\
table inet foreign {
    set friends { type ipv4_addr; elements = { 192.0.2.2 }; }
    chain input { type filter hook input priority 0; policy accept; ip saddr 198.51.100.1 drop; }
    chain forward { type filter hook forward priority 0; policy accept; ip saddr @friends accept; }
    chain prerouting { type nat hook prerouting priority -100; policy accept; }
}
table ip nat { chain POSTROUTING { type nat hook postrouting priority 100; policy accept; }; }
table bridge foreign { chain forward { type filter hook forward priority 0; policy accept; }; }
";

fn foreign_tables(netns: &Netns) -> Vec<String> {
    ["inet foreign", "ip nat", "bridge foreign"]
        .map(|table| {
            let mut arguments = vec!["-a", "list", "table"];
            arguments.extend(table.split(' '));
            run(netns, "nft", &arguments, "")
        })
        .to_vec()
}

/// All of the host that is not the crate's.
fn all(netns: &Netns) -> Vec<String> {
    let mut all = foreign_tables(netns);
    let words = [
        "-4 rule show",
        "-6 rule show",
        "-4 route show table all",
        "-6 route show table all",
        "link show",
        "addr show",
    ];
    for arguments in words {
        let arguments: Vec<_> = arguments.split(' ').collect();
        all.push(run(netns, "ip", &arguments, ""));
    }
    all.push(run(netns, "nft", &["list", "ruleset"], ""));
    // how many flows there are is no setting
    all.extend(sysctls(netns, |path| path.ends_with("nf_conntrack_count")));
    all
}

fn assert_same(before: &[String], after: &[String], when: &str) {
    for (before, after) in before.iter().zip(after) {
        assert_eq!(before, after, "{when}");
    }
    assert_eq!(before.len(), after.len(), "{when}");
}

/// What of the host is otherwise when all that `act` makes is gone again, before and after.
fn difference(act: impl FnOnce(Ground)) -> Vec<(String, String)> {
    let Ground { host, a, .. } = Ground::after(Guard::On, |netns| nft(netns, FOREIGN));
    let netns = host.netns().clone();
    drop(host);
    wait_until("the link to be as it stays", || {
        let own = run(&netns, "ip", &["-6", "route", "show", "table", "local"], "");
        let is_up = !run(&netns, "ip", &["-4", "route"], "").contains("linkdown");
        is_up && own.contains("local 2001:db8:1::1") && own.contains("local fe80:")
    });
    let before = all(&netns);
    act(Ground {
        guard: Guard::On,
        host: Guard::On.host(netns.clone()),
        a: a.clone(),
    });
    let after = all(&netns);
    assert_eq!(before.len(), after.len(), "as many settings");
    let pairs = before.into_iter().zip(after);
    pairs.filter(|(before, after)| before != after).collect()
}

#[test]
fn when_all_is_removed_the_host_is_as_it_was() {
    let different = difference(|ground| {
        let network = ground.network(1, |config| config);
        let config = EndpointConfig::new()
            .publish("8080:80")
            .publish("127.0.0.1:8081:80");
        let one = ground.connect(&network, "C1", config);
        let server = one.serve(80);
        all_answered(
            ground.a.at(),
            &targets(&TRANSPORTS[..1], &ground.a.host_addresses(), 8080),
        );
        drop(server);
        one.disconnect().expect("the end");
        network.remove().expect("the end");
    });
    assert_eq!(different, []);
}

/// The bridge of an internal network does not forward, and of one that does not the kernel asks
/// all links together whether redirects are heeded: that they are not stays.
#[test]
fn after_an_internal_network_only_redirects_stay_refused() {
    let different = difference(|ground| drop(World::with(ground, EndpointConfig::new())));
    let key = "/proc/sys/net/ipv4/conf/all/accept_redirects";
    assert_eq!(different, [(format!("{key}=1"), format!("{key}=0"))]);
}

#[test]
fn tables_of_others_are_never_touched() {
    let ground = Ground::after(Guard::On, |netns| nft(netns, FOREIGN));
    let netns = ground.netns().clone();
    let before = foreign_tables(&netns);
    let check = |when| assert_same(&before, &foreign_tables(&netns), when);
    let world = World::with(ground, EndpointConfig::new().publish("8080:80"));
    check("with containers");
    let _server = world.c1.serve(80);
    all_answered(
        world.a.at(),
        &targets(&TRANSPORTS[..1], &world.a.host_addresses(), 8080),
    );
    check("after packets");
    drop(_server);
    let World { c1, n1, .. } = world;
    c1.disconnect().expect("the end");
    check("after a disconnect");
    drop(n1);
    check("at the end");
}

/// One that was there before.
#[test]
fn a_foreign_translation_of_the_same_port_goes_first() {
    held(|guard| {
        let ground = Ground::after(guard, |netns| {
            nft(
                netns,
                "table inet foreign { chain prerouting { \
                 type nat hook prerouting priority -100; policy accept; \
                 tcp dport 8080 redirect to :9090; }; }\n",
            );
        });
        let world = World::with(ground, EndpointConfig::new().publish("8080:80"));
        let _published = world.c1.serve(80);
        let _meant = Server::open(world.netns(), "H", &world.a.host_addresses(), 9090);
        Attack::of(
            targets(&TRANSPORTS[..1], &world.a.host_addresses(), 8080),
            |target| seen(world.a.at(), *target).by != "H",
        )
    });
}

#[test]
fn a_foreign_drop_of_what_is_forwarded_wins_over_a_published_port() {
    let ground = Ground::after(Guard::On, |netns| {
        nft(
            netns,
            "table inet foreign { chain forward { \
             type filter hook forward priority 0; policy accept; ip daddr 10.1.0.0/16 drop; }; }\n",
        );
    });
    let world = World::with(ground, EndpointConfig::new().publish("8080:80"));
    let _server = world.c1.serve(80);
    let [ipv4, ipv6] = world.a.host_addresses();
    let closed = targets(&TRANSPORTS[..1], &[ipv4], 8080);
    let found = crate::probe::answered(world.a.at(), &closed, crate::probe::SHORT);
    assert_eq!(found, Default::default());
    all_answered(world.a.at(), &targets(&TRANSPORTS[..1], &[ipv6], 8080));
}

#[test]
fn the_hosts_own_services_are_reached_as_before() {
    let world = World::publishing(Guard::On, "8080:80");
    let _server = Server::open(world.netns(), "H", &world.a.host_addresses(), 22);
    let all = targets(&TRANSPORTS, &world.a.host_addresses(), 22);
    for place in [world.a.at(), world.c1.at(), world.c3.at(), world.netns()] {
        assert!(
            all_answered(place, &all)
                .values()
                .all(|seen| seen.by == "H")
        );
    }
}
