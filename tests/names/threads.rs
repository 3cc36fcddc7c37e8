//! The threads of this process that serve a host: those that are in its namespace.

use std::fs;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Duration;

use bridgework::Netns;

use super::lab::wait_until;

pub fn of(netns: &Netns) -> Vec<PathBuf> {
    let is_inside = |thread: &PathBuf| {
        let link = fs::read_link(thread.join("ns/net")).unwrap_or_default();
        link.to_str() == Some(&format!("net:[{}]", netns.inode()))
    };
    let threads = fs::read_dir("/proc/self/task").expect("proc").flatten();
    threads.map(|one| one.path()).filter(is_inside).collect()
}

/// Waits until they use no processor: one clock tick at most in twenty, in which nothing comes.
pub fn at_rest(netns: &Netns) {
    assert!(!of(netns).is_empty(), "a thread serves the host");
    let nobody_calls = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let patience = Some(Duration::from_millis(200));
    nobody_calls.set_read_timeout(patience).expect("a socket");
    wait_until("a server that has nothing to do", || {
        let before = ticks(netns);
        nobody_calls.recv(&mut [0]).expect_err("silence");
        ticks(netns) <= before + 1
    });
}

/// Their processor time in clock ticks (proc_pid_stat(5)).
fn ticks(netns: &Netns) -> u64 {
    let spent = of(netns).into_iter().filter_map(|thread| {
        let stat = fs::read_to_string(thread.join("stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        Some(ticks(11)? + ticks(12)?)
    });
    spent.sum()
}
