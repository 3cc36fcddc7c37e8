//! The published ports of one stack, and the doors by which they are reached now. They are the
//! container's, as its default routes are, and follow these from network to network. What is
//! decided here is done by a plan.

mod publication;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::addr::{ContainerName, Family, PortMapping, PublishedPort};
use crate::error::{Fault, Result as Done};
use crate::firewall::{Door, needs_addresses, stale_flows};
use crate::kernel::{HostPorts, Relay};
use crate::plan::nft::Element;
use crate::plan::{ConfScope, ElementsEdit, Ipv4Conf, PortOptions, Side, Step, Switch, Sysctl};
use crate::record::ContainerRecord;
use publication::{Publication, host_addresses, wish};

/// What is published of one stack.
#[derive(Debug, Default)]
pub(super) struct Ports {
    /// In the order in which they came.
    publications: Vec<Publication>,
    doors: Vec<Door>,
}

/// Where ports are taken from, and for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct PortSource<'a> {
    pub(super) ports: &'a HostPorts,
    pub(super) container: &'a ContainerName,
}

/// What is going to be published. Dropping it gives back what was not held before.
#[derive(Debug)]
pub(super) struct PortsChange {
    effect: Effect,
    steps: Vec<Step>,
    given_up: Vec<GivenUp>,
}

/// A mapping for which somebody else has the port where it would have to be.
#[derive(Debug)]
pub(super) struct GivenUp {
    pub(super) mapping: PortMapping,
    pub(super) why: Vec<Fault>,
}

#[derive(Debug)]
enum Effect {
    /// These come, and all others are as they were.
    Come(Vec<Publication>),
    /// This goes, and all others are as they were.
    Goes(PortMapping),
    /// All that there was of these is otherwise.
    Whole(Ports, Vec<PortMapping>),
}

impl Ports {
    /// The ports of the host's that lead to the container.
    pub(super) fn published(&self) -> Vec<PublishedPort> {
        let publications = self.publications.iter();
        publications.flat_map(Publication::ports).collect()
    }

    /// What it takes for `asked` to be published besides, by these doors. The host's ports are held
    /// from now on.
    pub(super) fn with(
        &self,
        source: PortSource<'_>,
        doors: Vec<Door>,
        asked: &[PortMapping],
    ) -> Result<PortsChange, Vec<Fault>> {
        let mut known = BTreeSet::from_iter(self.mappings());
        let new = asked.iter().copied();
        let new: Vec<PortMapping> = new.filter(|mapping| known.insert(*mapping)).collect();
        if doors != self.doors || !are_apart(&doors) {
            let mut mappings = self.mappings();
            mappings.extend(new);
            return self.whole(source, doors, &mappings);
        }
        let come = publish(source, &doors, &new)?;
        let add = elements_of(&come, &doors);
        let opens = Opens::new(&self.publications, &come);
        let edit = ElementsEdit::adding(add);
        let steps = steps(source, &doors, (edit, opens));
        Ok(PortsChange::new(Effect::Come(come), steps))
    }

    /// What it takes for a mapping not to be published any more.
    pub(super) fn without(
        &self,
        source: PortSource<'_>,
        mapping: &PortMapping,
    ) -> Result<PortsChange, Vec<Fault>> {
        if !are_apart(&self.doors) {
            let mut mappings = self.mappings();
            mappings.retain(|published| published != mapping);
            return self.whole(source, self.doors.clone(), &mappings);
        }
        let going = self.publications.iter();
        let going = going.filter(|publication| publication.mapping == *mapping);
        let elements = going.flat_map(|going| going.elements(&self.doors));
        let edit = ElementsEdit::adding(elements.collect()).inverse();
        let steps = steps(source, &self.doors, (edit, Opens::default()));
        Ok(PortsChange::new(Effect::Goes(*mapping), steps))
    }

    /// What it takes for all that is published to be reached by other doors; nothing is published
    /// any more where there are none to be.
    pub(super) fn by(
        &self,
        source: PortSource<'_>,
        doors: Vec<Door>,
        stays: Stays,
    ) -> Result<PortsChange, Vec<Fault>> {
        let mut mappings = match stays {
            Stays::All => self.mappings(),
            Stays::Nothing => Vec::new(),
        };
        let all = self.whole(source, doors.clone(), &mappings);
        all.or_else(|_| {
            // nobody stays on a network since somebody has what would be its port elsewhere
            let mut given_up = Vec::new();
            mappings.retain(
                |&mapping| match self.whole(source, doors.clone(), &[mapping]) {
                    Ok(_) => true,
                    Err(why) => {
                        given_up.push(GivenUp { mapping, why });
                        false
                    }
                },
            );
            let change = self.whole(source, doors, &mappings)?;
            Ok(PortsChange { given_up, ..change })
        })
    }

