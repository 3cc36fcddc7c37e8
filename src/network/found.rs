//! A bridge that was there before its network. After a reboot the one of its name is the same, whatever
//! number that has, and what has its number is somebody else's: nothing is done to that.

use std::sync::Arc;

use crate::error::{Error, Fault, Result};
use crate::kernel::Kernel;
use crate::plan::Plan;
use crate::record::{Body, NetworkRecord, Reservation};
use crate::snapshot::Snapshot;

use super::ledger::Ledger;
use super::registry::Registry;
use super::{Life, Network};

impl Network {
    /// Before a wire is led to it by its number.
    pub(super) fn stands(&self) -> Result<()> {
        if is_there(self.kernel(), &self.record())? {
            return Ok(());
        }
        let fault = Fault::BridgeGone {
            network: self.name().clone(),
            bridge: self.0.spec.link.name.clone(),
        };
        Err(Error::of("", vec![fault]))
    }

    /// Whether its bridge has another number by now.
    pub(super) fn has_moved_to(&self, record: &NetworkRecord) -> bool {
        record.found.is_some() && self.0.spec.link.index != record.spec.link.index
    }

    /// Whether nobody can connect to it any more.
    pub(crate) fn is_removed(&self) -> bool {
        matches!(*self.0.life.lock(), Life::Removed)
    }
}

impl Registry {
    /// The network is another one of the same id, on the bridge that has its name now. Nobody was
    /// connected since that has another number, and what is reserved stays so.
    pub(super) fn follow_moved(
        self: &Arc<Self>,
        ledger: &Ledger,
        (former, record): (&Network, &NetworkRecord),
        host: &Snapshot,
    ) -> Result<()> {
        former.lose();
        self.recall_network(record, host)?;
        let mut reserved = Vec::new();
        ledger.each(|record| match &record.body {
            Body::Reservation(kept) if kept.network == former.id() => reserved.push(kept.clone()),
            _ => {}
        });
        reserved
            .iter()
            .for_each(|kept| self.recall_reservation(kept));
        Ok(())
    }

    pub(super) fn recall_reservation(&self, kept: &Reservation) {
        if let Some(network) = self.network_at(kept.network) {
            let mut members = network.0.members.lock();
            let _kept = members.reserve(&kept.container, kept.address);
        }
    }
}

/// The steps that take back all that was done for a network, but for those on a link that has no more
/// than the number of its bridge.
pub(super) fn undo(kernel: &Kernel, record: &NetworkRecord, plan: &Plan) -> Result<Plan> {
    let undo = plan.undo(plan.steps().len());
    let is_there = is_there(kernel, record).map_err(|error| error.leaving(undo.clone()))?;
    if is_there {
        return Ok(undo);
    }
    let others = undo.steps().iter();
    let others = others.filter(|step| step.link() != Some(&record.spec.link));
    Ok(Plan::from_iter(others.cloned()))
}

/// Whether the link of that number is the network's: where it was made for it, the number says so.
fn is_there(kernel: &Kernel, NetworkRecord { spec, found }: &NetworkRecord) -> Result<bool> {
    if found.is_none() {
        return Ok(true);
    }
    let state = kernel.link_at(&spec.link)?;
    Ok(state.is_some_and(|state| state.name == spec.link.name.as_str()))
}
