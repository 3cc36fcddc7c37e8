//! The packet filter of one host: what of it is ours is known here, so that it can be made again
//! where somebody else has removed it. One socket does all; it is kept, since closing one makes the
//! kernel wait for what was removed by it.

mod converge;
mod drops;
mod host;
mod mend;
mod pace;
mod watch;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};

use super::netns::Netns;
use crate::addr::{LinkName, Protocol};
use crate::errno::Errno;
use crate::firewall::ForwardDrop;
use crate::netlink::frame::Refusal;
use crate::netlink::nft::audit::Learned;
use crate::netlink::nft::{Absence, Change, Presence, whole};
use crate::netlink::socket::nft::{CommitError, NftSocket};
use crate::plan::nft::{Deviation, Element, Field, Set, Table};
use crate::plan::{ElementsEdit, HostFirewall, Switch};
use converge::Extent;
use drops::drops;
use mend::mend;
use watch::Watch;
pub(crate) use watch::{Keeper, Repaired};

#[derive(Debug, Default)]
pub(super) struct Filter {
    state: Arc<Mutex<State>>,
    watching: Watching,
}

/// Whether others' changes are watched for.
#[derive(Default)]
struct Watching {
    /// For whom; nothing is watched for as long as there is nobody.
    keeper: OnceLock<Arc<dyn Keeper>>,
    watch: Mutex<Option<Watch>>,
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.watch)
    }
}

#[derive(Debug, Default)]
struct State {
    socket: Option<NftSocket>,
    wanted: Wanted,
    learned: Learned,
    /// What an edit has found missing and mended, and nobody has been told of.
    mended: Vec<Deviation>,
    /// Something by which connections are led was not there for a while.
    was_interrupted: bool,
}

/// What has been made and not been taken back: all that is ours alone, and what is shared.
#[derive(Debug, Default)]
struct Wanted {
    host: Option<HostFirewall>,
    elements: BTreeSet<Element>,
    /// Networks whose tables are there, and whose elements are not yet.
    beginning: usize,
    /// Networks whose elements are gone, and that have not said yet that they need no tables.
    ending: usize,
}

impl Wanted {
    fn tables(&self) -> &[Table] {
        self.host.as_ref().map_or(&[], |host| &host.tables)
    }

    fn edit(&mut self, edit: &ElementsEdit) {
        for element in &edit.superseded {
            self.supersede(element);
        }
        for element in &edit.remove {
            if self.elements.remove(element) && is_network(element) {
                self.ending += 1;
            }
        }
        let begun = edit
            .add
            .iter()
            .filter(|element| is_network(element))
            .count();
        self.beginning = self.beginning.saturating_sub(begun);
        self.elements.extend(edit.add.iter().cloned());
    }

    /// Whatever is in its place is not wanted any more.
    fn supersede(&mut self, element: &Element) {
        let place = (element.set, &element.key);
        self.elements
            .retain(|other| (other.set, &other.key) != place);
    }

    /// A network that has come to its end, or that was begun and is given up, needs no tables.
    fn end(&mut self) {
        match self.ending.checked_sub(1) {
            Some(left) => self.ending = left,
            None => self.beginning = self.beginning.saturating_sub(1),
        }
    }

    /// Whether a network of ours needs the tables.
    fn has_networks(&self) -> bool {
        self.beginning > 0 || self.elements.iter().any(is_network)
    }
}

/// Whether it is the one element that each network has once.
fn is_network(element: &Element) -> bool {
    element.set == "bridges"
}

impl Filter {
    /// From the first network on others' changes are undone, as `keeper` has it.
    pub(super) fn watch(&self, keeper: Arc<dyn Keeper>) {
        let _first = self.watching.keeper.set(keeper);
    }

