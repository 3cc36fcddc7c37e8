//! What tests need that count what is left of a thread that watches.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// For as long as it is held, no other test has a [`Watch`](super::Watch) that takes it, too: their
/// descriptors are counted in the whole process.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The process's descriptors of the kinds that a watch has.
pub(crate) fn watch_descriptors() -> usize {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    let names = targets.map(|target| target.to_string_lossy().into_owned());
    names
        .filter(|name| name.contains("[eventpoll]") || name.contains("[eventfd]"))
        .count()
}
