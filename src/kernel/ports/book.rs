//! Who has which port, as far as we gave it: in memory, asking nobody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::addr::{ContainerName, Family, Port, Protocol};

/// The ports that containers of a host have.
#[derive(Debug, Default)]
pub(super) struct Book {
    taken: HashMap<(Protocol, Family, Port), Vec<Taken>>,
    /// The automatic port that was given last: the next search begins behind it.
    last_given: Option<Port>,
}

/// A port at one address, and whose it is.
#[derive(Debug)]
struct Taken {
    address: IpAddr,
    container: ContainerName,
}

/// The address at which a port is not to be had, and who has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conflict {
    pub(super) address: IpAddr,
    pub(super) container: ContainerName,
}

impl Book {
    /// The first of `addresses` for which somebody else than who has it at `own` has taken the port
    /// already, or that another one of them takes.
    fn conflict(
        &self,
        container: &ContainerName,
        (protocol, port): (Protocol, Port),
        addresses: &[IpAddr],
        own: &[IpAddr],
    ) -> Option<Conflict> {
        let mut each = addresses.iter().enumerate();
        each.find_map(|(index, &address)| {
            let key = (protocol, Family::of(address), port);
            let taken = self.taken.get(&key).into_iter().flatten();
            let others = taken.filter(|other| !own.contains(&other.address));
            let others = others.map(|other| (other.address, &other.container));
            let before = addresses.iter().take(index);
            let before = before.map(|address| (*address, container));
            let mut others = others.chain(before);
            let (_, holder) = others.find(|(other, _)| is_conflict(*other, address))?;
            let container = holder.clone();
            Some(Conflict { address, container })
        })
    }

    fn take(
        &mut self,
        container: &ContainerName,
        (protocol, port): (Protocol, Port),
        addresses: &[IpAddr],
    ) {
        for &address in addresses {
            let key = (protocol, Family::of(address), port);
            let container = container.clone();
            let taken = Taken { address, container };
            self.taken.entry(key).or_default().push(taken);
        }
    }

    fn release(&mut self, protocol: Protocol, port: Port, addresses: &[IpAddr]) {
        for address in addresses {
            let key = (protocol, Family::of(*address), port);
            let Some(taken) = self.taken.get_mut(&key) else {
                continue;
            };
            taken.retain(|other| other.address != *address);
            if taken.is_empty() {
                self.taken.remove(&key);
            }
        }
    }

    pub(super) fn last_given(&self) -> Option<Port> {
        self.last_given
    }

    pub(super) fn gave(&mut self, port: Port) {
        self.last_given = Some(port);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }
}

/// Whether no two can have a port at these two addresses: an unspecified one stands for all of its
/// family.
pub(super) fn is_conflict(one: IpAddr, other: IpAddr) -> bool {
    let same_family = Family::of(one) == Family::of(other);
    same_family && (one == other || one.is_unspecified() || other.is_unspecified())
}

/// A port in the book; it is struck out as this is dropped.
#[derive(Debug)]
pub(super) struct Reserved {
    book: Arc<Mutex<Book>>,
    pub(super) container: ContainerName,
    pub(super) protocol: Protocol,
    pub(super) port: Port,
    pub(super) addresses: Arc<[IpAddr]>,
}

impl Reserved {
    /// The port at all of `addresses`, or that one of them at which it is taken.
    pub(super) fn new(
        book: &Arc<Mutex<Book>>,
        container: &ContainerName,
        number: (Protocol, Port),
        addresses: &Arc<[IpAddr]>,
    ) -> Result<Self, Conflict> {
        Self::beside(book, container, number, addresses, &[])
    }

    /// As [`new`](Self::new), for who has the port at the addresses `own`.
    pub(super) fn beside(
        book: &Arc<Mutex<Book>>,
        container: &ContainerName,
        number: (Protocol, Port),
        addresses: &Arc<[IpAddr]>,
        own: &[IpAddr],
    ) -> Result<Self, Conflict> {
        let mut open = book.lock();
        if let Some(conflict) = open.conflict(container, number, addresses, own) {
            return Err(conflict);
        }
        open.take(container, number, addresses);
        let (protocol, port) = number;
        Ok(Self {
            book: Arc::clone(book),
            container: container.clone(),
            protocol,
            port,
            addresses: Arc::clone(addresses),
        })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut open = self.book.lock();
        open.release(self.protocol, self.port, &self.addresses);
    }
}
