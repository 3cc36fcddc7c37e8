//! One plan on its way through the kernel: steps are gathered into as few sends as their order
//! allows, and each is known as done, refused or unknown afterwards.

use std::os::fd::AsFd;

use super::doorway::{Doorway, set_inside};
use super::explain::Failure;
use super::inject::{Moment, Strike};
use super::netns::{Netns, Visit};
use super::{Kernel, explain, files, reroute, settle};
use crate::addr::{LinkIndex, LinkSysctl, SysctlTable};
use crate::errno::Errno;
use crate::error::{Fault, Result};
use crate::netlink::frame::{Refusal, Request};
use crate::netlink::socket::Outcome;
use crate::netlink::{address, link, read, route};
use crate::plan::{ALIAS_MARK, Link, Plan, Side, Step, Switch};
use crate::snapshot::LinkState;

/// How far a plan got.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The steps that were done, or may have been, in ascending order.
    pub(super) done: Vec<usize>,
    /// So many of those are settled.
    settled: usize,
    /// The first that failed.
    pub(super) failure: Option<Failure>,
}

/// A plan's two sides, open.
pub(super) struct Run<'k> {
    kernel: &'k Kernel,
    host: Option<Doorway>,
    container: Option<Far<'k>>,
    last_refusal: Option<Fault>,
}

/// The container's side. Its doorway is the one that the namespace was looked at through, or it is
/// opened by a thread while the host's steps are under way.
struct Far<'k> {
    namespace: &'k Netns,
    doorway: Opening,
}

enum Opening {
    Ahead,
    Underway(Visit<Doorway>),
    Open(Doorway),
}

impl<'k> Run<'k> {
    pub(super) fn start(kernel: &'k Kernel, container: Option<&'k Netns>) -> Result<Self> {
        let host = Some(kernel.take_doorway()?);
        let container = container.map(|namespace| Far {
            namespace,
            doorway: Opening::Ahead,
        });
        Ok(Self {
            kernel,
            host,
            container,
            last_refusal: None,
        })
    }

    /// Performs step after step until one fails.
    pub(super) fn perform(&mut self, plan: &Plan) -> Progress {
        let mut progress = Progress::default();
        let steps = plan.steps();
        if steps
            .iter()
            .any(|step| step.side() == Some(Side::Container))
        {
            self.open_ahead();
        }
        let mut start = 0;
        while start < steps.len() && progress.failure.is_none() {
            let end = end_of_batch(steps, start);
            if matches!(steps[start], Step::ReplaceRoute { .. }) {
                // nobody is led to a link whose addresses are not usable yet
                self.settle(steps, &mut progress);
                if progress.failure.is_some() {
                    break;
                }
            }
            let outcomes = self.perform_batch(&steps[start..end]);
            for (step, outcome) in (start..).zip(outcomes) {
                progress.note(step, outcome);
            }
            start = end;
        }
        if progress.failure.is_none() {
            self.settle(steps, &mut progress);
        }
        progress
    }

    /// Tries every step, each on its own; returns those that could not be performed.
    pub(super) fn take_back(&mut self, plan: &Plan) -> Plan {
        const TRIES: usize = 3;
        let mut left = plan.undo(0);
        for (index, step) in plan.steps().iter().enumerate() {
            let attempt = || self.perform_batch(std::slice::from_ref(step)).pop();
            let passing = [Errno::EINTR, Errno::EAGAIN, Errno::EBUSY, Errno::ENOBUFS];
            let outcome = std::iter::repeat_with(attempt).take(TRIES).find(|outcome| {
                !matches!(outcome, Some(Outcome::Refused(r)) if passing.contains(&r.errno))
            });
            let refusal = match outcome.flatten() {
                Some(Outcome::Done) => continue,
                Some(Outcome::Refused(refusal)) if is_gone(step, refusal.errno) => continue,
                Some(Outcome::Refused(refusal)) => refusal,
                Some(Outcome::Unknown(errno)) => errno.into(),
                None => Errno::EBUSY.into(),
            };
            self.last_refusal = Some(self.explain(
                plan,
                &Failure {
                    step: index,
                    refusal,
                },
            ));
            left.push(step.clone());
        }
        left
    }

    pub(super) fn last_refusal(&mut self) -> Option<Fault> {
        self.last_refusal.take()
    }

    pub(super) fn explain(&mut self, plan: &Plan, failure: &Failure) -> Fault {
        explain::step(plan, failure, |named: &Link| {
            let side = self.side(named.side)?;
            side.route.get(link::get_named(&named.name), &read::LINK)
        })
    }

