//! Who has a namespace, as far as `/proc` shows it: processes that are in it, files that stand for it and
//! that a process has open, and names that are mounted. Sockets inside are no such thing: they keep it, but
//! nobody gets in by them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
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
        for task in numbered(&process.join("task")) {
            let _where_it_is = self.follow(&task.join("ns/net"));
        }
        numbered(&process.join("fd")).for_each(|file| self.look_at_file(process, &file));
        let Ok(namespace) = fs::read_link(process.join("ns/mnt")) else {
            return;
        };
        if self.mounts.contains(&namespace) {
            return;
        }
        // of one that has ended since the link was read there is nothing more
        if let Ok(mounts) = fs::read(process.join("mountinfo")) {
            self.look_at_mounts(&mounts);
            self.mounts.insert(namespace);
        }
    }

    fn follow(&mut self, link: &Path) -> PathBuf {
        let target = fs::read_link(link).unwrap_or_default();
        self.found.extend(self.wanted.get(target.as_os_str()));
        target
    }

    /// What was opened by a mounted name is called by that, and by nothing once it is unmounted
    /// (fs/d_path.c).
    fn look_at_file(&mut self, process: &Path, file: &Path) {
        let target = self.follow(file);
        if !target.is_absolute() || !self.may_be_one(process, file) {
            return;
        }
        let Ok(stat) = fs::metadata(file) else {
            return;
        };
        let place = (stat.dev(), stat.ino());
        let mut wanted = self.wanted.values();
        let found = wanted.find(|id| (id.device(), id.inode()) == place);
        self.found.extend(found);
    }

    /// By its number alone, for which no file system is asked: who asks one whose server is gone waits
    /// for ever. Kernels before 5.14 don't say it there.
    fn may_be_one(&self, process: &Path, file: &Path) -> bool {
        let number = file.file_name().unwrap_or_default();
        let told = fs::read_to_string(process.join("fdinfo").join(number)).unwrap_or_default();
        let mut lines = told.lines();
        let number = lines.find_map(|line| line.strip_prefix("ino:"));
        number.is_none_or(|number| {
            let name = OsString::from(format!("net:[{}]", number.trim()));
            self.wanted.contains_key(&name)
        })
    }

    /// proc_pid_mountinfo(5): the fourth field is the root of the mount in its file system.
    fn look_at_mounts(&mut self, mounts: &[u8]) {
        for mount in String::from_utf8_lossy(mounts).lines() {
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

#[cfg(test)]
mod tests;
