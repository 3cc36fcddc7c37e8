//! Examples as programs: where they are, and what they said when they were run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bridgework::Netns;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::chance::Chance;

/// What a command printed, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub out: String,
    pub err: String,
    pub status: i32,
}

/// Cargo builds examples before it runs tests, and puts them beside these.
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let target = test.parent().and_then(Path::parent).expect("a target");
    let built = target.join("examples").join(name);
    let how = format!("cargo build --example {name} --features store");
    assert!(built.exists(), "there is no {}: {how}", built.display());
    built
}

/// Begins a program inside a namespace, with this on its stdin.
pub fn begin(netns: &Netns, mut command: Command, stdin: &[u8]) -> Child {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = netns.run(|| command.spawn());
    let mut child = child.expect("inside").expect("it begins");
    let mut pipe = child.stdin.take().expect("a pipe");
    // it may end before it has read all
    let _unread = pipe.write_all(stdin);
    child
}

/// Runs a program inside a namespace, with this on its stdin.
pub fn run(netns: &Netns, command: Command, stdin: &[u8]) -> Said {
    Said::at_the_end_of(begin(netns, command, stdin))
}

/// Kills it at some moment of its first `within`, another one each time.
pub fn kill_at_some_moment(child: Child, chance: &mut Chance, within: Duration) {
    let within_us = u64::try_from(within.as_micros()).expect("a short time");
    let end = Instant::now() + Duration::from_micros(chance.next() % within_us);
    while Instant::now() < end {
        std::thread::yield_now();
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    kill(pid, Signal::SIGKILL).expect("nobody has waited for it");
    drop(Said::at_the_end_of(child));
}

/// Whether the program is there. If not, it is said by name; under CI that is a failure.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&path).any(|folder| folder.join(program).exists());
    if !is_there {
        eprintln!("NOT CHECKED: {program} is not installed");
        assert!(std::env::var_os("CI").is_none(), "{program} is missing");
    }
    is_there
}

impl Said {
    pub fn of(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let signal = output.status.signal().unwrap_or_default();
        Self {
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
            status: output.status.code().unwrap_or(128 + signal),
        }
    }

    pub fn at_the_end_of(child: Child) -> Self {
        Self::of(child.wait_with_output().expect("it ends"))
    }
}
