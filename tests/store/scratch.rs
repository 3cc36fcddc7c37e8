//! Directories for stores, in memory where that can be had, gone with the test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that is not there yet, and that other processes of this test can reach.
pub struct Scratch(PathBuf);

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Scratch {
    pub fn new() -> Self {
        let shared = PathBuf::from("/dev/shm");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bridgework-store-{}-{number}", std::process::id());
        let in_memory = shared.join(&name);
        match std::fs::create_dir(&in_memory) {
            Ok(()) => Self(in_memory),
            Err(_) => {
                let on_disk = std::env::temp_dir().join(name);
                std::fs::create_dir(&on_disk).expect("a directory");
                Self(on_disk)
            }
        }
    }

    /// Where a store is made.
    pub fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone_already = std::fs::remove_dir_all(&self.0);
    }
}
