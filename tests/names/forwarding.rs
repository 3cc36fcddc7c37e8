//! What a container does not know is asked of others: those of the host's `resolv.conf` from the
//! host's namespace, its own (`--dns`) from its own; once for all who ask the same.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bridgework::{Container, Endpoint, Netns};

use super::dns::{self, A, NOERROR, NXDOMAIN, SERVFAIL, TRUNCATED, query};
use super::ground::{Ground, STUB, client};
use super::lab::{self, wait_until};
use super::upstream::{By, Upstream, outside};

/// A host with one container on one network.
struct One {
    ground: Ground,
    web: Container,
    _at: Endpoint,
}

impl One {
    fn new(name: &str) -> Self {
        Self::of(Ground::new(name))
    }

    fn of(ground: Ground) -> Self {
        let shop = ground.network("shop");
        let web = ground.container("web");
        let _at = shop.connect(&web).unwrap();
        Self { ground, web, _at }
    }

    fn netns(&self) -> &Netns {
        self.ground.host.netns()
    }
}

#[test]
fn the_server_on_the_host_s_loopback_is_asked_from_the_host_s_namespace() {
    let one = One::new("loopback");
    let stub = one.ground.stub();
    let asker = client(&one.web);
    let told = asker.ask_for("www.outside.test", A);
    assert_eq!(told.says(), ["198.51.100.7"]);
    assert!(told.has(dns::RECURSION_AVAILABLE) && !told.has(dns::AUTHORITATIVE));
    assert_eq!(
        asker.ask_by_tcp(&query("two.outside.test", A)).says(),
        told.says()
    );
    let missing = asker.ask_for("missing.test", A);
    assert_eq!((missing.rcode(), missing.authority.len()), (NXDOMAIN, 1));
    let empty = asker.ask_for("www.outside.test", dns::AAAA);
    assert_eq!((empty.rcode(), empty.answers.len()), (NOERROR, 0));
    let first = stub.first();
    assert!(first.from.ip().is_loopback(), "{}", first.from);
    assert_eq!(first.kind(), A);
}

#[test]
fn an_answer_is_kept_for_as_long_as_it_says_and_no_case_hides_it() {
    let one = One::new("cache");
    let stub = one.ground.stub();
    let asker = client(&one.web);
    for name in ["www.outside.test", "WWW.outside.TEST", "www.outside.test"] {
        let told = asker.ask_for(name, A);
        assert_eq!(told.questions[0].name, name);
        assert_eq!(told.says(), ["198.51.100.7"]);
        assert!((1..=60).contains(&told.answers[0].ttl_s));
    }
    for _ in 0..3 {
        assert_eq!(asker.ask_for("missing.test", A).rcode(), NXDOMAIN);
    }
    assert_eq!(stub.names(), ["www.outside.test", "missing.test"]);
}

#[test]
fn what_says_it_lasts_no_time_is_asked_for_each_time() {
    let one = One::new("no-time");
    let count = Mutex::new(0_u8);
    let stub = Upstream::start(one.netns(), STUB, move |asked| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let reply = dns::reply(asked.message.as_ref().unwrap());
        vec![reply.a(asked.name(), 0, [192, 0, 2, *count]).bytes]
    });
    let asker = client(&one.web);
    for n in 1..5 {
        assert_eq!(
            asker.ask_for("now.test", A).says(),
            [format!("192.0.2.{n}")]
        );
    }
    assert_eq!(stub.count(), 4);
}

#[test]
fn two_hundred_who_ask_the_same_at_once_cost_one_question() {
    let one = One::new("joined");
    let release = Arc::new(Mutex::new(()));
    let held = release.lock().unwrap();
    let waits = Arc::clone(&release);
    let stub = Upstream::start(one.netns(), STUB, move |asked| {
        drop(waits.lock());
        vec![outside(asked)]
    });
    let asker = client(&one.web);
    let asked: BTreeSet<u16> = (0..200)
        .map(|_| {
            let query = query("busy.outside.test", A);
            asker.send(&query.bytes);
            u16::from_be_bytes([query.bytes[0], query.bytes[1]])
        })
        .collect();
    stub.first();
    // those that came after it have been read when a name of one's own is told
    assert_eq!(asker.ask_for("web", A).says().len(), 1);
    drop(held);
    let told: BTreeSet<u16> = (0..200)
        .map(|_| {
            let told = asker.receive().unwrap();
            assert_eq!(told.says(), ["198.51.100.7"]);
            told.id
        })
        .collect();
    assert_eq!(told, asked);
    assert_eq!(stub.count(), 1);
}

#[test]
fn own_names_are_told_while_nobody_outside_answers() {
    let one = One::new("silence");
    let stub = Upstream::silent(one.netns(), STUB);
    let (asker, waits) = (client(&one.web), client(&one.web));
    for n in 0..300 {
        waits.send(&query(&format!("lost{n}.outside.test"), A).bytes);
    }
    stub.first();
    for _ in 0..1_000 {
        assert_eq!(asker.ask_for("web", A).says(), [one._at.ip().to_string()]);
    }
    // some were too many, the others have waited long enough
    for _ in 0..300 {
        assert_eq!(waits.receive().unwrap().rcode(), SERVFAIL);
    }
}

