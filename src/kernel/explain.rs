//! From a refusal to the words of an error: what was attempted, on which object, and what to do
//! about it.

use crate::errno::Errno;
use crate::error::{Error, Fault};
use crate::netlink::frame::Refusal;
use crate::plan::{Link, Plan, Side, Step, VethStep};
use crate::snapshot::LinkState;

/// include/net/bridge: a port's number has 10 bits, and 0 is none.
pub(crate) const BRIDGE_PORTS_MAX: u32 = 1023;

/// A step of a plan that the kernel refused.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) step: usize,
    pub(super) refusal: Refusal,
}

pub(super) fn plain(doing: &str, refusal: Refusal) -> Error {
    Error::of(doing, vec![fault(doing, refusal)])
}

pub(super) fn fault(doing: &str, refusal: Refusal) -> Fault {
    let Refusal { errno, words } = refusal;
    match errno {
        Errno::EPERM => missing_privilege(doing),
        errno => Fault::Kernel {
            doing: doing.to_owned(),
            errno,
            words,
        },
    }
}

/// The refusal of a setting that a caller wrote.
pub(super) fn unset(errno: Errno) -> Refusal {
    let words = match errno {
        Errno::ENOENT => Some("the interface has no such setting"),
        Errno::EINVAL => Some("the setting can't have this value"),
        Errno::EACCES => Some("the setting can only be read"),
        _ => None,
    };
    Refusal {
        errno,
        words: words.map(str::to_owned),
    }
}

fn missing_privilege(doing: &str) -> Fault {
    Fault::Privilege {
        capability: "CAP_NET_ADMIN",
        why: format!(
            "{doing}: it is needed in the user namespace that owns the network namespace; run as \
             root, or call sandbox::enter() first"
        ),
    }
}

/// The fault of one step. `look_up` asks the kernel for a link by its name.
pub(super) fn step(
    plan: &Plan,
    failure: &Failure,
    look_up: impl FnMut(&Link) -> Result<Option<LinkState>, Refusal>,
) -> Fault {
    let doing = plan.line(failure.step);
    let errno = failure.refusal.errno;
    let typed = plan
        .steps()
        .get(failure.step)
        .and_then(|step| match (step, errno) {
            // a privilege would not help
            (Step::AddRedirect(_) | Step::DeleteRedirect(_), Errno::EPERM)
                if failure.refusal.words.is_some() =>
            {
                None
            }
            (_, Errno::EPERM) => Some(missing_privilege(&doing)),
            (Step::AddBridge { .. }, Errno::EOPNOTSUPP) => Some(unsupported("bridge")),
            (Step::RaiseFirewall(_), Errno::EPROTONOSUPPORT | Errno::EOPNOTSUPP) => {
                Some(unsupported("nf_tables"))
            }
            (Step::AddRedirect(_), errno) => without_redirects(&doing, errno),
            (Step::AddVeth(_), Errno::EOPNOTSUPP) => Some(unsupported("veth")),
            (Step::AddVeth(veth), Errno::EXFULL) => full(veth),
            (Step::AddVeth(veth), Errno::EEXIST) => taken(plan, &[&veth.peer, &veth.link], look_up),
            (Step::MoveLink { to, .. }, Errno::EEXIST) => taken(plan, &[to], look_up),
            (Step::AddBridge { link, .. }, Errno::EEXIST) => taken(plan, &[link], look_up),
            _ => None,
        });
    typed.unwrap_or_else(|| Fault::Kernel {
        doing,
        errno,
        words: failure.refusal.words.clone(),
    })
}

fn without_redirects(doing: &str, errno: Errno) -> Option<Fault> {
    match errno {
        Errno::EACCES => Some(missing_privilege(doing)),
        Errno::EPROTONOSUPPORT | Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT => {
            Some(unsupported("nf_tables for IPv4"))
        }
        // nf_tables itself has all other expressions that are asked of it
        Errno::ENOENT => Some(unsupported("notrack of nf_tables (nft_ct)")),
        _ => None,
    }
}

fn unsupported(feature: &'static str) -> Fault {
    Fault::Unsupported {
        feature,
        hint: "build it in, or load its module",
    }
}

fn full(veth: &VethStep) -> Option<Fault> {
    let bridge = veth.master.as_ref()?.name.clone();
    Some(Fault::BridgeFull {
        bridge,
        limit: BRIDGE_PORTS_MAX,
    })
}

/// Which of the names is taken; `None` where it is an index that is.
fn taken(
    plan: &Plan,
    links: &[&Link],
    mut look_up: impl FnMut(&Link) -> Result<Option<LinkState>, Refusal>,
) -> Option<Fault> {
    // with our index it is ours: the kernel made it and its answer was lost
    let mut is_foreign = |link: &Link| match look_up(link) {
        Ok(Some(state)) => state.index != link.index.get(),
        _ => false,
    };
    let there = links.iter().find(|link| is_foreign(link))?;
    let namespace = match there.side {
        Side::Host => None,
        Side::Container => plan.container().map(ToString::to_string),
    };
    Some(Fault::LinkExists {
        name: there.name.clone(),
        namespace,
    })
}
