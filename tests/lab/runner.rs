//! Runs a process by ptrace, counts the moments at which it enters and leaves system calls, in all of
//! its threads, and kills it at one of them. Nothing of what it does is known here.

use std::collections::BTreeSet;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// How a process came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// At the point that was chosen.
    Killed,
    /// It has done all between its marks, which are so many points apart, and was killed then.
    Done { points: usize },
    /// By itself, before it came to its second mark.
    Itself(i32),
}

/// In the process that is run: from here on points are counted. Its parent becomes its tracer.
pub fn mark_begin() {
    ptrace::traceme().expect("a parent that traces");
    mark();
}

/// In the process that is run: up to here points are counted.
pub fn mark_end() {
    mark();
}

fn mark() {
    raise(Signal::SIGSTOP).expect("a signal");
}

/// Starts the process, and kills it at its `point`-th point, counted from 1, or when it is done.
pub fn run(command: &mut Command, point: Option<usize>) -> End {
    follow(command, |stop| match Some(stop.point) == point {
        true => Next::Kill,
        false => Next::GoOn,
    })
}

/// Where a thread stands: before or after a system call.
#[derive(Debug, Clone, Copy)]
pub struct Stop {
    pub thread: Pid,
    /// Counted from 1, over all threads.
    pub point: usize,
}

/// What comes after a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    GoOn,
    Kill,
}

/// Starts the process, and asks at each point what is to come, until it is done.
// whoever traces it waits for it
#[allow(clippy::zombie_processes)]
pub fn follow(command: &mut Command, at: impl FnMut(Stop) -> Next) -> End {
    let child = command.spawn().expect("a process");
    let process = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    Run::of(process).until_killed(at)
}

struct Run {
    process: Pid,
    /// Those that have stopped once.
    threads: BTreeSet<Pid>,
    marks: usize,
    points: usize,
}

impl Run {
    fn of(process: Pid) -> Self {
        Self {
            process,
            threads: BTreeSet::new(),
            marks: 0,
            points: 0,
        }
    }

    fn until_killed(mut self, mut at: impl FnMut(Stop) -> Next) -> End {
        let mut end = None;
        loop {
            // a thread sees its own children only, and those that it traces
            let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
            let status = match waitpid(Pid::from_raw(-1), Some(flags)) {
                Err(Errno::EINTR) => continue,
                status => status.expect("the process is there"),
            };
            let (mut forwarded, mut next) = (None, Next::GoOn);
            match status {
                WaitStatus::Exited(who, code) if who == self.process => {
                    return end.unwrap_or(End::Itself(code));
                }
                WaitStatus::Signaled(who, signal, _) if who == self.process => {
                    return end.unwrap_or(End::Itself(-(signal as i32)));
                }
                WaitStatus::PtraceSyscall(thread) if self.marks == 1 && end.is_none() => {
                    self.points += 1;
                    let point = self.points;
                    next = at(Stop { thread, point });
                }
                WaitStatus::Stopped(who, signal) => forwarded = self.signal(who, signal),
                _ => {}
            }
            if end.is_none() {
                end = self.end_after(next);
                if end.is_some() {
                    kill(self.process, Signal::SIGKILL).expect("the process is there");
                }
            }
            if let Some(who) = status.pid() {
                go_on(who, forwarded);
            }
        }
    }

    fn end_after(&self, next: Next) -> Option<End> {
        let points = self.points;
        match next {
            Next::Kill => Some(End::Killed),
            Next::GoOn => (self.marks == 2).then_some(End::Done { points }),
        }
    }

    /// A stop is a mark, or what each new thread begins with; all else is the process's own business,
    /// and is returned.
    fn signal(&mut self, who: Pid, signal: Signal) -> Option<Signal> {
        let is_first = self.threads.insert(who);
        if signal != Signal::SIGSTOP {
            return Some(signal);
        }
        if self.marks == 0 {
            let options = Options::PTRACE_O_TRACESYSGOOD
                | Options::PTRACE_O_TRACECLONE
                | Options::PTRACE_O_TRACEFORK
                | Options::PTRACE_O_TRACEVFORK
                | Options::PTRACE_O_EXITKILL;
            ptrace::setoptions(who, options).expect("a tracee that stands");
            self.marks = 1;
        } else if !is_first {
            self.marks = 2;
        }
        None
    }
}

/// A tracee that was killed meanwhile is gone.
fn go_on(who: Pid, signal: Option<Signal>) {
    match ptrace::syscall(who, signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => panic!("{who}: {errno}"),
    }
}
