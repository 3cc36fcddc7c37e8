//! Records in a directory, by SQLite: for several processes at once, and for the next one after a
//! crash. The engine is not visible outside of this room, and networks are not known here.

mod checksum;
mod claims;
mod connection;
mod failure;
mod format;
mod locks;
mod place;
mod read;
mod reserve;
mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;

use self::locks::Locks;
use self::place::{Identity, Place};
use super::{Change, Changes, Store, StoreError};
use crate::record::{OwnerId, Revision};

/// How long others may keep a store to themselves.
const PATIENCE: Duration = Duration::from_secs(10);

/// A store in a directory of its own, which several openers may use at once, in one process or in
/// many. Its files are this user's alone.
///
/// What [`commit`](Store::commit) has answered for is there after the process has died, however it
/// did. After a power cut the store opens and is consistent, and the last commits may be missing; on
/// a tmpfs such as `/run`, as [`Sqlite::DIRECTORY`] is, all is gone then, as are the kernel's objects
/// that it is about.
///
/// A file that is damaged is moved aside, and a new one begun: see [`Sqlite::damaged`].
///
/// ```
/// use bridgework::store::{Change, Expected, Sqlite, Store, StoreError};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = std::env::temp_dir().join(format!("bridgework-doc-{}", std::process::id()));
/// let store = Sqlite::open(&directory)?;
/// let before = store.changes(None)?;
/// assert!(before.is_whole && before.records.is_empty());
/// assert!(store.is_alive(store.owner())?);
/// assert_eq!((store.directory(), store.damaged()), (directory.as_path(), None));
///
/// let other = Sqlite::open(&directory)?;
/// assert!(store.is_alive(other.owner())?);
/// drop(other);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Sqlite {
    place: Place,
    process: u32,
    owner: OwnerId,
    /// Locked on its own, so that it is known who lives while a commit waits for others.
    owners: RwLock<Locks>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    open: Option<Open>,
    damaged: Option<PathBuf>,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    identity: Identity,
    has_reserve: bool,
    /// All that was found as it was opened, for whoever asks for it first.
    found: Option<Changes>,
}

impl Sqlite {
    /// Where a machine's store is, unless another place is asked for.
    pub const DIRECTORY: &'static str = "/run/bridgework";

    /// Opens the store in that directory, and makes what is not there: the directory with mode 0700,
    /// parents with 0755, files with 0600, whatever the umask is. Other files in it are left alone.
    ///
    /// A file that is no store, or is damaged, is moved aside, and an empty store begun.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: the directory or a file is a symbolic link, another user's, or open to
    /// others. [`StoreError::TooNew`]: a newer version has written it. [`StoreError::Locked`]: others
    /// have kept it for 10 s. Or the files can't be read or written.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        let place = Place::make(directory.as_ref())?;
        let owners = Locks::open(&place.owners())?;
        let taken = owners.take_owner();
        let owner = taken.map_err(|error| failure::of_file("lock", &place.owners(), &error))?;
        let (open, damaged) = open_state(&place, None)?;
        let open = Some(open);
        Ok(Self {
            place,
            process: std::process::id(),
            owner,
            owners: RwLock::new(owners),
            state: Mutex::new(State { open, damaged }),
        })
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.place.directory()
    }

    /// Where the damaged file is now that this opener has last moved aside: all records were lost, and
    /// the store was begun anew. `None` if there was none. Four such files are kept, and older ones go.
    ///
    /// It may come to be while the store is open: then [`changes`](Store::changes) gives all that there
    /// is, which is nothing, and a commit fails with [`StoreError::Damaged`].
    #[must_use]
    pub fn damaged(&self) -> Option<PathBuf> {
        self.state.lock().damaged.clone()
    }

    /// Commits; what only takes back gets the room that is kept for it if there is no other.
    fn write(&self, open: &mut Open, change: &Change) -> Result<Revision, StoreError> {
        let path = self.place.state();
        let commit = |open: &Open| {
            write::commit(&open.connection, change).map_err(|e| e.of("commit to", &path))
        };
        let mut done = commit(open);
        if reserve::is_lacking(&done) && reserve::is_for(change) {
            reserve::give(&self.place.reserve())?;
            open.has_reserve = false;
            connection::shorten_log(&open.connection);
            done = commit(open);
        }
        if done.is_ok() && !open.has_reserve {
            open.has_reserve = reserve::keep(&self.place.reserve()).unwrap_or(false);
        }
        done
    }

    fn refuse_forked(&self) -> Result<(), StoreError> {
        match std::process::id() == self.process {
            true => Ok(()),
            false => Err(StoreError::Forked),
        }
    }

    /// Whether the file that is open is still the store's.
    fn is_current(&self, open: &Open) -> Result<bool, StoreError> {
        let path = self.place.state();
        let found = self.place.identity();
        let found = found.map_err(|error| failure::of_file("look at", &path, &error))?;
        Ok(found == Some(open.identity))
    }

    /// What is open; it is opened anew if the file was moved meanwhile, and then `was_moved` is said.
    fn current<'a>(&self, state: &'a mut State) -> Result<(&'a mut Open, bool), StoreError> {
        let is_current = match &state.open {
            Some(open) => self.is_current(open)?,
            None => false,
        };
        if !is_current {
            self.reopen(state, None)?;
        }
        match &mut state.open {
            Some(open) => Ok((open, !is_current)),
            None => Err(StoreError::Locked {
                path: self.place.state(),
            }),
        }
    }

    /// Opens what is there now. If that is still the file that was found to be damaged, it is moved
    /// aside before.
    fn reopen(&self, state: &mut State, damaged: Option<Identity>) -> Result<(), StoreError> {
        Place::make(self.place.directory())?;
        state.open = None;
        let owners = Locks::open(&self.place.owners())?;
        // the file that is there now may be another one; where it is not, the number is held already
        let taken = owners.take_this_owner(self.owner);
        if taken.map_err(|error| failure::of_file("lock", &self.place.owners(), &error))? {
            *self.owners.write() = owners;
        }
        let (open, aside) = open_state(&self.place, damaged)?;
        state.open = Some(open);
        if aside.is_some() {
            state.damaged = aside;
        }
        Ok(())
    }
}

