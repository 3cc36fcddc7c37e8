//! What the verbs write down for other processes: what is coming before the kernel is asked, what is
//! there once it agreed, what is going before the first step back. Where nothing is kept for others,
//! all of it does nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::addr::{ContainerId, ContainerName, EndpointId, PortMapping, PublishedPort};
use crate::container::Container;
use crate::error::{Error, Result};
use crate::plan::Link;
use crate::record::{
    Body, ContainerRecord, EndpointRecord, Key, NetworkRecord, OwnerId, Phase, Record, Reservation,
    Tenure,
};
use crate::spec::{EndpointSpec, NetworkSpec};
use crate::store::{Change, Expected};

use super::Network;
use super::detach::Departure;
use super::ledger::{Ledger, is_overtaken};
use super::registry::Registry;

/// So often may others change a record while this process is about to.
const REWRITE_TRIES: usize = 64;

/// What is published of a container, as it was asked for and as it is.
pub(super) type Published = BTreeMap<PortMapping, Vec<PublishedPort>>;

impl Registry {
    /// Writes down how far a network has come.
    pub(crate) fn write_network(
        &self,
        network: &NetworkRecord,
        (phase, tenure): (Phase, Tenure),
    ) -> Result<()> {
        let Some(ledger) = self.ledger() else {
            return Ok(());
        };
        let body = Body::Network(Arc::new(network.clone()));
        let record = ledger.record(body, phase, tenure);
        let expected = ledger.expected(&record.key());
        let change = Change::new().put(record, expected);
        ledger.write(|| format!("keep network {}", network.spec.name), &change)
    }

    /// The network is none any more.
    pub(crate) fn strike_network(&self, spec: &NetworkSpec) -> Result<()> {
        let Some(ledger) = self.ledger() else {
            return Ok(());
        };
        let key = Body::network_key(spec.id);
        let mut change = ledger.strike_reservations(|kept| kept.network == spec.id);
        change.delete.push((key, Expected::Anything));
        ledger.write(|| format!("strike network {}", spec.name), &change)
    }

    /// A container is remembered from now on whether it is on any network or not.
    pub(crate) fn keep_container(&self, container: &Container) -> Result<()> {
        let Some(ledger) = self.ledger() else {
            return Ok(());
        };
        let mut record = container.record();
        if let Some(former) = ledger.container(record.id) {
            record.published = former.published.clone();
            record.residence = former.residence;
        }
        let opener = ledger.opener_elsewhere(record.id);
        let change = ledger.put_container_of(opener, record, Tenure::Kept);
        ledger.write(|| format!("keep container {}", container.name()), &change)?;
        container.leave_files();
        Ok(())
    }

    /// It is remembered only as long as it is on a network, or has no wires and is open here.
    pub(crate) fn keep_container_no_longer(
        self: &Arc<Self>,
        container: &ContainerRecord,
    ) -> Result<()> {
        let Some(ledger) = self.ledger() else {
            return Ok(());
        };
        let is_open = || self.containers().iter().any(|one| one.id() == container.id);
        let is_lodger = !container.stack.is_own();
        let opener = ledger.opener_elsewhere(container.id);
        let is_open_anywhere = || opener.is_some() || is_open();
        if ledger.is_on_a_network(container.id, None) || is_lodger && is_open_anywhere() {
            let change = ledger.put_container_of(opener, container.clone(), Tenure::Held);
            return ledger.write(|| format!("forget container {}", container.name), &change);
        }
        match ledger.get(&Body::container_key(container.id)) {
            Some(record) => self.drop_record(&record),
            None => Ok(()),
        }
    }
}

impl Ledger {
    /// The container of that id.
    pub(crate) fn container(&self, id: ContainerId) -> Option<Arc<ContainerRecord>> {
        match self.get(&Body::container_key(id))?.body {
            Body::Container(container) => Some(container),
            _ => None,
        }
    }

    /// All of them.
    pub(crate) fn containers(&self) -> Vec<Arc<ContainerRecord>> {
        let mut containers = Vec::new();
        self.each(|record| {
            if let Body::Container(container) = &record.body {
                containers.push(Arc::clone(container));
            }
        });
        containers
    }

