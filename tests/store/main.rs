//! The store in a directory: that it is as the one in memory is, whatever happens to its processes,
//! its disk and its bytes.

#[path = "../lab/mod.rs"]
mod lab;

mod basics;
mod child;
mod damage;
mod disk;
mod format;
mod full;
mod model;
mod modes;
mod power;
mod recording;
mod records;
mod scratch;
mod storm;
