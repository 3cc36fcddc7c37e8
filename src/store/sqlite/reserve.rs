//! Room that is kept for the day when the disk is full: what takes things back must work then. The
//! log needs some, and so does bringing it into the file; after that both are written over in place.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use nix::fcntl::posix_fallocate;

use super::place;
use crate::errno::Errno;
use crate::record::Phase;
use crate::store::{Change, StoreError};

/// In bytes: twice what the log grows to, since what is in it may have to find room in the file.
const ROOM: i64 = 512 * 1024;

/// Whether the change only takes back, so that the room is for it.
pub(super) fn is_for(change: &Change) -> bool {
    change
        .put
        .iter()
        .all(|(record, _)| record.phase == Phase::Going)
}

/// Takes the room, as far as there is any; whether it is kept now.
pub(super) fn keep(path: &Path) -> Result<bool, StoreError> {
    let opened = place::open_own(path);
    if is_lacking(&opened) {
        // no room for the file itself
        return Ok(false);
    }
    let file = opened?;
    let has = |size: u64| i64::try_from(size).is_ok_and(|size| size >= ROOM);
    if file.metadata().is_ok_and(|found| has(found.len())) {
        return Ok(true);
    }
    match posix_fallocate(&file, 0, ROOM) {
        Ok(()) => Ok(true),
        Err(_full) => give(path).map(|_| false),
    }
}

/// Gives the room to others; whether there was any.
pub(super) fn give(path: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(super::failure::of_file("remove", path, &error)),
    }
}

/// Whether the disk is full, by what the store says.
pub(super) fn is_lacking<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::File { errno, .. }) if *errno == Errno::ENOSPC)
}
