//! One table of names, and what the resolvers that people use are told by it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bridgework::{Container, Endpoint, EndpointConfig};

use super::ground::Ground;
use super::programs::{BUSYBOX, DIG, GETENT, PYTHON, run};
use super::upstream::Upstream;

type Addresses = BTreeSet<IpAddr>;

/// `web` asks. `db` is on a network with it that has both families, `cache` on one that has IPv4.
struct Shop {
    ground: Ground,
    stub: Upstream,
    web: Container,
    endpoints: Vec<Endpoint>,
    rows: Vec<(String, Addresses)>,
}

impl Shop {
    fn open(name: &str) -> Self {
        let ground = Ground::new(name);
        let stub = ground.stub();
        let (shop, back) = (ground.dual("shop"), ground.network("back"));
        let web = ground.container("web");
        let db = ground.open(ground.config("db").hostname("db-1"));
        let cache = ground.container("cache");
        let other = ground.container("other");
        let private = EndpointConfig::new().link("db:mysql");
        let at_web = shop.connect_with(&web, private).unwrap();
        let web_back = back.connect(&web).unwrap();
        let aliases = EndpointConfig::new().alias("database").alias("pool");
        let at_db = shop.connect_with(&db, aliases).unwrap();
        let pool = || EndpointConfig::new().alias("pool");
        let at_cache = back.connect_with(&cache, pool()).unwrap();
        let at_other = shop.connect_with(&other, pool()).unwrap();

        let all = |endpoints: &[&Endpoint]| -> Addresses {
            endpoints.iter().flat_map(|one| one.ips()).collect()
        };
        let (of_db, of_cache) = (all(&[&at_db]), all(&[&at_cache]));
        assert_eq!((of_db.len(), of_cache.len()), (2, 1));
        let short = db.id().to_string()[..12].to_owned();
        let outside = IpAddr::from(super::upstream::OUTSIDE);
        let rows = [
            ("db", of_db.clone()),
            ("DB", of_db.clone()),
            ("db.", of_db.clone()),
            ("database", of_db.clone()),
            ("mysql", of_db.clone()),
            ("db-1", of_db.clone()),
            (&short, of_db.clone()),
            ("db.shop", of_db.clone()),
            ("Database.Shop.", of_db.clone()),
            ("db.corp", of_db),
            ("cache", of_cache.clone()),
            ("cache.back", of_cache.clone()),
            ("pool", all(&[&at_db, &at_other])),
            ("pool.back", of_cache),
            ("www.outside.test", Addresses::from([outside])),
            ("nobody", Addresses::new()),
            ("db.nowhere", Addresses::new()),
        ];
        let rows = rows.map(|(name, found)| (name.to_owned(), found)).into();
        let endpoints = vec![at_web, web_back, at_db, at_cache, at_other];
        Self {
            ground,
            stub,
            web,
            endpoints,
            rows,
        }
    }

    fn run(&self, program: &super::programs::Program, words: &[&str]) -> String {
        run(&self.ground, &self.web, program, words)
    }

    /// Every name of the table by a resolver of both families.
    fn check(&self, resolver: &str, resolve: impl Fn(&str) -> Addresses) {
        let mut wrong = Vec::new();
        for (name, expected) in &self.rows {
            let told = resolve(name);
            if told != *expected {
                wrong.push(format!("{name}: {told:?}, not {expected:?}"));
            }
        }
        assert!(wrong.is_empty(), "{resolver}: {wrong:#?}");
        // whatever was stripped or appended on the way
        let own = ["db", "cache", "mysql", "pool", "database"];
        let leaked = self.stub.names();
        let leaked = leaked.iter().filter(|name| {
            let name = name.to_ascii_lowercase();
            own.iter()
                .any(|own| name == *own || name.starts_with(&format!("{own}.")))
        });
        let leaked: Vec<_> = leaked.filter(|name| !name.contains("nowhere")).collect();
        assert!(leaked.is_empty(), "{leaked:?}");
        assert_eq!(self.endpoints.len(), 5);
    }
}

/// The words of a text that are addresses.
fn addresses(text: &str) -> Addresses {
    let words = text.split_whitespace().filter_map(|word| word.parse().ok());
    // rfc4291 §2.5.5.2: how getent shows IPv4 where it was asked for IPv6 and there is none
    words
        .filter(|address| !matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()))
        .collect()
}

