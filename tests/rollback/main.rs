//! All or nothing: every verb, with each of its kernel calls failing in turn in every way that a
//! call can fail, leaves everything as it was, says why, and works the next time.
//!
//! Where one verb makes calls that another makes too, each of them fails with some of the errors
//! only, all of them in turn; with `ROLLBACK_POINTS=all` it fails with each everywhere.

#![allow(clippy::unwrap_used)]

#[path = "../lab/mod.rs"]
mod lab;

mod arriving;
mod files;
mod leaving;
mod modes;
mod parts;
mod point;
mod ruin;
mod staged;
mod world;
