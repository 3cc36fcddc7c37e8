//! A container that has internal networks alone asks nobody outside, by no path; and its own names
//! are there for it all the same.

use std::net::TcpStream;

use bridgework::{Container, NetworkConfig};

use super::ask::{connect, receive_framed, send_framed};
use super::dns::{self, Writing, query};
use super::ground::{Ground, client};
use super::lab::output;
use super::upstream::Upstream;

const QUESTIONS: usize = 10_000;

/// Every question is refused; what was asked of whom else, the caller looks up.
fn ask_all(container: &Container, count: usize) {
    let by_udp = client(container);
    let mut by_tcp = connect(container.netns()).unwrap();
    let mut failed = 0;
    for n in 0..count {
        let query = question(n);
        let told = match n % 5 {
            0 => ask_by(&mut by_tcp, &query),
            _ => by_udp.ask(&query),
        };
        assert!(told.answers.is_empty(), "{told:?}");
        assert_eq!(told.questions.first().map(|one| one.kind), Some(kind(n)));
        // what nobody has in one's own subnets is known not to be there
        failed += usize::from(told.rcode() == dns::SERVFAIL);
    }
    assert_eq!(failed, count);
}

fn ask_by(stream: &mut TcpStream, query: &Writing) -> dns::Message {
    send_framed(stream, &query.bytes).unwrap();
    receive_framed(stream).unwrap()
}

fn kind(n: usize) -> u16 {
    match n % 7 {
        0 => dns::PTR,
        1 => dns::AAAA,
        2 => dns::TXT,
        3 => dns::MX,
        4 => dns::ANY,
        _ => dns::A,
    }
}

/// Names of all forms, no two the same.
fn question(n: usize) -> Writing {
    let name = match (kind(n), n % 6) {
        (dns::PTR, _) => format!("{}.{}.0.203.in-addr.arpa", n % 256, n / 256),
        (_, 0) => format!("secret{n}"),
        (_, 1) => format!("SeCrEt{n}.ExAmPlE.cOm"),
        (_, 2) => format!("secret{n}.corp"),
        (_, 3) => format!("secret{n}.vault"),
        (_, 4) => format!("x.y.z.secret{n}.outside.test"),
        _ => format!("secret{n}.peer.vault.corp"),
    };
    let query = query(&name, kind(n));
    match n % 4 {
        0 => query,
        1 => query.edns(1232, 0),
        2 => query.edns(65_535, 0),
        _ => query.flag(0x0010), // checking disabled
    }
}

#[test]
fn of_ten_thousand_questions_of_an_internal_container_none_leaves() {
    let ground = Ground::new("internal");
    let stub = ground.stub();
    let (vault, shop) = (ground.internal("vault"), ground.network("shop"));
    let [inside, peer, outside] = ["inside", "peer", "outside"].map(|name| ground.container(name));
    let _inside = vault.connect(&inside).unwrap();
    let peer_at = vault.connect(&peer).unwrap();
    let _outside = shop.connect(&outside).unwrap();
    ask_all(&inside, QUESTIONS);
    let asker = client(&inside);
    assert_eq!(
        asker.ask_for("peer", dns::A).says(),
        [peer_at.ip().to_string()]
    );
    ground.fence(&stub, &client(&outside));
    assert_eq!(stub.count(), 1, "{:?}", stub.names());
}

#[test]
fn nor_after_an_external_network_has_come_and_gone() {
    let ground = Ground::new("come-and-gone");
    let stub = ground.stub();
    let (vault, shop) = (ground.internal("vault"), ground.network("shop"));
    let [inside, outside] = ["inside", "outside"].map(|name| ground.container(name));
    let _inside = vault.connect(&inside).unwrap();
    let _outside = shop.connect(&outside).unwrap();
    let asker = client(&inside);
    for round in 0..3 {
        let at_shop = shop.connect(&inside).unwrap();
        let name = format!("www{round}.outside.test");
        assert_eq!(asker.ask_for(&name, dns::A).says(), ["198.51.100.7"]);
        at_shop.disconnect().unwrap();
        // nor is told what was asked before
        assert_eq!(asker.ask_for(&name, dns::A).rcode(), dns::SERVFAIL);
        stub.forget();
        ask_all(&inside, 500);
        ground.fence(&stub, &client(&outside));
        assert_eq!(stub.count(), 1, "{:?}", stub.names());
    }
}

#[test]
fn a_host_that_drops_all_that_comes_in_drops_no_name_of_an_internal_network() {
    let ground = Ground::new("drops");
    let vault = ground.create(NetworkConfig::bridge("vault").internal());
    let [inside, peer] = ["inside", "peer"].map(|name| ground.container(name));
    let rules = "nft add table inet strict; add chain inet strict input { type filter hook input \
                 priority 0; policy drop; }; add chain inet strict output { type filter hook \
                 output priority 0; policy drop; }";
    let script = ground.path("strict.nft");
    std::fs::write(
        &script,
        rules.trim_start_matches("nft ").replace("; add", "\nadd"),
    )
    .unwrap();
    output(ground.host.netns(), &format!("nft -f {}", script.display()));
    let _inside = vault.connect(&inside).unwrap();
    let at = vault.connect(&peer).unwrap();
    let asker = client(&inside);
    for name in ["peer", "peer.vault", "PEER.corp"] {
        assert_eq!(asker.ask_for(name, dns::A).says(), [at.ip().to_string()]);
        let told = asker.ask_by_tcp(&query(name, dns::A));
        assert_eq!(told.says(), [at.ip().to_string()]);
    }
    assert_eq!(asker.ask_for("stranger", dns::A).rcode(), dns::SERVFAIL);
}

#[test]
fn a_server_of_its_own_is_not_asked_for_an_internal_container_either() {
    let ground = Ground::new("own-server");
    let vault = ground.internal("vault");
    let [inside, peer] = ["inside", "peer"].map(|name| ground.container(name));
    let at = vault.connect(&peer).unwrap();
    let stub = Upstream::outside(peer.netns(), &at.ip().to_string());
    let asks_peer = ground.open(ground.config("asks").dns(at.ip()));
    let _inside = vault.connect(&inside).unwrap();
    let _asks = vault.connect(&asks_peer).unwrap();
    // as with Docker: what is named by `--dns` is asked from the container's own namespace, from
    // which nothing but its internal networks can be reached
    let told = client(&asks_peer).ask_for("www.outside.test", dns::A);
    let reached = stub.count();
    assert!(told.says() == ["198.51.100.7"] && reached == 1 || told.rcode() == dns::SERVFAIL);
    assert_eq!(
        client(&inside).ask_for("www.outside.test", dns::A).rcode(),
        dns::SERVFAIL
    );
    assert_eq!(stub.count(), reached);
}