    pub(super) fn delete_together(&mut self, links: &[Link]) -> std::result::Result<(), Refusal> {
        match self.kernel.shared.injector.strike() {
            None => self.delete_group(links),
            Some(Strike { errno, moment }) => {
                if moment == Moment::After {
                    self.delete_group(links)?;
                }
                Err(errno.into())
            }
        }
    }

    fn delete_group(&mut self, links: &[Link]) -> std::result::Result<(), Refusal> {
        let indexes: Vec<LinkIndex> = links.iter().map(|link| link.index).collect();
        // a number that nobody else uses: 31 random bits, above all that people choose by hand
        let group = random_group()?;
        let requests: Vec<Request> = indexes.iter().map(|&i| link::set_group(i, group)).collect();
        for batch in requests.chunks(256) {
            let host = self.side(Side::Host)?;
            for outcome in host.route.transact(batch) {
                match outcome {
                    Outcome::Refused(refusal) if !refusal.errno.is_absence() => {
                        return Err(refusal);
                    }
                    Outcome::Unknown(errno) => return Err(errno.into()),
                    Outcome::Done | Outcome::Refused(_) => {}
                }
            }
        }
        self.delete(Side::Host, link::delete_group(group), &indexes)
    }

    fn perform_batch(&mut self, steps: &[Step]) -> Vec<Outcome> {
        let strikes: Vec<Option<Strike>> = steps
            .iter()
            .map(|_| self.kernel.shared.injector.strike())
            .collect();
        let spared = |strike: &Option<Strike>| strike.is_none_or(|s| s.moment == Moment::After);
        let sent: Vec<&Step> = steps
            .iter()
            .zip(&strikes)
            .filter(|(_, s)| spared(s))
            .map(|(step, _)| step)
            .collect();
        let mut outcomes = self.send(&sent).into_iter();
        strikes
            .iter()
            .map(|strike| match strike {
                None => outcomes.next().unwrap_or(Outcome::Unknown(Errno::EIO)),
                Some(Strike {
                    errno,
                    moment: Moment::Before,
                }) => Outcome::Refused((*errno).into()),
                Some(Strike {
                    errno,
                    moment: Moment::After,
                }) => {
                    outcomes.next();
                    Outcome::Unknown(*errno)
                }
            })
            .collect()
    }

    /// One batch: messages for one side, or one step of another kind.
    fn send(&mut self, steps: &[&Step]) -> Vec<Outcome> {
        let Some(first) = steps.first() else {
            return Vec::new();
        };
        if let Some(side) = message_side(first) {
            let requests: Vec<Request> = steps.iter().filter_map(|s| self.request(s)).collect();
            return match self.side(side) {
                Ok(doorway) => doorway.route.transact(&requests),
                Err(refusal) => vec![Outcome::Refused(refusal); steps.len()],
            };
        }
        match self.perform_alone(first) {
            Ok(()) => vec![Outcome::Done],
            Err(refusal) => vec![Outcome::Refused(refusal)],
        }
    }

    fn perform_alone(&mut self, step: &Step) -> std::result::Result<(), Refusal> {
        match step {
            Step::SetSysctl { side, key, value } => self.side(*side)?.set_sysctl(key, *value),
            Step::SetLinkSysctl { link, setting } => self.set_link_sysctl(link, setting),
            Step::AwaitForwarding { link } => {
                settle::until_forwarding(&mut self.side(link.side)?.route, link.index)
            }
            Step::EditHosts(edit) => files::edit_hosts(edit).map_err(Refusal::from),
            Step::WriteFile(write) => files::write_file(write).map_err(Refusal::from),
            Step::MoveLink { from, to } => self.move_link(from, to),
            Step::DeleteLink { link } => self.delete_link(link),
            Step::ReplaceRoute { to, .. } => {
                reroute::replace(&mut self.side(to.link.side)?.route, to)
            }
            _ => Ok(()),
        }
    }

    fn set_link_sysctl(
        &mut self,
        link: &Link,
        setting: &LinkSysctl,
    ) -> std::result::Result<(), Refusal> {
        if setting.table() == SysctlTable::Conf {
            return self.side(link.side)?.set_link_sysctl(&link.name, setting);
        }
        // seldom asked for: no descriptor is kept ahead for it
        let (path, value) = (setting.path(&link.name), setting.value().to_owned());
        let visit = self
            .namespace(link.side)?
            .start(move || set_inside(&path, &value))?;
        visit.end().map_err(explain::unset)
    }

