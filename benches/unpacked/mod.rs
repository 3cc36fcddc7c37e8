//! The peers that `benches/adapters/peers` has unpacked, for the benches that measure ours beside them.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Where they are.
const PEERS: &str = "BRIDGEWORK_PEERS";

/// One of the peers', below their directory.
pub fn peer(path: &str) -> Outcome<PathBuf> {
    Ok(peers_with(path)?.join(path))
}

/// The peers' directory, where that is below it.
pub fn peers_with(path: &str) -> Outcome<PathBuf> {
    let how = format!("run benches/adapters/peers DIRECTORY and set {PEERS} to it");
    let folder = env::var_os(PEERS).ok_or_else(|| format!("{path}: {how}"))?;
    let found = Path::new(&folder).join(path);
    if found.exists() {
        return Ok(Path::new(&folder).canonicalize()?);
    }
    Err(format!("no {}: {how}", found.display()).into())
}
