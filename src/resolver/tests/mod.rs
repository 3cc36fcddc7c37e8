//! The resolver against naive models of itself, and on several threads.

mod answer;
mod edit;
mod hosts;
mod model;
mod records;
mod resolv;
mod shards;
mod threads;
mod view;

use std::net::IpAddr;

use super::{Names, Owner};
use crate::addr::EndpointId;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn endpoint(number: u32) -> EndpointId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    EndpointId::from_bytes(bytes)
}

fn owner(number: u32, names: &[&str], addresses: &[&str]) -> Owner {
    let mut names = names.iter().map(|name| name.parse().unwrap());
    let names = Names::new(names.next().unwrap(), names);
    Owner::new(
        endpoint(number),
        names,
        addresses.iter().map(|a| address(a)),
    )
}
