//! What a client knows, name by name and type by type.

use std::sync::Arc;

use domain::base::iana::Rtype;
use proptest::prelude::*;

use super::{MANNER, Membership, ask, client, network, outcome, owner, query, with_edns, words};
use crate::addr::Family;
use crate::resolver::tests::view::{NAMES, NETWORKS, membership, parts};
use crate::resolver::{
    Answer, Client, ClientTerms, Forwarding, Manner, Names, Owner, SearchDomain, Transport,
    Verdict, View, answer, fail,
};

/// On `shop` and on `Back`, where `redis` is called `web` for this client alone.
fn shopper() -> Client {
    let shop = network(
        "shop",
        [
            owner(
                1,
                &["mysql", "DB", "abababababab", "sql-1"],
                &["172.18.0.2", "fd00::2"],
            ),
            owner(2, &["web"], &["172.18.0.3"]),
            owner(3, &["many", "2.0.18.172.in-addr.arpa"], &["172.18.0.4"]),
            owner(4, &["other", "many"], &["172.18.0.5"]),
        ],
        &[],
    );
    let back = network(
        "Back",
        [owner(5, &["redis"], &["10.2.0.5"])],
        &["redis:web"],
    );
    let subnets = ["172.18.0.0/16", "fd00::/64"].map(|subnet| subnet.parse().unwrap());
    let shop = Membership {
        subnets: subnets.to_vec(),
        ..shop
    };
    client([shop, back], Forwarding::Host)
}

const SOA: &str = ". 1 3600 600 86400 3";

#[test]
fn every_name_of_a_container_leads_to_its_addresses() {
    let client = shopper();
    for name in [
        "mysql",
        "MySQL",
        "db",
        "abababababab",
        "sql-1",
        "mysql.shop",
        "db.SHOP",
        "db.corp.example",
        "db.shop.corp.EXAMPLE",
        "db.lan",
    ] {
        let v4 = format!("NOERROR aa: {name} 3 A 172.18.0.2");
        assert_eq!(ask(&client, name, Rtype::A), v4);
        let v6 = format!("NOERROR aa: {name} 3 AAAA fd00::2");
        assert_eq!(ask(&client, name, Rtype::AAAA), v6);
        let both = format!("{v4}, {name} 3 AAAA fd00::2");
        assert_eq!(ask(&client, name, Rtype::ANY), both);
    }
}

#[test]
fn a_private_alias_comes_before_a_name() {
    let client = shopper();
    assert_eq!(
        ask(&client, "web", Rtype::A),
        "NOERROR aa: web 3 A 10.2.0.5"
    );
    let qualified = "NOERROR aa: web.shop 3 A 172.18.0.3";
    assert_eq!(ask(&client, "web.shop", Rtype::A), qualified);
}

#[test]
fn what_a_known_name_does_not_have_is_said_and_not_asked_of_others() {
    let client = shopper();
    for (name, rtype) in [
        ("redis", Rtype::AAAA),
        ("Redis.BACK", Rtype::AAAA),
        ("redis.corp.example", Rtype::AAAA),
        ("db", Rtype::MX),
        ("db", Rtype::TXT),
        ("db", Rtype::PTR),
        ("db", Rtype::SOA),
        ("db", Rtype::NS),
        ("db", Rtype::HTTPS),
        ("db", Rtype::from_int(65_280)),
        ("2.0.18.172.in-addr.arpa", Rtype::A),
    ] {
        let expected = format!("NOERROR aa; authority: {name} 3 SOA {name}. {SOA}");
        assert_eq!(ask(&client, name, rtype), expected);
    }
}

#[test]
fn an_address_leads_back_to_the_name_with_its_network() {
    let client = shopper();
    for (name, target) in [
        ("2.0.18.172.in-addr.arpa", "mysql.shop"),
        ("5.0.18.172.IN-ADDR.arpa", "other.shop"),
        ("5.0.2.10.in-addr.arpa", "redis.Back"),
        (
            "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
            "mysql.shop",
        ),
    ] {
        for rtype in [Rtype::PTR, Rtype::ANY] {
            let expected = format!("NOERROR aa: {name} 3 PTR {target}.");
            assert_eq!(ask(&client, name, rtype), expected);
        }
    }
}

