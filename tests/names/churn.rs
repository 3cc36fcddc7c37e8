//! Names follow the containers: nobody is told the address of one whose disconnect has returned,
//! and one that is there is there for all.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use bridgework::EndpointConfig;

use super::dns::{A, AAAA, NOERROR, NXDOMAIN, SERVFAIL, query, reverse_of};
use super::ground::{Ground, client};
use super::lab;

/// Set while it is sure that a container has the name, with the address in the low bits; odd rounds
/// in the high ones while none has.
#[derive(Default)]
struct Truth(AtomicU64);

const NOBODY: u64 = 0;
const CHANGING: u64 = 1;

impl Truth {
    fn is(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn set(&self, round: u64, what: u64) {
        self.0.store(round << 32 | what, Ordering::SeqCst);
    }
}

#[test]
fn under_churn_no_address_of_the_gone_and_no_lack_of_the_present() {
    const ROUNDS: u64 = 100;
    let ground = Ground::new("churn");
    let _stub = ground.stub();
    let shop = ground.network("shop");
    let [web, steady] = ["web", "steady"].map(|name| ground.container(name));
    let comes = lab::container("comes");
    let _web = shop.connect(&web).unwrap();
    let at_steady = shop
        .connect_with(&steady, EndpointConfig::new().alias("both"))
        .unwrap();
    let steady_ip = at_steady.ip().to_string();
    let (truth, ended) = (Truth::default(), AtomicBool::new(false));
    let ask = |by_tcp: bool| {
        let asker = client(&web);
        let (mut sure, mut n) = (0_u32, 0_u32);
        while !ended.load(Ordering::SeqCst) {
            n += 1;
            let (name, before) = (["comes", "both"][n as usize % 2], truth.is());
            let query = query(name, A);
            let told = match by_tcp && n % 8 == 0 {
                true => asker.ask_by_tcp(&query),
                false => asker.ask(&query),
            };
            let steady = asker.ask_for("steady", A);
            assert_eq!(steady.says(), [steady_ip.as_str()]);
            if truth.is() != before {
                continue;
            }
            let expected: Vec<String> = match (name, before & 0xffff_ffff) {
                (_, CHANGING) => continue,
                ("comes", NOBODY) => vec![],
                ("both", NOBODY) => vec![steady_ip.clone()],
                ("comes", bits) => vec![ip(bits)],
                (_, bits) => vec![ip(bits), steady_ip.clone()],
            };
            let mut expected = expected;
            expected.sort();
            assert_eq!(told.says(), expected, "{name}: {told:?}");
            let there = told.rcode() == NOERROR;
            assert_eq!(there, !expected.is_empty(), "{told:?}");
            sure += 1;
        }
        sure
    };
    let sure: u32 = thread::scope(|scope| {
        let end = End(&ended);
        let asking = [false, true].map(|by_tcp| scope.spawn(move || ask(by_tcp)));
        for round in 1..=ROUNDS {
            // another address each time
            let last = u8::try_from(10 + round % 200).unwrap();
            let std::net::IpAddr::V4(gateway) = at_steady.ip() else {
                unreachable!()
            };
            let [a, b, c, _] = gateway.octets();
            let address = std::net::Ipv4Addr::new(a, b, c, last);
            let config = EndpointConfig::new().ip(address).alias("both");
            let at = shop.connect_with(&comes, config).unwrap();
            truth.set(round, u64::from(u32::from(address)));
            let asker = client(&web);
            assert_eq!(asker.ask_for("comes", A).says(), [address.to_string()]);
            truth.set(round, CHANGING);
            at.disconnect().unwrap();
            truth.set(round, NOBODY);
            assert!(asker.ask_for("comes", A).answers.is_empty());
            assert_eq!(
                asker.ask_for(&reverse_of(address.into()), 12).rcode(),
                NXDOMAIN
            );
            truth.set(round, CHANGING);
        }
        drop(end);
        asking.map(|one| one.join().unwrap()).into_iter().sum()
    });
    assert!(sure > 20, "{sure} answers at times at which one knows");
}

/// Whatever comes of it, those that ask end.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn ip(bits: u64) -> String {
    std::net::Ipv4Addr::from(u32::try_from(bits).unwrap()).to_string()
}

#[test]
fn a_container_s_own_networks_come_and_go_for_it_and_its_neighbours() {
    let ground = Ground::new("own-networks");
    let (left, right) = (ground.internal("left"), ground.internal("right"));
    let [web, l, r] = ["web", "l", "r"].map(|name| ground.container(name));
    let (_l, _r) = (left.connect(&l).unwrap(), right.connect(&r).unwrap());
    for _ in 0..20 {
        let at_left = left.connect(&web).unwrap();
        let asker = client(&web);
        assert_eq!(asker.ask_for("l", A).rcode(), NOERROR);
        assert_eq!(asker.ask_for("r", A).rcode(), SERVFAIL);
        let at_right = right.connect(&web).unwrap();
        for name in ["l", "r", "l.left", "r.right"] {
            assert_eq!(asker.ask_for(name, A).says().len(), 1, "{name}");
            assert_eq!(asker.ask_for(name, AAAA).rcode(), NOERROR, "{name}");
        }
        assert_eq!(
            client(&l).ask_for("web", A).says(),
            [at_left.ip().to_string()]
        );
        assert_eq!(
            client(&r).ask_for("web", A).says(),
            [at_right.ip().to_string()]
        );
        assert_eq!(asker.ask_for("l.right", A).rcode(), SERVFAIL);
        at_left.disconnect().unwrap();
        assert_eq!(asker.ask_for("l", A).rcode(), SERVFAIL);
        assert_eq!(asker.ask_for("r", A).rcode(), NOERROR);
        assert_eq!(client(&l).ask_for("web", A).rcode(), SERVFAIL);
        at_right.disconnect().unwrap();
    }
}

#[test]
fn forty_connect_and_leave_at_once_and_the_last_to_stay_are_told() {
    let ground = Ground::new("at-once");
    let shop = ground.network("shop");
    let web = ground.container("web");
    let _web = shop.connect(&web).unwrap();
    let names: Vec<String> = (0..40).map(|n| format!("c{n}")).collect();
    let containers: Vec<_> = names.iter().map(|name| lab::container(name)).collect();
    thread::scope(|scope| {
        for half in containers.chunks(10) {
            let shop = &shop;
            scope.spawn(move || {
                for _ in 0..3 {
                    let all: Vec<_> = half.iter().map(|one| shop.connect(one).unwrap()).collect();
                    for one in &all {
                        let told = client(one.container()).ask_for("web", A);
                        assert_eq!(told.says().len(), 1);
                    }
                    bridgework::Endpoint::disconnect_all(all).unwrap();
                }
            });
        }
    });
    let asker = client(&web);
    for name in &names {
        assert!(asker.ask_for(name, A).answers.is_empty());
    }
    let all: Vec<_> = containers
        .iter()
        .map(|one| shop.connect(one).unwrap())
        .collect();
    for (name, at) in names.iter().zip(&all) {
        assert_eq!(asker.ask_for(name, A).says(), [at.ip().to_string()]);
    }
}
