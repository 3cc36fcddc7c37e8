//! Sockets by which the host's own namespace is asked at given addresses, by UDP and TCP. What comes
//! in by them is nobody's business here.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use super::Kernel;
use super::{door, ports};
use crate::addr::Protocol;
use crate::errno::Errno;
use crate::error::{Error, Fault, Result};

impl Kernel {
    /// One socket of each kind for each place, non-blocking, whether the link that has the address
    /// is up or not.
    ///
    /// # Errors
    /// A port is somebody's ([`PortFault::InUse`](crate::PortFault)), below 1024 without the privilege
    /// for that, or the kernel refused.
    pub(crate) fn open_listeners(
        &self,
        places: &[SocketAddr],
    ) -> Result<(Vec<UdpSocket>, Vec<TcpListener>)> {
        let attempt = "listen at the gateway";
        let opened = self.namespace().enter(|| {
            let (mut udp, mut tcp) = (Vec::new(), Vec::new());
            for place in places {
                udp.push(self.listen(Protocol::Udp, *place)?.into());
                tcp.push(self.listen(Protocol::Tcp, *place)?.into());
            }
            Ok((udp, tcp))
        });
        let opened = opened.map_err(|error| error.during(attempt))?;
        opened.map_err(|fault: Fault| Error::of(attempt, vec![fault]))
    }

    fn listen(
        &self,
        protocol: Protocol,
        place: SocketAddr,
    ) -> std::result::Result<socket2::Socket, Fault> {
        let refused = |errno| ports::explain_one(protocol, place, errno);
        self.shared.injector.strike_or(refused, || {
            door::open(protocol, place).map_err(|error| refused(Errno::from(&error)))
        })
    }
}
