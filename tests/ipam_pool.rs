//! A pool gives what its documentation says: in order, at the edges of both families, and to many
//! threads.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Mutex;

use bridgework::ipam::{History, Owner, Pool, Release};
use bridgework::{ContainerName, Fault, Subnet};

fn pool(subnet: &str) -> Pool {
    let subnet = subnet.parse().expect("a subnet");
    Pool::new(subnet, None).expect("a whole subnet is a range")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn name(text: &str) -> ContainerName {
    text.parse().expect("a name")
}

fn allocate_all(pool: &mut Pool) -> Vec<String> {
    std::iter::from_fn(|| Some(pool.allocate().ok()?.address.to_string())).collect()
}

#[test]
fn a_subnet_gives_every_address_that_a_host_may_have_and_then_says_that_none_is_left() {
    for (subnet, expected) in [
        ("10.0.0.4/32", vec!["10.0.0.4"]),
        ("10.0.0.4/31", vec!["10.0.0.4", "10.0.0.5"]),
        ("10.0.0.4/30", vec!["10.0.0.5", "10.0.0.6"]),
        ("fd00::4/128", vec!["fd00::4"]),
        ("fd00::4/127", vec!["fd00::4", "fd00::5"]),
        ("fd00::4/126", vec!["fd00::5", "fd00::6", "fd00::7"]),
    ] {
        let mut pool = pool(subnet);
        assert_eq!(pool.available(), expected.len() as u64);
        assert_eq!(allocate_all(&mut pool), expected);
        let subnet: Subnet = subnet.parse().unwrap();
        let fault = Fault::AddressesExhausted { subnet };
        assert_eq!(pool.allocate().unwrap_err(), fault);
        assert_eq!(pool.allocate_for(&name("web")).unwrap_err(), fault);
        assert_eq!(pool.reserve_gateway(None).unwrap_err(), fault);
    }
}

#[test]
fn the_widest_subnets_give_addresses_like_any_other() {
    for (subnet, range, first, last, available) in [
        (
            "::/0",
            None,
            "::1",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            u64::MAX,
        ),
        (
            "::/0",
            Some("ffff:ffff::/32"),
            "ffff:ffff::",
            "ffff:ffff::ffff:ffff:ffff:ffff",
            u64::MAX,
        ),
        (
            "fd00::/64",
            None,
            "fd00::1",
            "fd00::ffff:ffff:ffff:ffff",
            u64::MAX,
        ),
        (
            "fd00::/64",
            Some("fd00::ffff:ffff:ffff:fffe/127"),
            "fd00::ffff:ffff:ffff:fffe",
            "fd00::ffff:ffff:ffff:ffff",
            2,
        ),
        ("0.0.0.0/0", None, "0.0.0.1", "255.255.255.254", 0xffff_fffe),
    ] {
        let range = range.map(|range| range.parse().unwrap());
        let mut pool = Pool::new(subnet.parse().unwrap(), range).unwrap();
        assert_eq!(pool.available(), available, "{pool:?}");
        let last = pool.reserve(ip(last), Owner::Unnamed).unwrap();
        assert_eq!(pool.allocate().unwrap().address, ip(first));
        assert_eq!(pool.release(last.address), Release::Released);
        assert_eq!(pool.owner(last.address), None);
    }
}

#[test]
fn addresses_of_no_host_are_refused_with_the_reason() {
    let mut v4 = pool("10.0.0.0/24");
    let mut v6 = pool("fd00::/64");
    let refuse = |pool: &mut Pool, address| {
        let by_owner = pool.reserve(ip(address), Owner::Unnamed).unwrap_err();
        let by_name = pool.reserve_for(&name("web"), ip(address)).unwrap_err();
        assert_eq!(by_owner, by_name);
        by_owner.to_string()
    };
    assert_eq!(
        refuse(&mut v4, "10.0.0.0"),
        "invalid address 10.0.0.0: it is the network's own address"
    );
    assert_eq!(
        refuse(&mut v4, "10.0.0.255"),
        "invalid address 10.0.0.255: it is the broadcast address"
    );
    assert_eq!(
        refuse(&mut v6, "fd00::"),
        "invalid address fd00::: it is the subnet-router anycast address"
    );
    assert_eq!(
        refuse(&mut v4, "10.0.1.0"),
        "invalid address 10.0.1.0: it does not belong to any of this network's subnets (10.0.0.0/24)"
    );
    assert!(matches!(
        v4.reserve_gateway(Some(ip("fd00::1"))),
        Err(Fault::GatewayOutside { .. })
    ));
    assert!(
        v6.reserve(ip("fd00::ffff:ffff:ffff:ffff"), Owner::Gateway)
            .is_ok()
    );
}

#[test]
fn a_range_must_lie_in_the_subnet_and_bounds_automatic_addresses_only() {
    let subnet = "10.0.0.0/16".parse().unwrap();
    for range in ["10.1.0.0/24", "10.0.0.0/15", "fd00::/64"] {
        let fault = Pool::new(subnet, Some(range.parse().unwrap())).unwrap_err();
        assert!(matches!(fault, Fault::RangeOutside { .. }));
    }
    let mut pool = Pool::new(subnet, Some("10.0.255.252/30".parse().unwrap())).unwrap();
    assert_eq!(pool.reserve_gateway(None).unwrap(), ip("10.0.255.252"));
    assert!(pool.reserve(ip("10.0.7.7"), Owner::Unnamed).is_ok());
    assert_eq!(allocate_all(&mut pool), ["10.0.255.253", "10.0.255.254"]);
}

#[test]
fn the_gateway_is_the_lowest_address_that_no_auxiliary_one_has() {
    let mut pool = pool("10.0.0.0/24");
    let dns = Owner::Auxiliary("dns".into());
    assert!(pool.reserve(ip("10.0.0.1"), dns.clone()).is_ok());
    assert_eq!(pool.reserve_gateway(None).unwrap(), ip("10.0.0.2"));
    assert_eq!(pool.allocate().unwrap().address, ip("10.0.0.3"));
    assert_eq!(pool.owner(ip("10.0.0.1")), Some(dns));
    assert_eq!(
        pool.reserve_gateway(Some(ip("10.0.0.2")))
            .unwrap_err()
            .to_string(),
        "address 10.0.0.2 is already in use by the gateway"
    );
}

#[test]
fn a_released_address_comes_back_last_and_says_that_it_was_held() {
    let mut pool = pool("10.0.0.0/29");
    for last in ["10.0.0.1", "10.0.0.2"] {
        assert_eq!(pool.allocate().unwrap().address, ip(last));
    }
    let _ = pool.release(ip("10.0.0.2"));
    let _ = pool.release(ip("10.0.0.1"));
    let leases: Vec<_> = std::iter::from_fn(|| pool.allocate().ok())
        .map(|lease| (lease.address.to_string(), lease.history))
        .collect();
    let expected = [
        ("10.0.0.3", History::Fresh),
        ("10.0.0.4", History::Fresh),
        ("10.0.0.5", History::Fresh),
        ("10.0.0.6", History::Fresh),
        ("10.0.0.2", History::Reused),
        ("10.0.0.1", History::Reused),
    ];
    assert_eq!(leases, expected.map(|(a, h)| (a.to_string(), h)));
}

#[test]
fn a_name_that_holds_its_kept_address_gets_no_second_one_by_it() {
    let mut pool = pool("10.0.0.0/24");
    let db = name("db");
    pool.reserve_for(&db, ip("10.0.0.9")).unwrap();
    assert_eq!(pool.allocate_for(&db).unwrap().history, History::Fresh);
    let fault = pool.allocate_for(&db).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "address 10.0.0.9 is already in use by container db"
    );
    assert!(matches!(
        pool.reserve_for(&db, ip("10.0.0.10")),
        Err(Fault::Conflicting(_))
    ));
}