#[test]
fn of_an_address_of_a_subnet_that_nobody_has_others_are_not_asked() {
    let client = shopper();
    for (name, zone) in [
        ("9.0.18.172.in-addr.arpa", "0.18.172.in-addr.arpa"),
        ("0.0.18.172.in-addr.arpa", "0.18.172.in-addr.arpa"),
        ("255.255.18.172.in-addr.arpa", "255.18.172.in-addr.arpa"),
    ] {
        for rtype in [Rtype::PTR, Rtype::A, Rtype::ANY] {
            let expected = format!("NXDOMAIN aa; authority: {zone} 3 SOA {zone}. {SOA}");
            assert_eq!(ask(&client, name, rtype), expected);
        }
    }
    for name in [
        "0.0.19.172.in-addr.arpa",
        "255.255.17.172.in-addr.arpa",
        "6.0.2.10.in-addr.arpa",
        "0.18.172.in-addr.arpa",
    ] {
        assert_eq!(ask(&client, name, Rtype::PTR), "forward");
    }
}

#[test]
fn a_pointer_too_long_for_its_network_leads_to_the_name_alone() {
    let label = "n".repeat(63);
    let name = format!("{label}.{label}");
    for (length, is_whole) in [(61, true), (62, false)] {
        let network_name = format!("{label}.{}", "m".repeat(length));
        let whole = format!("{name}.{network_name}");
        assert_eq!(whole.len() <= 253, is_whole);
        let expected = if is_whole { &whole } else { &name };
        let named = network(&network_name, [owner(1, &[&name], &["10.0.0.2"])], &[]);
        let client = client([named], Forwarding::Host);
        let told = ask(&client, "2.0.0.10.in-addr.arpa", Rtype::PTR);
        let expected = format!("NOERROR aa: 2.0.0.10.in-addr.arpa 3 PTR {expected}.");
        assert_eq!(told, expected);
    }
}

#[test]
fn what_nobody_here_has_is_forwarded_as_it_was_asked() {
    let client = shopper();
    for name in [
        "example.com",
        "nobody",
        "nobody.shop",
        "db.back",
        "db.example",
        "db.corp",
        "db.corp.example.com",
        "dbcorp.example",
        "corp.example",
        "shop",
        ".",
    ] {
        assert_eq!(ask(&client, name, Rtype::A), "forward", "{name}");
    }
    let mut reply = Vec::new();
    let asked = with_edns(query("eXample.Com", Rtype::MX), 4096);
    let verdict = answer(&asked, Transport::Tcp, &client, MANNER, &mut reply);
    let Verdict::Forward(query, terms) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(query.name_wire(), b"\x07eXample\x03Com\0");
    assert_eq!((query.id(), query.record_type()), (0xabcd, 15));
    assert_eq!(
        (query.transport(), query.limit_bytes()),
        (Transport::Tcp, 65_535)
    );
    assert!(query.is_recursion_desired() && !query.is_checking_disabled());
    let edns = query.edns().unwrap();
    assert_eq!((edns.udp_bytes, edns.dnssec_ok), (4096, false));
    assert!(Arc::ptr_eq(&terms, &client.terms()));
    assert!(reply.is_empty());
    fail(&query, &mut reply);
    assert_eq!(words(&asked, &reply), "SERVFAIL; additional: OPT 1232");
}

#[test]
fn a_label_with_a_dot_in_it_is_nobodys_name() {
    let client = shopper();
    let asked = |name: &[u8]| {
        let mut asked = query(".", Rtype::A);
        asked.splice(12..13, name.iter().copied());
        outcome(&client, &asked, Transport::Udp)
    };
    assert_eq!(
        asked(b"\x02db\x04shop\0"),
        "NOERROR aa: db.shop 3 A 172.18.0.2"
    );
    assert_eq!(asked(b"\x07db.shop\0"), "forward");
    assert_eq!(asked(b"\x03db.\0"), "forward");
}

