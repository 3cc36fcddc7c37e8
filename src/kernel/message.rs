//! Which steps go to the kernel as messages, through whose socket, and how many at once.

use std::os::fd::BorrowedFd;

use crate::netlink::frame::Request;
use crate::netlink::{address, link, policy, route};
use crate::plan::{Side, Step, Switch};

/// Steps that are no message, or not one that is sent with others: one list for both who ask.
macro_rules! of_another_kind {
    () => {
        Step::SetSysctl { .. }
            | Step::KeepSysctl { .. }
            | Step::SetLinkSysctl { .. }
            | Step::AwaitForwarding { .. }
            | Step::RaiseFirewall(_)
            | Step::RetireFirewall(_)
            | Step::EditElements(_)
            | Step::ForgetFlows(_)
            | Step::EditHosts(_)
            | Step::WriteFile(_)
            | Step::AddRedirect(_)
            | Step::DeleteRedirect(_)
            | Step::MoveLink { .. }
            | Step::SetName { .. }
            | Step::ReplaceRoute { .. }
            | Step::DeleteLink { .. }
    };
}

/// The side whose socket carries the step as a message; `None` for a step of another kind.
pub(super) fn side(step: &Step) -> Option<Side> {
    match step {
        of_another_kind!() => None,
        _ => step.side(),
    }
}

/// Behind the last of the steps from `start` on that can be sent together.
pub(super) fn end_of_batch(steps: &[Step], start: usize) -> usize {
    let first = side(&steps[start]);
    if first.is_none() {
        return start + 1;
    }
    let rest = steps[start..].iter().take_while(|step| side(step) == first);
    start + rest.count()
}

/// The step as a message; `None` for a step of another kind. `beyond` is the namespace of the
/// second side, where it is not that of the first.
pub(super) fn request<'n>(
    step: &Step,
    beyond: impl FnOnce(Side, Side) -> Option<BorrowedFd<'n>>,
) -> Option<Request> {
    Some(match step {
        Step::AddBridge {
            link: bridge,
            mac,
            mtu,
            options,
        } => link::add_bridge((&bridge.name, bridge.index), *mac, *mtu, options),
        Step::AddVeth(veth) => link::add_veth(veth, beyond(veth.link.side, veth.peer.side)),
        Step::SetAlias { link, alias } => link::set_alias(link.index, alias),
        Step::SetMtu { link, mtu } => link::set_mtu(link.index, *mtu),
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
        Step::AddSubnetRoute { link, address } => route::add_subnet(link.index, *address),
        Step::AddRoute(to) => route::add(to),
        Step::DeleteRoute(to) => route::delete(to),
        Step::AddPolicyRule(rule) => policy::add(rule),
        Step::DeletePolicyRule(rule) => policy::delete(rule),
        Step::AddProhibition(prohibition) => policy::prohibit(prohibition),
        Step::DeleteProhibition(prohibition) => policy::permit(prohibition),
        of_another_kind!() => return None,
    })
}
