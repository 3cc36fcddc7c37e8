//! Which steps of a plan do not hold on the host's side, as far as a snapshot tells: links, their
//! addresses and routes, and what has gone with them. What is inside a container is its own business.

use super::deviation::{Deviation, DeviationCause};
use super::present::Present;
use crate::addr::{MacAddr, Mtu};
use crate::plan::{ALIAS_MARK, Link, Plan, Prohibition, ROUTE_PROTOCOL, Route, Side, Step};
use crate::snapshot::{LinkState, RouteState};
use ipnet::IpNet;

/// uapi/linux/rtnetlink.h
pub(super) const RT_TABLE_MAIN: u32 = 254;

/// What of `plan` does not hold, in the order in which it is to be made again.
///
/// A link is ours if it has the number that we gave it, and its name or an alias that begins with
/// our mark. What a snapshot does not show (settings, options of ports) is missing where the link that
/// it was of has to be made again.
pub(crate) fn missing(plan: &Plan, host: &Present<'_>) -> Vec<Deviation> {
    let mut audit = Audit {
        plan,
        host,
        found: Vec::new(),
        anew: Vec::new(),
        released: Vec::new(),
    };
    for (at, step) in plan.steps().iter().enumerate() {
        audit.look_at(at, step);
    }
    audit.found
}

/// What a link's name and number lead to.
enum Place<'a> {
    Ours(&'a LinkState),
    Gone,
    Foreign(&'a LinkState),
}

fn place<'a>(link: &Link, host: &Present<'a>) -> Place<'a> {
    let is_ours =
        |state: &LinkState| state.name == link.name.as_str() || state.alias.starts_with(ALIAS_MARK);
    match host.link_at(link.index.get()) {
        Some(state) if is_ours(state) => Place::Ours(state),
        Some(state) => Place::Foreign(state),
        None => match host.link_named(link.name.as_str()) {
            Some(state) => Place::Foreign(state),
            None => Place::Gone,
        },
    }
}

struct Audit<'a> {
    plan: &'a Plan,
    host: &'a Present<'a>,
    found: Vec<Deviation>,
    /// Steps that bring links which have to be made again.
    anew: Vec<&'a Step>,
    /// Links that have to become ports again, without what they had as such.
    released: Vec<&'a Link>,
}

impl<'a> Audit<'a> {
    fn look_at(&mut self, at: usize, step: &'a Step) {
        if step.side() != Some(Side::Host) {
            return;
        }
        match step {
            Step::AddBridge { link, mac, mtu, .. } => {
                self.bearer(step, link, |audit, state| {
                    // the kernel sets that of a bridge without ports back (`br_mtu_auto_adjust`), and
                    // with the first port to that one's
                    let own = Mtu::new(state.mtu_bytes).ok();
                    let idle = own.filter(|_| !audit.host.has_ports(state.index));
                    audit.identity(state, (link, *mac, idle.unwrap_or(*mtu)));
                    audit.master(state, link, audit.last_master(at, link, None));
                });
            }
            Step::AddVeth(veth) => self.bearer(step, &veth.link, |audit, state| {
                audit.identity(state, (&veth.link, veth.mac, veth.mtu));
                let born_on = veth.master.as_ref();
                audit.master(
                    state,
                    &veth.link,
                    audit.last_master(at, &veth.link, born_on),
                );
            }),
            Step::AddProhibition(prohibition) if !self.has_prohibition(prohibition) => {
                self.found(step.clone(), DeviationCause::Missing);
            }
            step => self.of_link(step),
        }
    }

