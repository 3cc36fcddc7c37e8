//! What a host has, for those who compare it with what its networks need, and the way back.

use std::collections::BTreeSet;
use std::fs::read_to_string;

use super::doorway::Doorway;
use super::netns::Netns;
use super::{Kernel, explain};
use crate::addr::{Family, LinkName};
use crate::audit::Survey;
use crate::errno::Errno;
use crate::error::Result;
use crate::plan::nft::{Deviation, Element};
use crate::plan::{HostFirewall, PolicyRule, Sysctl};

impl Kernel {
    /// What is there, but for settings.
    pub(crate) fn survey(&self, bridges: &[LinkName]) -> Result<Survey> {
        let filter = &self.shared.filter;
        let refused = |refusal| explain::plain("read the tables", refusal);
        let (deviations, elements) = filter.look(self.namespace()).map_err(refused)?;
        let drops = filter.drops(self.namespace(), bridges).map_err(refused)?;
        Ok(Survey {
            deviations,
            elements,
            drops,
            policy: self.policy()?,
            snapshot: self.snapshot()?,
            legacy: legacy(self.namespace())?,
            ..Survey::default()
        })
    }

    /// As [`survey`](Self::survey), but for the packet filter.
    pub(crate) fn survey_routing(&self) -> Result<Survey> {
        Ok(Survey {
            elements: self.shared.filter.wanted().into_iter().collect(),
            policy: self.policy()?,
            snapshot: self.snapshot()?,
            ..Survey::default()
        })
    }

    /// All elements that are in the tables of a host with this firewall.
    pub(crate) fn elements(&self, firewall: &HostFirewall) -> Result<Vec<Element>> {
        let found = self.shared.filter.elements(self.namespace(), firewall);
        found.map_err(|refusal| explain::plain("read the tables", refusal))
    }

    /// Of the tables, ours and others': any change makes another one.
    pub(crate) fn tables_generation(&self) -> Result<u32> {
        let found = self.shared.filter.generation(self.namespace());
        found.map_err(|refusal| explain::plain("read the tables' generation", refusal))
    }

    /// Elements go; unless anybody has changed any table since that generation, then none does. Returns
    /// whether they are gone.
    pub(crate) fn remove_elements_in(&self, generation: u32, elements: &[Element]) -> Result<bool> {
        let removing = "remove what is nobody's from the tables";
        if let Some(strike) = self.shared.injector.strike() {
            return Err(explain::plain(removing, strike.errno.into()));
        }
        let filter = &self.shared.filter;
        let removed = filter.remove_in(self.namespace(), generation, elements);
        removed.map_err(|refusal| explain::plain(removing, refusal))
    }

    /// Those of them that were made by networks and containers that are known.
    pub(crate) fn own_elements(&self) -> BTreeSet<Element> {
        self.shared.filter.wanted()
    }

    /// The routing policy's rules that bear our mark.
    pub(crate) fn policy(&self) -> Result<Vec<PolicyRule>> {
        self.with_doorway("read the routing policy", Doorway::policy)
    }

    /// What these settings are; `None` for those that are not there.
    pub(crate) fn settings(&self, keys: &[Sysctl]) -> Result<Vec<(Sysctl, Option<u32>)>> {
        self.with_doorway("read settings", |doorway| {
            let read = |key: &Sysctl| match doorway.sysctl(key) {
                Err(refusal) if refusal.errno == Errno::ENOENT => Ok((key.clone(), None)),
                found => found.map(|value| (key.clone(), Some(value))),
            };
            keys.iter().map(read).collect()
        })
    }

    /// All that is ours in the tables is there as it was made; returns what was not. What other processes
    /// do on purpose is known once `catch_up` was called.
    pub(crate) fn mend_filter(&self, catch_up: impl Fn() -> Result<()>) -> Result<Vec<Deviation>> {
        let mended = self.shared.filter.mend(self.namespace(), catch_up);
        // what can't be forgotten ends by itself
        let _go_on_till_they_end = self.forget_what_was_not_led();
        mended.map_err(|refusal| explain::plain("make the tables bridgework again", refusal))
    }

    /// Whether some of that was gone when it was changed last, and was made again, as far as it was known.
    pub(crate) fn has_mended_filter(&self) -> bool {
        self.shared.filter.has_mended()
    }

    /// What comes by these links reaches containers from now on, and nobody else whom it did not
    /// reach before.
    pub(crate) fn add_uplinks(&self, firewall: &HostFirewall) -> Result<()> {
        self.with_doorway("make links ways to containers", |doorway| {
            let filter = &self.shared.filter;
            filter.add_uplinks((self.namespace(), doorway), firewall)
        })
    }
}

/// The kernel tells of the tables by their names alone, and to root alone.
fn legacy(netns: &Netns) -> Result<Vec<Family>> {
    let has_filter = |name: &str| {
        let text = read_to_string(format!("/proc/thread-self/net/{name}_tables_names"));
        text.is_ok_and(|text| text.lines().any(|line| line == "filter"))
    };
    let names = [(Family::V4, "ip"), (Family::V6, "ip6")];
    netns.enter(|| {
        let found = names.iter().filter(|(_, name)| has_filter(name));
        found.map(|(family, _)| *family).collect()
    })
}
