//! What a process does to the files of a store, one act after the other, so that it can be done again
//! elsewhere: its system calls, with the bytes that they write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::libc;

use crate::lab::calls::Call;
use crate::lab::runner::{End, Next, follow};

/// The engine's files; the others' bytes mean nothing.
const OURS: &str = "state.sqlite";
/// The index of the log is of those that live, and is made anew by who comes first.
const INDEX: &str = "-shm";
/// Beside the directory: what the process says that it has been answered.
const SAID: &str = "said";

/// A file by the order in which they were made, whatever its name is.
pub type FileNumber = usize;

/// What was done to files and their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Make {
        name: String,
        file: FileNumber,
    },
    Remove {
        name: String,
    },
    Write {
        file: FileNumber,
        at: usize,
        bytes: Vec<u8>,
    },
    Cut {
        file: FileNumber,
        length: usize,
    },
    /// All of the file was waited for.
    Sync {
        file: FileNumber,
    },
    /// All names of the directory were waited for.
    SyncNames,
    /// The process knows this now.
    Say(u64),
}

/// Where a process writes what it knows.
pub fn said(directory: &Path) -> PathBuf {
    directory.with_file_name(SAID)
}

/// Runs the process between its marks, and tells what it has done in that directory.
pub fn record(command: &mut Command, directory: &Path) -> Vec<Act> {
    let mut recording = Recording {
        directory: directory.to_owned(),
        names: BTreeMap::new(),
        made: 0,
        acts: Vec::new(),
    };
    let end = follow(command, |stop| {
        if let Some(call) = Call::about_to_be(stop.thread) {
            let act = recording.act_of(&call);
            recording.acts.extend(act);
        }
        Next::GoOn
    });
    assert!(matches!(end, End::Done { .. }), "{end:?}");
    recording.acts
}

struct Recording {
    directory: PathBuf,
    names: BTreeMap<String, FileNumber>,
    made: usize,
    acts: Vec<Act>,
}

impl Recording {
    /// `None` where it is not about the engine's files.
    fn act_of(&mut self, call: &Call) -> Option<Act> {
        let [_, second, third, fourth, ..] = call.arguments;
        match call.number {
            libc::SYS_write if call.file(0)? == said(&self.directory) => {
                let said = call.bytes(1, third);
                let said = std::str::from_utf8(&said).expect("a number");
                Some(Act::Say(said.trim().parse().expect("a number")))
            }
            libc::SYS_pwrite64 => Some(Act::Write {
                file: self.file(call)?,
                at: number(fourth),
                bytes: call.bytes(1, third),
            }),
            libc::SYS_ftruncate => Some(Act::Cut {
                file: self.file(call)?,
                length: number(second),
            }),
            libc::SYS_fsync | libc::SYS_fdatasync if call.file(0)? == self.directory => {
                Some(Act::SyncNames)
            }
            libc::SYS_fsync | libc::SYS_fdatasync => Some(Act::Sync {
                file: self.file(call)?,
            }),
            libc::SYS_openat if third & libc::O_CREAT as u64 != 0 => self.make(&call.path(1)),
            libc::SYS_mknodat => self.make(&call.path(1)),
            libc::SYS_unlinkat => self.remove(&call.path(1)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_unlink => self.remove(&call.path(0)),
            // these are seen by the files that come out otherwise in the end
            _ => None,
        }
    }

    /// Its name, if it is one of the engine's files.
    fn name(&self, path: &Path) -> Option<String> {
        let name = path.strip_prefix(&self.directory).ok()?.to_str()?;
        let is_ours = name.starts_with(OURS) && !name.ends_with(INDEX);
        is_ours.then(|| name.to_owned())
    }

    fn file(&self, call: &Call) -> Option<FileNumber> {
        let name = self.name(&call.file(0)?)?;
        self.names.get(&name).copied()
    }

    fn make(&mut self, path: &Path) -> Option<Act> {
        let name = self.name(path)?;
        if self.names.contains_key(&name) {
            return None;
        }
        let file = self.made;
        self.made += 1;
        self.names.insert(name.clone(), file);
        Some(Act::Make { name, file })
    }

    fn remove(&mut self, path: &Path) -> Option<Act> {
        let name = self.name(path)?;
        self.names.remove(&name)?;
        Some(Act::Remove { name })
    }
}

fn number(argument: u64) -> usize {
    usize::try_from(argument).expect("it fits")
}
