//! What code may not do: nothing of the machine below the effects, and nowhere what would reach
//! beyond the caller's own hands.

use crate::layers::{Layer, layer_of};
use crate::source::Source;

/// Sockets, files, clocks, threads, randomness. The value of a time is not an effect; taking it is.
const IMPURE: &[&str] = &[
    "std::fs",
    "fs::",
    "File::",
    "std::thread",
    "thread::",
    "Instant::now",
    "SystemTime::now",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "UnixDatagram",
    "netlink_sys",
    "getrandom",
    "nix::sys",
    "nix::unistd",
    "nix::sched",
    "nix::fcntl",
];

/// No subprocess, no environment, no signal handler, no fork (law 7).
const FORBIDDEN: &[&str] = &[
    "Command",
    "std::env",
    "env::",
    "fork",
    "vfork",
    "execv",
    "execve",
    "execvp",
    "posix_spawn",
    "sigaction",
    "sys::signal",
    "signal_hook",
    "ctrlc",
    "static mut",
    "lazy_static",
    "thread_local",
];

/// What makes a static changeable.
const CHANGEABLE: &[&str] = &[
    "Mutex", "RwLock", "Atomic", "Once", "Lazy", "Cell", "ArcSwap",
];

fn places<'a>(source: &'a Source, phrases: &'a [&str], why: &'a str) -> Vec<String> {
    let complaint =
        |phrase: &str, start| source.at(source.line_at(start), &format!("`{phrase}`: {why}"));
    phrases
        .iter()
        .flat_map(|phrase| {
            source
                .places_of(phrase)
                .into_iter()
                .map(move |at| (*phrase, at))
        })
        .map(|(phrase, start)| complaint(phrase, start))
        .collect()
}

/// Effects in a file that only decides.
pub(crate) fn in_pure_layers(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| layer_of(source) < Some(Layer::Effects))
        .flat_map(|source| places(source, IMPURE, "values, requests and decisions are pure"))
        .collect()
}

/// Subprocesses, the environment, signal handlers and global state.
pub(crate) fn forbidden_everywhere(sources: &[Source]) -> Vec<String> {
    let law = "no subprocess, environment, signal handler or global state (law 7)";
    let named = sources
        .iter()
        .flat_map(|source| places(source, FORBIDDEN, law));
    named
        .chain(sources.iter().flat_map(changeable_statics))
        .collect()
}

fn changeable_statics(source: &Source) -> Vec<String> {
    let is_item = |start: &usize| !source.code[..*start].ends_with('\'');
    let statics = source.places_of("static").into_iter().filter(is_item);
    let changeable = statics.filter(|&start| {
        let tail = &source.code[start..];
        let declared = &tail[..tail.find(['=', ';']).unwrap_or(tail.len())];
        CHANGEABLE.iter().any(|word| declared.contains(word))
    });
    changeable
        .map(|start| source.at(source.line_at(start), "global state (law 7)"))
        .collect()
}

/// Files with unsafe code, if there are two or more.
pub(crate) fn unsafe_beyond_one_file(sources: &[Source]) -> Vec<String> {
    let mut unsafe_files: Vec<String> = sources
        .iter()
        .filter_map(|source| {
            let first = *source.places_of("unsafe").first()?;
            Some(source.at(source.line_at(first), "unsafe code, in one file at most"))
        })
        .collect();
    if unsafe_files.len() < 2 {
        unsafe_files.clear();
    }
    unsafe_files
}
