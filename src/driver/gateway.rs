//! Which of a container's networks its default routes lead by, and the steps by which that changes.
//!
//! Docker's rule, for each family on its own: the higher priority; then a network that leads out in
//! both families before one that does in one; then the name, in the order of its bytes. Of several
//! interfaces on one network, the one of the first name: `eth2` before `eth10`.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::addr::{Family, NetworkName};
use crate::firewall::Door;
use crate::plan::{Link, Plan, Route, Step};
use crate::spec::{EndpointAddress, EndpointSpec, NetworkSpec};

/// What one endpoint of a container has to offer as a way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    network: NetworkName,
    priority: i32,
    link: Link,
    ipv4: Option<IpAddr>,
    ipv6: Option<IpAddr>,
    metric: u32,
    /// By which it is reached in turn.
    doors: Vec<Door>,
}

impl Exit {
    /// Of an endpoint that `plan` connects. One whose plan brings no link leads nowhere.
    pub(crate) fn new(network: &NetworkSpec, endpoint: &EndpointSpec, plan: &Plan) -> Self {
        let has_link = plan.steps().iter().any(|step| step.brings(&endpoint.link));
        let gateway = |address: &Option<EndpointAddress>| {
            let address = address.as_ref().filter(|_| has_link)?;
            address.gateway
        };
        Self {
            network: network.name.clone(),
            priority: endpoint.priority,
            link: endpoint.link.clone(),
            ipv4: gateway(&endpoint.ipv4),
            ipv6: gateway(&endpoint.ipv6),
            metric: endpoint.route_metric,
            doors: Door::all(network, endpoint),
        }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    fn gateway(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::V4 => self.ipv4,
            Family::V6 => self.ipv6,
        }
    }

    /// All processes that know of the same exits agree on it, whatever the order in which they learned.
    fn rank(&self) -> impl Ord {
        let families = [self.ipv4, self.ipv6].into_iter().flatten().count();
        let link = self.link.name.as_str();
        let of_link = (link.len(), link);
        let of_network = (Reverse(self.priority), Reverse(families), &self.network);
        (of_network, of_link)
    }
}

/// The one that the default route of a family leads by; `None` where no network leads out.
fn leading(exits: &[Exit], family: Family) -> Option<&Exit> {
    let candidates = exits.iter().filter(|exit| exit.gateway(family).is_some());
    candidates.min_by(|a, b| a.rank().cmp(&b.rank()))
}

/// The default route of one family; `None` where no network leads out.
pub(crate) fn default_route(exits: &[Exit], family: Family) -> Option<Route> {
    let chosen = leading(exits, family)?;
    Some(Route {
        metric: chosen.metric,
        ..Route::default_by(chosen.gateway(family)?, &chosen.link)
    })
}

/// The doors by which a container's ports are reached: in each family that of the network which the
/// default route leads by, since what answers leaves by that; and all that need no translation.
pub(crate) fn doors(exits: &[Exit]) -> Vec<Door> {
    let leads = |exit: &Exit, family| {
        leading(exits, family).is_some_and(|leading| std::ptr::eq(leading, exit))
    };
    let used = |exit: &Exit| {
        let doors = exit.doors.iter();
        let used = doors.filter(|door| !door.translates() || leads(exit, door.family));
        used.cloned().collect::<Vec<Door>>()
    };
    exits.iter().flat_map(used).collect()
}

/// The steps by which the default routes become those of `after`, where they are those of `before`.
/// A route whose link is going falls with it.
pub(crate) fn moves(before: &[Exit], after: &[Exit]) -> Vec<Step> {
    let families = [Family::V4, Family::V6].into_iter();
    let step = |family| match (default_route(before, family), default_route(after, family)?) {
        (None, to) => Some(Step::AddRoute(to)),
        (Some(from), to) if from != to => Some(Step::ReplaceRoute { from, to }),
        (Some(_), _) => None,
    };
    families.filter_map(step).collect()
}

