//! Ports that a container has, at further addresses. What it has them by is in the way of all others,
//! and not in its own: 127.0.0.1 is one of 0.0.0.0.

use std::net::IpAddr;
use std::sync::Arc;

use socket2::Socket;

use super::book::{Reserved, is_conflict};
use super::refusal::{allocated, explain};
use super::socket::Neighbours;
use super::{HeldPort, HostPorts, Patience};
use crate::error::Fault;
use crate::plan::Switch;

impl HostPorts {
    /// Each of these ports at further addresses, for who has all of `own`.
    ///
    /// # Errors
    /// As for [`hold`](Self::hold).
    pub(crate) fn hold_beside(
        &self,
        ports: &[HeldPort],
        own: &[&HeldPort],
        addresses: &[IpAddr],
    ) -> Result<Vec<HeldPort>, Vec<Fault>> {
        let addresses: Arc<[IpAddr]> = addresses.into();
        let (mut all, mut faults) = (Vec::new(), Vec::new());
        for port in ports {
            let number = (port.protocol(), port.number());
            let of_it = own.iter().filter(|own| own.is_same_port(port));
            let at = of_it.flat_map(|own| own.reserved.addresses.iter().copied());
            let at: Vec<IpAddr> = at.collect();
            match Reserved::beside(
                &self.book,
                &port.reserved.container,
                number,
                &addresses,
                &at,
            ) {
                Ok(reserved) => all.push(reserved),
                Err(conflict) => faults.push(allocated(number, conflict)),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let held = self.netns.enter(|| self.open_beside(own, all));
        held.unwrap_or_else(|error| Err(error.faults().to_vec()))
    }

    /// A port that was [recalled](Self::recall) is held from now on, beside all of `own`. If whoever gave
    /// it to the container still holds it, that is an error, and it may be tried again.
    pub(crate) fn hold_recalled(
        &self,
        port: &HeldPort,
        own: &[&HeldPort],
    ) -> Result<(), Vec<Fault>> {
        if port.is_held() || !self.holding.is_on() {
            return Ok(());
        }
        let opened = self.netns.enter(|| {
            let _together = Together::new(own);
            let opened = self.beside_own().sockets(&port.reserved);
            opened.map_err(|refusal| explain(vec![refusal]))
        });
        let sockets = opened.unwrap_or_else(|error| Err(error.faults().to_vec()))?;
        let _first = port.sockets.set(sockets);
        Ok(())
    }

    /// On a thread that is inside the namespace.
    fn open_beside(
        &self,
        own: &[&HeldPort],
        all: Vec<Reserved>,
    ) -> Result<Vec<HeldPort>, Vec<Fault>> {
        let _together = Together::new(own);
        let (beside, mut patience) = (self.beside_own(), Patience::default());
        let (mut held, mut refusals) = (Vec::new(), Vec::new());
        for reserved in all {
            if own
                .iter()
                .any(|own| own.is_elsewhere_and_in_the_way(&reserved))
            {
                held.push(HeldPort::by_others(reserved));
                continue;
            }
            match beside.hold_each(vec![reserved], &mut patience) {
                Ok(more) => held.extend(more),
                Err(more) => refusals.extend(more),
            }
        }
        if refusals.is_empty() {
            return Ok(held);
        }
        drop(held);
        Err(explain(refusals))
    }

    fn beside_own(&self) -> Self {
        let neighbours = Neighbours::Accepted;
        Self {
            neighbours,
            ..self.clone()
        }
    }
}

impl HeldPort {
    fn is_same_port(&self, other: &Self) -> bool {
        let number = |port: &Self| (port.protocol(), port.number());
        number(self) == number(other)
    }

    /// Whether another process holds it, who is going to hold what overlaps with it, too.
    fn is_elsewhere_and_in_the_way(&self, further: &Reserved) -> bool {
        let number = |port: &Reserved| (port.protocol, port.port);
        let mut at = self.reserved.addresses.iter();
        let overlaps = |one: &IpAddr| {
            let mut other = further.addresses.iter();
            other.any(|other| is_conflict(*one, *other))
        };
        !self.is_held() && number(&self.reserved) == number(further) && at.any(overlaps)
    }
}

/// Sockets that stand beside others of this user while this is there (`SO_REUSEPORT`, which the kernel
/// wants of both). Of a port of TCP it remembers that once they did (`inet_csk_update_fastreuse`): a
/// program of this user that wants to share it may from then on bind there, and hears nothing of what
/// is led to the container.
struct Together<'p>(Vec<&'p Socket>);

impl<'p> Together<'p> {
    fn new(ports: &[&'p HeldPort]) -> Self {
        let sockets = ports.iter().flat_map(|port| port.sockets());
        let together = Self(sockets.map(|(_, socket)| &**socket).collect());
        together.share(Switch::On);
        together
    }

    fn share(&self, shared: Switch) {
        for socket in &self.0 {
            // who is not told is in the way, and the kernel says so
            let _refused = socket.set_reuse_port(shared.is_on());
        }
    }
}

impl Drop for Together<'_> {
    fn drop(&mut self) {
        self.share(Switch::Off);
    }
}
