//! A network that is asked at its gateway, as some clients expect it, and one that is asked nowhere.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use bridgework::{Netns, Network, NetworkConfig, ResolverScope};

use super::ask::{receive_framed, send_framed};
use super::dns::{self, A, AAAA, Message, NXDOMAIN, SERVFAIL, query};
use super::ground::Ground;
use super::lab::{DEADLINE, wait_for};
use super::upstream::Upstream;

/// Longer than any answer takes, by far; shorter than a test may.
const SILENCE: Duration = Duration::from_millis(300);

fn gateway(network: &Network, family: usize) -> SocketAddr {
    let ranges = [&network.spec().ipv4, &network.spec().ipv6];
    let address = ranges[family].as_ref().and_then(|range| range.gateway);
    SocketAddr::new(address.expect("a gateway"), 53)
}

/// What is told whoever asks there from inside that namespace, by UDP.
fn ask_within(netns: &Netns, at: SocketAddr, name: &str, wait: Duration) -> io::Result<Message> {
    netns
        .run(|| {
            let any: IpAddr = match at {
                SocketAddr::V4(_) => [0; 4].into(),
                SocketAddr::V6(_) => [0_u16; 8].into(),
            };
            let socket = UdpSocket::bind((any, 0))?;
            socket.set_read_timeout(Some(wait))?;
            socket.connect(at)?;
            socket.send(&query(name, if at.is_ipv4() { A } else { AAAA }).bytes)?;
            let mut buffer = [0; 1500];
            let length = socket.recv(&mut buffer)?;
            Message::read(&buffer[..length]).ok_or_else(|| io::Error::other("no message"))
        })
        .expect("inside")
}

pub fn ask(netns: &Netns, at: SocketAddr, name: &str) -> Message {
    ask_within(netns, at, name, DEADLINE).expect("an answer")
}

fn scoped(name: &str) -> NetworkConfig {
    NetworkConfig::bridge(name).resolver(ResolverScope::Gateway)
}

#[test]
fn who_asks_at_the_gateway_is_told_by_its_address_whose_names_it_knows() {
    let ground = Ground::new("gateway");
    let _stub = ground.stub();
    let shop = ground.create(scoped("shop").ipv6(bridgework::plan::Switch::On));
    let back = ground.network("back");
    let [web, db] = ["web", "db"].map(|name| ground.container(name));
    let at_web = shop.connect(&web).unwrap();
    let web_at_back = back.connect(&web).unwrap();
    let at_db = back.connect(&db).unwrap();
    for family in [0, 1] {
        let at = gateway(&shop, family);
        let own = at_web.ips().nth(family).unwrap().to_string();
        // a container: all that it knows, its other networks' names among it
        assert_eq!(ask(web.netns(), at, "web").says(), [own.as_str()]);
        // the host: this network's names
        assert_eq!(ask(ground.host.netns(), at, "web").says(), [own.as_str()]);
    }
    let at = gateway(&shop, 0);
    let of_db = at_db.ip().to_string();
    assert_eq!(ask(web.netns(), at, "db").says(), [of_db.as_str()]);
    assert!(ask(ground.host.netns(), at, "db").says() != [of_db.as_str()]);
    // others are asked for the rest
    let told = ask(web.netns(), at, "www.outside.test");
    assert_eq!(told.says(), ["198.51.100.7"]);
    let by_tcp = web.run(|| {
        let mut stream = TcpStream::connect_timeout(&at, DEADLINE)?;
        send_framed(&mut stream, &query("web", dns::A).bytes)?;
        receive_framed(&mut stream)
    });
    let own = at_web.ip().to_string();
    assert_eq!(by_tcp.unwrap().unwrap().says(), [own.as_str()]);
    at_web.disconnect().unwrap();
    drop(web_at_back);
}

#[test]
fn who_is_on_another_network_is_nobody_s_there_and_an_internal_one_asks_nobody() {
    let ground = Ground::new("gateway-internal");
    let stub = ground.stub();
    let vault = ground.create(scoped("vault").internal());
    let shop = ground.create(scoped("shop"));
    let [inside, outside] = ["inside", "outside"].map(|name| ground.container(name));
    let at_vault = vault.connect(&inside).unwrap();
    let _outside = shop.connect(&outside).unwrap();
    let own = at_vault.ip().to_string();
    let at = gateway(&vault, 0);
    assert_eq!(ask(inside.netns(), at, "inside").says(), [own.as_str()]);
    for netns in [inside.netns(), ground.host.netns()] {
        assert_eq!(ask(netns, at, "www.outside.test").rcode(), SERVFAIL);
    }
    // by a way to the other network's gateway that it has made for itself
    let gateway_of_shop = gateway(&shop, 0);
    super::lab::output(
        inside.netns(),
        &format!("ip route add {}/32 dev eth0", gateway_of_shop.ip()),
    );
    let told = ask_within(inside.netns(), gateway_of_shop, "www.outside.test", SILENCE);
    assert!(told.is_err(), "{told:?}");
    assert_eq!(stub.count(), 0, "{:?}", stub.names());
}

