//! Connections that the kernel has tracked and shall forget, so that the next packet of each is
//! led by the rules as they are now.

use std::collections::HashMap;
use std::net::IpAddr;

use super::inject::Moment;
use super::{Kernel, explain};
use crate::addr::{Family, Port, Subnet};
use crate::errno::Errno;
use crate::error::{Error, Fault, Result};
use crate::firewall::{needs_addresses, stale_flows, translated_subnets};
use crate::netlink::conntrack::{COUNT, FLOW, Flow, delete, delete_all, dump, get_count};
use crate::netlink::flow_filter::{Filter, split, walks};
use crate::netlink::frame::{Refusal, Request};
use crate::netlink::socket::{NetlinkSocket, Outcome};
use crate::plan::{ElementsEdit, FlowMatch};

/// So many deletions are sent at once.
const BATCH: usize = 256;

impl Kernel {
    /// Makes the kernel forget the tracked connections that one of `meant` stands for, in the
    /// default and every other zone, and no others. The next packet of each begins a new one. It
    /// may be repeated.
    ///
    /// A connection whose first packet is on its way through the rules at this moment is not among
    /// them yet. Change the rules first: what comes after that is led by the new ones.
    ///
    /// ```no_run
    /// use bridgework::kernel::{Kernel, Netns};
    /// use bridgework::plan::FlowMatch;
    /// use bridgework::{Family, Protocol};
    ///
    /// let kernel = Kernel::new(Netns::current()?)?; // needs CAP_NET_ADMIN
    /// let to_the_container = FlowMatch {
    ///     protocol: Some(Protocol::Udp),
    ///     reply_source: Some(([10, 89, 0, 2].into(), None)),
    ///     ..FlowMatch::new(Family::V4)
    /// };
    /// kernel.forget_flows(&[to_the_container])?;
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// The kernel can't tell of connections ([`Error::is_unsupported`]) or refused to. Those that
    /// were forgotten before stay forgotten.
    pub fn forget_flows(&self, meant: &[FlowMatch]) -> Result<()> {
        const DOING: &str = "forget tracked connections";
        self.check_process()?;
        let strike = self.shared.injector.strike();
        let struck = |moment| strike.filter(|strike| strike.moment == moment);
        if let Some(strike) = struck(Moment::Before) {
            return Err(explain::plain(DOING, strike.errno.into()));
        }
        match (self.forget(meant), struck(Moment::After)) {
            (_, Some(strike)) => Err(explain::plain(DOING, strike.errno.into())),
            (Ok(()), None) => Ok(()),
            (Err(refusal), None) => Err(untold(DOING, refusal)),
        }
    }

    /// As [`forget_flows`](Self::forget_flows), as one step of a plan.
    pub(super) fn forget(&self, meant: &[FlowMatch]) -> std::result::Result<(), Refusal> {
        let mut socket = self.take_netfilter()?;
        let forgotten = forget(&mut socket, meant);
        // one that has failed may have an answer on its way that nobody waits for
        if forgotten.is_ok() {
            *self.shared.netfilter.lock() = Some(socket);
        }
        forgotten
    }

    /// What began while somebody had removed the tables is led by them from its next packet on, where
    /// they were made again since that was asked last: datagrams, which may never pause for as long as
    /// the kernel takes to forget them. Of all else a new attempt is a new connection.
    pub(crate) fn forget_what_was_not_led(&self) -> std::result::Result<(), Refusal> {
        let Some(elements) = self.shared.filter.take_interrupted() else {
            return Ok(());
        };
        let subnets = translated_subnets(elements.iter());
        let edit = ElementsEdit::adding(elements);
        let addresses = match needs_addresses(&edit) {
            true => self.namespace().snapshot().unwrap_or_default().addresses,
            false => Vec::new(),
        };
        let addresses: Vec<IpAddr> = addresses.iter().map(|at| at.address.addr()).collect();
        self.forget(&stale_flows(&edit, &addresses))?;
        let mut socket = self.take_netfilter()?;
        let forgotten = forget_own(&mut socket, &subnets);
        if forgotten.is_ok() {
            *self.shared.netfilter.lock() = Some(socket);
        }
        forgotten
    }

