//! The floor of publishing: elements of a map as raw bytes on a raw socket, and nothing else.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

/// A table like ours, with one map.
const TABLE: &str = "add table inet floor
add map inet floor ports { type inet_proto . inet_service : ipv4_addr . inet_service ; }
";

// uapi/linux/netfilter/nfnetlink.h, nf_tables.h
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEWSETELEM: u16 = (10 << 8) | 12;
const DELSETELEM: u16 = (10 << 8) | 14;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_CREATE: u16 = 0x400;
const NFPROTO_INET: u8 = 1;
const NESTED: u16 = 0x8000;

pub struct Elements {
    socket: Socket,
    sequence: u32,
}

impl Elements {
    /// In the namespace of the calling thread, with so many elements there already.
    pub fn make(there: u32) -> Result<Self, String> {
        let item = |n: u32| format!("tcp . {} : 10.{}.{}.2 . 80", port(n), n >> 8, n & 255);
        let items: Vec<String> = (0..there).map(item).collect();
        let mut text = TABLE.to_owned();
        if !items.is_empty() {
            text += &format!("add element inet floor ports {{ {} }}\n", items.join(", "));
        }
        nft(&text)?;
        let mut socket = Socket::new(NETLINK_NETFILTER).map_err(|error| error.to_string())?;
        socket.bind_auto().map_err(|error| error.to_string())?;
        Ok(Self {
            socket,
            sequence: 1,
        })
    }

    /// Takes the table away with all that is in it.
    pub fn delete(self) {
        let _gone = nft("delete table inet floor\n");
    }

    /// So many elements come in one transaction.
    pub fn add(&mut self, first: u32, count: u32) -> Duration {
        self.commit(NEWSETELEM, first, count)
    }

    pub fn remove(&mut self, first: u32, count: u32) -> Duration {
        self.commit(DELSETELEM, first, count)
    }

    fn commit(&mut self, kind: u16, first: u32, count: u32) -> Duration {
        let start = Instant::now();
        let bytes = self.batch(kind, first, count);
        self.socket
            .send_to(&bytes, &SocketAddr::new(0, 0), 0)
            .expect("the kernel takes it");
        let mut answer = [0; 4096];
        let length = nix::sys::socket::recv(
            self.socket.as_raw_fd(),
            &mut answer,
            nix::sys::socket::MsgFlags::empty(),
        );
        let took = start.elapsed();
        let length = length.expect("an answer");
        let errno = i32::from_ne_bytes(answer[16..20].try_into().expect("four bytes"));
        assert!(length >= 20 && errno == 0, "the kernel refused it: {errno}");
        took
    }

    fn batch(&mut self, kind: u16, first: u32, count: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128 + 64 * count as usize);
        self.message(&mut bytes, BATCH_BEGIN, 0, (0, 10), |_| {});
        // a nested list is at most 64 KiB
        let mut start = first;
        while start < first + count {
            let some = (first + count - start).min(500);
            let last = start + some == first + count;
            let ack = if last { NLM_F_ACK } else { 0 };
            self.message(
                &mut bytes,
                kind,
                NLM_F_CREATE | ack,
                (NFPROTO_INET, 0),
                |bytes| {
                    attribute(bytes, 1, b"floor\0");
                    attribute(bytes, 2, b"ports\0");
                    nest(bytes, 3, |bytes| {
                        (start..start + some).for_each(|n| element(bytes, n));
                    });
                },
            );
            start += some;
        }
        self.message(&mut bytes, BATCH_END, 0, (0, 10), |_| {});
        bytes
    }

    fn message(
        &mut self,
        bytes: &mut Vec<u8>,
        kind: u16,
        flags: u16,
        (family, resource): (u8, u16),
        fill: impl FnOnce(&mut Vec<u8>),
    ) {
        let at = bytes.len();
        bytes.extend([0; 4]);
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend([family, 0]);
        bytes.extend(resource.to_be_bytes());
        fill(bytes);
        let length = u32::try_from(bytes.len() - at).expect("a short message");
        bytes[at..at + 4].copy_from_slice(&length.to_ne_bytes());
        self.sequence += 1;
    }
}

/// The n-th port; the first are below those that ours publishes.
fn port(n: u32) -> u16 {
    u16::try_from(1024 + n).expect("a port")
}

fn element(bytes: &mut Vec<u8>, n: u32) {
    let mut key = vec![6, 0, 0, 0];
    key.extend(port(n).to_be_bytes());
    key.extend([0, 0]);
    let [_, _, high, low] = n.to_be_bytes();
    let value = [10, high, low, 2, 0, 80, 0, 0];
    nest(bytes, 1, |bytes| {
        nest(bytes, 1, |bytes| attribute(bytes, 1, &key));
        nest(bytes, 2, |bytes| attribute(bytes, 1, &value));
    });
}

fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).expect("a short attribute");
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn nest(bytes: &mut Vec<u8>, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    let at = bytes.len();
    bytes.extend([0; 4]);
    fill(bytes);
    let length = u16::try_from(bytes.len() - at).expect("at most 64 KiB");
    bytes[at..at + 2].copy_from_slice(&length.to_ne_bytes());
    bytes[at + 2..at + 4].copy_from_slice(&(kind | NESTED).to_ne_bytes());
}

fn nft(text: &str) -> Result<(), String> {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| format!("nft: {error}: install nftables"))?;
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all(text.as_bytes())
        .map_err(|error| error.to_string())?;
    drop(stdin);
    let status = child.wait().map_err(|error| error.to_string())?;
    status
        .success()
        .then_some(())
        .ok_or("nft refused it".to_owned())
}
