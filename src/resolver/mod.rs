//! Who is called what: the names of a network's endpoints, looked up in memory, and the texts of the
//! files by which a container gets at them.
//!
//! A name resolves in two places. In a container, first its hosts file is read: the loopback
//! names, the caller's extra hosts, the container's own names and, where a network wants that, its
//! peers' ([`base_text`], [`endpoint_lines`], [`peer_lines`]). What is not found there is asked of
//! the DNS server of its networks, which answers from the [`Records`] of each: the container's
//! name, its aliases, its short id and its host name, each also as `name.network`, and the way
//! back from the address. What one container may ask of all of its networks is its [`View`]. A
//! program in this process needs neither file nor server; it asks [`Records::lookup`] or
//! [`View::lookup`]. Which server a container asks, its `resolv.conf` says ([`resolv_text`]).
//!
//! That server is a [`Server`](server::Server), given the sockets and a thread.
//!
//! Nothing else here opens a file or a socket. [`edit`](fn@edit) says what a hosts file shall be;
//! `kernel` writes it.

mod answer;
mod client;
mod edit;
mod extra;
mod forward;
mod hosts;
mod owner;
mod query;
mod records;
mod resolv;
mod reverse;
pub mod server;
mod shards;
#[cfg(test)]
mod tests;
mod view;

pub use answer::{Manner, Verdict, answer, fail};
pub use client::{Client, ClientTerms, Forwarding};
pub use edit::edit;
pub(crate) use edit::{Change, change, is_line};
pub use extra::{ExtraHost, HostAddress};
#[cfg(fuzzing)]
pub(crate) use forward::fuzz::fuzz as fuzz_reply;
pub use hosts::{Loopback, base_text, endpoint_lines, host_text, link_lines, peer_lines};
pub use owner::{Names, Owner};
pub use query::{Query, Transport};
pub use records::{Answer, Records};
pub use resolv::{
    DnsOption, INTERNAL_SERVER, NameServer, ResolvConf, ResolvMode, ResolvOverrides, ResolvText,
    STUB_UPSTREAM_PATH, SearchDomain, Upstream, nameservers, resolv_text,
};
pub use reverse::{parse_reverse_name, reverse_name};
pub use view::{Membership, View};
