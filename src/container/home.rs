//! Where a container lives: a network stack and the files that go with it, of one container or of
//! several that share it.
//!
//! What wires it to its networks belongs to whoever connected it. While others share the stack they
//! hold that too, so that it outlives the container that it was made for.

use std::any::Any;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::kernel::Netns;

use super::files::{Hosts, Resolv};
use crate::resolver::ResolvOverrides;

/// What holds a stack to a network; it ends when the last holder drops it.
pub(crate) type Wire = dyn Any + Send + Sync;

pub(super) struct Home {
    pub(super) netns: Netns,
    pub(super) hosts: Option<Hosts>,
    pub(super) resolv: Option<Resolv>,
    /// Whom its name server asks, and for what, where that is not as the host has it.
    pub(super) overrides: ResolvOverrides,
    tenancy: Mutex<Tenancy>,
    /// What ends with it.
    held: Mutex<Vec<Box<dyn Any + Send + Sync>>>,
}

#[derive(Default)]
struct Tenancy {
    sharers: usize,
    wires: Vec<Weak<Wire>>,
    /// What the sharers hold; empty while there are none.
    kept: Vec<Arc<Wire>>,
}

impl Home {
    pub(super) fn new(
        netns: Netns,
        (hosts, resolv): (Option<Hosts>, Option<Resolv>),
        overrides: ResolvOverrides,
    ) -> Self {
        Self {
            netns,
            hosts,
            resolv,
            overrides,
            tenancy: Mutex::default(),
            held: Mutex::default(),
        }
    }

    pub(super) fn hold(&self, held: Box<dyn Any + Send + Sync>) {
        self.held.lock().push(held);
    }

    pub(super) fn hold_once<T: Send + Sync + 'static>(&self, shared: &Arc<T>) {
        let mut held = self.held.lock();
        let mut same = held.iter().filter_map(|held| held.downcast_ref::<Arc<T>>());
        if !same.any(|other| Arc::ptr_eq(other, shared)) {
            held.push(Box::new(Arc::clone(shared)));
        }
    }

    /// One more container shares it.
    pub(super) fn move_in(&self) {
        let mut tenancy = self.tenancy.lock();
        tenancy.sharers += 1;
        if tenancy.sharers == 1 {
            tenancy.kept = tenancy.wires.iter().filter_map(Weak::upgrade).collect();
        }
    }

    /// One that shared it is gone.
    pub(super) fn move_out(&self) {
        let mut tenancy = self.tenancy.lock();
        tenancy.sharers = tenancy.sharers.saturating_sub(1);
        let ended = match tenancy.sharers {
            0 => std::mem::take(&mut tenancy.kept),
            _ => Vec::new(),
        };
        // what ends here asks the kernel, and comes back for the lock
        drop(tenancy);
        drop(ended);
    }

    /// One more wire. It is not held while nobody shares.
    pub(super) fn add_wire(&self, wire: &Arc<Wire>) {
        let mut tenancy = self.tenancy.lock();
        tenancy.wires.retain(|wire| wire.strong_count() > 0);
        tenancy.wires.push(Arc::downgrade(wire));
        if tenancy.sharers > 0 {
            tenancy.kept.push(Arc::clone(wire));
        }
    }

    /// A wire that was taken away on purpose is nobody's any more.
    pub(super) fn drop_wire(&self, wire: *const ()) {
        let is_other = |held: *const ()| !std::ptr::eq(held, wire);
        let mut tenancy = self.tenancy.lock();
        tenancy.wires.retain(|held| is_other(held.as_ptr().cast()));
        let (stay, ended) = std::mem::take(&mut tenancy.kept)
            .into_iter()
            .partition(|held| is_other(Arc::as_ptr(held).cast()));
        tenancy.kept = stay;
        drop(tenancy);
        let ended: Vec<Arc<Wire>> = ended;
        drop(ended);
    }
}
