//! What one host writes down, others go on with: two hosts of one namespace stand for two processes,
//! and one store is between them.

#![allow(clippy::unwrap_used)]

#[path = "../lab/mod.rs"]
mod lab;

mod abandoned;
mod adopted;
mod at_once;
mod ensured;
mod failing;
mod held;
mod in_part;
mod in_the_way;
mod left_over;
mod made_anew;
mod meanwhile;
mod places;
mod recovered;
mod residents;
mod served;
mod shared;
mod state;
mod told;
mod traffic;
mod two_stores;
mod uplinks;
