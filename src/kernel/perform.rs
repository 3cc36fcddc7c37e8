//! One plan on its way through the kernel: steps are gathered into as few sends as their order
//! allows, and each is known as done, refused or unknown afterwards.

use std::os::fd::AsFd;

use super::doorway::{Doorway, set_inside};
use super::explain::Failure;
use super::far::Far;
use super::inject::{Moment, Strike};
use super::netns::Netns;
use super::{Kernel, explain, files, message, redirect, reroute, settle};
use crate::addr::{Family, LinkIndex, LinkSysctl, SysctlTable};
use crate::errno::Errno;
use crate::error::{Fault, Result};
use crate::firewall::stale_flows;
use crate::netlink::frame::{Refusal, Request};
use crate::netlink::socket::Outcome;
use crate::netlink::{link, read};
use crate::plan::{ALIAS_MARK, ElementsEdit, Link, Plan, Side, Step, Switch};
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
    /// Whether addresses are waited for until they are usable.
    settling: Switch,
}

impl<'k> Run<'k> {
    pub(super) fn start(kernel: &'k Kernel, container: Option<&'k Netns>) -> Result<Self> {
        let host = Some(kernel.take_doorway()?);
        Ok(Self {
            kernel,
            host,
            container: container.map(Far::new),
            last_refusal: None,
            settling: Switch::On,
        })
    }

    pub(super) fn without_waiting(mut self) -> Self {
        self.settling = Switch::Off;
        self
    }

