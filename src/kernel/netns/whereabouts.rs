//! Finding a namespace again without keeping a handle to it.

use std::path::PathBuf;

use super::{Netns, WeakNetns};
use crate::addr::NamespaceId;
use crate::errno::Errno;
use crate::error::{Error, Fault, Result};

impl Netns {
    /// By which it is found again later.
    pub(crate) fn whereabouts(self) -> Whereabouts {
        match self.place() {
            Some(path) => Whereabouts::Place {
                path,
                identity: self.identity(),
                open: self.downgrade(),
            },
            None => Whereabouts::Handle(self),
        }
    }
}

/// By which a namespace is found again. One that others find by its place is not held by this: to whoever
/// looks for those who have it, that would be somebody who does.
#[derive(Debug)]
pub(crate) enum Whereabouts {
    Place {
        path: PathBuf,
        identity: NamespaceId,
        /// While there is a handle, it is found by that.
        open: WeakNetns,
    },
    Handle(Netns),
}

impl Whereabouts {
    pub(crate) fn find(&self) -> Result<Netns> {
        let (path, identity, open) = match self {
            Self::Handle(netns) => return Ok(netns.clone()),
            Self::Place {
                path,
                identity,
                open,
            } => (path, *identity, open),
        };
        let found = match open.upgrade() {
            Some(netns) => Some(netns),
            None => Netns::again(path, identity)?,
        };
        found.ok_or_else(|| {
            let namespace = path.display().to_string();
            let errno = Errno::ENOENT;
            let fault = Fault::NamespaceNotFound { namespace, errno };
            Error::of("find network namespace", vec![fault])
        })
    }
}
