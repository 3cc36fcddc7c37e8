//! A disk that is full to the brim: nothing more comes, and what is there can be taken back.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use bridgework::Errno;
use bridgework::record::{Phase, Record};
use bridgework::store::{Change, Expected, Sqlite, Store, StoreError};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::records::container;

/// A small disk in memory, which nobody else sees.
struct Disk(PathBuf);

impl Disk {
    fn new(name: &str, bytes: usize) -> Self {
        let path = Path::new("/run").join(name);
        std::fs::create_dir(&path).expect("a directory");
        let (kind, options) = (Some("tmpfs"), format!("mode=700,size={bytes}"));
        mount(kind, &path, kind, MsFlags::empty(), Some(options.as_str())).expect("a disk");
        Self(path)
    }

    fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut ballast = self.open_ballast();
        while ballast.write_all(&[b'x'; 4096]).is_ok() {}
        while ballast.write_all(b"x").is_ok() {}
    }

    fn open_ballast(&self) -> File {
        let mut options = OpenOptions::new();
        let options = options.create(true).append(true);
        options.open(self.0.join("ballast")).expect("a file")
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("ballast")).expect("it is there");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _gone_with_the_namespace = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

fn record(number: u32) -> Record {
    let name = format!("c{number}");
    container(number, &name, &[("0.0.0.0", 1 + number)])
}

fn put(record: Record) -> Change {
    Change::new().put(record, Expected::Anything)
}

fn is_full(error: &StoreError) -> bool {
    matches!(error, StoreError::File { errno, .. } if *errno == Errno::ENOSPC)
}

/// Commits records from that number on until there is no room, and returns the first that is not kept.
fn put_until_full(store: &Sqlite, from: u32) -> u32 {
    for number in from..from + 20_000 {
        match store.commit(&put(record(number))) {
            Ok(_) => {}
            Err(error) if is_full(&error) => return number,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("there is no end to it");
}

/// Takes all back, as a host does: what goes is said before.
fn take_all_back(store: &Sqlite, numbers: u32) {
    for number in 0..numbers {
        let mut going = record(number);
        going.phase = Phase::Going;
        let key = going.key();
        store
            .commit(&put(going))
            .unwrap_or_else(|error| panic!("{number}: {error}"));
        let delete = Change::new().delete(key, Expected::Anything);
        store
            .commit(&delete)
            .unwrap_or_else(|error| panic!("{number}: {error}"));
    }
    assert_eq!(store.changes(None).expect("a view").records, []);
}

#[test]
fn with_no_room_left_nothing_comes_and_everything_can_go() {
    let disk = Disk::new("full-one", 4 << 20);
    let store = Sqlite::open(disk.store()).expect("a store");
    for number in 0..50 {
        store.commit(&put(record(number))).expect("there is room");
    }
    disk.fill();
    let kept = put_until_full(&store, 50);
    assert_eq!(store.changes(None).unwrap().records.len(), kept as usize);
    assert!(
        store
            .commit(&put(record(kept)))
            .is_err_and(|error| is_full(&error))
    );
    take_all_back(&store, kept);
    assert_eq!(store.damaged(), None);

    disk.empty();
    store.commit(&put(record(0))).expect("there is room again");
    assert!(
        disk.store().join("reserve").exists(),
        "and it is kept again"
    );
}

#[test]
fn who_comes_when_there_is_no_room_left_can_take_all_back() {
    let disk = Disk::new("full-next", 3 << 20);
    let store = Sqlite::open(disk.store()).expect("a store");
    let kept = put_until_full(&store, 0);
    disk.fill();
    drop(store);
    let next = Sqlite::open(disk.store()).expect("it opens");
    assert_eq!(next.damaged(), None);
    disk.fill();
    let last = Sqlite::open(disk.store()).expect("it opens");
    assert_eq!(last.changes(None).unwrap().records.len(), kept as usize);
    take_all_back(&last, kept);
}
