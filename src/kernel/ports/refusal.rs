//! What the kernel did not give, and what is said of it.

use std::net::SocketAddr;

use super::book::Conflict;
use super::owner;
use crate::addr::{Port, PortRange, Protocol};
use crate::errno::Errno;
use crate::error::{Fault, PortFault};

/// Who refused a socket.
pub(super) enum Unopened {
    ByKernel(Errno),
    OnPurpose(Errno),
}

impl Unopened {
    pub(super) fn of(self, protocol: Protocol, at: SocketAddr) -> Refusal {
        let (Self::ByKernel(errno) | Self::OnPurpose(errno)) = self;
        Refusal::Socket(protocol, at, errno)
    }
}

/// What the kernel did not give.
#[derive(Debug)]
pub(super) enum Refusal {
    Socket(Protocol, SocketAddr, Errno),
    Exhausted(PortRange, Protocol),
}

impl Refusal {
    /// Whether another port may do.
    pub(super) fn is_for_this_port(&self) -> bool {
        matches!(self, Self::Socket(_, _, Errno::EADDRINUSE))
    }

    /// Whether it is in use by nobody who is going to keep it.
    pub(super) fn is_passing(&self) -> bool {
        self.in_use().is_some_and(owner::is_passing)
    }

    /// The port that somebody else has.
    pub(super) fn in_use(&self) -> Option<(Protocol, SocketAddr)> {
        match *self {
            Self::Socket(protocol, address, Errno::EADDRINUSE) => Some((protocol, address)),
            _ => None,
        }
    }
}

pub(super) fn allocated((protocol, port): (Protocol, Port), conflict: Conflict) -> Fault {
    let Conflict { address, container } = conflict;
    PortFault::Allocated {
        address: SocketAddr::new(address, port.get()),
        protocol,
        container,
    }
    .into()
}

/// In the namespace where they were refused, since whose the ports are is looked up there.
pub(super) fn explain(refusals: Vec<Refusal>) -> Vec<Fault> {
    let in_use: Vec<_> = refusals.iter().filter_map(Refusal::in_use).collect();
    let mut holders = owner::holders(&in_use).into_iter();
    let fault = |refusal| match refusal {
        Refusal::Exhausted(ports, protocol) => PortFault::Exhausted { ports, protocol }.into(),
        Refusal::Socket(protocol, address, Errno::EADDRINUSE) => {
            let holder = holders.next().unwrap_or_default();
            PortFault::InUse {
                address,
                protocol,
                holder,
            }
            .into()
        }
        Refusal::Socket(protocol, address, errno) => refused(protocol, address, errno),
    };
    refusals.into_iter().map(fault).collect()
}

/// Why one socket was refused, in the namespace of the calling thread.
pub(in crate::kernel) fn explain_one(
    protocol: Protocol,
    address: SocketAddr,
    errno: Errno,
) -> Fault {
    let mut faults = explain(vec![Refusal::Socket(protocol, address, errno)]);
    faults
        .pop()
        .unwrap_or_else(|| refused(protocol, address, errno))
}

fn refused(protocol: Protocol, address: SocketAddr, errno: Errno) -> Fault {
    let doing = format!("bind host port {address}/{protocol}");
    match errno {
        Errno::EADDRNOTAVAIL => PortFault::NoSuchAddress { address, protocol }.into(),
        Errno::EACCES => Fault::Privilege {
            capability: "CAP_NET_BIND_SERVICE",
            why: format!(
                "{doing}: it is needed for ports below net.ipv4.ip_unprivileged_port_start, in \
                 the user namespace that owns the network namespace"
            ),
        },
        errno => Fault::Kernel {
            doing,
            errno,
            words: words(address, errno).map(str::to_owned),
        },
    }
}

fn words(address: SocketAddr, errno: Errno) -> Option<&'static str> {
    match (errno, address) {
        (Errno::EMFILE, _) => {
            Some("each port takes a descriptor for each address; raise the limit of open files")
        }
        (Errno::EAFNOSUPPORT, SocketAddr::V6(_)) => Some("IPv6 is not in this kernel"),
        (Errno::EINVAL, SocketAddr::V6(address)) if address.ip().is_unicast_link_local() => {
            Some("a link-local address is on some link, and can't be published on")
        }
        _ => None,
    }
}