/// Adds the steps of [`moves`] to a plan that connects `link`, and returns how many of the plan's steps
/// are the endpoint's own. The first route there is goes into the same send as the link; one that
/// takes the place of another waits until the link is in service, so that no packet is lost.
pub(crate) fn lead_out(plan: &mut Plan, link: &Link, moves: Vec<Step>) -> usize {
    let is_first = |step: &Step| matches!(step, Step::AddRoute(_));
    let (first, others): (Vec<Step>, Vec<Step>) = moves.into_iter().partition(is_first);
    plan.insert_after_up(link, first);
    let own = plan.steps().len();
    plan.extend(others);
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::{LinkIndex, Subnet};
    use crate::plan::Side;

    fn exit(network: &str, priority: i32, ipv4: Option<u8>, ipv6: Option<u16>) -> Exit {
        let index = LinkIndex::new(7).expect("it is in range");
        let name = network.parse().expect("it is a link's name too");
        Exit {
            network: network.parse().expect("it is a name"),
            priority,
            link: Link::new(Side::Container, name, index),
            ipv4: ipv4.map(|last| [10, 0, 0, last].into()),
            ipv6: ipv6.map(|last| [0xfd00, 0, 0, 0, 0, 0, 0, last].into()),
            metric: 0,
            doors: Vec::new(),
        }
    }

    fn by(exits: &[Exit], family: Family) -> Option<String> {
        default_route(exits, family).map(|route| route.link.name.to_string())
    }

    #[test]
    fn the_higher_priority_wins_then_both_families_then_the_name() {
        let (a, b) = (exit("a", 0, Some(1), None), exit("b", 0, Some(1), Some(1)));
        let (c, d) = (exit("c", 1, Some(1), None), exit("d", -1, None, Some(1)));
        let v4 = |exits: &[Exit]| by(exits, Family::V4);
        let all = [d.clone(), c.clone(), b.clone(), a.clone()];
        assert_eq!(v4(&all).as_deref(), Some("c"));
        assert_eq!(v4(&[a.clone(), b.clone()]).as_deref(), Some("b"));
        let same = exit("aa", 0, Some(9), None);
        assert_eq!(v4(&[same, a.clone()]).as_deref(), Some("a"));
        assert_eq!(by(&all, Family::V6).as_deref(), Some("b"));
        assert_eq!(by(&[a, d.clone()], Family::V6).as_deref(), Some("d"));
        assert_eq!(v4(&[d]), None);
    }

    #[test]
    fn a_route_that_is_there_is_replaced_and_never_taken_away_first() {
        let (a, b) = (exit("a", 0, Some(1), Some(1)), exit("b", 5, Some(2), None));
        let text = |steps: Vec<Step>| steps.iter().map(Step::to_string).collect::<Vec<_>>();
        let come = moves(std::slice::from_ref(&a), &[a.clone(), b.clone()]);
        assert_eq!(
            text(come),
            ["ip -n container route replace default via 10.0.0.2 dev b proto 98"]
        );
        let first = moves(&[], std::slice::from_ref(&a));
        assert_eq!(
            text(first),
            [
                "ip -n container route add default via 10.0.0.1 dev a proto 98",
                "ip -n container -6 route add default via fd00::1 dev a proto 98",
            ]
        );
        assert!(moves(&[a.clone(), b.clone()], &[b, a.clone()]).is_empty());
        assert!(moves(&[a], &[]).is_empty());
    }

    #[test]
    fn a_route_of_another_metric_is_there_before_the_former_one_goes() {
        let a = exit("a", 0, Some(1), None);
        let b = Exit {
            metric: 100,
            ..exit("b", 5, Some(2), None)
        };
        let come = moves(std::slice::from_ref(&a), &[a.clone(), b.clone()]);
        let text: Vec<String> = come.iter().map(Step::to_string).collect();
        assert_eq!(
            text,
            [
                "ip -n container route replace default via 10.0.0.2 dev b proto 98 metric 100 \
                 && ip -n container route del default via 10.0.0.1 dev a proto 98"
            ]
        );
    }

    #[test]
    fn the_first_route_comes_after_the_driver_s_own_routes_that_it_needs() {
        let a = exit("a", 0, Some(1), None);
        let link = a.link().clone();
        let on_link: Subnet = "10.0.0.1/32".parse().expect("it is one");
        let mut plan = Plan::from_iter([
            Step::SetUp { link: link.clone() },
            Step::AddRoute(Route::new(on_link, &link)),
            Step::AwaitForwarding { link: link.clone() },
        ]);
        let own = lead_out(&mut plan, &link, moves(&[], &[a]));
        let at = |wanted: fn(&Step) -> bool| plan.steps().iter().rposition(wanted);
        let is_default = |step: &Step| step.to_string().contains(" default ");
        assert_eq!(at(is_default), Some(2), "{plan}");
        assert_eq!((own, plan.steps().len()), (4, 4));
    }
}
