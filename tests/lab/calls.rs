//! What a thread that stands before a system call is about to ask the kernel for, as others see it:
//! by `/proc`, with nothing of it changed.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use nix::libc;
use nix::sys::ptrace;
use nix::unistd::Pid;

/// No path is longer (PATH_MAX).
const PATH_MAX: u64 = 4096;
const PAGE: u64 = 4096;

/// A call that is about to be made.
#[derive(Debug)]
pub struct Call {
    thread: Pid,
    /// Which one, by the kernel's number.
    pub number: i64,
    pub arguments: [u64; 6],
}

impl Call {
    /// That of a thread that stands; `None` where it has just been answered.
    pub fn about_to_be(thread: Pid) -> Option<Self> {
        let stop = ptrace::syscall_info(thread).expect("a tracee that stands");
        if stop.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            return None;
        }
        // the number and six arguments, then the stack's and the code's places (proc_pid_syscall(5))
        let text = fs::read_to_string(format!("/proc/{thread}/syscall")).expect("it stands");
        let mut words = text.split_whitespace();
        let number = words.next()?.parse().expect("a number");
        let mut arguments = [0; 6];
        for argument in &mut arguments {
            let word = words.next()?.trim_start_matches("0x");
            *argument = u64::from_str_radix(word, 16).expect("a number");
        }
        Some(Self {
            thread,
            number,
            arguments,
        })
    }

    /// So many bytes of the thread's memory, from where that argument points to.
    pub fn bytes(&self, argument: usize, length: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(length).expect("it is in memory")];
        self.memory()
            .read_exact_at(&mut bytes, self.arguments[argument])
            .expect("it is in memory");
        bytes
    }

    /// The path that the argument points to, as it was given.
    pub fn path(&self, argument: usize) -> PathBuf {
        let (memory, from) = (self.memory(), self.arguments[argument]);
        let mut text = Vec::new();
        while (text.len() as u64) < PATH_MAX && !text.contains(&0) {
            // what follows the page may be nobody's
            let at = from + text.len() as u64;
            let mut page = vec![0; (PAGE - at % PAGE) as usize];
            memory.read_exact_at(&mut page, at).expect("a path");
            text.extend(page);
        }
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        PathBuf::from(std::str::from_utf8(text).expect("utf-8"))
    }

    /// What the argument, as a descriptor, is open on.
    pub fn file(&self, argument: usize) -> Option<PathBuf> {
        let descriptor = self.arguments[argument];
        fs::read_link(format!("/proc/{}/fd/{descriptor}", self.thread)).ok()
    }

    fn memory(&self) -> File {
        File::open(format!("/proc/{}/mem", self.thread)).expect("its memory")
    }
}