#[test]
fn the_next_server_is_asked_when_one_fails_and_each_way_to_fail_counts() {
    let two = "nameserver 127.0.0.53\nnameserver 127.0.0.54\n";
    let one = One::of(Ground::with("next", two));
    let first = Upstream::start(one.netns(), STUB, |asked| {
        let message = asked.message.as_ref().unwrap();
        let reply = dns::reply(message);
        match asked.name().split('.').next() {
            Some("servfail") => vec![reply.rcode(SERVFAIL).bytes],
            Some("refused") => vec![reply.rcode(dns::REFUSED).bytes],
            Some("notimp") => vec![reply.rcode(dns::NOTIMP).bytes],
            Some("formerr") => vec![reply.rcode(dns::FORMERR).bytes],
            _ => Vec::new(),
        }
    });
    let second = Upstream::outside(one.netns(), "127.0.0.54");
    let asker = client(&one.web);
    for way in ["servfail", "refused", "notimp", "formerr", "silent"] {
        let told = asker.ask_for(&format!("{way}.outside.test"), A);
        assert_eq!(told.says(), ["198.51.100.7"], "{way}");
    }
    assert_eq!((first.count(), second.count()), (5, 5));
    // it did not answer, and comes last for a while
    assert_eq!(asker.ask_for("after.outside.test", A).says().len(), 1);
    assert_eq!((first.count(), second.count()), (5, 6));
    drop((first, second));
    // nobody is there at all: no need to wait to know that
    assert_eq!(asker.ask_for("gone.outside.test", A).rcode(), SERVFAIL);
}

#[test]
fn a_name_that_is_not_there_is_not_asked_of_the_next() {
    let two = "nameserver 127.0.0.53\nnameserver 127.0.0.54\n";
    let one = One::of(Ground::with("not-next", two));
    let first = one.ground.stub();
    let second = Upstream::outside(one.netns(), "127.0.0.54");
    let told = client(&one.web).ask_for("missing.test", A);
    assert_eq!(
        (told.rcode(), first.count(), second.count()),
        (NXDOMAIN, 1, 0)
    );
}

#[test]
fn what_did_not_fit_is_asked_for_by_tcp_when_the_client_does() {
    let one = One::new("truncated");
    let stub = Upstream::start(one.netns(), STUB, |asked| {
        let reply = dns::reply(asked.message.as_ref().unwrap());
        match asked.by {
            By::Udp => vec![reply.flag(TRUNCATED).bytes],
            By::Tcp => {
                let all =
                    (0..200).fold(reply, |reply, n| reply.a(asked.name(), 60, [192, 0, 2, n]));
                vec![all.bytes]
            }
        }
    });
    let asker = client(&one.web);
    for _ in 0..2 {
        assert!(asker.ask_for("big.test", A).has(TRUNCATED));
    }
    assert_eq!(asker.ask_by_tcp(&query("big.test", A)).answers.len(), 200);
    assert!(stub.asked().iter().any(|asked| asked.by == By::Tcp));
}

#[test]
fn servers_of_a_container_s_own_are_asked_from_its_namespace_alone() {
    let ground = Ground::new("own-servers");
    let stub = ground.stub();
    let shop = ground.network("shop");
    let server = ground.container("server");
    let at = shop.connect(&server).unwrap();
    let theirs = Upstream::outside(server.netns(), &at.ip().to_string());
    let web = ground.open(ground.config("web").dns(at.ip()));
    let inner = ground.open(ground.config("inner").dns("127.0.0.99"));
    let (at_web, _inner) = (shop.connect(&web).unwrap(), shop.connect(&inner).unwrap());
    let local = Upstream::outside(inner.netns(), "127.0.0.99");
    let told = client(&web).ask_for("www.outside.test", A);
    assert_eq!(told.says(), ["198.51.100.7"]);
    assert_eq!(
        theirs.first().from.ip(),
        at_web.ip(),
        "from the container itself"
    );
    assert_eq!(
        client(&inner).ask_for("www.outside.test", A).says(),
        told.says()
    );
    assert_eq!((theirs.count(), local.count(), stub.count()), (1, 1, 0));
    // one's own server on one's own loopback is not the host's
    let other = ground.open(ground.config("other").dns("127.0.0.99"));
    let _other = shop.connect(&other).unwrap();
    assert_eq!(
        client(&other).ask_for("www.outside.test", A).rcode(),
        SERVFAIL
    );
    assert_eq!((theirs.count(), local.count(), stub.count()), (1, 1, 0));
}

