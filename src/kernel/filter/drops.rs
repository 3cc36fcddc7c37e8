//! Others' base chains that drop what is forwarded: no table of ours can accept it instead.

use crate::addr::LinkName;
use crate::firewall::{ForwardDrop, TABLE};
use crate::netlink::frame::Refusal;
use crate::netlink::nft::accepts;
use crate::netlink::nft::read::{ChainState, RawRule};
use crate::netlink::socket::nft::NftSocket;
use crate::plan::nft::Selector;

/// `NF_INET_FORWARD`, and the verdict of a policy.
const FORWARD: u32 = 2;
const DROP: u32 = 0;

/// Those of routed packets, and which of these links each accepts all of.
pub(super) fn drops(
    socket: &mut NftSocket,
    links: &[LinkName],
) -> Result<Vec<ForwardDrop>, Refusal> {
    let chains = socket.chains()?;
    let mut found = Vec::new();
    for chain in &chains {
        let Some(family) = family_of(chain).filter(|_| drops_forwarded(chain)) else {
            continue;
        };
        let rules = socket.rules_of(chain.family, &chain.table, &chain.name)?;
        let rules: Vec<RawRule> = rules.into_iter().map(|rule| rule.rule).collect();
        let both = |link: &&LinkName| {
            [Selector::LinkIn, Selector::LinkOut]
                .iter()
                .all(|way| rules.iter().any(|rule| accepts(rule, *way, link)))
        };
        found.push(ForwardDrop {
            family,
            table: chain.table.clone(),
            chain: chain.name.clone(),
            accepted: links.iter().filter(both).cloned().collect(),
        });
    }
    Ok(found)
}

fn drops_forwarded(chain: &ChainState) -> bool {
    let base = chain.base.as_ref();
    chain.table != TABLE && base.is_some_and(|base| (base.hook, base.policy) == (FORWARD, DROP))
}

/// `NFPROTO_…` of routed packets.
fn family_of(chain: &ChainState) -> Option<&'static str> {
    match chain.family {
        1 => Some("inet"),
        2 => Some("ip"),
        10 => Some("ip6"),
        _ => None,
    }
}