    fn namespace(&mut self, side: Side) -> std::result::Result<Netns, Refusal> {
        Ok(match side {
            Side::Host => self.kernel.namespace().clone(),
            Side::Container => self.far()?.namespace.clone(),
        })
    }

    /// The kernel moves a link before it looks whether its new name is free (`do_setlink`): one
    /// that is refused is there all the same, under its old name, and is fetched back.
    fn move_link(&mut self, from: &Link, to: &Link) -> std::result::Result<(), Refusal> {
        let (near, far) = (self.namespace(from.side)?, self.namespace(to.side)?);
        let departure = link::move_to(from.index, far.as_fd(), to);
        let moved = self.side(from.side)?.route.call(departure);
        let Err(refusal) = moved else {
            return Ok(());
        };
        if refusal.errno == Errno::EEXIST {
            let there = &mut self.side(to.side)?.route;
            let found = there.get(link::get(to.index), &read::LINK)?;
            if found.is_some_and(|state| state.name == from.name.as_str()) {
                there.call(link::move_to(to.index, near.as_fd(), from))?;
            }
        }
        Err(refusal)
    }

    /// A link that has our index but neither our name nor our mark is somebody else's; ours is
    /// gone.
    fn delete_link(&mut self, doomed: &Link) -> std::result::Result<(), Refusal> {
        let route = &mut self.side(doomed.side)?.route;
        let found = route.get(link::get(doomed.index), &read::LINK)?;
        let is_ours = |state: LinkState| {
            state.name == doomed.name.as_str() || state.alias.starts_with(ALIAS_MARK)
        };
        if !found.is_some_and(is_ours) {
            return Ok(());
        }
        self.delete(doomed.side, link::delete(doomed.index), &[doomed.index])
    }

    fn delete(
        &mut self,
        side: Side,
        deletion: Request,
        links: &[LinkIndex],
    ) -> std::result::Result<(), Refusal> {
        let reaper = self.kernel.shared.reaper.clone();
        let namespace = self.namespace(side)?;
        let doorway = self.side(side)?;
        reaper.delete((&namespace, &mut doorway.route), deletion, links)
    }

    /// A plan is not done before the IPv6 addresses that it added are usable.
    fn settle(&mut self, steps: &[Step], progress: &mut Progress) {
        let unsettled = progress.done.get(progress.settled..).unwrap_or_default();
        let unsettled = unsettled.to_vec();
        progress.settled = progress.done.len();
        for index in unsettled {
            let Some(Step::AddAddress { link, address }) = steps.get(index) else {
                continue;
            };
            let std::net::IpAddr::V6(address) = address.addr() else {
                continue;
            };
            let side = self.side(link.side);
            let delivered = side.and_then(|doorway| {
                settle::until_delivered(&mut doorway.route, link.index, address)
            });
            if let Err(refusal) = delivered {
                let failure = Failure {
                    step: index,
                    refusal,
                };
                progress.failure.get_or_insert(failure);
                return;
            }
        }
    }

    fn request(&self, step: &Step) -> Option<Request> {
        Some(match step {
            Step::AddBridge {
                link: bridge,
                mac,
                mtu,
                options,
            } => link::add_bridge((&bridge.name, bridge.index), *mac, *mtu, options),
            Step::AddVeth(veth) => {
                let far = self.beyond(veth.link.side, veth.peer.side);
                link::add_veth(veth, far.map(AsFd::as_fd))
            }
            Step::SetAlias { link, alias } => link::set_alias(link.index, alias),
            Step::SetNoAutoAddress { link } => link::set_no_auto_address(link.index),
            Step::SetMaster { link, master } => {
                link::set_master(link.index, master.as_ref().map(|m| m.index))
            }
            Step::SetPort { link, options } => link::set_port(link.index, options),
            Step::RaiseLoopback { .. } => link::raise_loopback(),
            Step::SetUp { link } => link::set_up(link.index, Switch::On),
            Step::SetDown { link } => link::set_up(link.index, Switch::Off),
            Step::Announce { link, mac } => link::set_mac(link.index, *mac),
            Step::AddAddress { link, address } => address::add(link.index, *address),
            Step::DeleteAddress { link, address } => address::delete(link.index, *address),
            Step::AddRoute(to) => route::add(to),
            Step::DeleteRoute(to) => route::delete(to),
            Step::SetSysctl { .. }
            | Step::SetLinkSysctl { .. }
            | Step::AwaitForwarding { .. }
            | Step::EditHosts(_)
            | Step::WriteFile(_)
            | Step::MoveLink { .. }
            | Step::ReplaceRoute { .. }
            | Step::DeleteLink { .. } => return None,
        })
    }

