//! Another server, whose part the test plays, and the file that names it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use socket2::SockRef;

use super::wire::{asked, reply_to};
use super::*;

pub(super) struct Stub {
    pub(super) udp: UdpSocket,
    tcp: TcpListener,
}

impl Stub {
    /// At port 53 of this address.
    pub(super) fn at(netns: &Netns, address: &str) -> Self {
        let at = match address.split_once('%') {
            Some((address, _)) => format!("[{address}%1]:53"),
            None => format!("{address}:53"),
        };
        let at: SocketAddr = at.parse().unwrap();
        let opened = netns.run(|| (UdpSocket::bind(at).unwrap(), TcpListener::bind(at).unwrap()));
        let (udp, tcp) = opened.unwrap();
        udp.set_read_timeout(Some(DEADLINE)).unwrap();
        // accept(2) goes by it as well
        let deadline = SockRef::from(&tcp).set_read_timeout(Some(DEADLINE));
        deadline.unwrap();
        Self { udp, tcp }
    }

    /// The next question, and who asks.
    pub(super) fn heard(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 2048];
        let (length, from) = self.udp.recv_from(&mut buffer).expect("a question");
        (buffer[..length].to_vec(), from)
    }

    /// The next question for that name. Others are passed over.
    pub(super) fn heard_of(&self, name: &str) -> (Vec<u8>, SocketAddr) {
        loop {
            let (question, from) = self.heard();
            if asked(&question).0 == name {
                return (question, from);
            }
        }
    }

    pub(super) fn say(&self, message: &[u8], to: SocketAddr) {
        self.udp.send_to(message, to).unwrap();
    }

    /// Answers the next question.
    pub(super) fn answer(&self, addresses: &[Ipv4Addr]) {
        let (question, from) = self.heard();
        self.say(&reply_to(&question, addresses), from);
    }

    pub(super) fn accept(&self) -> TcpStream {
        let (stream, _) = self.tcp.accept().expect("a connection");
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    pub(super) fn is_silent(&self) -> bool {
        self.tcp.set_nonblocking(true).unwrap();
        let is_alone = self.tcp.accept().is_err();
        self.tcp.set_nonblocking(false).unwrap();
        self.udp.set_read_timeout(Some(PATIENCE)).unwrap();
        let is_silent = self.udp.recv(&mut [0; 512]).is_err();
        self.udp.set_read_timeout(Some(DEADLINE)).unwrap();
        is_alone && is_silent
    }
}

/// A `resolv.conf`, gone with this.
pub(super) struct File(PathBuf);

impl File {
    pub(super) fn naming(servers: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bridgework-{}-{number}.conf", std::process::id());
        let file = Self(std::env::temp_dir().join(name));
        file.replace(servers);
        file
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// As those do who write such files: another takes its place.
    pub(super) fn replace(&self, servers: &[&str]) {
        let lines: Vec<String> = servers
            .iter()
            .map(|server| format!("nameserver {server}\n"))
            .collect();
        let beside = self.0.with_extension("new");
        std::fs::write(&beside, lines.concat()).unwrap();
        std::fs::rename(beside, &self.0).unwrap();
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}
