//! The subnet that is chosen is the first that nothing is in the way of, and what is in the way of
//! one that was asked for is said.

use bridgework::Family;
use bridgework::ipam::{AddressPool, AddressPools, Wanted, check_subnet};
use bridgework::{Fault, NetworkName, Obstacle, Occupant, Subnet};
use ipnet::IpNet;
use proptest::prelude::*;

fn subnet(text: &str) -> Subnet {
    text.parse().expect("a subnet")
}

fn route(text: &str) -> Obstacle {
    Obstacle {
        subnet: subnet(text),
        occupant: Occupant::Route {
            device: Some("tun0".into()),
            table: 254,
        },
    }
}

fn network(subnet: Subnet) -> Obstacle {
    let name: NetworkName = "web".parse().expect("a name");
    Obstacle {
        subnet,
        occupant: Occupant::Network(name),
    }
}

const V4: Wanted = Wanted::Any(Family::V4);
const V6: Wanted = Wanted::Any(Family::V6);

#[test]
fn four_thousand_networks_and_more_can_be_made_one_after_another() {
    let pools = AddressPools::default().with_ula([1, 2, 3, 4, 5]);
    for (wanted, count) in [(V4, 31 + 4096), (V6, 1000)] {
        let mut obstacles: Vec<Obstacle> = Vec::new();
        for _ in 0..count {
            let chosen = pools.choose(wanted, &obstacles).unwrap();
            obstacles.push(network(chosen));
        }
        let mut subnets: Vec<_> = obstacles.iter().map(|o| o.subnet).collect();
        subnets.sort();
        let is_apart = |pair: &[Subnet]| !pair[0].overlaps(pair[1]);
        assert!(subnets.windows(2).all(is_apart));
    }
}

#[test]
fn the_first_31_are_dockers() {
    let pools = AddressPools::default();
    let mut obstacles = Vec::new();
    for _ in 0..32 {
        let chosen = pools.choose(V4, &obstacles).unwrap();
        obstacles.push(network(chosen));
    }
    let chosen: Vec<_> = obstacles.iter().map(|o| o.subnet.to_string()).collect();
    let class_b = (17..32).map(|octet| format!("172.{octet}.0.0/16"));
    let class_c = (0..256)
        .step_by(16)
        .map(|octet| format!("192.168.{octet}.0/20"));
    let expected: Vec<_> = class_b.chain(class_c).collect();
    assert_eq!(chosen[..31], expected);
    assert_eq!(chosen[31], "10.64.0.0/24");
}

#[test]
fn default_routes_and_their_halves_are_in_nobodys_way() {
    let halves = [
        "0.0.0.0/0",
        "0.0.0.0/1",
        "128.0.0.0/1",
        "::/0",
        "fc00::/7",
        "2000::/3",
    ]
    .map(route);
    let pools = AddressPools::default().with_ula([0; 5]);
    assert_eq!(pools.choose(V4, &halves), Ok(subnet("172.17.0.0/16")));
    assert_eq!(pools.choose(V6, &halves), Ok(subnet("fd00::/64")));
    assert_eq!(check_subnet(subnet("10.0.0.0/8"), &halves), Ok(()));
}

#[test]
fn a_range_that_the_caller_denies_is_in_the_way_however_wide_it_is() {
    let denied = Obstacle {
        subnet: subnet("128.0.0.0/1"),
        occupant: Occupant::Denied,
    };
    let chosen = AddressPools::default().choose(V4, [&denied]);
    assert_eq!(chosen, Ok(subnet("10.64.0.0/24")));
}

#[test]
fn what_one_family_uses_is_in_nobodys_way_in_the_other() {
    let pools = AddressPools::from_iter([AddressPool::new(subnet("10.0.0.0/8"), 24).unwrap()]);
    let low_ipv6 = network(subnet("::/64"));
    assert_eq!(pools.choose(V4, [&low_ipv6]), Ok(subnet("10.0.0.0/24")));
}

#[test]
fn without_a_free_subnet_the_obstacles_within_the_ranges_are_named() {
    let pools = AddressPools::from_iter([AddressPool::new(subnet("10.0.0.0/23"), 24).unwrap()]);
    let obstacles = ["10.0.0.128/25", "192.168.0.0/16", "10.0.1.7/32", "fd00::/8"].map(route);
    assert_eq!(
        pools.choose(V4, &obstacles),
        Err(Fault::PoolsExhausted {
            obstacles: vec![obstacles[0].clone(), obstacles[2].clone()]
        })
    );
    assert_eq!(
        pools.choose(V6, &obstacles),
        Err(Fault::PoolsExhausted { obstacles: vec![] })
    );
}

#[test]
fn all_that_overlaps_a_subnet_is_named_in_order() {
    let obstacles = [
        "10.0.0.0/8",
        "10.0.0.0/24",
        "10.0.1.0/24",
        "10.0.0.9/32",
        "0.0.0.0/2",
    ]
    .map(route);
    let Err(Fault::SubnetOverlaps {
        obstacles: named, ..
    }) = check_subnet(subnet("10.0.0.0/24"), &obstacles)
    else {
        panic!("nothing was found in the way");
    };
    assert_eq!(named, [0, 1, 3, 4].map(|at| obstacles[at].clone()));
    let others = obstacles
        .iter()
        .filter(|o| !o.subnet.contains("10.0.0.9".parse().unwrap()));
    assert_eq!(check_subnet(subnet("10.0.0.0/24"), others), Ok(()));
}

