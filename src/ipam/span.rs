//! The arithmetic between addresses, offsets in the subnet (128 bits) and places in the range that
//! automatic addresses come from (64 bits). Which of them are taken is not known here.

use std::net::IpAddr;

use crate::addr::Subnet;
use crate::error::Fault;

/// A subnet and the part of it that automatic addresses come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    subnet: Subnet,
    /// The offset of place 0.
    start: u128,
    /// The first place that may be given out.
    first: u128,
    /// The place after the last that may be given out, 2^64 at the most.
    end: u128,
}

impl Span {
    pub(super) fn new(subnet: Subnet, range: Subnet) -> Result<Self, Fault> {
        if !subnet.covers(range) {
            let subnets = vec![subnet];
            return Err(Fault::RangeOutside { range, subnets });
        }
        let start = subnet.offset_of(range.first()).unwrap_or(0);
        let size = 1 << range.host_bits().min(64);
        let is_reserved = |address| subnet.offset_of(address).and_then(|o| role(subnet, o));
        let first = u128::from(is_reserved(range.first()).is_some());
        let end = size - u128::from(size > 1 && is_reserved(range.last()).is_some());
        Ok(Self {
            subnet,
            start,
            first,
            end: end.max(first),
        })
    }

    pub(super) fn subnet(&self) -> Subnet {
        self.subnet
    }

    pub(super) fn first(&self) -> u128 {
        self.first
    }

    pub(super) fn end(&self) -> u128 {
        self.end
    }

    /// How many addresses of the subnet no container can have.
    pub(super) fn reserved(&self) -> u64 {
        let ends = [self.subnet.first(), self.subnet.last()];
        let is_reserved = |address| role(self.subnet, self.subnet.offset_of(address)?);
        ends.into_iter().filter_map(is_reserved).map(|_| 1).sum()
    }

    /// The offset of `address`, if a container may have it.
    pub(super) fn offset(&self, address: IpAddr) -> Result<u128, Fault> {
        let Some(offset) = self.subnet.offset_of(address) else {
            let subnets = vec![self.subnet];
            return Err(Fault::AddressOutside { address, subnets });
        };
        match role(self.subnet, offset) {
            Some(role) => Err(Fault::AddressReserved { address, role }),
            None => Ok(offset),
        }
    }

    pub(super) fn address(&self, offset: u128) -> IpAddr {
        self.subnet
            .nth(offset)
            .expect("offsets are made from addresses of the subnet and places of its range")
    }

    /// The place at `offset`; `None` if no automatic address is there.
    pub(super) fn place(&self, offset: u128) -> Option<u64> {
        let place = offset.checked_sub(self.start)?;
        (self.first..self.end)
            .contains(&place)
            .then(|| u64::try_from(place).ok())
            .flatten()
    }

    pub(super) fn offset_of_place(&self, place: u64) -> u128 {
        self.start + u128::from(place)
    }
}

/// What the address at `offset` is there for, if not for hosts.
fn role(subnet: Subnet, offset: u128) -> Option<&'static str> {
    // rfc3021, rfc6164: with one host bit both addresses are hosts'.
    if subnet.host_bits() < 2 {
        return None;
    }
    match (subnet.is_ipv4(), offset) {
        (true, 0) => Some("the network's own address"),
        (true, offset) if offset == (1 << subnet.host_bits()) - 1 => Some("the broadcast address"),
        // rfc4291 §2.6.1
        (false, 0) => Some("the subnet-router anycast address"),
        _ => None,
    }
}