    /// From now on, if there is anybody who wants it; with the tables, where the host has any.
    pub(super) fn start_watching(&self, netns: &Netns, tables: Switch) -> Result<(), Refusal> {
        let Some(keeper) = self.watching.keeper.get() else {
            return Ok(());
        };
        let mut watch = self.watching.watch.lock();
        if watch.is_none() {
            if tables.is_on() {
                self.open(netns)?.learn_uplinks()?;
            }
            let state = tables.is_on().then(|| Arc::clone(&self.state));
            *watch = Some(Watch::start(netns, state, Arc::clone(keeper)).map_err(unavailable)?);
        }
        Ok(())
    }

    /// Elements go and come in one transaction. Those that are gone already count as gone; if all is
    /// gone since somebody else has removed it, it is made again first. A published port that a
    /// process left when it died is ours; where it led until now is returned.
    pub(super) fn edit(&self, netns: &Netns, edit: &ElementsEdit) -> Result<Vec<Element>, Refusal> {
        let mut state = self.open(netns)?;
        let inherited = match state.commit_or_inherit(edit, &[]) {
            Err(refusal) if refusal.errno == Errno::ENOENT && edit.add.is_empty() => Vec::new(),
            Err(refusal) if refusal.errno == Errno::ENOENT => {
                let host = state.wanted.host.as_ref();
                let tables = host.map(|host| host.tables.clone()).unwrap_or_default();
                state.until_taken(&tables, |state, before| {
                    state.commit_or_inherit(edit, before)
                })?
            }
            edited => edited?,
        };
        state.wanted.edit(edit);
        Ok(inherited)
    }

    /// What another process has made is as if we had.
    pub(super) fn recall(&self, firewall: Option<&HostFirewall>, edit: &ElementsEdit) {
        let mut state = self.state.lock();
        if let Some(firewall) = firewall {
            state.wanted.host.get_or_insert_with(|| firewall.clone());
        }
        for element in &edit.superseded {
            state.wanted.supersede(element);
        }
        state.wanted.elements.extend(edit.add.iter().cloned());
    }

    /// What another process has taken back is no business of ours any more.
    pub(super) fn forget(&self, elements: &[Element]) {
        let mut state = self.state.lock();
        for element in elements {
            state.wanted.elements.remove(element);
        }
        if !state.wanted.has_networks() {
            state.wanted = Wanted::default();
        }
    }

    /// What of ours is not as it must be, and what is ours.
    pub(super) fn look(&self, netns: &Netns) -> Result<(Vec<Deviation>, Vec<Element>), Refusal> {
        let mut state = self.open(netns)?;
        state.learn_uplinks()?;
        let tables = state.wanted.tables().to_vec();
        let (found, _) = state.look(&tables, Extent::All)?;
        Ok((found, state.wanted.elements.iter().cloned().collect()))
    }

    /// All elements that are in the tables of a host with this firewall.
    pub(super) fn elements(
        &self,
        netns: &Netns,
        firewall: &HostFirewall,
    ) -> Result<Vec<Element>, Refusal> {
        self.open(netns)?.elements(&firewall.tables, |_, _| true)
    }

    pub(super) fn has_mended(&self) -> bool {
        !self.state.lock().mended.is_empty()
    }

    /// What is led by the tables, if something of them was missing since that was asked last: what began
    /// then was led by nothing.
    pub(super) fn take_interrupted(&self) -> Option<Vec<Element>> {
        let mut state = self.state.lock();
        let was_interrupted = std::mem::take(&mut state.was_interrupted);
        was_interrupted.then(|| state.wanted.elements.iter().cloned().collect())
    }

    pub(super) fn generation(&self, netns: &Netns) -> Result<u32, Refusal> {
        self.open(netns)?.socket()?.generation()
    }

    /// Elements of nobody go, if nobody has changed anything since the kernel was of that generation.
    pub(super) fn remove_in(
        &self,
        netns: &Netns,
        generation: u32,
        elements: &[Element],
    ) -> Result<bool, Refusal> {
        self.open(netns)?.remove_in(generation, elements)
    }

    /// Those of them that are ours.
    pub(super) fn wanted(&self) -> BTreeSet<Element> {
        self.state.lock().wanted.elements.clone()
    }

