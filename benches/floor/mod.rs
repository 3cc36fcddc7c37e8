//! The floor: the kernel changes of a plan, as raw bytes on raw sockets.
//!
//! It performs the very plan that ours performed, in namespaces of its own: the same messages with
//! the same attributes and the same settings written, one send for each side, acknowledged at the
//! last message. Its host's socket is open, and the bytes are made, before the clock starts; its
//! own thread enters the container's namespace and opens a socket there on the clock, as any
//! program must. Left out: choosing addresses, names and ids, records, checks, the kernel's words,
//! deadlines, undoing, coming back from the namespace, and waiting until the bridge forwards
//! (which only [`Until::Forwarding`] does, with looks that follow each other at once).
//!
//! It enters the namespace and opens its sockets in each connect. Ours has done that when the
//! namespace was made or found, where it has to enter anyway, and pays for it there: see the row
//! that counts both. Entering costs about 20 us on a machine that has seen few namespaces, and the
//! first look below `/proc/sys/net` 0.3 us more for each that it has seen; then ours is the faster
//! one.

mod batch;
mod script;

use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use bridgework::Netns;
use bridgework::plan::Side;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::libc;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{MsgFlags, recv};

use batch::{Batch, HEADER_BYTES, forwards};
use script::Op;
pub use script::Script;

/// When the clock stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The kernel has acknowledged the last message.
    Acknowledged,
    /// The bridge forwards, too.
    Forwarding,
}

/// One thread's floor, in a namespace that plays the host.
pub struct Floor {
    home: Netns,
    socket: Socket,
}

impl Floor {
    /// Moves the calling thread into `home`.
    pub fn enter(home: &Netns) -> Self {
        setns(home.as_fd(), CloneFlags::CLONE_NEWNET).expect("enter the floor's host");
        Self {
            home: home.clone(),
            socket: open_socket(),
        }
    }

    /// Performs a plan and tells how long it took.
    pub fn perform(&self, script: &Script, container: Option<&Netns>, until: Until) -> Duration {
        let start = Instant::now();
        let mut inside = None;
        for op in script.ops() {
            match op {
                Op::Await(_) if until == Until::Acknowledged => {}
                Op::Await(link) => while !self.forwards(*link) {},
                Op::Send(Side::Host, batch) => transact(&self.socket, batch),
                Op::Send(Side::Container, batch) => {
                    enter_once(&mut inside, container);
                    let socket = inside.get_or_insert_with(open_socket);
                    transact(socket, batch);
                }
                Op::Append(path, lines) => {
                    let file = fs::OpenOptions::new().append(true).open(path);
                    let mut file = file.expect("open a hosts file");
                    file.write_all(lines.as_bytes()).expect("write it");
                }
                Op::Write(side, path, value) => {
                    match side {
                        Side::Container => enter_once(&mut inside, container),
                        Side::Host => {
                            setns(self.home.as_fd(), CloneFlags::CLONE_NEWNET).expect("come home")
                        }
                    }
                    fs::write(path, value).expect("write a setting");
                }
            }
        }
        let taken = start.elapsed();
        setns(self.home.as_fd(), CloneFlags::CLONE_NEWNET).expect("come home");
        taken
    }

    /// As `perform`, in a container's namespace that is made on the clock; that one is returned
    /// too, since it lives as long as somebody has it.
    pub fn perform_anew(&self, plan: &bridgework::plan::Plan) -> (Duration, fs::File) {
        let start = Instant::now();
        unshare(CloneFlags::CLONE_NEWNET).expect("a new namespace");
        let made = fs::File::open("/proc/thread-self/ns/net").expect("its descriptor");
        let script = Script::new(plan, Some(made.as_fd()));
        self.perform(&script, None, Until::Acknowledged);
        (start.elapsed(), made)
    }

    /// Deletes one link; returns when the kernel does.
    pub fn delete(&self, index: u32) -> Duration {
        let batch = Batch::deletion(index);
        let start = Instant::now();
        transact(&self.socket, &batch);
        start.elapsed()
    }

    /// Puts links into a group, off the clock, and deletes the group with one message.
    pub fn delete_group(&self, indexes: &[u32]) -> Duration {
        const GROUP: u32 = 0x00f1_0012;
        for some in indexes.chunks(256) {
            transact(&self.socket, &Batch::grouping(some, GROUP));
        }
        let batch = Batch::group_deletion(GROUP);
        let start = Instant::now();
        transact(&self.socket, &batch);
        start.elapsed()
    }

    fn forwards(&self, index: u32) -> bool {
        let mut answer = [0; 8192];
        send(&self.socket, Batch::look(index).bytes());
        let length = receive(&self.socket, &mut answer);
        forwards(&answer[..length])
    }
}

/// `inside` is the socket in the container's namespace, which says whether the thread is there.
fn enter_once(inside: &mut Option<Socket>, container: Option<&Netns>) {
    if let (None, Some(container)) = (&inside, container) {
        setns(container.as_fd(), CloneFlags::CLONE_NEWNET).expect("enter the container");
        *inside = Some(open_socket());
    }
}

fn open_socket() -> Socket {
    let mut socket = Socket::new(NETLINK_ROUTE).expect("a netlink socket");
    socket.bind_auto().expect("bind it");
    let kernel = SocketAddr::new(0, 0);
    socket.connect(&kernel).expect("connect it to the kernel");
    socket
}

fn send(socket: &Socket, bytes: &[u8]) {
    let sent = socket.send(bytes, 0).expect("send");
    assert_eq!(sent, bytes.len(), "all of it is sent");
}

fn receive(socket: &Socket, answer: &mut [u8]) -> usize {
    recv(socket.as_raw_fd(), answer, MsgFlags::empty()).expect("receive")
}

/// Sends a batch and returns when its last message is acknowledged.
fn transact(socket: &Socket, batch: &Batch) {
    let mut answer = [0; 8192];
    send(socket, batch.bytes());
    loop {
        let length = receive(socket, &mut answer);
        let mut rest = &answer[..length];
        while rest.len() >= HEADER_BYTES + 4 {
            let number = |at: usize| {
                let bytes = rest[at..at + 4].try_into().expect("four bytes");
                u32::from_ne_bytes(bytes)
            };
            let kind = u16::from_ne_bytes([rest[4], rest[5]]);
            assert_eq!(i32::from(kind), libc::NLMSG_ERROR, "an answer");
            let sequence = number(8);
            // an error is its number with the sign turned
            let errno = number(16).wrapping_neg();
            assert_eq!(
                errno, 0,
                "the kernel refused message {sequence} of the floor"
            );
            if sequence == batch.len() {
                return;
            }
            let taken = usize::try_from(number(0))
                .expect("a length")
                .next_multiple_of(4);
            rest = rest.get(taken..).unwrap_or_default();
        }
    }
}
