//! Which network namespace one is.

use std::fmt;

/// Which network namespace one is, as long as the machine is up: the kernel gives numbers of files again
/// as soon as a namespace is gone, and cookies never.
///
/// ```
/// use bridgework::NamespaceId;
///
/// let (before, after) = (NamespaceId::new(4, 4_026_532_177, 160), NamespaceId::new(4, 4_026_532_177, 161));
/// assert_ne!(before, after); // one that was made when the other was gone
/// assert_eq!((before.device(), before.inode()), (after.device(), after.inode())); // and looks the same
/// assert_eq!((before.cookie(), after.cookie()), (160, 161));
/// assert_eq!(after.to_string(), "net:[4026532177] 161");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NamespaceId {
    device: u64,
    inode: u64,
    cookie: u64,
}

impl NamespaceId {
    /// Of the file system and the number of the file that stands for it, and the kernel's cookie, which
    /// is 0 where it tells none (before Linux 5.14).
    #[must_use]
    pub const fn new(device: u64, inode: u64, cookie: u64) -> Self {
        Self {
            device,
            inode,
            cookie,
        }
    }

    /// The file system of the files that stand for namespaces.
    #[must_use]
    pub const fn device(self) -> u64 {
        self.device
    }

    /// The number by which `/proc` shows it, as in `net:[4026531840]`. Another namespace may have it as
    /// soon as this one is gone.
    #[must_use]
    pub const fn inode(self) -> u64 {
        self.inode
    }

    /// What no other has had since the machine was started (socket(7): `SO_NETNS_COOKIE`).
    #[must_use]
    pub const fn cookie(self) -> u64 {
        self.cookie
    }
}

impl fmt::Display for NamespaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net:[{}] {}", self.inode, self.cookie)
    }
}
