//! Files that broke by chance: the store opens with what was written, or says that it was damaged and
//! begins anew. What it never does is to give something else.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bridgework::record::{Record, Revision};
use bridgework::store::{Change, Expected, Sqlite, Store, StoreError};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use crate::records::{container, network, reservation};
use crate::scratch::Scratch;

/// What happens to a file.
#[derive(Debug, Clone)]
enum Blow {
    Bit(Index, u8),
    Overwrite(Index, u16, u8),
    Noise(Index, Vec<u8>),
    Cut(Index),
    Grow(u16),
    Swap(Index, Index),
    Remove,
}

fn any_blow() -> impl Strategy<Value = Blow> {
    let at = any::<Index>;
    prop_oneof![
        6 => (at(), 0..8u8).prop_map(|(at, bit)| Blow::Bit(at, bit)),
        3 => (at(), 1..9000u16, prop_oneof![Just(0), Just(0xff), any::<u8>()])
            .prop_map(|(at, length, byte)| Blow::Overwrite(at, length, byte)),
        3 => (at(), prop::collection::vec(any::<u8>(), 1..600))
            .prop_map(|(at, noise)| Blow::Noise(at, noise)),
        1 => at().prop_map(Blow::Cut),
        1 => any::<u16>().prop_map(Blow::Grow),
        1 => (at(), at()).prop_map(|(one, two)| Blow::Swap(one, two)),
        1 => Just(Blow::Remove),
    ]
}

/// In which file, and what; the first bytes are hit more often than they would be by chance.
fn any_blows() -> impl Strategy<Value = Vec<(usize, bool, Blow)>> {
    let file = prop_oneof![3 => Just(0usize), 3 => Just(1), 1 => Just(2)];
    prop::collection::vec((file, prop::bool::weighted(0.2), any_blow()), 1..4)
}

/// A file that would make the engine work for ever is as bad as one that ends it.
const PATIENCE: Duration = Duration::from_secs(10);
const FILES: [&str; 3] = ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"];

fn strike(path: &Path, at_head: bool, blow: &Blow) {
    let Ok(mut bytes) = fs::read(path) else {
        return;
    };
    let length = if at_head {
        bytes.len().min(200)
    } else {
        bytes.len()
    };
    if length == 0 {
        return;
    }
    match blow {
        Blow::Bit(at, bit) => bytes[at.index(length)] ^= 1 << bit,
        Blow::Overwrite(at, count, byte) => {
            let from = at.index(length);
            let to = (from + usize::from(*count)).min(bytes.len());
            bytes[from..to].fill(*byte);
        }
        Blow::Noise(at, noise) => {
            let places = bytes[at.index(length)..].iter_mut();
            places.zip(noise).for_each(|(place, byte)| *place = *byte);
        }
        Blow::Cut(at) => bytes.truncate(at.index(length)),
        Blow::Grow(by) => bytes.resize(bytes.len() + usize::from(*by), 0x5a),
        Blow::Swap(one, two) => {
            let pages = bytes.len() / 4096;
            if pages > 1 {
                let (one, two) = (one.index(pages) * 4096, two.index(pages) * 4096);
                let kept = bytes[one..one + 4096].to_vec();
                bytes.copy_within(two..two + 4096, one);
                bytes[two..two + 4096].copy_from_slice(&kept);
            }
        }
        Blow::Remove => return fs::remove_file(path).expect("it is there"),
    }
    fs::write(path, bytes).expect("written");
}

/// What was written, in this order, each in a commit.
fn written() -> Vec<Record> {
    let networks = (0..4).map(|n| network(n, &format!("n{n}"), &format!("10.{n}.0.0/16")));
    let containers = (0..24).map(|n| container(n, &format!("c{n}"), &[("0.0.0.0", 80 + n)]));
    let reservations = (0..24).map(|n| reservation(n, &format!("c{n}")));
    networks.chain(containers).chain(reservations).collect()
}

struct Whole {
    files: [Vec<u8>; 3],
    records: Vec<(Revision, Record)>,
}

