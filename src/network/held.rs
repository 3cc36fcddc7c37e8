//! Networks and endpoints that another process made and holds: who persists one here makes it stay, and
//! whoever made it leaves it then. None goes from under those who are on it.

use crate::addr::EndpointId;
use crate::error::{Error, Fault, Result};
use crate::record::{Body, Key, Phase, Record, Tenure};

use super::ledger::{News, is_overtaken};
use super::unrecalled::Concern;
use super::{Inner, Network};

/// So often may others change the record of a network that is about to go.
const TRIES: usize = 8;

impl Network {
    /// It stays from now on, made by this process. Another one may have said so meanwhile.
    pub(super) fn keep_made(&self) -> Result<()> {
        let key = Body::network_key(self.id());
        let mut tries = 1;
        loop {
            let is_kept =
                |record: Record| (record.phase, record.tenure) == (Phase::There, Tenure::Kept);
            if self.latest(&key).is_some_and(is_kept) {
                return Ok(());
            }
            match self.write(Phase::There, Tenure::Kept) {
                Err(error) if is_overtaken(&error) && tries < TRIES => tries += 1,
                written => return written,
            }
        }
    }

    /// It stays from now on, whoever made it.
    pub(super) fn keep_found(&self) -> Result<()> {
        self.attempt_on(Concern::None, || {
            let record = self.latest(&Body::network_key(self.id()));
            match record.map(|record| (record.phase, record.tenure)) {
                Some((Phase::There, Tenure::Held)) => self.write(Phase::There, Tenure::Kept),
                Some((Phase::There, Tenure::Kept)) => Ok(()),
                Some(_) | None => {
                    let name = self.name().to_string();
                    Err(Error::of("", vec![Fault::NetworkNotFound { name }]))
                }
            }
        })
    }

    /// Whether another process holds the endpoint, which goes with its handle there.
    pub(super) fn is_held_elsewhere(&self, endpoint: EndpointId) -> bool {
        let record = self.latest(&Body::endpoint_key(endpoint));
        record.is_some_and(|record| record.tenure == Tenure::Held)
    }

    /// Whether somebody has made the endpoint stay.
    pub(super) fn is_kept(&self, endpoint: EndpointId) -> bool {
        let record = self.latest(&Body::endpoint_key(endpoint));
        record.is_some_and(|record| record.tenure == Tenure::Kept && record.phase == Phase::There)
    }

    fn latest(&self, key: &Key) -> Option<Record> {
        let ledger = self.ledger()?;
        // what can't be read is as it was
        let _looked = ledger.look();
        ledger.get(key)
    }
}

impl Inner {
    /// Says that it goes. Where another process has made it stay, or has somebody on it, it does not: it
    /// is known here as others' from then on.
    pub(super) fn may_go(&self) -> bool {
        let registry = self.registered.registry();
        let Some(ledger) = registry.ledger() else {
            return true;
        };
        let record = self.record();
        for _ in 0..TRIES {
            let _looked = ledger.look();
            let known = ledger.get(&Body::network_key(self.spec.id));
            if known.is_some_and(|known| known.tenure == Tenure::Kept) {
                break;
            }
            match registry.write_network(&record, (Phase::Going, Tenure::Held)) {
                Err(error) if is_overtaken(&error) => {}
                _gone_or_left_to_recovery => return true,
            }
        }
        let left = ledger.get(&Body::network_key(self.spec.id));
        registry.upkeep().end_network(self.spec.id);
        self.registered.cancel();
        ledger.tell_again(News {
            changed: left.into_iter().collect(),
            gone: Vec::new(),
        });
        false
    }
}
