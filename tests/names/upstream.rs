//! A name server somewhere, by a script: it notes all that it is asked.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use bridgework::Netns;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::ask::{receive_bytes, send_framed};
use super::dns::{self, Message};
use super::lab::{DEADLINE, wait_until};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Udp,
    Tcp,
}

/// A question that came, readable or not.
#[derive(Debug, Clone)]
pub struct Asked {
    pub by: By,
    pub from: SocketAddr,
    pub message: Option<Message>,
}

impl Asked {
    pub fn name(&self) -> &str {
        let question = self.message.as_ref().and_then(|one| one.questions.first());
        question.map_or("", |question| &question.name)
    }

    pub fn kind(&self) -> u16 {
        let question = self.message.as_ref().and_then(|one| one.questions.first());
        question.map_or(0, |question| question.kind)
    }
}

/// What is sent for a question, in that order: nothing, or one or several messages.
pub type Replies = Vec<Vec<u8>>;

type Script = dyn Fn(&Asked) -> Replies + Send + Sync;

pub struct Upstream {
    asked: Arc<Mutex<Vec<Asked>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    udp: Arc<UdpSocket>,
}

impl Upstream {
    /// One at that address of that namespace's.
    pub fn start(
        netns: &Netns,
        at: &str,
        script: impl Fn(&Asked) -> Replies + Send + Sync + 'static,
    ) -> Self {
        let at = if at.contains(':') {
            format!("[{at}]:53")
        } else {
            format!("{at}:53")
        };
        let open = || Ok::<_, io::Error>((UdpSocket::bind(&at)?, TcpListener::bind(&at)?));
        let (udp, tcp) = netns.run(open).expect("inside").expect("a server");
        let udp = Arc::new(udp);
        let (asked, ended): (Arc<Mutex<_>>, Arc<AtomicBool>) = Default::default();
        let script: Arc<Script> = Arc::new(script);
        let desk = Desk {
            asked: Arc::clone(&asked),
            script,
        };
        let (end, socket) = (Arc::clone(&ended), Arc::clone(&udp));
        let thread = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                desk.turn(&socket, &tcp);
            }
        });
        Self {
            asked,
            ended,
            thread: Some(thread),
            udp,
        }
    }

    /// One that knows `NAME.outside.test`, and nothing else.
    pub fn outside(netns: &Netns, at: &str) -> Self {
        Self::start(netns, at, |asked| vec![outside(asked)])
    }

    /// One that never answers.
    pub fn silent(netns: &Netns, at: &str) -> Self {
        Self::start(netns, at, |_| Vec::new())
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    pub fn names(&self) -> Vec<String> {
        self.asked()
            .iter()
            .map(|one| one.name().to_owned())
            .collect()
    }

    pub fn count(&self) -> usize {
        self.asked.lock().expect("no panic").len()
    }

    pub fn forget(&self) {
        self.asked.lock().expect("no panic").clear();
    }

    /// The first question, when it has come.
    pub fn first(&self) -> Asked {
        wait_until("a question", || self.count() > 0);
        self.asked().remove(0)
    }

    /// By the socket at which it is asked.
    pub fn socket(&self) -> &UdpSocket {
        &self.udp
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the script panicked");
        }
    }
}

pub const OUTSIDE: [u8; 4] = [198, 51, 100, 7];

/// 198.51.100.7 for names in `outside.test`, and NXDOMAIN for all others.
pub fn outside(asked: &Asked) -> Vec<u8> {
    let Some(message) = &asked.message else {
        return b"what?".to_vec();
    };
    let name = asked.name().to_owned();
    let reply = dns::reply(message);
    match name.to_ascii_lowercase().ends_with("outside.test") {
        true if asked.kind() == dns::A => reply.a(&name, 60, OUTSIDE).bytes,
        true => reply.soa("outside.test", 60).bytes,
        false => reply.rcode(dns::NXDOMAIN).soa("test", 60).bytes,
    }
}

#[derive(Clone)]
struct Desk {
    asked: Arc<Mutex<Vec<Asked>>>,
    script: Arc<Script>,
}

impl Desk {
    fn turn(&self, udp: &UdpSocket, tcp: &TcpListener) {
        let waits = [udp.as_fd(), tcp.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let mut waits = waits;
        if poll(&mut waits, PollTimeout::from(20u8)).unwrap_or(0) < 1 {
            return;
        }
        let [by_udp, by_tcp] = waits.map(|wait| wait.any().unwrap_or(false));
        if by_udp {
            let mut buffer = [0; 4096];
            if let Ok((length, from)) = udp.recv_from(&mut buffer) {
                for reply in self.hear(By::Udp, from, &buffer[..length]) {
                    let _gone = udp.send_to(&reply, from);
                }
            }
        }
        if by_tcp {
            if let Ok((stream, from)) = tcp.accept() {
                let desk = self.clone();
                thread::spawn(move || desk.serve(stream, from));
            }
        }
    }

    fn serve(&self, mut stream: TcpStream, from: SocketAddr) {
        let set = stream.set_read_timeout(Some(DEADLINE));
        set.expect("a socket");
        while let Ok(bytes) = receive_bytes(&mut stream) {
            for reply in self.hear(By::Tcp, from, &bytes) {
                if send_framed(&mut stream, &reply).is_err() {
                    return;
                }
            }
        }
    }

    fn hear(&self, by: By, from: SocketAddr, bytes: &[u8]) -> Replies {
        let asked = Asked {
            by,
            from,
            message: Message::read(bytes),
        };
        self.asked.lock().expect("no panic").push(asked.clone());
        (self.script)(&asked)
    }
}
