//! What a container sends to its name server's address comes to other ports, and nothing else
//! changes for it.

#![allow(clippy::unwrap_used)]

mod packets;
mod tables;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use bridgework::Netns;
use bridgework::kernel::Kernel;
use bridgework::plan::{Plan, Redirect, Side, Step};

use crate::by_hand::ip;
use crate::lab;

const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

fn redirect_to(port: u32) -> Redirect {
    Redirect {
        server: SERVER,
        port: bridgework::Port::new(port).unwrap(),
    }
}

/// What has to be there for queries to be led to that port, and what leads them there.
fn plan_to(port: u32) -> Plan {
    let mut plan = Plan::with_container("box".parse().unwrap());
    let side = Side::Container;
    plan.push(Step::RaiseLoopback { side });
    plan.push(Step::AddRedirect(redirect_to(port)));
    plan
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((SERVER, port))
}

/// A container, and a kernel that performs plans there.
struct Ground {
    kernel: Kernel,
    container: Netns,
}

impl Ground {
    fn new() -> Self {
        Self::of(Netns::create().unwrap())
    }

    fn of(container: Netns) -> Self {
        // whoever binds a socket before answers from elsewhere
        ip(&container, "link set lo up");
        let kernel = Kernel::new(Netns::create().unwrap()).unwrap();
        Self { kernel, container }
    }

    fn lead_to(&self, port: u32) {
        let applied = self.kernel.apply(&plan_to(port), Some(&self.container));
        applied.unwrap();
    }

    fn take_back(&self, port: u32) {
        let undo = plan_to(port).undo(2);
        let gone = self.kernel.take_back(&undo, Some(&self.container));
        gone.unwrap();
    }

    fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        self.container.run(act).unwrap()
    }
}

/// Sockets of one port, of both transports.
struct Both {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Both {
    /// In the namespace of the calling thread.
    fn bind(at: SocketAddr) -> io::Result<Self> {
        let udp = UdpSocket::bind(at)?;
        udp.set_read_timeout(Some(lab::DEADLINE))?;
        let tcp = TcpListener::bind(at)?;
        Ok(Self { udp, tcp })
    }
}

/// A UDP socket that has asked `to`, from `from`.
fn ask(from: SocketAddr, to: SocketAddr) -> UdpSocket {
    let client = UdpSocket::bind(from).unwrap();
    client.set_read_timeout(Some(lab::DEADLINE)).unwrap();
    client.connect(to).unwrap();
    client.send(b"ping").unwrap();
    client
}

/// Whether a question and an answer pass between a client there and whoever has `server`.
#[track_caller]
fn assert_answered(ground: &Ground, from: SocketAddr, to: SocketAddr, server: &UdpSocket) {
    let client = ground.inside(|| ask(from, to));
    let mut buffer = [0; 16];
    let (length, asker) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"ping");
    assert_eq!(asker, client.local_addr().unwrap());
    server.send_to(b"pong", asker).unwrap();
    // it is connected, and hears nobody but whom it has asked
    let length = client.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"pong");
}

fn any4() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
}
