//! What all networks of a host share: made by the first, and removed with the last. Several
//! processes may have networks on one host, so that the kernel is asked, and not our memory.

use super::converge::Extent;
use super::{Filter, State, Wanted, explain};
use crate::addr::{Family, LinkName};
use crate::errno::Errno;
use crate::firewall::UPLINK_COMMENT;
use crate::kernel::doorway::Doorway;
use crate::kernel::netns::Netns;
use crate::netlink::frame::Refusal;
use crate::netlink::nft::{Absence, Change, Presence};
use crate::netlink::policy;
use crate::plan::nft::{Element, Field, Table};
use crate::plan::{HostFirewall, PolicyRule, Switch, Uplink, UplinkFamily};

impl Filter {
    /// Makes what is not there yet.
    pub(in crate::kernel) fn raise(
        &self,
        (netns, doorway): (&Netns, &mut Doorway),
        firewall: &HostFirewall,
    ) -> Result<(), Refusal> {
        self.start_watching(netns, Switch::On)?;
        let mut state = self.open(netns)?;
        state.converge(&firewall.tables, Extent::Structure)?;
        for rule in &firewall.rules {
            add_rule(doorway, rule)?;
        }
        for uplink in &firewall.uplinks {
            state.raise_uplink(doorway, (firewall, uplink))?;
        }
        state.wanted.host = Some(firewall.clone());
        state.wanted.beginning += 1;
        Ok(())
    }

    /// More uplinks of a host whose tables are there.
    pub(in crate::kernel) fn add_uplinks(
        &self,
        (netns, doorway): (&Netns, &mut Doorway),
        firewall: &HostFirewall,
    ) -> Result<(), Refusal> {
        let mut state = self.open(netns)?;
        if state.wanted.host.is_some() {
            for uplink in &firewall.uplinks {
                state.raise_uplink(doorway, (firewall, uplink))?;
            }
        }
        Ok(())
    }

    /// Removes all of it, unless there are networks, or rules of the user's in the chain that is
    /// theirs.
    pub(in crate::kernel) fn retire(
        &self,
        (netns, doorway): (&Netns, &mut Doorway),
        firewall: &HostFirewall,
    ) -> Result<(), Refusal> {
        const TRIES: usize = 8;
        let mut state = self.open(netns)?;
        state.wanted.end();
        let mut disturbed = false;
        for _ in 0..TRIES {
            match state.try_retire(doorway, firewall) {
                Err(refusal) if refusal.errno == Errno::ERESTART => disturbed = true,
                Ok(Outcome::Stays) if disturbed => return state.lift(doorway, firewall),
                retired => return retired.map(|_outcome| ()),
            }
        }
        Err(Errno::EBUSY.into())
    }
}

/// What became of what all networks share.
enum Outcome {
    /// Somebody needs it.
    Stays,
    Gone,
}

impl State {
    /// Whoever has made a link a way out: that it is one is to be made again with all else that is of
    /// the networks which are known here. No record says so. One of its families may have come
    /// later, and with it what passes by the link all the same.
    pub(super) fn learn_uplinks(&mut self) -> Result<(), Refusal> {
        const EACH: [&str; 2] = ["uplinks", "raised"];
        let tables = self.wanted.tables().to_vec();
        let mut found = self.elements(&tables, |_, set| EACH.contains(&set.name))?;
        found.retain(|element| element.comment == UPLINK_COMMENT);
        let is_known = |element| self.wanted.elements.contains(element);
        if found.iter().all(is_known) {
            return Ok(());
        }
        let mut passing = self.elements(&tables, |_, set| set.name == "within")?;
        passing.retain(|element| element.comment == UPLINK_COMMENT);
        self.wanted
            .elements
            .extend(found.into_iter().chain(passing));
        Ok(())
    }

