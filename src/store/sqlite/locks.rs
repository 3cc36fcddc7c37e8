//! Locks that processes hold on single bytes of a file, and that the kernel takes back when they die.
//! They are of the open file (`F_OFD_SETLK` in fcntl(2)), so that several openers in one process are
//! strangers to each other, and they mean the same in every pid namespace.

use std::fs::File;
use std::io::{Error, Result};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::place;
use crate::record::OwnerId;
use crate::store::StoreError;

/// Owners' numbers are below this: as many as a number in JSON is exact for.
const OWNERS_MAX: u64 = 1 << 48;

/// A file whose bytes are locked. What is in it means nothing.
#[derive(Debug)]
pub(super) struct Locks(File);

impl Locks {
    /// Those of the file at that path, which is made if it is not there.
    pub(super) fn open(path: &Path) -> std::result::Result<Self, StoreError> {
        place::open_own(path).map(Self)
    }

    /// Locks the byte; `false` if somebody else has.
    fn try_lock(&self, byte: u64) -> Result<bool> {
        let range = range(libc::F_WRLCK, byte);
        match fcntl(&self.0, FcntlArg::F_OFD_SETLK(&range)) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(errno) => Err(Error::from(errno)),
        }
    }

    /// Whether somebody else has locked the byte.
    fn is_locked(&self, byte: u64) -> Result<bool> {
        let mut range = range(libc::F_WRLCK, byte);
        fcntl(&self.0, FcntlArg::F_OFD_GETLK(&mut range))?;
        Ok(i32::from(range.l_type) != libc::F_UNLCK)
    }

    /// Locks the first byte until `self` is dropped, and waits for others that have it; `false` if
    /// one of them keeps it for so long.
    pub(super) fn wait(&self, patience: Duration) -> Result<bool> {
        let begun = Instant::now();
        while !self.try_lock(0)? {
            if begun.elapsed() > patience {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(true)
    }

    /// Takes a number that no living opener has, and that hardly anybody ever had.
    pub(super) fn take_owner(&self) -> Result<OwnerId> {
        loop {
            // the first byte is left to `wait`
            let owner = OwnerId::new(super::random()? % (OWNERS_MAX - 1) + 1);
            if self.try_lock(owner.number())? {
                return Ok(owner);
            }
        }
    }

    /// Takes that number; `false` if it is taken.
    pub(super) fn take_this_owner(&self, owner: OwnerId) -> Result<bool> {
        self.try_lock(owner.number())
    }

    /// Whether another opener that lives has that number.
    pub(super) fn is_taken(&self, owner: OwnerId) -> Result<bool> {
        if owner.number() >= OWNERS_MAX {
            return Ok(false);
        }
        self.is_locked(owner.number())
    }
}

fn range(kind: i32, byte: u64) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte as libc::off_t,
        l_len: 1,
        l_pid: 0,
    }
}
