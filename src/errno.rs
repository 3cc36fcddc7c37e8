//! The kernel's error numbers, with their names and words, without any other crate's type in the
//! public API.

use std::fmt;

/// An error number of the kernel.
///
/// ```
/// use bridgework::Errno;
///
/// assert_eq!(Errno::EEXIST.to_string(), "File exists (EEXIST)");
/// assert_eq!(Errno::EEXIST.raw(), 17);
/// assert_eq!(Errno::from_raw(17), Errno::EEXIST);
/// assert_eq!(Errno::from_raw(4095).to_string(), "errno 4095"); // one that this crate does not know
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

macro_rules! known {
    ($($name:ident: $doc:literal),* $(,)?) => {
        impl Errno {
            $(
                #[doc = $doc]
                pub const $name: Self = Self(nix::errno::Errno::$name as i32);
            )*
        }
    };
}

known! {
    EPERM: "The privilege is missing.",
    ENOENT: "There is no such file.",
    ESRCH: "There is no such process, route or neighbour.",
    EINTR: "A signal came in between.",
    EIO: "The device did not answer.",
    EAGAIN: "Not at this moment.",
    ENOMEM: "The kernel has no memory for it.",
    EACCES: "The file's mode forbids it.",
    EBUSY: "Somebody else holds it.",
    EEXIST: "It is there already.",
    ENODEV: "There is no such link.",
    EINVAL: "The kernel does not take the request as it is.",
    ENFILE: "The kernel has no file descriptor left for anybody.",
    EMFILE: "The process has no file descriptor left.",
    ENOSPC: "The disk is full.",
    EXFULL: "The bridge has no port left.",
    EMSGSIZE: "The message is longer than the socket's buffer.",
    ENOBUFS: "The socket's buffer ran over.",
    EOPNOTSUPP: "This kernel, or this kind of link, can not do it.",
    EPROTONOSUPPORT: "The protocol is not in this kernel.",
    EAFNOSUPPORT: "The address family is not in this kernel.",
    EADDRINUSE: "Somebody's socket has the address and port.",
    EADDRNOTAVAIL: "The interface does not have the address.",
    ENETDOWN: "The link is down.",
    ENETUNREACH: "No route leads there.",
    EHOSTUNREACH: "The next hop is not on the link.",
    ESOCKTNOSUPPORT: "Sockets of this kind are not in this kernel.",
    ERESTART: "Something has changed in between.",
    ETIMEDOUT: "The deadline passed.",
}

impl Errno {
    /// The error with this number, as in `EPERM` = 1.
    #[must_use]
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// Whether rtnetlink says by it that the link, route or address is not there. What is gone
    /// already needs no undoing.
    #[must_use]
    pub(crate) fn is_absence(self) -> bool {
        [Self::ENODEV, Self::ESRCH, Self::EADDRNOTAVAIL].contains(&self)
    }
}

impl From<nix::errno::Errno> for Errno {
    fn from(errno: nix::errno::Errno) -> Self {
        Self(errno as i32)
    }
}

impl From<&std::io::Error> for Errno {
    fn from(error: &std::io::Error) -> Self {
        error.raw_os_error().map_or(Self::EIO, Self)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match nix::errno::Errno::from_raw(self.0) {
            nix::errno::Errno::UnknownErrno => write!(f, "errno {}", self.0),
            known => write!(f, "{} ({known:?})", known.desc()),
        }
    }
}
