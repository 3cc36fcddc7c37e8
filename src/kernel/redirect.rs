//! The table of the packet filter that leads a container's queries elsewhere: made and taken away
//! inside its namespace. What is in it is decided elsewhere.
//!
//! Closing a socket that has removed something waits some 8 ms for the kernel to free it. The
//! threads of the crate's own that were needed anyway do that, and nobody waits for them.

#[cfg(test)]
mod tests;

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::netns::Netns;
use super::reap::Reaper;
use crate::errno::Errno;
use crate::netlink::frame::Refusal;
use crate::netlink::nft::{Absence, Change};
use crate::netlink::socket::DEADLINE;
use crate::netlink::socket::nft::{CommitError, NftSocket};
use crate::plan::Redirect;
use crate::plan::nft::Table;

/// By then the kernel has freed what was removed, and closing waits for nothing. While it does wait,
/// it holds what the deletion of a link in the same namespace waits for, with the lock of all links
/// in its hands.
const UNTIL_FREED: Duration = Duration::from_millis(20);

/// How often a table is replaced that others remove and make meanwhile.
const ATTEMPTS: usize = 4;

/// The first change that needs more than what every nf_tables can: the table, the chain and a rule
/// with no more than a verdict stand before it.
const FIRST_REWRITING: usize = 3;

/// In one transaction, with what of that name is there in its place: a process that was killed has
/// left it.
pub(super) fn add(namespace: &Netns, reaper: &Reaper, redirect: &Redirect) -> Result<(), Refusal> {
    let mut socket = match namespace.take_nft() {
        Some(socket) => socket,
        None => namespace.visit(NftSocket::open)?,
    };
    let table = redirect.table();
    let made = socket.commit(&whole(&table), None);
    if made.is_ok() {
        return Ok(());
    }
    let settled = match is_about_the_table(&made, Errno::EEXIST) {
        true => replace(&mut socket, &table),
        false => made,
    };
    if let Err(CommitError::Unknown(_)) = settled {
        // it may be there after all
        let _removed = remove(&mut socket, &table);
    }
    reaper.close(socket);
    settled.map_err(explain)
}

/// Returns when the table is gone. If it was gone already, that is done.
pub(super) fn delete(
    namespace: &Netns,
    reaper: &Reaper,
    redirect: &Redirect,
) -> Result<(), Refusal> {
    let table = redirect.table();
    let place = reaper.place();
    let is_waited_for = place.is_none();
    let (report, reports) = sync_channel(1);
    let visit = namespace.start(move || {
        let mut socket = NftSocket::open()?;
        // whoever waits has gone if nobody hears
        let _heard = report.send(remove(&mut socket, &table));
        if place.is_some() {
            thread::sleep(UNTIL_FREED);
        }
        drop((socket, place));
        Ok(())
    })?;
    let removed = match reports.recv_timeout(DEADLINE) {
        Ok(removed) => removed,
        Err(RecvTimeoutError::Timeout) => return Err(Errno::ETIMEDOUT.into()),
        // it has ended without a word: the socket could not be opened
        Err(RecvTimeoutError::Disconnected) => {
            let refused = visit.end().err();
            return Err(refused.unwrap_or(Errno::EIO).into());
        }
    };
    if is_waited_for {
        let _ended = visit.end();
    }
    removed.map_err(explain)
}

/// Others may remove it or make it meanwhile.
fn replace(socket: &mut NftSocket, table: &Table) -> Result<(), CommitError> {
    let removal = Change::DeleteTable(table.family, table.name, Absence::Refused);
    let mut changes = vec![removal];
    changes.extend(whole(table));
    let mut replaced = Ok(());
    for _ in 0..ATTEMPTS {
        replaced = socket.commit(&changes, None);
        if !is_about_the_table(&replaced, Errno::ENOENT) {
            break;
        }
        replaced = socket.commit(changes.get(1..).unwrap_or_default(), None);
        if !is_about_the_table(&replaced, Errno::EEXIST) {
            break;
        }
    }
    replaced
}

fn remove(socket: &mut NftSocket, table: &Table) -> Result<(), CommitError> {
    let removal = Change::DeleteTable(table.family, table.name, Absence::Refused);
    let removed = socket.commit(&[removal], None);
    match is_about_the_table(&removed, Errno::ENOENT) {
        true => Ok(()),
        false => removed,
    }
}

/// All of a table that is not there yet.
pub(super) fn whole(table: &Table) -> Vec<Change<'_>> {
    let mut changes = vec![Change::NewTable(table)];
    for chain in &table.chains {
        changes.push(Change::AddChain(table, chain));
        let rules = chain.rules.iter();
        changes.extend(rules.map(|rule| Change::AddRule(table, chain, rule)));
    }
    changes
}

/// Whether the first of the changes, which is about the table itself, was refused so.
fn is_about_the_table(committed: &Result<(), CommitError>, errno: Errno) -> bool {
    match committed {
        Err(CommitError::Refused {
            place: Some(place),
            refusal,
        }) => place.change == 0 && refusal.errno == errno,
        _ => false,
    }
}

pub(super) fn explain(error: CommitError) -> Refusal {
    match error {
        CommitError::Stale => Errno::ERESTART.into(),
        CommitError::Unknown(errno) => errno.into(),
        CommitError::TooLarge { .. } => Errno::EMSGSIZE.into(),
        // who may not change tables at all is told so of the batch, not of a table
        CommitError::Refused {
            place: Some(_),
            refusal,
        } if refusal.errno == Errno::EPERM => Refusal {
            errno: Errno::EPERM,
            words: Some("the table bridgework there is another process's own".to_owned()),
        },
        // kinds of chains are a part of nf_tables, which expressions need not be
        CommitError::Refused {
            place: Some(place),
            refusal,
        } if refusal.errno == Errno::ENOENT && place.change < FIRST_REWRITING => {
            Errno::EOPNOTSUPP.into()
        }
        CommitError::Refused { refusal, .. } => refusal,
    }
}
