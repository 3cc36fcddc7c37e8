//! What goes wrong, in the store's words: which of the engine's refusals mean that the file is
//! damaged, that the disk is full, that others are in the way.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_CORRUPTFS, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_SHORT_READ};

use crate::errno::Errno;
use crate::store::StoreError;

/// Why a statement, or what a statement has found, is not as it must be.
#[derive(Debug)]
pub(super) enum Failure {
    /// The engine refuses.
    Engine(rusqlite::Error),
    /// What was read is not what was written.
    Damage(String),
    /// The file is of a format that is not known here.
    TooNew {
        /// The format that it has.
        found: u32,
        /// The newest one that is known here.
        known: u32,
    },
    /// The change is refused.
    Refusal(StoreError),
}

pub(super) type Result<T> = std::result::Result<T, Failure>;

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refusal(error)
    }
}

impl Failure {
    /// As an error of the store in that file.
    pub(super) fn of(self, doing: &'static str, path: &Path) -> StoreError {
        match self {
            Self::Engine(error) => of_engine(doing, path, &error),
            Self::Damage(words) => damaged(path, words),
            Self::TooNew { found, known } => StoreError::TooNew {
                path: path.to_owned(),
                found,
                known,
            },
            Self::Refusal(error) => error,
        }
    }

    /// Whether the engine says that others are in the way of a claim.
    pub(super) fn is_constraint(&self) -> bool {
        let Self::Engine(error) = self else {
            return false;
        };
        error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
    }
}

/// An error of the kernel's.
pub(super) fn of_file(doing: &'static str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::File {
        doing,
        path: path.to_owned(),
        errno: Errno::from(error),
        words: None,
    }
}

pub(super) fn damaged(path: &Path, words: String) -> StoreError {
    let path = path.to_owned();
    StoreError::Damaged { path, words }
}

fn of_engine(doing: &'static str, path: &Path, error: &rusqlite::Error) -> StoreError {
    let words = error.to_string();
    let rusqlite::Error::SqliteFailure(code, _) = error else {
        // a column that has not what its name says
        return damaged(path, words);
    };
    let errno = match code.code {
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed => {
            let path = path.to_owned();
            return StoreError::Locked { path };
        }
        ErrorCode::DiskFull => nix::errno::Errno::ENOSPC,
        ErrorCode::OutOfMemory => nix::errno::Errno::ENOMEM,
        ErrorCode::PermissionDenied => nix::errno::Errno::EACCES,
        ErrorCode::ReadOnly => nix::errno::Errno::EROFS,
        ErrorCode::CannotOpen => nix::errno::Errno::EIO,
        ErrorCode::SystemIoFailure => match code.extended_code {
            SQLITE_IOERR_SHMSIZE => nix::errno::Errno::ENOSPC,
            SQLITE_IOERR_SHORT_READ | SQLITE_IOERR_CORRUPTFS => return damaged(path, words),
            _ => nix::errno::Errno::EIO,
        },
        // also what no statement of ours can mean: a table is not there, or is another one
        _ => return damaged(path, words),
    };
    StoreError::File {
        doing,
        path: path.to_owned(),
        errno: errno.into(),
        words: Some(words),
    }
}