#[test]
fn a_client_without_others_to_ask_is_told_so_at_once() {
    let client = shopper();
    client.set_terms(ClientTerms {
        forwarding: Forwarding::Nobody,
        search: Vec::new(),
        domain: None,
    });
    assert_eq!(ask(&client, "example.com", Rtype::A), "SERVFAIL");
    assert_eq!(ask(&client, "5.5.5.5.in-addr.arpa", Rtype::PTR), "SERVFAIL");
    assert_eq!(
        ask(&client, "db", Rtype::A),
        "NOERROR aa: db 3 A 172.18.0.2"
    );
    // the terms that were exchanged know no domain
    assert_eq!(ask(&client, "db.lan", Rtype::A), "SERVFAIL");
    let own = Forwarding::Own(Arc::from(["10.9.9.9".parse().unwrap()]));
    client.set_terms(ClientTerms {
        forwarding: own,
        search: vec![SearchDomain::Root],
        domain: None,
    });
    assert_eq!(ask(&client, "example.com", Rtype::A), "forward");
}

#[test]
fn of_the_networks_own_domain_nobody_else_is_asked() {
    for forwarding in [Forwarding::Host, Forwarding::Nobody] {
        let client = shopper();
        client.set_terms(ClientTerms {
            forwarding,
            search: Vec::new(),
            domain: Some("dns.test".parse().unwrap()),
        });
        for name in ["gone.dns.test", "GONE.Dns.Test", "a.b.dns.test"] {
            for rtype in [Rtype::A, Rtype::AAAA, Rtype::MX] {
                let said = ask(&client, name, rtype);
                assert!(said.starts_with("NXDOMAIN aa"), "{name} {rtype}: {said}");
            }
        }
        let known = ask(&client, "db.DNS.test", Rtype::A);
        assert_eq!(known, "NOERROR aa: db.DNS.test 3 A 172.18.0.2");
        let known = ask(&client, "db.shop.dns.test", Rtype::AAAA);
        assert_eq!(known, "NOERROR aa: db.shop.dns.test 3 AAAA fd00::2");
        let known = ask(&client, "db", Rtype::A);
        assert_eq!(known, "NOERROR aa: db 3 A 172.18.0.2");
        assert!(ask(&client, "dns.test", Rtype::A).starts_with("NOERROR aa"));
    }
    let client = shopper();
    let terms = ClientTerms::clone(&client.terms());
    client.set_terms(ClientTerms {
        domain: Some("dns.test".parse().unwrap()),
        ..terms
    });
    for name in [
        "xdns.test",
        "gone.test",
        "gone.xdns.test",
        "dns.test.example",
    ] {
        assert_eq!(ask(&client, name, Rtype::A), "forward", "{name}");
    }
}

#[test]
fn flags_come_back_and_edns_is_answered_with_edns_alone() {
    let client = shopper();
    let mut asked = with_edns(query("db", Rtype::A), 1400);
    // AD and Z, which do not, CD, which does, and RD, which was set, away
    asked[2] = 0;
    asked[3] = 0x70;
    let options = [0, 10, 0, 2, 0xaa, 0xbb];
    let end = asked.len();
    asked[end - 1] = 6;
    asked[end - 4] = 0x80;
    asked.extend_from_slice(&options);
    let mut reply = Vec::new();
    answer(&asked, Transport::Udp, &client, MANNER, &mut reply);
    assert_eq!(
        words(&asked, &reply),
        "NOERROR aa: db 3 A 172.18.0.2; additional: OPT 1232"
    );
    assert!(reply.ends_with(&[0, 0, 41, 4, 0xd0, 0, 0, 0x80, 0, 0, 0]));
}

