//! Who has which port, as far as we gave it: in memory, asking nobody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::addr::{Family, Port, Protocol};

/// The ports that containers of a host have.
#[derive(Debug, Default)]
pub(super) struct Book {
    taken: HashMap<(Protocol, Family, Port), Vec<IpAddr>>,
    /// The automatic port that was given last: the next search begins behind it.
    last_given: Option<Port>,
}

impl Book {
    /// The first of `addresses` for which somebody else than who has it at `own` has taken the port
    /// already, or that another one of them takes.
    fn conflict(
        &self,
        (protocol, port): (Protocol, Port),
        addresses: &[IpAddr],
        own: &[IpAddr],
    ) -> Option<IpAddr> {
        let nobody = Vec::new();
        let mut each = addresses.iter().enumerate();
        let found = each.find(|(index, address)| {
            let key = (protocol, Family::of(**address), port);
            let taken = self.taken.get(&key).unwrap_or(&nobody);
            let before = addresses.iter().take(*index);
            let others = taken.iter().filter(|other| !own.contains(other));
            let mut others = others.chain(before);
            others.any(|other| is_conflict(*other, **address))
        });
        found.map(|(_, address)| *address)
    }

    fn take(&mut self, protocol: Protocol, port: Port, addresses: &[IpAddr]) {
        for &address in addresses {
            let key = (protocol, Family::of(address), port);
            self.taken.entry(key).or_default().push(address);
        }
    }

    fn release(&mut self, protocol: Protocol, port: Port, addresses: &[IpAddr]) {
        for address in addresses {
            let key = (protocol, Family::of(*address), port);
            let Some(taken) = self.taken.get_mut(&key) else {
                continue;
            };
            taken.retain(|other| other != address);
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
    pub(super) protocol: Protocol,
    pub(super) port: Port,
    pub(super) addresses: Arc<[IpAddr]>,
}

impl Reserved {
    /// The port at all of `addresses`, or that one of them at which it is taken.
    pub(super) fn new(
        book: &Arc<Mutex<Book>>,
        number: (Protocol, Port),
        addresses: &Arc<[IpAddr]>,
    ) -> Result<Self, IpAddr> {
        Self::beside(book, number, addresses, &[])
    }

    /// As [`new`](Self::new), for who has the port at the addresses `own`.
    pub(super) fn beside(
        book: &Arc<Mutex<Book>>,
        (protocol, port): (Protocol, Port),
        addresses: &Arc<[IpAddr]>,
        own: &[IpAddr],
    ) -> Result<Self, IpAddr> {
        let mut open = book.lock();
        if let Some(address) = open.conflict((protocol, port), addresses, own) {
            return Err(address);
        }
        open.take(protocol, port, addresses);
        Ok(Self {
            book: Arc::clone(book),
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
