//! One process does for all containers of a host's records what takes a process: their questions are
//! answered, their ports are held, and what the kernel can't lead there is carried over. It follows what
//! other processes connect and disconnect.

use std::sync::{Arc, Weak};

use crate::error::{Error, Result};
use crate::kernel::Claim;
use crate::plan::Plan;
use crate::record::{Body, ContainerRecord, Phase, Revision};
use crate::resolver::ResolvOverrides;

use super::Network;
use super::detach::{Departure, stop_answering};
use super::ledger::Ledger;
use super::names::{answers_inside, resolve_on};
use super::registry::Registry;
use super::ties::Ties;
use super::wiring::Wiring;

impl Registry {
    /// Serves all that other processes have connected and that is not served yet, if anything was
    /// written since `served`, which says what is. What went wrong is tried again the next time.
    pub(crate) fn serve(self: &Arc<Self>, served: &mut Option<Revision>) -> Result<()> {
        self.catch_up()?;
        let now = {
            // nobody is between hearing of something and making it known
            let _in_order = self.following.lock();
            self.ledger().and_then(Ledger::revision)
        };
        if *served == now {
            return Ok(());
        }
        let mut results = vec![self.serve_gateways()];
        results.extend(self.networks().into_iter().flat_map(|network| {
            let persisted: Vec<Arc<Ties>> = network.0.persisted.lock().values().cloned().collect();
            persisted.into_iter().map(move |ties| network.serve(&ties))
        }));
        super::join(results)?;
        *served = now;
        Ok(())
    }
}

impl Registry {
    /// Containers that are answered here are so from now on, as far as `claim` says.
    pub(crate) fn claim_names(self: &Arc<Self>, claim: Claim) -> Result<()> {
        let listen = || self.catch_up();
        self.names()
            .map_or(Ok(()), |names| names.claim(claim, listen))
    }

    /// Others' networks that are to be asked at their gateways are, from now on.
    fn serve_gateways(&self) -> Result<()> {
        // whoever comes meanwhile would not be welcomed
        let _in_order = self.following.lock();
        let networks = self.networks();
        super::join(networks.iter().map(Network::serve_gateway))
    }
}

impl Network {
    fn serve_gateway(&self) -> Result<()> {
        if self.0.gateway.lock().is_some() {
            return Ok(());
        }
        self.open_gateway()?;
        let persisted = self.0.persisted.lock();
        let attached = self.0.attached.lock();
        let attached = attached.values().filter_map(Weak::upgrade);
        let attached: Vec<_> = attached.map(|a| Arc::clone(&a.ties)).collect();
        if let Some(gateway) = self.0.gateway.lock().as_ref() {
            for ties in persisted.values().chain(&attached) {
                gateway.welcome(&ties.spec, &ties.place.wiring().client());
            }
        }
        Ok(())
    }

    fn serve(&self, ties: &Ties) -> Result<()> {
        let wiring = ties.place.wiring();
        let registry = self.0.registered.registry();
        if registry.names().is_some() && resolve_on(&self.0.spec) {
            self.inform_anew(ties)?;
            if answers_inside(&self.0.spec) && !wiring.is_answered() {
                self.answer_recalled(ties)?;
            }
        }
        let held = wiring.hold_ports(registry.host_ports());
        held.map_err(|faults| Error::of("hold published ports", faults))?;
        self.carry_over(wiring)
    }

    /// Wherever a container is answered, it is by what it wants, also if it wants something else since.
    fn inform_anew(&self, ties: &Ties) -> Result<()> {
        let ledger = self.0.registered.registry().ledger();
        let record = ledger.and_then(|ledger| ledger.container(ties.spec.container_id));
        let wiring = ties.place.wiring();
        match record.filter(|record| wiring.is_news(&record.dns)) {
            Some(record) => self.inform(wiring, &record),
            None => Ok(()),
        }
    }

    /// What a container wants of who answers it, before anybody does.
    pub(super) fn inform(&self, wiring: &Wiring, record: &ContainerRecord) -> Result<()> {
        if self.0.registered.registry().names().is_some() {
            let overrides = ResolvOverrides::of_record(&record.dns)?;
            wiring.inform(&record.dns, self.outlook(&overrides));
        }
        Ok(())
    }

    /// A container whose namespace is gone asks nothing.
    fn answer_recalled(&self, ties: &Ties) -> Result<()> {
        let Some(container) = self.0.registered.container(ties.spec.container_id) else {
            return Ok(());
        };
        let wiring = ties.place.wiring();
        let _turn = wiring.take_turn();
        let nothing = Plan::with_container(container.name().clone());
        let names = self.answer((wiring, &container), Claim::Any, &nothing)?;
        wiring.settle_names(names);
        match self.is_there_still(ties)? {
            true => Ok(()),
            // whoever disconnects it meanwhile may have ended the leading before it began here
            false => {
                let container = Some(&container);
                let network = self;
                let departure = Departure {
                    network,
                    ties,
                    container,
                };
                stop_answering(&departure, &[ties.spec.id])
            }
        }
    }

    fn is_there_still(&self, ties: &Ties) -> Result<bool> {
        let Some(ledger) = self.ledger() else {
            return Ok(true);
        };
        ledger.look()?;
        let record = ledger.get(&Body::endpoint_key(ties.spec.id));
        Ok(record.is_some_and(|record| record.phase == Phase::There))
    }
}
