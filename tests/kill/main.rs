//! A process that is killed at any of its system calls loses nothing that was committed and leaves
//! nothing that was not, once another one has recovered: `lab::runner` kills by ptrace, `victim` is
//! what it kills, `world` is where, `beside` who comes right after, `sight` what others than ourselves
//! see of it, `sweep` compares.
//!
//! A run takes a sample of the points, by chance: `KILL_SEED` repeats one, `KILL_SECONDS` says how
//! long each scenario is swept. With `KILL_POINTS=all` every point of every scenario is taken.

#![allow(clippy::unwrap_used)]

#[path = "../lab/mod.rs"]
mod lab;

mod beside;
mod sight;
mod storm;
mod sweep;
mod victim;
mod world;

use sweep::sweep;
use victim::Scenario;

#[test]
fn opening_a_store_is_done_or_not_begun() {
    sweep(Scenario::Open);
}

#[test]
fn creating_a_network_is_done_or_undone() {
    sweep(Scenario::Create);
}

#[test]
fn connecting_with_ports_and_names_is_done_or_undone() {
    sweep(Scenario::Connect);
}

#[test]
fn disconnecting_is_done_or_undone() {
    sweep(Scenario::Disconnect);
}

#[test]
fn connecting_to_a_second_network_that_leads_out_is_done_or_undone() {
    sweep(Scenario::ConnectSecond);
}

#[test]
fn disconnecting_from_the_network_that_leads_out_is_done_or_undone() {
    sweep(Scenario::DisconnectSecond);
}

#[test]
fn removing_a_network_is_done_or_undone() {
    sweep(Scenario::Remove);
}

#[test]
fn recovering_goes_on_where_it_was_killed() {
    sweep(Scenario::Recover);
}
