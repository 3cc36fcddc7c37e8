//! Network namespaces: made, found, entered. A namespace is entered only by threads of the crate's
//! own, which end there; the caller's thread never leaves where it is.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{FsType, fstatfs};

use parking_lot::Mutex;

use self::inside::{enter, is_current, on_own_thread};
use super::doorway::Doorway;
use crate::addr::{ContainerName, NamespaceId};
use crate::errno::Errno;
use crate::error::{Error, Fault, Result};
use crate::kernel::Kernel;
use crate::netlink::socket::nft::NftSocket;
use crate::snapshot::Snapshot;

pub(crate) use self::held::held;
pub(crate) use self::inside::{Visit, small_thread};
use self::places::Places;
pub(crate) use self::places::leads_to;
pub(crate) use self::whereabouts::Whereabouts;

mod held;
mod inside;
mod pin;
mod places;
mod whereabouts;

/// uapi/linux/magic.h: NSFS_MAGIC
const NSFS: FsType = FsType(0x6e73_6673);

/// Where iproute2 keeps names for namespaces.
const NAMED: &str = "/run/netns";

/// An open network namespace.
///
/// It holds a descriptor, which keeps the namespace alive, and until it is first used three more; a
/// clone shares them. When the last one is
/// dropped, no process is in the namespace and no name is [pinned](Self::pin) to it, the kernel
/// takes the namespace down with all links in it. To keep it on purpose, pin it.
///
/// ```no_run
/// use bridgework::Netns;
/// use std::net::UdpSocket;
///
/// let netns = Netns::create()?; // needs CAP_SYS_ADMIN
/// // the socket stays in the namespace, whoever uses it
/// let socket = netns.run(|| UdpSocket::bind("127.0.0.1:0"))?;
/// assert_eq!(netns.inode(), netns.identity().inode());
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Clone)]
pub struct Netns(Arc<Open>);

struct Open {
    descriptor: OwnedFd,
    label: String,
    places: Mutex<Places>,
    identity: NamespaceId,
    process: u32,
    /// Whoever enters to see what the descriptor stands for brings this back, so that the first
    /// who wants to change something inside need not enter again.
    doorway: Mutex<Option<Doorway>>,
    /// So does whoever enters to open the sockets that a redirect leads to.
    nft: Mutex<Option<NftSocket>>,
}

impl Netns {
    /// A new namespace. In it is only `lo`, down.
    ///
    /// # Errors
    /// `CAP_SYS_ADMIN` is missing ([`Error::is_permission`]), or namespaces or descriptors have run out.
    ///
    /// ```no_run
    /// use bridgework::Netns;
    ///
    /// let links = Netns::create()?.snapshot()?.links;
    /// assert_eq!(links.len(), 1); // lo, which is down
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn create() -> Result<Self> {
        let label = "a new namespace";
        let nowhere = None;
        let made = on_own_thread("create network namespace", || {
            unshare(CloneFlags::CLONE_NEWNET)?;
            let file = File::open(OWN_NAMESPACE).map_err(|error| raw(&error))?;
            let doorway = Doorway::open();
            Ok((
                file,
                doorway.map_err(|errno| nix::errno::Errno::from_raw(errno.raw()))?,
            ))
        })?;
        let (file, doorway) =
            made.map_err(|errno| refused("create network namespace", label, errno))?;
        Self::of_file(file, (label.to_owned(), nowhere), doorway)
    }

    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// `/proc` is not mounted, or descriptors have run out.
    pub fn current() -> Result<Self> {
        // not /proc/self: that is the main thread's
        Self::open(
            Path::new(OWN_NAMESPACE),
            "the caller's namespace".to_owned(),
        )
    }

    /// The namespace of a process.
    ///
    /// # Errors
    /// There is no such process ([`Error::is_not_found`]), or it may not be looked at
    /// ([`Error::is_permission`]: `CAP_SYS_PTRACE`).
    ///
    /// ```no_run
    /// use bridgework::Netns;
    ///
    /// assert_eq!(Netns::of_pid(std::process::id())?, Netns::current()?);
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn of_pid(pid: u32) -> Result<Self> {
        Self::open(
            Path::new(&format!("/proc/{pid}/ns/net")),
            format!("process {pid}"),
        )
    }

