//! The host's `resolv.conf`, read; what it says is `resolver`'s to tell.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use crate::resolver::nameservers;

/// A longer file is read so far.
const MAX_BYTES: u64 = 64 * 1024;

/// The name servers that the file names; none if it can't be read.
pub(crate) fn read_nameservers(path: &Path) -> Vec<IpAddr> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
    match read {
        Ok(_) => nameservers(&String::from_utf8_lossy(&bytes)),
        Err(_) => Vec::new(),
    }
}
