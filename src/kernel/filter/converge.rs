//! The one way back to what must be: what the kernel has is read, and what of ours is not as it was
//! made is made so again in one transaction. Edits, the first network of a host, the watch and a
//! repair that was asked for all come here.

use std::collections::BTreeSet;

use super::{State, explain};
use crate::errno::Errno;
use crate::firewall::leads;
use crate::netlink::frame::Refusal;
use crate::netlink::nft::audit::{
    Claim, Contained, Expected, Learned, Observed, Remedy, claim, deviations, is_made_anew, learn,
    remedy,
};
use crate::netlink::socket::nft::{CommitError, NftSocket};
use crate::plan::nft::{Deviation, Element, Table, TableFamily};

/// How often what others changed in between is read again before it is no more asked of them that
/// they rest.
const TRIES_AT_REST: usize = 8;
/// And how often in all.
const TRIES: usize = 64;
/// How many elements may be left out since the kernel takes none of them.
const LEFT_OUT_MAX: usize = 64;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Tables, sets, chains and rules.
    Structure,
    /// Elements too.
    All,
}

impl State {
    /// What is not as it must be, of these tables and of the elements that are ours.
    pub(super) fn look(
        &mut self,
        tables: &[Table],
        extent: Extent,
    ) -> Result<(Vec<Deviation>, Observed), Refusal> {
        let socket = self.socket.as_mut().ok_or(Errno::EIO)?;
        let elements = &self.wanted.elements;
        let sets: BTreeSet<(TableFamily, &str)> = match extent {
            Extent::Structure => BTreeSet::new(),
            Extent::All => elements
                .iter()
                .map(|element| (element.family, element.set))
                .collect(),
        };
        let observed = observe(socket, tables, |family, set| sets.contains(&(family, set)))?;
        let expected = Expected {
            tables,
            elements,
            learned: &self.learned,
            port: socket.port(),
        };
        Ok((deviations(&observed, &expected), observed))
    }

    /// Makes all as it must be; returns what was not.
    pub(super) fn converge(
        &mut self,
        tables: &[Table],
        extent: Extent,
    ) -> Result<Vec<Deviation>, Refusal> {
        for tries in 1..=TRIES {
            let generation = self.socket()?.generation()?;
            let (found, mut observed) = self.look(tables, extent)?;
            if found.is_empty() {
                return Ok(found);
            }
            self.claim_all(tables, &mut observed)?;
            self.look_into_unfit(&found, tables, &mut observed)?;
            let generation = (tries < TRIES_AT_REST).then_some(generation);
            let mended = match generation {
                None if tries % 2 == 0 => self.make_whole(tables),
                generation => self.mend(tables, (&found, &observed), generation),
            };
            match mended {
                Err(error) if is_outrun(&error, generation) => {}
                Err(error) => return Err(explain(error, &[])),
                Ok(()) => return Ok(found),
            }
        }
        Err(Errno::EBUSY.into())
    }

    /// As [`converge`](Self::converge) of all, in that generation or not at all.
    pub(super) fn converge_in(
        &mut self,
        tables: &[Table],
        generation: u32,
    ) -> Result<Vec<Deviation>, Refusal> {
        let (found, mut observed) = self.look(tables, Extent::All)?;
        if found.is_empty() {
            return Ok(found);
        }
        self.claim_all(tables, &mut observed)?;
        self.look_into_unfit(&found, tables, &mut observed)?;
        let mended = self.mend(tables, (&found, &observed), Some(generation));
        mended.map_err(|error| explain(error, &[]))?;
        Ok(found)
    }

    /// Nobody's tables are taken from them.
    fn claim_all(&mut self, tables: &[Table], observed: &mut Observed) -> Result<(), Refusal> {
        let socket = self.socket.as_mut().ok_or(Errno::EIO)?;
        for table in tables {
            let Some(state) = observed.table(table) else {
                continue;
            };
            let words = match claim(table, state, socket.port()) {
                Claim::Kept | Claim::Orphaned => continue,
                Claim::Foreign(owner) => format!(
                    "another process owns the table {} {}: its netlink socket has port {owner}",
                    table.family, table.name
                ),
                Claim::Unfit => {
                    let contained = observed.contents.entry(table.family).or_default();
                    look_into(socket, table, contained, |_, set| set == "bridges")?;
                    let is_foreign = |element: &&Element| {
                        element.set == "bridges" && !self.wanted.elements.contains(*element)
                    };
                    let Some(other) = contained.elements.iter().find(is_foreign) else {
                        continue;
                    };
                    let whose = &other.comment;
                    format!(
                        "the table {} {} is used by another process, or was kept by one that has \
                         ended ({whose}), and can't be owned",
                        table.family, table.name
                    )
                }
            };
            return Err(Refusal {
                errno: Errno::EBUSY,
                words: Some(words),
            });
        }
        Ok(())
    }

