//! The addresses of one subnet of one network: who has which, and who gets which next. It does not
//! know of other subnets, of time, or of other threads.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use super::lease::{Lease, Owner, Release};
use super::offset_hash::OffsetMap;
use super::places::Places;
use super::span::Span;
use crate::addr::{ContainerName, Subnet};
use crate::error::Fault;
use crate::spec::History;

mod past;

/// The addresses of one subnet.
///
/// # Which address is next
/// The lowest that was never held. When none is left, the one that was released the longest ago:
/// neighbours keep the MAC address of a former holder for a while, and this gives them the longest
/// time to forget it. (Docker gives the lowest free one again at once.) A name gets the address
/// back that it released last, as long as nobody else was given it.
///
/// For that, a pool remembers the last [`QUARANTINE_MAX`](Self::QUARANTINE_MAX) released addresses
/// with their names, in 13 MiB and the names' own bytes at the most. Of older ones it only knows
/// that they are free; they are given out before any that was never held, the lowest first, so that
/// the memory of a pool is bound by the addresses in use and not by those that ever were.
///
/// # Which addresses are never given
/// In IPv4 the first and the last of the subnet, in IPv6 the first (the subnet-router anycast
/// address, rfc4291 §2.6.1). Subnets of one or two addresses have no such ones: rfc3021 for `/31`,
/// rfc6164 for `/127`, where Docker leaves only one usable.
///
/// # Rebuilding one
/// A pool is not stored. [`reserve`](Self::reserve) puts recorded leases back. Reserving and then
/// releasing an address puts it into quarantine, with its container's name if it is owned by one.
#[derive(Clone)]
pub struct Pool {
    span: Span,
    places: Places,
    /// Who has the address at an offset. A held place that is not in here has no named owner.
    claims: OffsetMap<u128, Claim>,
    /// The offsets of the claims that are `Kept`.
    kept: HashMap<ContainerName, u128>,
    /// Of offsets that are no places only this is remembered: was any of them ever released?
    outside: History,
    /// How many offsets that are no places are held or kept.
    taken_outside: u64,
}

#[derive(Debug, Clone)]
enum Claim {
    /// Until it is released.
    Held(Owner),
    /// For one name until it is given up, whether it is held or not.
    Kept(ContainerName, Tenancy),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tenancy {
    Vacant(History),
    Held,
}

impl Pool {
    /// How many released addresses a pool remembers, if it is not told otherwise.
    /// A `/16` has that many.
    pub const QUARANTINE_MAX: u32 = 65_534;

    /// The pool of `subnet`, which gives automatic addresses from `range`, or else from all of it.
    /// Of a range of more than 2^64 addresses it gives only the first 2^64. Addresses that are
    /// asked for one by one may lie anywhere in the subnet.
    ///
    /// ```
    /// use bridgework::ipam::Pool;
    ///
    /// let mut pool = Pool::new("10.0.0.0/16".parse()?, Some("10.0.9.0/24".parse()?))?;
    /// assert_eq!(pool.subnet().offset_of(pool.allocate()?.address), Some(9 * 256)); // 10.0.9.0
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Fault::RangeOutside`] if `range` does not lie in `subnet`.
    pub fn new(subnet: Subnet, range: Option<Subnet>) -> Result<Self, Fault> {
        let span = Span::new(subnet, range.unwrap_or(subnet))?;
        Ok(Self {
            span,
            places: Places::new(span.first(), span.end(), Self::QUARANTINE_MAX),
            claims: OffsetMap::default(),
            kept: HashMap::new(),
            outside: History::Fresh,
            taken_outside: 0,
        })
    }

    /// The pool with a quarantine of another size, in addresses: with 0 the lowest free address is
    /// given again at once, as Docker does, and no name gets its former one.
    ///
    /// ```
    /// use bridgework::ipam::Pool;
    ///
    /// let mut pool = Pool::new("10.0.0.0/24".parse()?, None)?.with_quarantine(0);
    /// let address = pool.allocate()?.address;
    /// let _ = pool.release(address);
    /// assert_eq!(pool.allocate()?.address, address);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_quarantine(mut self, max: u32) -> Self {
        self.places.resize_quarantine(max);
        self
    }

    /// The subnet.
    #[must_use]
    pub fn subnet(&self) -> Subnet {
        self.span.subnet()
    }

    /// Takes the next address, for a holder who need not be known again.
    ///
    /// # Errors
    /// [`Fault::AddressesExhausted`] if the range has none left.
    pub fn allocate(&mut self) -> Result<Lease, Fault> {
        let (offset, history) = self.next_offset()?;
        Ok(self.lease(offset, history))
    }

