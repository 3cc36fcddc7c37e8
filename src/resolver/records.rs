//! The names and addresses of one network, in memory: written by the network, read by anybody in
//! this process. It answers; in what packet, with what time to live, is the DNS server's matter.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::owner::Owner;
use super::reverse::{parse_reverse_name, without_root, without_suffix};
use super::shards::{Shards, Slot};
use crate::addr::{ContainerName, EndpointId, Family, HostName, NetworkName};

/// The longest name that can be held, which is the longest [`HostName`].
const MAX_NAME_BYTES: usize = 253;

/// What the records know of a name.
///
/// ```
/// use bridgework::Family;
/// use bridgework::resolver::{Answer, Records};
///
/// let records = Records::new("shop".parse()?);
/// match records.lookup("db", Family::V4) {
///     Answer::Addresses(addresses) => println!("{addresses:?}"),
///     Answer::NoData => println!("it has no IPv4 address"),
///     answer => assert_eq!(answer, Answer::Unknown), // others may know it
/// }
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Its addresses, at least one: owner by owner in the order in which they were inserted, each
    /// owner's in its own order. Nothing is shuffled here.
    Addresses(Vec<IpAddr>),
    /// An endpoint has the name, but none has an address of the family. It must not be asked of
    /// anybody else.
    NoData,
    /// No endpoint has the name.
    Unknown,
}

/// The records of one network.
///
/// Lookups take no lock and never wait for a change. A change costs about 1/64 of what is held for
/// each name and address that it is about; with nothing held, records take less than 2 KiB. Once
/// [`remove`](Self::remove) has returned, no lookup finds the owner. While an owner with several
/// names is inserted, some of them may be found before the others are, each with all of its
/// addresses.
///
/// ```
/// use bridgework::EndpointId;
/// use bridgework::resolver::{Answer, Names, Owner, Records};
/// use bridgework::Family;
///
/// let records = Records::new("hmall".parse()?);
/// let id = EndpointId::from_bytes([1; 32]);
/// let address = "172.18.0.2".parse().unwrap();
/// records.insert(Owner::new(id, Names::new("mysql".parse()?, ["db".parse()?]), [address]));
///
/// assert_eq!(records.lookup("DB", Family::V4), Answer::Addresses(vec![address]));
/// assert_eq!(records.lookup("mysql.hmall.", Family::V6), Answer::NoData);
/// assert_eq!(records.lookup("redis", Family::V4), Answer::Unknown);
/// assert_eq!(records.reverse(address).as_deref(), Some("mysql.hmall."));
/// assert_eq!(records.reverse_lookup("2.0.18.172.in-addr.arpa"), records.reverse(address));
///
/// records.remove(&id);
/// assert_eq!(records.lookup("db", Family::V4), Answer::Unknown);
/// assert!(records.remove_container(&"mysql".parse()?).is_none()); // nobody is called so any more
/// assert_eq!((records.network().as_str(), records.owners().len()), ("hmall", 0));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
pub struct Records {
    network: NetworkName,
    /// Keyed, since the names are chosen by whoever runs the containers.
    hasher: RandomState,
    names: Shards,
    addresses: Shards,
    roll: Mutex<Roll>,
}

/// Every owner by its arrival; also what writers hold while they write.
#[derive(Default)]
struct Roll {
    next: u64,
    owners: BTreeMap<u64, Arc<Owner>>,
    arrivals: HashMap<EndpointId, u64>,
}

impl Records {
    /// The records of `network`, empty.
    #[must_use]
    pub fn new(network: NetworkName) -> Self {
        Self {
            network,
            hasher: RandomState::new(),
            names: Shards::new(),
            addresses: Shards::new(),
            roll: Mutex::default(),
        }
    }

    /// The network's name, which every name here can be followed by.
    #[must_use]
    pub fn network(&self) -> &NetworkName {
        &self.network
    }