    /// What others have put into a table that has to be made anew is put into it again.
    fn look_into_unfit(
        &mut self,
        found: &[Deviation],
        tables: &[Table],
        observed: &mut Observed,
    ) -> Result<(), Refusal> {
        let socket = self.socket.as_mut().ok_or(Errno::EIO)?;
        for table in tables {
            if is_made_anew(table, observed, found, socket.port()) {
                let contained = observed.contents.entry(table.family).or_default();
                look_into(socket, table, contained, |_, _| true)?;
            }
        }
        Ok(())
    }

    /// As if there were nothing, so that it matters to nobody what went in between.
    fn make_whole(&mut self, tables: &[Table]) -> Result<(), CommitError> {
        let nothing = Observed::default();
        let expected = Expected {
            tables,
            elements: &self.wanted.elements,
            learned: &self.learned,
            port: self.port().unwrap_or_default(),
        };
        let missing = deviations(&nothing, &expected);
        self.mend(tables, (&missing, &nothing), None)
    }

    /// One transaction. Elements that the kernel does not take, since somebody has put others in
    /// their place, are left out.
    fn mend(
        &mut self,
        tables: &[Table],
        (found, observed): (&[Deviation], &Observed),
        generation: Option<u32>,
    ) -> Result<(), CommitError> {
        let socket = self.socket.as_mut();
        let socket = socket.ok_or(CommitError::Unknown(Errno::EIO))?;
        let expected = Expected {
            tables,
            elements: &self.wanted.elements,
            learned: &self.learned,
            port: socket.port(),
        };
        let mut remedy = remedy(found, observed, &expected);
        let mut left_out = 0;
        while let Err(error) = socket.commit(&remedy.changes(), generation) {
            let element = refused_element(&error, &remedy);
            let is_left_out = left_out < LEFT_OUT_MAX && !is_outrun(&error, generation);
            let Some(element) = element.filter(|_| is_left_out) else {
                return Err(error);
            };
            remedy.add.remove(element);
            left_out += 1;
        }
        let has_networks = self.wanted.elements.iter().any(super::is_network);
        self.was_interrupted |= has_networks && found.iter().any(|one| leads(&one.part));
        if remedy.fills() {
            self.learned = after(socket, tables, generation).unwrap_or_default();
        }
        Ok(())
    }
}

/// Whether somebody else came in between. Where the generation is not asked for, what was seen is gone
/// then.
fn is_outrun(error: &CommitError, generation: Option<u32>) -> bool {
    match error {
        CommitError::Stale => true,
        CommitError::Refused { refusal, .. } => {
            generation.is_none() && refusal.errno == Errno::ENOENT
        }
        _ => false,
    }
}

fn refused_element(error: &CommitError, remedy: &Remedy<'_>) -> Option<usize> {
    let CommitError::Refused {
        place: Some(place), ..
    } = error
    else {
        return None;
    };
    let is_add = place.change == remedy.structure.len() + 1;
    place.element.filter(|_| is_add)
}

/// What the kernel tells of chains that we have just filled, if nobody else has come in between.
fn after(socket: &mut NftSocket, tables: &[Table], before: Option<u32>) -> Option<Learned> {
    let next = before?.wrapping_add(1).max(1);
    let observed = observe(socket, tables, |_, _| false).ok()?;
    let is_ours = socket.generation().ok()? == next;
    is_ours.then(|| learn(&observed, tables))
}

/// What the kernel has of these tables, and in the sets that are `wanted`.
fn observe(
    socket: &mut NftSocket,
    tables: &[Table],
    wanted: impl Fn(TableFamily, &'static str) -> bool,
) -> Result<Observed, Refusal> {
    let mut observed = Observed {
        tables: socket.tables()?,
        ..Observed::default()
    };
    let present: Vec<&Table> = tables
        .iter()
        .filter(|table| observed.table(table).is_some())
        .collect();
    if present.is_empty() {
        return Ok(observed);
    }
    observed.chains = socket.chains()?;
    for table in present {
        let mut contained = Contained {
            sets: forgive(socket.sets(table.family, table.name))?,
            rules: forgive(socket.all_rules(table.family, table.name))?,
            ..Contained::default()
        };
        look_into(socket, table, &mut contained, &wanted)?;
        observed.contents.insert(table.family, contained);
    }
    Ok(observed)
}

fn look_into(
    socket: &mut NftSocket,
    table: &Table,
    contained: &mut Contained,
    wanted: impl Fn(TableFamily, &'static str) -> bool,
) -> Result<(), Refusal> {
    contained.elements.clear();
    contained.looked_into.clear();
    for set in table
        .sets
        .iter()
        .filter(|set| wanted(table.family, set.name))
    {
        if contained.sets.iter().any(|state| state.name == set.name) {
            let found = match socket.elements(table, set) {
                Err(refusal) if refusal.errno == Errno::ENOENT => continue,
                found => found?,
            };
            contained.elements.extend(found.elements);
            contained.looked_into.insert(set.name);
        }
    }
    Ok(())
}

/// What has gone since it was told of has nothing in it.
fn forgive<T>(found: Result<Vec<T>, Refusal>) -> Result<Vec<T>, Refusal> {
    match found {
        Err(refusal) if refusal.errno == Errno::ENOENT => Ok(Vec::new()),
        found => found,
    }
}
