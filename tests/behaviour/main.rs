//! What users get, on a real kernel, with packets that flow: one file a behaviour.

#[path = "../lab/mod.rs"]
mod lab;

mod connect;
mod ready;
