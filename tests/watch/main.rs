//! What somebody else does to the tables of a host is noticed and undone. `nft` is the outsider, and
//! what it lists is what counts.

#![allow(clippy::unwrap_used)]

#[path = "../lab/mod.rs"]
mod lab;

mod beside;
mod chaos;
mod checked;
mod contained;
mod exclusive;
mod ground;
mod links;
mod relinked;
mod speed;
mod undone;
