//! Numbers that nobody can guess, a page of them at a time.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use crate::errno::Errno;

const PAGE_BYTES: usize = 4096;

/// The kernel's randomness, buffered.
pub(super) struct Random {
    page: Box<[u8; PAGE_BYTES]>,
    used: usize,
    /// For the moment in which the kernel has none, which it does not have after the first.
    spare: RandomState,
    drawn: u64,
}

impl Random {
    /// With its first page.
    pub(super) fn new() -> Result<Self, Errno> {
        let mut page = Box::new([0; PAGE_BYTES]);
        getrandom::fill(&mut page[..])
            .map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
        Ok(Self {
            page,
            used: 0,
            spare: RandomState::new(),
            drawn: 0,
        })
    }

    /// The next number, every one as likely.
    pub(super) fn next(&mut self) -> u16 {
        if self.used >= PAGE_BYTES {
            self.turn_over();
        }
        let bytes = self.page.get(self.used..self.used + 2);
        self.used += 2;
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        u16::from_ne_bytes(bytes.unwrap_or_default())
    }

    fn turn_over(&mut self) {
        self.used = 0;
        if getrandom::fill(&mut self.page[..]).is_err() {
            for bytes in self.page.chunks_exact_mut(8) {
                self.drawn += 1;
                bytes.copy_from_slice(&self.spare.hash_one(self.drawn).to_ne_bytes());
            }
        }
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(..)")
    }
}