    /// The namespace that a file stands for.
    ///
    /// # Errors
    /// There is no such file ([`Error::is_not_found`]), or it is something else
    /// ([`Error::is_invalid`]).
    ///
    /// ```no_run
    /// use bridgework::Netns;
    ///
    /// assert_eq!(Netns::at("/proc/self/ns/net")?, Netns::current()?);
    /// assert!(Netns::at("/proc/self/ns/mnt").is_err());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn at(path: impl AsRef<Path>) -> Result<Self> {
        Self::open(path.as_ref(), path.as_ref().display().to_string())
    }

    /// The namespace that a file stood for once, unless the file is gone or stands for another one.
    pub(crate) fn again(path: &Path, identity: NamespaceId) -> Result<Option<Self>> {
        // not opened before it is known: at the end of a path may be anything by now
        let is_it = leads_to(path, identity).map_err(|error| {
            let label = path.display().to_string();
            refused("find network namespace", &label, Errno::from(&error))
        })?;
        if !is_it {
            return Ok(None);
        }
        let found = Self::at(path)?;
        Ok((found.identity() == identity).then_some(found))
    }

    /// The namespace that `ip netns` knows by this name: a file of `/run/netns`.
    ///
    /// # Errors
    /// There is none of that name ([`Error::is_not_found`]).
    pub fn named(name: &ContainerName) -> Result<Self> {
        Self::open(&Path::new(NAMED).join(name.as_str()), name.to_string())
    }

    /// The namespace that a descriptor stands for.
    ///
    /// # Errors
    /// It stands for something else ([`Error::is_invalid`]).
    ///
    /// ```no_run
    /// use bridgework::Netns;
    /// use std::fs::File;
    ///
    /// let netns = Netns::from_fd(File::open("/proc/self/ns/net")?.into())?;
    /// assert_eq!(netns, Netns::current()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_fd(descriptor: OwnedFd) -> Result<Self> {
        Self::from_open(descriptor, ("a descriptor's namespace".to_owned(), None))
    }

    fn open(path: &Path, label: String) -> Result<Self> {
        let attempt = "open network namespace";
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(path);
        let file = file.map_err(|error| refused(attempt, &label, Errno::from(&error)))?;
        let place = (path != Path::new(OWN_NAMESPACE)).then(|| std::path::absolute(path));
        let place = place.transpose();
        let place = place.map_err(|error| refused(attempt, &label, Errno::from(&error)))?;
        Self::from_open(file.into(), (label, place))
    }

    /// Of a descriptor that may be anything: only entering tells, unless it is where the caller is.
    fn from_open(descriptor: OwnedFd, named: (String, Option<PathBuf>)) -> Result<Self> {
        let attempt = "open network namespace";
        let label = &named.0;
        // setns(2) takes a process's descriptor too, which is no namespace
        let kind = fstatfs(&descriptor).map(|stat| stat.filesystem_type());
        let is_namespace = kind == Ok(NSFS);
        if kind.is_ok() && !is_namespace {
            let namespace = label.clone();
            let fault = Fault::NotANamespace { namespace };
            return Err(Error::of(attempt, vec![fault]));
        }
        let failed = |error: Error| error.during(attempt);
        let file = File::from(descriptor);
        let opened = match file.metadata() {
            Ok(stat) if is_namespace && is_current(stat.ino()) => Ok(Doorway::open()),
            _ => enter(
                label,
                || setns(&file, CloneFlags::CLONE_NEWNET),
                Doorway::open,
            ),
        };
        let doorway = opened.and_then(|opened| opened.map_err(|e| refused(attempt, label, e)));
        Self::of_file(file, named, doorway.map_err(failed)?)
    }

    fn of_file(
        file: File,
        (label, place): (String, Option<PathBuf>),
        doorway: Doorway,
    ) -> Result<Self> {
        let attempt = "open network namespace";
        let stat = file
            .metadata()
            .map_err(|e| refused(attempt, &label, Errno::from(&e)))?;
        let cookie = doorway.route.namespace_cookie();
        Ok(Self(Arc::new(Open {
            descriptor: file.into(),
            label,
            places: Mutex::new(Places::new(place)),
            identity: NamespaceId::new(stat.dev(), stat.ino(), cookie),
            process: std::process::id(),
            doorway: Mutex::new(Some(doorway)),
            nft: Mutex::new(None),
        })))
    }

    /// The doorway that was opened when the namespace was looked at, once.
    pub(super) fn take_doorway(&self) -> Option<Doorway> {
        // a socket that was opened before a fork is the parent's too
        let doorway = self.0.doorway.lock().take();
        doorway.filter(|_| self.0.process == std::process::id())
    }

    /// Keeps a socket for the redirect that is about to be made; `None` closes what is kept.
    pub(super) fn keep_nft(&self, socket: Option<NftSocket>) {
        *self.0.nft.lock() = socket;
    }

    /// The socket that is kept for a redirect, once.
    pub(super) fn take_nft(&self) -> Option<NftSocket> {
        let socket = self.0.nft.lock().take();
        socket.filter(|_| self.0.process == std::process::id())
    }

    /// What the namespace has: links, addresses, routes.
    ///
    /// # Errors
    /// `CAP_NET_ADMIN` is missing there, or the kernel refused.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Kernel::new(self.clone())?.snapshot()
    }

    pub(crate) fn downgrade(&self) -> WeakNetns {
        WeakNetns(Arc::downgrade(&self.0))
    }

    /// Which namespace it is, for whoever keeps it in mind longer than a handle to it. Needs no
    /// privilege.
    ///
    /// ```no_run
    /// use bridgework::Netns;
    ///
    /// let before = Netns::create()?.identity(); // it is gone by now
    /// assert_ne!(Netns::create()?.identity(), before);
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[must_use]
    pub fn identity(&self) -> NamespaceId {
        self.0.identity
    }

    /// How people would call it: a name, a path, a process. It is for messages, and promises nothing.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// The number by which the kernel knows it, as in `net:[4026531840]`.
    #[must_use]
    pub fn inode(&self) -> u64 {
        self.0.identity.inode()
    }
}

