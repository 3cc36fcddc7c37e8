//! What one needs to change a namespace from outside of it: a netlink socket and two directories
//! of settings, opened by a thread that was inside.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use super::explain;
use crate::addr::{Family, LinkIndex, LinkName, LinkSysctl};
use crate::errno::Errno;
use crate::error::Result;
use crate::netlink::frame::Refusal;
use crate::netlink::socket::NetlinkSocket;
use crate::netlink::{address, link, policy, read, route};
use crate::plan::{Ipv6Conf, PolicyRule, Sysctl};
use crate::snapshot::{Snapshot, View};

#[derive(Debug)]
pub(super) struct Doorway {
    pub(super) route: NetlinkSocket,
    /// `net/ipv4/conf`. A directory below `conf` belongs to its namespace, so that its files can
    /// be opened from anywhere; one above is looked up anew in the caller's.
    ipv4: std::result::Result<OwnedFd, Errno>,
    ipv6: std::result::Result<OwnedFd, Errno>,
}

impl Doorway {
    /// Into the namespace of the calling thread.
    pub(super) fn open() -> std::result::Result<Self, Errno> {
        Ok(Self {
            route: NetlinkSocket::route()?,
            ipv4: open_directory("/proc/sys/net/ipv4/conf"),
            ipv6: open_directory("/proc/sys/net/ipv6/conf"),
        })
    }

    /// The routing policy's rules that bear our mark.
    pub(super) fn policy(&mut self) -> std::result::Result<Vec<PolicyRule>, Refusal> {
        let mut rules = self.route.dump(policy::dump(Family::V4), &policy::RULE)?;
        rules.extend(self.route.dump(policy::dump(Family::V6), &policy::RULE)?);
        Ok(rules)
    }

    pub(super) fn check_privilege(&mut self) -> Result<()> {
        match self.route.call(link::probe_privilege()) {
            Err(refusal) if refusal.errno == Errno::EPERM => {
                Err(explain::plain("change the network", refusal))
            }
            // it names no link, and is refused for that alone
            _ => Ok(()),
        }
    }

    pub(super) fn snapshot(&mut self) -> std::result::Result<Snapshot, Refusal> {
        let route = &mut self.route;
        let mut snapshot = Snapshot {
            links: route.dump(link::dump(), &read::LINK)?,
            addresses: route.dump(address::dump(), &read::ADDRESS)?,
            routes: route.dump(route::dump(), &read::ROUTE)?,
            settings: Vec::new(),
        };
        snapshot.links.sort_by_key(|link| link.index);
        // of a link that changed while it was read, what was read last
        snapshot.links.reverse();
        snapshot.links.dedup_by_key(|link| link.index);
        snapshot.links.reverse();
        snapshot.addresses.sort();
        snapshot.routes.sort();
        Ok(snapshot)
    }

    /// As much of it as is asked for.
    pub(super) fn view(&mut self, view: View) -> std::result::Result<Snapshot, Refusal> {
        match view {
            View::Whole => self.snapshot(),
            View::Uplinks => self.uplinks(),
        }
    }

