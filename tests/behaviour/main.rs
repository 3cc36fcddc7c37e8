//! What users get, on a real kernel, with packets that flow: one file a behaviour.

#[path = "../lab/mod.rs"]
mod lab;

mod addresses;
mod bad_input;
mod connect;
mod devices;
mod guard;
mod names;
mod ready;
mod scratch;
