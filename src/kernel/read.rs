//! The host's own files, read; what they say is `resolver`'s to tell.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::errno::Errno;
use crate::error::{Error, Fault, Result};

/// As much as a container's file may have, and one byte: more than that is refused when it is
/// written.
const MAX_BYTES: u64 = (1 << 20) + 1;

/// By which one boot is told from another (Documentation/admin-guide/sysctl/kernel.rst: random).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Of which boot the kernel's objects are. Whoever can't read it knows nothing of another boot, either.
pub(crate) fn boot_id() -> Result<String> {
    let text = std::fs::read_to_string(BOOT_ID).map_err(|error| Fault::Kernel {
        doing: BOOT_ID.to_owned(),
        errno: Errno::from(&error),
        words: None,
    });
    let text = text.map_err(|fault| Error::of("read the boot's id", vec![fault]))?;
    Ok(text.trim().to_owned())
}

/// The text of the file, as far as it is read; `None` if it can't be.
pub(crate) fn read_text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.into_owned())
}