    /// Whether the container is on a network by another endpoint than this one.
    pub(crate) fn is_on_a_network(
        &self,
        container: ContainerId,
        besides: Option<EndpointId>,
    ) -> bool {
        self.any(|record| match &record.body {
            Body::Endpoint(endpoint) => {
                let spec = &endpoint.spec;
                spec.container_id == container && Some(spec.id) != besides
            }
            _ => false,
        })
    }

    /// Whether the container's record goes with this endpoint.
    fn ends_with(&self, container: ContainerId, endpoint: EndpointId) -> bool {
        let record = self.get(&Body::container_key(container));
        record.is_some_and(|record| record.tenure == Tenure::Held)
            && !self.is_on_a_network(container, Some(endpoint))
    }

    fn strike_reservations(&self, which: impl Fn(&Reservation) -> bool) -> Change {
        let mut change = Change::new();
        self.each(|record| match &record.body {
            Body::Reservation(kept) if which(kept) => {
                change.delete.push((record.key(), Expected::Anything));
            }
            _ => {}
        });
        change
    }

    /// The container as it is now, kept as long as it was to be.
    fn update_container(&self, change: Change, container: ContainerRecord) -> Change {
        let former = self.get(&Body::container_key(container.id));
        let tenure = former.map_or(Tenure::Held, |record| record.tenure);
        self.put_container(change, container, tenure)
    }

    /// The other process that has it open as one without a wire, if one has.
    pub(super) fn opener_elsewhere(&self, container: ContainerId) -> Option<OwnerId> {
        let record = self.get(&Body::container_key(container))?;
        let Body::Container(container) = &record.body else {
            return None;
        };
        let is_lodger = !container.stack.is_own();
        let opener = Some(record.owner).filter(|owner| is_lodger && *owner != self.owner());
        opener.filter(|owner| *owner != OwnerId::NOBODY && self.is_alive(*owner))
    }

    /// As that process's; as this one's, if there is none.
    fn put_container_of(
        &self,
        opener: Option<OwnerId>,
        container: ContainerRecord,
        tenure: Tenure,
    ) -> Change {
        let mut change = self.put_container(Change::new(), container, tenure);
        for (record, _) in &mut change.put {
            record.owner = opener.unwrap_or(record.owner);
        }
        change
    }

    fn put_container(&self, change: Change, container: ContainerRecord, tenure: Tenure) -> Change {
        let key = Body::container_key(container.id);
        let body = Body::Container(Arc::new(container));
        let record = self.record(body, Phase::There, tenure);
        let expected = self.expected(&key);
        change.put(record, expected)
    }

    fn endpoint(&self, endpoint: EndpointRecord, phase: Phase, tenure: Tenure) -> Record {
        self.record(Body::Endpoint(Arc::new(endpoint)), phase, tenure)
    }
}

/// What is coming: an endpoint, and what becomes of its container by it.
pub(super) struct Intent {
    pub(super) endpoint: EndpointRecord,
    pub(super) container: Option<ContainerRecord>,
}

impl Intent {
    /// That of connecting a container.
    pub(super) fn new(
        spec: &EndpointSpec,
        container: &ContainerRecord,
        (published, resolv): (Published, Option<String>),
    ) -> Self {
        let mut container = container.clone();
        container.published = published;
        if let (Some(kept), Some(text)) = (&mut container.files.resolv, resolv) {
            kept.2 = text;
        }
        Self {
            endpoint: EndpointRecord {
                spec: spec.clone(),
                staged: None,
            },
            container: Some(container),
        }
    }

    /// That of making a wire for a container that is not there yet, or of one that has such a wire.
    pub(super) fn staged(self, from: &Link) -> Self {
        let staged = Some(from.clone());
        let endpoint = EndpointRecord {
            staged,
            ..self.endpoint
        };
        Self { endpoint, ..self }
    }

    pub(super) fn without_container(spec: &EndpointSpec) -> Self {
        let (spec, staged) = (spec.clone(), None);
        Self {
            endpoint: EndpointRecord { spec, staged },
            container: None,
        }
    }
}

impl Network {
    pub(super) fn ledger(&self) -> Option<&Ledger> {
        self.0.registered.registry().ledger()
    }

    /// What others have done since is known.
    pub(super) fn catch_up(&self) -> Result<()> {
        self.0.registered.registry().catch_up()
    }

