//! The second half of connecting: a wire that was staged is put into service in its container. It
//! makes no wire, and on failure gives it back as it was.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::addr::{LinkIndex, MacAddr};
use crate::container::{Container, ResolvChange};
use crate::driver::{Exit, lead_out};
use crate::error::{Error, Fault, HandBack, Result};
use crate::firewall::guard_elements;
use crate::kernel::Claim;
use crate::plan::{ElementsEdit, Link, Plan, Side, Step};
use crate::snapshot::LinkState;
use crate::spec::EndpointSpec;
use crate::trace::operation;

use super::attachment::Attachment;
use super::connect::{NAME_TRIES, is_name_taken};
use super::draft::own_lines;
use super::endpoint::Endpoint;
use super::keeping::Intent;
use super::staged::StagedEndpoint;
use super::ties::Ties;
use super::unrecalled::Concern;
use super::wiring::{Place, link_prefix};

/// The container's end, where somebody has moved it into the container.
struct Found {
    link: Link,
    mac: Option<MacAddr>,
    up: bool,
}

impl StagedEndpoint {
    /// Puts the container's end into service inside its namespace: it is moved there, unless it is
    /// there already, and gets its addresses; names and default routes follow as with
    /// [`Network::connect_with`](crate::Network::connect_with). An end that is there already keeps
    /// its name.
    ///
    /// # Errors
    /// The container has another name; its end of the wire is in neither namespace
    /// ([`Error::is_not_found`]); and as for
    /// [`Network::connect_with`](crate::Network::connect_with). The endpoint is handed back, staged
    /// as before, to be joined again or deleted; an end that was there already stays there.
    pub fn join(self, container: &Container) -> std::result::Result<Endpoint, HandBack<Self>> {
        let operation = operation!("connect", self.network.name(), container);
        operation.concerns(self.spec.id);
        let begun = Instant::now();
        match self.try_join(container, begun) {
            Ok(endpoint) => {
                self.hand_on();
                Ok(endpoint)
            }
            Err(error) => {
                let attempt = format!("join {} to {}", container.name(), self.network.name());
                Err(HandBack::new(
                    operation.refused(error.during(attempt)),
                    self,
                ))
            }
        }
    }

    fn try_join(&self, container: &Container, begun: Instant) -> Result<Endpoint> {
        let (attachment, begin) = self.put_into(container)?;
        let endpoint = Endpoint::new(attachment);
        match self.network.introduce(&endpoint, begun) {
            Ok(()) => Ok(endpoint),
            Err(error) => Err(endpoint.step_back(begin, error)),
        }
    }

