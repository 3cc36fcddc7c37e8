//! One client for all servers: a question at a time, or 64 at once.

#[path = "../../tests/names/dns.rs"]
pub mod dns;

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use bridgework::Netns;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

const OUTSTANDING: usize = 64;
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Client {
    socket: UdpSocket,
    questions: Vec<Vec<u8>>,
    next: usize,
}

impl Client {
    /// It asks for each name in turn, from within the namespace.
    pub fn new(netns: &Netns, server: SocketAddr, names: &[String]) -> Self {
        let open = || {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(server)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok::<_, io::Error>(socket)
        };
        let socket = netns.run(open).expect("inside").expect("a socket");
        let questions = names.iter().map(|name| dns::query(name, dns::A).bytes);
        Self {
            socket,
            questions: questions.collect(),
            next: 0,
        }
    }

    fn question(&mut self) -> &mut Vec<u8> {
        self.next = (self.next + 1) % self.questions.len();
        let id = u16::try_from(self.next & 0xffff).expect("16 bits");
        let question = &mut self.questions[self.next];
        question[..2].copy_from_slice(&id.to_be_bytes());
        question
    }

    /// How many of the names have an answer with an address.
    pub fn known(&mut self) -> usize {
        let mut buffer = [0; 1500];
        let mut known = 0;
        for _ in 0..self.questions.len() {
            let bytes = self.question().clone();
            self.socket.send(&bytes).expect("sent");
            let length = self.socket.recv(&mut buffer).unwrap_or(0);
            let told = dns::Message::read(&buffer[..length]);
            known += usize::from(told.is_some_and(|told| !told.answers.is_empty()));
        }
        known
    }

    /// One question after the other; what is lost counts with the patience that it took.
    pub fn one_by_one(&mut self, count: usize) -> Vec<Duration> {
        let mut buffer = [0; 1500];
        let mut ask = || {
            let bytes = self.question().clone();
            let start = Instant::now();
            self.socket.send(&bytes).expect("sent");
            while let Ok(length) = self.socket.recv(&mut buffer) {
                if length > 2 && buffer[..2] == bytes[..2] {
                    break;
                }
            }
            start.elapsed()
        };
        (0..count).map(|_| ask()).collect()
    }

    /// Answers a second with 64 on their way at any time.
    pub fn all_at_once(&mut self, time: Duration) -> f64 {
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(OUTSTANDING, None);
        let mut buffers = vec![[0_u8; 600]; OUTSTANDING];
        self.send(OUTSTANDING);
        let (start, mut answers) = (Instant::now(), 0_u32);
        let mut waiting = OUTSTANDING;
        while start.elapsed() < time {
            let mut into: Vec<[IoSliceMut<'_>; 1]> = buffers
                .iter_mut()
                .map(|buffer| [IoSliceMut::new(buffer)])
                .collect();
            let fd = self.socket.as_raw_fd();
            let flags = MsgFlags::MSG_WAITFORONE;
            let received = recvmmsg(fd, &mut headers, &mut into, flags, None);
            let count = received.map_or(0, |messages| messages.count());
            if count == 0 {
                waiting = 0; // all that were on their way are lost
            }
            waiting = waiting.saturating_sub(count);
            answers += u32::try_from(count).expect("a few");
            let due = OUTSTANDING - waiting;
            self.send(due);
            waiting += due;
        }
        let rate = f64::from(answers) / start.elapsed().as_secs_f64();
        self.drain();
        rate
    }

    fn send(&mut self, count: usize) {
        let questions: Vec<Vec<u8>> = (0..count).map(|_| self.question().clone()).collect();
        let slices: Vec<[IoSlice<'_>; 1]> = questions
            .iter()
            .map(|bytes| [IoSlice::new(bytes)])
            .collect();
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(count, None);
        let to = vec![None::<SockaddrIn>; count];
        let (fd, flags) = (self.socket.as_raw_fd(), MsgFlags::empty());
        let _full = sendmmsg(fd, &mut headers, &slices, &to, [], flags);
    }

    /// Nothing is on its way any more.
    fn drain(&mut self) {
        let short = Some(Duration::from_millis(20));
        self.socket.set_read_timeout(short).expect("a socket");
        while self.socket.recv(&mut [0; 600]).is_ok() {}
        let long = Some(PATIENCE);
        self.socket.set_read_timeout(long).expect("a socket");
    }
}