    /// The elements are there before anything is forwarded.
    fn raise_uplink(
        &mut self,
        doorway: &mut Doorway,
        (firewall, uplink): (&HostFirewall, &Uplink),
    ) -> Result<(), Refusal> {
        let bridges = keys(self.socket()?, first(firewall)?, "bridges")?;
        if bridges.iter().any(|key| link_of(key) == Some(&uplink.link)) {
            // it is a network's that has adopted it, and is as that one says
            return Ok(());
        }
        for barrier in firewall.barriers_of(&uplink.link) {
            add_rule(doorway, &barrier)?;
        }
        let raised = keys(self.socket()?, first(firewall)?, "raised")?;
        let mut elements = vec![uplink.element.clone()];
        let mut lowered: Vec<&UplinkFamily> = Vec::new();
        for family in &uplink.families {
            let forwards = forwards(doorway, family, &uplink.link)?;
            if !forwards {
                lowered.push(family);
            }
            let reminder = family.reminder(&uplink.link);
            // another process may have raised it before, and the tables may have been flushed since
            let is_raised = || raised.contains(&family.raised.key);
            if !forwards || is_raised() || doorway.policy()?.contains(&reminder) {
                add_rule(doorway, &reminder)?;
                elements.extend(family.passing.iter().cloned());
                elements.push(family.raised.clone());
            }
        }
        elements.sort();
        elements.dedup();
        self.until_taken(&firewall.tables, |state, before| {
            let mut changes = before.to_vec();
            changes.push(Change::AddElements(&elements, Presence::Accepted));
            let added = state.socket()?.commit(&changes, None);
            added.map_err(|error| explain(error, &[]))
        })?;
        for family in lowered {
            doorway.set_sysctl(&family.setting(&uplink.link), 1)?;
        }
        self.wanted.elements.extend(elements);
        Ok(())
    }

    fn try_retire(
        &mut self,
        doorway: &mut Doorway,
        firewall: &HostFirewall,
    ) -> Result<Outcome, Refusal> {
        if self.wanted.has_networks() {
            return Ok(Outcome::Stays);
        }
        let socket = self.socket.as_mut().ok_or(Errno::EIO)?;
        let generation = socket.generation()?;
        let table = first(firewall)?;
        if !keys(socket, table, "bridges")?.is_empty() {
            // it is others' from now on
            self.wanted = Wanted::default();
            return Ok(Outcome::Stays);
        }
        match socket.rules(table.family, table.name, "user") {
            // somebody has removed all of it
            Err(refusal) if refusal.errno == Errno::ENOENT => {}
            own => {
                if !own?.is_empty() {
                    return Ok(Outcome::Stays);
                }
            }
        }
        let (raised, uplinks) = (
            keys(socket, table, "raised")?,
            keys(socket, table, "uplinks")?,
        );
        let names: Vec<&LinkName> = uplinks.iter().filter_map(|key| link_of(key)).collect();
        let policy = doorway.policy()?;
        let (unsaid, reminders) = of_rules_alone(&policy, (firewall, &names));
        Self::lower(doorway, all_raised(&raised, reminders.iter().copied()))?;
        let tables = firewall.tables.iter();
        let changes: Vec<Change<'_>> = tables
            .map(|table| Change::DeleteTable(table.family, table.name, Absence::Accepted))
            .collect();
        let deleted = self.socket()?.commit(&changes, Some(generation));
        deleted.map_err(|error| explain(error, &[]))?;
        self.wanted = Wanted::default();
        let names = names.into_iter().chain(unsaid);
        let barriers = names.flat_map(|link| firewall.barriers_of(link));
        let barriers: Vec<PolicyRule> = barriers.collect();
        for rule in barriers.iter().chain(&firewall.rules).chain(reminders) {
            delete_rule(doorway, rule)?;
        }
        Ok(Outcome::Gone)
    }

    /// Somebody has made a network while what all share was about to go.
    fn lift(&mut self, doorway: &mut Doorway, firewall: &HostFirewall) -> Result<(), Refusal> {
        let raised = keys(self.socket()?, first(firewall)?, "raised")?;
        let policy = doorway.policy()?;
        for (link, family) in all_raised(&raised, &policy) {
            match doorway.set_sysctl(&UplinkFamily::setting_of(family, link), 1) {
                Err(refusal) if refusal.errno == Errno::ENOENT => {}
                lifted => lifted?,
            }
        }
        Ok(())
    }

