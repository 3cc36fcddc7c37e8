//! What users get, on a real kernel, with packets that flow: one file a behaviour.

#[path = "../lab/mod.rs"]
mod lab;

#[path = "../cases/mod.rs"]
mod cases;

mod addresses;
mod afterwards;
mod anything;
mod bad_input;
mod by_hand;
mod connect;
mod devices;
mod guard;
mod lifetimes;
mod listing;
mod look;
mod modes;
mod names;
mod netns;
mod outsiders;
mod ready;
mod scratch;
mod several;
mod staged;
mod sysctls;
mod text;
