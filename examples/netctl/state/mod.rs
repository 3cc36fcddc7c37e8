//! What netctl itself keeps below its state directory: a folder for each container, with a record
//! that is replaced as a whole, and the locks by which commands wait for each other.

mod record;

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bridgework::ContainerId;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;

pub(crate) use record::{Exposure, Identity, Life, Place, Record, Removal};

use crate::failure::{Failure, Outcome};

/// The state directory.
#[derive(Debug, Clone)]
pub(crate) struct State {
    root: PathBuf,
}

/// Others wait until it is dropped.
pub(crate) type Lock = Flock<File>;

impl State {
    pub(crate) fn open(root: &Path) -> Outcome<Self> {
        let failed = || Failure::during(format!("make {}", root.display()));
        make_folder(&root.join("containers")).map_err(failed())?;
        let root = root.canonicalize().map_err(failed())?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a container.
    pub(crate) fn folder(&self, id: ContainerId) -> PathBuf {
        self.root.join("containers").join(id.to_string())
    }

    pub(crate) fn hosts(&self, id: ContainerId) -> PathBuf {
        self.folder(id).join("hosts")
    }

    pub(crate) fn resolv(&self, id: ContainerId) -> PathBuf {
        self.folder(id).join("resolv.conf")
    }

    pub(crate) fn log(&self, id: ContainerId) -> PathBuf {
        self.folder(id).join("log")
    }

    /// All containers, the oldest first.
    pub(crate) fn all(&self) -> Outcome<Vec<Record>> {
        let folder = self.root.join("containers");
        let failed = || Failure::during(format!("read {}", folder.display()));
        let mut all = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed())? {
            let name = entry.map_err(failed())?.file_name();
            let id = name.to_str().and_then(|name| name.parse().ok());
            if let Some(id) = id {
                all.extend(self.load(id)?);
            }
        }
        all.sort_by_key(|record| (record.created, record.id));
        Ok(all)
    }

    /// The container of that id, if there is one.
    pub(crate) fn load(&self, id: ContainerId) -> Outcome<Option<Record>> {
        let path = self.folder(id).join("config.json");
        match fs::read(&path) {
            Ok(bytes) => {
                let record = serde_json::from_slice(&bytes);
                let failed = |e| Failure::new(format!("{}: {e}", path.display()));
                record.map(Some).map_err(failed)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::during(path.display())(error)),
        }
    }