    /// Takes the address that is kept for `name`, or that it released last if nobody was given it
    /// since, or else the next one.
    ///
    /// ```
    /// use bridgework::ipam::{History, Pool};
    ///
    /// let mut pool = Pool::new("10.0.0.0/24".parse()?, None)?;
    /// let (web, db) = ("web".parse()?, "db".parse()?);
    /// let first = pool.allocate_for(&web)?;
    /// let _ = pool.release(first.address);
    /// assert_ne!(pool.allocate_for(&db)?.address, first.address);
    ///
    /// let again = pool.allocate_for(&web)?;
    /// assert_eq!((again.address, again.history), (first.address, History::Reused));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Fault::AddressesExhausted`] if the range has none left; [`Fault::AddressInUse`] if the
    /// name holds the address that is kept for it already.
    pub fn allocate_for(&mut self, name: &ContainerName) -> Result<Lease, Fault> {
        if let Some(&offset) = self.kept.get(name) {
            return self.enter(offset);
        }
        let (offset, history) = match self.places.take_former(name) {
            Some(place) => (self.span.offset_of_place(place), History::Reused),
            None => return self.allocate_anew_for(name),
        };
        let owner = Owner::Container(name.clone());
        self.claims.insert(offset, Claim::Held(owner));
        Ok(self.lease(offset, history))
    }

    /// Takes the next address for `name`, whatever it had before and whatever is kept for it.
    ///
    /// ```
    /// use bridgework::ipam::Pool;
    ///
    /// let mut pool = Pool::new("10.0.0.0/24".parse()?, None)?;
    /// let web = "web".parse()?;
    /// let first = pool.allocate_for(&web)?;
    /// let _ = pool.release(first.address);
    /// assert_ne!(pool.allocate_anew_for(&web)?.address, first.address);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Fault::AddressesExhausted`] if the range has none left.
    pub fn allocate_anew_for(&mut self, name: &ContainerName) -> Result<Lease, Fault> {
        let (offset, history) = self.next_offset()?;
        let owner = Owner::Container(name.clone());
        self.claims.insert(offset, Claim::Held(owner));
        Ok(self.lease(offset, history))
    }

