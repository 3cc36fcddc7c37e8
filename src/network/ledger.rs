//! The records of a host, as far as this process has read them: what it writes down itself, and what
//! others have written since it last looked. What that means for its networks is `follow`'s business.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, Fault, Result, StoreTrouble};
use crate::record::{Body, Key, OwnerId, Phase, Record, Revision, Tenure};
use crate::store::{Change, Expected, Store, StoreError};

use super::registry::Registry;

/// Reads and writes a store, and knows what was read.
#[derive(Debug)]
pub(crate) struct Ledger {
    store: Arc<dyn Store>,
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    revision: Option<Revision>,
    records: BTreeMap<Key, (Revision, Record)>,
    /// What of that nobody was told of yet.
    untold: News,
}

/// What others have changed since this process looked last.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Records that have come or changed.
    pub(crate) changed: Vec<Record>,
    /// Those that are gone, as they were.
    pub(crate) gone: Vec<Record>,
}

impl Ledger {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let read = Mutex::default();
        Self { store, read }
    }

    /// What others have changed. Nothing is told twice, and what is told may have changed since.
    pub(crate) fn news(&self) -> Result<News> {
        let mut read = self.read.lock();
        read.look(self.store.as_ref())?;
        Ok(std::mem::take(&mut read.untold))
    }

    /// Reads what others have changed, which stays news.
    pub(crate) fn look(&self) -> Result<()> {
        self.read.lock().look(self.store.as_ref())
    }

    /// Whether a record that was told of is so still, as far as this process has read and written.
    pub(super) fn is_current(&self, record: &Record) -> bool {
        let read = self.read.lock();
        let found = read.records.get(&record.key());
        found.is_some_and(|(_, found)| found == record)
    }

    /// What could not be taken account of is news once more. It stays known as read, so that it is told
    /// when it goes.
    pub(crate) fn tell_again(&self, news: News) {
        let mut read = self.read.lock();
        read.untold.changed.splice(..0, news.changed);
    }

    /// Writes a change down, and knows it from then on.
    pub(crate) fn write(&self, doing: impl FnOnce() -> String, change: &Change) -> Result<()> {
        if change.is_empty() {
            return Ok(());
        }
        let mut read = self.read.lock();
        let revision = self.store.commit(change);
        let revision = revision.map_err(|error| unwritten(doing(), &error))?;
        for (key, _) in &change.delete {
            read.records.remove(key);
        }
        for (record, _) in &change.put {
            read.records
                .insert(record.key(), (revision, record.clone()));
        }
        Ok(())
    }

    /// Writes a change down as if somebody else had: it is news.
    pub(crate) fn hand_in(&self, doing: impl FnOnce() -> String, change: &Change) -> Result<()> {
        let written = self.store.commit(change);
        written
            .map(|_| ())
            .map_err(|error| unwritten(doing(), &error))
    }

    /// A record of this process's.
    pub(crate) fn record(&self, body: Body, phase: Phase, tenure: Tenure) -> Record {
        Record {
            body,
            phase,
            tenure,
            owner: self.store.owner(),
        }
    }

    /// As it was read or written last.
    pub(crate) fn get(&self, key: &Key) -> Option<Record> {
        let read = self.read.lock();
        read.records.get(key).map(|(_, record)| record.clone())
    }

    /// How a record must be for nobody to have changed it since it was read.
    pub(crate) fn expected(&self, key: &Key) -> Expected {
        let read = self.read.lock();
        match read.records.get(key) {
            Some((revision, _)) => Expected::At(*revision),
            None => Expected::Absent,
        }
    }

    /// All that was read.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        self.each(|record| records.push(record.clone()));
        records
    }

    /// Whether any record is so.
    pub(crate) fn any(&self, mut is_so: impl FnMut(&Record) -> bool) -> bool {
        let read = self.read.lock();
        read.records.values().any(|(_, record)| is_so(record))
    }

    /// Looks at all that was read.
    pub(crate) fn each(&self, look: impl FnMut(&Record)) {
        let read = self.read.lock();
        let records = read.records.values();
        records.map(|(_, record)| record).for_each(look);
    }

    /// Whether that owner lives. One of whom nothing can be said does.
    pub(crate) fn is_alive(&self, owner: OwnerId) -> bool {
        self.store.is_alive(owner).unwrap_or(true)
    }

    /// Of what was read last.
    pub(crate) fn revision(&self) -> Option<Revision> {
        self.read.lock().revision
    }

    /// By which what is made by this store is told from what others make in the same namespace.
    pub(crate) fn tag(&self) -> u16 {
        self.store.tag()
    }

    pub(crate) fn owner(&self) -> OwnerId {
        self.store.owner()
    }
}

impl Read {
    fn look(&mut self, store: &dyn Store) -> Result<()> {
        let changes = store.changes(self.revision).map_err(unread)?;
        let me = store.owner();
        let mut left: BTreeSet<Key> = match changes.is_whole {
            true => self.records.keys().cloned().collect(),
            false => BTreeSet::new(),
        };
        for (revision, record) in changes.records {
            let key = record.key();
            left.remove(&key);
            let known = self.records.get(&key);
            if known.is_some_and(|(known, same)| *known == revision && *same == record) {
                continue;
            }
            let is_own = record.owner == me;
            self.records.insert(key, (revision, record.clone()));
            if !is_own {
                self.untold.changed.push(record);
            }
        }
        for key in changes.gone.iter().chain(&left) {
            let gone = self.records.remove(key);
            self.untold.gone.extend(gone.map(|(_, record)| record));
        }
        self.revision = Some(changes.revision);
        Ok(())
    }
}

impl Registry {
    /// By which what this host's store is about is told from what other stores are about; of 0 is what has
    /// no store.
    pub(crate) fn store_tag(&self) -> u16 {
        self.ledger().map_or(0, Ledger::tag)
    }
}

/// Whether another process was quicker: whoever looks again and tries once more may do better.
pub(crate) fn is_overtaken(error: &Error) -> bool {
    let is_taken = |fault: &Fault| {
        let trouble = match fault {
            Fault::Store { trouble, .. } => *trouble,
            _ => return false,
        };
        trouble == StoreTrouble::Taken
    };
    error.left_behind().is_empty() && error.faults().iter().any(is_taken)
}

fn unread(error: StoreError) -> Error {
    unwritten("read the host's records".to_owned(), &error)
}

fn unwritten(doing: String, error: &StoreError) -> Error {
    let trouble = match error {
        StoreError::Claimed { .. } | StoreError::Overtaken { .. } => StoreTrouble::Taken,
        StoreError::Locked { .. } => StoreTrouble::Locked,
        _ => StoreTrouble::Unusable,
    };
    let fault = match error {
        StoreError::Forked => Fault::Forked,
        error => Fault::Store {
            doing: doing.clone(),
            why: error.to_string(),
            trouble,
        },
    };
    Error::of(doing, vec![fault])
}