    fn whole(
        &self,
        source: PortSource<'_>,
        doors: Vec<Door>,
        mappings: &[PortMapping],
    ) -> Result<PortsChange, Vec<Fault>> {
        let former = |mapping: &PortMapping| {
            let addresses = host_addresses(mapping, &doors);
            let mut publications = self.publications.iter();
            let former = publications.find(|p| p.mapping == *mapping && p.can_be_at(&addresses))?;
            Some((former, addresses))
        };
        let new = mappings.iter().filter(|mapping| former(mapping).is_none());
        let new: Vec<PortMapping> = new.copied().collect();
        let mut new = publish(source, &doors, &new)?.into_iter();
        let publication = |mapping| match former(mapping) {
            Some((former, addresses)) => {
                let stays = former.at(source.ports, addresses);
                Some(stays.map(|stays| stays.by(&doors)))
            }
            None => new.next().map(Ok),
        };
        let publications = mappings.iter().filter_map(publication);
        let publications: Vec<Publication> = publications.collect::<Result<_, _>>()?;
        let before = elements_of(&self.publications, &self.doors);
        let after = elements_of(&publications, &doors);
        let edit = ElementsEdit {
            remove: besides(&before, &after),
            add: besides(&after, &before),
            ..ElementsEdit::default()
        };
        let opens = Opens::new(&[], &publications);
        let steps = steps(source, &doors, (edit, opens));
        let after = Ports {
            publications,
            doors,
        };
        let effect = Effect::Whole(after, self.mappings());
        Ok(PortsChange::new(effect, steps))
    }

    /// What another process has published, by these doors. What is as it was is held here as it was,
    /// and no socket holds what is otherwise.
    pub(super) fn recall(
        &mut self,
        ports: &HostPorts,
        container: &ContainerRecord,
        doors: Vec<Door>,
    ) {
        self.publications.retain(|publication| {
            let published = container.published.get(&publication.mapping);
            published.is_some_and(|now| publication.ports().eq(now.iter().copied()))
        });
        for kept in &mut self.publications {
            *kept = kept.by(&doors);
        }
        let known = BTreeSet::from_iter(self.mappings());
        let new = container.published.iter();
        let new = new.filter(|(mapping, _)| !known.contains(mapping));
        let new = new.map(|(mapping, published)| {
            Publication::recalled(ports, &container.name, (*mapping, published), &doors)
        });
        self.publications.extend(new.collect::<Vec<_>>());
        self.doors = doors;
    }

    /// What another process has published is held by this one.
    pub(super) fn hold(&self, ports: &HostPorts) -> Result<(), Vec<Fault>> {
        let mut all = self.publications.iter();
        all.try_for_each(|publication| publication.hold(ports))
    }

    /// What a bridge's port has to do for what is published, when it is one anew.
    pub(super) fn turns_back(&self, ports: &HostPorts) -> Vec<Step> {
        let opens = Opens::new(&[], &self.publications);
        match opens.any {
            true => turns_back(ports, &self.doors),
            false => Vec::new(),
        }
    }

    /// The elements by which all that is published is reached.
    pub(super) fn elements(&self) -> Vec<Element> {
        elements_of(&self.publications, &self.doors)
    }

    /// What is published, as it was asked for and as it is.
    pub(super) fn publications(&self) -> BTreeMap<PortMapping, Vec<PublishedPort>> {
        by_mapping(&self.publications)
    }

    /// What would be published after a change.
    pub(super) fn outcome(
        &self,
        change: &PortsChange,
    ) -> BTreeMap<PortMapping, Vec<PublishedPort>> {
        let mut outcome = by_mapping(&self.publications);
        match &change.effect {
            Effect::Come(come) => outcome.extend(by_mapping(come)),
            Effect::Goes(mapping) => {
                outcome.remove(mapping);
            }
            Effect::Whole(ports, _) => outcome = by_mapping(&ports.publications),
        }
        outcome
    }

    fn mappings(&self) -> Vec<PortMapping> {
        let publications = self.publications.iter();
        publications
            .map(|publication| publication.mapping)
            .collect()
    }

    /// What the kernel can't lead to the container is led there by this process.
    pub(super) fn carry_over(&mut self, relay: &Relay) -> Done<()> {
        let mut all = self.publications.iter_mut();
        all.try_for_each(|publication| publication.carry_over(relay))
    }
}

/// What stays published as a container's networks change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stays {
    /// All that is.
    All,
    /// Nothing: there is no network left.
    Nothing,
}

impl PortsChange {
    fn new(effect: Effect, steps: Vec<Step>) -> Self {
        let given_up = Vec::new();
        Self {
            effect,
            steps,
            given_up,
        }
    }

