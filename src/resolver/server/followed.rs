//! Whom the host asks: its `resolv.conf`, followed. It is looked at when somebody is to be asked,
//! at most once a second; nobody is told of changes, so that there is nothing to run out of.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::resolver::{NameServer, ResolvConf};

/// How often it is looked at, at the most.
const PACE: Duration = Duration::from_secs(1);

/// What stands behind this is not read.
const MAX_BYTES: u64 = 1 << 20;

/// The servers of a file, as of when it was last looked at.
#[derive(Debug)]
pub(super) struct Followed {
    conf: Source,
    /// In place of the first, where that has systemd's stub alone.
    stub: Source,
    looked_at: Option<Instant>,
    servers: Arc<[NameServer]>,
}

impl Followed {
    pub(super) fn new(conf: PathBuf, stub: PathBuf) -> Self {
        Self {
            conf: Source::new(conf),
            stub: Source::new(stub),
            looked_at: None,
            servers: Arc::from([]),
        }
    }

    /// The servers; none where there is no file, or none in it.
    pub(super) fn servers(&mut self, now: Instant) -> &Arc<[NameServer]> {
        let is_due = |at: Instant| now.saturating_duration_since(at) >= PACE;
        if self.looked_at.is_none_or(is_due) {
            self.looked_at = Some(now);
            self.look();
        }
        &self.servers
    }

    fn look(&mut self) {
        self.conf.look();
        let mut conf = &self.conf.said;
        if conf.is_stub() {
            self.stub.look();
            if !self.stub.said.nameservers().is_empty() {
                conf = &self.stub.said;
            }
        }
        // those who ask know by the same list that nothing has changed
        if *self.servers != *conf.nameservers() {
            self.servers = conf.nameservers().into();
        }
    }
}

/// One file, and what it said.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    stamp: Option<Stamp>,
    said: ResolvConf,
}

/// By what one sees that a file is another or has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    modified: (i64, i64),
    bytes: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            place: (metadata.dev(), metadata.ino()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            bytes: metadata.size(),
        }
    }
}

impl Source {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            stamp: None,
            said: ResolvConf::default(),
        }
    }

    fn look(&mut self) {
        let found = std::fs::metadata(&self.path).map(|found| Stamp::of(&found));
        if found.is_ok() && found.ok() == self.stamp {
            return;
        }
        (self.stamp, self.said) = match read(&self.path) {
            Some((stamp, text)) => (Some(stamp), ResolvConf::parse(&text)),
            None => (None, ResolvConf::default()),
        };
    }
}

/// What a file says, and its stamp before that was read: what changes meanwhile is seen next time.
fn read(path: &Path) -> Option<(Stamp, String)> {
    // of a pipe the end would be waited for
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path);
    let file: File = file.ok()?;
    let metadata = file.metadata().ok().filter(Metadata::is_file)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Some((Stamp::of(&metadata), text))
}