#[test]
fn glibc_finds_every_name_of_the_table() {
    let shop = Shop::open("glibc");
    shop.check("getent ahosts", |name| {
        addresses(&shop.run(&GETENT, &["ahosts", name]))
    });
    shop.check("getent ahostsv4 and ahostsv6", |name| {
        let both = ["ahostsv4", "ahostsv6"].map(|what| shop.run(&GETENT, &[what, name]));
        addresses(&both.concat())
    });
    for ip in shop.endpoints[2].ips() {
        let told = shop.run(&GETENT, &["hosts", &ip.to_string()]);
        assert!(
            told.split_whitespace().any(|word| word == "db.shop"),
            "{told}"
        );
    }
}

#[test]
fn busybox_finds_every_name_of_the_table() {
    let shop = Shop::open("busybox");
    shop.check("busybox nslookup", |name| {
        let told = shop.run(&BUSYBOX, &["nslookup", name]);
        let (server, told) = told.split_once("\n\n").unwrap_or_default();
        assert!(server.contains("127.0.0.11"), "{server}");
        addresses(told)
    });
    let ip = shop.endpoints[2].ip().to_string();
    let told = shop.run(&BUSYBOX, &["nslookup", &ip]);
    assert!(told.contains("name = db.shop"), "{told}");
}

#[test]
fn python_finds_every_name_of_the_table() {
    const RESOLVE: &str = "
import socket, sys
for name in sys.argv[1:]:
    try: found = sorted({one[4][0] for one in socket.getaddrinfo(name, None)})
    except socket.gaierror: found = []
    print(name, *found)";
    let shop = Shop::open("python");
    let names = shop.rows.iter().map(|(name, _)| name.as_str());
    let words: Vec<&str> = ["-c", RESOLVE].into_iter().chain(names).collect();
    let told = shop.run(&PYTHON, &words);
    shop.check("socket.getaddrinfo", |name| {
        let line = told
            .lines()
            .find(|line| line.split(' ').next() == Some(name));
        addresses(
            line.expect("a line")
                .split_once(' ')
                .map_or("", |(_, rest)| rest),
        )
    });
}

#[test]
fn dig_finds_every_name_of_the_table_by_udp_and_tcp() {
    let shop = Shop::open("dig");
    for way in [
        &["+noedns"][..],
        &["+tcp"],
        &["+nocookie", "+bufsize=4096"],
        &["+dnssec"],
    ] {
        let names = shop.rows.iter().map(|(name, _)| name.clone());
        let mut words: Vec<String> = Vec::new();
        for name in names {
            for kind in ["A", "AAAA"] {
                words.extend([name.clone(), kind.to_owned()]);
                words.extend(["+noall", "+answer", "+tries=1"].map(str::to_owned));
                words.extend(way.iter().map(|word| (*word).to_owned()));
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let told = shop.run(&DIG, &words);
        shop.check(&format!("dig {way:?}"), |name| {
            let dotted = format!("{}.", name.trim_end_matches('.'));
            let lines = told
                .lines()
                .filter(|line| line.split_whitespace().next() == Some(&dotted));
            addresses(&lines.collect::<Vec<_>>().join("\n"))
        });
    }
}

#[test]
fn dig_is_told_the_flags_the_codes_and_the_way_back() {
    let shop = Shop::open("dig-flags");
    let dig = |words: &str| shop.run(&DIG, &words.split(' ').collect::<Vec<_>>());
    let own = dig("db A");
    for part in [
        "status: NOERROR",
        "qr aa rd ra;",
        "EDNS: version: 0",
        "SERVER: 127.0.0.11#53",
    ] {
        assert!(own.contains(part), "{part}: {own}");
    }
    assert!(!own.contains("COOKIE"), "{own}");
    let none = dig("cache AAAA");
    for part in ["status: NOERROR", "ANSWER: 0, AUTHORITY: 1", "SOA"] {
        assert!(none.contains(part), "{part}: {none}");
    }
    assert!(dig("db MX").contains("status: NOERROR"));
    let any: Addresses = addresses(&dig("+short db ANY"));
    assert_eq!(any, shop.rows[0].1);
    let nobody = dig("nobody.test A");
    assert!(nobody.contains("status: NXDOMAIN"), "{nobody}");
    for ip in shop.endpoints[2].ips() {
        assert_eq!(dig(&format!("+short -x {ip}")), "db.shop.\n");
        assert_eq!(dig(&format!("+short +tcp -x {ip}")), "db.shop.\n");
    }
    assert!(dig("+edns=1 +noednsneg db A").contains("status: BADVERS"));
    assert!(dig("db AXFR").contains("Transfer failed"));
    assert!(dig("-c CH version.bind TXT").contains("status: REFUSED"));
    assert!(dig("+opcode=update db A").contains("status: NOTIMP"));
}