    pub(crate) fn record(&self) -> NetworkRecord {
        self.0.record()
    }

    pub(super) fn write(&self, phase: Phase, tenure: Tenure) -> Result<()> {
        let registry = self.0.registered.registry();
        registry.write_network(&self.record(), (phase, tenure))
    }

    /// Before the kernel is asked for anything.
    pub(super) fn intend(&self, intent: Intent) -> Result<()> {
        let Some(ledger) = self.ledger() else {
            return Ok(());
        };
        let name = intent.endpoint.spec.container.clone();
        let key = Body::endpoint_key(intent.endpoint.spec.id);
        let tenure = ledger
            .get(&key)
            .map_or(Tenure::Held, |record| record.tenure);
        let record = ledger.endpoint(intent.endpoint, Phase::Coming, tenure);
        let mut change = Change::new().put(record, ledger.expected(&key));
        if let Some(container) = intent.container {
            change = ledger.update_container(change, container);
        }
        let doing = || format!("keep the endpoint of {name} on {}", self.name());
        ledger.write(doing, &change)
    }

    /// The kernel agreed. One that somebody has begun to take back is not there again.
    pub(super) fn confirm(&self, endpoint: EndpointId) -> Result<()> {
        let confirmed = self.rewrite(endpoint, |record| {
            if record.phase == Phase::Coming {
                record.phase = Phase::There;
            }
        });
        match confirmed {
            Err(error) if is_overtaken(&error) && !self.is_coming(endpoint) => Ok(()),
            confirmed => confirmed,
        }
    }

    fn is_coming(&self, endpoint: EndpointId) -> bool {
        let key = Body::endpoint_key(endpoint);
        let record = self.ledger().and_then(|ledger| ledger.get(&key));
        record.is_some_and(|record| record.phase == Phase::Coming)
    }

    /// It stays when the process ends. Another one may have said so meanwhile.
    pub(super) fn write_kept(&self, endpoint: EndpointId) -> Result<()> {
        let mut tries = 1;
        loop {
            match self.rewrite(endpoint, |record| record.tenure = Tenure::Kept) {
                Err(error) if is_overtaken(&error) && tries < REWRITE_TRIES => tries += 1,
                written => return written,
            }
            let _known = self.ledger().map(Ledger::look).transpose()?;
        }
    }

    /// Where nobody else has written it meanwhile.
    fn rewrite(&self, endpoint: EndpointId, act: impl FnOnce(&mut Record)) -> Result<()> {
        self.rewrite_as(endpoint, Ledger::expected, act)
    }

    fn rewrite_as(
        &self,
        endpoint: EndpointId,
        expected: impl FnOnce(&Ledger, &Key) -> Expected,
        act: impl FnOnce(&mut Record),
    ) -> Result<()> {
        let Some(ledger) = self.ledger() else {
            return Ok(());
        };
        let key = Body::endpoint_key(endpoint);
        let Some(mut record) = ledger.get(&key) else {
            return Ok(());
        };
        act(&mut record);
        record.owner = ledger.owner();
        let change = Change::new().put(record, expected(ledger, &key));
        ledger.write(|| format!("keep endpoint {}", endpoint.short()), &change)
    }

    /// The kernel refused. What could not be taken back is left to whoever recovers.
    pub(super) fn retract(&self, spec: &EndpointSpec, error: &Error) {
        if error.left_behind().is_empty() {
            let _left_to_recovery = self.strike(spec, None);
        } else {
            let _left_to_recovery = self.rewrite(spec.id, |record| record.phase = Phase::Going);
        }
    }

    /// Before the first step back. A store that can't be written keeps nobody from leaving: whoever
    /// recovers finds the record as of one that is there.
    pub(super) fn write_going(&self, spec: &EndpointSpec) {
        let whatever_it_is = |_: &Ledger, _: &Key| Expected::Anything;
        let going = |record: &mut Record| record.phase = Phase::Going;
        let _left_to_recovery = self.rewrite_as(spec.id, whatever_it_is, going);
    }

