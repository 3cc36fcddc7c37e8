//! How sequences of verbs come to be by chance: what is asked for, and how often.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::verbs::{
    ALIASES, Aim, Ask, AskFlaw, BRIDGE, CONTAINERS, CreateFlaw, Families, How, Kind, LINK_ALIASES,
    LINK_NAMES, Mark, Mode, NETWORKS, Step, Strike, Verb,
};

/// Two networks, some containers on them, and then whatever comes.
pub fn sequences() -> impl Strategy<Value = Vec<Step>> {
    let networks = vec(any_create(), 2);
    let aim = || (0..64_usize).prop_map(Aim);
    let come = prop_oneof![6 => any_connect(), 1 => any_stage()];
    let connects = vec((come, aim().prop_map(Some)), 2..=4);
    let steps = vec((any_verb(), option::weighted(0.85, aim())), 4..=9);
    (networks, connects, steps).prop_map(|(networks, connects, steps)| {
        let networks = networks.into_iter().map(|create| (create, None));
        networks.chain(connects).chain(steps).collect()
    })
}

fn any_stage() -> impl Strategy<Value = Verb> {
    let (at, net) = (0..CONTAINERS.len(), 0..NETWORKS.len());
    (at, net, any_ask()).prop_map(|(at, net, ask)| Verb::Stage { at, net, ask })
}

fn any_connect() -> impl Strategy<Value = Verb> {
    let (at, net) = (0..CONTAINERS.len(), 0..NETWORKS.len());
    let strike = (1..24_u64, any::<bool>());
    let strike = strike.prop_map(|(call, answer_lost)| Strike { call, answer_lost });
    let strike = option::weighted(0.07, strike);
    (at, net, any_ask(), strike).prop_map(|(at, net, ask, strike)| Verb::Connect {
        at,
        net,
        ask,
        strike,
    })
}

fn any_verb() -> impl Strategy<Value = Verb> {
    let (at, net) = (|| 0..CONTAINERS.len(), || 0..NETWORKS.len());
    prop_oneof![
        1 => any_create(),
        1 => net().prop_map(|net| Verb::Remove { net }),
        1 => Just(Verb::Prune),
        1 => (0..BRIDGE).prop_map(|net| Verb::LetGo { net }),
        3 => (at(), any_mode(), any_ask()).prop_map(|(at, mode, ask)| Verb::Open { at, mode, ask }),
        2 => at().prop_map(|at| Verb::Close { at }),
        12 => any_connect(),
        14 => (at(), net(), any_how()).prop_map(|(at, net, how)| Verb::Disconnect { at, net, how }),
        1 => (option::of(at()), option::of(net()))
            .prop_map(|(at, net)| Verb::DisconnectTogether { at, net }),
        1 => (at(), net()).prop_map(|(at, net)| Verb::Forget { at, net }),
        3 => any_stage(),
        5 => (at(), net(), prop_oneof![9 => Just(None), 1 => at().prop_map(Some)])
            .prop_map(|(at, net, other)| Verb::Join { at, net, into: other.unwrap_or(at) }),
        1 => (at(), net(), prop_oneof![Just(How::Handle), Just(How::Drop)])
            .prop_map(|(at, net, how)| Verb::Delete { at, net, how }),
    ]
}

fn any_create() -> impl Strategy<Value = Verb> {
    let families = select(vec![Families::V4, Families::V6, Families::Dual]);
    let marks = vec![Mark::Internal, Mark::Lan, Mark::Small, Mark::Everyone];
    let marks = prop_oneof![Just(Vec::new()), subsequence(marks, 1..=2)];
    let kind = (families, marks).prop_map(|(families, marks)| Kind { families, marks });
    let flaw = select(vec![CreateFlaw::GatewayOutside, CreateFlaw::UnknownOption]);
    let net = prop_oneof![19 => 0..BRIDGE, 1 => Just(BRIDGE)];
    (net, kind, option::weighted(0.05, flaw)).prop_map(|(net, kind, flaw)| Verb::Create {
        net,
        kind,
        flaw,
    })
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        1 => Just(Mode::Own),
        1 => Just(Mode::None),
        1 => Just(Mode::Host),
        3 => (0..CONTAINERS.len()).prop_map(Mode::Sharing),
        2 => (0..CONTAINERS.len()).prop_map(Mode::Beside),
        1 => (0..NETWORKS.len()).prop_map(Mode::On),
    ]
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let flaw = [
        AskFlaw::Alias,
        AskFlaw::LinkName,
        AskFlaw::Mac,
        AskFlaw::LinkLocal,
    ];
    let flaw = select(flaw.to_vec());
    // the first three are the subnet's own, the gateway's, and the least that is free
    let address = || prop_oneof![4 => 2..5_u8, 1 => 0..9_u8];
    let addresses = (
        option::weighted(0.25, address()),
        option::weighted(0.25, address()),
        option::weighted(0.05, 1..4_u8),
    );
    let links = (
        option::weighted(0.1, 1..4_u8),
        option::weighted(0.15, 0..LINK_NAMES.len()),
    );
    let names = (
        vec(0..ALIASES.len(), 0..2),
        vec((0..CONTAINERS.len(), 0..LINK_ALIASES.len()), 0..2),
    );
    let rest = (
        option::weighted(0.2, -1..3_i32),
        prop::bool::weighted(0.25),
        option::weighted(0.04, flaw),
    );
    let full = (addresses, links, names, rest).prop_map(|(addresses, link, names, rest)| Ask {
        ip4: addresses.0,
        ip6: addresses.1,
        link_local: addresses.2,
        mac: link.0,
        link_name: link.1,
        aliases: names.0,
        links: names.1,
        priority: rest.0,
        anew: rest.1,
        flaw: rest.2,
    });
    prop_oneof![Just(Ask::default()), full]
}

fn any_how() -> impl Strategy<Value = How> {
    prop_oneof![
        3 => Just(How::Handle),
        3 => Just(How::Name),
        1 => Just(How::Force),
        3 => Just(How::Drop),
        3 => Just(How::Persist),
        2 => Just(How::Leave),
    ]
}
