//! The records of a host: what is written down of one container, and all of them as a whole, taken
//! elsewhere and brought back.

use std::collections::BTreeSet;

use crate::addr::{ContainerId, ContainerName};
use crate::error::{Error, Fault, Result, StoreTrouble};
use crate::network::{Concern, Ledger};
use crate::record::{Body, OwnerId, Phase, Record, State, Tenure};
use crate::store::{Change, Expected};

use super::Host;

impl Host {
    /// What is written down of the container of that full id or name, whoever wrote it and however far it
    /// has come: the container itself, its places on networks, and these networks; also what is coming or
    /// going ([`Record::phase`]), and what a process has left that died of it. Addresses that are
    /// [reserved](crate::Network::reserve) for its name are not among it. None of a host that keeps no
    /// [records](crate::HostConfig::store).
    ///
    /// Whoever takes a container back knows by it whether there may be anything left to be taken back,
    /// and whose matter a [recovery](Self::recover) is that has failed. Where the records
    /// [were lost](Self::has_lost_records) it says nothing.
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// # use bridgework::{Container, Host, HostConfig, store::Memory};
    /// use bridgework::record::Body;
    ///
    /// let host = Host::open_with(HostConfig::new().store(Arc::new(Memory::new())))?;
    /// assert!(host.records_of("web")?.is_empty());
    /// host.keep(&Container::of_pid("web", 4711)?)?;
    /// assert!(matches!(host.records_of("web")?[0].body, Body::Container(_)));
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// Needs no privilege beyond those of opening the host, and changes nothing.
    ///
    /// # Errors
    /// The records can't be read.
    pub fn records_of(&self, container: &str) -> Result<Vec<Record>> {
        let Some(ledger) = self.0.registry.ledger() else {
            return Ok(Vec::new());
        };
        // only read: what follows from them may be what has failed
        let read = ledger.look();
        read.map_err(|error| error.during(format!("look for container {container}")))?;
        let id = container.parse::<ContainerId>().ok();
        let is_it = |known: ContainerId, name: &ContainerName| {
            Some(known) == id || name.as_str() == container
        };
        let mut records = ledger.records();
        let mut networks = BTreeSet::new();
        for record in &records {
            if let Body::Endpoint(place) = &record.body {
                let is_its = is_it(place.spec.container_id, &place.spec.container);
                networks.extend(is_its.then_some(place.spec.network));
            }
        }
        records.retain(|record| match &record.body {
            Body::Container(record) => is_it(record.id, &record.name),
            Body::Endpoint(record) => is_it(record.spec.container_id, &record.spec.container),
            Body::Network(record) => networks.contains(&record.spec.id),
            Body::Host(_) | Body::Reservation(_) => false,
        });
        Ok(records)
    }

    /// All that this host keeps for other processes and the next one: networks, containers, their
    /// places on networks, reservations. What is being made or removed at this moment is not in it.
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// # use bridgework::{Host, HostConfig, store::Memory};
    /// let host = Host::open_with(HostConfig::new().store(Arc::new(Memory::new())))?;
    /// for record in host.export()?.records {
    ///     println!("{}", record.key());
    /// }
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// The host keeps no [records](crate::HostConfig::store), or they can't be read.
    pub fn export(&self) -> Result<State> {
        let attempt = "export state";
        let ledger = self.records_for(attempt)?;
        let caught_up = self.0.registry.catch_up_on(Concern::None);
        caught_up.map_err(|error| error.during(attempt))?;
        let mut records = ledger.records();
        records
            .retain(|record| record.phase == Phase::There && !matches!(record.body, Body::Host(_)));
        Ok(State::of(records))
    }

    /// Takes over what another host has [exported](Self::export), all of it or nothing. From then on it
    /// is kept here; [`recover`](Self::recover) makes it in the kernel, as far as the namespaces of its
    /// containers are to be found.
    ///
    /// ```no_run
    /// use std::sync::Arc;
    /// use bridgework::store::Memory;
    /// use bridgework::{Host, HostConfig, Netns, NetworkConfig};
    ///
    /// let open = || -> Result<Host, bridgework::Error> {
    ///     let config = HostConfig::new().netns(Netns::create()?);
    ///     Host::open_with(config.store(Arc::new(Memory::new())))
    /// };
    /// let (old, new) = (open()?, open()?);
    /// old.create_network(NetworkConfig::bridge("web"))?.persist()?;
    /// new.import(&old.export()?)?;
    /// new.recover()?;
    /// assert_eq!(new.network("web")?.id(), old.network("web")?.id());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// The host keeps no records, or the state's form is not known; or a name, subnet, address or port
    /// is taken here ([`Error::is_exists`]), and then nothing is taken over.
    pub fn import(&self, state: &State) -> Result<()> {
        let attempt = "import state";
        let ledger = self.records_for(attempt)?;
        if state.format != State::FORMAT {
            let why = format!(
                "its form is {}, and this version reads {}",
                state.format,
                State::FORMAT
            );
            return Err(unusable(attempt, why));
        }
        let mut change = Change::new();
        for record in &state.records {
            let mut record = record.clone();
            (record.phase, record.tenure) = (Phase::There, Tenure::Kept);
            // what is imported is of no process
            record.owner = OwnerId::NOBODY;
            change = change.put(record, Expected::Absent);
        }
        let taken_over = ledger
            .hand_in(|| attempt.to_owned(), &change)
            .and_then(|()| self.0.registry.catch_up());
        taken_over.map_err(|error| error.during(attempt))
    }

    fn records_for(&self, attempt: &str) -> Result<&Ledger> {
        let ledger = self.0.registry.ledger();
        ledger.ok_or_else(|| unusable(attempt, "the host keeps no records".to_owned()))
    }
}

fn unusable(attempt: &str, why: String) -> Error {
    let fault = Fault::Store {
        doing: attempt.to_owned(),
        why,
        trouble: StoreTrouble::Unusable,
    };
    Error::of(attempt, vec![fault])
}
