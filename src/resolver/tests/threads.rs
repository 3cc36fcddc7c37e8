//! What readers see while somebody writes.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use super::{endpoint, owner};
use crate::addr::Family;
use crate::resolver::{Answer, Names, Owner, Records};

const ROUNDS: u32 = 4_000;

fn address(number: u32) -> IpAddr {
    let [_, b, c, d] = number.to_be_bytes();
    IpAddr::from([10, b, c, d])
}

fn number(address: IpAddr) -> u32 {
    let IpAddr::V4(address) = address else {
        panic!("{address} was never inserted");
    };
    address.to_bits() & 0x00ff_ffff
}

fn guest(number: u32) -> Owner {
    let name = format!("guest-{number}").parse().unwrap();
    let names = Names::new(name, ["shared".parse().unwrap()]);
    Owner::new(endpoint(number), names, [address(number)])
}

/// Inserts and removes guests 1 to `ROUNDS` one after the other; `gone` is the last of whom
/// `remove` has returned. `read` is called all the while on two threads.
fn with_readers(records: &Records, read: impl Fn(&AtomicU32) + Sync) {
    let (gone, done) = (AtomicU32::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    read(&gone);
                }
            });
        }
        for number in 1..=ROUNDS {
            records.insert(guest(number));
            records.remove(&endpoint(number));
            gone.store(number, Ordering::Release);
        }
        done.store(true, Ordering::Release);
    });
    read(&gone);
}

#[test]
fn no_reader_finds_an_owner_whose_removal_has_returned() {
    let records = Records::new("net".parse().unwrap());
    with_readers(&records, |gone| {
        let before = gone.load(Ordering::Acquire);
        if let Answer::Addresses(found) = records.lookup("shared", Family::V4) {
            assert!(
                found.iter().all(|found| number(*found) > before),
                "{found:?} {before}"
            );
        }
        let name = format!("guest-{before}");
        assert_eq!(records.lookup(name, Family::V4), Answer::Unknown);
        assert_eq!(records.reverse(address(before)), None);
    });
}

#[test]
fn a_name_that_somebody_holds_all_the_time_is_always_found() {
    let records = Records::new("net".parse().unwrap());
    records.insert(owner(0, &["host", "shared"], &["10.200.0.1"]));
    let host = "10.200.0.1".parse().unwrap();
    with_readers(&records, |_| {
        let Answer::Addresses(found) = records.lookup("shared.net", Family::V4) else {
            panic!("the name was held");
        };
        assert_eq!(found.first(), Some(&host));
        assert_eq!(records.reverse(host).as_deref(), Some("host.net."));
    });
}

#[test]
fn a_name_is_never_found_without_its_address() {
    let records = Records::new("net".parse().unwrap());
    with_readers(&records, |gone| {
        let next = gone.load(Ordering::Acquire) + 1;
        let name = format!("guest-{next}");
        assert_ne!(records.lookup(name, Family::V4), Answer::NoData);
        assert_ne!(records.lookup("shared", Family::V4), Answer::NoData);
    });
}

#[test]
fn a_name_that_the_old_and_the_new_owner_have_is_found_while_one_replaces_the_other() {
    let records = Records::new("net".parse().unwrap());
    let keeper = |number: u32| {
        let alias = format!("alias-{number}");
        owner(0, &["keeper", &alias], &["10.200.0.1"])
    };
    records.insert(keeper(0));
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 0..ROUNDS {
                records.insert(keeper(number));
            }
        });
        while !writer.is_finished() {
            assert_ne!(records.lookup("keeper", Family::V4), Answer::Unknown);
        }
    });
}
