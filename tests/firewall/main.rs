//! Judges the firewall by packets, on a real kernel: who gets through and who does not, with the
//! guard and without it, by IPv4 and by IPv6.
//!
//! `FIREWALL_PROBES_PER_S` says how many probes a test sends that must not get through while
//! something happens (default: 3000). With `FIREWALL_WITHOUT_BRIDGE_NETFILTER` the hosts do not show
//! bridged packets to IP filters; kernels that have br_netfilter do at first.

#[path = "../lab/mod.rs"]
mod lab;

mod probe;
mod serve;
mod text;
mod world;

mod attack;
mod frames;
mod steady;

mod begun;
mod between;
mod flush;
mod foreign;
mod kinds;
mod loopback;
mod modes;
mod order;
mod outsiders;
mod passing;
mod pretenders;
mod publishing;
mod routed;
mod rules;
mod spoof;
mod unguarded;