    /// A step that brings a link: `otherwise` looks at one that is there.
    fn bearer(
        &mut self,
        step: &'a Step,
        link: &'a Link,
        otherwise: impl FnOnce(&mut Self, &'a LinkState),
    ) {
        match place(link, self.host) {
            Place::Ours(state) => otherwise(self, state),
            Place::Foreign(state) => self.found(step.clone(), occupied(state)),
            Place::Gone => {
                self.found(step.clone(), DeviationCause::Missing);
                self.anew.push(step);
            }
        }
    }

    /// A step on a link that another step has brought, or that was there before.
    fn of_link(&mut self, step: &'a Step) {
        if self.anew.iter().any(|bearer| bearer.bears(step)) {
            return self.found(step.clone(), DeviationCause::Fallen);
        }
        let Some(link) = step.link() else { return };
        let Place::Ours(state) = place(link, self.host) else {
            return;
        };
        let is_altered = match step {
            Step::SetAlias { alias, .. } => state.alias != *alias,
            Step::SetUp { .. } => !state.up,
            Step::Announce { mac, .. } => state.mac != Some(*mac),
            Step::SetPort { .. } => self.released.contains(&link),
            _ => false,
        };
        match step {
            _ if is_altered => self.found(step.clone(), DeviationCause::Altered),
            Step::AddAddress { link, address } => self.address(step, (link, address), state.up),
            Step::AddRoute(route) if !self.has_route(route) => {
                self.found(step.clone(), DeviationCause::Missing);
            }
            _ => {}
        }
    }

    fn found(&mut self, step: Step, cause: DeviationCause) {
        self.found.push(Deviation::new(step, cause));
    }

    fn altered(&mut self, step: Step) {
        self.found(step, DeviationCause::Altered);
    }

    fn identity(&mut self, state: &LinkState, (link, mac, mtu): (&Link, MacAddr, Mtu)) {
        if state.name != link.name.as_str() {
            let step = Step::SetName {
                link: link.clone(),
                found: state.name.clone(),
            };
            match self.host.link_named(link.name.as_str()) {
                Some(other) => self.found(step, occupied(other)),
                None => self.altered(step),
            }
        }
        let link = || link.clone();
        if state.mac != Some(mac) {
            self.altered(Step::Announce { link: link(), mac });
        }
        if state.mtu_bytes != mtu.bytes() {
            self.altered(Step::SetMtu { link: link(), mtu });
        }
    }

    fn master(&mut self, state: &LinkState, link: &'a Link, master: Option<&Link>) {
        if state.master == master.map(|master| master.index.get()) {
            return;
        }
        // to somebody else's bridge nothing of ours is given
        if master.is_some_and(|master| matches!(place(master, self.host), Place::Foreign(_))) {
            return;
        }
        self.released.push(link);
        self.altered(Step::SetMaster {
            link: link.clone(),
            master: master.cloned(),
        });
    }

    /// The last word of the plan on the bridge that a link is a port of, which `born_on` is the first.
    fn last_master(&self, at: usize, link: &Link, born_on: Option<&'a Link>) -> Option<&'a Link> {
        let later = self.plan.steps().iter().skip(at).rev();
        let mut words = later.filter_map(|step| match step {
            Step::SetMaster { link: of, master } if of == link => Some(master.as_ref()),
            _ => None,
        });
        words.next().unwrap_or(born_on)
    }

    /// An address, and the route to its subnet that the kernel makes with it while the link is up.
    fn address(&mut self, step: &Step, (link, address): (&Link, &IpNet), up: bool) {
        let index = link.index.get();
        if !self.host.has_address(index, *address) {
            return self.found(step.clone(), DeviationCause::Missing);
        }
        let leads = |route: &&RouteState| {
            (route.link, route.table, route.gateway) == (Some(index), RT_TABLE_MAIN, None)
        };
        let is_alone = address.prefix_len() == address.max_prefix_len();
        if up && !is_alone && !self.host.routes_to(*address).iter().any(leads) {
            let (link, address) = (link.clone(), *address);
            let step = Step::AddSubnetRoute { link, address };
            self.found(step, DeviationCause::Missing);
        }
    }

    fn has_route(&self, route: &Route) -> bool {
        let wanted = RouteState {
            destination: route.destination.trunc(),
            gateway: route.gateway,
            link: Some(route.link.index.get()),
            metric: route.kernel_metric(),
            table: RT_TABLE_MAIN,
            protocol: ROUTE_PROTOCOL,
        };
        self.host.routes_to(route.destination).contains(&&wanted)
    }

    fn has_prohibition(&self, prohibition: &Prohibition) -> bool {
        let routes = self.host.routes_to(prohibition.subnet.into());
        let is_it = |route: &&RouteState| {
            (route.table, route.protocol) == (prohibition.table, ROUTE_PROTOCOL)
        };
        routes.iter().any(is_it)
    }
}

fn occupied(by: &LinkState) -> DeviationCause {
    DeviationCause::Occupied {
        name: by.name.clone(),
        index: by.index,
    }
}