#[test]
fn the_time_to_live_is_what_the_server_wants_and_never_negative() {
    let client = shopper();
    for (ttl_s, expected) in [(0, 0), (600, 600), (u32::MAX, 0x7fff_ffff)] {
        let manner = Manner { ttl_s, turn: 0 };
        let mut reply = Vec::new();
        let asked = query("db", Rtype::A);
        answer(&asked, Transport::Udp, &client, manner, &mut reply);
        let told = words(&asked, &reply);
        assert_eq!(told, format!("NOERROR aa: db {expected} A 172.18.0.2"));
        let asked = query("redis", Rtype::AAAA);
        answer(&asked, Transport::Udp, &client, manner, &mut reply);
        let told = words(&asked, &reply);
        let numbers = format!("1 3600 600 86400 {expected}");
        assert_eq!(
            told,
            format!("NOERROR aa; authority: redis {expected} SOA redis. . {numbers}")
        );
    }
}

/// The addresses of the answer when it is so much this turn.
fn turned(client: &Client, name: &str, rtype: Rtype, turn: u32) -> Vec<String> {
    let mut reply = Vec::new();
    let asked = query(name, rtype);
    let manner = Manner { ttl_s: 3, turn };
    let verdict = answer(&asked, Transport::Udp, client, manner, &mut reply);
    assert_eq!(verdict, Verdict::Reply);
    let words = words(&asked, &reply);
    let (_, answers) = words.split_once(": ").unwrap();
    let answers = answers
        .split(", ")
        .filter(|answer| !answer.starts_with('|'));
    let address = |answer: &str| answer.rsplit(' ').next().unwrap().to_owned();
    answers.map(address).collect()
}

#[test]
fn several_owners_take_turns() {
    let client = shopper();
    let first = ["172.18.0.4", "172.18.0.5"];
    let second = ["172.18.0.5", "172.18.0.4"];
    for (turn, expected) in [(0, first), (1, second), (2, first), (u32::MAX, second)] {
        assert_eq!(turned(&client, "many", Rtype::A, turn), expected);
    }
}

proptest! {
    #[test]
    fn the_wire_says_what_the_view_says(parts in parts(), turn in any::<u32>()) {
        let view = Arc::new(View::new(parts.iter().map(membership)));
        let terms = ClientTerms {
            forwarding: Forwarding::Host,
            search: Vec::new(),
            domain: None,
        };
        let client = Client::new(Arc::clone(&view), terms);
        let qualified = |name| NETWORKS.iter().map(move |network| format!("{name}.{network}"));
        let names = NAMES.iter().flat_map(|name| qualified(name).chain([(*name).to_owned()]));
        for name in names {
            for (family, rtype) in [(Family::V4, Rtype::A), (Family::V6, Rtype::AAAA)] {
                match view.lookup(&name, family) {
                    Answer::Addresses(addresses) => {
                        let mut expected: Vec<_> =
                            addresses.iter().map(ToString::to_string).collect();
                        expected.rotate_left(turn as usize % addresses.len());
                        prop_assert_eq!(turned(&client, &name, rtype, turn), expected);
                    }
                    Answer::NoData => {
                        let expected = format!("NOERROR aa; authority: {name} 3 SOA {name}. {SOA}");
                        prop_assert_eq!(ask(&client, &name, rtype), expected);
                    }
                    Answer::Unknown => prop_assert_eq!(ask(&client, &name, rtype), "forward"),
                }
            }
        }
    }
}

#[test]
fn an_owner_without_addresses_is_known() {
    let names = Names::new("bare".parse().unwrap(), []);
    let bare = Owner::new(crate::addr::EndpointId::from_bytes([9; 32]), names, []);
    let client = client([network("n", [bare], &[])], Forwarding::Host);
    for rtype in [Rtype::A, Rtype::AAAA, Rtype::ANY, Rtype::TXT] {
        let expected = format!("NOERROR aa; authority: bare 3 SOA bare. {SOA}");
        assert_eq!(ask(&client, "bare", rtype), expected);
    }
}
