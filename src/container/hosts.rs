//! The hosts file that is kept for a container, from its first lines to its end.

use crate::error::{Error, Fault, Result};
use crate::kernel::{HostsOrigin, create_hosts, remove_hosts};
use crate::plan::HostsFile;
use crate::resolver::{ExtraHost, Loopback, base_text};

/// The hosts file that connecting writes to, with what it began with.
#[derive(Debug)]
pub(super) struct Hosts {
    pub(super) file: HostsFile,
    base: String,
    origin: HostsOrigin,
}

impl Hosts {
    pub(super) fn make(file: HostsFile, extra: &[ExtraHost]) -> Result<Self> {
        let base = base_text(Loopback::Dual, extra);
        let origin = create_hosts(&file, &base).map_err(|errno| {
            let path = match &file {
                HostsFile::At(path) => path.clone(),
                HostsFile::InRoot(root) => root.join("etc/hosts"),
            };
            let doing = format!("write the first lines of {}", path.display());
            let fault = Fault::Kernel {
                doing,
                errno,
                words: None,
            };
            Error::of("make hosts file", vec![fault])
        })?;
        Ok(Self { file, base, origin })
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        // what its user has written into it since is not ours to take away
        let _kept = remove_hosts(&self.file, &self.base, self.origin);
    }
}
