//! A name server in a process that has no descriptor left: nobody waits for it in vain, and it does
//! not run in circles. Alone in its process, of which it lowers the limit.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use bridgework::kernel::Kernel;
use bridgework::plan::{Link, Plan, Side, Step};
use bridgework::resolver::server::{Audience, Listeners, Seat, Server, ServerConfig, ServerHandle};
use bridgework::resolver::{Client, ClientTerms, Forwarding, Names, Owner, Records, View};
use bridgework::{EndpointId, LinkIndex, Netns};
use bridgework_ground as _;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

const DEADLINE: Duration = Duration::from_secs(20);
const DB: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 2);
const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02db\0\0\x01\0\x01";

/// A namespace with `lo` up.
fn loopback() -> Netns {
    let netns = Netns::create().expect("a namespace");
    let index = LinkIndex::new(1).expect("the index of lo");
    let link = Link::new(Side::Host, "lo".parse().unwrap(), index);
    let kernel = Kernel::new(netns.clone()).expect("its kernel");
    let up = Plan::from_iter([Step::SetUp { link }]);
    kernel.apply(&up, None).expect("lo is up");
    netns
}

fn client() -> Arc<Client> {
    let records = Arc::new(Records::new("hmall".parse().unwrap()));
    let names = Names::new("db".parse().unwrap(), []);
    let owner = Owner::new(EndpointId::from_bytes([1; 32]), names, [DB.into()]);
    records.insert(owner);
    let (forwarding, search) = (Forwarding::Nobody, vec![]);
    let view = Arc::new(View::new([records.into()]));
    Arc::new(Client::new(
        view,
        ClientTerms {
            forwarding,
            search,
            domain: None,
        },
    ))
}

fn serve(netns: &Netns, handle: &ServerHandle, address: &str) -> (Seat, SocketAddr) {
    let at: SocketAddr = format!("{address}:5353").parse().unwrap();
    let bind = || (UdpSocket::bind(at).unwrap(), TcpListener::bind(at).unwrap());
    let (udp, tcp) = netns.run(bind).unwrap();
    let (udp, tcp) = (vec![udp], vec![tcp]);
    let (client, netns) = (client(), None);
    let audience = Audience::Container { client, netns };
    let seat = handle.serve(Listeners { udp, tcp }, audience);
    (seat.expect("it is served"), at)
}

/// A socket that is not connected yet: for that no descriptor is needed.
fn unconnected(netns: &Netns) -> Socket {
    let opened = netns.run(|| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap());
    let socket = opened.unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

fn ask(stream: &mut TcpStream) {
    let length = u16::try_from(QUERY.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length, QUERY].concat()).unwrap();
}

fn is_answered(stream: &mut TcpStream) -> bool {
    let mut reply = [0; 2 + QUERY.len() + 16];
    stream.read_exact(&mut reply).is_ok() && reply.ends_with(&DB.octets())
}

/// Ticks of the processor that a thread has had.
fn ticks(stat: &File) -> u64 {
    let mut buffer = [0; 1024];
    let length = stat.read_at(&mut buffer, 0).unwrap();
    let text = String::from_utf8_lossy(&buffer[..length]);
    // proc(5): the name in parentheses may have spaces; utime is the 14th field
    let (_, fields) = text.rsplit_once(") ").unwrap();
    let times = fields.split(' ').skip(11).take(2);
    times.map(|time| time.parse::<u64>().unwrap()).sum()
}

/// Takes all descriptors that the process may have.
fn take_all() -> Vec<File> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let first = File::open("/dev/null").unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 256, most).unwrap();
    let mut taken = vec![first];
    while let Ok(another) = taken[0].try_clone() {
        taken.push(another);
    }
    taken
}

#[test]
fn without_descriptors_the_idlest_makes_room_or_the_door_rests_until_there_are_some() {
    let netns = loopback();
    let (server, handle) = Server::new(ServerConfig::new()).unwrap();
    let (told, number) = channel();
    let inside = netns.clone();
    let thread = std::thread::spawn(move || {
        let run = || {
            told.send(std::fs::read_link("/proc/thread-self").unwrap())
                .unwrap();
            server.run();
        };
        inside.run(run).unwrap();
    });
    let task = std::path::Path::new("/proc").join(number.recv().unwrap());
    let stat = File::open(task.join("stat")).unwrap();
    let (first_seat, first) = serve(&netns, &handle, "127.0.0.11");
    let (second_seat, second) = serve(&netns, &handle, "127.0.0.12");
    let asker = netns
        .run(|| UdpSocket::bind("127.0.0.1:0").unwrap())
        .unwrap();
    asker.set_read_timeout(Some(DEADLINE)).unwrap();
    asker.connect(first).unwrap();
    let clients = [(); 3].map(|()| unconnected(&netns));

    let [guest, late, waiting] = clients;
    guest.connect(&first.into()).unwrap();
    let mut guest = TcpStream::from(guest);
    ask(&mut guest);
    assert!(is_answered(&mut guest));
    let taken = take_all();
    late.connect(&first.into()).unwrap();
    let mut late = TcpStream::from(late);
    ask(&mut late);
    assert!(is_answered(&mut late));
    assert!(!is_answered(&mut guest));

    waiting.connect(&second.into()).unwrap();
    let mut waiting = TcpStream::from(waiting);
    ask(&mut waiting);
    let before = ticks(&stat);
    asker
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    // a second in which nobody asks, and a thread that runs in circles has 100 ticks
    assert!(asker.recv(&mut [0; 512]).is_err());
    assert!(
        ticks(&stat) - before <= 2,
        "{} ticks",
        ticks(&stat) - before
    );
    asker.set_read_timeout(Some(DEADLINE)).unwrap();
    asker.send(QUERY).unwrap();
    assert!(asker.recv(&mut [0; 512]).is_ok());
    drop(taken);
    assert!(is_answered(&mut waiting));
    drop((first_seat, second_seat, handle));
    thread.join().unwrap();
}
