//! Containers that one process connects and another one answers: by what they want, as if it had
//! connected them itself.

use std::fs;
use std::sync::Arc;

use bridgework::plan::Switch;
use bridgework::store::Memory;
use bridgework::{
    Container, ContainerConfig, Host, HostConfig, Netns, NetworkConfig, ResolverScope,
};

use super::dns::{A, NXDOMAIN};
use super::ground::{Ground, STUB, client};
use super::upstream::{OUTSIDE, Upstream};

const DOMAIN: &str = "dns.example";

/// The one that answers, and a store for others.
fn answering(name: &str) -> (Ground, Memory) {
    let store = Memory::new();
    let ours = Arc::new(store.open());
    let ground = Ground::configured(name, "nameserver 127.0.0.53\nsearch corp\n", |config| {
        config.store(ours).domain(DOMAIN)
    });
    (ground, store)
}

/// One that connects and ends.
fn other(ground: &Ground, store: &Memory) -> Host {
    let config = HostConfig::new()
        .netns(ground.host.netns().clone())
        .resolv_conf(ground.path("host-resolv"))
        .store(Arc::new(store.open()))
        .resolver(Switch::Off);
    Host::open_with(config).expect("a host")
}

/// Containers that the one that answers can find by a file, as long as what is returned with them
/// is there: one with a server of its own, and one without.
fn residents() -> [(Container, Netns); 2] {
    ["web", "db"].map(|name| {
        let made = Netns::create().expect("a namespace");
        let netns = Netns::at(made.path()).expect("its file");
        let mut config = ContainerConfig::new(name, netns);
        if name == "web" {
            config = config.dns("127.0.0.99").dns_search("lab.test");
        }
        (Container::open(config).expect("a container"), made)
    })
}

#[test]
fn what_a_container_that_another_process_connected_wants_is_kept_to() {
    let (ground, store) = answering("served");
    let stub = Upstream::outside(ground.host.netns(), STUB);
    let service = ground.host.serve().unwrap();
    let [(web, _web), (db, _db)] = residents();
    let ip = {
        let host = other(&ground, &store);
        let shop = host.create_network(NetworkConfig::bridge("shop")).unwrap();
        shop.persist().unwrap();
        shop.connect(&web).unwrap().persist().unwrap();
        let at_db = shop.connect(&db).unwrap();
        let ip = at_db.ip().to_string();
        at_db.persist().unwrap();
        ip
    };
    service.look().unwrap();
    let own = Upstream::outside(web.netns(), "127.0.0.99");
    let [of_web, of_db] = [&web, &db].map(client);
    assert_eq!(of_db.ask_for("db.corp", A).says(), [ip.as_str()]);
    assert_eq!(of_web.ask_for("db.lab.test", A).says(), [ip.as_str()]);
    for asker in [&of_web, &of_db] {
        let told = asker.ask_for("db.dns.example", A);
        assert_eq!(told.says(), [ip.as_str()]);
        let told = asker.ask_for("nobody.dns.example", A);
        assert_eq!(told.rcode(), NXDOMAIN);
    }
    assert_eq!((stub.names(), own.names()), (vec![], vec![]));
    let outside = std::net::IpAddr::from(OUTSIDE).to_string();
    let told = of_web.ask_for("www.outside.test", A);
    assert_eq!(told.says(), [outside.as_str()]);
    assert_eq!((own.names().len(), stub.names().len()), (1, 0));
    let told = of_db.ask_for("www.outside.test", A);
    assert_eq!(told.says(), [outside.as_str()]);
    assert_eq!((own.names().len(), stub.names().len()), (1, 1));
}

#[test]
fn a_known_name_under_a_search_domain_of_the_host_s_is_told_to_nobody_once_that_is_a_container_s() {
    let ground = Ground::new("search");
    let stub = ground.stub();
    let (shop, back) = (ground.network("shop"), ground.network("back"));
    let [web, db] = ["web", "db"].map(|name| ground.container(name));
    let _web = shop.connect(&web).unwrap();
    let at_db = shop.connect(&db).unwrap();
    let ip = at_db.ip().to_string();
    let asker = client(&web);
    let says = |text: &str| {
        fs::read_to_string(ground.path("web-resolv"))
            .unwrap()
            .contains(text)
    };
    ground.write_resolv_conf("nameserver 127.0.0.53\nsearch later.test\n");
    let at_back = back.connect(&web).unwrap();
    assert!(says("search later.test"));
    assert_eq!(asker.ask_for("db.later.test", A).says(), [ip.as_str()]);
    ground.write_resolv_conf("nameserver 127.0.0.53\nsearch last.test\n");
    at_back.disconnect().unwrap();
    assert!(says("search last.test"));
    assert_eq!(asker.ask_for("db.last.test", A).says(), [ip.as_str()]);
    assert_eq!(stub.names(), [""; 0]);
}

#[test]
fn who_is_recalled_is_answered_at_the_gateway_by_what_it_wants_from_the_beginning() {
    let (ground, store) = answering("recalled");
    let stub = ground.stub();
    let config = NetworkConfig::bridge("shop").subnet("10.7.0.0/24");
    let shop = ground.create(config.resolver(ResolverScope::GatewayAlone));
    shop.persist().unwrap();
    let [(_web, _), (db, _db)] = residents();
    let shop = other(&ground, &store).network("shop").unwrap();
    let at_db = shop.connect(&db).unwrap();
    let ip = at_db.ip().to_string();
    at_db.persist().unwrap();
    // it is known from then on, and nobody serves
    ground.host.network("shop").unwrap();
    let at = "10.7.0.1:53".parse().unwrap();
    let told = super::gateway::ask(db.netns(), at, "db.corp");
    assert_eq!(told.says(), [ip.as_str()]);
    let told = super::gateway::ask(db.netns(), at, "nobody.dns.example");
    assert_eq!(told.rcode(), NXDOMAIN);
    assert_eq!(stub.names(), [""; 0]);
}

#[test]
fn who_answers_nobody_does_not_serve() {
    let (ground, store) = answering("mute");
    let mute = other(&ground, &store);
    let error = mute.serve().unwrap_err();
    assert!(error.is_invalid(), "{error}");
    assert!(
        error.to_string().contains("HostConfig::resolver"),
        "{error}"
    );
}
