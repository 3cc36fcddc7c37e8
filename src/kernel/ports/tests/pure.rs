//! What is decided without a kernel: the book, the range of automatic ports, the kernel's lists.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;

use super::super::book::{Book, Reserved};
use super::super::{owner, range::Automatic};
use crate::addr::{Port, Protocol};

fn port(number: u32) -> Port {
    Port::new(number).unwrap()
}

fn first_of(automatic: &Automatic, last_given: Option<Port>, count: usize) -> Vec<u16> {
    let ports = automatic.after(last_given);
    ports.take(count).map(Port::get).collect()
}

#[test]
fn automatic_ports_begin_behind_the_last_and_go_round() {
    let automatic = Automatic::parse("100\t104\n", "102\n");
    assert_eq!(first_of(&automatic, None, 9), [100, 101, 103, 104]);
    assert_eq!(
        first_of(&automatic, Some(port(101)), 9),
        [103, 104, 100, 101]
    );
    assert_eq!(
        first_of(&automatic, Some(port(104)), 9),
        [100, 101, 103, 104]
    );
    assert_eq!(first_of(&automatic, Some(port(9)), 2), [100, 101]);
}

#[test]
fn a_kernel_that_does_not_say_its_range_has_dockers() {
    for text in ["", "x y", "1", "0 5", "9 5", "1 70000"] {
        let automatic = Automatic::parse(text, "");
        assert_eq!(first_of(&automatic, None, 1), [49153], "{text}");
        assert_eq!(automatic.after(None).count(), 65535 - 49153 + 1);
    }
}

#[test]
fn a_line_of_the_kernels_list_is_read() {
    let line = "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     \
                0        0 20301 1 0000000000000000 100 0 0 10 0";
    let expected = ("127.0.0.1:8080".parse().unwrap(), 20301);
    if cfg!(target_endian = "little") {
        assert_eq!(owner::parse(line), Some(expected));
    }
    let line = "   1: 00000000000000000000000001000000:0050 0:0 0A 0:0 0:0 0 0 0 7 1";
    if cfg!(target_endian = "little") {
        assert_eq!(owner::parse(line), Some(("[::1]:80".parse().unwrap(), 7)));
    }
    let heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt";
    assert_eq!(owner::parse(heading), None);
}

const ADDRESSES: [&str; 6] = ["0.0.0.0", "127.0.0.1", "10.0.0.1", "::", "::1", "fd00::1"];

fn addresses(chosen: &[usize]) -> Arc<[IpAddr]> {
    let addresses = chosen
        .iter()
        .map(|&index| ADDRESSES[index].parse().unwrap());
    addresses.collect()
}

/// The rule, said once more and otherwise: by the addresses of which a packet could come.
fn covered(address: IpAddr) -> Vec<usize> {
    let of_family = |range: std::ops::Range<usize>| range.collect::<Vec<usize>>();
    match ADDRESSES
        .iter()
        .position(|text| *text == address.to_string())
    {
        Some(0) => of_family(0..3),
        Some(3) => of_family(3..6),
        Some(index) => vec![index],
        None => vec![],
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in ".{0,200}", other in "[0-9A-F: ]{0,120}") {
        let _line = (owner::parse(&text), owner::parse(&other));
        prop_assert!(Automatic::parse(&text, &other).after(None).count() <= 65535);
    }

    #[test]
    fn no_place_is_ever_anybodys_twice_and_a_free_one_is_never_refused(
        verbs in prop::collection::vec((any::<bool>(), 1_u32..3, prop::collection::vec(0_usize..6, 1..3)), 1..60),
    ) {
        let book = Arc::new(Mutex::new(Book::default()));
        let mut held: Vec<Reserved> = Vec::new();
        for (takes, number, chosen) in verbs {
            if !takes {
                if !held.is_empty() {
                    held.swap_remove(number as usize % held.len());
                }
                continue;
            }
            let wished = addresses(&chosen);
            let mut places: BTreeMap<usize, usize> = BTreeMap::new();
            let before = held.iter().filter(|other| other.port == port(number));
            let before = before.flat_map(|other| other.addresses.iter());
            for place in before.chain(wished.iter()).flat_map(|address| covered(*address)) {
                *places.entry(place).or_default() += 1;
            }
            let is_free = places.values().all(|count| *count == 1);
            let number = (Protocol::Tcp, port(number));
            let reserved = Reserved::new(&book, &"web".parse().unwrap(), number, &wished);
            prop_assert_eq!(reserved.is_ok(), is_free);
            held.extend(reserved);
        }
        held.clear();
        prop_assert!(book.lock().is_empty());
    }
}
