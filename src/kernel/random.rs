//! Randomness, the kernel's own.

use crate::errno::Errno;
use crate::error::{Error, Fault, Result};

/// Bytes that nobody can guess, for ids and hardware addresses.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
        let doing = "read random bytes".to_owned();
        Error::of(
            "make an id",
            vec![Fault::Kernel {
                doing,
                errno,
                words: None,
            }],
        )
    })?;
    Ok(bytes)
}
