//! What one opener sees of itself and of another.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::Arc;

use bridgework::record::{Body, Key, OwnerId, Phase};
use bridgework::store::{Change, Expected, Sqlite, Store, StoreError};

use crate::records::{container, network, reservation};
use crate::scratch::Scratch;

#[test]
fn what_one_opener_commits_another_one_sees_and_so_does_the_next() {
    let scratch = Scratch::new();
    let (one, two) = (open(&scratch), open(&scratch));
    let before = two.changes(None).unwrap().revision;
    let record = network(1, "web", "10.0.0.0/16");
    let put = Change::new().put(record.clone(), Expected::Absent);
    let at = one.commit(&put).unwrap();
    assert!(at > before);

    let seen = two.changes(Some(before)).unwrap();
    assert!(!seen.is_whole);
    assert_eq!(
        (seen.revision, &seen.records),
        (at, &vec![(at, record.clone())])
    );
    assert!(two.changes(Some(at)).unwrap().records.is_empty());

    drop((one, two));
    let next = open(&scratch).changes(None).unwrap();
    assert!(next.is_whole);
    assert_eq!(next.records, [(at, record)]);
}

#[test]
fn a_claim_that_another_record_has_is_refused_with_its_holder_s_name() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let first = network(1, "web", "10.0.0.0/8");
    let put = |record| Change::new().put(record, Expected::Absent);
    store.commit(&put(first.clone())).unwrap();
    let within = network(2, "db", "10.1.0.0/16");
    let before = store.changes(None).unwrap();
    let refused = store.commit(&put(within)).unwrap_err();
    let StoreError::Claimed { claim, by } = &refused else {
        panic!("{refused}");
    };
    assert_eq!(by, &first.key());
    assert_eq!(claim.to_string(), "subnet 4 10.1.0.0 to 10.1.255.255");
    assert_eq!(
        store.changes(None).unwrap(),
        before,
        "nothing of it is kept"
    );

    let port = |id, name, at| put(container(id, name, &[(at, 80)]));
    store.commit(&port(1, "a", "127.0.0.1")).unwrap();
    store.commit(&port(2, "b", "127.0.0.2")).unwrap();
    let refused = store.commit(&port(3, "c", "0.0.0.0")).unwrap_err();
    assert!(matches!(refused, StoreError::Claimed { .. }), "{refused}");
}

#[test]
fn claims_go_with_their_record_and_pass_on_in_one_change() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let (old, new) = (
        network(1, "web", "10.0.0.0/8"),
        network(2, "web", "10.1.0.0/16"),
    );
    let put = Change::new().put(old.clone(), Expected::Absent);
    let at = store.commit(&put).unwrap();
    let pass = Change::new()
        .put(new.clone(), Expected::Absent)
        .delete(old.key(), Expected::At(at));
    store.commit(&pass).unwrap();
    let seen = store.changes(Some(at)).unwrap();
    assert_eq!(seen.gone, [old.key()]);
    assert_eq!(seen.records.len(), 1);
    let overtaken = store.commit(&pass).unwrap_err();
    assert!(matches!(&overtaken, StoreError::Overtaken { key } if *key == old.key()));
}

#[test]
fn a_change_of_phase_keeps_what_is_claimed() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let mut record = network(1, "web", "10.0.0.0/8");
    for phase in [Phase::Coming, Phase::There, Phase::Going] {
        record.phase = phase;
        let put = Change::new().put(record.clone(), Expected::Anything);
        store.commit(&put).unwrap();
        let other = Change::new().put(network(2, "db", "10.0.0.0/8"), Expected::Absent);
        let refused = store.commit(&other).unwrap_err();
        assert!(matches!(refused, StoreError::Claimed { .. }), "{refused}");
    }
    let kept = store.changes(None).unwrap();
    assert_eq!(kept.records[0].1, record);
}

#[test]
fn who_lives_is_known_of_openers_in_one_process() {
    let scratch = Scratch::new();
    let (one, two) = (open(&scratch), open(&scratch));
    assert_ne!(one.owner(), two.owner());
    assert!(one.is_alive(one.owner()).unwrap());
    assert!(one.is_alive(two.owner()).unwrap());
    assert!(!one.is_alive(OwnerId::new(0)).unwrap());
    assert!(!one.is_alive(OwnerId::new(u64::MAX)).unwrap());
    let gone = two.owner();
    drop(two);
    assert!(!one.is_alive(gone).unwrap());
}

