//! A container that another process has connected is a member here, too: what the verbs know after
//! connecting is made of its record, and the kernel is not asked.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::addr::EndpointId;
use crate::driver::Exit;
use crate::error::{Error, Result};
use crate::event::EventKind;
use crate::plan::{Plan, Step};
use crate::record::{ContainerRecord, EndpointRecord};
use crate::spec::EndpointSpec;

use super::attachment::Attachment;
use super::detach::withdraw_from_memory;
use super::draft::lines_in;
use super::members::Member;
use super::names::{answers_inside, resolve_on};
use super::ties::Ties;
use super::{Life, Network};

impl Network {
    /// It is connected, or is going to be.
    pub(super) fn recall_member(
        &self,
        record: &EndpointRecord,
        container: Option<&ContainerRecord>,
    ) {
        let mut members = self.0.members.lock();
        match record.is_staged_only() {
            true => members.hold_elsewhere(&record.spec),
            false => {
                members.recall(Member {
                    spec: record.spec.clone(),
                    hosts: container.and_then(|container| container.hosts_file().cloned()),
                });
                self.0.registered.tell_of_other(|| EventKind::Connect {
                    network: (&self.0.spec).into(),
                    endpoint: (&record.spec).into(),
                });
            }
        }
    }

    /// What is needed to disconnect a member is known from now on.
    pub(super) fn recall_wire(
        &self,
        record: &EndpointRecord,
        container: Option<&ContainerRecord>,
    ) -> Result<()> {
        let spec = record.spec.clone();
        let (plan, staged) = self.plan_again(record, container)?;
        let registry = self.0.registered.registry();
        registry.foundation().kernel.recall(&plan);
        if record.is_staged_only() {
            return Ok(());
        }
        let identity = container.map(|container| container.namespace.identity);
        let wiring = registry.wirings().at(identity.unwrap_or_default());
        let place = wiring.recall_place(&spec.link.name);
        let wiring = Arc::clone(place.wiring());
        // what can't be read is told of by whoever serves it
        let _informed = container.map(|container| self.inform(&wiring, container));
        wiring.enter(spec.id, &self.0.spec, Exit::new(&self.0.spec, &spec, &plan));
        let ties = Ties {
            own: plan.steps().len(),
            plan,
            staged,
            hosts: container
                .and_then(|container| container.hosts_file())
                .cloned(),
            place,
            told: AtomicBool::new(true),
            spec,
        };
        self.publish_again(&ties);
        let name = ties.spec.container.clone();
        let ties = Arc::new(ties);
        registry.upkeep().begin(self, &ties, None);
        self.0.persisted.lock().insert(name, ties);
        Ok(())
    }

    /// All that was done for it, and how many steps of that came before its container.
    pub(super) fn plan_again(
        &self,
        record: &EndpointRecord,
        container: Option<&ContainerRecord>,
    ) -> Result<(Plan, usize)> {
        let (network, spec) = (&self.0.spec, &record.spec);
        let driver = self.0.driver.as_ref();
        let alone = |fault| Error::of("", vec![fault]);
        let Some(from) = &record.staged else {
            let mut plan = driver.connect(network, spec).map_err(alone)?;
            plan.extend(container.and_then(|container| own_lines(container, spec)));
            return Ok((plan, 0));
        };
        let before = EndpointSpec {
            link: from.clone(),
            ..spec.clone()
        };
        let mut plan = driver.stage(network, &before).map_err(alone)?;
        let staged = plan.steps().len();
        if !record.is_staged_only() {
            let (from, to) = (from.clone(), spec.link.clone());
            plan.push(Step::MoveLink { from, to });
            let joined = driver.join(network, spec).map_err(alone)?;
            plan.extend(joined.steps().iter().cloned());
            plan.extend(container.and_then(|container| own_lines(container, spec)));
        }
        Ok((plan, staged))
    }

    fn publish_again(&self, ties: &Ties) {
        if !resolve_on(&self.0.spec) {
            return;
        }
        self.publish_names(ties);
        if answers_inside(&self.0.spec) {
            ties.place.wiring().recall_names();
        }
    }

    /// Whether the endpoint is one of this process's, or was recalled.
    pub(super) fn knows(&self, endpoint: &EndpointId) -> bool {
        let members = self.0.members.lock();
        members.iter().any(|member| member.spec.id == *endpoint)
    }

    /// Another process has disconnected it, or is about to. Whoever has a handle to it has nothing
    /// left to do.
    pub(super) fn lose_endpoint(&self, spec: &EndpointSpec) {
        let is_it = |ties: &Arc<Ties>| ties.spec.id == spec.id;
        let attached = self.0.attached.lock().get(&spec.container).cloned();
        let attached = attached.and_then(|attached| attached.upgrade());
        let mut persisted = self.0.persisted.lock();
        let recalled = match persisted.get(&spec.container).is_some_and(is_it) {
            true => persisted.remove(&spec.container),
            false => None,
        };
        // before it can be persisted
        let is_let_go = |attached: &Arc<Attachment>| is_it(&attached.ties) && attached.let_go();
        let is_let_go = attached.as_ref().is_some_and(is_let_go);
        drop(persisted);
        let attached = attached.filter(|_| is_let_go);
        let of_handle = attached.as_ref().map(|attached| &attached.ties);
        if let Some(ties) = recalled.as_ref().or(of_handle) {
            withdraw_from_memory(self, ties);
        }
        if let Some(attached) = attached {
            attached.end();
        }
    }

    /// Another process has removed it, or is about to.
    pub(super) fn lose(&self) {
        self.0.registered.registry().upkeep().end_network(self.id());
        let former = std::mem::replace(&mut *self.0.life.lock(), Life::Removed);
        self.0.kernel.forget_plan(&self.0.plan);
        self.0.registered.cancel();
        self.0.registered.registry().keep_no_longer(self.id());
        if !matches!(former, Life::Removed) {
            self.0.registered.tell_of_other(|| EventKind::Destroy {
                network: (&self.0.spec).into(),
            });
        }
        drop(former);
    }
}

impl EndpointRecord {
    /// Whether its container's end is still on the host's side.
    pub(super) fn is_staged_only(&self) -> bool {
        self.staged.as_ref() == Some(&self.spec.link)
    }
}

/// The container's own lines in its hosts file.
fn own_lines(container: &ContainerRecord, spec: &EndpointSpec) -> Option<Step> {
    let named = (&container.hostname, container.domain.as_ref());
    lines_in(container.hosts_file()?, named, spec)
}
