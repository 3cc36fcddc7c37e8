//! Waiting for what the kernel goes on with after it has answered: until it is through, first
//! packets are lost. Nothing is changed here.

use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use crate::addr::LinkIndex;
use crate::errno::Errno;
use crate::netlink::frame::Refusal;
use crate::netlink::read::{OwnAddress, Readiness};
use crate::netlink::socket::NetlinkSocket;
use crate::netlink::{link, read, route};

/// The kernel does it in a queue that stands behind whoever takes down a thousand namespaces, which is
/// a matter of many seconds.
const DEADLINE: Duration = Duration::from_secs(30);

/// How long to leave the kernel alone between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_micros(20);

/// Waits until a bridge forwards what comes in by `port`. A port without carrier does not forward
/// yet: the bridge hears of carrier a moment after the far end is up. A port that is new passes for
/// one with carrier until the kernel gets to look at it (`IF_OPER_UNKNOWN`), which can be after this
/// on a busy machine: it forwards by name and drops all the same, so that it has to run, too. The
/// bridge itself has carrier by the first port that forwards, and drops what the host sends until it
/// has heard of that.
pub(super) fn until_forwarding(socket: &mut NetlinkSocket, port: LinkIndex) -> Result<(), Refusal> {
    let words = "the bridge does not forward for this port";
    let port = until(words, || {
        let port = readiness(socket, port)?;
        Ok((port.forwards && port.runs).then_some(port))
    })?;
    let bridge = port.bridge.and_then(|index| LinkIndex::new(index).ok());
    let bridge = bridge.ok_or(Errno::ENODEV)?;
    until("the bridge does not run", || {
        Ok(readiness(socket, bridge)?.runs.then_some(()))
    })
}

/// Waits until the kernel has looked at the carrier of a link, if it has any: IPv6's MTU is the
/// link's again then (`addrconf_notify`). The two ends of a pair are looked at each in its own time,
/// so that a port that runs says nothing of the far end.
pub(super) fn until_looked_at(socket: &mut NetlinkSocket, index: LinkIndex) -> Result<(), Refusal> {
    until("the link does not run", || {
        let link = readiness(socket, index)?;
        Ok((link.runs || !link.has_carrier).then_some(()))
    })
}

/// Waits until packets for `address` are delivered. The kernel hears neighbours that ask for it,
/// and after that has a route to it, by a thread of its own, some time after it has said that the
/// address is added (`addrconf_dad_work`, also without duplicate address detection).
pub(super) fn until_delivered(
    socket: &mut NetlinkSocket,
    index: LinkIndex,
    address: Ipv6Addr,
) -> Result<(), Refusal> {
    let wanted = OwnAddress {
        link: index.get(),
        address: address.into(),
    };
    until("packets for the address are not delivered", || {
        let own = socket.dump(route::dump_own_addresses(index), &read::OWN_ADDRESS)?;
        Ok(own.contains(&wanted).then_some(()))
    })
}

fn readiness(socket: &mut NetlinkSocket, index: LinkIndex) -> Result<Readiness, Refusal> {
    let found = socket.get(link::get(index), &read::READINESS)?;
    found.ok_or_else(|| Errno::ENODEV.into())
}

fn until<T>(
    otherwise: &str,
    mut look: impl FnMut() -> Result<Option<T>, Refusal>,
) -> Result<T, Refusal> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(Refusal {
                errno: Errno::ETIMEDOUT,
                words: Some(otherwise.to_owned()),
            });
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}