    /// What was not forwarded before is not forwarded again, while the filter still keeps it in.
    fn lower<'a>(
        doorway: &mut Doorway,
        raised: impl Iterator<Item = (&'a LinkName, Family)>,
    ) -> Result<(), Refusal> {
        for (link, family) in raised {
            match doorway.set_sysctl(&UplinkFamily::setting_of(family, link), 0) {
                // the link is gone
                Err(refusal) if refusal.errno == Errno::ENOENT => {}
                lowered => lowered?,
            }
        }
        Ok(())
    }
}

/// The uplinks that no element tells of, since their link came later or somebody has flushed the tables,
/// and what reminds of those that were raised. None where any other link has a barrier, which is that of
/// a network that was flushed and is not known here.
fn of_rules_alone<'a>(
    policy: &'a [PolicyRule],
    (firewall, said): (&'a HostFirewall, &[&LinkName]),
) -> (Vec<&'a LinkName>, Vec<&'a PolicyRule>) {
    let uplinks = firewall.uplinks.iter().map(|uplink| &uplink.link);
    let unsaid: Vec<&LinkName> = uplinks.filter(|link| !said.contains(link)).collect();
    let is_known = |by: &LinkName| said.contains(&by) || unsaid.contains(&by);
    let is_anothers = |rule: &PolicyRule| {
        let mut barriers = firewall.barriers.iter();
        let is_barrier = barriers
            .any(|barrier| (barrier.family, barrier.priority) == (rule.family, rule.priority));
        is_barrier && rule.by.as_ref().is_some_and(|by| !is_known(by))
    };
    if policy.iter().any(is_anothers) {
        return (Vec::new(), Vec::new());
    }
    let reminds = |rule: &&PolicyRule| UplinkFamily::reminded_of(rule).is_some();
    let reminders = policy.iter().filter(reminds).collect();
    (unsaid, reminders)
}

/// What the tables say, and what is remembered of them.
fn all_raised<'a>(
    raised: &'a [Vec<Field>],
    policy: impl IntoIterator<Item = &'a PolicyRule>,
) -> impl Iterator<Item = (&'a LinkName, Family)> {
    let raised = raised.iter().filter_map(|key| link_and_family(key));
    raised.chain(policy.into_iter().filter_map(UplinkFamily::reminded_of))
}

/// Whether what comes in by the link is forwarded as it is.
fn forwards(doorway: &Doorway, family: &UplinkFamily, link: &LinkName) -> Result<bool, Refusal> {
    for setting in family.says_whether_forwarded(link) {
        if doorway.sysctl(&setting)? != 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The table that says which networks there are.
fn first(firewall: &HostFirewall) -> Result<&Table, Refusal> {
    firewall.tables.first().ok_or_else(|| Errno::EINVAL.into())
}

fn keys(
    socket: &mut crate::netlink::socket::nft::NftSocket,
    table: &Table,
    set: &str,
) -> Result<Vec<Vec<Field>>, Refusal> {
    let Some(set) = table.sets.iter().find(|other| other.name == set) else {
        return Ok(Vec::new());
    };
    let found = match socket.elements(table, set) {
        Err(refusal) if refusal.errno == Errno::ENOENT => return Ok(Vec::new()),
        found => found?,
    };
    let elements: Vec<Element> = found.elements;
    Ok(elements.into_iter().map(|element| element.key).collect())
}

fn link_and_family(key: &[Field]) -> Option<(&LinkName, Family)> {
    match key {
        [Field::Family(family), Field::Link(link)] => Some((link, *family)),
        _ => None,
    }
}

fn link_of(key: &[Field]) -> Option<&LinkName> {
    key.iter().find_map(|field| match field {
        Field::Link(name) => Some(name),
        _ => None,
    })
}

fn add_rule(doorway: &mut Doorway, rule: &PolicyRule) -> Result<(), Refusal> {
    match doorway.route.call(policy::add(rule)) {
        Err(refusal) if refusal.errno == Errno::EEXIST => Ok(()),
        added => added,
    }
}

fn delete_rule(doorway: &mut Doorway, rule: &PolicyRule) -> Result<(), Refusal> {
    match doorway.route.call(policy::delete(rule)) {
        // fib_nl_delrule
        Err(refusal) if refusal.errno.is_absence() || refusal.errno == Errno::ENOENT => Ok(()),
        deleted => deleted,
    }
}
