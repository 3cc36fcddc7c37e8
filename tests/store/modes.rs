//! Whose files they are, and which process may use an opener.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bridgework::store::{Change, Expected, Sqlite, Store, StoreError};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use crate::child::{Other, Part};
use crate::records::reservation;
use crate::scratch::Scratch;
use crate::storm::CHILD;

/// Opens stores where the umask takes nothing away, and where it takes everything away.
pub fn open_without_umask(part: &Part) {
    for (bits, name) in [(0, "open"), (0o777, "closed")] {
        umask(Mode::from_bits_truncate(bits));
        let directory = part.directory.join(name).join("parent").join("store");
        let store = Sqlite::open(directory).expect("a store");
        let put = Change::new().put(reservation(1, "web"), Expected::Absent);
        store.commit(&put).expect("a commit");
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path)
        .expect("it is there")
        .permissions()
        .mode()
        & 0o7777
}

#[test]
fn modes_are_as_they_must_be_whatever_the_umask_is() {
    let scratch = Scratch::new();
    Other::start(CHILD, "bare", scratch.path(), 0).finish();
    for name in ["open", "closed"] {
        let parent = scratch.path().join(name).join("parent");
        let store = parent.join("store");
        assert_eq!((mode(&parent), mode(&store)), (0o755, 0o700));
        let files = fs::read_dir(&store).expect("a directory");
        let modes = files.map(|file| {
            let path = file.expect("a file").path();
            (path.file_name().expect("a name").to_owned(), mode(&path))
        });
        let modes: Vec<_> = modes.collect();
        assert!(modes.len() >= 6, "{modes:?}");
        assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
    }
}

#[test]
fn modes_that_somebody_has_loosened_are_put_right() {
    let scratch = Scratch::new();
    drop(Sqlite::open(scratch.store()).expect("a store"));
    for name in [
        "state.sqlite",
        "state.sqlite-wal",
        "lock",
        "owners",
        "reserve",
    ] {
        let path = scratch.store().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        drop(Sqlite::open(scratch.store()).expect("a store"));
        assert_eq!(mode(&path), 0o600, "{name}");
    }
}

#[test]
fn a_directory_that_others_may_write_to_is_refused_and_left_as_it_is() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.store()).unwrap();
    fs::set_permissions(scratch.store(), fs::Permissions::from_mode(0o1777)).unwrap();
    let refused = Sqlite::open(scratch.store()).unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused}");
    assert_eq!(mode(&scratch.store()), 0o1777);
    assert_eq!(fs::read_dir(scratch.store()).unwrap().count(), 0);
}

#[test]
fn an_opener_is_not_inherited_and_its_end_in_the_child_harms_nobody() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.store()).expect("a store");
    let put = |number| Change::new().put(reservation(number, "web"), Expected::Absent);
    let at = store.commit(&put(1)).expect("a commit");
    let change = put(2);
    let shared = std::mem::ManuallyDrop::new(store);
    // SAFETY: the child only asks what is refused at once, and ends what it has inherited
    match unsafe { fork() }.expect("a child") {
        ForkResult::Child => {
            let is_refused = shared.changes(None) == Err(StoreError::Forked)
                && shared.commit(&change) == Err(StoreError::Forked)
                && shared.is_alive(shared.owner()) == Err(StoreError::Forked);
            drop(std::mem::ManuallyDrop::into_inner(shared));
            // SAFETY: nothing of the parent's is flushed or run
            unsafe { nix::libc::_exit(i32::from(!is_refused)) }
        }
        ForkResult::Parent { child } => {
            let ended = waitpid(child, None).expect("its end");
            assert!(matches!(ended, WaitStatus::Exited(_, 0)), "{ended:?}");
            let store = std::mem::ManuallyDrop::into_inner(shared);
            assert_eq!(store.changes(Some(at)).unwrap().revision, at);
            store.commit(&change).expect("the parent goes on");
            let other = Sqlite::open(scratch.store()).expect("a store");
            assert!(other.is_alive(store.owner()).unwrap());
            drop(store);
            assert_eq!(other.changes(None).unwrap().records.len(), 2);
        }
    }
}
