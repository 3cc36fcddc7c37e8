//! What a container's files take from the host's side: the host's own files, and the addresses by
//! which containers reach the host.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::kernel::read_text;
use crate::resolver::{
    ResolvConf, ResolvMode, ResolvOverrides, STUB_UPSTREAM_PATH, SearchDomain, resolv_text,
};

/// Where the host's own files are.
#[derive(Debug, Clone)]
pub(crate) struct HostFiles {
    pub(crate) hosts: PathBuf,
    pub(crate) resolv_conf: PathBuf,
}

/// What a host that opens a container knows and the container does not.
#[derive(Debug, Clone)]
pub(crate) struct HostSide {
    pub(crate) files: HostFiles,
    /// What `host-gateway` stands for.
    pub(crate) gateways: Vec<IpAddr>,
}

impl Default for HostFiles {
    fn default() -> Self {
        Self {
            hosts: PathBuf::from("/etc/hosts"),
            resolv_conf: PathBuf::from("/etc/resolv.conf"),
        }
    }
}

impl HostFiles {
    /// The host's own hosts file; `None` if it can't be read.
    pub(crate) fn hosts_text(&self) -> Option<String> {
        read_text(&self.hosts)
    }

    /// The `resolv.conf` of a container in `mode`, as of now.
    pub(crate) fn resolv_text(&self, overrides: &ResolvOverrides, mode: ResolvMode) -> String {
        let (conf, path) = self.resolv_conf(mode);
        resolv_text(&conf, &path.to_string_lossy(), overrides, mode).text
    }

    /// The domains in which a container on user-defined networks looks for short names, as of now.
    pub(crate) fn search(&self, overrides: &ResolvOverrides) -> Vec<SearchDomain> {
        let (conf, _path) = self.resolv_conf(ResolvMode::Internal);
        overrides.search_instead_of(&conf)
    }

    /// A stub resolver that answers the host alone is no use to whom has another stack.
    fn resolv_conf(&self, mode: ResolvMode) -> (ResolvConf, &Path) {
        let text = read_text(&self.resolv_conf).unwrap_or_default();
        let conf = ResolvConf::parse(&text);
        if mode != ResolvMode::Host && conf.is_stub() {
            let path = Path::new(STUB_UPSTREAM_PATH);
            if let Some(text) = read_text(path) {
                return (ResolvConf::parse(&text), path);
            }
        }
        (conf, &self.resolv_conf)
    }
}
