//! Ranges of addresses as they are configured, as the crate has them: a block, and addresses in it that
//! no container gets.

use std::net::IpAddr;

use bridgework::{Family, NetworkConfig, Subnet};
use ipnet::IpNet;

use crate::conf::Range;
use crate::failure::{Failure, Outcome};

/// So many addresses at the edges of a range are kept from containers, each by itself.
const EDGES_MAX: usize = 1024;

/// The same with these subnets, of which the first one of each family leads out.
pub(crate) fn with_ranges(mut config: NetworkConfig, ranges: &[Range]) -> Outcome<NetworkConfig> {
    let mut known = Vec::new();
    for range in ranges {
        let Some(subnet) = range.subnet.map(Subnet::of) else {
            return Err(Failure::invalid("a range of addresses has no subnet"));
        };
        let family = Family::of(subnet.first());
        config = match known.contains(&family) {
            true => config.further_subnet(subnet),
            false => config.subnet(subnet),
        };
        known.push(family);
        config = with_range(config, subnet, range)?;
    }
    Ok(config)
}

/// The same with a subnet's gateway and the part of it that automatic addresses come from.
fn with_range(mut config: NetworkConfig, subnet: Subnet, range: &Range) -> Outcome<NetworkConfig> {
    if let Some(gateway) = range.gateway {
        config = config.gateway(gateway);
    }
    if range.rangestart.is_none() && range.rangeend.is_none() {
        return Ok(config);
    }
    let first = range.rangestart.unwrap_or(subnet.first());
    let last = range.rangeend.unwrap_or(subnet.last());
    let (block, edges) = block_around(subnet, first, last)?;
    let gateway = range.gateway.or(subnet.nth(1));
    let is_nobodys = |edge: IpAddr| {
        let taken = [Some(subnet.first()), Some(subnet.last()), gateway];
        !taken.contains(&Some(edge))
    };
    for edge in edges.into_iter().filter(|edge| is_nobodys(*edge)) {
        config = config.auxiliary(format!("beyond {first} to {last}: {edge}"), edge);
    }
    Ok(match block == subnet {
        true => config,
        false => config.ip_range(block),
    })
}

/// The smallest block with both addresses, and what of it lies beyond them.
fn block_around(subnet: Subnet, first: IpAddr, last: IpAddr) -> Outcome<(Subnet, Vec<IpAddr>)> {
    let outside = || Failure::invalid(format!("the range {first} to {last} is not in {subnet}"));
    let offset = |address| subnet.offset_of(address).ok_or_else(outside);
    let (begin, end) = (offset(first)?, offset(last)?);
    if begin > end {
        return Err(outside());
    }
    let longest = if first.is_ipv4() { 32 } else { 128 };
    let lengths = (subnet.prefix_len()..=longest).rev();
    let blocks = lengths.filter_map(|length| IpNet::new(first, length).ok());
    let mut blocks = blocks.map(Subnet::of);
    let block = blocks.find(|block| block.contains(last)).unwrap_or(subnet);
    let edge = |address| subnet.offset_of(address).unwrap_or_default();
    let before = edge(block.first())..begin;
    let after = (end..edge(block.last())).map(|offset| offset + 1);
    let edges = before.chain(after).take(EDGES_MAX + 1);
    let edges: Vec<IpAddr> = edges.filter_map(|offset| subnet.nth(offset)).collect();
    match edges.len() > EDGES_MAX {
        true => Err(Failure::unsupported(
            "rangeStart and rangeEnd",
            format!("{first} to {last} leaves too much of {block} out"),
        )),
        false => Ok((block, edges)),
    }
}