/// Most of it is in the file, and the rest in its log.
fn whole() -> Whole {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.store()).expect("a store");
    for record in written() {
        let put = Change::new().put(record, Expected::Absent);
        store.commit(&put).expect("a commit");
    }
    let records = store.changes(None).expect("a view").records;
    drop(store);
    let files = FILES.map(|name| fs::read(scratch.store().join(name)).expect("it is there"));
    Whole { files, records }
}

/// What became of files that were struck.
#[derive(Debug, Default)]
struct Tally {
    as_written: u32,
    begun_anew: u32,
    longest: Duration,
}

/// Opens what is left after these blows, and uses it.
fn open_struck(
    whole: &Whole,
    blows: &[(usize, bool, Blow)],
    tally: &mut Tally,
) -> Result<(), TestCaseError> {
    let scratch = Scratch::new();
    fs::create_dir(scratch.store()).expect("a directory");
    for (name, bytes) in FILES.iter().zip(&whole.files) {
        fs::write(scratch.store().join(name), bytes).expect("written");
    }
    for (file, at_head, blow) in blows {
        strike(&scratch.store().join(FILES[*file]), *at_head, blow);
    }
    let begun = Instant::now();
    let store = Sqlite::open(scratch.store()).expect("it opens");
    let seen = store.changes(None).expect("a view");
    let took = begun.elapsed();
    prop_assert!(took < PATIENCE, "{took:?}");
    tally.longest = tally.longest.max(took);
    match store.damaged() {
        Some(aside) => {
            tally.begun_anew += 1;
            prop_assert!(aside.exists());
            prop_assert!(seen.is_whole && seen.records.is_empty());
        }
        // a log that has lost its end is one that was cut off earlier
        None => {
            tally.as_written += 1;
            prop_assert_eq!(&seen.records[..], &whole.records[..seen.records.len()]);
        }
    }
    for (_, record) in seen.records.iter().filter(|_| store.damaged().is_none()) {
        prop_assert_eq!(refused(&store, record), Some(record.key()));
    }
    let new = container(999, "new", &[]);
    let put = Change::new().put(new.clone(), Expected::Absent);
    let at = store.commit(&put).expect("a commit");
    prop_assert!(
        store
            .changes(None)
            .expect("a view")
            .records
            .contains(&(at, new))
    );
    Ok(())
}

/// Who is in the way of another record with the same claims.
fn refused(store: &Sqlite, record: &Record) -> Option<bridgework::record::Key> {
    let mut other = record.clone();
    match &mut other.body {
        bridgework::record::Body::Network(network) => {
            Arc::make_mut(network).spec.id = bridgework::NetworkId::from_bytes([99; 32]);
        }
        bridgework::record::Body::Container(container) => {
            Arc::make_mut(container).id = bridgework::ContainerId::from_bytes([99; 32]);
        }
        _ => return Some(record.key()),
    }
    let put = Change::new().put(other, Expected::Absent);
    match store.commit(&put) {
        Err(StoreError::Claimed { by, .. }) => Some(by),
        _ => None,
    }
}

fn strike_often(cases: u32) {
    let whole = whole();
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let tally = RefCell::new(Tally::default());
    let run = runner.run(&any_blows(), |blows| {
        open_struck(&whole, &blows, &mut tally.borrow_mut())
    });
    println!("{:.1?}", tally.borrow());
    if let Err(error) = run {
        panic!("{error}");
    }
}

#[test]
fn a_file_that_broke_gives_what_was_written_or_is_begun_anew() {
    strike_often(300);
}

#[test]
#[ignore = "10,000 cases"]
fn a_file_that_broke_gives_what_was_written_or_is_begun_anew_ten_thousand_times() {
    strike_often(10_000);
}

#[test]
#[ignore = "each of 1,600 bits"]
fn each_bit_of_the_file_s_head_and_its_log_s_may_break() {
    let (whole, mut tally) = (whole(), Tally::default());
    for (file, bytes) in [(0, 136), (1, 64)] {
        for bit in 0..bytes * 8 {
            let mut struck = Whole {
                files: whole.files.clone(),
                records: whole.records.clone(),
            };
            struck.files[file][bit / 8] ^= 1 << (bit % 8);
            let opened = open_struck(&struck, &[], &mut tally);
            opened.unwrap_or_else(|error| panic!("bit {bit} of file {file}: {error}"));
        }
    }
    println!("{tally:.1?}");
}

