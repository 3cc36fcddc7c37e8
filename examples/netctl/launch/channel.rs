//! What a command and the container's first process tell each other before the container's command
//! begins. It is the first process's stdin at first.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;

use crate::failure::{Failure, NO_SUCH_COMMAND, NOT_EXECUTABLE, Outcome};

const READY: &str = "ready";
const GO: &str = "go";

/// The command's end.
#[derive(Debug)]
pub(super) struct Parent(BufReader<UnixStream>);

/// The first process's end. It is closed as the container's command begins.
#[derive(Debug)]
pub(super) struct Child(BufReader<UnixStream>);

/// The command's end, and what becomes the first process's stdin.
pub(super) fn open() -> io::Result<(Parent, OwnedFd)> {
    let (near, far) = UnixStream::pair()?;
    Ok((Parent(BufReader::new(near)), far.into()))
}

impl Parent {
    /// Waits until the namespaces are there.
    pub(super) fn await_ready(&mut self) -> Outcome {
        let mut line = String::new();
        let read = self.0.read_line(&mut line);
        read.map_err(Failure::during("wait for the container"))?;
        match line.trim_end() {
            READY => Ok(()),
            "" => Err(Failure::new("the container's process has ended")),
            words => Err(refusal(words)),
        }
    }

    /// The networks are there: waits until the command has begun.
    pub(super) fn go(mut self) -> Outcome {
        let said = self.0.get_mut().write_all(format!("{GO}\n").as_bytes());
        said.map_err(Failure::during("begin the container's command"))?;
        let mut words = String::new();
        let read = self.0.read_to_string(&mut words);
        read.map_err(Failure::during("begin the container's command"))?;
        match words.trim_end() {
            "" => Ok(()),
            words => Err(refusal(words)),
        }
    }
}

/// A line with an exit status and words.
fn refusal(line: &str) -> Failure {
    let (status, words) = line.split_once(' ').unwrap_or(("", line));
    match status.parse() {
        Ok(status) => Failure::new(words).with_status(status),
        Err(_) => Failure::new(line),
    }
}

impl Child {
    /// From stdin.
    pub(super) fn take() -> io::Result<Self> {
        // the copy is closed by exec(3), as its original would not be
        let descriptor = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self(BufReader::new(UnixStream::from(descriptor))))
    }

    /// The namespaces are there: waits until the networks are, too. Without an answer the other
    /// side has been killed.
    pub(super) fn ready(&mut self) -> Outcome {
        let failed = || Failure::during("wait for the networks");
        let said = self.0.get_mut().write_all(format!("{READY}\n").as_bytes());
        said.map_err(failed())?;
        let mut line = String::new();
        self.0.read_line(&mut line).map_err(failed())?;
        match line.trim_end() {
            GO => Ok(()),
            _ => Err(Failure::new("nobody is waiting for this container")),
        }
    }

    /// Why there is no command.
    pub(super) fn refuse(mut self, failure: &Failure) {
        let Failure { status, words } = failure;
        let line = format!("{status} {}\n", words.replace('\n', "; "));
        let _nobody_is_there = self.0.get_mut().write_all(line.as_bytes());
    }
}

/// Why a command can't be run, as Docker puts it.
pub(crate) fn not_begun(command: &str, error: &io::Error) -> Failure {
    let is_absent = error.kind() == io::ErrorKind::NotFound || is_nowhere(command);
    let (status, why) = match is_absent {
        true => (
            NO_SUCH_COMMAND,
            "executable file not found in $PATH".to_owned(),
        ),
        false => {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
            (NOT_EXECUTABLE, errno.desc().to_lowercase())
        }
    };
    Failure::new(format!("exec: \"{command}\": {why}")).with_status(status)
}

/// Whether no folder of the path has it. execvp(3) speaks of permissions where it may not look into
/// one of them.
fn is_nowhere(command: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path);
    !command.contains('/') && !folders.any(|folder| folder.join(command).exists())
}
