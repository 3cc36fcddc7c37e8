//! examples/netavark, each verb a process of its own, on a private machine: what it answers, what it
//! makes of the network, and that nothing is left of it.

#[path = "../names/dns.rs"]
mod dns;
#[path = "../lab/mod.rs"]
mod lab;

mod again;
mod asked;
mod ground;
mod lost;
mod names;
mod options;
mod reach;
mod recorded;
mod refused;
mod servers;
