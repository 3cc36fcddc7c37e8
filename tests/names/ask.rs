//! A client in a container: it asks the container's name server, and waits.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};

use bridgework::Netns;

use super::dns::{self, Message, Writing};
use super::lab::DEADLINE;

/// Where containers on user-defined networks ask.
pub const SERVER: &str = "127.0.0.11:53";

/// A socket of a container's.
pub struct Client {
    socket: UdpSocket,
    netns: Netns,
}

impl Client {
    pub fn of(netns: &Netns) -> Self {
        let open = || {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(SERVER)?;
            socket.set_read_timeout(Some(DEADLINE))?;
            Ok::<_, io::Error>(socket)
        };
        let socket = netns.run(open).expect("inside").expect("a socket");
        let netns = netns.clone();
        Self { socket, netns }
    }

    /// The answer to that very question; what answers another is passed over.
    pub fn ask(&self, query: &Writing) -> Message {
        self.send(&query.bytes);
        let id = u16::from_be_bytes([query.bytes[0], query.bytes[1]]);
        loop {
            let message = self.receive().expect("an answer");
            if message.id == id {
                return message;
            }
        }
    }

    pub fn ask_for(&self, name: &str, kind: u16) -> Message {
        self.ask(&dns::query(name, kind))
    }

    pub fn send(&self, bytes: &[u8]) {
        self.socket.send(bytes).expect("sent");
    }

    pub fn receive(&self) -> io::Result<Message> {
        let mut buffer = vec![0; 65_536];
        let length = retry(|| self.socket.recv(&mut buffer))?;
        let message = Message::read(&buffer[..length]);
        message.ok_or_else(|| io::Error::other("no message of DNS"))
    }

    /// One that has come already.
    pub fn poll(&self) -> Option<Message> {
        self.socket.set_nonblocking(true).expect("a socket");
        let received = self.receive().ok();
        self.socket.set_nonblocking(false).expect("a socket");
        received
    }

    /// What has come already. The server answers one client in order, so that after the answer to a
    /// later question there is nothing more to come.
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.socket.set_nonblocking(true).expect("a socket");
        let mut buffer = vec![0; 65_536];
        let mut all = Vec::new();
        while let Ok(length) = retry(|| self.socket.recv(&mut buffer)) {
            all.push(buffer[..length].to_vec());
        }
        self.socket.set_nonblocking(false).expect("a socket");
        all
    }

    /// By a connection of its own.
    pub fn ask_by_tcp(&self, query: &Writing) -> Message {
        let mut stream = connect(&self.netns).expect("a connection");
        send_framed(&mut stream, &query.bytes).expect("sent");
        receive_framed(&mut stream).expect("an answer")
    }
}

/// A connection to the container's name server.
pub fn connect(netns: &Netns) -> io::Result<TcpStream> {
    let server: SocketAddr = SERVER.parse().expect("an address");
    let stream = netns.run(|| TcpStream::connect_timeout(&server, DEADLINE));
    let stream = stream.expect("inside")?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// rfc1035 §4.2.2
pub fn send_framed(stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u16::try_from(bytes.len()).expect("a message");
    stream.write_all(&[&length.to_be_bytes(), bytes].concat())
}

pub fn receive_framed(stream: &mut impl Read) -> io::Result<Message> {
    let bytes = receive_bytes(stream)?;
    Message::read(&bytes).ok_or_else(|| io::Error::other("no message of DNS"))
}

pub fn receive_bytes(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A signal that some other part of the process gets does not end the wait.
pub fn retry<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match act() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
