//! The OCI hook, run as a runtime does: a process, the container's state on its stdin.

#[path = "../lab/mod.rs"]
mod lab;

mod ground;
mod hooks;
mod lives;
mod refused;
