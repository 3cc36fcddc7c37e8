//! Bridges that were there before their networks, after a reboot: each is where its name is.

use std::sync::Arc;

use crate::addr::LinkIndex;
use crate::error::Result;
use crate::network::Ledger;
use crate::record::{Body, Record};
use crate::snapshot::Snapshot;
use crate::store::Change;

use super::Host;

impl Host {
    /// Networks on bridges that have other numbers in this boot are on those. One whose bridge is not
    /// there stays as it is: that it is missing is [found](crate::Finding::BridgeMissing).
    pub(super) fn follow_bridges(&self, ledger: &Ledger) -> Result<()> {
        let is_on_found = |record: &Record| match &record.body {
            Body::Network(network) => network.found.is_some(),
            _ => false,
        };
        if !ledger.any(is_on_found) {
            return Ok(());
        }
        let snapshot = self.snapshot()?;
        let mut change = Change::new();
        for mut record in ledger.records() {
            if let Some(index) = moved(&record, &snapshot) {
                let expected = ledger.expected(&record.key());
                if let Body::Network(network) = &mut record.body {
                    Arc::make_mut(network).spec.link.index = index;
                }
                change = change.put(record, expected);
            }
        }
        if change.is_empty() {
            return Ok(());
        }
        ledger.hand_in(|| "keep the numbers of bridges".to_owned(), &change)?;
        self.0.registry.catch_up()
    }
}

/// The number that a network's bridge has by now, if that is another one.
fn moved(record: &Record, host: &Snapshot) -> Option<LinkIndex> {
    let Body::Network(network) = &record.body else {
        return None;
    };
    let _found = network.found.as_ref()?;
    let link = &network.spec.link;
    let state = host.link_named(link.name.as_str())?;
    let is_other = state.kind == "bridge" && state.index != link.index.get();
    is_other.then(|| LinkIndex::new(state.index).ok())?
}