    /// Adds `owner` after all others.
    ///
    /// An owner of the same endpoint is replaced: it is returned, and its place in the order is
    /// kept. A name that both have is held throughout.
    pub fn insert(&self, owner: Owner) -> Option<Arc<Owner>> {
        let owner = Arc::new(owner);
        let mut roll = self.roll.lock();
        let arrival = roll.arrival_of(owner.endpoint());
        let former = roll.owners.insert(arrival, Arc::clone(&owner));
        self.publish(arrival, former.as_deref(), Some(&owner));
        former
    }

    /// Removes the owner of this endpoint, and returns it. `None` where there is none.
    pub fn remove(&self, endpoint: &EndpointId) -> Option<Arc<Owner>> {
        let mut roll = self.roll.lock();
        self.strike(&mut roll, endpoint)
    }

    /// Removes the owner whose first name is this container's, in exactly this case, and returns
    /// it. Of several, the one that was inserted first goes.
    pub fn remove_container(&self, container: &ContainerName) -> Option<Arc<Owner>> {
        let mut roll = self.roll.lock();
        let is_first = |slot: &&Slot| slot.owner.names().first().as_str() == container.as_str();
        let hash = self.hash_name(container.as_str().as_bytes())?;
        let endpoint = self.names.read(hash, |slots| {
            slots.iter().find(is_first).map(|s| *s.owner.endpoint())
        })?;
        self.strike(&mut roll, &endpoint)
    }

    /// The addresses of `name` in one family.
    ///
    /// Case does not matter, and one final dot is no part of the name. Where nobody is called so,
    /// `name.network` is answered as `name`. Any bytes may be asked for.
    #[must_use]
    pub fn lookup(&self, name: impl AsRef<[u8]>, family: Family) -> Answer {
        let name = without_root(name.as_ref());
        match self.answer(name, family) {
            Answer::Unknown => self.answer(self.unqualified(name), family),
            known => known,
        }
    }

    /// The name of whoever has `address`, for a DNS record of type PTR: `name.network.`, with the
    /// final dot, since it is complete. `None` where nobody has it.
    #[must_use]
    pub fn reverse(&self, address: IpAddr) -> Option<String> {
        self.find_reverse(address, |name, network| format!("{name}.{network}."))
    }

    /// As [`reverse`](Self::reverse), for the name that DNS asks for: `2.0.18.172.in-addr.arpa`.
    #[must_use]
    pub fn reverse_lookup(&self, name: impl AsRef<[u8]>) -> Option<String> {
        self.reverse(parse_reverse_name(name)?)
    }

    /// Every owner, in the order of insertion, as of one moment. It waits for a change that is
    /// under way.
    #[must_use]
    pub fn owners(&self) -> Vec<Arc<Owner>> {
        self.roll.lock().owners.values().map(Arc::clone).collect()
    }

    /// What is known of exactly this name, however it is qualified.
    fn answer(&self, name: &[u8], family: Family) -> Answer {
        let known = self.find(name, |found| found.answer(family));
        known.unwrap_or(Answer::Unknown)
    }

