//! Acting inside of a namespace: by a thread of the crate's own that enters it, or by the calling one
//! where it is there anyway, which spares it the entering and the privilege for that.

use std::os::fd::AsFd;
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, setns};

use super::{Netns, OWN_NAMESPACE, refused};
use crate::errno::Errno;
use crate::error::{Error, Fault, Result};

impl Netns {
    /// Runs `act` on a new thread that is inside the namespace, and returns what it returns.
    /// Sockets that it opens stay in the namespace, whoever uses them later.
    ///
    /// # Errors
    /// The namespace can't be entered ([`Error::is_permission`]), no thread is to be had, or `act`
    /// panicked ([`Fault::Panicked`]).
    pub fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        enter(self.label(), || self.step_in(), act)
    }

    /// As [`run`](Self::run), for what leaves nothing behind in the thread that does it.
    pub(crate) fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        match is_current(self.inode()) {
            true => Ok(act()),
            false => self.run(act),
        }
    }

    /// What is opened inside.
    pub(crate) fn visit<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> std::result::Result<T, Errno> + Send + 'static,
    ) -> std::result::Result<T, Errno> {
        match is_current(self.inode()) {
            true => act(),
            false => self.start(act)?.end(),
        }
    }

    /// As [`visit`](Self::visit), without waiting for the end.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> std::result::Result<T, Errno> + Send + 'static,
    ) -> std::result::Result<Visit<T>, Errno> {
        let inside = self.clone();
        let body = move || {
            inside.step_in()?;
            act()
        };
        let handle = small_thread().spawn(body);
        handle.map(Visit).map_err(|error| Errno::from(&error))
    }

    /// For a thread of the crate's own, which begins where the one is that started it.
    fn step_in(&self) -> nix::Result<()> {
        match is_current(self.inode()) {
            true => Ok(()),
            false => setns(self.as_fd(), CloneFlags::CLONE_NEWNET),
        }
    }
}

/// A thread that is inside a namespace.
#[derive(Debug)]
pub(crate) struct Visit<T>(JoinHandle<std::result::Result<T, Errno>>);

impl<T> Visit<T> {
    /// What it brings back.
    pub(crate) fn end(self) -> std::result::Result<T, Errno> {
        self.0.join().unwrap_or(Err(Errno::EIO))
    }
}

/// Whether the calling thread is in the namespace of that number.
pub(super) fn is_current(inode: u64) -> bool {
    // a third of the time that it takes to look at the file behind it; all namespaces have one
    // file system
    let current = std::fs::read_link(OWN_NAMESPACE);
    current.is_ok_and(|text| text.as_os_str() == &*format!("net:[{inode}]"))
}

pub(crate) fn small_thread() -> thread::Builder {
    thread::Builder::new().name("bridgework".to_owned())
}

pub(super) fn on_own_thread<T: Send>(attempt: &str, act: impl FnOnce() -> T + Send) -> Result<T> {
    let joined = thread::scope(|scope| {
        small_thread()
            .spawn_scoped(scope, act)
            .map(thread::ScopedJoinHandle::join)
    });
    match joined {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => Err(Error::of(attempt, vec![panicked(panic.as_ref())])),
        Err(error) => Err(Error::of(
            attempt,
            vec![Fault::Kernel {
                doing: "start a thread".to_owned(),
                errno: Errno::from(&error),
                words: None,
            }],
        )),
    }
}

pub(super) fn enter<T: Send>(
    label: &str,
    step_in: impl FnOnce() -> nix::Result<()> + Send,
    act: impl FnOnce() -> T + Send,
) -> Result<T> {
    let attempt = format!("enter the namespace of {label}");
    let entered = on_own_thread(&attempt, || step_in().map(|()| act()))?;
    entered.map_err(|errno| refused(&attempt, label, errno.into()))
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Fault {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Fault::Panicked {
        message: text.unwrap_or_else(|| "without a message".to_owned()),
    }
}