    /// The container that `term` means: the one with that id, else the one with that name, else the
    /// only one whose id begins so.
    pub(crate) fn find(&self, term: &str) -> Outcome<Record> {
        let mut all = self.all()?;
        if let Some(at) = all.iter().position(|r| r.name.as_str() == term) {
            return Ok(all.swap_remove(at));
        }
        all.retain(|r| !term.is_empty() && r.id.to_string().starts_with(term));
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(_), false) => Err(Failure::new(format!(
                "multiple IDs found with provided prefix: {term}"
            ))),
            (None, _) => Err(Failure::new(format!("No such container: {term}"))),
        }
    }

    /// Keeps a container that is new, unless its name is another one's. Nobody else begins or ends it
    /// before the lock is dropped.
    pub(crate) fn create(&self, record: &Record) -> Outcome<Lock> {
        let _lock = self.lock()?;
        let all = self.all()?;
        if let Some(other) = all.iter().find(|other| other.name == record.name) {
            return Err(Failure::new(format!(
                "Conflict. The container name \"/{}\" is already in use by container \"{}\". You \
                 have to remove (or rename) that container to be able to reuse that name.",
                record.name, other.id
            )));
        }
        let folder = self.folder(record.id);
        make_folder(&folder).map_err(Failure::during(folder.display()))?;
        let lock = wait_for(&folder.join("lock"), Absent::IsMade)?;
        self.save(record)?;
        Ok(lock)
    }

    /// Keeps what a container is like now.
    pub(crate) fn save(&self, record: &Record) -> Outcome {
        replace(&self.folder(record.id).join("config.json"), record)
    }

    /// Forgets a container and all that is kept of it.
    pub(crate) fn forget(&self, id: ContainerId) -> Outcome {
        let folder = self.folder(id);
        // without it, what is left if this is killed is no container
        absent(fs::remove_file(folder.join("config.json")))
            .and_then(|()| absent(fs::remove_dir_all(&folder)))
            .map_err(Failure::during(folder.display()))
    }

    /// Removes what commands that were killed have left of containers that are none.
    pub(crate) fn sweep(&self) -> Outcome {
        let _nobody_makes_one = self.lock()?;
        let folder = self.root.join("containers");
        let failed = || Failure::during(format!("sweep {}", folder.display()));
        for entry in fs::read_dir(&folder).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            if !path.join("config.json").exists() {
                absent(fs::remove_dir_all(&path)).map_err(failed())?;
            }
        }
        Ok(())
    }

    /// Of the state as a whole: for moments only.
    pub(crate) fn lock(&self) -> Outcome<Lock> {
        wait_for(&self.root.join("lock"), Absent::IsMade)
    }

    /// Of one container: whoever begins or ends it has it.
    pub(crate) fn lock_container(&self, id: ContainerId) -> Outcome<Lock> {
        wait_for(&self.folder(id).join("lock"), Absent::IsRefused)
    }

    /// The container that `term` means, which nobody else begins or ends meanwhile.
    pub(crate) fn lock_found(&self, term: &str) -> Outcome<(Record, Lock)> {
        let id = self.find(term)?.id;
        let gone = || Failure::new(format!("No such container: {term}"));
        let lock = self.lock_container(id).map_err(|_| gone())?;
        let record = self.load(id)?.ok_or_else(gone)?;
        Ok((record, lock))
    }

    /// As [`lock_container`](Self::lock_container), unless somebody has it.
    pub(crate) fn try_lock_container(&self, id: ContainerId) -> Outcome<Option<Lock>> {
        lock_file(
            &self.folder(id).join("lock"),
            Absent::IsRefused,
            FlockArg::LockExclusiveNonblock,
        )
    }

    /// As long as it is held there is a server, and no second one.
    pub(crate) fn try_lock_server(&self) -> Outcome<Option<Lock>> {
        lock_file(
            &self.root.join("server.lock"),
            Absent::IsMade,
            FlockArg::LockExclusiveNonblock,
        )
    }
}

/// What becomes of a lock whose file is not there. A container's goes with the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absent {
    IsMade,
    IsRefused,
}

fn wait_for(path: &Path, absent: Absent) -> Outcome<Lock> {
    let locked = lock_file(path, absent, FlockArg::LockExclusive)?;
    locked.ok_or_else(|| Failure::new(format!("{}: somebody else has it", path.display())))
}

fn lock_file(path: &Path, absent: Absent, how: FlockArg) -> Outcome<Option<Lock>> {
    loop {
        let mut options = File::options();
        options.create(absent == Absent::IsMade).truncate(false);
        let options = options.write(true).mode(0o600);
        let file = options
            .open(path)
            .map_err(Failure::during(path.display()))?;
        match Flock::lock(file, how) {
            Ok(lock) => return Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, Errno::EINTR)) => {}
            Err((_, errno)) => return Err(Failure::of_kernel(path.display())(errno)),
        }
    }
}

/// What is not there need not be removed.
fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// For its owner alone, with all that leads there.
fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Readers see the file as it was or as it is, whenever the writer is killed.
pub(crate) fn replace(path: &Path, value: &impl Serialize) -> Outcome {
    let failed = || Failure::during(path.display());
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let text = serde_json::to_vec_pretty(value)?;
    let mut options = File::options();
    let options = options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = options.open(&temporary).map_err(failed())?;
    file.write_all(&text).map_err(failed())?;
    drop(file);
    fs::rename(&temporary, path).map_err(failed())
}