#[test]
fn two_containers_servers_of_the_same_address_are_two_and_so_are_their_answers() {
    let ground = Ground::new("same-address");
    let shop = ground.network("shop");
    let config = |name: &str| ground.config(name).dns("127.0.0.99");
    let [left, right] = ["left", "right"].map(|name| ground.open(config(name)));
    let _at = [&left, &right].map(|one| shop.connect(one).unwrap());
    let serve = |container: &Container, last: u8| {
        Upstream::start(container.netns(), "127.0.0.99", move |asked| {
            let reply = dns::reply(asked.message.as_ref().unwrap());
            vec![reply.a(asked.name(), 60, [192, 0, 2, last]).bytes]
        })
    };
    let _servers = [serve(&left, 1), serve(&right, 2)];
    for _ in 0..2 {
        assert_eq!(client(&left).ask_for("www.test", A).says(), ["192.0.2.1"]);
        assert_eq!(client(&right).ask_for("www.test", A).says(), ["192.0.2.2"]);
    }
}

#[test]
fn a_change_of_the_host_s_resolv_conf_is_followed() {
    let one = One::new("followed");
    let stub = one.ground.stub();
    let other = Upstream::outside(one.netns(), "127.0.0.54");
    let asker = client(&one.web);
    assert_eq!(asker.ask_for("before.outside.test", A).says().len(), 1);
    one.ground.write_resolv_conf("nameserver 127.0.0.54\n");
    let mut n = 0;
    wait_until("a question to the new server", || {
        n += 1;
        assert_eq!(
            asker.ask_for(&format!("n{n}.outside.test"), A).says().len(),
            1
        );
        other.count() > 0
    });
    stub.forget();
    // in place, as some write it
    std::fs::write(one.ground.path("host-resolv"), "nameserver 127.0.0.53\n").unwrap();
    wait_until("a question to the old server", || {
        n += 1;
        assert_eq!(
            asker.ask_for(&format!("n{n}.outside.test"), A).says().len(),
            1
        );
        stub.count() > 0
    });
}

#[test]
fn a_host_without_servers_says_so_at_once_and_a_loop_ends() {
    let one = One::of(Ground::with("none", "search corp\n"));
    let stub = one.ground.stub();
    let asker = client(&one.web);
    let told = asker.ask_for("www.outside.test", A);
    assert!(matches!(told.rcode(), SERVFAIL), "{told:?}");
    assert_eq!(stub.count(), 0);
    // the container's own server as its upstream
    let looped = one.ground.open(one.ground.config("loop").dns("127.0.0.11"));
    let shop = one.ground.network("other");
    let _looped = shop.connect(&looped).unwrap();
    let told = client(&looped).ask_for("www.outside.test", A);
    assert_eq!(told.rcode(), SERVFAIL);
    super::threads::at_rest(one.netns());
}

#[test]
fn a_host_of_an_address_of_its_own_asks_by_it() {
    let one = One::of(Ground::with(
        "global",
        "nameserver 192.0.2.53\nnameserver 2001:db8::53\n",
    ));
    lab::output(one.netns(), "ip addr add 192.0.2.53/32 dev lo");
    lab::output(one.netns(), "ip addr add 2001:db8::53/128 dev lo nodad");
    let v6 = Upstream::outside(one.netns(), "2001:db8::53");
    let asker = client(&one.web);
    // the first refuses by an ICMP message
    assert_eq!(
        asker.ask_for("six.outside.test", A).says(),
        ["198.51.100.7"]
    );
    assert_eq!(v6.count(), 1);
    let v4 = Upstream::outside(one.netns(), "192.0.2.53");
    drop(v6);
    assert_eq!(
        asker.ask_for("four.outside.test", A).says(),
        ["198.51.100.7"]
    );
    assert_eq!(v4.count(), 1);
}

#[test]
fn a_host_that_is_a_container_itself_asks_the_server_at_the_same_address_in_its_own_namespace() {
    let one = One::of(Ground::with("nested", "nameserver 127.0.0.11\n"));
    let outer = Upstream::outside(one.netns(), "127.0.0.11");
    let asker = client(&one.web);
    assert_eq!(
        asker.ask_for("www.outside.test", A).says(),
        ["198.51.100.7"]
    );
    let by_tcp = asker.ask_by_tcp(&query("two.outside.test", A));
    assert_eq!(by_tcp.says(), ["198.51.100.7"]);
    assert_eq!(asker.ask_for("web", A).says(), [one._at.ip().to_string()]);
    assert_eq!(outer.names(), ["www.outside.test", "two.outside.test"]);
}

#[test]
fn servers_of_both_loopbacks_are_asked_and_a_file_that_is_gone_names_none() {
    let one = One::of(Ground::with("gone", "nameserver ::1\n"));
    let stub = Upstream::outside(one.netns(), "::1");
    let asker = client(&one.web);
    assert_eq!(
        asker.ask_for("www.outside.test", A).says(),
        ["198.51.100.7"]
    );
    std::fs::remove_file(one.ground.path("host-resolv")).unwrap();
    let mut n = 0;
    wait_until("the end of the server", || {
        n += 1;
        let told = asker.ask_for(&format!("n{n}.outside.test"), A);
        told.rcode() == SERVFAIL
    });
    let before = stub.count();
    one.ground.write_resolv_conf("nameserver ::1\n");
    wait_until("the server again", || {
        n += 1;
        let told = asker.ask_for(&format!("n{n}.outside.test"), A);
        told.rcode() == NOERROR
    });
    assert_eq!(stub.count(), before + 1);
}