/// Tells whether anybody still has the namespace open by a handle that it was made from.
#[derive(Clone)]
pub(crate) struct WeakNetns(Weak<Open>);

impl WeakNetns {
    /// One that nobody has open.
    pub(crate) fn of_nobody() -> Self {
        Self(Weak::new())
    }

    /// The namespace, while anybody has it open.
    pub(crate) fn upgrade(&self) -> Option<Netns> {
        self.0.upgrade().map(Netns)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl fmt::Debug for WeakNetns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeakNetns(alive: {})", self.is_alive())
    }
}

const OWN_NAMESPACE: &str = "/proc/thread-self/ns/net";

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.descriptor.as_fd()
    }
}

impl PartialEq for Netns {
    /// Whether both are the same namespace.
    fn eq(&self, other: &Self) -> bool {
        self.0.identity == other.0.identity
    }
}

impl Eq for Netns {}

impl fmt::Debug for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Netns({}, net:[{}])", self.label(), self.inode())
    }
}

fn raw(error: &std::io::Error) -> nix::errno::Errno {
    nix::errno::Errno::from_raw(Errno::from(error).raw())
}

fn refused(attempt: &str, namespace: &str, errno: Errno) -> Error {
    let namespace = namespace.to_owned();
    let fault = match errno {
        Errno::ENOENT | Errno::ESRCH => Fault::NamespaceNotFound { namespace, errno },
        // setns(2): the descriptor does not stand for a namespace of that kind
        Errno::EINVAL => Fault::NotANamespace { namespace },
        Errno::EPERM | Errno::EACCES => Fault::Privilege {
            capability: "CAP_SYS_ADMIN",
            why: format!("{attempt}: run as root, or call sandbox::enter() first"),
        },
        errno => Fault::Kernel {
            doing: namespace,
            errno,
            words: None,
        },
    };
    Error::of(attempt, vec![fault])
}
