//! Where a container's file is, and how to get hold of exactly that file: no symbolic link, no device,
//! nothing outside of the container's root, and nobody else at work on it. Not a word about text.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::Result;
use nix::errno::Errno as Code;
use nix::fcntl::{
    AT_FDCWD, AtFlags, Flock, FlockArg, OFlag, OpenHow, ResolveFlag, open, openat, openat2,
};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::plan::ContainerFile;

const MODE: Mode = Mode::from_bits_truncate(0o644);
/// How often a file may turn out to be another one than we have locked.
const MAX_ATTEMPTS: u32 = 64;
const POLL: Duration = Duration::from_millis(1);

/// A directory that was reached safely, and a name in it.
pub(super) struct Place {
    directory: OwnedFd,
    name: OsString,
}

/// A regular file that was at the place once its lock was ours.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: Flock<File>,
    pub(super) presence: Presence,
}

/// Whether the file was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Made,
    Found,
}

impl Place {
    /// `ENOENT` if the directory is not there.
    pub(super) fn of(file: &ContainerFile) -> Result<Self> {
        match file {
            ContainerFile::At(path) => {
                let name = path.file_name().ok_or(Code::EINVAL)?.to_owned();
                let parent = path.parent().filter(|path| path != &Path::new(""));
                let directory = open_directory(parent.unwrap_or(Path::new(".")))?;
                Ok(Self { directory, name })
            }
            ContainerFile::InRoot { root, file } => {
                let how = OpenHow::new().flags(directory_flags()).resolve(
                    ResolveFlag::RESOLVE_IN_ROOT
                        | ResolveFlag::RESOLVE_NO_SYMLINKS
                        | ResolveFlag::RESOLVE_NO_MAGICLINKS,
                );
                let root = open_directory(root)?;
                let directory = retry(|| openat2(&root, "etc", how))?;
                let name = OsString::from(file.name());
                Ok(Self { directory, name })
            }
        }
    }

    /// The file, if there is one.
    pub(super) fn open_locked(&self, patience: Duration) -> Result<Option<Opened>> {
        for _ in 0..MAX_ATTEMPTS {
            let Some(file) = self.open()? else {
                return Ok(None);
            };
            let opened = self.lock(file, Presence::Found, patience)?;
            if opened.is_some() {
                return Ok(opened);
            }
        }
        Err(Code::EBUSY)
    }

    /// The file, made if there is none.
    pub(super) fn make_locked(&self, patience: Duration) -> Result<Opened> {
        for _ in 0..MAX_ATTEMPTS {
            if let Some(opened) = self.open_locked(patience)? {
                return Ok(opened);
            }
            let Some(file) = self.create()? else {
                continue;
            };
            if let Some(opened) = self.lock(file, Presence::Made, patience)? {
                return Ok(opened);
            }
        }
        Err(Code::EBUSY)
    }

    /// Removes the name. If it is gone already, that is done.
    pub(super) fn unlink(&self) -> Result<()> {
        let unlink = || unlinkat(&self.directory, &*self.name, UnlinkatFlags::NoRemoveDir);
        match retry(unlink) {
            Err(Code::ENOENT) => Ok(()),
            done => done,
        }
    }

    /// Opens what is there only once it is known to be a regular file: to open a device may
    /// already be an effect.
    pub(super) fn open(&self) -> Result<Option<File>> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let path = || openat(&self.directory, &*self.name, flags, Mode::empty());
        let found = match retry(path) {
            Err(Code::ENOENT) => return Ok(None),
            found => found?,
        };
        check_regular(&fstat(&found)?)?;
        let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let link = PathBuf::from(format!("/proc/thread-self/fd/{}", found.as_raw_fd()));
        let file = retry(|| open(&link, flags, Mode::empty()))?;
        Ok(Some(File::from(file)))
    }

    /// `None` if there is one by now.
    fn create(&self) -> Result<Option<File>> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let file = match retry(|| openat(&self.directory, &*self.name, flags, MODE)) {
            Err(Code::EEXIST) => return Ok(None),
            file => file?,
        };
        // the process's umask is not the container's
        fchmod(&file, MODE)?;
        Ok(Some(File::from(file)))
    }

    /// `None` if the place has another file by the time that the lock is ours.
    pub(super) fn lock(
        &self,
        file: File,
        presence: Presence,
        patience: Duration,
    ) -> Result<Option<Opened>> {
        let file = lock(file, patience)?;
        let here = fstatat(&self.directory, &*self.name, AtFlags::AT_SYMLINK_NOFOLLOW);
        let same = match here {
            Err(Code::ENOENT) => false,
            here => is_same(&here?, &fstat(&*file)?),
        };
        Ok(same.then_some(Opened { file, presence }))
    }
}

fn directory_flags() -> OFlag {
    OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC
}

fn open_directory(path: &Path) -> Result<OwnedFd> {
    retry(|| openat(AT_FDCWD.as_fd(), path, directory_flags(), Mode::empty()))
}

fn check_regular(stat: &FileStat) -> Result<()> {
    match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => Ok(()),
        SFlag::S_IFLNK => Err(Code::ELOOP),
        SFlag::S_IFDIR => Err(Code::EISDIR),
        _ => Err(Code::EINVAL),
    }
}

fn is_same(a: &FileStat, b: &FileStat) -> bool {
    a.st_dev == b.st_dev && a.st_ino == b.st_ino
}

/// Waits by asking again and again: a wait in the kernel has no end of its own, and a container can
/// hold the lock for ever.
fn lock(mut file: File, patience: Duration) -> Result<Flock<File>> {
    let deadline = Instant::now() + patience;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err((unlocked, Code::EINTR)) => file = unlocked,
            Err((_, Code::EWOULDBLOCK)) if Instant::now() >= deadline => return Err(Code::EBUSY),
            Err((unlocked, Code::EWOULDBLOCK)) => {
                file = unlocked;
                thread::sleep(POLL);
            }
            Err((_, code)) => return Err(code),
        }
    }
}

fn retry<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Code::EINTR) => {}
            done => return done,
        }
    }
}