    /// What of ours is not as it must be is so again.
    pub(super) fn mend(
        &self,
        netns: &Netns,
        catch_up: impl Fn() -> crate::error::Result<()>,
    ) -> Result<Vec<Deviation>, Refusal> {
        drop(self.open(netns)?);
        mend(&self.state, catch_up)
    }

    /// Others' chains that drop what is forwarded.
    pub(super) fn drops(
        &self,
        netns: &Netns,
        bridges: &[LinkName],
    ) -> Result<Vec<ForwardDrop>, Refusal> {
        let mut state = self.open(netns)?;
        drops(state.socket()?, bridges)
    }

    fn open(&self, netns: &Netns) -> Result<MutexGuard<'_, State>, Refusal> {
        let mut state = self.state.lock();
        if state.socket.is_none() {
            let opened = netns.visit(NftSocket::open);
            state.socket = Some(opened.map_err(unavailable)?);
        }
        Ok(state)
    }
}

impl State {
    fn socket(&mut self) -> Result<&mut NftSocket, Refusal> {
        self.socket.as_mut().ok_or_else(|| Errno::EIO.into())
    }

    fn port(&self) -> Option<u32> {
        self.socket.as_ref().map(NftSocket::port)
    }

    /// All that is in those sets of the tables that are there.
    fn elements(
        &mut self,
        tables: &[Table],
        is_one: impl Fn(&Table, &Set) -> bool,
    ) -> Result<Vec<Element>, Refusal> {
        let socket = self.socket()?;
        let mut elements = Vec::new();
        for table in tables {
            for set in table.sets.iter().filter(|set| is_one(table, set)) {
                match socket.elements(table, set) {
                    Err(refusal) if refusal.errno == Errno::ENOENT => {}
                    found => elements.extend(found?.elements),
                }
            }
        }
        Ok(elements)
    }

