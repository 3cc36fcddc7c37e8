//! Damage of all kinds to a model of a host: what is said to be missing puts it right, and nothing
//! else is touched.

use proptest::prelude::*;

use super::super::{Deviation, DeviationCause};
use super::{
    Act, act, all_missing, delete, link, missing, network, perform, sorted, state, suffer, whole,
    wire,
};
use crate::plan::{Side, Step};
use crate::snapshot::LinkState;

proptest! {
    #[test]
    fn what_is_missing_puts_right_whatever_was_done(acts in proptest::collection::vec(act(), 0..8)) {
        let mut host = whole();
        for act in &acts {
            // of a link that has lost its name and its mark nobody knows whose it is
            let renames = |act: &Act| matches!(act, Act::Rename(_));
            if !matches!(act, Act::Forget(_)) || !acts.iter().any(renames) {
                suffer(&mut host, act);
            }
        }
        let mut rounds = 0;
        loop {
            let found = all_missing(&host);
            if found.is_empty() {
                break;
            }
            prop_assert!(found.iter().all(Deviation::is_ours), "{found:?}");
            rounds += 1;
            // a link that is up again shows what it lacks
            prop_assert!(rounds <= 2, "{found:#?}");
            found.iter().for_each(|deviation| perform(&mut host, &deviation.step));
        }
        prop_assert_eq!(sorted(host), sorted(whole()));
    }
}

#[test]
fn nothing_is_missing_where_nobody_has_done_anything() {
    assert_eq!(all_missing(&whole()), []);
}

#[test]
fn a_bridge_that_is_gone_is_made_again_with_all_that_fell_with_it_and_gets_its_ports_back() {
    let mut host = whole();
    delete(&mut host, 10);
    let texts: Vec<String> = all_missing(&host).iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "the bridge br0 is gone: ip link add name br0 index 10 address 02:00:00:00:00:01 mtu 1500 \
             type bridge",
            "what br0 had is gone with it: ip link set dev br0 alias 'bridgework network web'",
            "what br0 had is gone with it: sysctl -w net/ipv4/conf/br0/forwarding=1",
            "what br0 had is gone with it: ip addr add 10.9.0.1/24 brd + dev br0",
            "what br0 had is gone with it: ip addr add fd09::1/64 nodad dev br0",
            "what br0 had is gone with it: ip addr add 10.9.1.1/32 dev br0",
            "what br0 had is gone with it: ip link set dev br0 up",
            "what br0 had is gone with it: ip route add 10.10.0.0/16 dev br0 proto 98",
            "what br0 had is gone with it: ip -6 route add fd10::/64 dev br0 proto 98",
            "veth1 is no port of br0: ip link set dev veth1 master br0",
            "veth1 is not as it was made: bridge link set dev veth1 isolated on",
            "veth2 is no port of br0: ip link set dev veth2 master br0",
            "veth2 is not as it was made: bridge link set dev veth2 isolated on",
        ]
    );
}

#[test]
fn a_link_that_is_somebody_elses_is_told_of_and_nothing_of_ours_is_put_on_it() {
    for (name, index) in [("br0", 50), ("theirs", 10)] {
        let mut host = whole();
        delete(&mut host, 10);
        host.links.push(LinkState::new(index, name, "bridge"));
        let found = missing(&network(), &host);
        let [only] = &found[..] else {
            panic!("{found:#?}");
        };
        let name = name.to_owned();
        assert_eq!(only.cause, DeviationCause::Occupied { name, index });
        assert!(!only.is_ours());
        if index == 10 {
            assert_eq!(missing(&wire(1), &host), [], "it is no port of theirs");
        }
    }
}

#[test]
fn a_link_is_known_by_its_number_and_its_name_or_mark() {
    let mut host = whole();
    let named = state(&mut host, 10);
    named.alias.clear();
    let found = missing(&network(), &host);
    assert!(
        matches!(
            &found[..],
            [Deviation {
                step: Step::SetAlias { .. },
                ..
            }]
        ),
        "{found:?}"
    );
    let mut host = whole();
    state(&mut host, 10).name = "odd".to_owned();
    let found = missing(&network(), &host);
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["br0 is called odd: ip link set dev odd name br0"]);
    // somebody else has taken the name meanwhile
    host.links.push(LinkState::new(51, "br0", "dummy"));
    let found = missing(&network(), &host);
    assert!(matches!(&found[..], [only] if !only.is_ours()), "{found:?}");
    // and who has neither is nobody of ours
    state(&mut host, 10).alias.clear();
    let found = missing(&network(), &host);
    assert!(
        matches!(
            &found[..],
            [Deviation {
                cause: DeviationCause::Occupied { index: 10, .. },
                ..
            }]
        ),
        "{found:?}"
    );
}

#[test]
fn what_is_inside_the_container_is_not_asked_for() {
    let mut host = whole();
    delete(&mut host, 21);
    let found = missing(&wire(1), &host);
    let sides = found.iter().map(|deviation| deviation.step.side());
    assert!(
        sides.clone().all(|side| side == Some(Side::Host)),
        "{found:#?}"
    );
    assert_eq!(sides.count(), 4);
    assert_eq!(
        found[0].to_string(),
        "veth1 is gone, and eth0 at its other end with it: call Host::repair"
    );
}

#[test]
fn a_plan_that_gives_a_link_another_bridge_later_means_that_one() {
    let mut plan = wire(1);
    let near = link(Side::Host, "veth1", 21);
    plan.push(Step::SetMaster {
        link: near,
        master: None,
    });
    let found = missing(&plan, &whole());
    assert!(
        matches!(
            &found[..],
            [
                Deviation {
                    step: Step::SetMaster { master: None, .. },
                    ..
                },
                ..
            ]
        ),
        "{found:?}"
    );
}

#[test]
fn routes_to_subnets_are_asked_for_of_links_that_are_up_alone() {
    let mut host = whole();
    host.routes
        .retain(|route| route.link != Some(10) || route.protocol != 2);
    let texts: Vec<String> = missing(&network(), &host)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        texts,
        [
            "no route leads to 10.9.0.0/24 by br0: ip route add 10.9.0.0/24 dev br0 proto kernel \
             scope link src 10.9.0.1",
            "no route leads to fd09::/64 by br0: ip -6 route add fd09::/64 dev br0 proto kernel \
             metric 256",
        ]
    );
    state(&mut host, 10).up = false;
    let found = missing(&network(), &host);
    assert!(
        matches!(
            &found[..],
            [Deviation {
                step: Step::SetUp { .. },
                ..
            }]
        ),
        "{found:?}"
    );
}