#[test]
fn a_size_can_be_asked_for_and_need_not_be_the_ranges_own() {
    let pools = AddressPools::default().with_ula([0; 5]);
    let choose = |request| {
        let wanted = Wanted::open(subnet(request)).unwrap();
        pools
            .choose(wanted, &[route("172.17.0.0/24"), route("fd00::/64")])
            .ok()
    };
    assert_eq!(choose("0.0.0.0/24"), Some(subnet("172.17.1.0/24")));
    assert_eq!(choose("0.0.0.0/16"), Some(subnet("172.18.0.0/16")));
    assert_eq!(choose("0.0.0.0/15"), Some(subnet("172.20.0.0/15")));
    assert_eq!(choose("0.0.0.0/12"), Some(subnet("10.64.0.0/12")));
    assert_eq!(choose("0.0.0.0/11"), None);
    assert_eq!(choose("::/120"), Some(subnet("fd00:0:0:1::/120")));
    assert_eq!(choose("::/0"), None);
}

#[cfg(feature = "serde")]
#[test]
fn pools_are_read_in_the_form_of_dockers_default_address_pools() {
    let text = r#"[{"base":"10.0.0.0/8","size":24},{"base":"fd00::/48","size":64}]"#;
    let pools: AddressPools = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&pools).unwrap(), text);
    let text = r#"[{"base":"10.0.0.0/24","size":16}]"#;
    let error = serde_json::from_str::<AddressPools>(text).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("smaller prefix than target size"),
        "{error}"
    );
}

/// The subnet of `prefix_len` that the address at `offset` of `base` lies in.
fn subnet_of(base: Subnet, offset: u128, prefix_len: u8) -> Subnet {
    let address = base.nth(offset).expect("an offset in the subnet");
    Subnet::of(IpNet::new(address, prefix_len).expect("a prefix length"))
}

/// Every subnet of `prefix_len` in `base`, from the lowest up.
fn cut(base: Subnet, prefix_len: u8) -> Vec<Subnet> {
    let Some(bits) = prefix_len.checked_sub(base.prefix_len()) else {
        return Vec::new();
    };
    let step = 1_u128 << (base.host_bits() - bits);
    let nth = |index| subnet_of(base, index * step, prefix_len);
    (0..1 << bits).map(nth).collect()
}

fn any_subnet(base: &'static str, longest: u8) -> impl Strategy<Value = Subnet> {
    let base = subnet(base);
    let size = 1_u128 << base.host_bits();
    (base.prefix_len()..=longest, 0..size)
        .prop_map(move |(prefix_len, offset)| subnet_of(base, offset, prefix_len))
}

fn any_in_family() -> impl Strategy<Value = Subnet> {
    prop_oneof![
        9 => any_subnet("10.0.0.0/22", 32),
        1 => any_subnet("8.0.0.0/6", 8),
        9 => any_subnet("255.255.255.0/24", 32),
        9 => any_subnet("fd00::/118", 128),
        9 => any_subnet("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fe00/119", 128),
    ]
}

fn any_pools() -> impl Strategy<Value = AddressPools> {
    let base = prop_oneof![
        any_subnet("10.0.0.0/22", 28),
        any_subnet("255.255.255.0/24", 28),
        any_subnet("fd00::/118", 124),
        any_subnet("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fe00/119", 124),
    ];
    let pool = (base, 0..6_u8).prop_map(|(base, bits)| {
        let longest = base.prefix_len() + base.host_bits() - 2;
        AddressPool::new(base, (base.prefix_len() + bits).min(longest)).expect("within")
    });
    proptest::collection::vec(pool, 0..5).prop_map(AddressPools::from_iter)
}

fn any_wanted() -> impl Strategy<Value = Wanted> {
    prop_oneof![
        Just(V4),
        Just(V6),
        (20..=32_u8).prop_map(|len| Wanted::SizeOf(subnet_of(subnet("0.0.0.0/0"), 0, len))),
        (116..=128_u8).prop_map(|len| Wanted::SizeOf(subnet_of(subnet("::/0"), 0, len))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_choice_is_the_first_of_all_candidates_that_overlaps_no_obstacle(
        pools in any_pools(),
        wanted in any_wanted(),
        taken in proptest::collection::vec(any_in_family(), 0..40),
    ) {
        let (is_v4, size) = match wanted {
            Wanted::Any(family) => (family == Family::V4, None),
            Wanted::SizeOf(subnet) => (subnet.is_ipv4(), Some(subnet.prefix_len())),
        };
        let expected = pools
            .iter()
            .filter(|pool| pool.base().is_ipv4() == is_v4)
            .flat_map(|pool| cut(pool.base(), size.unwrap_or(pool.size())))
            .find(|candidate| !taken.iter().any(|taken| taken.overlaps(*candidate)));
        let obstacles: Vec<_> = taken.into_iter().map(network).collect();
        let chosen = pools.choose(wanted, &obstacles);
        assert_eq!(chosen.as_ref().ok(), expected.as_ref());
        if let Ok(chosen) = chosen {
            assert_eq!(check_subnet(chosen, &obstacles), Ok(()));
        }
    }
}
