//! What a host keeps of its networks and containers, so that another process, or the next one, can
//! go on where this one stops: plain data, and what no two of them may have at once. Where it is
//! kept is `store`'s business.

mod body;
mod claim;
mod key;

pub use body::{
    Body, ContainerFiles, ContainerRecord, DnsOverrides, EndpointRecord, FoundLink, HostRecord,
    KeptFile, Namespace, NetworkRecord, Reservation, Residence,
};
pub use claim::{Claim, Space};
pub use key::{Key, OwnerId, Revision};

/// One thing that is kept.
///
/// ```
/// use bridgework::record::{Body, OwnerId, Phase, Record, Reservation, Tenure};
///
/// # fn main() -> Result<(), bridgework::ParseError> {
/// let network = bridgework::NetworkId::from_bytes([0xab; 32]);
/// let (container, address) = ("web".parse()?, [10, 0, 0, 7].into());
/// let record = Record {
///     body: Body::Reservation(Reservation { network, container, address }),
///     phase: Phase::There,
///     tenure: Tenure::Kept,
///     owner: OwnerId::new(1),
/// };
/// assert_eq!(record.key().kind(), "reservation");
/// assert_eq!(record.claims()[0].to_string(), "reservation abababababab 4 10.0.0.7");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Record {
    /// What it is.
    pub body: Body,
    /// How far it has come.
    pub phase: Phase,
    /// How long it stays.
    pub tenure: Tenure,
    /// Who has written it last.
    pub owner: OwnerId,
}

/// How far a record's object has come in the kernel. Whoever dies between two of them leaves to
/// others what is to be done: what is coming or going is taken back, what is there stays.
///
/// ```
/// use bridgework::record::{Body, HostRecord, Phase, Record, Tenure};
/// use bridgework::store::{Change, Expected, Memory, Store};
///
/// let store = Memory::new();
/// # let body = Body::Host(HostRecord { boot: "a boot".to_owned(), netns: Default::default() });
/// # let (tenure, owner) = (Tenure::Kept, store.owner());
/// let coming = Record { body, phase: Phase::Coming, tenure, owner };
/// let begun = store.commit(&Change::new().put(coming.clone(), Expected::Absent))?;
/// // … the kernel is changed …
/// let there = Record { phase: Phase::There, ..coming };
/// let done = store.commit(&Change::new().put(there.clone(), Expected::At(begun)))?;
/// assert_eq!(store.changes(None)?.records, [(done, there)]);
/// # Ok::<(), bridgework::store::StoreError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Phase {
    /// Its owner is making it: written before the first change of the kernel.
    Coming,
    /// It is there: written after the last change of the kernel.
    There,
    /// Its owner is taking it back.
    Going,
}

/// How long a record's object stays.
///
/// ```
/// use bridgework::record::Tenure;
/// use bridgework::store::{Memory, Store, StoreError};
///
/// let store = Memory::new();
/// let gone = store.open().owner(); // whoever that was
/// let is_orphan = |tenure| Ok::<_, StoreError>(tenure == Tenure::Held && !store.is_alive(gone)?);
/// assert!(is_orphan(Tenure::Held)?);
/// assert!(!is_orphan(Tenure::Kept)?);
/// # Ok::<(), bridgework::store::StoreError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Tenure {
    /// As long as the handle of the process that made it.
    Held,
    /// Until it is taken back on purpose.
    Kept,
}

/// All that a host keeps, to be taken elsewhere or read by people: `serde` makes JSON of it.
///
/// ```
/// use bridgework::record::State;
/// use bridgework::store::{Memory, Store};
///
/// let records = Memory::new().changes(None)?.records;
/// let state = State::of(records.into_iter().map(|(_, record)| record).collect());
/// assert_eq!(state.format, 1);
/// assert!(state.records.is_empty());
/// # Ok::<(), bridgework::store::StoreError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct State {
    /// The version of this form: 1.
    pub format: u32,
    /// Networks, containers, endpoints and reservations, in the order of their keys.
    pub records: Vec<Record>,
}

impl State {
    /// The version that this crate writes, and reads.
    pub const FORMAT: u32 = 1;

    /// That of these records.
    ///
    /// ```
    /// use bridgework::record::State;
    /// # use bridgework::record::{Body, OwnerId, Phase, Record, Reservation, Tenure};
    /// # let network = bridgework::NetworkId::from_bytes([0xab; 32]);
    ///
    /// let of = |name: &str, last: u8| {
    ///     let (container, address) = (name.parse()?, [10, 0, 0, last].into());
    ///     let body = Body::Reservation(Reservation { network, container, address });
    ///     let (phase, tenure, owner) = (Phase::There, Tenure::Kept, OwnerId::new(1));
    ///     Ok::<_, bridgework::ParseError>(Record { body, phase, tenure, owner })
    /// };
    /// let (web, db) = (of("web", 7)?, of("db", 3)?);
    /// assert_eq!(State::of(vec![web.clone(), db.clone()]).records, [db, web]);
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    #[must_use]
    pub fn of(mut records: Vec<Record>) -> Self {
        records.sort_by_key(Record::key);
        let format = Self::FORMAT;
        Self { format, records }
    }
}

impl Record {
    /// By which it is found.
    ///
    /// ```
    /// # use bridgework::record::{Body, OwnerId, Phase, Record, Reservation, Tenure};
    /// # let network = bridgework::NetworkId::from_bytes([0xab; 32]);
    /// # let (container, address) = ("web".parse()?, [10, 0, 0, 7].into());
    /// # let body = Body::Reservation(Reservation { network, container, address });
    /// # let (phase, tenure, owner) = (Phase::There, Tenure::Kept, OwnerId::new(1));
    /// let there = Record { body, phase, tenure, owner };
    /// let going = Record { phase: Phase::Going, ..there.clone() };
    /// assert_eq!(going.key(), there.key()); // it takes the other's place
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    #[must_use]
    pub fn key(&self) -> Key {
        self.body.key()
    }

    /// What no other record may have as long as this one is kept. A network that is going has every
    /// place on it for itself: nobody can be connected to it any more, and it can't go while somebody
    /// is.
    ///
    /// ```
    /// # use bridgework::record::{Body, OwnerId, Phase, Record, Reservation, Tenure};
    /// # let network = bridgework::NetworkId::from_bytes([0xab; 32]);
    /// # let address = [10, 0, 0, 7].into();
    /// # let (phase, tenure, owner) = (Phase::There, Tenure::Kept, OwnerId::new(1));
    /// let keep_for = |container| {
    ///     let body = Body::Reservation(Reservation { network, container, address });
    ///     Record { body, phase, tenure, owner }
    /// };
    /// let [web, db] = [keep_for("web".parse()?), keep_for("db".parse()?)];
    /// assert!(web.claims()[0].overlaps(&db.claims()[0])); // one address for both
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    #[must_use]
    pub fn claims(&self) -> Vec<Claim> {
        let mut claims = self.body.claims();
        if let (Phase::Going, Body::Network(network)) = (self.phase, &self.body) {
            claims.push(Claim::all_places(&network.spec.id));
        }
        claims
    }
}

#[cfg(test)]
mod tests;