    /// The namespace of the one side, where it is not that of the other.
    fn beyond(&self, near: Side, far: Side) -> Option<&Netns> {
        match (near, far) {
            (Side::Host, Side::Container) => self.container.as_ref().map(|c| c.namespace),
            (Side::Container, Side::Host) => Some(self.kernel.namespace()),
            _ => None,
        }
    }

    fn far(&mut self) -> std::result::Result<&mut Far<'k>, Refusal> {
        self.container.as_mut().ok_or_else(|| Refusal {
            errno: Errno::EINVAL,
            words: Some("the plan has a container's side, and no namespace was given".to_owned()),
        })
    }

    fn open_ahead(&mut self) {
        let Some(far) = &mut self.container else {
            return;
        };
        if matches!(far.doorway, Opening::Ahead) {
            if let Some(doorway) = far.namespace.take_doorway() {
                far.doorway = Opening::Open(doorway);
            } else if let Ok(visit) = far.namespace.start(Doorway::open) {
                far.doorway = Opening::Underway(visit);
            }
        }
    }

    fn side(&mut self, side: Side) -> std::result::Result<&mut Doorway, Refusal> {
        match side {
            Side::Host => self.host.as_mut().ok_or_else(|| Errno::EIO.into()),
            Side::Container => self.far()?.doorway(),
        }
    }
}

impl Far<'_> {
    fn doorway(&mut self) -> std::result::Result<&mut Doorway, Refusal> {
        let opened = match std::mem::replace(&mut self.doorway, Opening::Ahead) {
            Opening::Open(doorway) => doorway,
            Opening::Underway(visit) => visit.end()?,
            Opening::Ahead => self.namespace.start(Doorway::open)?.end()?,
        };
        self.doorway = Opening::Open(opened);
        match &mut self.doorway {
            Opening::Open(doorway) => Ok(doorway),
            Opening::Ahead | Opening::Underway(_) => Err(Errno::EIO.into()),
        }
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if let Some(doorway) = self.host.take() {
            self.kernel.give_back(doorway);
        }
    }
}

impl Progress {
    fn note(&mut self, step: usize, outcome: Outcome) {
        let refusal = match outcome {
            Outcome::Done => return self.done.push(step),
            Outcome::Refused(refusal) => refusal,
            Outcome::Unknown(errno) => {
                // what may have been done is taken back as if it had been
                self.done.push(step);
                errno.into()
            }
        };
        self.failure.get_or_insert(Failure { step, refusal });
    }
}

/// The side whose socket carries the step as a message; `None` for a step of another kind.
fn message_side(step: &Step) -> Option<Side> {
    match step {
        Step::SetSysctl { .. }
        | Step::SetLinkSysctl { .. }
        | Step::AwaitForwarding { .. }
        | Step::EditHosts(_)
        | Step::WriteFile(_)
        | Step::MoveLink { .. }
        | Step::ReplaceRoute { .. }
        | Step::DeleteLink { .. } => None,
        _ => step.side(),
    }
}

/// Whether the refusal of a step that takes something back says that it is gone already.
fn is_gone(step: &Step, errno: Errno) -> bool {
    match step {
        // lines that only go do not miss their file; there is no directory for those that come
        Step::EditHosts(edit) => errno == Errno::ENOENT && !edit.add.is_empty(),
        // the next hop that it led by before can no longer be reached, or somebody else has put a
        // route of their own in its place
        Step::ReplaceRoute { .. } => {
            errno.is_absence()
                || errno == Errno::EEXIST
                || [Errno::ENETUNREACH, Errno::EHOSTUNREACH, Errno::ENETDOWN].contains(&errno)
        }
        Step::WriteFile(write) => errno == Errno::ENOENT && !write.text.is_empty(),
        _ => errno.is_absence(),
    }
}

fn end_of_batch(steps: &[Step], start: usize) -> usize {
    let side = message_side(&steps[start]);
    if side.is_none() {
        return start + 1;
    }
    let rest = steps[start..]
        .iter()
        .take_while(|step| message_side(step) == side);
    start + rest.count()
}

fn random_group() -> std::result::Result<u32, Refusal> {
    let bits = getrandom::u32().map_err(|_| Refusal::from(Errno::EIO))?;
    Ok(bits | 0x8000_0000)
}
