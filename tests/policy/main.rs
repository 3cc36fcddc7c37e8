//! Judges the firewall as a whole, by packets on a real kernel: in worlds made by chance everybody
//! asks everybody, and a model that knows nothing of rules says who must be answered, and as whom.
//!
//! `POLICY_SEED` is the seed of the first world, `POLICY_CASES` how many there are.

#[path = "../lab/mod.rs"]
mod lab;

mod cases;
mod change;
mod doors;
mod echo;
mod ground;
mod hand;
mod model;
mod probe;
mod questions;
mod random;
mod topology;
