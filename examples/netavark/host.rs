//! How the crate's host is opened: its records are beside the caller's own state.

use std::fs::File;
use std::path::{Path, PathBuf};

use bridgework::plan::Switch;
use bridgework::{Host, HostConfig};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::driver::PodmanDriver;
use crate::failure::{Failure, Outcome};
use crate::place::SEARCH_DOMAIN;

/// The host of one verb, and its turn: many verbs go on at the same time, and whoever makes a network has
/// it alone.
pub(crate) struct Turn {
    pub(crate) host: Host,
    lock: Flock<File>,
}

impl Turn {
    /// Names are answered by another process, and ports are held by the caller.
    pub(crate) fn take(config: &Path) -> Outcome<Self> {
        let host = Host::open_with(base(config).resolver(Switch::Off))?;
        let path = state_dir(config).join("verbs.lock");
        let lock = File::options().create(true).append(true).open(&path);
        let lock = lock.map_err(Failure::during(path.display()))?;
        let lock = Flock::lock(lock, FlockArg::LockShared);
        let lock = lock.map_err(|(_, errno)| Failure::during(path.display())(errno.into()))?;
        crate::lost::find_again(&host)?;
        Ok(Self { host, lock })
    }

    /// What the dead have left is taken back, and what is missing is made again.
    pub(crate) fn recover(&self) -> Outcome {
        let _found = self.host.recover()?;
        Ok(())
    }

    /// While no other verb goes on.
    pub(crate) fn alone<T>(&self, act: impl FnOnce(&Host) -> Outcome<T>) -> Outcome<T> {
        let waiting = |errno: Errno| Failure::during("wait for other verbs")(errno.into());
        self.lock.relock(FlockArg::LockExclusive).map_err(waiting)?;
        let done = act(&self.host);
        self.lock.relock(FlockArg::LockShared).map_err(waiting)?;
        done
    }
}

/// Where our state is, below what the caller gives us.
pub(crate) fn state_dir(config: &Path) -> PathBuf {
    config.join("bridgework")
}

/// The host of the process that answers names.
pub(crate) fn open_answering(config: &Path) -> Outcome<Host> {
    Ok(Host::open_with(base(config))?)
}

fn base(config: &Path) -> HostConfig {
    let config = HostConfig::new().state_dir(state_dir(config));
    let config = config.hold_ports(Switch::Off).relay(Switch::Off);
    let config = config.watch(Switch::Off).domain(SEARCH_DOMAIN);
    config.driver(PodmanDriver)
}
