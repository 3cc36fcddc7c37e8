//! On a real kernel, each in a namespace of its own, one at a time: what is left of one is counted
//! in the whole process.

mod datagrams;
mod flood;
mod forwarding;
mod leftovers;
mod pressure;
mod streams;
mod stub;
mod wire;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::channel;
use std::sync::{Arc, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::socket::Backlog;
use socket2::{Domain, Socket, Type};
use wire::{Reply, query};

use super::{Audience, Listeners, Seat, Server, ServerConfig, ServerHandle};
use crate::EndpointId;
use crate::addr::LinkIndex;
use crate::kernel::{Kernel, Netns, alone};
use crate::plan::{Link, Plan, Side, Step};
use crate::resolver::{Client, ClientTerms, Forwarding, Membership, Names, Owner, Records, View};

/// How long anything that comes at all may take to come.
const DEADLINE: Duration = Duration::from_secs(20);

/// How long is waited for what shall not come.
const PATIENCE: Duration = Duration::from_millis(100);

const DB: IpAddr = IpAddr::V4(Ipv4Addr::new(172, 18, 0, 2));

/// A host with a name server that serves nobody yet.
struct Ground {
    netns: Netns,
    handle: Option<ServerHandle>,
    /// The kernel's number of the server's thread.
    task: String,
    thread: Option<JoinHandle<()>>,
    _turn: MutexGuard<'static, ()>,
}

impl Ground {
    fn new() -> Self {
        Self::with(ServerConfig::new().resolv_conf("/nonexistent"))
    }

    fn with(config: ServerConfig) -> Self {
        let turn = alone();
        let netns = loopback();
        let (server, handle) = Server::new(config).expect("a server");
        let (told, number) = channel();
        let inside = netns.clone();
        let thread = std::thread::spawn(move || {
            let run = || {
                let task = std::fs::read_link("/proc/thread-self").unwrap();
                told.send(task.file_name().unwrap().to_string_lossy().into_owned())
                    .unwrap();
                server.run();
            };
            inside.run(run).expect("it runs");
        });
        Self {
            netns,
            handle: Some(handle),
            task: number.recv().unwrap(),
            thread: Some(thread),
            _turn: turn,
        }
    }

    fn handle(&self) -> &ServerHandle {
        self.handle.as_ref().unwrap()
    }

    /// Serves a container at this address of `lo`, on a port of the kernel's choice.
    fn serve(&self, address: &str, client: &Arc<Client>) -> (Seat, SocketAddr) {
        let netns = Some(self.netns.clone());
        let client = Arc::clone(client);
        self.serve_all(address, Audience::Container { client, netns })
    }

    fn serve_all(&self, address: &str, audience: Audience) -> (Seat, SocketAddr) {
        let address: IpAddr = address.parse().unwrap();
        let (listeners, at) = self.netns.run(|| listeners(address)).unwrap();
        let seat = self.handle().serve(listeners, audience);
        (seat.expect("it is served"), at)
    }

    /// A socket that asks the server at `server`.
    fn asker(&self, server: SocketAddr) -> UdpSocket {
        let socket = self.udp(SocketAddr::new(loopback_of(server), 0));
        socket.connect(server).unwrap();
        socket
    }

    fn udp(&self, at: SocketAddr) -> UdpSocket {
        let socket = self.netns.run(|| UdpSocket::bind(at)).unwrap().unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket
    }

    fn connect(&self, server: SocketAddr) -> TcpStream {
        let connected = self.netns.run(|| TcpStream::connect(server));
        let stream = connected.unwrap().expect("it connects");
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// A connection from that address of the namespace's.
    fn connect_from(&self, address: &str, server: SocketAddr) -> TcpStream {
        let from = SocketAddr::new(address.parse().unwrap(), 0);
        let connect = || {
            let socket = Socket::new(Domain::for_address(from), Type::STREAM, None)?;
            socket.bind(&from.into())?;
            socket.connect(&server.into())?;
            Ok::<_, std::io::Error>(TcpStream::from(socket))
        };
        let stream = self.netns.run(connect).unwrap().expect("it connects");
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// How many ticks of the processor the server's thread has had.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{}/stat", self.task));
        let stat = stat.unwrap();
        // proc(5): the name in parentheses may have spaces; utime is the 14th field
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let times = fields.split(' ').skip(11).take(2);
        times.map(|time| time.parse::<u64>().unwrap()).sum()
    }

    /// The sockets of the namespace that somebody has open.
    fn sockets(&self) -> usize {
        sockets_in(&self.netns)
    }

    fn add_address(&self, address: &str) {
        let link = lo();
        let address = address.parse().unwrap();
        let add = Plan::from_iter([Step::AddAddress { link, address }]);
        let kernel = Kernel::new(self.netns.clone()).unwrap();
        kernel.apply(&add, None).expect("it is added");
    }
}

fn sockets_in(netns: &Netns) -> usize {
    let count = |list: &str| {
        let text = std::fs::read_to_string(format!("/proc/thread-self/net/{list}")).unwrap();
        let lines = text.lines().skip(1);
        let inodes = lines.map(|line| line.split_whitespace().nth(9));
        inodes.filter(|inode| *inode != Some("0")).count()
    };
    let lists = ["tcp", "tcp6", "udp", "udp6"];
    netns.run(|| lists.map(count).iter().sum()).unwrap()
}

fn lo() -> Link {
    let index = LinkIndex::new(1).expect("the index of lo");
    Link::new(Side::Host, "lo".parse().unwrap(), index)
}

impl Drop for Ground {
    /// The server ends when nobody is there any more; seats must be gone by then.
    fn drop(&mut self) {
        drop(self.handle.take());
        let ended = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            ended.expect("the thread ends well");
        }
    }
}

/// A namespace with `lo` up.
fn loopback() -> Netns {
    let netns = Netns::create().expect("a namespace");
    let kernel = Kernel::new(netns.clone()).expect("its kernel");
    let up = Plan::from_iter([Step::SetUp { link: lo() }]);
    kernel.apply(&up, None).expect("lo is up");
    netns
}

fn loopback_of(server: SocketAddr) -> IpAddr {
    match server {
        SocketAddr::V4(_) => "127.0.0.1".parse().unwrap(),
        SocketAddr::V6(_) => "::1".parse().unwrap(),
    }
}

/// Sockets of both kinds on one port.
fn listeners(address: IpAddr) -> (Listeners, SocketAddr) {
    loop {
        let udp = UdpSocket::bind((address, 0)).expect("a socket");
        let at = udp.local_addr().unwrap();
        if let Ok(tcp) = TcpListener::bind(at) {
            // who floods need not wait for the kernel's second tries
            nix::sys::socket::listen(&tcp, Backlog::MAXALLOWABLE).unwrap();
            let (udp, tcp) = (vec![udp], vec![tcp]);
            return (Listeners { udp, tcp }, at);
        }
    }
}

/// A container that knows `db`, and no more.
fn client(forwarding: Forwarding) -> Arc<Client> {
    let records = Arc::new(Records::new("hmall".parse().unwrap()));
    let names = Names::new("db".parse().unwrap(), []);
    records.insert(Owner::new(EndpointId::from_bytes([1; 32]), names, [DB]));
    let view = Arc::new(View::new([Membership::from(records)]));
    let search = vec![];
    let terms = ClientTerms {
        forwarding,
        search,
        domain: None,
    };
    Arc::new(Client::new(view, terms))
}

/// Asks once, and waits for the answer.
fn ask(socket: &UdpSocket, name: &str) -> Reply {
    socket.send(&query(7, name, 1)).unwrap();
    heard(socket).expect("an answer")
}

/// The next answer; `None` if none comes.
fn heard(socket: &UdpSocket) -> Option<Reply> {
    let mut buffer = [0; 65_535];
    let length = socket.recv(&mut buffer).ok()?;
    Some(Reply::read(&buffer[..length]))
}

fn is_silent(socket: &UdpSocket) -> bool {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let is_silent = heard(socket).is_none();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    is_silent
}

fn say(stream: &mut TcpStream, message: &[u8]) {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length, message].concat()).unwrap();
}

fn listen(stream: &mut TcpStream) -> Reply {
    Reply::read(&listen_bytes(stream))
}

fn listen_bytes(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("a length comes");
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).expect("a message comes");
    message
}

/// Whether the other end has closed, before `DEADLINE`.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    match stream.read(&mut byte) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

fn wait_until(what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !met() {
        assert!(Instant::now() < deadline, "{what} did not come to be");
        std::thread::yield_now();
    }
}
