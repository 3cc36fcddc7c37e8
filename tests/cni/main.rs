//! The CNI plugin, each verb a process of its own, on a private machine: what a runtime asks for, what
//! is answered, and which packets flow then.

#[path = "../lab/mod.rs"]
mod lab;

mod addresses;
mod again;
mod broken;
mod ground;
mod lives;
mod ports;
mod ranges;
mod recorded;
mod refused;
mod verbs;
mod ways;
