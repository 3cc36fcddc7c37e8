//! Where a namespace is found by others: where it was opened and where it was pinned, as long as that
//! leads to it.

use std::io;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Netns;
use crate::addr::NamespaceId;

/// In the order in which they became known.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<PathBuf>);

impl Places {
    pub(super) fn new(opened: Option<PathBuf>) -> Self {
        Self(opened.into_iter().collect())
    }

    /// The last one by which it is found.
    fn current(&self, identity: NamespaceId) -> Option<&PathBuf> {
        let leads_there = |path: &&PathBuf| leads_to(path, identity).unwrap_or(false);
        self.0.iter().rev().find(leads_there)
    }
}

impl Netns {
    /// Where it can be opened: where it was [pinned](Self::pin) last, or where it was opened, as long as
    /// that leads to it. Else it is below the `/proc` entry of this process, as long as there is a handle
    /// to it; nobody finds it there later.
    ///
    /// ```no_run
    /// use bridgework::Netns;
    ///
    /// let (netns, name) = (Netns::create()?, "lab".parse()?);
    /// assert_eq!(Netns::at(netns.path())?, netns); // at /proc/PID/fd
    /// netns.pin(&name)?;
    /// println!("{} is at {}", netns.label(), netns.path().display());
    /// assert_eq!(netns.path(), std::path::Path::new("/run/netns/lab"));
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let places = self.0.places.lock();
        let place = places.current(self.identity()).cloned();
        place.unwrap_or_else(|| {
            let (process, number) = (std::process::id(), self.as_fd().as_raw_fd());
            PathBuf::from(format!("/proc/{process}/fd/{number}"))
        })
    }

    /// Where another process finds it. Where it is found nowhere by now, that is where it was opened.
    pub(crate) fn place(&self) -> Option<PathBuf> {
        let places = self.0.places.lock();
        let place = places.current(self.identity());
        place.or(places.0.first()).cloned()
    }

    /// It is found there from now on.
    pub(super) fn is_found_at(&self, path: &Path) {
        let mut places = self.0.places.lock();
        places.0.retain(|place| place != path);
        places.0.push(path.to_owned());
    }
}

/// Whether what is at that path has the number of the namespace, which is its own as long as that lives.
pub(crate) fn leads_to(path: &Path, identity: NamespaceId) -> io::Result<bool> {
    match std::fs::metadata(path) {
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(false),
        stat => {
            let stat = stat?;
            Ok((stat.dev(), stat.ino()) == (identity.device(), identity.inode()))
        }
    }
}