    /// Closing one makes the kernel wait for what others have changed in nf_tables, so it is kept.
    fn take_netfilter(&self) -> std::result::Result<NetlinkSocket, Refusal> {
        match self.shared.netfilter.lock().take() {
            Some(socket) => Ok(socket),
            None => {
                let namespace = &self.shared.namespace;
                Ok(namespace.visit(NetlinkSocket::netfilter)?)
            }
        }
    }
}

/// Without the module, no family of messages has that number (`nfnetlink_rcv_msg`).
fn untold(doing: &str, refusal: Refusal) -> Error {
    if ![Errno::EPROTONOSUPPORT, Errno::EINVAL].contains(&refusal.errno) {
        return explain::plain(doing, refusal);
    }
    let fault = Fault::Unsupported {
        feature: "nf_conntrack_netlink",
        hint: "build it in, or load its module",
    };
    Error::of(doing, vec![fault])
}

fn forget(socket: &mut NetlinkSocket, meant: &[FlowMatch]) -> std::result::Result<(), Refusal> {
    let tracked = socket.get(get_count(), &COUNT)?.unwrap_or_default();
    if tracked == 0 {
        // to see that takes as long as if there were some
        return Ok(());
    }
    let (direct, rest) = split(meant, tracked);
    let direct: Vec<Request> = direct.iter().filter_map(delete_all).collect();
    match delete_each(socket, &direct) {
        Ok(()) => walk(socket, &rest, tracked),
        // it deletes by no filter yet
        Err(refusal) if [Errno::EINVAL, Errno::EOPNOTSUPP].contains(&refusal.errno) => {
            walk(socket, meant, tracked)
        }
        Err(refusal) => Err(refusal),
    }
}

/// Datagrams that left one of these for elsewhere under the address that they came from.
fn forget_own(socket: &mut NetlinkSocket, subnets: &[Subnet]) -> std::result::Result<(), Refusal> {
    let tracked = socket.get(get_count(), &COUNT)?.unwrap_or_default();
    for family in [Family::V4, Family::V6] {
        let of_family = subnets.iter().copied();
        let of_family = of_family.filter(|subnet| Family::of_subnet(*subnet) == family);
        let of_family: Vec<Subnet> = of_family.collect();
        if tracked == 0 || of_family.is_empty() {
            continue;
        }
        let filter = Filter::datagrams(family);
        let left = |flow: &Flow| of_family.iter().any(|subnet| flow.left_as_it_was(*subnet));
        let found = socket.dump_only(dump(&filter), &FLOW, left)?;
        let deletions: Vec<Request> = found.iter().map(delete).collect();
        delete_each(socket, &deletions)?;
    }
    Ok(())
}

fn walk(
    socket: &mut NetlinkSocket,
    meant: &[FlowMatch],
    tracked: u32,
) -> std::result::Result<(), Refusal> {
    let by_port = by_port(meant);
    let is_meant = |flow: &Flow| {
        let port = flow.original_destination_port();
        let any_port = by_port.get(&None);
        let this_port = port.and_then(|_| by_port.get(&port));
        let mut meant = any_port.into_iter().chain(this_port).flatten();
        meant.any(|one| flow.is_of(one))
    };
    for filter in walks(meant, tracked) {
        let found = socket.dump_only(dump(&filter), &FLOW, is_meant)?;
        let deletions: Vec<Request> = found.iter().map(delete).collect();
        delete_each(socket, &deletions)?;
    }
    Ok(())
}

/// Those that mean any connections, by the port that they are narrowed to: of a thousand published
/// ports, few are looked at for each connection.
fn by_port(meant: &[FlowMatch]) -> HashMap<Option<u16>, Vec<&FlowMatch>> {
    let mut by_port: HashMap<_, Vec<_>> = HashMap::new();
    for one in meant.iter().filter(|one| one.is_narrow()) {
        let port = one.original_destination_port.map(Port::get);
        by_port.entry(port).or_default().push(one);
    }
    by_port
}

fn delete_each(
    socket: &mut NetlinkSocket,
    deletions: &[Request],
) -> std::result::Result<(), Refusal> {
    for batch in deletions.chunks(BATCH) {
        for outcome in socket.transact(batch) {
            match outcome {
                Outcome::Done => {}
                // it has ended by itself, or another is in its place
                Outcome::Refused(refusal) if refusal.errno == Errno::ENOENT => {}
                Outcome::Refused(refusal) => return Err(refusal),
                Outcome::Unknown(errno) => return Err(errno.into()),
            }
        }
    }
    Ok(())
}
