//! Which address a container gets, and which subnet a network: decisions without clock, lock,
//! socket or file.
//!
//! A [`Pool`] gives out the addresses of one subnet. [`AddressPools`] holds the ranges that
//! automatic subnets are cut from, [`AddressPools::choose`] takes the first that nothing on the
//! host stands in the way of, and [`check_subnet`] says what stands in the way of one that was
//! asked for. What is there already comes in as a list of [`Obstacle`](crate::Obstacle)s: looking
//! for it is not done here, nor is anything stored.
//!
//! ```
//! use bridgework::Family;
//! use bridgework::ipam::{AddressPools, History, Pool, Wanted};
//! use bridgework::{Obstacle, Occupant};
//!
//! let office = Obstacle {
//!     subnet: "172.17.0.0/16".parse()?,
//!     occupant: Occupant::Route { device: Some("tun0".into()), table: 254 },
//! };
//! let subnet = AddressPools::default().choose(Wanted::Any(Family::V4), &[office])?;
//! assert_eq!(subnet.to_string(), "172.18.0.0/16");
//!
//! let mut pool = Pool::new(subnet, None)?;
//! assert_eq!(pool.reserve_gateway(None)?.to_string(), "172.18.0.1");
//! let lease = pool.allocate_for(&"web".parse()?)?;
//! assert_eq!(lease.address.to_string(), "172.18.0.2");
//! assert_eq!(lease.history, History::Fresh);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address_pool;
mod choose;
mod lease;
mod offset_hash;
mod places;
mod pool;
mod quarantine;
mod span;
mod sparse_set;

pub use crate::spec::History;
pub use address_pool::{AddressPool, AddressPools};
pub use choose::{Wanted, check_subnet};
pub use lease::{Lease, Owner, Release};
pub use pool::Pool;
