//! Who answers inside a container: where its table leads questions to, whether anybody is there, and
//! how one takes that seat. Nobody takes it of somebody that it did not see there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::Netns;
use super::door;
use super::redirect::{explain, whole};
use crate::addr::{Port, Protocol};
use crate::errno::Errno;
use crate::netlink::frame::Refusal;
use crate::netlink::nft::audit::{Contained, Expected, Observed, deviations};
use crate::netlink::nft::{Absence, Change};
use crate::netlink::socket::nft::{CommitError, NftSocket};
use crate::plan::Redirect;
use crate::plan::nft::Table;

/// So often others may change something meanwhile.
const ATTEMPTS: usize = 8;

/// Who has the seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Questions come to whoever looks.
    Own,
    /// They do so from now on.
    Taken,
    /// They are led nowhere.
    Nobody,
    /// They are led to where nobody is any more.
    Dead,
    /// Somebody else is there.
    Other,
}

/// Of whom the seat may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Of none: it is only looked at.
    Nothing,
    /// Of one who has ended. Where questions are led nowhere, that may be on purpose.
    Dead,
    /// Of all but those that live.
    Vacant,
    /// Of whoever has it.
    Any,
}

impl Claim {
    pub(crate) fn takes(self, holder: Holder) -> bool {
        match holder {
            Holder::Own | Holder::Taken => false,
            Holder::Dead => self != Self::Nothing,
            Holder::Nobody => matches!(self, Self::Vacant | Self::Any),
            Holder::Other => self == Self::Any,
        }
    }
}

/// Who has a seat, as long as nobody changes any table there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) holder: Holder,
    generation: u32,
}

/// Who has the seat, once it was taken for `redirect` of those that `claim` says.
pub(crate) fn take_seat(netns: &Netns, redirect: Redirect, claim: Claim) -> Result<Holder, Errno> {
    netns.visit(move || {
        let mut socket = NftSocket::open()?;
        for _ in 0..ATTEMPTS {
            let seen = see(&mut socket, &redirect)?;
            if !claim.takes(seen.holder) {
                return Ok(seen.holder);
            }
            if take(&mut socket, &redirect, seen)? {
                return Ok(Holder::Taken);
            }
        }
        Err(Errno::EBUSY)
    })
}

/// Who has it, for whoever has something else to see to before it is taken.
pub(crate) fn look_at_seat(netns: &Netns, redirect: Redirect) -> Result<Seen, Errno> {
    netns.visit(move || see(&mut NftSocket::open()?, &redirect))
}

/// Whether it is taken, which it is only as it was seen.
pub(crate) fn take_seen_seat(netns: &Netns, redirect: Redirect, seen: Seen) -> Result<bool, Errno> {
    netns.visit(move || take(&mut NftSocket::open()?, &redirect, seen))
}

fn see(socket: &mut NftSocket, redirect: &Redirect) -> Result<Seen, Errno> {
    let generation = socket.generation().map_err(|refusal| refusal.errno)?;
    let holder = look(socket, redirect)?;
    Ok(Seen { holder, generation })
}

/// Whoever is quicker has it: of one that has come since nothing is taken unseen.
fn take(socket: &mut NftSocket, redirect: &Redirect, seen: Seen) -> Result<bool, Errno> {
    let table = redirect.table();
    match socket.commit(&changes(&table, seen.holder), Some(seen.generation)) {
        Err(CommitError::Stale) => Ok(false),
        taken => taken.map(|()| true).map_err(|e| explain(e).errno),
    }
}

fn changes(table: &Table, former: Holder) -> Vec<Change<'_>> {
    let is_there = former != Holder::Nobody;
    let removal = Change::DeleteTable(table.family, table.name, Absence::Refused);
    let removal = is_there.then_some(removal);
    removal.into_iter().chain(whole(table)).collect()
}

fn look(socket: &mut NftSocket, redirect: &Redirect) -> Result<Holder, Errno> {
    let observed = observe(socket, &redirect.table())?;
    if observed.table(&redirect.table()).is_none() {
        return Ok(Holder::Nobody);
    }
    let port = socket.port();
    let leads_to = |port_there: &Port| {
        let redirect = Redirect {
            port: *port_there,
            ..*redirect
        };
        is_so(&observed, &redirect.table(), port)
    };
    match door::candidates().ports().find(leads_to) {
        Some(there) if there == redirect.port => Ok(Holder::Own),
        Some(there) if is_free(SocketAddr::from((redirect.server, there.get()))) => {
            Ok(Holder::Dead)
        }
        // what is not known is nobody's to take
        _ => Ok(Holder::Other),
    }
}

fn is_so(observed: &Observed, table: &Table, port: u32) -> bool {
    let expected = Expected {
        tables: std::slice::from_ref(table),
        elements: &BTreeSet::new(),
        learned: &BTreeMap::new(),
        port,
    };
    deviations(observed, &expected).is_empty()
}

/// Whether nobody has that place, in the namespace of the calling thread. Whoever lives has it also where
/// it does not get to answering at the moment.
fn is_free(place: SocketAddr) -> bool {
    door::open(Protocol::Udp, place).is_ok()
}

fn observe(socket: &mut NftSocket, table: &Table) -> Result<Observed, Errno> {
    let refused = |refusal: Refusal| refusal.errno;
    let rules = match socket.all_rules(table.family, table.name) {
        Err(refusal) if refusal.errno == Errno::ENOENT => Vec::new(),
        rules => rules.map_err(refused)?,
    };
    let contained = Contained {
        rules,
        ..Contained::default()
    };
    Ok(Observed {
        tables: socket.tables().map_err(refused)?,
        chains: socket.chains().map_err(refused)?,
        contents: BTreeMap::from([(table.family, contained)]),
    })
}