#[test]
fn a_directory_is_made_for_its_user_alone() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let put = Change::new().put(reservation(1, "web"), Expected::Absent);
    store.commit(&put).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(store.directory()), 0o700);
    let files = std::fs::read_dir(store.directory()).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        assert_eq!(
            file.metadata().unwrap().uid(),
            nix::unistd::geteuid().as_raw()
        );
    }
}

#[test]
fn a_directory_or_file_that_leads_elsewhere_is_refused() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("elsewhere")).unwrap();
    symlink(scratch.path().join("elsewhere"), scratch.store()).unwrap();
    let refused = Sqlite::open(scratch.store()).unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused}");

    for name in ["state.sqlite", "state.sqlite-wal", "lock", "owners"] {
        let scratch = Scratch::new();
        drop(open(&scratch));
        let canary = scratch.path().join("canary");
        std::fs::write(&canary, "unharmed").unwrap();
        let file = scratch.store().join(name);
        std::fs::remove_file(&file).unwrap();
        symlink(&canary, &file).unwrap();
        let refused = Sqlite::open(scratch.store()).unwrap_err();
        assert!(
            matches!(refused, StoreError::Refused { .. }),
            "{name}: {refused}"
        );
        assert_eq!(std::fs::read(&canary).unwrap(), b"unharmed");
    }
}

#[test]
fn what_is_no_store_is_moved_aside_and_one_is_begun() {
    let scratch = Scratch::new();
    drop(open(&scratch));
    let file = |name| scratch.store().join(name);
    // the log alone would bring all of it back
    std::fs::remove_file(file("state.sqlite-wal")).unwrap();
    std::fs::write(file("state.sqlite"), "poetry ".repeat(1000)).unwrap();
    std::fs::write(scratch.store().join("foreign"), "left alone").unwrap();
    let store = open(&scratch);
    let aside = store.damaged().expect("it says so");
    assert!(std::fs::read(aside).unwrap().starts_with(b"poetry"));
    assert!(store.changes(None).unwrap().records.is_empty());
    assert!(scratch.store().join("foreign").exists());
    drop(store);
    assert_eq!(open(&scratch).damaged(), None, "the new one is whole");
}

#[test]
fn a_record_that_is_too_large_is_refused_and_nothing_of_it_is_kept() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let mut record = network(1, "web", "10.0.0.0/8");
    if let Body::Network(network) = &mut record.body {
        let labels = &mut Arc::make_mut(network).spec.labels;
        labels.insert("much".to_owned(), "x".repeat(1 << 20));
    }
    let refused = store.commit(&Change::new().put(record, Expected::Absent));
    assert!(
        matches!(
            &refused,
            Err(StoreError::TooLarge {
                most: 1_048_576,
                ..
            })
        ),
        "{refused:?}"
    );
    assert!(store.changes(None).unwrap().records.is_empty());
    assert_eq!(store.damaged(), None);
}

#[test]
fn who_has_not_looked_for_ten_thousand_deletions_is_told_of_all_that_there_is() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let begun = store.changes(None).unwrap().revision;
    let many = |numbers: std::ops::Range<u16>| {
        let records = numbers.map(|number| reservation(number, "web"));
        records.fold(Change::new(), |change, record| {
            change.put(record, Expected::Absent)
        })
    };
    let all_gone = |change: &Change| {
        let keys = change.put.iter().map(|(record, _)| record.key());
        keys.fold(Change::new(), |change, key| {
            change.delete(key, Expected::Anything)
        })
    };
    let (first, rest) = (many(0..10), many(10..10_001));
    store.commit(&first).unwrap();
    let at = store.commit(&all_gone(&first)).unwrap();
    assert_eq!(store.changes(Some(begun)).unwrap().gone.len(), 10);
    store.commit(&rest).unwrap();
    let last = store.commit(&all_gone(&rest)).unwrap();
    assert!(
        store.changes(Some(begun)).unwrap().is_whole,
        "one of the first is forgotten"
    );
    let seen = store.changes(Some(at)).unwrap();
    assert!(!seen.is_whole);
    assert_eq!((seen.revision, seen.gone.len()), (last, 9_991));
}

#[test]
fn a_change_of_a_record_that_is_not_there_says_so() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let key = Key::new("network", "abab");
    let gone = Change::new().delete(key.clone(), Expected::At(Default::default()));
    assert_eq!(
        store.commit(&gone),
        Err(StoreError::Overtaken { key: key.clone() })
    );
    let anyhow = Change::new().delete(key, Expected::Anything);
    store.commit(&anyhow).unwrap();
}

fn open(scratch: &Scratch) -> Sqlite {
    Sqlite::open(scratch.store()).expect("a store")
}
