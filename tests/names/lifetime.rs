//! The server is there from a container's first user-defined network to its last, in nobody's way,
//! and leaves nothing.

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, UdpSocket};

use bridgework::{Container, EndpointConfig, Netns, NetworkConfig};

use super::ask::{SERVER, connect};
use super::dns::{self, A, query};
use super::ground::{Ground, client};
use super::lab::{self, output, wait_until};
use super::threads;

/// The sockets of a namespace that listen or wait for datagrams: kind, address and port.
fn sockets(netns: &Netns) -> BTreeSet<String> {
    // ss(8) would tell of what has no process in it, too
    let read = || {
        let kinds = [("udp", "07"), ("udp6", "07"), ("tcp", "0A"), ("tcp6", "0A")];
        let mut all = BTreeSet::new();
        for (kind, state) in kinds {
            let table = fs::read_to_string(format!("/proc/thread-self/net/{kind}"));
            for line in table.unwrap_or_default().lines().skip(1) {
                let words: Vec<&str> = line.split_whitespace().collect();
                if words.get(3) == Some(&state) {
                    all.insert(format!("{kind} {}", words[1]));
                }
            }
        }
        all
    };
    netns.run(read).unwrap()
}

#[test]
fn programs_may_have_port_53_of_every_other_address_and_of_all() {
    let ground = Ground::new("port-53");
    let shop = ground.dual("shop");
    let [web, db] = ["web", "db"].map(|name| ground.container(name));
    let (at_web, at_db) = (shop.connect(&web).unwrap(), shop.connect(&db).unwrap());
    let own = at_web.ip();
    let places = [
        format!("{own}:53"),
        "127.0.0.1:53".into(),
        "0.0.0.0:53".into(),
        "[::]:53".into(),
    ];
    for place in &places {
        let bind = || Ok::<_, std::io::Error>((UdpSocket::bind(place)?, TcpListener::bind(place)?));
        let (udp, _tcp) = lab::wait_for(place, || web.run(bind).unwrap().ok());
        let asker = client(&web);
        assert_eq!(
            asker.ask_for("db", A).says(),
            [at_db.ip().to_string()],
            "{place}"
        );
        assert_eq!(
            asker.ask_by_tcp(&query("db", A)).says(),
            [at_db.ip().to_string()]
        );
        // it gets what is sent to it, and nothing else
        let to = if place.starts_with("127") {
            "127.0.0.1".to_owned()
        } else {
            own.to_string()
        };
        let sender = web.run(|| UdpSocket::bind("0.0.0.0:0")).unwrap().unwrap();
        sender
            .send_to(b"to the program", (to.as_str(), 53))
            .unwrap();
        udp.set_read_timeout(Some(lab::DEADLINE)).unwrap();
        let mut buffer = [0; 64];
        let length = super::ask::retry(|| udp.recv(&mut buffer)).unwrap();
        assert_eq!(&buffer[..length], b"to the program", "{place}");
    }
}

#[test]
fn the_default_network_has_no_server_and_others_have_one_until_they_are_left() {
    let ground = Ground::new("until");
    let shop = ground.network("shop");
    let default = ground.host.default_network().unwrap();
    let web = ground.container("web");
    let before = (
        sockets(web.netns()),
        output(web.netns(), "nft list ruleset"),
    );
    let at_default = default.connect(&web).unwrap();
    assert_eq!(sockets(web.netns()), before.0, "as Docker's has none");
    let at_shop = shop.connect(&web).unwrap();
    assert_eq!(sockets(web.netns()).len(), before.0.len() + 2);
    assert_eq!(
        sockets(ground.host.netns()),
        BTreeSet::new(),
        "and nowhere else"
    );
    assert_eq!(
        client(&web).ask_for("web", A).says(),
        [at_shop.ip().to_string()]
    );
    at_shop.disconnect().unwrap();
    assert_eq!(sockets(web.netns()), before.0);
    assert_eq!(output(web.netns(), "nft list ruleset"), before.1);
    at_default.disconnect().unwrap();
    let at_shop = shop.connect(&web).unwrap();
    assert_eq!(
        client(&web).ask_for("web", A).says(),
        [at_shop.ip().to_string()]
    );
}

