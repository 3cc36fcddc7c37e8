//! Beginning and ending a container's process: all of it or nothing.

mod channel;
mod enter;
mod init;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use bridgework::Host;
use clap::ValueEnum;
use nix::sys::signal::Signal;

pub(crate) use enter::{enter, exec};
pub(crate) use init::init;

use crate::failure::{Failure, Outcome};
use crate::process::Process;
use crate::state::{Life, Record, Removal, State};
use crate::{names, wires};

/// How long a killed process may take to end.
const DEATH: Duration = Duration::from_secs(10);

/// What the caller has to do with a container's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Attendance {
    /// It waits, and sees what it prints.
    Attached,
    /// Besides, its stdin is the container's.
    Interactive,
    /// It has gone by then.
    Detached,
}

/// This program once more, on the same state.
pub(crate) fn again(state: &State) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg("--state").arg(state.root());
    command
}

/// Begins the container's process on its networks. Whoever calls has the container's lock.
pub(crate) fn launch(
    state: &State,
    host: &Host,
    record: &mut Record,
    attendance: Attendance,
) -> Outcome<Child> {
    wires::sweep_files(state, record);
    let (mut channel, stdin) = channel::open().map_err(Failure::during("a pair of sockets"))?;
    let mut command = again(state);
    command.args(["init", "--attendance"]);
    command.arg(attendance.word()).arg(record.id.to_string());
    command.stdin(Stdio::from(stdin));
    if attendance == Attendance::Detached {
        let log = open_log(state, record)?;
        let both = log.try_clone().map_err(Failure::during("the log"))?;
        command.stdout(log).stderr(both);
    }
    let mut child = command.spawn().map_err(Failure::during("fork"))?;
    drop(command); // with it our copy of the other end
    let begun = begin(state, host, record, &child, &mut channel);
    let begun = begun.and_then(|()| channel.go());
    match begun {
        Ok(()) => Ok(child),
        Err(failure) => {
            let _gone = child.kill();
            let _gone = child.wait();
            let left = wires::disconnect(state, host, record);
            record.life = Life::Created;
            state.save(record)?;
            left.map_err(|also| Failure::new(format!("{failure}\n{also}")))?;
            Err(failure)
        }
    }
}

fn begin(
    state: &State,
    host: &Host,
    record: &mut Record,
    child: &Child,
    channel: &mut channel::Parent,
) -> Outcome {
    let ended = || Failure::new("the container's process has ended");
    let process = Process::of_pid(child.id()).ok_or_else(ended)?;
    let at = SystemTime::now().into();
    let mounts = None;
    let begun = Life::Begun {
        process,
        mounts,
        at,
    };
    record.life = begun;
    {
        // a server that ends looks first whether anybody has begun
        let _lock = state.lock()?;
        state.save(record)?;
    }
    channel.await_ready()?;
    wires::connect(state, host, record, process)?;
    let mounts = process.mounts();
    record.life = Life::Begun {
        process,
        mounts,
        at,
    };
    state.save(record)?;
    names::serve(state)?;
    names::await_answer(record, process)
}

fn open_log(state: &State, record: &Record) -> Outcome<File> {
    let path = state.log(record.id);
    let mut options = File::options();
    let opened = options.create(true).append(true).mode(0o600).open(&path);
    opened.map_err(Failure::during(path.display()))
}

/// Ends the container's process, by the friendly signal first. Whoever calls has the container's
/// lock.
pub(crate) fn end(state: &State, host: &Host, record: &mut Record, patience: Duration) -> Outcome {
    if let Some(process) = record.running() {
        if !patience.is_zero() {
            process.signal(Signal::SIGTERM);
        }
        if !process.ends_within(patience) {
            process.signal(Signal::SIGKILL);
            if !process.ends_within(DEATH) {
                let pid = process.pid;
                return Err(Failure::new(format!("process {pid} can't be killed")));
            }
        }
    }
    bury(state, host, record, None)
}

/// After its process has ended: nothing of it is left in the kernel, and it is removed if nobody
/// will do so by hand. Whoever calls has the container's lock.
pub(crate) fn bury(
    state: &State,
    host: &Host,
    record: &mut Record,
    status: Option<i32>,
) -> Outcome {
    let Life::Begun {
        process,
        mounts,
        at: begun,
    } = record.life
    else {
        return Ok(());
    };
    match mounts {
        Some(mounts) => process.kill_group(mounts),
        // whoever connected it was killed at that
        None => drop(host.recover()?),
    }
    wires::disconnect(state, host, record)?;
    if record.removal == Removal::AtItsEnd {
        return state.forget(record.id);
    }
    let at = SystemTime::now().into();
    record.life = Life::Ended { status, begun, at };
    state.save(record)
}

/// Buries all that have ended and were not seen to. One that somebody begins or ends at the moment
/// is left to them.
pub(crate) fn bury_the_dead(state: &State) -> Outcome {
    let is_dead = |record: &Record| record.has_ended_unseen() || record.is_abandoned();
    let mut dead = state.all()?;
    dead.retain(is_dead);
    if dead.is_empty() {
        return Ok(());
    }
    let host = crate::host::open(state)?;
    for Record { id, .. } in dead {
        let Ok(Some(_lock)) = state.try_lock_container(id) else {
            continue;
        };
        // meanwhile somebody else may have seen to it
        match state.load(id)? {
            Some(record) if record.is_abandoned() => state.forget(id)?,
            Some(mut record) if record.has_ended_unseen() => {
                bury(state, &host, &mut record, None)?;
            }
            _ => {}
        }
    }
    Ok(())
}

impl Attendance {
    fn word(self) -> &'static str {
        match self {
            Self::Attached => "attached",
            Self::Interactive => "interactive",
            Self::Detached => "detached",
        }
    }
}

/// What a detached container has printed.
pub(crate) fn logs(state: &State, container: &str) -> Outcome {
    let record = state.find(container)?;
    let path = state.log(record.id);
    match File::open(&path) {
        Ok(mut log) => {
            let copied = io::copy(&mut log, &mut io::stdout());
            copied.map(|_| ()).map_err(Failure::during(path.display()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::during(path.display())(error)),
    }
}

/// Removes what an earlier life left of its files.
pub(crate) fn remove_file(path: &std::path::Path) {
    let _none = fs::remove_file(path);
}
