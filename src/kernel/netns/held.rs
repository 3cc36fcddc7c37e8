//! Who has a namespace, as far as `/proc` shows it: processes that are in it, files that stand for it and
//! that a process has open, and names that are mounted. Sockets inside are no such thing: they keep it, but
//! nobody gets in by them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::addr::NamespaceId;

/// linux/capability.h: CAP_SYS_PTRACE
const SYS_PTRACE: u32 = 19;

/// Those of the namespaces that somebody has; all of them where not all processes may be looked at.
pub(crate) fn held(namespaces: &BTreeSet<NamespaceId>) -> BTreeSet<NamespaceId> {
    if namespaces.is_empty() {
        return BTreeSet::new();
    }
    if !may_look_at_all() {
        return namespaces.clone();
    }
    let mut search = Search::new(namespaces);
    numbered(Path::new("/proc")).for_each(|process| search.look_at(&process));
    search.found
}

/// Of what may not be looked at all the same nothing is in a user namespace of this one's.
fn may_look_at_all() -> bool {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let mut lines = status.lines();
    let effective = lines.find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    effective.is_some_and(|bits| bits & (1 << SYS_PTRACE) != 0)
}

struct Search {
    /// By what `/proc` calls them.
    wanted: BTreeMap<OsString, NamespaceId>,
    found: BTreeSet<NamespaceId>,
    /// The mount namespaces that were looked at.
    mounts: BTreeSet<PathBuf>,
}

impl Search {
    fn new(namespaces: &BTreeSet<NamespaceId>) -> Self {
        let named = |id: &NamespaceId| (format!("net:[{}]", id.inode()).into(), *id);
        Self {
            wanted: namespaces.iter().map(named).collect(),
            found: BTreeSet::new(),
            mounts: BTreeSet::new(),
        }
    }

    /// What ends meanwhile has nothing any more.
    fn look_at(&mut self, process: &Path) {
        numbered(&process.join("task")).for_each(|task| self.follow(&task.join("ns/net")));
        numbered(&process.join("fd")).for_each(|file| self.follow(&file));
        let mounts = fs::read_link(process.join("ns/mnt"));
        if mounts.is_ok_and(|mounts| self.mounts.insert(mounts)) {
            self.look_at_mounts(process);
        }
    }

    fn follow(&mut self, link: &Path) {
        let target = fs::read_link(link).unwrap_or_default();
        self.found.extend(self.wanted.get(target.as_os_str()));
    }

    /// proc_pid_mountinfo(5): the fourth field is the root of the mount in its file system.
    fn look_at_mounts(&mut self, process: &Path) {
        let mounts = fs::read(process.join("mountinfo")).unwrap_or_default();
        for mount in String::from_utf8_lossy(&mounts).lines() {
            let root = mount.split(' ').nth(3).map(OsString::from);
            self.found
                .extend(root.and_then(|root| self.wanted.get(&root)));
        }
    }
}

/// The entries of a directory of `/proc` that are numbers.
fn numbered(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let all = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    all.filter_map(move |entry| {
        let name = entry.file_name();
        name.to_str().is_some_and(is_number).then(|| entry.path())
    })
}