    /// The address that `name` released last is nobody's former one any more.
    ///
    /// ```
    /// use bridgework::ipam::Pool;
    ///
    /// let mut pool = Pool::new("10.0.0.0/24".parse()?, None)?;
    /// let web = "web".parse()?;
    /// let first = pool.allocate_for(&web)?;
    /// let _ = pool.release(first.address);
    /// pool.forget(&web);
    /// assert_ne!(pool.allocate_for(&web)?.address, first.address);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn forget(&mut self, name: &ContainerName) {
        self.places.disown(name);
    }

    /// Takes `address`, wherever in the subnet it is. A container also gets it if it is kept for
    /// its name and not held.
    ///
    /// ```
    /// use bridgework::ipam::{Owner, Pool};
    ///
    /// let mut pool = Pool::new("10.0.0.0/24".parse()?, None)?;
    /// let address = "10.0.0.53".parse().unwrap();
    /// let _ = pool.reserve(address, Owner::Auxiliary("dns".into()))?;
    /// let fault = pool.reserve(address, Owner::Gateway).unwrap_err();
    /// assert_eq!(fault.to_string(), "address 10.0.0.53 is already in use by auxiliary address dns");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Fault::AddressOutside`], [`Fault::AddressReserved`], or [`Fault::AddressInUse`] if it is
    /// held or kept for another.
    pub fn reserve(&mut self, address: IpAddr, owner: Owner) -> Result<Lease, Fault> {
        let offset = self.span.offset(address)?;
        match (self.claims.get(&offset), &owner) {
            (Some(Claim::Kept(name, _)), Owner::Container(asking)) if name == asking => {
                return self.enter(offset);
            }
            _ => {}
        }
        let history = self.take(offset)?;
        let is_unnamed_place = owner == Owner::Unnamed && self.span.place(offset).is_some();
        if !is_unnamed_place {
            self.claims.insert(offset, Claim::Held(owner));
        }
        Ok(self.lease(offset, history))
    }

    /// Whether [`reserve`](Self::reserve) would give `address` to the container of that name.
    ///
    /// ```
    /// use bridgework::ipam::Pool;
    ///
    /// let pool = Pool::new("10.0.0.0/24".parse()?, None)?;
    /// assert!(pool.check("10.0.0.255".parse().unwrap(), &"web".parse()?).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`reserve`](Self::reserve).
    pub fn check(&self, address: IpAddr, name: &ContainerName) -> Result<(), Fault> {
        let offset = self.span.offset(address)?;
        let is_free = match self.claims.get(&offset) {
            Some(Claim::Kept(keeper, Tenancy::Vacant(_))) => keeper == name,
            Some(_) => false,
            None => !self.is_held_place(offset),
        };
        if is_free {
            Ok(())
        } else {
            Err(self.refuse(offset))
        }
    }

    /// Takes the gateway's address: `chosen`, or else the lowest free one, which is the first
    /// usable of the range if the pool has one, of the subnet if not. To be called before any
    /// address is allocated, and after auxiliary addresses are reserved.
    ///
    /// # Errors
    /// [`Fault::GatewayOutside`], [`Fault::AddressReserved`] or [`Fault::AddressInUse`] for
    /// `chosen`, [`Fault::AddressesExhausted`] if there is none to choose.
    pub fn reserve_gateway(&mut self, chosen: Option<IpAddr>) -> Result<IpAddr, Fault> {
        let Some(gateway) = chosen else {
            let (offset, _) = self.next_offset()?;
            self.claims.insert(offset, Claim::Held(Owner::Gateway));
            return Ok(self.span.address(offset));
        };
        match self.reserve(gateway, Owner::Gateway) {
            Ok(lease) => Ok(lease.address),
            Err(Fault::AddressOutside { subnets, .. }) => {
                Err(Fault::GatewayOutside { gateway, subnets })
            }
            Err(fault) => Err(fault),
        }
    }

    /// Keeps `address` for `name`, through releases, until [`unreserve`](Self::unreserve): no other
    /// gets it, and [`allocate_for`](Self::allocate_for) gives it to the name. An address that the
    /// name holds already becomes a kept one that it holds. It can be repeated.
    ///
    /// ```
    /// use bridgework::ipam::{Owner, Pool};
    ///
    /// let mut pool = Pool::new("10.0.0.0/24".parse()?, None)?;
    /// let (db, address) = ("db".parse()?, "10.0.0.1".parse().unwrap());
    /// pool.reserve_for(&db, address)?;
    /// assert_eq!(pool.allocate()?.address.to_string(), "10.0.0.2");
    /// assert_eq!(pool.allocate_for(&db)?.address, address);
    /// let _ = pool.release(address);
    /// assert_eq!(pool.kept_for(&db), Some(address));
    /// assert_eq!(pool.owner(address), Some(Owner::Container(db.clone()))); // held or not
    /// assert_eq!(pool.unreserve(&db), Some(address));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Fault::AddressOutside`], [`Fault::AddressReserved`], [`Fault::AddressInUse`] if another
    /// has it, and [`Fault::Conflicting`] if another address is kept for the name.
    pub fn reserve_for(&mut self, name: &ContainerName, address: IpAddr) -> Result<(), Fault> {
        let offset = self.span.offset(address)?;
        match self.kept.get(name) {
            Some(&kept) if kept == offset => return Ok(()),
            Some(&kept) => {
                let kept = self.span.address(kept);
                return Err(Fault::Conflicting(format!(
                    "address {address} for container {name}, for which {kept} is kept"
                )));
            }
            None => {}
        }
        let tenancy = match self.claims.get(&offset) {
            Some(Claim::Held(Owner::Container(holder))) if holder == name => Tenancy::Held,
            _ => Tenancy::Vacant(self.take(offset)?),
        };
        let claim = Claim::Kept(name.clone(), tenancy);
        self.claims.insert(offset, claim);
        self.kept.insert(name.clone(), offset);
        Ok(())
    }

    /// The address that is kept for `name`, held or not.
    #[must_use]
    pub fn kept_for(&self, name: &ContainerName) -> Option<IpAddr> {
        let offset = self.kept.get(name)?;
        Some(self.span.address(*offset))
    }

    /// Keeps no address for `name` any more, and returns the one that was kept. If the name holds
    /// it, it still does, until it releases it.
    pub fn unreserve(&mut self, name: &ContainerName) -> Option<IpAddr> {
        let offset = self.kept.remove(name)?;
        if let Some(Claim::Kept(name, tenancy)) = self.claims.remove(&offset) {
            match tenancy {
                Tenancy::Vacant(_) => self.put_back(offset, None),
                Tenancy::Held => {
                    let claim = Claim::Held(Owner::Container(name));
                    self.claims.insert(offset, claim);
                }
            }
        }
        Some(self.span.address(offset))
    }

    /// Gives `address` back, whoever holds it. To release what is not held changes nothing, so that
    /// it can be repeated.
    ///
    /// ```
    /// use bridgework::ipam::{Pool, Release};
    ///
    /// let mut pool = Pool::new("10.0.0.0/24".parse()?, None)?;
    /// let lease = pool.allocate()?;
    /// assert_eq!(pool.release(lease.address), Release::Released);
    /// assert_eq!(pool.release(lease.address), Release::NotHeld);
    /// assert_eq!(pool.release("192.0.2.1".parse().unwrap()), Release::NotHeld);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn release(&mut self, address: IpAddr) -> Release {
        let Some(offset) = self.subnet().offset_of(address) else {
            return Release::NotHeld;
        };
        let Some(claim) = self.claims.get_mut(&offset) else {
            return self.release_unnamed(offset);
        };
        let name = match claim {
            Claim::Kept(_, Tenancy::Vacant(_)) => return Release::NotHeld,
            Claim::Kept(_, tenancy) => {
                *tenancy = Tenancy::Vacant(History::Reused);
                return Release::Released;
            }
            Claim::Held(owner) => owner.container().cloned(),
        };
        self.claims.remove(&offset);
        self.put_back(offset, name);
        Release::Released
    }

    /// Who has `address`; `None` if nobody has. An address that is kept for a name is the name's,
    /// held or not.
    #[must_use]
    pub fn owner(&self, address: IpAddr) -> Option<Owner> {
        let offset = self.subnet().offset_of(address)?;
        match self.claims.get(&offset) {
            Some(Claim::Held(owner)) => Some(owner.clone()),
            Some(Claim::Kept(name, _)) => Some(Owner::Container(name.clone())),
            None => self.is_held_place(offset).then_some(Owner::Unnamed),
        }
    }

    /// How many automatic addresses are left: those of the range that are neither held nor kept.
    /// `u64::MAX` stands for that many or more.
    #[must_use]
    pub fn available(&self) -> u64 {
        let size = self.span.end() - self.span.first();
        u64::try_from(size - u128::from(self.places.held())).unwrap_or(u64::MAX)
    }

    /// How many addresses of the subnet nobody else can get: those that are held or kept, in the
    /// range or outside of it, and those that are never given. `u64::MAX` stands for that many or
    /// more.
    ///
    /// ```
    /// use bridgework::ipam::Pool;
    ///
    /// let mut pool = Pool::new("10.0.0.0/24".parse()?, None)?;
    /// pool.reserve_gateway(None)?;
    /// assert_eq!((pool.in_use(), pool.available()), (3, 253)); // .0, .1 and .255
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn in_use(&self) -> u64 {
        let held = self.places.held().saturating_add(self.taken_outside);
        held.saturating_add(self.span.reserved())
    }

    fn release_unnamed(&mut self, offset: u128) -> Release {
        if !self.is_held_place(offset) {
            return Release::NotHeld;
        }
        self.put_back(offset, None);
        Release::Released
    }

    fn next_offset(&mut self) -> Result<(u128, History), Fault> {
        let subnet = self.subnet();
        let (place, history) = self
            .places
            .take_next()
            .ok_or(Fault::AddressesExhausted { subnet })?;
        Ok((self.span.offset_of_place(place), history))
    }

    /// The address at an offset that is kept, for the one whom it is kept for.
    fn enter(&mut self, offset: u128) -> Result<Lease, Fault> {
        let tenancy = match self.claims.get_mut(&offset) {
            Some(Claim::Kept(_, tenancy)) => std::mem::replace(tenancy, Tenancy::Held),
            _ => Tenancy::Held,
        };
        match tenancy {
            Tenancy::Vacant(history) => Ok(self.lease(offset, history)),
            Tenancy::Held => Err(self.refuse(offset)),
        }
    }

    /// Marks a free offset as taken.
    fn take(&mut self, offset: u128) -> Result<History, Fault> {
        if self.claims.contains_key(&offset) {
            return Err(self.refuse(offset));
        }
        match self.span.place(offset) {
            Some(place) => (self.places.take(place)).ok_or_else(|| self.refuse(offset)),
            None => {
                self.taken_outside += 1;
                Ok(self.outside)
            }
        }
    }

    fn put_back(&mut self, offset: u128, name: Option<ContainerName>) {
        match self.span.place(offset) {
            Some(place) => self.places.put_back(place, name),
            None => {
                self.taken_outside -= 1;
                self.outside = History::Reused;
            }
        }
    }

    fn is_held_place(&self, offset: u128) -> bool {
        let place = self.span.place(offset);
        place.is_some_and(|place| self.places.is_held(place))
    }

    fn refuse(&self, offset: u128) -> Fault {
        let address = self.span.address(offset);
        let owner = self.owner(address).unwrap_or(Owner::Unnamed).to_string();
        Fault::AddressInUse { address, owner }
    }

    fn lease(&self, offset: u128, history: History) -> Lease {
        let address = self.span.address(offset);
        Lease { address, history }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("subnet", &self.subnet())
            .field("available", &self.available())
            .field("named", &self.claims.len())
            .finish_non_exhaustive()
    }
}