    fn uplinks(&mut self) -> std::result::Result<Snapshot, Refusal> {
        let route = &mut self.route;
        let mut snapshot = Snapshot {
            addresses: route.dump(address::dump(), &read::ADDRESS)?,
            ..Snapshot::default()
        };
        snapshot.addresses.sort();
        let far = snapshot.addresses.iter().filter(|state| !state.is_near());
        let indexes: BTreeSet<u32> = far.map(|state| state.link).collect();
        for index in indexes
            .into_iter()
            .filter_map(|index| LinkIndex::new(index).ok())
        {
            match route.get(link::get(index), &read::LINK) {
                Ok(found) => snapshot.links.extend(found),
                // it went since its address was read
                Err(refusal) if refusal.errno.is_absence() => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(snapshot)
    }

    /// What the setting is now. A kernel that has none of its own for a link has that of all.
    pub(super) fn sysctl(&self, key: &Sysctl) -> std::result::Result<u32, Refusal> {
        let directory = self.directory(key.is_ipv6())?;
        let path = format!("{}/{}", key.scope().directory(), key.file());
        match read(directory, &path) {
            Err(Errno::ENOENT) if matches!(key, Sysctl::Ipv6(_, Ipv6Conf::ForceForwarding)) => {
                Ok(read(directory, FORWARDS_ALL)?)
            }
            found => Ok(found?),
        }
    }

    pub(super) fn set_sysctl(&self, key: &Sysctl, value: u32) -> std::result::Result<(), Refusal> {
        let directory = match self.directory(key.is_ipv6()) {
            Ok(directory) => directory,
            // what is not in the kernel is disabled
            Err(Refusal {
                errno: Errno::ENOENT,
                ..
            }) if matches!(key, Sysctl::Ipv6(_, Ipv6Conf::DisableIpv6)) => return Ok(()),
            Err(refusal) => return Err(refusal),
        };
        let path = format!("{}/{}", key.scope().directory(), key.file());
        let written = write(directory, &path, &value.to_string());
        match (written, key) {
            (Err(Errno::ENOENT), Sysctl::Ipv6(_, Ipv6Conf::ForceForwarding)) => {
                forwards_all(directory)
            }
            (written, _) => Ok(written?),
        }
    }

    /// Of the table `conf`, whose directories are open.
    pub(super) fn set_link_sysctl(
        &self,
        link: &LinkName,
        setting: &LinkSysctl,
    ) -> std::result::Result<(), Refusal> {
        let directory = self.directory(setting.family() == Family::V6)?;
        let path = format!("{link}/{}", setting.key());
        write(directory, &path, setting.value()).map_err(explain::unset)
    }

    fn directory(&self, is_ipv6: bool) -> std::result::Result<BorrowedFd<'_>, Refusal> {
        let directory = if is_ipv6 { &self.ipv6 } else { &self.ipv4 };
        directory.as_ref().map(AsFd::as_fd).map_err(|&errno| {
            let words = Some("is /proc mounted, and IPv6 in this kernel?".to_owned());
            Refusal { errno, words }
        })
    }
}

const FORWARDS_ALL: &str = "all/forwarding";

/// Before Linux 6.17 IPv6 is forwarded on all links or none, which is for the host's owner to say.
fn forwards_all(directory: BorrowedFd<'_>) -> std::result::Result<(), Refusal> {
    match read(directory, FORWARDS_ALL)? {
        0 => Err(Refusal {
            errno: Errno::ENOENT,
            words: Some(
                "this kernel forwards IPv6 on all links or none: set \
                 net.ipv6.conf.all.forwarding=1, and accept_ra=2 where the host itself needs router \
                 advertisements"
                    .to_owned(),
            ),
        }),
        _ => Ok(()),
    }
}

fn read(directory: BorrowedFd<'_>, path: &str) -> std::result::Result<u32, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let file = openat(directory, path, flags, Mode::empty()).map_err(Errno::from)?;
    let mut text = String::new();
    let found = File::from(file).take(32).read_to_string(&mut text);
    found.map_err(|error| Errno::from(&error))?;
    text.trim().parse().map_err(|_| Errno::EIO)
}

/// Writes the setting at `path` below `/proc/sys`, of the namespace of the calling thread.
pub(super) fn set_inside(path: &str, value: &str) -> std::result::Result<(), Errno> {
    let root = open_directory("/proc/sys")?;
    write(root.as_fd(), path, value)
}

fn write(directory: BorrowedFd<'_>, path: &str, value: &str) -> std::result::Result<(), Errno> {
    let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let file = openat(directory, path, flags, Mode::empty()).map_err(Errno::from)?;
    let written = File::from(file).write_all(value.as_bytes());
    written.map_err(|error| Errno::from(&error))
}

fn open_directory(path: &str) -> std::result::Result<OwnedFd, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty()).map_err(Errno::from)
}
