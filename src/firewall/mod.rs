//! The firewall's decisions: which tables a host has, and which elements of them stand for a
//! network, a container and a port. Pure: no socket, file, clock or thread.
//!
//! # What a host gets
//!
//! With the first network two nftables tables are made, and they go with the last:
//!
//! - `inet bridgework`: which network may reach whom, published ports, and the addresses by which
//!   containers leave;
//! - `bridge bridgework`: what a container may send into its bridge: frames under its own hardware
//!   address, ARP, IPv4 and IPv6 under its own addresses, no router advertisements, redirects or
//!   DHCP answers, and nothing else.
//!
//! Their chains never change. Joining a network, publishing a port and isolating one are elements
//! of their sets and maps, each with a comment that says whose it is, so that a packet is looked up
//! once however many there are. All that one operation changes is one transaction.
//!
//! | chain | hook, priority | what for |
//! |---|---|---|
//! | `martian` | prerouting, -300 | nobody but the host itself speaks to 127.0.0.0/8, and nobody poses as a container from elsewhere |
//! | `martian_input`, `martian_forward` | input and forward, -300 | nor does one whose source guard is off, as soon as the host itself takes or routes what it sends |
//! | `prerouting` | nat prerouting, -99 | published ports, of the host's own addresses alone |
//! | `vouch` | prerouting, -90 | marks what may go to a container, and what comes from one |
//! | `input` | input, 0 | an isolated network does not reach the host, an internal one no ports of others' |
//! | `forward` | forward, 0 | who may reach whom |
//! | `output` | nat output, -99 | published ports, from the host itself |
//! | `postrouting` | nat postrouting, 100 | masquerade, or the address that was asked for |
//! | `prerouting` of `bridge` | prerouting, -300 | a container is who it says it is |
//! | `forward` of `bridge` | forward, -200 | containers that are kept apart |
//!
//! # Rules of your own
//!
//! The chain `user` is yours: it is asked before anything else about what is forwarded, and no
//! operation changes it. What it accepts is accepted as far as these tables go, what it drops is gone.
//! As long as it has rules, the tables stay when the last network goes.
//!
//! ```sh
//! nft add rule inet bridgework user ip saddr 203.0.113.0/24 drop
//! ```
//!
//! A published port is known there by the container's address; the host's is
//! `ct original ip daddr . ct original proto-dst`. Other tables are never touched, and none of ours
//! can accept what another one drops: see [`Host::check`](crate::Host::check).
//!
//! # When somebody else changes them
//!
//! A host with networks is watched ([`HostConfig::watch`](crate::HostConfig::watch)): what somebody
//! removes or changes of these tables is as it was some milliseconds later, in one transaction, and
//! subscribers are told whose doing it was. Several processes may watch one host: each makes the
//! tables that it needs and puts back its own elements, and none undoes what another one did. So
//!
//! - tables, chains, rules, sets and elements of ours that are missing or changed are made again;
//! - rules that others have put into our chains go, except in `user`;
//! - elements that others have put into our sets, chains and tables of theirs stay;
//! - rules in `user` are never touched, and are gone when somebody flushes or deletes the table.
//!
//! [`Host::check`](crate::Host::check) tells what is wrong, and [`Host::repair`](crate::Host::repair)
//! puts right what is ours, for programs that end soon, for settings, and for links that have got
//! addresses since. [`Firewall::Exclusive`](crate::Firewall::Exclusive) makes tables that
//! nobody else can change.
//!
//! # Without a packet filter
//!
//! Whoever removes all rules of a host removes these too. Until they are there again, the routing
//! policy holds: a packet that the tables have not marked ([`VOUCHED_MARK`]) is led to no network
//! of ours (rules 9800 to 9809, table
//! [`PROHIBITION_TABLE`](crate::plan::PROHIBITION_TABLE)), containers that are kept apart are so by their
//! bridge's ports, and an internal network's bridge does not forward.
//!
//! # Forwarding
//!
//! Forwarding is switched on for our bridges and for the host's links that have addresses, for each by
//! itself (IPv6: Linux 6.17), and never for all. What comes in by a link that did not forward before
//! is forwarded to containers only, and the link is as before when the last network goes.

mod drops;
mod flows;
mod guard;
mod host;
mod network;
mod ports;
mod table;
mod words;

pub(crate) use drops::ForwardDrop;
pub(crate) use flows::{leads, needs_addresses, stale_flows, translated_subnets};
pub(crate) use guard::{apart_element, guard_elements, unguarded_element};
pub(crate) use host::{
    UPLINK_COMMENT, bare_firewall, barriers, barriers_of_way_out, elements_of_way_out,
    host_firewall, raised_settings, way_out,
};
pub(crate) use network::{is_open, network_elements, subnets};
pub(crate) use ports::{Door, carried_elements, open_elements, port_elements};
pub use table::{TABLE, UNGUARDED_MARK, VOUCHED_MARK, tables};
