//! The container's side of a plan: its doorway is the one that the namespace was looked at through,
//! or it is opened by a thread while the host's steps are under way.

use super::doorway::Doorway;
use super::netns::{Netns, Visit};
use crate::errno::Errno;
use crate::netlink::frame::Refusal;

pub(super) struct Far<'k> {
    pub(super) namespace: &'k Netns,
    doorway: Opening,
}

enum Opening {
    Ahead,
    Underway(Visit<Doorway>),
    Open(Doorway),
}

impl<'k> Far<'k> {
    /// Nothing is opened yet.
    pub(super) fn new(namespace: &'k Netns) -> Self {
        Self {
            namespace,
            doorway: Opening::Ahead,
        }
    }

    pub(super) fn open_ahead(&mut self) {
        if !matches!(self.doorway, Opening::Ahead) {
            return;
        }
        if let Some(doorway) = self.namespace.take_doorway() {
            self.doorway = Opening::Open(doorway);
        } else if let Ok(visit) = self.namespace.start(Doorway::open) {
            self.doorway = Opening::Underway(visit);
        }
    }

    pub(super) fn doorway(&mut self) -> std::result::Result<&mut Doorway, Refusal> {
        let opened = match std::mem::replace(&mut self.doorway, Opening::Ahead) {
            Opening::Open(doorway) => doorway,
            Opening::Underway(visit) => visit.end()?,
            Opening::Ahead => self.namespace.visit(Doorway::open)?,
        };
        self.doorway = Opening::Open(opened);
        match &mut self.doorway {
            Opening::Open(doorway) => Ok(doorway),
            Opening::Ahead | Opening::Underway(_) => Err(Errno::EIO.into()),
        }
    }
}