    /// What holds it there, and the first of its steps that was done for that. Where the name that
    /// was chosen is taken by somebody else, the next one is.
    fn put_into(&self, container: &Container) -> Result<(Arc<Attachment>, usize)> {
        self.network.catch_up_on(Concern::Container(container))?;
        let mut faults = self.in_the_way(container);
        if !faults.is_empty() {
            return Err(Error::of("", faults));
        }
        let found = self.find_in(container)?;
        let found = found.as_ref();
        let found_name = found.map(|found| &found.link.name);
        let wanted = found_name.or(self.spec.requested.link_name.as_ref());
        let wiring = self.network.0.registered.wirings().of(container.netns());
        let prefix = link_prefix(&self.network.0.spec);
        let placed = wiring.take_place((wanted, prefix), container.name(), &mut faults);
        let (Some(mut place), true) = (placed, faults.is_empty()) else {
            return Err(Error::of("", faults));
        };
        let _turn = wiring.take_turn();
        let mut foreign = Vec::new();
        loop {
            let spec = self.joined_spec(container, found, &place);
            let may_be_another = wanted.is_none() && foreign.len() < NAME_TRIES;
            match self.put_under(container, &spec, found, &place) {
                Ok((plan, own)) => {
                    let ties = self.ties(container, (spec, plan, own), place);
                    let attachment = Attachment::new(ties, self.network.clone(), container.clone());
                    return Ok((attachment, self.begin(found)));
                }
                Err(error) if may_be_another && is_name_taken(&error, &spec) => {
                    let next = wiring.take_next(prefix);
                    let next = next.map_err(|fault| Error::of("", vec![fault]))?;
                    // it stays held until another one is found
                    foreign.push(std::mem::replace(&mut place, next));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The kernel's part: all steps of the endpoint, and how many of them are its own.
    fn put_under(
        &self,
        container: &Container,
        spec: &EndpointSpec,
        found: Option<&Found>,
        place: &Place,
    ) -> Result<(Plan, usize)> {
        let wiring = place.wiring();
        let record = self.network.ledger().map(|_| container.record());
        let mut plan = self.joining(container, spec, found)?;
        let exit = Exit::new(self.network.spec(), spec, &plan);
        let own = lead_out(&mut plan, &spec.link, wiring.moves_with(&exit));
        let resolv = self.network.resolv_with(container, spec);
        plan.extend(resolv.as_ref().and_then(ResolvChange::step));
        let ports = self.network.ports_with(wiring, (spec, &exit))?;
        plan.extend(ports.steps().iter().cloned());
        let mut ahead = Plan::with_container(container.name().clone());
        ahead.extend(plan.steps().iter().skip(self.begin(found)).cloned());
        if let Some(record) = &record {
            let text = resolv.as_ref().map(ResolvChange::text);
            let intent = Intent::new(spec, record, (wiring.outcome(&ports), text));
            self.network.intend(intent.staged(&self.spec.link))?;
        }
        let kernel = self.network.kernel();
        let applied = kernel.apply(&ahead, Some(container.netns()));
        let answered = applied.and_then(|()| {
            self.network
                .answer((wiring, container), Claim::Vacant, &ahead)
        });
        let names =
            answered.inspect_err(|_| self.network.write_staged(&self.spec, spec.container_id))?;
        plan.extend(names.step());
        wiring.settle_names(names);
        wiring.enter(spec.id, self.network.spec(), exit);
        let _came = wiring.settle_ports(kernel, ports);
        resolv.into_iter().for_each(ResolvChange::settle);
        Ok((plan, own))
    }

    /// The first step that is still to be done: somebody may have moved the link already.
    fn begin(&self, found: Option<&Found>) -> usize {
        self.plan.steps().len() + usize::from(found.is_some())
    }

    fn ties(
        &self,
        container: &Container,
        (spec, plan, own): (EndpointSpec, Plan, usize),
        place: Place,
    ) -> Ties {
        Ties {
            spec,
            plan,
            own,
            staged: self.plan.steps().len(),
            hosts: container.hosts_file().cloned(),
            place,
            told: AtomicBool::default(),
        }
    }

    /// Why it can't be that container's, wherever its wire is.
    fn in_the_way(&self, container: &Container) -> Vec<Fault> {
        let mut faults = Vec::from_iter(self.network.refuses(container));
        let (name, own) = (container.name(), &self.spec.container);
        if name != own {
            let why = format!("container {name} and an endpoint staged for {own}");
            faults.push(Fault::Conflicting(why));
        }
        faults
    }

    /// All steps of the endpoint: those that staged it, the move, and those that are left.
    fn joining(
        &self,
        container: &Container,
        spec: &EndpointSpec,
        found: Option<&Found>,
    ) -> Result<Plan> {
        let mut plan = Plan::with_container(container.name().clone());
        plan.extend(self.plan.steps().iter().cloned());
        plan.push(Step::MoveLink {
            from: self.spec.link.clone(),
            to: spec.link.clone(),
        });
        if found.is_some_and(|found| found.up) {
            // what the kernel and the wire have given it since goes, as by a move
            let link = spec.link.clone();
            plan.push(Step::SetDown { link });
        }
        if spec.mac != self.spec.mac {
            // the caller has given it another one, and it may use that
            plan.extend(self.guard_anew(spec));
        }
        let joined = self.network.0.driver.join(&self.network.0.spec, spec);
        let joined = joined.map_err(|fault| Error::of("", vec![fault]))?;
        plan.extend(joined.steps().iter().cloned());
        plan.extend(own_lines(container, spec));
        Ok(plan)
    }

    /// The container's end, if somebody has moved it there. Name, index and hardware address may be
    /// others by now; it is known by the end that it leads to.
    fn find_in(&self, container: &Container) -> Result<Option<Found>> {
        let snapshot = container.netns().snapshot()?;
        let near = Some(self.spec.host_link.index.get());
        let is_ours = |state: &&LinkState| state.peer == near;
        let Some(state) = snapshot.links.iter().find(is_ours) else {
            return Ok(None);
        };
        let (name, index) = (state.name.parse()?, LinkIndex::new(state.index)?);
        Ok(Some(Found {
            link: Link::new(Side::Container, name, index),
            mac: state.mac,
            up: state.up,
        }))
    }

    /// What the filter knows of it is as in `spec`, if it knows anything.
    fn guard_anew(&self, spec: &EndpointSpec) -> Option<Step> {
        let remove = guard_elements(&self.spec);
        let mut steps = self.plan.steps().iter();
        let is_guarded = steps.any(|step| match step {
            Step::EditElements(edit) => remove.iter().all(|element| edit.add.contains(element)),
            _ => false,
        });
        let add = guard_elements(spec);
        is_guarded.then_some(Step::EditElements(ElementsEdit {
            remove,
            add,
            ..ElementsEdit::default()
        }))
    }

    fn joined_spec(
        &self,
        container: &Container,
        found: Option<&Found>,
        place: &Place,
    ) -> EndpointSpec {
        let index = found.map_or(self.spec.link.index, |found| found.link.index);
        EndpointSpec {
            container_id: container.id(),
            hostname: container.hostname().clone(),
            mac: found.and_then(|found| found.mac).unwrap_or(self.spec.mac),
            link: Link::new(Side::Container, place.name.clone(), index),
            ..self.spec.clone()
        }
    }
}
