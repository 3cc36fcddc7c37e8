//! The files that are kept for a container, from their first text to their end. What they say in
//! between is written by plans.

use parking_lot::{Mutex, MutexGuard};

use crate::addr::EndpointId;
use crate::error::{Error, Fault, Result};
use crate::kernel::{FileOrigin, create_file, is_link, remove_file};
use crate::plan::{ContainerFile, FileWrite, HostsFile, Step};
use crate::resolver::{ResolvMode, ResolvOverrides};

use super::host_side::HostFiles;

/// The hosts file, to which connecting adds lines.
#[derive(Debug)]
pub(super) struct Hosts {
    pub(super) file: HostsFile,
    _kept: Kept,
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
}

#[derive(Debug, Clone)]
struct State {
    networks: Vec<(EndpointId, ResolvMode)>,
    /// What we wrote last.
    text: String,
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
    pub(super) fn make(file: HostsFile, base: String) -> Result<Self> {
        let _kept = Kept::make(file.clone().into(), base)?;
        Ok(Self { file, _kept })
    }
}

impl Resolv {
    /// `None` if a symbolic link is there in the container's root, which is left alone.
    pub(super) fn make(
        file: ContainerFile,
        base: String,
        overrides: ResolvOverrides,
    ) -> Result<Option<Self>> {
        if matches!(file, ContainerFile::InRoot { .. }) && is_link(&file) {
            return Ok(None);
        }
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

    /// With one more network.
    pub(crate) fn with(
        &self,
        network: (EndpointId, ResolvMode),
        host: &HostFiles,
    ) -> ResolvChange<'_> {
        self.change(host, |networks| networks.push(network))
    }

    /// Without one of its networks.
    pub(crate) fn without(&self, network: &EndpointId, host: &HostFiles) -> ResolvChange<'_> {
        self.change(host, |networks| networks.retain(|(id, _)| id != network))
    }

    fn change(
        &self,
        host: &HostFiles,
        act: impl FnOnce(&mut Vec<(EndpointId, ResolvMode)>),
    ) -> ResolvChange<'_> {
        let now = self.state.lock();
        let mut then = now.clone();
        act(&mut then.networks);
        then.text = match mode_of(&then.networks) {
            Some(mode) => host.resolv_text(&self.overrides, mode),
            None => self.kept.base.clone(),
        };
        let file = &self.kept.file;
        ResolvChange { file, now, then }
    }
}

/// One network with a name server of ours is enough for it to be asked. `None` without any network.
fn mode_of(networks: &[(EndpointId, ResolvMode)]) -> Option<ResolvMode> {
    let has = |wanted| networks.iter().any(|(_, mode)| *mode == wanted);
    [
        ResolvMode::Internal,
        ResolvMode::DirectDual,
        ResolvMode::DirectV4,
    ]
    .into_iter()
    .find(|mode| has(*mode))
}

impl ResolvChange<'_> {
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
            Ok(origin) => Ok(Self { file, base, origin }),
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

impl Drop for Kept {
    fn drop(&mut self) {
        // what its user has written into it since is not ours to take away
        let _kept = remove_file(&self.file, &self.base, self.origin);
    }
}
