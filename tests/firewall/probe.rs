//! Asks a server and says who answered and whom it saw: TCP, UDP and echo requests, from any
//! namespace to any address. A probe that is answered ends at once; one that is not, by its
//! deadline.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use bridgework::Netns;

use crate::lab::DEADLINE;
use crate::lab::packet::Pinger;

/// How long one that must not be answered is waited for.
pub const SHORT: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Tcp,
    Udp,
    Echo,
}

pub const KINDS: [Kind; 3] = [Kind::Tcp, Kind::Udp, Kind::Echo];
pub const TRANSPORTS: [Kind; 2] = [Kind::Tcp, Kind::Udp];

/// What is asked, and where.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    pub kind: Kind,
    pub at: SocketAddr,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.at)
    }
}

/// Every kind at every address; the port means nothing to echo requests.
pub fn targets(kinds: &[Kind], addresses: &[IpAddr], port: u16) -> Vec<Target> {
    let at = addresses.iter().map(|at| SocketAddr::new(*at, port));
    at.flat_map(|at| kinds.iter().map(move |kind| Target { kind: *kind, at }))
        .collect()
}

/// Who answered, and which address it saw the client have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub by: String,
    pub client: IpAddr,
}

/// Those that were answered within `patience`, all asked at once.
pub fn answered(from: &Netns, targets: &[Target], patience: Duration) -> BTreeMap<Target, Seen> {
    let all = || {
        std::thread::scope(|scope| {
            let ask = |target: &Target| {
                let target = *target;
                (target, scope.spawn(move || ask(target, patience)))
            };
            let asked: Vec<_> = targets.iter().map(ask).collect();
            let seen = asked.into_iter().filter_map(|(target, thread)| {
                let seen = thread.join().expect("a probe")?;
                Some((target, seen))
            });
            seen.collect()
        })
    };
    from.run(all).expect("inside the namespace")
}

/// Who answers, and whom it sees; panics if nobody does.
pub fn seen(from: &Netns, target: Target) -> Seen {
    let mut answers = answered(from, &[target], DEADLINE);
    let answer = answers.remove(&target);
    answer.unwrap_or_else(|| panic!("nobody answered {target:?}"))
}

/// Panics with those that are not answered.
pub fn all_answered(from: &Netns, targets: &[Target]) -> BTreeMap<Target, Seen> {
    let found = answered(from, targets, DEADLINE);
    let silent: Vec<_> = targets.iter().filter(|t| !found.contains_key(t)).collect();
    assert!(silent.is_empty(), "not answered: {silent:?}");
    found
}

fn ask(target: Target, patience: Duration) -> Option<Seen> {
    match target.kind {
        Kind::Tcp => ask_tcp(target.at, patience),
        Kind::Udp => ask_udp(target.at, patience),
        Kind::Echo => {
            let echoed = Pinger::here(target.at.ip()).once_within(patience);
            echoed.ok().map(|()| Seen {
                by: "echo".to_owned(),
                client: Ipv4Addr::UNSPECIFIED.into(),
            })
        }
    }
}

fn ask_tcp(at: SocketAddr, patience: Duration) -> Option<Seen> {
    let mut stream = TcpStream::connect_timeout(&at, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    understand(&text)
}

fn ask_udp(at: SocketAddr, patience: Duration) -> Option<Seen> {
    let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(at).ok()?;
    socket.set_read_timeout(Some(patience)).ok()?;
    socket.send(b"who am i").ok()?;
    let mut buffer = [0; 256];
    let length = socket.recv(&mut buffer).ok()?;
    understand(std::str::from_utf8(&buffer[..length]).ok()?)
}

fn understand(text: &str) -> Option<Seen> {
    let (by, client) = text.split_once(' ')?;
    Some(Seen {
        by: by.to_owned(),
        client: client.parse().ok()?,
    })
}
