//! Where records are kept: so that another process can go on with them, or the next one after a
//! crash. A store knows nothing of networks; what no two records may have at once is its constraint.

mod memory;
#[cfg(feature = "store")]
mod sqlite;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

pub use memory::Memory;
#[cfg(feature = "store")]
#[cfg_attr(docsrs, doc(cfg(feature = "store")))]
pub use sqlite::Sqlite;

use crate::errno::Errno;
use crate::record::{Claim, Key, OwnerId, Record, Revision};

/// Keeps records. Several processes, and several openers in each, may use one at the same time; each
/// change is all or nothing, and what `commit` has answered for outlives the process.
///
/// ```
/// use bridgework::store::{Memory, Store, StoreError};
///
/// fn count(store: &dyn Store) -> Result<usize, StoreError> {
///     Ok(store.changes(None)?.records.len())
/// }
/// assert_eq!(count(&Memory::new())?, 0);
/// # Ok::<(), bridgework::store::StoreError>(())
/// ```
pub trait Store: fmt::Debug + Send + Sync {
    /// What has changed since `since`, in one consistent view; all there is where that is `None`, or
    /// too long ago, or no revision that this store has had.
    ///
    /// # Errors
    /// The records can't be read.
    ///
    /// ```
    /// use bridgework::store::{Change, Expected, Memory, Store};
    /// # use bridgework::record::{Body, HostRecord, Phase, Record, Tenure};
    /// # let body = Body::Host(HostRecord { boot: "a boot".to_owned(), netns: Default::default() });
    /// # let (phase, tenure) = (Phase::There, Tenure::Kept);
    ///
    /// let store = Memory::new();
    /// let before = store.changes(None)?.revision;
    /// # let record = Record { body, phase, tenure, owner: store.owner() };
    /// store.commit(&Change::new().put(record, Expected::Absent))?;
    /// let changes = store.changes(Some(before))?;
    /// assert!(!changes.is_whole);
    /// assert_eq!(changes.records.len(), 1);
    /// # Ok::<(), bridgework::store::StoreError>(())
    /// ```
    fn changes(&self, since: Option<Revision>) -> Result<Changes, StoreError>;

    /// Performs all of `change`, or nothing, and returns the revision that it has made; an empty one
    /// makes none. What goes does so before what comes, whatever their order.
    ///
    /// # Errors
    /// [`StoreError::Claimed`]: another record has what one of these claims, and no part of this
    /// change takes that away. [`StoreError::Overtaken`]: a record is not as was expected, or comes
    /// twice in this change. Or the records can't be written.
    ///
    /// ```
    /// use bridgework::store::{Change, Expected, Memory, Store};
    /// # use bridgework::record::{Body, HostRecord, Phase, Record, Tenure};
    /// # let body = Body::Host(HostRecord { boot: "a boot".to_owned(), netns: Default::default() });
    /// # let (phase, tenure) = (Phase::There, Tenure::Kept);
    ///
    /// let store = Memory::new();
    /// # let record = Record { body, phase, tenure, owner: store.owner() };
    /// let come = Change::new().put(record.clone(), Expected::Absent);
    /// let revision = store.commit(&come)?;
    /// let go = Change::new().delete(record.key(), Expected::At(revision));
    /// assert!(store.commit(&go)? > revision);
    /// assert!(store.commit(&go).is_err()); // it is not as of that revision any more
    /// # Ok::<(), bridgework::store::StoreError>(())
    /// ```
    fn commit(&self, change: &Change) -> Result<Revision, StoreError>;

    /// This opener, as the owner of what it writes.
    ///
    /// ```
    /// use bridgework::store::{Change, Expected, Memory, Store};
    /// # use bridgework::record::{Body, HostRecord, Phase, Record, Tenure};
    /// # let body = Body::Host(HostRecord { boot: "a boot".to_owned(), netns: Default::default() });
    /// # let (phase, tenure) = (Phase::There, Tenure::Kept);
    ///
    /// let store = Memory::new();
    /// let record = Record { body, phase, tenure, owner: store.owner() };
    /// store.commit(&Change::new().put(record, Expected::Absent))?;
    /// let seen = store.open().changes(None)?; // as another process sees it
    /// assert_eq!(seen.records[0].1.owner, store.owner());
    /// # Ok::<(), bridgework::store::StoreError>(())
    /// ```
    fn owner(&self) -> OwnerId;

    /// Whether that owner lives: its process is there, and has this store open.
    ///
    /// # Errors
    /// It can't be said.
    ///
    /// ```
    /// use bridgework::store::{Memory, Store};
    ///
    /// let store = Memory::new();
    /// let other = store.open();
    /// let owner = other.owner();
    /// assert!(store.is_alive(owner)?);
    /// drop(other);
    /// assert!(!store.is_alive(owner)?);
    /// # Ok::<(), bridgework::store::StoreError>(())
    /// ```
    fn is_alive(&self, owner: OwnerId) -> Result<bool, StoreError>;

