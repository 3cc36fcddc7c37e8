//! The files that are kept for a container, from their first text to their end. What they say in
//! between is written by plans.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};

use crate::addr::EndpointId;
use crate::driver::Stack;
use crate::error::{Error, Fault, Result};
use crate::kernel::{create_file, is_link, remove_file};
use crate::plan::{ContainerFile, FileOrigin, FileWrite, HostsFile, Step};
use crate::record::KeptFile;
use crate::resolver::{ExtraHost, Loopback, ResolvMode, ResolvOverrides, base_text, host_text};

use super::config::ContainerConfig;
use super::host_side::HostFiles;

/// The hosts file, to which connecting adds lines.
#[derive(Debug)]
pub(super) struct Hosts {
    pub(super) file: HostsFile,
    kept: Kept,
}

/// The `resolv.conf`. Its text depends on the container's networks; while it is on none, it is the
/// one that it began with.
#[derive(Debug)]
pub(crate) struct Resolv {
    kept: Kept,
    overrides: ResolvOverrides,
    state: Mutex<State>,
}

/// A file with the text that it began with. It goes with this, unless it says anything else by then.
#[derive(Debug)]
struct Kept {
    file: ContainerFile,
    base: String,
    origin: FileOrigin,
    /// Whether it stays when this goes.
    stays: AtomicBool,
}

#[derive(Debug, Clone)]
struct State {
    networks: Vec<ResolvSource>,
    /// What we wrote last.
    text: String,
}

/// What one network brings into a `resolv.conf`.
#[derive(Debug, Clone)]
pub(crate) struct ResolvSource {
    pub(crate) endpoint: EndpointId,
    pub(crate) mode: ResolvMode,
    /// Its host's.
    pub(crate) files: HostFiles,
}

/// A change of a `resolv.conf` that is still to be performed. No other begins until it is settled
/// or dropped.
#[derive(Debug)]
pub(crate) struct ResolvChange<'r> {
    file: &'r ContainerFile,
    now: MutexGuard<'r, State>,
    then: State,
}

impl Hosts {
    /// The one that is asked for, if one is.
    pub(super) fn open(config: &ContainerConfig, extra: &[ExtraHost]) -> Result<Option<Self>> {
        let Some(file) = config.hosts.clone() else {
            return Ok(None);
        };
        let of_host = match (config.stack, &config.host_side) {
            (Stack::Host, Some(side)) => side.files.hosts_text(),
            _ => None,
        };
        let base = match of_host {
            Some(text) => host_text(&text, Loopback::Dual, extra),
            None => base_text(Loopback::Dual, extra),
        };
        let kept = Kept::make(file.clone().into(), base)?;
        Ok(Some(Self { file, kept }))
    }

    /// One that was kept before, and stays.
    pub(super) fn reopen(file: HostsFile, kept: KeptFile) -> Self {
        let kept = Kept::again(file.clone().into(), kept);
        Self { file, kept }
    }

    pub(super) fn as_kept(&self) -> (HostsFile, KeptFile) {
        (self.file.clone(), self.kept.as_kept())
    }

    /// The file stays when the container is closed.
    pub(super) fn stay(&self) {
        self.kept.stay();
    }
}

impl Resolv {
    /// The one that is asked for, unless none is or a symbolic link is there in the container's
    /// root, which is left alone.
    pub(super) fn open(config: &ContainerConfig) -> Result<Option<Self>> {
        let Some(file) = config.resolv.clone() else {
            return Ok(None);
        };
        if matches!(file, ContainerFile::InRoot { .. }) && is_link(&file) {
            return Ok(None);
        }
        let overrides = config.overrides.clone();
        let mode = match config.stack {
            Stack::Host => Some(ResolvMode::Host),
            Stack::Private => Some(ResolvMode::DirectV4),
            Stack::Own | Stack::Shared => None,
        };
        let base = match (mode, &config.host_side) {
            (Some(mode), Some(side)) => side.files.resolv_text(&overrides, mode),
            _ => String::new(),
        };
        let state = State {
            networks: Vec::new(),
            text: base.clone(),
        };
        Ok(Some(Self {
            kept: Kept::make(file, base)?,
            overrides,
            state: Mutex::new(state),
        }))
    }

