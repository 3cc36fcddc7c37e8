//! The directory and its files: made for this user alone whatever the umask is, never followed
//! elsewhere, and moved aside when they are damaged. It must not open the engine's own files: closing
//! them would take away the engine's locks (fcntl(2), "Record locks").

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::sys::stat::{Mode, SFlag, mknod};
use nix::unistd::geteuid;

use super::checksum::checksum;
use crate::store::StoreError;

/// How many damaged files are kept.
const DAMAGED_MAX: usize = 4;
const DAMAGED: &str = "state.sqlite.damaged-";
const OTHERS_MAY_WRITE: u32 = 0o022;

/// Device and inode of a file.
pub(super) type Identity = (u64, u64);

/// The directory of a store.
#[derive(Debug, Clone)]
pub(super) struct Place(PathBuf);

impl Place {
    /// Makes it where it is not there.
    pub(super) fn make(directory: &Path) -> std::result::Result<Self, StoreError> {
        let failed = |error: Error| super::failure::of_file("make", directory, &error);
        make_parents(directory).map_err(failed)?;
        make_directory(directory, 0o700).map_err(failed)?;
        let found = fs::symlink_metadata(directory).map_err(failed)?;
        let refused = |why: &str| {
            let (path, why) = (directory.to_owned(), why.to_owned());
            Err(StoreError::Refused { path, why })
        };
        if !found.is_dir() {
            return refused("it is no directory");
        }
        if found.uid() != geteuid().as_raw() {
            return refused("it is another user's");
        }
        if found.mode() & OTHERS_MAY_WRITE != 0 {
            return refused("others may write to it");
        }
        Ok(Self(directory.to_owned()))
    }

    /// Of where it is, as the file system has it. Never 0.
    pub(super) fn tag(&self) -> u16 {
        let path = fs::canonicalize(&self.0).unwrap_or_else(|_| self.0.clone());
        let [high, low, ..] = checksum(&[path.as_os_str().as_bytes()]).to_be_bytes();
        u16::from_be_bytes([high, low]).max(1)
    }

    /// The directory.
    pub(super) fn directory(&self) -> &Path {
        &self.0
    }

    /// The engine's file.
    pub(super) fn state(&self) -> PathBuf {
        self.0.join("state.sqlite")
    }

    /// The file by which one process at a time opens, or moves aside.
    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// The file by which it is known who lives.
    pub(super) fn owners(&self) -> PathBuf {
        self.0.join("owners")
    }

    /// The file that keeps room for the day when the disk is full.
    pub(super) fn reserve(&self) -> PathBuf {
        self.0.join("reserve")
    }

    /// The engine's own files beside its first.
    fn beside(&self) -> [PathBuf; 2] {
        ["state.sqlite-wal", "state.sqlite-shm"].map(|name| self.0.join(name))
    }

    /// Makes the engine's file, empty, where it is not there, and sees that it and those beside it are
    /// ours alone.
    pub(super) fn make_state(&self) -> std::result::Result<(), StoreError> {
        let path = self.state();
        let failed = |error: Error| super::failure::of_file("make", &path, &error);
        if metadata(&path).map_err(failed)?.is_none() {
            // the log of one that was moved aside would be taken for the new one's
            let mut left = self.beside().into_iter();
            left.try_for_each(|path| accept_absence(fs::remove_file(path)))
                .map_err(failed)?;
        }
        let mode = Mode::from_bits_truncate(0o600);
        match mknod(&path, SFlag::S_IFREG, mode, 0) {
            Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
            Err(errno) => return Err(failed(errno.into())),
        }
        keep_to_oneself(&path)?;
        self.beside()
            .iter()
            .try_for_each(|path| keep_to_oneself(path))
    }

    /// Which file the engine's is; `None` if there is none.
    pub(super) fn identity(&self) -> Result<Option<Identity>> {
        Ok(metadata(&self.state())?.map(|found| (found.dev(), found.ino())))
    }

    /// How large the engine's files are, in bytes.
    pub(super) fn size(&self) -> Result<u64> {
        let [log, _] = self.beside();
        let sizes = [metadata(&self.state())?, metadata(&log)?];
        Ok(sizes.iter().flatten().map(Metadata::len).sum())
    }

    /// Moves the engine's files aside, so that new ones can be made, and returns where the first is
    /// now. Of those that were moved before, the oldest go.
    pub(super) fn move_aside(&self) -> Result<PathBuf> {
        let mut numbers = self.damaged_numbers()?;
        let next = numbers.last().map_or(1, |last| last.saturating_add(1));
        let aside = self.0.join(format!("{DAMAGED}{next}"));
        // the log last: without it the file would be an older one, and whole
        accept_absence(fs::rename(self.state(), &aside))?;
        for (path, end) in self.beside().iter().zip(["-wal", "-shm"]) {
            let aside = self.0.join(format!("{DAMAGED}{next}{end}"));
            accept_absence(fs::rename(path, aside))?;
        }
        numbers.push(next);
        let surplus = numbers.len().saturating_sub(DAMAGED_MAX);
        for number in numbers.iter().take(surplus) {
            for end in ["", "-wal", "-shm"] {
                let path = self.0.join(format!("{DAMAGED}{number}{end}"));
                accept_absence(fs::remove_file(path))?;
            }
        }
        Ok(aside)
    }

    /// The numbers of those that were moved aside, in ascending order.
    fn damaged_numbers(&self) -> Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(DAMAGED));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// Opens a file that is ours alone, and makes it where it is not there.
pub(super) fn open_own(path: &Path) -> std::result::Result<File, StoreError> {
    let failed = |error: Error| super::failure::of_file("open", path, &error);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // it is looked at first, since opening what is no file may have effects
    keep_to_oneself(path)?;
    let file = options
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(failed)?;
    keep_to_oneself(path)?;
    Ok(file)
}

/// Sees that a file, if it is there, is ours and nobody else's to read or write.
fn keep_to_oneself(path: &Path) -> std::result::Result<(), StoreError> {
    let failed = |error: Error| super::failure::of_file("look at", path, &error);
    let Some(found) = metadata(path).map_err(failed)? else {
        return Ok(());
    };
    if let Some(why) = wrong_with(&found) {
        let (path, why) = (path.to_owned(), why.to_owned());
        return Err(StoreError::Refused { path, why });
    }
    if found.mode() & 0o777 != 0o600 {
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
    }
    Ok(())
}

fn wrong_with(found: &Metadata) -> Option<&'static str> {
    if !found.is_file() {
        return Some("it is no regular file");
    }
    if found.uid() != geteuid().as_raw() {
        return Some("it is another user's");
    }
    (found.nlink() > 1).then_some("it has other names")
}

fn metadata(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn accept_absence(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn make_parents(directory: &Path) -> Result<()> {
    let missing = directory.ancestors().skip(1);
    let missing = missing.take_while(|path| !path.as_os_str().is_empty() && !path.exists());
    let missing: Vec<&Path> = missing.collect();
    missing
        .into_iter()
        .rev()
        .try_for_each(|path| make_directory(path, 0o755))
}

/// mkdir(2) takes away what the umask says, and nothing else.
fn make_directory(path: &Path, mode: u32) -> Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)),
    }
}