    /// By which what the hosts of this store make is told from what those of another store make in the
    /// same network namespace: part of the ids, and so of the marks in the kernel. It is the same
    /// whenever the store is opened, and also when it was lost and is begun anew. Of 0 is what has no
    /// store, or one that says nothing here.
    ///
    /// ```
    /// use bridgework::store::{Memory, Store};
    ///
    /// assert_eq!(Memory::new().tag(), 0);
    /// ```
    fn tag(&self) -> u16 {
        0
    }
}

/// What is different from before.
///
/// ```
/// use std::collections::BTreeMap;
/// use bridgework::store::{Changes, Memory, Store};
/// # use bridgework::record::{Key, Record};
///
/// fn follow(known: &mut BTreeMap<Key, Record>, changes: Changes) {
///     if changes.is_whole {
///         known.clear();
///     }
///     known.retain(|key, _| !changes.gone.contains(key));
///     known.extend(changes.records.into_iter().map(|(_, record)| (record.key(), record)));
/// }
/// let mut known = BTreeMap::new();
/// follow(&mut known, Memory::new().changes(None)?);
/// assert!(known.is_empty());
/// # Ok::<(), bridgework::store::StoreError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// The revision that this is the view of.
    pub revision: Revision,
    /// Whether these are all records that there are, and all others are gone.
    pub is_whole: bool,
    /// Records that have come or have changed, each with the revision that it is of, in the order of
    /// these.
    pub records: Vec<(Revision, Record)>,
    /// Those that are gone.
    pub gone: Vec<Key>,
}

/// Records that come, change and go together.
///
/// ```
/// use bridgework::record::Key;
/// use bridgework::store::{Change, Expected, Memory, Store, StoreError};
///
/// let key = Key::new("network", "abab");
/// let change = Change::new().delete(key.clone(), Expected::Anything);
/// assert!(!change.is_empty());
/// assert!(Memory::new().commit(&change).is_ok());
/// let change = Change::new().delete(key.clone(), Expected::At(Default::default()));
/// assert_eq!(Memory::new().commit(&change), Err(StoreError::Overtaken { key }));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// Those that come or change.
    pub put: Vec<(Record, Expected)>,
    /// Those that go.
    pub delete: Vec<(Key, Expected)>,
}

/// How a record must be for a change to be made.
///
/// ```
/// use bridgework::store::{Change, Expected, Memory, Store};
/// # use bridgework::record::{Body, HostRecord, Phase, Record, Tenure};
/// # let body = Body::Host(HostRecord { boot: "a boot".to_owned(), netns: Default::default() });
/// # let (phase, tenure) = (Phase::There, Tenure::Kept);
///
/// let store = Memory::new();
/// # let record = Record { body, phase, tenure, owner: store.owner() };
/// let put = |expected| store.commit(&Change::new().put(record.clone(), expected));
/// let revision = put(Expected::Absent)?;
/// assert!(put(Expected::Absent).is_err());
/// let later = put(Expected::At(revision))?;
/// assert!(put(Expected::At(revision)).is_err()); // somebody was faster
/// assert!(put(Expected::Anything)? > later);
/// # Ok::<(), bridgework::store::StoreError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// There is none of its key.
    Absent,
    /// It is as of that revision.
    At(Revision),
    /// Whatever it is, or none.
    Anything,
}