    /// What is not published any more though nobody asked for that.
    pub(super) fn take_given_up(&mut self) -> Vec<GivenUp> {
        std::mem::take(&mut self.given_up)
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The kernel has done it: what was there before goes. Returns the ports that came.
    pub(super) fn settle(self, ports: &mut Ports) -> Vec<PublishedPort> {
        match self.effect {
            Effect::Come(come) => {
                let came = come.iter().flat_map(Publication::ports).collect();
                ports.publications.extend(come);
                came
            }
            Effect::Goes(mapping) => {
                let left = |publication: &Publication| publication.mapping != mapping;
                ports.publications.retain(left);
                Vec::new()
            }
            Effect::Whole(mut after, of) => {
                let before = ports.published();
                // what another process has published meanwhile stays
                let others = ports
                    .publications
                    .drain(..)
                    .filter(|p| !of.contains(&p.mapping));
                after.publications.extend(others);
                *ports = after;
                let mut came = ports.published();
                came.retain(|port| !before.contains(port));
                came
            }
        }
    }
}

/// Whether no two mappings have elements in common: a port that is reached by the container's own
/// address is one, however many of the host's are to lead there.
fn are_apart(doors: &[Door]) -> bool {
    doors.iter().all(Door::translates)
}

fn publish(
    source: PortSource<'_>,
    doors: &[Door],
    mappings: &[PortMapping],
) -> Result<Vec<Publication>, Vec<Fault>> {
    let places = mappings
        .iter()
        .map(|mapping| host_addresses(mapping, doors));
    let places: Vec<Vec<IpAddr>> = places.collect();
    let pairs = mappings.iter().zip(&places);
    let wished = pairs.filter(|(_, addresses)| !addresses.is_empty());
    let wishes: Vec<_> = wished
        .map(|(mapping, at)| wish(source.container, mapping, at))
        .collect();
    let mut held = source.ports.hold(&wishes)?.into_iter();
    let publication = |(mapping, addresses): (&PortMapping, Vec<IpAddr>)| {
        let held = match addresses.is_empty() {
            true => Vec::new(),
            false => held.next().unwrap_or_default(),
        };
        Publication::new(source.container, *mapping, (addresses, held), doors)
    };
    Ok(mappings.iter().zip(places).map(publication).collect())
}

fn by_mapping(publications: &[Publication]) -> BTreeMap<PortMapping, Vec<PublishedPort>> {
    let pairs = publications.iter();
    let pairs = pairs.map(|publication| (publication.mapping, publication.ports().collect()));
    pairs.collect()
}

fn elements_of(publications: &[Publication], doors: &[Door]) -> Vec<Element> {
    let elements = publications.iter().flat_map(|p| p.elements(doors));
    let mut elements: Vec<Element> = elements.collect();
    elements.sort();
    elements.dedup_by(|a, b| (a.set, &a.key) == (b.set, &b.key));
    elements
}

/// What the first ports need that come to a container that had none of the kind.
#[derive(Debug, Clone, Copy, Default)]
struct Opens {
    /// Some that 127.0.0.1 leads to.
    localhost: bool,
    /// Some that any address of the host's leads to.
    any: bool,
}

impl Opens {
    fn new(before: &[Publication], come: &[Publication]) -> Self {
        let is_first =
            |kind: fn(&Publication) -> bool| !before.iter().any(kind) && come.iter().any(kind);
        Self {
            localhost: is_first(Publication::has_loopback),
            any: is_first(|publication| !publication.addresses.is_empty()),
        }
    }
}

/// The edit, what it needs before and what has to follow.
fn steps(
    source: PortSource<'_>,
    doors: &[Door],
    (edit, opens): (ElementsEdit, Opens),
) -> Vec<Step> {
    if edit.is_empty() {
        return Vec::new();
    }
    let mut steps = Vec::new();
    if opens.localhost {
        steps.extend(
            doors
                .iter()
                .filter(|door| door.translates())
                .filter_map(route_localnet),
        );
    }
    if opens.any {
        steps.extend(turns_back(source.ports, doors));
    }
    let addresses = match needs_addresses(&edit) {
        true => source.ports.host_addresses(),
        false => Vec::new(),
    };
    let stale = stale_flows(&edit, &addresses);
    steps.push(Step::EditElements(edit));
    steps.extend((!stale.is_empty()).then_some(Step::ForgetFlows(stale)));
    steps
}

/// What answers 127.0.0.1 comes in by the bridge.
fn route_localnet(door: &Door) -> Option<Step> {
    let scope = ConfScope::Link(door.bridge.clone());
    (door.family == Family::V4).then_some(Step::SetSysctl {
        side: Side::Host,
        key: Sysctl::Ipv4(scope, Ipv4Conf::RouteLocalnet),
        value: 1,
    })
}

/// What the bridges' ports have to do where frames are filtered as if they were routed.
fn turns_back(ports: &HostPorts, doors: &[Door]) -> Vec<Step> {
    if !ports.are_frames_filtered() {
        return Vec::new();
    }
    let mut ports: Vec<&Door> = doors.iter().filter(|door| door.translates()).collect();
    ports.dedup_by_key(|door| &door.port);
    ports.into_iter().map(turn_back).collect()
}

/// What a container sends to a port of its own is a frame then, which goes back by the port that it
/// came by (`br_nf_pre_routing_finish`).
fn turn_back(door: &Door) -> Step {
    let mut options = PortOptions::new();
    options.hairpin = Some(Switch::On);
    let link = door.port.clone();
    Step::SetPort { link, options }
}

/// Of sorted elements, those that are not among the others.
fn besides(all: &[Element], others: &[Element]) -> Vec<Element> {
    let left = all
        .iter()
        .filter(|element| others.binary_search(element).is_err());
    left.cloned().collect()
}
