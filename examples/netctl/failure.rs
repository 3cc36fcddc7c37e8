//! Why a command did not do what it was asked to: the words for stderr and the exit status.

use std::fmt;
use std::io;

/// The exit statuses that are not a container's own, as Docker gives them.
pub(crate) const REFUSED: u8 = 1;
/// `run` could not start the container, or the command line can't be understood.
pub(crate) const NOT_RUN: u8 = 125;
/// The container's command is there and can't be run.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
/// There is no such command.
pub(crate) const NO_SUCH_COMMAND: u8 = 127;

/// What every command returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: u8,
    pub(crate) words: String,
}

impl Failure {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        let words = words.into();
        let status = REFUSED;
        Self { status, words }
    }

    /// The same with another exit status.
    pub(crate) fn with_status(self, status: u8) -> Self {
        Self { status, ..self }
    }

    /// Of a file or a process of ours.
    pub(crate) fn during(doing: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::new(format!("{doing}: {error}"))
    }

    /// Of the kernel, where the standard library has no word for it.
    pub(crate) fn of_kernel(doing: impl fmt::Display) -> impl FnOnce(nix::errno::Errno) -> Self {
        move |errno| Self::during(doing)(errno.into())
    }
}

impl From<bridgework::Error> for Failure {
    /// The faults alone: what was attempted is on the command line.
    fn from(error: bridgework::Error) -> Self {
        let mut words: Vec<String> = error.faults().iter().map(ToString::to_string).collect();
        let left = error.left_behind().to_string();
        words.extend(left.lines().map(|line| format!("left behind: {line}")));
        Self::new(words.join("\n"))
    }
}

impl From<bridgework::ParseError> for Failure {
    fn from(error: bridgework::ParseError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// Does `act` with each, and says what went wrong with which, as Docker does: the others are done
/// all the same.
pub(crate) fn each<T>(all: &[T], mut act: impl FnMut(&T) -> Outcome) -> Outcome {
    let failed = all.iter().filter_map(|one| act(one).err());
    let words: Vec<String> = failed.map(|failure| failure.words).collect();
    match words.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(words.join("\n"))),
    }
}
