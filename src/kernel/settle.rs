//! Waiting for what the kernel goes on with after it has answered: until it is through, first
//! packets are lost. Nothing is changed here.

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::addr::LinkIndex;
use crate::errno::Errno;
use crate::netlink::frame::Refusal;
use crate::netlink::read::Readiness;
use crate::netlink::socket::{DEADLINE, RouteSocket};
use crate::netlink::{address, link, read};

/// How long to leave the kernel alone between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_micros(20);

/// Waits until a bridge forwards what comes in by `port`. A port without carrier does not forward
/// yet: the bridge hears of carrier a moment after the far end is up. The bridge itself has carrier
/// by the first port that forwards, and drops what the host sends until it has heard of that.
pub(super) fn until_forwarding(socket: &mut RouteSocket, port: LinkIndex) -> Result<(), Refusal> {
    let words = "the bridge does not forward for this port";
    let port = until(words, || {
        let port = readiness(socket, port)?;
        Ok(port.forwards.then_some(port))
    })?;
    let bridge = port.bridge.and_then(|index| LinkIndex::new(index).ok());
    let bridge = bridge.ok_or(Errno::ENODEV)?;
    until("the bridge does not run", || {
        Ok(readiness(socket, bridge)?.runs.then_some(()))
    })
}

/// Waits until neighbours that ask for `address` are heard. The kernel joins the group in which
/// they ask on a thread of its own, after it has added the address (`addrconf_dad_work`).
pub(super) fn until_listening(
    socket: &mut RouteSocket,
    index: LinkIndex,
    address: Ipv6Addr,
) -> Result<(), Refusal> {
    let group = IpAddr::V6(address::solicited_node(address));
    until("the link does not listen for its neighbours", || {
        let groups = socket.dump(address::dump_groups(index), &read::GROUP)?;
        let mut joined = groups.iter().filter(|state| state.link == index.get());
        // what nobody asks for on this link has no group
        let heard = joined.any(|state| state.group == group) || !readiness(socket, index)?.resolves;
        Ok(heard.then_some(()))
    })
}

fn readiness(socket: &mut RouteSocket, index: LinkIndex) -> Result<Readiness, Refusal> {
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
