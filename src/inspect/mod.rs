//! What is shown of networks and containers, and which of them are meant: `docker network inspect`,
//! `ls` and `prune` as functions of specs.
//!
//! [`NetworkInspect`] and [`NetworkSettings`] have Docker's fields; with the feature `serde` also
//! Docker's names and shapes for them, in an order that stays. [`find`] is the rule by which a name
//! or the beginning of an id means a network. [`NetworkFilter`] and [`PruneFilter`] choose among
//! many.
//!
//! Nothing here asks the kernel or changes a network.

mod filter;
#[cfg(feature = "serde")]
mod json;
mod label;
mod lookup;
mod mermaid;
mod network;
mod prune;
mod settings;

pub use filter::{FilterTerm, NetworkFilter};
pub use label::LabelTerm;
pub use lookup::find;
pub use mermaid::to_mermaid;
pub use network::{
    ConfigFrom, ContainerEntry, Ipam, IpamConfig, IpamStatus, NetworkInspect, NetworkStatus, Scope,
    SubnetStatus,
};
pub use prune::{PruneFilter, PruneTerm, Until};
pub use settings::{EndpointIpamConfig, EndpointSettings, NetworkSettings, PortBinding};