#[test]
fn who_has_a_damaged_file_open_goes_on_with_the_new_one() {
    let scratch = Scratch::new();
    let [one, two] = [(); 2].map(|()| Sqlite::open(scratch.store()).expect("a store"));
    let put = |record| Change::new().put(record, Expected::Absent);
    let at = one.commit(&put(reservation(1, "a"))).expect("a commit");
    assert_eq!(two.changes(None).expect("a view").revision, at);
    // somebody moves it aside, as an opener does that finds it damaged
    for name in FILES {
        let aside = scratch
            .store()
            .join(name.replace("sqlite", "sqlite.damaged-1"));
        fs::rename(scratch.store().join(name), aside).expect("it is there");
    }
    let third = Sqlite::open(scratch.store()).expect("a store");
    let in_new = third.commit(&put(reservation(2, "b"))).expect("a commit");

    let refused = one
        .commit(&put(reservation(3, "c")))
        .expect_err("it is not that store any more");
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
    for store in [&one, &two] {
        let seen = store.changes(Some(at)).expect("a view");
        assert!(seen.is_whole);
        assert_eq!(seen.records, [(in_new, reservation(2, "b"))]);
        assert!(third.is_alive(store.owner()).unwrap());
    }
    one.commit(&put(reservation(3, "c")))
        .expect("it has caught up");
    assert_eq!(
        third.changes(Some(in_new)).expect("a view").records.len(),
        1
    );
}

#[test]
fn a_record_that_breaks_while_the_store_is_open_is_not_given() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.store()).expect("a store");
    let put = Change::new().put(reservation(1, "a"), Expected::Absent);
    let at = store.commit(&put).expect("a commit");
    let by_hand = rusqlite::Connection::open(scratch.store().join(FILES[0])).expect("the engine");
    let break_it = "UPDATE record SET value = replace(value, '\"a\"', '\"b\"')";
    assert_eq!(by_hand.execute(break_it, []).expect("broken"), 1);
    let seen = store.changes(None).expect("a view");
    assert!(seen.is_whole && seen.records.is_empty());
    assert!(store.damaged().is_some_and(|aside| aside.exists()));
    assert_ne!(seen.revision, at);
    store.commit(&put).expect("it is begun anew");
}

#[test]
fn claims_that_are_not_those_of_the_records_are_damage() {
    for by_hand in [
        "DELETE FROM claim WHERE space = 'container name'",
        "INSERT INTO claim SELECT 'other', first, last, record FROM claim LIMIT 1",
        "UPDATE meta SET revision = revision - 1",
        "DROP TRIGGER claim_is_free",
    ] {
        let scratch = Scratch::new();
        let store = Sqlite::open(scratch.store()).expect("a store");
        let put = Change::new().put(container(1, "a", &[]), Expected::Absent);
        store.commit(&put).expect("a commit");
        drop(store);
        let file = rusqlite::Connection::open(scratch.store().join(FILES[0])).expect("the engine");
        file.execute_batch(by_hand).expect("done");
        drop(file);
        let store = Sqlite::open(scratch.store()).expect("it opens");
        assert!(store.damaged().is_some(), "{by_hand}");
    }
}

#[test]
fn of_damaged_files_the_last_four_are_kept() {
    let scratch = Scratch::new();
    for round in 1..=6 {
        drop(Sqlite::open(scratch.store()).expect("a store"));
        for name in FILES {
            fs::write(scratch.store().join(name), format!("poem {round}")).expect("written");
        }
    }
    let store = Sqlite::open(scratch.store()).expect("a store");
    let last = store.damaged().expect("it says so");
    assert_eq!(fs::read(&last).expect("it is there"), b"poem 6");
    let names = fs::read_dir(scratch.store()).expect("a directory");
    let names = names.map(|file| {
        file.expect("a file")
            .file_name()
            .into_string()
            .expect("text")
    });
    let mut kept: Vec<String> = names.filter(|name| name.contains("damaged")).collect();
    kept.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    assert_eq!(kept.len(), 4, "{kept:?}");
    assert!(last.ends_with("state.sqlite.damaged-6"));
}