    /// Performs step after step until one fails.
    pub(super) fn perform(&mut self, plan: &Plan) -> Progress {
        let mut progress = Progress::default();
        let steps = plan.steps();
        if steps.iter().any(needs_doorway) {
            self.container.iter_mut().for_each(Far::open_ahead);
        }
        let mut start = 0;
        while start < steps.len() && progress.failure.is_none() {
            let end = message::end_of_batch(steps, start);
            if matches!(steps[start], Step::ReplaceRoute { .. }) {
                // nobody is led to a link whose addresses are not usable yet
                self.settle(steps, &mut progress);
                if progress.failure.is_some() {
                    break;
                }
            }
            let outcomes = self.perform_batch(&steps[start..end]);
            for (step, outcome) in (start..).zip(outcomes) {
                let outcome = match outcome {
                    // what goes unasked may be gone
                    Outcome::Refused(refusal) if is_absent_rule(&steps[step], &refusal) => {
                        Outcome::Done
                    }
                    outcome => outcome,
                };
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
        let mut left = plan.undo(0);
        for (index, step) in plan.steps().iter().enumerate() {
            let refusal = match self.try_alone(step) {
                Outcome::Done => continue,
                Outcome::Refused(refusal) if is_gone(step, refusal.errno) => continue,
                Outcome::Refused(refusal) => refusal,
                Outcome::Unknown(errno) => errno.into(),
            };
            self.refused(plan, index, refusal);
            left.push(step.clone());
        }
        left
    }

    /// Tries every step, each on its own, up to a link that can't be made.
    pub(super) fn restore(&mut self, plan: &Plan) {
        for (index, step) in plan.steps().iter().enumerate() {
            let is_birth = matches!(step, Step::AddBridge { .. });
            match self.try_alone(step) {
                Outcome::Done => {}
                Outcome::Refused(refusal) if is_birth => {
                    return self.refused(plan, index, refusal);
                }
                Outcome::Refused(refusal) if is_as_it_must_be(refusal.errno) => {}
                Outcome::Refused(refusal) => self.refused(plan, index, refusal),
                Outcome::Unknown(errno) => self.refused(plan, index, errno.into()),
            }
        }
    }

    fn refused(&mut self, plan: &Plan, step: usize, refusal: Refusal) {
        let failure = Failure { step, refusal };
        self.last_refusal = Some(self.explain(plan, &failure));
    }

    fn try_alone(&mut self, step: &Step) -> Outcome {
        const TRIES: usize = 3;
        let attempt = || self.perform_batch(std::slice::from_ref(step)).pop();
        let passing = [Errno::EINTR, Errno::EAGAIN, Errno::EBUSY, Errno::ENOBUFS];
        let outcome = std::iter::repeat_with(attempt).take(TRIES).find(
            |outcome| !matches!(outcome, Some(Outcome::Refused(r)) if passing.contains(&r.errno)),
        );
        let refused = || Outcome::Refused(Errno::EBUSY.into());
        outcome.flatten().unwrap_or_else(refused)
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
        if let Some(side) = message::side(first) {
            let beyond = |near, far| self.beyond(near, far).map(AsFd::as_fd);
            let requests = steps.iter().filter_map(|s| message::request(s, beyond));
            let requests: Vec<Request> = requests.collect();
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
            Step::RaiseFirewall(firewall) => {
                let (kernel, doorway) = (self.kernel, self.side(Side::Host)?);
                let filter = &kernel.shared.filter;
                filter.raise((kernel.namespace(), doorway), firewall)
            }
            Step::RetireFirewall(firewall) => {
                let (kernel, doorway) = (self.kernel, self.side(Side::Host)?);
                let filter = &kernel.shared.filter;
                filter.retire((kernel.namespace(), doorway), firewall)
            }
            Step::EditElements(edit) => self.edit_elements(edit),
            Step::AddRedirect(redirect) => {
                let namespace = self.far()?.namespace;
                redirect::add(namespace, &self.kernel.shared.reaper, redirect)
            }
            Step::DeleteRedirect(redirect) => {
                let namespace = self.far()?.namespace;
                redirect::delete(namespace, &self.kernel.shared.reaper, redirect)
            }
            Step::ForgetFlows(flows) => self.kernel.forget(flows),
            Step::EditHosts(edit) => files::edit_hosts(edit).map_err(Refusal::from),
            Step::WriteFile(write) => files::write_file(write).map_err(Refusal::from),
            Step::MoveLink { from, to } => self.move_link(from, to),
            Step::SetName { link, .. } => self.set_name(link),
            Step::DeleteLink { link } => self.delete_link(link),
            Step::ReplaceRoute { from, to } => {
                reroute::replace(&mut self.side(to.link.side)?.route, (from, to))
            }
            _ => Ok(()),
        }
    }

    /// What a dead process has led goes on as it began, unless it is forgotten.
    fn edit_elements(&self, edit: &ElementsEdit) -> std::result::Result<(), Refusal> {
        let filter = &self.kernel.shared.filter;
        let inherited = filter.edit(self.kernel.namespace(), edit)?;
        let _go_on_till_they_end = self.kernel.forget_what_was_not_led();
        let led = stale_flows(&ElementsEdit::adding(inherited).inverse(), &[]);
        if !led.is_empty() {
            // the elements are there whatever becomes of connections of the dead
            let _go_on_till_they_end = self.kernel.forget(&led);
        }
        Ok(())
    }

    fn set_link_sysctl(
        &mut self,
        link: &Link,
        setting: &LinkSysctl,
    ) -> std::result::Result<(), Refusal> {
        if setting.table() == SysctlTable::Conf {
            if (setting.family(), setting.key()) == (Family::V6, "mtu") {
                settle::until_looked_at(&mut self.side(link.side)?.route, link.index)?;
            }
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

    /// Kernels before 6.2 rename no link that is up.
    fn set_name(&mut self, link: &Link) -> std::result::Result<(), Refusal> {
        let socket = &mut self.side(link.side)?.route;
        match socket.call(link::set_name(link.index, &link.name)) {
            Err(refusal) if refusal.errno == Errno::EBUSY => {
                socket.call(link::set_up(link.index, Switch::Off))?;
                let named = socket.call(link::set_name(link.index, &link.name));
                socket.call(link::set_up(link.index, Switch::On))?;
                named
            }
            named => named,
        }
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
        if !self.settling.is_on() {
            return;
        }
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

    fn side(&mut self, side: Side) -> std::result::Result<&mut Doorway, Refusal> {
        match side {
            Side::Host => self.host.as_mut().ok_or_else(|| Errno::EIO.into()),
            Side::Container => self.far()?.doorway(),
        }
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if let Some(doorway) = self.host.take() {
            self.kernel.give_back(doorway);
        }
        // a plan that failed before its redirect has left it
        if let Some(container) = &self.container {
            container.namespace.keep_nft(None);
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

/// A redirect has a socket of its own.
fn needs_doorway(step: &Step) -> bool {
    let is_redirect = matches!(step, Step::AddRedirect(_) | Step::DeleteRedirect(_));
    step.side() == Some(Side::Container) && !is_redirect
}

fn is_absent_rule(step: &Step, refusal: &Refusal) -> bool {
    matches!(step, Step::DeletePolicyRule(_)) && is_gone(step, refusal.errno)
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
        // fib_nl_delrule, fib_table_delete; ENOENT is a table that nobody has made
        Step::DeletePolicyRule(_) | Step::DeleteProhibition(_) => {
            errno.is_absence() || errno == Errno::ENOENT
        }
        // the link is, or the kernel does not have the setting
        Step::SetSysctl { .. } => errno == Errno::ENOENT || errno.is_absence(),
        _ => errno.is_absence(),
    }
}

/// Whether the refusal of a step that is performed again says that somebody else has done so, or that
/// its link has gone meanwhile, which is seen by whoever looks again.
fn is_as_it_must_be(errno: Errno) -> bool {
    errno == Errno::EEXIST || errno == Errno::ENOENT || errno.is_absence()
}

fn random_group() -> std::result::Result<u32, Refusal> {
    let bits = getrandom::u32().map_err(|_| Refusal::from(Errno::EIO))?;
    Ok(bits | 0x8000_0000)
}