#[test]
fn of_many_containers_no_descriptor_thread_or_table_stays() {
    let ground = Ground::new("stays");
    let shop = ground.network("shop");
    let [web, steady] = ["web", "steady"].map(|name| ground.container(name));
    let _steady = shop.connect(&steady).unwrap();
    let inside = sockets(web.netns());
    let rules = output(web.netns(), "nft list ruleset");
    let of_host = |count: usize| threads::of(ground.host.netns()).len() == count;
    let threads = threads::of(ground.host.netns()).len();
    for _ in 0..30 {
        let at = shop.connect(&web).unwrap();
        let asker = client(&web);
        assert_eq!(asker.ask_for("steady", A).answers.len(), 1);
        let kept = connect(web.netns()).unwrap();
        asker.send(&query("www.outside.test", A).bytes);
        wait_until("one thread for all", || of_host(threads));
        at.disconnect().unwrap();
        drop(kept);
        assert_eq!(sockets(web.netns()), inside);
        assert_eq!(output(web.netns(), "nft list ruleset"), rules);
    }
    // a socket of the namespace's would keep it, and the kernel its number
    let gone = web.netns().clone();
    let number = gone.inode();
    drop((web, gone));
    let open = || {
        let all = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let links: Vec<_> = all
            .filter_map(|one| fs::read_link(one.path()).ok())
            .collect();
        links
            .iter()
            .any(|link| link.to_str() == Some(&format!("net:[{number}]")))
    };
    wait_until("the last descriptor's end", || !open());
}

#[test]
fn the_thread_ends_with_the_host() {
    let ground = Ground::new("thread-ends");
    let netns = ground.host.netns().clone();
    {
        let shop = ground.network("shop");
        let web = ground.container("web");
        let at = shop.connect(&web).unwrap();
        assert_eq!(client(&web).ask_for("web", A).answers.len(), 1);
        assert!(!threads::of(&netns).is_empty());
        at.disconnect().unwrap();
        shop.remove().unwrap();
    }
    drop(ground);
    wait_until("the end of the thread", || threads::of(&netns).is_empty());
}

#[test]
fn networks_of_ipv6_alone_have_it_too() {
    let ground = Ground::new("v6-alone");
    let config = NetworkConfig::bridge("six").ipv4(bridgework::plan::Switch::Off);
    let six = ground.create(config.ipv6(bridgework::plan::Switch::On));
    let [web, db] = ["web", "db"].map(|name| ground.container(name));
    let (_web, at) = (six.connect(&web).unwrap(), six.connect(&db).unwrap());
    let asker = client(&web);
    let told = asker.ask_for("db", dns::AAAA);
    assert_eq!(told.says(), [at.ip().to_string()]);
    assert_eq!(asker.ask_for("db", A).rcode(), dns::NOERROR);
    assert_eq!(
        asker.ask_by_tcp(&query("db", dns::AAAA)).says(),
        told.says()
    );
}

#[test]
fn those_that_share_a_stack_share_its_server() {
    let ground = Ground::new("shared");
    let shop = ground.network("shop");
    let [web, db] = ["web", "db"].map(|name| ground.container(name));
    let (at_web, at_db) = (shop.connect(&web).unwrap(), shop.connect(&db).unwrap());
    let sharing = bridgework::ContainerConfig::sharing("sidecar", &web);
    let sidecar = Container::open(sharing).unwrap();
    let asker = client(&sidecar);
    assert_eq!(asker.ask_for("db", A).says(), [at_db.ip().to_string()]);
    drop(web);
    assert_eq!(asker.ask_for("web", A).says(), [at_web.ip().to_string()]);
}

#[test]
fn a_staged_endpoint_has_names_when_it_is_joined() {
    let ground = Ground::new("staged");
    let shop = ground.network("shop");
    let [web, db] = ["web", "db"].map(|name| ground.container(name));
    let _db = shop.connect(&db).unwrap();
    let staged = shop.stage("web", EndpointConfig::new()).unwrap();
    let joined = staged.join(&web).unwrap();
    assert_eq!(client(&web).ask_for("db", A).answers.len(), 1);
    assert_eq!(
        client(&db).ask_for("web", A).says(),
        [joined.ip().to_string()]
    );
    let none = sockets(web.netns()).is_empty();
    let staged = joined.leave().unwrap();
    assert!(
        !none && sockets(web.netns()).is_empty(),
        "{SERVER} ends with the last network"
    );
    assert!(client(&db).ask_for("web", A).answers.is_empty());
    staged.delete().unwrap();
}

#[test]
fn what_is_persisted_is_answered_while_this_process_lives_and_until_it_is_disconnected() {
    let ground = Ground::new("persisted");
    let shop = ground.network("shop");
    let web = ground.container("web");
    let before = sockets(web.netns());
    let spec = shop.connect(&web).unwrap().persist().unwrap();
    let own = spec.addresses().next().unwrap().address.addr().to_string();
    assert_eq!(client(&web).ask_for("web", A).says(), [own]);
    shop.disconnect("web").unwrap();
    assert_eq!(sockets(web.netns()), before);
}
