//! A server on every address of a namespace, by TCP and UDP, that answers with its own name and
//! the client's address as it sees it, and remembers who came.

use std::io::{ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bridgework::Netns;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::lab::DEADLINE;
use crate::probe::Kind;

/// It ends when it is dropped.
pub struct Server {
    heard: Arc<Mutex<Vec<(Kind, SocketAddr)>>>,
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

enum Door {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

impl Server {
    /// At one port of each of `addresses`; panics where one is taken for long.
    pub fn open(netns: &Netns, name: &str, addresses: &[IpAddr], port: u16) -> Self {
        let open = || -> std::io::Result<Vec<Door>> {
            let mut doors = Vec::new();
            for address in addresses {
                let at = SocketAddr::new(*address, port);
                let tcp = TcpListener::bind(at)?;
                tcp.set_nonblocking(true)?;
                let udp = UdpSocket::bind(at)?;
                udp.set_nonblocking(true)?;
                doors.extend([Door::Tcp(tcp), Door::Udp(udp)]);
            }
            Ok(doors)
        };
        let deadline = Instant::now() + DEADLINE;
        let doors = loop {
            match netns.run(open).expect("inside the namespace") {
                Ok(doors) => break doors,
                // a socket that was closed lives on in programs that were being started meanwhile
                Err(error) if error.kind() == ErrorKind::AddrInUse => {
                    assert!(Instant::now() < deadline, "{name} at {port}: {error}");
                    std::thread::yield_now();
                }
                Err(error) => panic!("{name} at {port}: {error}"),
            }
        };
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = UnixStream::pair().expect("a pair");
        let (name, hears) = (name.to_owned(), Arc::clone(&heard));
        let thread = std::thread::spawn(move || answer(&name, &doors, &stopped, &hears));
        Self {
            heard,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Who came, and by what.
    pub fn heard(&self) -> Vec<(Kind, SocketAddr)> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop = None;
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the server has failed");
        }
    }
}

fn answer(
    name: &str,
    doors: &[Door],
    stopped: &UnixStream,
    heard: &Mutex<Vec<(Kind, SocketAddr)>>,
) {
    let mut watched = vec![PollFd::new(stopped.as_fd(), PollFlags::POLLIN)];
    watched.extend(doors.iter().map(|door| {
        let descriptor = match door {
            Door::Tcp(listener) => listener.as_fd(),
            Door::Udp(socket) => socket.as_fd(),
        };
        PollFd::new(descriptor, PollFlags::POLLIN)
    }));
    loop {
        poll(&mut watched, PollTimeout::NONE).expect("poll");
        if watched[0].any() == Some(true) {
            return;
        }
        for door in doors {
            while let Some(who) = answer_one(name, door) {
                heard.lock().unwrap().push(who);
            }
        }
    }
}

/// Errors of one client, such as one that has gone, are no reason to end.
fn answer_one(name: &str, door: &Door) -> Option<(Kind, SocketAddr)> {
    let says = |client: SocketAddr| format!("{name} {}", client.ip());
    match door {
        Door::Tcp(listener) => {
            let (mut stream, client) = ready(|| listener.accept())?;
            let patience = Some(Duration::from_secs(2));
            let _gone = stream.set_write_timeout(patience);
            let _gone = stream.write_all(says(client).as_bytes());
            Some((Kind::Tcp, client))
        }
        Door::Udp(socket) => {
            let (_, client) = ready(|| socket.recv_from(&mut [0; 64]))?;
            let _gone = socket.send_to(says(client).as_bytes(), client);
            Some((Kind::Udp, client))
        }
    }
}

fn ready<T>(mut act: impl FnMut() -> std::io::Result<T>) -> Option<T> {
    loop {
        match act() {
            Ok(done) => return Some(done),
            // what a client had refused is told to the next who asks
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionRefused
                        | ErrorKind::ConnectionReset
                        | ErrorKind::ConnectionAborted
                        | ErrorKind::HostUnreachable
                        | ErrorKind::NetworkUnreachable
                        | ErrorKind::Interrupted
                ) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => panic!("a server: {error}"),
        }
    }
}
