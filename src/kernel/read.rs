//! The host's own files, read; what they say is `resolver`'s to tell.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// As much as a container's file may have, and one byte: more than that is refused when it is
/// written.
const MAX_BYTES: u64 = (1 << 20) + 1;

/// The text of the file, as far as it is read; `None` if it can't be.
pub(crate) fn read_text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.into_owned())
}
