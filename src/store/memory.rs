//! Records in memory: for fixtures, and as the model that other stores are compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Change, Changes, Store, StoreError};
use crate::record::{Claim, Key, OwnerId, Record, Revision, Space};

/// A store that goes with its last handle. What is in it is seen by all who share it.
///
/// ```
/// use bridgework::NamespaceId;
/// use bridgework::record::{Body, HostRecord, OwnerId, Phase, Record, Tenure};
/// use bridgework::store::{Change, Expected, Memory, Store};
///
/// # fn main() -> Result<(), bridgework::store::StoreError> {
/// let store = Memory::new();
/// let host = HostRecord { boot: "a boot".to_owned(), netns: NamespaceId::new(4, 4026531840, 1) };
/// let (body, owner) = (Body::Host(host), store.owner());
/// let record = Record { body, phase: Phase::There, tenure: Tenure::Kept, owner };
/// let at = store.commit(&Change::new().put(record.clone(), Expected::Absent))?;
/// assert_eq!(store.changes(None)?.records, [(at, record)]);
/// assert!(store.changes(Some(at))?.records.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Memory {
    kept: Arc<Mutex<Kept>>,
    owner: OwnerId,
}

#[derive(Debug, Default)]
struct Kept {
    revision: Revision,
    records: BTreeMap<Key, (Revision, Record)>,
    gone: BTreeMap<Key, Revision>,
    claims: Claims,
    openers: BTreeSet<OwnerId>,
    opened: u64,
}

/// Where each claim begins in its space, with its end and whose it is.
#[derive(Debug, Default)]
struct Claims(BTreeMap<(Space, Vec<u8>), (Vec<u8>, Key)>);

impl Memory {
    /// One with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::opener_of(Arc::default())
    }

    /// Another opener of the same, as another process would be.
    ///
    /// ```
    /// use bridgework::store::{Memory, Store};
    ///
    /// let one = Memory::new();
    /// let other = one.open();
    /// assert_ne!(one.owner(), other.owner());
    /// assert!(other.is_alive(one.owner())?);
    /// # Ok::<(), bridgework::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn open(&self) -> Self {
        Self::opener_of(Arc::clone(&self.kept))
    }

    fn opener_of(kept: Arc<Mutex<Kept>>) -> Self {
        let mut open = kept.lock();
        open.opened += 1;
        let owner = OwnerId::new(open.opened);
        open.openers.insert(owner);
        drop(open);
        Self { kept, owner }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.kept.lock().openers.remove(&self.owner);
    }
}

impl Store for Memory {
    fn changes(&self, since: Option<Revision>) -> Result<Changes, StoreError> {
        let kept = self.kept.lock();
        let since = since.filter(|since| *since <= kept.revision);
        let is_newer = |revision: &Revision| since.is_none_or(|since| *revision > since);
        let records = kept.records.values().filter(|(at, _)| is_newer(at));
        let mut records: Vec<_> = records.cloned().collect();
        records.sort_by_key(|(at, _)| *at);
        let gone = kept.gone.iter().filter(|(_, at)| is_newer(at));
        Ok(Changes {
            revision: kept.revision,
            is_whole: since.is_none(),
            records,
            gone: match since {
                Some(_) => gone.map(|(key, _)| key.clone()).collect(),
                None => Vec::new(),
            },
        })
    }

    fn commit(&self, change: &Change) -> Result<Revision, StoreError> {
        let mut kept = self.kept.lock();
        if change.is_empty() {
            return Ok(kept.revision);
        }
        change.refuse_twice()?;
        let taken = kept.taken_out(change)?;
        let coming = kept.coming(change, &taken)?;
        kept.perform(change, &taken, coming);
        Ok(kept.revision)
    }

    fn owner(&self) -> OwnerId {
        self.owner
    }

    fn is_alive(&self, owner: OwnerId) -> Result<bool, StoreError> {
        Ok(self.kept.lock().openers.contains(&owner))
    }
}

impl Kept {
    /// The keys of all that is taken out before anything is put in, if each is as expected.
    fn taken_out(&self, change: &Change) -> Result<BTreeSet<Key>, StoreError> {
        let mut taken = BTreeSet::new();
        let deleted = change.delete.iter().cloned();
        let put = change
            .put
            .iter()
            .map(|(record, as_of)| (record.key(), *as_of));
        for (key, expected) in deleted.chain(put) {
            let found = self.records.get(&key).map(|(at, _)| *at);
            let found = found.filter(|_| !taken.contains(&key));
            if !expected.is_met(found) {
                return Err(StoreError::Overtaken { key });
            }
            taken.insert(key);
        }
        Ok(taken)
    }

    /// What the records that come claim, if nobody who stays has it.
    fn coming(&self, change: &Change, taken: &BTreeSet<Key>) -> Result<Claims, StoreError> {
        let mut coming = Claims::default();
        for (record, _) in &change.put {
            for claim in record.claims() {
                let kept = self.claims.holder(&claim, taken);
                let holder = kept.max(coming.holder(&claim, &BTreeSet::new()));
                if let Some(by) = holder.map(|(_, by)| by.clone()) {
                    return Err(StoreError::Claimed { claim, by });
                }
                let begin = (claim.space, claim.first);
                coming.0.insert(begin, (claim.last, record.key()));
            }
        }
        Ok(coming)
    }

    fn perform(&mut self, change: &Change, taken: &BTreeSet<Key>, coming: Claims) {
        self.revision = Revision::new(self.revision.number().saturating_add(1));
        for key in taken {
            let Some((_, record)) = self.records.remove(key) else {
                continue;
            };
            for claim in record.claims() {
                self.claims.0.remove(&(claim.space, claim.first));
            }
            self.gone.insert(key.clone(), self.revision);
        }
        for (record, _) in &change.put {
            self.gone.remove(&record.key());
            let kept = (self.revision, record.clone());
            self.records.insert(record.key(), kept);
        }
        self.claims.0.extend(coming.0);
    }
}

impl Claims {
    /// Claims of one space never overlap, so that only the last one that begins before the end of
    /// this one can be in its way, but for those that are taken out. It is told with where it begins.
    fn holder(&self, claim: &Claim, taken: &BTreeSet<Key>) -> Option<(&[u8], &Key)> {
        let upto = (claim.space.clone(), claim.last.clone());
        let mut before = self.0.range(..=upto).rev();
        let ((space, first), (last, by)) = before.find(|(_, (_, by))| !taken.contains(by))?;
        (*space == claim.space && *last >= claim.first).then_some((first, by))
    }
}