    /// It is on its way again, as it was staged, and not in that container any more.
    pub(super) fn write_staged(&self, spec: &EndpointSpec, container: ContainerId) {
        let Some(ledger) = self.ledger() else { return };
        let intent = Intent::without_container(spec).staged(&spec.link);
        let key = Body::endpoint_key(spec.id);
        let record = ledger.endpoint(intent.endpoint, Phase::There, Tenure::Held);
        let mut change = Change::new().put(record, ledger.expected(&key));
        if ledger.ends_with(container, spec.id) {
            change = change.delete(Body::container_key(container), Expected::Anything);
        }
        let doing = || format!("keep the endpoint of {}", spec.container);
        let _left_to_recovery = ledger.write(doing, &change);
    }

    /// It is gone, and its container's record with the last of them. What others have made of that
    /// meanwhile is looked at again.
    pub(super) fn strike(
        &self,
        spec: &EndpointSpec,
        departure: Option<&Departure<'_>>,
    ) -> Result<()> {
        let Some(ledger) = self.ledger() else {
            return Ok(());
        };
        let doing = || format!("strike the endpoint of {}", spec.container);
        for _ in 1..REWRITE_TRIES {
            match ledger.write(doing, &self.striking(ledger, spec, departure)) {
                Err(error) if is_overtaken(&error) => ledger.look()?,
                struck => return struck,
            }
        }
        ledger.write(doing, &self.striking(ledger, spec, departure))
    }

    fn striking(
        &self,
        ledger: &Ledger,
        spec: &EndpointSpec,
        departure: Option<&Departure<'_>>,
    ) -> Change {
        let change = Change::new().delete(Body::endpoint_key(spec.id), Expected::Anything);
        let container = Body::container_key(spec.container_id);
        if ledger.ends_with(spec.container_id, spec.id) {
            let expected = ledger.expected(&container);
            return change.delete(container, expected);
        }
        match ledger.container(spec.container_id) {
            Some(former) => {
                let left = self.container_without(&former, departure);
                ledger.update_container(change, left)
            }
            None => change,
        }
    }

    fn container_without(
        &self,
        container: &ContainerRecord,
        departure: Option<&Departure<'_>>,
    ) -> ContainerRecord {
        let mut container = container.clone();
        if let Some(Departure { ties, .. }) = departure {
            let mut published = ties.place.wiring().publications();
            let besides = Some(ties.spec.id);
            let is_elsewhere = self
                .ledger()
                .is_some_and(|ledger| ledger.is_on_a_network(container.id, besides));
            // what whoever has connected it there publishes stays, whether it is known here or not
            if is_elsewhere {
                published.retain(|mapping, _| container.published.contains_key(mapping));
                container.published.append(&mut published);
            } else {
                container.published = published;
            }
        }
        // one that was opened again for this alone is known to nobody else
        let opened = departure.and_then(|departure| departure.container.cloned());
        let handle = opened.or_else(|| self.0.registered.handle(container.id));
        if let Some(handle) = handle {
            container.files = handle.record().files;
        }
        container
    }

    /// What is published of a running container from now on.
    pub(super) fn write_published(&self, id: ContainerId, published: Published) -> Result<()> {
        let Some(ledger) = self.ledger() else {
            return Ok(());
        };
        let Some(container) = ledger.container(id) else {
            return Ok(());
        };
        let name = container.name.clone();
        let container = ContainerRecord {
            published,
            ..ContainerRecord::clone(&container)
        };
        let change = ledger.update_container(Change::new(), container);
        ledger.write(|| format!("keep the ports of {name}"), &change)
    }

    pub(super) fn write_reservation(&self, kept: Reservation) -> Result<()> {
        let Some(ledger) = self.ledger() else {
            return Ok(());
        };
        let doing = format!("reserve {} for {}", kept.address, kept.container);
        let body = Body::Reservation(kept);
        if ledger
            .get(&body.key())
            .is_some_and(|record| record.body == body)
        {
            return Ok(());
        }
        let record = ledger.record(body, Phase::There, Tenure::Kept);
        let change = Change::new().put(record, Expected::Absent);
        ledger.write(|| doing, &change)
    }

    pub(super) fn strike_reservations(&self, of: &ContainerName) -> Result<()> {
        let Some(ledger) = self.ledger() else {
            return Ok(());
        };
        let is_of_it = |kept: &Reservation| kept.network == self.id() && kept.container == *of;
        let change = ledger.strike_reservations(is_of_it);
        ledger.write(|| format!("unreserve addresses of {of}"), &change)
    }
}
