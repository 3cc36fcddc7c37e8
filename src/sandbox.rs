//! A private machine for tests, examples and benches: after [`enter`], the process has a network
//! of its own with nothing in it, and may make namespaces, bridges and addresses as it likes.
//!
//! Nothing of the machine's own network can be seen or touched from then on.

#[cfg(test)]
mod tests;

use std::fs;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

use crate::errno::Errno;
use crate::error::{Error, Fault, Result};
use crate::netlink::{link, socket::NetlinkSocket};

/// Moves the process into a network and mount namespace of its own, as an ordinary user also into
/// a user namespace in which it is root. `lo` is up; `/run` is empty, so that `ip netns` can be
/// used in it.
///
/// It must be called before the process starts any thread: at the top of `main`, or, in a test
/// binary, before the test harness runs (README, "Test fixtures"). It can't be left again; it
/// ends with the process, and with it all that was made inside.
///
/// # Errors
/// What is missing, and how to get it: an ordinary user needs user namespaces
/// ([`Error::is_permission`]), and there may be no other thread ([`Error::is_invalid`]).
///
/// ```no_run
/// fn main() -> Result<(), bridgework::Error> {
///     bridgework::sandbox::enter()?;
///     let host = bridgework::Host::open()?; // the machine's own network is out of reach
///     Ok(())
/// }
/// ```
pub fn enter() -> Result<()> {
    let (user, group) = (getuid(), getgid());
    let own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
    match unshare(own) {
        Ok(()) => {}
        Err(nix::errno::Errno::EPERM) => {
            unshare(own | CloneFlags::CLONE_NEWUSER).map_err(|e| no_user_namespace(e.into()))?;
            become_root(user.as_raw(), group.as_raw())?;
        }
        Err(errno) => return Err(failed("unshare the network", errno.into())),
    }
    own_mounts()?;
    let mut socket = NetlinkSocket::route().map_err(|errno| failed("open netlink", errno))?;
    let raised = socket.call(link::raise_loopback());
    raised.map_err(|refusal| without("CAP_NET_ADMIN", "set lo up", refusal.errno))
}

/// user_namespaces(7): one id is mapped, and groups must be denied before.
fn become_root(user: u32, group: u32) -> Result<()> {
    let write = |path: &str, text: String| {
        fs::write(path, text).map_err(|error| failed(&format!("write {path}"), Errno::from(&error)))
    };
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/gid_map", format!("0 {group} 1"))
}

fn own_mounts() -> Result<()> {
    let nothing: Option<&str> = None;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(nothing, "/", nothing, private, nothing)
        .map_err(|errno| failed("make mounts private", errno.into()))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(
        Some("tmpfs"),
        "/run",
        Some("tmpfs"),
        flags,
        Some("mode=755"),
    )
    .map_err(|errno| failed("mount a tmpfs on /run", errno.into()))
}

const ATTEMPT: &str = "enter the sandbox";

fn failed(doing: &str, errno: Errno) -> Error {
    without("CAP_SYS_ADMIN", doing, errno)
}

fn without(capability: &'static str, doing: &str, errno: Errno) -> Error {
    let fault = match errno {
        Errno::EPERM | Errno::EACCES => Fault::Privilege {
            capability,
            why: format!(
                "{doing}: run as root, or where user namespaces are not restricted (a container's \
                 seccomp profile, kernel.apparmor_restrict_unprivileged_userns)"
            ),
        },
        errno => Fault::Kernel {
            doing: doing.to_owned(),
            errno,
            words: None,
        },
    };
    Error::of(ATTEMPT, vec![fault])
}

fn no_user_namespace(errno: Errno) -> Error {
    let fault = match errno {
        // unshare(2): CLONE_NEWUSER in a process with more than one thread
        Errno::EINVAL => Fault::Conflicting(
            "a user namespace and more than one thread: enter before any thread starts".to_owned(),
        ),
        Errno::ENOSPC => Fault::Privilege {
            capability: "user namespaces",
            why: "raise user.max_user_namespaces with sysctl, or run as root".to_owned(),
        },
        _ => Fault::Privilege {
            capability: "CAP_SYS_ADMIN",
            why: format!(
                "unprivileged user namespaces are not allowed here ({errno}): set \
                 kernel.unprivileged_userns_clone=1 or \
                 kernel.apparmor_restrict_unprivileged_userns=0 with sysctl, or run as root"
            ),
        },
    };
    Error::of(ATTEMPT, vec![fault])
}
