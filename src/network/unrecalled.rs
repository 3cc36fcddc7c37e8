//! Endpoints of other processes that are known by their records alone. A host that only comes, does one
//! thing and goes has to do with one container: what was done for all others is not thought out again.
//! What a record means for a network is `follow`'s and `recall`'s business; here is only when.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::addr::{ContainerId, EndpointId, NamespaceId};
use crate::container::Container;
use crate::error::Result;
use crate::record::EndpointRecord;
use crate::spec::EndpointSpec;

use super::Network;
use super::detach::disconnected;
use super::ledger::Ledger;
use super::registry::Registry;

/// Whom a verb has to do with, of those that other processes have connected.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Concern<'a> {
    /// All of them.
    All,
    /// A container, and whoever else has its network namespace.
    Container(&'a Container),
    /// The container of that name, and whoever else has its network namespace.
    Named(&'a str),
    /// None: which networks there are and who is on them is all that it asks.
    None,
}

/// Those that are members of their networks, and of which nothing else is known yet, in the order of their
/// records.
#[derive(Debug, Default)]
pub(crate) struct Unrecalled(Vec<Arc<EndpointRecord>>);

impl Unrecalled {
    /// One that is no member yet; a staged one may be known already, as it was before.
    pub(super) fn add(&mut self, record: &Arc<EndpointRecord>) {
        if record.is_staged_only() {
            let _as_it_was = self.take(record.spec.id);
        }
        self.0.push(Arc::clone(record));
    }

    fn take(&mut self, endpoint: EndpointId) -> Option<Arc<EndpointRecord>> {
        let at = self
            .0
            .iter()
            .position(|record| record.spec.id == endpoint)?;
        Some(self.0.remove(at))
    }

    fn containers(&self) -> HashSet<ContainerId> {
        let containers = self.0.iter().map(|record| record.spec.container_id);
        containers.collect()
    }

    /// Those that it concerns are not here any more. A container of no record may have any namespace.
    fn take_those(&mut self, ledger: &Ledger, concern: Concern<'_>) -> Vec<Arc<EndpointRecord>> {
        let stack = |id| ledger.container(id).map(|record| record.namespace.identity);
        let of_stack = |identities: &[NamespaceId], record: &EndpointRecord| {
            stack(record.spec.container_id).is_none_or(|one| identities.contains(&one))
        };
        let concerned: Box<dyn Fn(&EndpointRecord) -> bool> = match concern {
            Concern::None => return Vec::new(),
            Concern::All => return std::mem::take(&mut self.0),
            Concern::Container(container) => {
                let identity = container.netns().identity();
                Box::new(move |record| of_stack(&[identity], record))
            }
            Concern::Named(name) => {
                let named = self.0.iter();
                let named = named.filter(|record| record.spec.container.as_str() == name);
                let stacks = named.filter_map(|record| stack(record.spec.container_id));
                let stacks: Vec<_> = stacks.collect();
                Box::new(move |record| of_stack(&stacks, record))
            }
        };
        let all = std::mem::take(&mut self.0).into_iter();
        let (taken, left) = all.partition(|record| concerned(record));
        self.0 = left;
        taken
    }
}

impl Registry {
    /// Takes account of what other processes have done since this was called last: all of it.
    pub(crate) fn catch_up(self: &Arc<Self>) -> Result<()> {
        self.catch_up_on(Concern::All)
    }

    /// As [`catch_up`](Self::catch_up), but what was done for endpoints of others is thought out again
    /// only as far as it is of any concern, unless somebody keeps an eye on all of them here.
    pub(crate) fn catch_up_on(self: &Arc<Self>, concern: Concern<'_>) -> Result<()> {
        let Some(ledger) = self.ledger() else {
            return Ok(());
        };
        let mut following = self.following.lock();
        let news = ledger.news()?;
        for record in &news.gone {
            self.lose(&mut following, record);
        }
        if let Err(error) = self.follow(ledger, &news, &mut following) {
            ledger.tell_again(news);
            return Err(error);
        }
        let concern = match self.attends_to_all.load(Ordering::Relaxed) {
            true => Concern::All,
            false => concern,
        };
        self.recall_those(ledger, concern, &mut following)
    }

    /// From now on all that others do is thought out as it becomes known.
    pub(crate) fn attend_to_all(&self) {
        self.attends_to_all.store(true, Ordering::Relaxed);
    }

    /// Whether there is anybody of whom only the record is known.
    pub(super) fn knows_in_part(&self) -> bool {
        !self.following.lock().0.is_empty()
    }

    fn recall_those(
        self: &Arc<Self>,
        ledger: &Ledger,
        concern: Concern<'_>,
        following: &mut Unrecalled,
    ) -> Result<()> {
        let mut containers = Vec::new();
        let mut records = following.take_those(ledger, concern).into_iter();
        while let Some(record) = records.next() {
            let id = record.spec.container_id;
            if let Some(network) = self.network_at(record.spec.network) {
                let recalled = network.recall_wire(&record, ledger.container(id).as_deref());
                if let Err(error) = recalled {
                    let rest = std::iter::once(record).chain(records);
                    following.0.splice(..0, rest);
                    return Err(error);
                }
            }
            containers.push(id);
        }
        self.recall_ports_of(ledger, containers, following);
        Ok(())
    }

    /// As far as all their endpoints are known.
    pub(super) fn recall_ports_of(
        self: &Arc<Self>,
        ledger: &Ledger,
        mut containers: Vec<ContainerId>,
        following: &Unrecalled,
    ) {
        containers.sort();
        containers.dedup();
        let unrecalled = following.containers();
        containers.retain(|id| !unrecalled.contains(id));
        for container in containers.into_iter().filter_map(|id| ledger.container(id)) {
            self.recall_ports(&container);
        }
    }

    /// Tries it with what it has to do with in sight; what is refused then is tried again with all of it
    /// in sight, since what is in the way may be somebody else's.
    pub(crate) fn attempt_on<T>(
        self: &Arc<Self>,
        concern: Concern<'_>,
        mut verb: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        self.catch_up_on(concern)?;
        let done = self.persevere(&mut verb);
        let done = match done {
            Err(error) if error.left_behind().is_empty() && self.knows_in_part() => {
                self.attempt(verb)
            }
            done => done,
        };
        // what others lack by then is found by whoever recovers
        let _left_to_recovery = self.mend_for_all();
        done
    }

    /// Where the tables were gone, they were made again with what was known of by then.
    fn mend_for_all(self: &Arc<Self>) -> Result<()> {
        let kernel = &self.foundation().kernel;
        if !(self.knows_in_part() && kernel.has_mended_filter()) {
            return Ok(());
        }
        self.catch_up()?;
        kernel.mend_filter(|| self.catch_up()).map(|_mended| ())
    }
}

impl Network {
    /// It is gone before anything but its record was known here.
    pub(super) fn lose_unrecalled(&self, following: &mut Unrecalled, spec: &EndpointSpec) -> bool {
        let Some(lost) = following.take(spec.id) else {
            return false;
        };
        if !lost.is_staged_only() {
            self.0.members.lock().lose_sight(&spec.id);
            let registered = &self.0.registered;
            registered.tell_of_other(|| disconnected(self, spec));
        }
        true
    }

    /// As [`Registry::attempt_on`].
    pub(super) fn attempt_on<T>(
        &self,
        concern: Concern<'_>,
        verb: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let registry = self.0.registered.registry();
        registry.attempt_on(concern, verb)
    }

    /// As [`Registry::catch_up_on`].
    pub(super) fn catch_up_on(&self, concern: Concern<'_>) -> Result<()> {
        self.0.registered.registry().catch_up_on(concern)
    }
}