impl Store for Sqlite {
    fn tag(&self) -> u16 {
        self.place.tag()
    }

    fn changes(&self, since: Option<Revision>) -> Result<Changes, StoreError> {
        self.refuse_forked()?;
        let mut state = self.state.lock();
        let (open, _) = self.current(&mut state)?;
        let identity = open.identity;
        let path = self.place.state();
        match read_of(open, since, &path) {
            Err(StoreError::Damaged { .. }) => {
                self.reopen(&mut state, Some(identity))?;
                let (open, _) = self.current(&mut state)?;
                read_of(open, None, &path)
            }
            found => found,
        }
    }

    fn commit(&self, change: &Change) -> Result<Revision, StoreError> {
        self.refuse_forked()?;
        let mut state = self.state.lock();
        let (open, was_moved) = self.current(&mut state)?;
        let path = self.place.state();
        if was_moved {
            return Err(failure::damaged(&path, ANEW.to_owned()));
        }
        let identity = open.identity;
        let done = self.write(open, change);
        match done {
            Err(StoreError::Damaged { path, words }) => {
                self.reopen(&mut state, Some(identity))?;
                Err(StoreError::Damaged { path, words })
            }
            // whoever moves a file aside does not wait for those that write to it
            Ok(_) if !self.is_current(open)? => {
                self.reopen(&mut state, None)?;
                Err(failure::damaged(&path, ANEW.to_owned()))
            }
            done => done,
        }
    }

    fn owner(&self) -> OwnerId {
        self.owner
    }

    fn is_alive(&self, owner: OwnerId) -> Result<bool, StoreError> {
        self.refuse_forked()?;
        if owner == self.owner {
            return Ok(true);
        }
        let taken = self.owners.read().is_taken(owner);
        taken.map_err(|error| failure::of_file("look at", &self.place.owners(), &error))
    }
}

impl Drop for Sqlite {
    /// The parent's locks and files are not this process's to close.
    fn drop(&mut self) {
        if self.refuse_forked().is_err() {
            std::mem::forget(self.state.get_mut().open.take());
        }
    }
}

const ANEW: &str = "it was begun anew";

/// Opens the engine's file while nobody else opens or moves it. What is damaged, or is that damaged
/// file still, is moved aside: where to is said.
fn open_state(
    place: &Place,
    damaged: Option<Identity>,
) -> Result<(Open, Option<PathBuf>), StoreError> {
    let path = place.lock();
    let lock = Locks::open(&path)?;
    let waited = lock.wait(PATIENCE);
    if !waited.map_err(|error| failure::of_file("lock", &path, &error))? {
        return Err(StoreError::Locked { path });
    }
    let move_aside = || {
        let moved = place.move_aside();
        moved.map_err(|error| failure::of_file("move", &place.state(), &error))
    };
    let found = place.identity().ok().flatten();
    let mut aside = None;
    if damaged.is_some() && damaged == found {
        aside = Some(move_aside()?);
    }
    let mut opened = open_once(place);
    if reserve::is_lacking(&opened) && reserve::give(&place.reserve())? {
        opened = open_once(place);
    }
    match opened {
        Err(StoreError::Damaged { .. }) => {
            aside = Some(move_aside()?);
            open_once(place).map(|open| (open, aside))
        }
        opened => opened.map(|open| (open, aside)),
    }
}

fn open_once(place: &Place) -> Result<Open, StoreError> {
    place.make_state()?;
    let path = place.state();
    let failed = |error: io::Error| failure::of_file("look at", &path, &error);
    let size = place.size().map_err(failed)?;
    if size > connection::STORE_MAX {
        return Err(failure::damaged(&path, format!("it has {size} bytes")));
    }
    let opened = connection::open(&path).map_err(|failure| failure.of("open", &path))?;
    let found = read::checked(&opened).map_err(|failure| failure.of("open", &path))?;
    place.make_state()?;
    match place.identity().map_err(failed)? {
        Some(identity) => Ok(Open {
            connection: opened,
            identity,
            has_reserve: reserve::keep(&place.reserve())?,
            found: Some(found),
        }),
        None => Err(failed(io::ErrorKind::NotFound.into())),
    }
}

/// What has changed; what was found as it was opened is not read again.
fn read_of(open: &mut Open, since: Option<Revision>, path: &Path) -> Result<Changes, StoreError> {
    let failed = |failure: failure::Failure| failure.of("read", path);
    let found = open.found.take();
    if let Some(found) = found.filter(|_| since.is_none()) {
        if read::last_revision(&open.connection).map_err(failed)? == found.revision {
            return Ok(found);
        }
    }
    read::changes(&open.connection, since).map_err(failed)
}

/// 64 bits that nobody can foretell.
fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(u64::from_le_bytes(bytes))
}
