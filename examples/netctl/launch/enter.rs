//! Into a container that runs: its namespaces, then a command.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sched::{CloneFlags, setns};

use super::channel::not_begun;
use crate::cli::ExecArgs;
use crate::failure::{Failure, Outcome};
use crate::state::{Record, State};

/// Runs a command in the container in the place of this process, by way of a process that has no
/// threads: only such a one may see other mounts.
pub(crate) fn exec(state: &State, asked: &ExecArgs) -> Outcome {
    let record = state.find(&asked.container)?;
    let mut command = super::again(state);
    command.arg("enter").arg(record.id.to_string()).arg("--");
    let error = command.args(&asked.command).exec();
    Err(Failure::during("exec")(error))
}

/// Runs a command in the container in the place of this process, which must have no threads yet.
pub(crate) fn enter(state: &State, container: &str, command: &[String]) -> Outcome {
    let record = state.find(container)?;
    let spaces = namespaces(&record)?;
    for (namespace, kind) in spaces {
        setns(namespace, kind).map_err(Failure::of_kernel("enter the container"))?;
    }
    let [program, arguments @ ..] = command else {
        return Err(Failure::new("no command"));
    };
    let error = Command::new(program).args(arguments).exec();
    Err(not_begun(program, &error))
}

/// All of them, before the first is entered: the last one has other files.
fn namespaces(record: &Record) -> Outcome<Vec<(File, CloneFlags)>> {
    let not_running = || Failure::new(format!("container {} is not running", record.id));
    let process = record.running().ok_or_else(not_running)?;
    let kinds = [
        ("net", CloneFlags::CLONE_NEWNET),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("mnt", CloneFlags::CLONE_NEWNS),
    ];
    let open = |(name, kind)| {
        let path = format!("/proc/{}/ns/{name}", process.pid);
        let file = File::open(&path).map_err(Failure::during(&path))?;
        Ok((file, kind))
    };
    let opened: Outcome<Vec<_>> = kinds.into_iter().map(open).collect();
    // opened, they can't become another process's any more
    match process.is_alive() {
        true => opened,
        false => Err(not_running()),
    }
}