    /// Hands whoever has exactly this name to `read`, which is not called where nobody has it.
    /// Nothing is allocated.
    pub(super) fn find<R>(&self, name: &[u8], read: impl FnOnce(Found<'_>) -> R) -> Option<R> {
        self.names.read(self.hash_name(name)?, |slots| {
            let known = slots.iter().any(|slot| is_called(slot, name));
            known.then(|| read(Found { slots, name }))
        })
    }

    /// Hands the first name of whoever has `address` to `read`, and the network's.
    pub(super) fn find_reverse<R>(
        &self,
        address: IpAddr,
        read: impl FnOnce(&HostName, &NetworkName) -> R,
    ) -> Option<R> {
        self.addresses.read(self.hasher.hash_one(address), |slots| {
            let has = |slot: &&Slot| slot.owner.addresses().get(slot.index) == Some(&address);
            let owner = &slots.iter().find(has)?.owner;
            Some(read(owner.names().first(), &self.network))
        })
    }

    /// `name` without `.network`; empty, and so unknown, where it does not end so.
    fn unqualified<'a>(&self, name: &'a [u8]) -> &'a [u8] {
        let qualified = without_suffix(name, self.network.as_str().as_bytes());
        qualified
            .and_then(|qualified| qualified.strip_suffix(b"."))
            .unwrap_or_default()
    }

    /// The same for names that differ only in case. `None` for what is no name at all.
    fn hash_name(&self, name: &[u8]) -> Option<u64> {
        let mut buffer = [0; MAX_NAME_BYTES];
        let lowered = buffer.get_mut(..name.len()).filter(|l| !l.is_empty())?;
        lowered.copy_from_slice(name);
        lowered.make_ascii_lowercase();
        let mut hasher = self.hasher.build_hasher();
        hasher.write(lowered);
        Some(hasher.finish())
    }

    fn strike(&self, roll: &mut Roll, endpoint: &EndpointId) -> Option<Arc<Owner>> {
        let arrival = roll.arrivals.remove(endpoint)?;
        let owner = roll.owners.remove(&arrival)?;
        self.publish(arrival, Some(&owner), None);
        Some(owner)
    }

    /// Makes readers see `owner` where they saw `former`.
    fn publish(&self, arrival: u64, former: Option<&Owner>, owner: Option<&Arc<Owner>>) {
        let old = former.map(|owner| self.name_hashes(owner));
        let new = owner.map(|owner| Slot::all_of(owner, arrival, self.name_hashes(owner)));
        self.names.replace(arrival, old, new);
        let old = former.map(|owner| self.address_hashes(owner));
        let new = owner.map(|owner| Slot::all_of(owner, arrival, self.address_hashes(owner)));
        self.addresses.replace(arrival, old, new);
    }

    fn name_hashes(&self, owner: &Owner) -> Vec<u64> {
        let names = owner.names().iter();
        let hash = |name: &HostName| self.hash_name(name.as_str().as_bytes());
        let hashes = names.map(|name| hash(name).expect("a host name is 1 to 253 bytes"));
        hashes.collect()
    }

    fn address_hashes(&self, owner: &Owner) -> Vec<u64> {
        let addresses = owner.addresses().iter();
        addresses
            .map(|address| self.hasher.hash_one(address))
            .collect()
    }
}

/// Those who have a name, at least one, as of one moment.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    /// Those of the name's hash: others may be among them.
    slots: &'a [Slot],
    name: &'a [u8],
}

impl<'a> Found<'a> {
    /// Their addresses, in the order that [`Answer::Addresses`] tells of.
    pub(super) fn addresses(self, family: Family) -> impl Iterator<Item = IpAddr> + Clone + 'a {
        let called = self.slots.iter().filter(move |s| is_called(s, self.name));
        let all = called.flat_map(|slot| slot.owner.addresses().iter().copied());
        all.filter(move |address| Family::of(*address) == family)
    }

    pub(super) fn answer(self, family: Family) -> Answer {
        let addresses: Vec<IpAddr> = self.addresses(family).collect();
        if addresses.is_empty() {
            return Answer::NoData;
        }
        Answer::Addresses(addresses)
    }
}

impl Roll {
    fn arrival_of(&mut self, endpoint: &EndpointId) -> u64 {
        let next = &mut self.next;
        *self.arrivals.entry(*endpoint).or_insert_with(|| {
            *next += 1;
            *next
        })
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("network", &self.network)
            .field("owners", &self.owners())
            .finish()
    }
}

fn is_called(slot: &Slot, name: &[u8]) -> bool {
    let held = slot.owner.names().get(slot.index);
    held.is_some_and(|held| held.as_str().as_bytes().eq_ignore_ascii_case(name))
}
