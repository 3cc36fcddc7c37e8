//! Hosts files and other files of containers, changed in place: a container may have the very file
//! bind-mounted, so it is never replaced by another. What the bytes shall be is `resolver`'s decision.
//!
//! A container can write to its own hosts file, lock it, or put anything else in its place. It
//! must neither lead us to another file, nor hold us up for long, nor make us read without end.

mod place;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use nix::errno::Errno as Code;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use self::place::{Opened, Place, Presence};
use crate::errno::Errno;
use crate::plan::{ContainerFile, FileOrigin, FileWrite, HostsEdit};
use crate::resolver::{Change, change, edit, is_line};

/// A file that is larger is no hosts file, and none that we have written.
const MAX_BYTES: usize = 1 << 20;
/// How long we wait for another editor. Ours are done within a millisecond; a container that keeps
/// the lock on its own file gets no further than this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Performs `request`: the lines that go, then the lines that come, in one change.
///
/// A file that is not there is made for lines that come, with mode 0644, but no directory is; where
/// lines only go, its absence is success. A file that was made stays, empty, when its lines go.
///
/// # Errors
///
/// `EINVAL` for what is not one line, or a file that is not regular; `EISDIR` for a directory;
/// `ELOOP` for a symbolic link; `EFBIG` for more than 1 MiB; `EBUSY` if somebody else keeps the
/// file locked, or keeps exchanging it; and what the kernel says. The file is then as it was, as
/// far as the kernel lets it be.
pub(crate) fn edit_hosts(request: &HostsEdit) -> Result<(), Errno> {
    let HostsEdit { file, remove, add } = request;
    if !remove.iter().chain(add).all(|line| is_line(line)) {
        return Err(Errno::EINVAL);
    }
    let place = match Place::of(&file.clone().into()) {
        Err(Code::ENOENT) if add.is_empty() => return Ok(()),
        place => place?,
    };
    let opened = if add.is_empty() {
        place.open_locked(PATIENCE)?
    } else {
        Some(place.make_locked(PATIENCE)?)
    };
    let Some(opened) = opened else {
        return Ok(());
    };
    let done = read(&opened.file).and_then(|old| {
        let new = edit(&old, remove, add);
        write(&opened.file, &old, &new)
    });
    keep(&place, &opened, done)
}

/// Performs `request`, if the file is its user's no more than [`FileWrite`] says. A symbolic link, a
/// directory or a device in its place is its user's.
///
/// # Errors
///
/// `EFBIG` for a text of more than 1 MiB; `EBUSY` and all else as for [`edit_hosts`].
pub(crate) fn write_file(request: &FileWrite) -> Result<(), Errno> {
    let FileWrite { file, text, former } = request;
    let place = match Place::of(file) {
        Err(Code::ENOENT) if text.is_empty() => return Ok(()),
        Err(code) if is_no_file(code) => return Ok(()),
        place => place?,
    };
    let opened = if text.is_empty() {
        place.open_locked(PATIENCE)
    } else {
        place.make_locked(PATIENCE).map(Some)
    };
    let opened = match opened {
        Ok(Some(opened)) => opened,
        Ok(None) => return Ok(()),
        Err(code) if is_no_file(code) => return Ok(()),
        Err(code) => return Err(code.into()),
    };
    let done = match read(&opened.file) {
        Ok(old) if old.is_empty() || old == former.as_bytes() => {
            write(&opened.file, &old, text.as_bytes())
        }
        Err(errno) if errno != Errno::from(Code::EFBIG) => Err(errno),
        // it has another text, or one that is longer than any of ours
        Ok(_) | Err(_) => Ok(()),
    };
    keep(&place, &opened, done)
}

/// Whether it says that something other than a regular file is there.
fn is_no_file(code: Code) -> bool {
    [Code::ELOOP, Code::EISDIR, Code::EINVAL].contains(&code)
}

/// Whether a symbolic link stands there, or on the way below a container's root.
pub(crate) fn is_link(file: &ContainerFile) -> bool {
    let found = Place::of(file).and_then(|place| place.open());
    found.is_err_and(|code| code == Code::ELOOP)
}

/// Writes `base` into a file that is not there or is empty. It is made also where `base` is empty.
///
/// # Errors
///
/// As for [`edit_hosts`].
pub(crate) fn create_file<F>(file: &F, base: &str) -> Result<FileOrigin, Errno>
where
    F: Clone + Into<ContainerFile>,
{
    let place = Place::of(&file.clone().into())?;
    let opened = place.make_locked(PATIENCE)?;
    let old = read(&opened.file)?;
    if !old.is_empty() {
        return Ok(FileOrigin::Found);
    }
    let done = write(&opened.file, &old, base.as_bytes());
    keep(&place, &opened, done)?;
    Ok(match opened.presence {
        Presence::Made => FileOrigin::Created,
        Presence::Found => FileOrigin::Filled,
    })
}

/// Takes back what [`create_file`] did, if the file still has exactly the text `base`. If it is
/// gone, or has another text by now, that is done.
///
/// # Errors
///
/// As for [`edit_hosts`].
pub(crate) fn remove_file<F>(file: &F, base: &str, origin: FileOrigin) -> Result<(), Errno>
where
    F: Clone + Into<ContainerFile>,
{
    let place = match Place::of(&file.clone().into()) {
        Err(Code::ENOENT) => return Ok(()),
        place => place?,
    };
    let Some(opened) = place.open_locked(PATIENCE)? else {
        return Ok(());
    };
    if read(&opened.file)? != base.as_bytes() {
        return Ok(());
    }
    match origin {
        FileOrigin::Created => Ok(place.unlink()?),
        FileOrigin::Filled => cut(&opened.file, 0).map_err(|error| Errno::from(&error)),
        FileOrigin::Found => Ok(()),
    }
}

/// A file that was made in vain goes again.
fn keep(place: &Place, opened: &Opened, done: Result<(), Errno>) -> Result<(), Errno> {
    if done.is_err() && opened.presence == Presence::Made {
        // the first error is the one to tell
        let _ = place.unlink();
    }
    done
}

fn read(file: &File) -> Result<Vec<u8>, Errno> {
    let mut text = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    file.take(limit)
        .read_to_end(&mut text)
        .map_err(|error| Errno::from(&error))?;
    if text.len() > MAX_BYTES {
        return Err(Code::EFBIG.into());
    }
    Ok(text)
}

/// Makes `old`, which the file has, into `new` so that no reader finds it empty or without the
/// bytes before the first that changes.
fn write(file: &File, old: &[u8], new: &[u8]) -> Result<(), Errno> {
    if new.len() > MAX_BYTES {
        return Err(Code::EFBIG.into());
    }
    let done = match change(old, new) {
        Change::None => Ok(()),
        Change::Append(bytes) => append(file, bytes).inspect_err(|_| {
            let _ = cut(file, old.len());
        }),
        Change::Cut(size) => cut(file, size),
        Change::Rewrite { at, bytes, size } => rewrite(file, at, &bytes, size).inspect_err(|_| {
            let (_, tail) = old.split_at(at);
            let _ = rewrite(file, at, tail, old.len());
        }),
    };
    done.map_err(|error| Errno::from(&error))
}

/// One write at what is the end by then, whoever else has written in between.
fn append(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    fcntl(file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    file.write_all(bytes)
}

fn rewrite(file: &File, at: usize, bytes: &[u8], size: usize) -> io::Result<()> {
    file.write_all_at(bytes, at as u64)?;
    cut(file, size)
}

fn cut(file: &File, size: usize) -> io::Result<()> {
    file.set_len(size as u64)
}