#[test]
fn a_held_address_that_is_kept_from_then_on_stays_the_names_after_its_release() {
    let mut pool = pool("10.0.0.0/30");
    let db = name("db");
    let lease = pool.allocate_for(&db).unwrap();
    pool.reserve_for(&db, lease.address).unwrap();
    assert_eq!(pool.release(lease.address), Release::Released);
    assert_eq!(pool.release(lease.address), Release::NotHeld);
    assert_eq!(allocate_all(&mut pool), ["10.0.0.2"]);
    assert_eq!(pool.allocate_for(&db).unwrap().address, lease.address);
    assert_eq!(pool.unreserve(&db), Some(lease.address));
    assert_eq!(pool.unreserve(&db), None);
    assert_eq!(pool.owner(lease.address), Some(Owner::Container(db)));
}

#[test]
fn a_larger_release_list_than_there_is_room_for_is_given_out_before_new_addresses() {
    let mut pool = pool("10.0.0.0/24").with_quarantine(2);
    let held: Vec<_> = (0..5).map(|_| pool.allocate().unwrap().address).collect();
    for address in [4, 3, 2, 1] {
        let _ = pool.release(held[address]);
    }
    let next: Vec<_> = (0..3).map(|_| pool.allocate().unwrap().address).collect();
    assert_eq!(next, [held[3], held[4], ip("10.0.0.6")]);
}

#[test]
fn a_pool_can_be_rebuilt_from_what_was_recorded_of_another() {
    let mut pool = pool("10.0.0.0/28");
    for (address, owner) in [("10.0.0.3", "web"), ("10.0.0.2", "db"), ("10.0.0.5", "old")] {
        let owner = Owner::Container(name(owner));
        assert!(pool.reserve(ip(address), owner).is_ok());
    }
    let _ = pool.release(ip("10.0.0.5"));
    assert_eq!(pool.allocate().unwrap().address, ip("10.0.0.1"));
    assert_eq!(pool.allocate().unwrap().address, ip("10.0.0.4"));
    assert_eq!(pool.allocate().unwrap().address, ip("10.0.0.6"));
    assert_eq!(
        pool.allocate_for(&name("old")).unwrap().address,
        ip("10.0.0.5")
    );
}

#[test]
fn eight_threads_never_hold_one_address_at_once() {
    let pool = Mutex::new(pool("10.0.0.0/26"));
    let held = Mutex::new(BTreeSet::new());
    let work = |thread: usize| {
        let name = name(&format!("c{thread}"));
        let mut mine = Vec::new();
        for turn in 0..20_000_usize {
            let wants_more = (turn * 7 + thread * 3) % 16 < 8;
            if wants_more {
                let mut pool = pool.lock().unwrap();
                let lease = match turn % 3 {
                    0 => pool.allocate_for(&name),
                    _ => pool.allocate(),
                };
                drop(pool);
                let Ok(lease) = lease else { continue };
                assert!(
                    held.lock().unwrap().insert(lease.address),
                    "{}",
                    lease.address
                );
                mine.push(lease.address);
            } else if let Some(address) = mine.pop() {
                assert!(held.lock().unwrap().remove(&address));
                assert_eq!(pool.lock().unwrap().release(address), Release::Released);
            }
        }
        mine.len() as u64
    };
    let left: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| scope.spawn(move || work(thread)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(pool.lock().unwrap().available(), 62 - left);
}
