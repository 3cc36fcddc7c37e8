//! Processes that are not children: told from later ones with the same id by when they began.

use std::fs;
use std::os::linux::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// How often it is looked whether a process has ended.
const GLANCE: Duration = Duration::from_millis(10);

/// One process, and no other that gets its id later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// In clock ticks after the boot: proc(5).
    start_time: u64,
}

/// What `/proc/PID/stat` says of a process.
struct Stat {
    state: char,
    group: i32,
    start_time: u64,
}

impl Process {
    /// The process that has this id now.
    pub(crate) fn of_pid(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok()?;
        let start_time = stat(pid)?.start_time;
        Some(Self { pid, start_time })
    }

    /// Whether it runs: one that has ended and that nobody has waited for does not.
    pub(crate) fn is_alive(&self) -> bool {
        let is_it = |stat: Stat| stat.start_time == self.start_time && is_running(stat.state);
        stat(self.pid).is_some_and(is_it)
    }

    /// Nobody gets the signal if it has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.is_alive() {
            let _ended_meanwhile = kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// Whether it ends within `patience`.
    pub(crate) fn ends_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(GLANCE);
        }
        true
    }

    /// What tells its mounts from all others'.
    pub(crate) fn mounts(&self) -> Option<u64> {
        mounts_of(self.pid)
    }

    /// Kills those of its group that see the same mounts: a group's number alone may be another
    /// one's by now.
    pub(crate) fn kill_group(&self, mounts: u64) {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        for pid in pids {
            let in_group = stat(pid).is_some_and(|stat| stat.group == self.pid);
            if in_group && mounts_of(pid) == Some(mounts) {
                let _ended_meanwhile = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}

fn mounts_of(pid: i32) -> Option<u64> {
    let namespace = fs::metadata(format!("/proc/{pid}/ns/mnt")).ok()?;
    Some(namespace.st_ino())
}

fn is_running(state: char) -> bool {
    !matches!(state, 'Z' | 'X' | 'x')
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the command's name may contain whatever it likes, a closing parenthesis as well
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        group: i32::try_from(number(5)?).ok()?,
        start_time: number(22)?,
    })
}
