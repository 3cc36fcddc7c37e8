//! The records of a host as a whole: taken elsewhere, and brought back.

use crate::error::{Error, Fault, Result, StoreTrouble};
use crate::network::{Concern, Ledger};
use crate::record::{Body, OwnerId, Phase, State, Tenure};
use crate::store::{Change, Expected};

use super::Host;

impl Host {
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
