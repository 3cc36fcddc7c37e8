//! What is heard of changes by others is compared with what must be there, and put right. It holds
//! nothing that would keep a host's networks.

use std::sync::Weak;
use std::time::Instant;

use super::Extent;
use crate::audit::{Subject, Verdict};
use crate::error::Result;
use crate::event::{EventKind, EventProcess, RepairScope};
use crate::kernel::{Keeper, Repaired};
use crate::network::Registry;
use crate::snapshot::Change;

/// The watch's word on what must be there on the host's side.
pub(crate) struct HostKeeper(pub(crate) Weak<Registry>);

impl Keeper for HostKeeper {
    fn catch_up(&self) -> Result<()> {
        let registry = self.0.upgrade();
        registry.map_or(Ok(()), |registry| registry.catch_up())
    }

    /// Subscribers are told of it, with the time since it was heard of.
    fn tell(&self, repaired: Repaired) {
        let Some(registry) = self.0.upgrade() else {
            return;
        };
        registry.tell(repaired.heard, || EventKind::Repair {
            scope: RepairScope::Tables,
            parts: repaired.deviations.len() as u64,
            by: repaired.by.map(|(pid, name)| EventProcess { pid, name }),
        });
        // all is as it was before; what began meanwhile may take a while to find
        let _go_on_till_they_end = registry.foundation().kernel.forget_what_was_not_led();
    }

    fn judge(&self, change: &Change) -> Option<(Subject, Verdict)> {
        let registry = self.0.upgrade()?;
        registry.upkeep().judge(change)
    }

    fn mend(&self, heard: Instant) -> Result<Verdict> {
        let Some(registry) = self.0.upgrade() else {
            return Ok(Verdict::Right);
        };
        let (mended, left) = registry.mend(Extent::Routing)?;
        if !mended.is_empty() {
            registry.tell(heard, || EventKind::Repair {
                scope: RepairScope::Links,
                parts: mended.len() as u64,
                by: None,
            });
        }
        match left {
            0 => Ok(Verdict::Right),
            _ => Ok(Verdict::Wrong),
        }
    }
}