    /// One that was kept before, and stays. What it says is `text`, and nothing is known of its networks.
    pub(super) fn reopen(
        file: ContainerFile,
        (kept, text): (KeptFile, String),
        overrides: ResolvOverrides,
    ) -> Self {
        let state = State {
            networks: Vec::new(),
            text,
        };
        Self {
            kept: Kept::again(file, kept),
            overrides,
            state: Mutex::new(state),
        }
    }

    /// One of the networks that its text is of.
    pub(crate) fn recall(&self, network: ResolvSource) {
        let mut state = self.state.lock();
        let is_other = |known: &ResolvSource| known.endpoint != network.endpoint;
        if state.networks.iter().all(is_other) {
            state.networks.push(network);
        }
    }

    pub(super) fn as_kept(&self) -> (ContainerFile, KeptFile, String) {
        let text = self.state.lock().text.clone();
        (self.kept.file.clone(), self.kept.as_kept(), text)
    }

    /// The file stays when the container is closed.
    pub(super) fn stay(&self) {
        self.kept.stay();
    }

    /// With one more network.
    pub(crate) fn with(&self, network: ResolvSource) -> ResolvChange<'_> {
        self.change(|networks| networks.push(network))
    }

    /// Without one of its networks.
    pub(crate) fn without(&self, endpoint: &EndpointId) -> ResolvChange<'_> {
        self.change(|networks| networks.retain(|network| network.endpoint != *endpoint))
    }

    fn change(&self, act: impl FnOnce(&mut Vec<ResolvSource>)) -> ResolvChange<'_> {
        let now = self.state.lock();
        let mut then = now.clone();
        act(&mut then.networks);
        then.text = match decisive(&then.networks) {
            Some(network) => network.files.resolv_text(&self.overrides, network.mode),
            None => self.kept.base.clone(),
        };
        let file = &self.kept.file;
        ResolvChange { file, now, then }
    }
}

/// One network with a name server of ours is enough for it to be asked.
fn decisive(networks: &[ResolvSource]) -> Option<&ResolvSource> {
    let rank = |mode| match mode {
        ResolvMode::Internal => 0,
        ResolvMode::DirectDual => 1,
        ResolvMode::DirectV4 | ResolvMode::Host => 2,
    };
    networks.iter().min_by_key(|network| rank(network.mode))
}

impl ResolvChange<'_> {
    /// What the file says then.
    pub(crate) fn text(&self) -> String {
        self.then.text.clone()
    }

    /// The step that it takes, if the text becomes another one.
    pub(crate) fn step(&self) -> Option<Step> {
        (self.now.text != self.then.text).then(|| {
            Step::WriteFile(FileWrite {
                file: self.file.clone(),
                text: self.then.text.clone(),
                former: self.now.text.clone(),
            })
        })
    }

    /// It was performed, or is left to the caller to perform.
    pub(crate) fn settle(mut self) {
        *self.now = self.then;
    }
}

impl Kept {
    fn make(file: ContainerFile, base: String) -> Result<Self> {
        match create_file(&file, &base) {
            Ok(origin) => Ok(Self {
                file,
                base,
                origin,
                stays: AtomicBool::new(false),
            }),
            Err(errno) => {
                let doing = format!("write the first lines of {}", file.path().display());
                let words = None;
                let fault = Fault::Kernel {
                    doing,
                    errno,
                    words,
                };
                Err(Error::of("make the container's files", vec![fault]))
            }
        }
    }
}

impl Kept {
    fn again(file: ContainerFile, KeptFile { base, origin }: KeptFile) -> Self {
        let stays = AtomicBool::new(true);
        Self {
            file,
            base,
            origin,
            stays,
        }
    }

    fn as_kept(&self) -> KeptFile {
        KeptFile {
            base: self.base.clone(),
            origin: self.origin,
        }
    }

    fn stay(&self) {
        self.stays.store(true, Ordering::Relaxed);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.stays.load(Ordering::Relaxed) {
            return;
        }
        // what its user has written into it since is not ours to take away
        let _kept = remove_file(&self.file, &self.base, self.origin);
    }
}