    /// In one transaction with what has to be there before. A port of the host's is held by a socket
    /// before anything leads from it: whoever made what leads from it now holds it no more, and is dead.
    /// Returns that.
    fn commit_or_inherit(
        &mut self,
        edit: &ElementsEdit,
        before: &[Change<'_>],
    ) -> Result<Vec<Element>, Refusal> {
        match self.commit_without(edit, &[], before) {
            Err(refusal) if refusal.errno == Errno::EEXIST => self.inherit(edit, before),
            edited => edited.map(|()| Vec::new()),
        }
    }

    fn inherit(
        &mut self,
        edit: &ElementsEdit,
        before: &[Change<'_>],
    ) -> Result<Vec<Element>, Refusal> {
        let ports = edit.add.iter().filter(|element| is_held_port(element));
        let ports: Vec<Element> = ports.cloned().collect();
        let tables = self.wanted.tables().to_vec();
        let is_of_port = |set: &Set| ports.iter().any(|port| port.set == set.name);
        let mut stale = self.elements(&tables, |_, set| is_of_port(set))?;
        let place = |element: &Element| (element.set, element.key.clone());
        let places: BTreeSet<_> = ports.iter().map(place).collect();
        stale.retain(|element| places.contains(&place(element)));
        self.commit_without(edit, &ports, before)?;
        Ok(stale)
    }

    fn commit_without(
        &mut self,
        edit: &ElementsEdit,
        stale: &[Element],
        before: &[Change<'_>],
    ) -> Result<(), Refusal> {
        let mut changes = before.to_vec();
        changes.push(Change::DeleteElements(&edit.remove, Absence::Accepted));
        if !edit.superseded.is_empty() {
            changes.push(Change::DeleteElements(&edit.superseded, Absence::Accepted));
        }
        if !stale.is_empty() {
            changes.push(Change::DeleteElements(stale, Absence::Accepted));
        }
        changes.push(Change::AddElements(&edit.add, Presence::Refused));
        let lists = changes.iter().map(|change| match change {
            Change::DeleteElements(list, _) | Change::AddElements(list, _) => *list,
            _ => &[],
        });
        let lists: Vec<&[Element]> = lists.collect();
        let committed = self.socket()?.commit(&changes, None);
        committed.map_err(|error| explain(error, &lists))
    }

    /// Whether they are gone: not if somebody has changed anything since the kernel was of that
    /// generation.
    fn remove_in(&mut self, generation: u32, elements: &[Element]) -> Result<bool, Refusal> {
        let change = Change::DeleteElements(elements, Absence::Accepted);
        match self.socket()?.commit(&[change], Some(generation)) {
            Ok(()) => Ok(true),
            Err(CommitError::Stale) => Ok(false),
            Err(error) => Err(explain(error, &[elements])),
        }
    }

    /// Tries it until the kernel has the tables that it is about: they are made again. Where somebody
    /// removes them again before it is tried, each time, they are made in one transaction with it.
    fn until_taken<T>(
        &mut self,
        tables: &[Table],
        mut attempt: impl FnMut(&mut Self, &[Change<'_>]) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        const TRIES: usize = 8;
        for _ in 0..TRIES {
            match attempt(self, &[]) {
                Err(refusal) if refusal.errno == Errno::ENOENT => {
                    let mended = self.converge(tables, Extent::All)?;
                    self.mended.extend(mended);
                }
                taken => return taken,
            }
        }
        self.was_interrupted = true;
        let elements: Vec<Element> = self.wanted.elements.iter().cloned().collect();
        let mut all: Vec<Change<'_>> = tables.iter().flat_map(whole).collect();
        all.push(Change::AddElements(&elements, Presence::Accepted));
        attempt(self, &all)
    }

    /// As [`mend_wanted`](Self::mend_wanted), if nobody has changed anything since the kernel was of
    /// that generation; `ERESTART` if somebody has.
    fn mend_wanted_in(&mut self, generation: u32) -> Result<Vec<Deviation>, Refusal> {
        let Some(host) = &self.wanted.host else {
            return Ok(Vec::new());
        };
        let tables = host.tables.clone();
        self.converge_in(&tables, generation)
    }

    /// All that was made is there again as it was. What others have put into sets of ours stays.
    fn mend_wanted(&mut self) -> Result<Vec<Deviation>, Refusal> {
        let Some(host) = &self.wanted.host else {
            return Ok(Vec::new());
        };
        let tables = host.tables.clone();
        self.converge(&tables, Extent::All)
    }
}

/// SCTP has no sockets that hold its ports.
fn is_held_port(element: &Element) -> bool {
    let sctp = Field::Protocol(Protocol::Sctp);
    let is_port = ["published", "carried"]
        .iter()
        .any(|kind| element.set.starts_with(kind));
    is_port && !element.key.contains(&sctp)
}

fn unavailable(errno: Errno) -> Refusal {
    let words = (errno == Errno::EPROTONOSUPPORT)
        .then(|| "this kernel has no nftables: build nf_tables in, or load it".to_owned());
    Refusal { errno, words }
}

/// The refusal of a transaction, with the element that it is about.
fn explain(error: CommitError, elements: &[&[Element]]) -> Refusal {
    match error {
        CommitError::Stale => Errno::ERESTART.into(),
        CommitError::Unknown(errno) => errno.into(),
        CommitError::TooLarge { bytes, limit } => Refusal {
            errno: Errno::EMSGSIZE,
            words: Some(format!(
                "a transaction of {bytes} bytes, and this user may send {limit} at once \
                 (net.core.wmem_max)"
            )),
        },
        CommitError::Refused { place, refusal } => {
            let element = place.and_then(|place| {
                let list = elements.get(place.change)?;
                list.get(place.element?)
            });
            let words = element.map(|element| match refusal.errno {
                Errno::EEXIST if element.set.starts_with("published") => {
                    format!("port is already allocated: {}", element)
                }
                _ => element.to_string(),
            });
            Refusal {
                words: refusal.words.or(words),
                ..refusal
            }
        }
    }
}

#[cfg(test)]
mod tests;
