//! A name that the container knows is its own, however it is written, and is told to nobody.

use std::collections::BTreeSet;

use bridgework::EndpointConfig;

use super::dns::{self, AAAA, ANY, AUTHORITATIVE, MX, PTR, SOA, TRUNCATED, TXT, query, reverse_of};
use super::ground::{Ground, STUB, client};
use super::upstream::Upstream;

/// What a stranger would say to whatever leaves.
const STRANGER: [u8; 4] = [6, 6, 6, 6];

fn stranger(ground: &Ground) -> Upstream {
    Upstream::start(ground.host.netns(), STUB, |asked| {
        let message = asked.message.as_ref().expect("a message");
        let reply = dns::reply(message);
        vec![reply.a(asked.name(), 60, STRANGER).bytes]
    })
}

#[test]
fn known_names_go_to_no_stranger_in_any_form_and_for_no_type() {
    let ground = Ground::with(
        "stranger",
        "nameserver 127.0.0.53\nsearch corp lab.corp test\n",
    );
    let stub = stranger(&ground);
    let shop = ground.dual("shop");
    let [web, db] = ["web", "db"].map(|name| ground.container(name));
    let config = EndpointConfig::new().link("db:mysql");
    let _web = shop.connect_with(&web, config).unwrap();
    let at_db = shop
        .connect_with(&db, EndpointConfig::new().alias("sql"))
        .unwrap();
    let ip = at_db.ip().to_string();
    let asker = client(&web);
    for name in ["db", "sql", "mysql", "DB", "dB.ShOp"] {
        for suffix in ["", ".corp", ".lab.corp", ".test", ".LAB.Corp"] {
            let name = format!("{name}{suffix}");
            let told = asker.ask_for(&name, dns::A);
            assert_eq!(told.says(), std::slice::from_ref(&ip), "{name}");
            assert_eq!(told.answers[0].name, name, "the asker's own letters");
            assert_eq!(asker.ask_by_tcp(&query(&name, dns::A)).says(), told.says());
            for kind in [AAAA, MX, TXT, SOA, PTR, 33, 64, 65, 257] {
                let told = asker.ask_for(&name, kind);
                assert_eq!(told.rcode(), dns::NOERROR, "{name} {kind}");
                assert!(told.has(AUTHORITATIVE), "{name} {kind}");
                assert_eq!(told.answers.is_empty(), kind != AAAA, "{name} {kind}");
            }
            assert_eq!(asker.ask_for(&name, ANY).answers.len(), 2, "{name}");
        }
    }
    assert_eq!(stub.names(), [""; 0]);
    // the script is asked for names that are like them
    assert_eq!(asker.ask_for("db2.corp", dns::A).says(), ["6.6.6.6"]);
    assert_eq!(asker.ask_for("db.example", dns::A).says(), ["6.6.6.6"]);
    assert_eq!(stub.names(), ["db2.corp", "db.example"]);
}

#[test]
fn addresses_of_one_s_networks_have_names_there_or_none() {
    let ground = Ground::new("reverse");
    let stub = stranger(&ground);
    let shop = ground.dual("shop");
    let [web, db] = ["web", "db"].map(|name| ground.container(name));
    let _web = shop.connect(&web).unwrap();
    let at_db = shop.connect(&db).unwrap();
    let asker = client(&web);
    for ip in at_db.ips() {
        assert_eq!(asker.ask_for(&reverse_of(ip), PTR).says(), ["db.shop"]);
        let nobody = match ip {
            std::net::IpAddr::V4(v4) => std::net::Ipv4Addr::from(u32::from(v4) + 9).into(),
            std::net::IpAddr::V6(v6) => std::net::Ipv6Addr::from(u128::from(v6) + 9).into(),
        };
        let told = asker.ask_for(&reverse_of(nobody), PTR);
        assert_eq!(told.rcode(), dns::NXDOMAIN, "{nobody}");
        assert_eq!(told.authority.len(), 1, "{told:?}");
    }
    assert_eq!(stub.names(), [""; 0]);
}

#[test]
fn several_owners_are_all_told_and_take_turns() {
    let ground = Ground::new("turns");
    let shop = ground.network("shop");
    let web = ground.container("web");
    let _web = shop.connect(&web).unwrap();
    let names: Vec<String> = (0..120).map(|n| format!("pool-{n}")).collect();
    let containers: Vec<_> = names
        .iter()
        .map(|name| super::lab::container(name))
        .collect();
    let config = || EndpointConfig::new().alias("pool");
    let few: Vec<_> = containers[..3]
        .iter()
        .map(|one| shop.connect_with(one, config()).unwrap())
        .collect();
    let asker = client(&web);
    let mut firsts = BTreeSet::new();
    for _ in 0..64 {
        let told = asker.ask_for("pool", dns::A);
        let expected: BTreeSet<String> = few.iter().map(|one| one.ip().to_string()).collect();
        assert_eq!(told.says().into_iter().collect::<BTreeSet<_>>(), expected);
        assert_eq!(told.answers[0].ttl_s, 0);
        firsts.insert(told.answers[0].says.clone());
    }
    assert_eq!(firsts.len(), 3, "each comes first at some time");
    let rest = containers[3..].iter();
    let _rest: Vec<_> = rest
        .map(|one| shop.connect_with(one, config()).unwrap())
        .collect();
    // 512 bytes where the asker says nothing, its own size where it does, up to 1,232
    for (query, most) in [
        (query("pool", dns::A), 512),
        (query("pool", dns::A).edns(700, 0), 700),
        (query("pool", dns::A).edns(65_535, 0), 1_232),
    ] {
        let told = asker.ask(&query);
        assert!(told.has(TRUNCATED) && !told.answers.is_empty());
        assert!(told.bytes.len() <= most, "{} > {most}", told.bytes.len());
    }
    let told = asker.ask_by_tcp(&query("pool", dns::A));
    assert_eq!((told.answers.len(), told.has(TRUNCATED)), (120, false));
}
