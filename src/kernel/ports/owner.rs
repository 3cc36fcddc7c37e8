//! Whose socket it is that has a port: found in the kernel's lists of sockets and in the
//! descriptors of processes, as far as both may be seen.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::addr::Protocol;

/// What is said of an owner who can't be seen.
const SOMEBODY: &str = "somebody";

/// Who has each of the ports in the namespace of the calling thread, for an error to say.
pub(super) fn holders(wanted: &[(Protocol, SocketAddr)]) -> Vec<String> {
    let inodes: Vec<Option<u64>> = wanted
        .iter()
        .map(|&(protocol, address)| socket_at(protocol, address))
        .collect();
    let names = match inodes.iter().all(Option::is_none) {
        true => HashMap::new(),
        false => owners(&inodes),
    };
    let name = |inode: &Option<u64>| inode.and_then(|inode| names.get(&inode).cloned());
    inodes
        .iter()
        .map(|inode| name(inode).unwrap_or_else(|| SOMEBODY.to_owned()))
        .collect()
}

/// Whether nobody who will keep it has the port: no process to be seen, or only children of this one,
/// which have inherited it until they run another program (`O_CLOEXEC`).
pub(super) fn is_passing((protocol, address): (Protocol, SocketAddr)) -> bool {
    let Some(inode) = socket_at(protocol, address) else {
        return true;
    };
    let mut holders = processes().filter(|(_, path)| sockets_of(path).contains(&inode));
    holders.all(|(_, path)| parent(&path) == Some(std::process::id()))
}

/// proc_pid_stat(5): the command stands in brackets and may be anything.
fn parent(process: &Path) -> Option<u32> {
    let text = fs::read_to_string(process.join("stat")).ok()?;
    let (_, behind) = text.rsplit_once(')')?;
    behind.split_whitespace().nth(1)?.parse().ok()
}

/// The number of a socket that keeps others from `address`.
fn socket_at(protocol: Protocol, address: SocketAddr) -> Option<u64> {
    // an IPv6 socket may have the port of IPv4 as well
    let lists: &[&str] = match (protocol, address.is_ipv4()) {
        (Protocol::Tcp, true) => &["tcp", "tcp6"],
        (Protocol::Tcp, false) => &["tcp6"],
        (Protocol::Udp, true) => &["udp", "udp6"],
        (Protocol::Udp, false) => &["udp6"],
        (Protocol::Sctp, _) => &[],
    };
    lists.iter().find_map(|list| {
        // not /proc/net: that is the main thread's
        let file = File::open(format!("/proc/thread-self/net/{list}")).ok()?;
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        lines
            .filter_map(|line| parse(&line))
            .find(|(local, inode)| *inode != 0 && is_in_the_way(*local, address))
            .map(|(_, inode)| inode)
    })
}

fn is_in_the_way(local: SocketAddr, wanted: SocketAddr) -> bool {
    let (theirs, ours) = (local.ip().to_canonical(), wanted.ip());
    local.port() == wanted.port()
        && (theirs == ours || theirs.is_unspecified() || ours.is_unspecified())
}

/// A line of `/proc/net/tcp` and its kin: the local address, and the socket's number.
pub(super) fn parse(line: &str) -> Option<(SocketAddr, u64)> {
    let mut words = line.split_whitespace();
    let (address, port) = words.nth(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let inode = words.nth(7)?.parse().ok()?;
    Some((SocketAddr::new(parse_address(address)?, port), inode))
}

/// Words of 32 bits in hexadecimal, each as it lies in memory.
fn parse_address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = text.get(at * 8..at * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// Command and process of each of these sockets that a process which may be looked at has. A child
/// that has inherited one, until it runs another program, has it of its parent.
fn owners(inodes: &[Option<u64>]) -> HashMap<u64, String> {
    let mut found: HashMap<u64, (u32, PathBuf)> = HashMap::new();
    for (pid, path) in processes() {
        for inode in sockets_of(&path) {
            let is_asked_for = inodes.contains(&Some(inode));
            let known = found.get(&inode);
            if is_asked_for && known.is_none_or(|(_, child)| parent(child) == Some(pid)) {
                found.insert(inode, (pid, path.clone()));
            }
        }
    }
    let name = |(pid, path): (u32, PathBuf)| format!("{} (pid {pid})", command(&path));
    let found = found.into_iter();
    found.map(|(inode, owner)| (inode, name(owner))).collect()
}

fn processes() -> impl Iterator<Item = (u32, PathBuf)> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        Some((pid, process.path()))
    })
}

/// The numbers of all sockets that the process has open.
fn sockets_of(process: &Path) -> Vec<u64> {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
        return Vec::new();
    };
    let socket = |path: &Path| {
        let target = fs::read_link(path).ok()?;
        let number = target.to_str()?.strip_prefix("socket:[")?;
        number.strip_suffix(']')?.parse().ok()
    };
    descriptors
        .flatten()
        .filter_map(|entry| socket(&entry.path()))
        .collect()
}

fn command(process: &Path) -> String {
    let text = fs::read(process.join("comm")).unwrap_or_default();
    String::from_utf8_lossy(&text).trim_end().to_owned()
}