/// Why a store did not do what it was asked to.
///
/// ```
/// use bridgework::store::{Change, Expected, Memory, Store, StoreError};
/// # use bridgework::record::{Body, HostRecord, Phase, Record, Tenure};
/// # let body = Body::Host(HostRecord { boot: "a boot".to_owned(), netns: Default::default() });
/// # let (phase, tenure) = (Phase::There, Tenure::Kept);
///
/// let store = Memory::new();
/// # let record = Record { body, phase, tenure, owner: store.owner() };
/// let change = Change::new().put(record, Expected::Absent);
/// store.commit(&change)?;
/// match store.commit(&change) {
///     Err(StoreError::Overtaken { key }) => assert_eq!(key.to_string(), "host/host"),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), bridgework::store::StoreError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another record has it.
    #[error("{claim} is taken by {by}")]
    Claimed {
        /// What was claimed.
        claim: Claim,
        /// Whose it is.
        by: Key,
    },
    /// Somebody else has changed it meanwhile.
    #[error("{key} was changed by somebody else")]
    Overtaken {
        /// Which record.
        key: Key,
    },
    /// The file can't be read or written.
    #[error("{doing} {}: {errno}{}", path.display(), words_after(words))]
    File {
        /// What was being done: `open`, `commit to`, …
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the kernel says.
        errno: Errno,
        /// The engine's own words.
        words: Option<String>,
    },
    /// What is there are no records of ours, or no whole ones; or it was so, and the store was begun
    /// anew, maybe by another process. Whoever is told this looks at all there is before going on.
    #[error("{} is damaged: {words}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// The engine's own words.
        words: String,
    },
    /// It is somebody else's, or leads elsewhere, so that nothing of ours is kept there.
    #[error("{} is refused: {why}", path.display())]
    Refused {
        /// Which file or directory.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No record is that large.
    #[error("{key} has {size} bytes, more than {most}")]
    TooLarge {
        /// Which record.
        key: Key,
        /// How many bytes it would have.
        size: usize,
        /// How many bytes one may have.
        most: usize,
    },
    /// A newer version of this crate has written it.
    #[error("{} has format {found}, and this version reads up to {known}", path.display())]
    TooNew {
        /// Which file.
        path: PathBuf,
        /// The format that it has.
        found: u32,
        /// The newest one that is known here.
        known: u32,
    },
    /// Others have kept it locked for longer than anybody needs.
    #[error("{} stays locked by another process", path.display())]
    Locked {
        /// Which file.
        path: PathBuf,
    },
    /// It was opened before a fork, and is the parent's.
    #[error("the store was opened before a fork")]
    Forked,
}

impl Expected {
    /// Whether it is met by what was found, of that revision.
    fn is_met(self, found: Option<Revision>) -> bool {
        match self {
            Self::Absent => found.is_none(),
            Self::At(revision) => found == Some(revision),
            Self::Anything => true,
        }
    }
}

fn words_after(words: &Option<String>) -> String {
    words
        .as_ref()
        .map(|words| format!(": {words}"))
        .unwrap_or_default()
}

impl Change {
    /// None yet.
    ///
    /// ```
    /// use bridgework::store::{Change, Memory, Store};
    ///
    /// let store = Memory::new();
    /// let before = store.changes(None)?.revision;
    /// assert_eq!(store.commit(&Change::new())?, before); // nothing comes of nothing
    /// # Ok::<(), bridgework::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// And this record comes, or becomes so.
    ///
    /// ```
    /// use bridgework::store::{Change, Expected, Memory, Store};
    /// # use bridgework::record::{Body, HostRecord, Phase, Record, Tenure};
    /// # let body = Body::Host(HostRecord { boot: "a boot".to_owned(), netns: Default::default() });
    /// # let (phase, tenure) = (Phase::There, Tenure::Kept);
    ///
    /// let store = Memory::new();
    /// # let record = Record { body, phase, tenure, owner: store.owner() };
    /// let change = Change::new().put(record.clone(), Expected::Absent);
    /// let revision = store.commit(&change)?;
    /// assert_eq!(store.changes(None)?.records, [(revision, record)]);
    /// # Ok::<(), bridgework::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn put(mut self, record: Record, expected: Expected) -> Self {
        self.put.push((record, expected));
        self
    }

    /// And this one goes.
    ///
    /// ```
    /// use bridgework::store::{Change, Expected, Memory, Store};
    /// # use bridgework::record::{Body, HostRecord, Phase, Record, Tenure};
    /// # let body = Body::Host(HostRecord { boot: "a boot".to_owned(), netns: Default::default() });
    /// # let (phase, tenure) = (Phase::There, Tenure::Kept);
    ///
    /// let store = Memory::new();
    /// # let record = Record { body, phase, tenure, owner: store.owner() };
    /// let revision = store.commit(&Change::new().put(record.clone(), Expected::Absent))?;
    /// store.commit(&Change::new().delete(record.key(), Expected::At(revision)))?;
    /// assert_eq!(store.changes(Some(revision))?.gone, [record.key()]);
    /// # Ok::<(), bridgework::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn delete(mut self, key: Key, expected: Expected) -> Self {
        self.delete.push((key, expected));
        self
    }

    /// A record stands once in a change, or it would be in its own way.
    fn refuse_twice(&self) -> Result<(), StoreError> {
        let mut keys = BTreeSet::new();
        let mut put = self.put.iter().map(|(record, _)| record.key());
        match put.find(|key| !keys.insert(key.clone())) {
            Some(key) => Err(StoreError::Overtaken { key }),
            None => Ok(()),
        }
    }

    /// Whether nothing comes, changes or goes.
    ///
    /// ```
    /// use bridgework::record::Key;
    /// use bridgework::store::{Change, Expected};
    ///
    /// let change = Change::new();
    /// assert!(change.is_empty());
    /// assert!(!change.delete(Key::new("network", "abab"), Expected::Anything).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.put.is_empty() && self.delete.is_empty()
    }
}
