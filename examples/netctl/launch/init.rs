//! A container's first process: it makes the container's namespaces, waits until they are
//! connected, puts the container's files into place and becomes the container's command.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use bridgework::{ContainerId, ContainerTerm, NetworkMode};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::SigSet;
use nix::unistd::{Pid, dup2_stdin, getppid, sethostname, setpgid, setsid};

use super::Attendance;
use super::channel::{Child, not_begun};
use crate::failure::{Failure, Outcome};
use crate::state::{Record, State};

/// It returns only if there is no command in the end; whoever waits has been told why.
pub(crate) fn init(state: &State, id: &str, attendance: Attendance) -> Outcome {
    let mut channel = Child::take().map_err(Failure::during("stdin"))?;
    match prepare(state, id, attendance, &mut channel) {
        Ok(record) => {
            let [program, arguments @ ..] = record.command.as_slice() else {
                return Err(Failure::new("no command"));
            };
            let error = Command::new(program).args(arguments).exec();
            channel.refuse(&not_begun(program, &error));
        }
        Err(failure) => channel.refuse(&failure),
    }
    Ok(())
}

fn prepare(
    state: &State,
    id: &str,
    attendance: Attendance,
    channel: &mut Child,
) -> Outcome<Record> {
    // those that the command gets for the container are blocked in it, and so in here
    let none = SigSet::empty().thread_set_mask();
    none.map_err(Failure::of_kernel("unblock signals"))?;
    let id: ContainerId = id.parse()?;
    let record = state.load(id)?;
    let record = record.ok_or_else(|| Failure::new(format!("No such container: {id}")))?;
    attend(attendance)?;
    isolate(state, &record)?;
    channel.ready()?;
    let files = sharer(state, &record)?.map_or(id, |other| other.id);
    cover(&state.hosts(files), "/etc/hosts")?;
    cover(&state.resolv(files), "/etc/resolv.conf")?;
    Ok(record)
}

/// In a group of its own, so that signals for the caller do not reach it, unless it has the caller's
/// terminal.
fn attend(attendance: Attendance) -> Outcome {
    let stdin = match attendance {
        Attendance::Interactive => format!("/proc/{}/fd/0", getppid()),
        Attendance::Attached | Attendance::Detached => "/dev/null".to_owned(),
    };
    match attendance {
        Attendance::Interactive => Ok(()),
        Attendance::Attached => setpgid(Pid::from_raw(0), Pid::from_raw(0)),
        Attendance::Detached => setsid().map(|_| ()),
    }
    .map_err(Failure::of_kernel("begin a group of processes"))?;
    let file = File::open(&stdin).map_err(Failure::during(&stdin))?;
    dup2_stdin(&file).map_err(Failure::of_kernel("stdin"))
}

fn isolate(state: &State, record: &Record) -> Outcome {
    let own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS;
    let other = sharer(state, record)?;
    let own = match (&record.mode, &other) {
        (NetworkMode::Host, _) | (_, Some(_)) => own,
        _ => own | CloneFlags::CLONE_NEWNET,
    };
    unshare(own).map_err(Failure::of_kernel("make the container's namespaces"))?;
    if let Some(other) = &other {
        join(other)?;
    }
    let hostname = match (&record.mode, &other) {
        (NetworkMode::Host, _) => None,
        (_, Some(other)) => Some(other.hostname()),
        (_, None) => Some(record.hostname()),
    };
    if let Some(hostname) = hostname {
        sethostname(&hostname).map_err(Failure::of_kernel("set the host name"))?;
    }
    let nothing: Option<&str> = None;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(nothing, "/", nothing, private, nothing)
        .map_err(Failure::of_kernel("make mounts private"))
}

/// The container whose network it has.
fn sharer(state: &State, record: &Record) -> Outcome<Option<Record>> {
    match &record.mode {
        NetworkMode::Container(ContainerTerm::Id(id)) => state.load(*id),
        NetworkMode::Container(ContainerTerm::Name(name)) => state.find(name.as_str()).map(Some),
        _ => Ok(None),
    }
}

fn join(other: &Record) -> Outcome {
    let process = other.running().ok_or_else(|| {
        Failure::new(format!(
            "joining network namespace of container: cannot join network namespace of a non \
             running container: container {} is {}",
            other.id,
            other.state()
        ))
    })?;
    let path = format!("/proc/{}/ns/net", process.pid);
    let namespace = File::open(&path).map_err(Failure::during(&path))?;
    // opened, it can't become another process's any more
    if !process.is_alive() {
        return Err(Failure::new(format!("container {} has ended", other.id)));
    }
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(Failure::of_kernel("join the network"))
}

/// Lays a file of the container's own over one of the host's, as far as there is one.
fn cover(own: &Path, over: &str) -> Outcome {
    if !own.exists() {
        return Ok(());
    }
    if let Err(error) = fs::metadata(over) {
        return match error.kind() {
            io::ErrorKind::NotFound => {
                eprintln!("netctl: there is no {over} to lay the container's own over");
                Ok(())
            }
            _ => Err(Failure::during(over)(error)),
        };
    }
    let nothing: Option<&str> = None;
    mount(Some(own), over, nothing, MsFlags::MS_BIND, nothing)
        .map_err(Failure::of_kernel(format!("mount over {over}")))
}
