//! Names of namespaces, as `ip netns` has them.

use std::ffi::OsStr;
use std::fs::{DirBuilder, OpenOptions};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::{NAMED, Netns, refused};
use crate::addr::ContainerName;
use crate::errno::Errno;
use crate::error::Result;

impl Netns {
    /// Gives the namespace a name in `/run/netns`, so that it outlives this process and
    /// `ip -n NAME` reaches it. [`unpin`](Self::unpin) takes the name away. A container that is connected
    /// or [kept](crate::Host::keep) by this handle from then on is found there by other processes.
    ///
    /// ```no_run
    /// use bridgework::Netns;
    ///
    /// let (netns, name) = (Netns::create()?, "lab".parse()?);
    /// let path = netns.pin(&name)?;
    /// assert_eq!(path, std::path::Path::new("/run/netns/lab"));
    /// assert_eq!(Netns::named(&name)?, netns);
    /// Netns::unpin(&name)?; // it goes with the last handle again
    /// assert!(Netns::named(&name).unwrap_err().is_not_found());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// The name is taken ([`Error::is_exists`](crate::Error::is_exists)), or `CAP_SYS_ADMIN` is missing.
    pub fn pin(&self, name: &ContainerName) -> Result<PathBuf> {
        let path = Path::new(NAMED).join(name.as_str());
        let failed =
            |errno: Errno| refused("pin network namespace", &path.to_string_lossy(), errno);
        let made = DirBuilder::new().recursive(true).mode(0o755).create(NAMED);
        made.map_err(|error| failed(Errno::from(&error)))?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o444)
            .open(&path);
        file.map_err(|error| failed(Errno::from(&error)))?;
        let source = format!("/proc/self/fd/{}", self.as_fd().as_raw_fd());
        let no_words: Option<&OsStr> = None;
        let bound = mount(
            Some(source.as_str()),
            &path,
            no_words,
            MsFlags::MS_BIND,
            no_words,
        );
        if let Err(errno) = bound {
            let _unbound_name = std::fs::remove_file(&path);
            return Err(failed(errno.into()));
        }
        self.is_found_at(&path);
        Ok(path)
    }

    /// Takes a name away again. If it is gone already, that is done.
    ///
    /// # Errors
    /// `CAP_SYS_ADMIN` is missing.
    pub fn unpin(name: &ContainerName) -> Result<()> {
        let path = Path::new(NAMED).join(name.as_str());
        let failed = |errno| refused("unpin network namespace", &path.to_string_lossy(), errno);
        match umount2(&path, MntFlags::MNT_DETACH) {
            Ok(()) | Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOENT) => {}
            Err(errno) => return Err(failed(errno.into())),
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(failed(Errno::from(&error)))
            }
            _ => Ok(()),
        }
    }
}