#[test]
fn nobody_listens_there_once_the_network_is_gone_and_a_taken_port_is_told_of() {
    let ground = Ground::new("gateway-taken");
    let config = || scoped("shop").subnet("10.77.0.0/24");
    let shop = ground.create(config());
    shop.remove().unwrap();
    drop(shop);
    let before = ground.host.snapshot().unwrap();
    let any = || UdpSocket::bind("0.0.0.0:53");
    let other = wait_for("it is free", || ground.host.netns().run(any).unwrap().ok());
    let error = ground.host.create_network(config()).unwrap_err();
    assert!(error.is_exists(), "{error}");
    assert!(error.to_string().contains("10.77.0.1:53"), "{error}");
    assert_eq!(ground.host.snapshot().unwrap(), before);
    drop(other);
    let shop = ground.create(config());
    let asked = ask(
        ground.host.netns(),
        gateway(&shop, 0),
        "nobody.outside.test",
    );
    assert_eq!(asked.rcode(), SERVFAIL);
}

#[test]
fn who_is_answered_at_the_gateway_alone_is_so_by_what_it_wants() {
    let ground = Ground::configured(
        "gateway-alone",
        "nameserver 127.0.0.53\nsearch corp\n",
        |config| config.domain("dns.example"),
    );
    let stub = ground.stub();
    let config = NetworkConfig::bridge("shop").resolver(ResolverScope::GatewayAlone);
    let shop = ground.create(config);
    let web = ground.open(ground.config("web").dns("127.0.0.99"));
    let db = ground.container("db");
    let at_web = shop.connect(&web).unwrap();
    let at_db = shop.connect(&db).unwrap();
    let own = Upstream::outside(web.netns(), "127.0.0.99");
    let at = gateway(&shop, 0);
    let of_db = at_db.ip().to_string();
    for netns in [web.netns(), db.netns()] {
        for name in ["db.dns.example", "db.corp", "db"] {
            assert_eq!(ask(netns, at, name).says(), [of_db.as_str()], "{name}");
        }
        let told = ask(netns, at, "nobody.dns.example");
        assert_eq!(told.rcode(), NXDOMAIN);
    }
    assert_eq!((stub.names(), own.names()), (vec![], vec![]));
    // its server is asked from where the gateway is, and nobody is there
    let told = ask(web.netns(), at, "www.outside.test");
    assert_eq!(told.rcode(), SERVFAIL, "{told:?}");
    assert_eq!((stub.count(), own.count()), (0, 0));
    at_web.disconnect().unwrap();
}

#[test]
fn where_names_resolve_nowhere_a_container_s_file_names_whom_it_can_ask() {
    let text = "nameserver 192.0.2.53\nnameserver 2001:db8::53\n";
    let ground = Ground::with("nowhere", text);
    let nowhere = |name| NetworkConfig::bridge(name).resolver(ResolverScope::Nowhere);
    let mute = ground.create(nowhere("mute"));
    let both = ground.create(nowhere("both").ipv6(bridgework::plan::Switch::On));
    let shop = ground.network("shop");
    let web = ground.container("web");
    let servers = || {
        let text = std::fs::read_to_string(ground.path("web-resolv")).unwrap();
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("nameserver "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let tables = || super::lab::output(web.netns(), "nft list tables").unwrap_or_default();
    let _mute = mute.connect(&web).unwrap();
    assert_eq!(servers(), ["192.0.2.53"]);
    let at_both = both.connect(&web).unwrap();
    assert_eq!(servers(), ["192.0.2.53", "2001:db8::53"]);
    at_both.disconnect().unwrap();
    let at_shop = shop.connect(&web).unwrap();
    assert_eq!(servers(), ["127.0.0.11"]);
    // with the last network whose names resolve nobody listens inside any more
    at_shop.disconnect().unwrap();
    assert_eq!(servers(), ["192.0.2.53"]);
    assert_eq!(tables(), "");
}
