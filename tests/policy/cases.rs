//! Worlds in which the model and the kernel once disagreed.

use crate::change::Change;
use crate::ground::Ground;
use crate::model::{Expected, Kind, Place, Question, expected};
use crate::random::{judge, judge_here};
use crate::topology::{
    Ip, Leaving, Mapping, Member, Mode, Neighbour, Net, Preset, Topology, Transport,
};

/// A network with these modes.
fn net(number: usize, modes: [Option<Mode>; 2]) -> Net {
    Net {
        number,
        modes,
        internal: false,
        icc: true,
        leaving: Leaving::Masquerade,
        trusted: Vec::new(),
    }
}

fn internal(net: Net) -> Net {
    Net {
        internal: true,
        ..net
    }
}

/// Port 20000 of the host's, or of one of its addresses, for port 1000 of a container's.
fn mapping(address: Option<&str>) -> Mapping {
    Mapping {
        address: address.map(|address| address.parse().expect("an address")),
        host_port: 20_000,
        choice: None,
        container_port: 1_000,
        count: 1,
        transport: Transport::Tcp,
    }
}

/// A container on each network, the first of which publishes a port; one neighbour.
fn world(nets: Vec<Net>, published: Mapping) -> Topology {
    let mut mappings = vec![published];
    let member = |(number, net): (usize, &Net)| Member {
        number,
        nets: vec![net.number],
        mappings: std::mem::take(&mut mappings),
    };
    let members = nets.iter().enumerate().map(member).collect();
    Topology {
        seed: 1,
        preset: Preset {
            rp_filter: 1,
            forwards: false,
            filters_frames: false,
        },
        neighbours: vec![Neighbour {
            number: 0,
            families: [true, true],
        }],
        nets,
        members,
    }
}

fn is_answered(world: &Topology, from: Place, to: std::net::IpAddr, port: u16) -> bool {
    let question = Question {
        from,
        kind: Kind::Tcp,
        to,
        port,
    };
    matches!(expected(world, question), Expected::Answer { .. })
}

#[test]
fn a_routed_port_is_open_in_the_family_of_the_hosts_address_that_was_asked_for() {
    let routed = net(1, [Some(Mode::Routed); 2]);
    for (address, open) in [
        (Some("172.31.0.1"), [true, false]),
        (Some("fd01::1"), [false, true]),
        (None, [true, true]),
    ] {
        let world = world(vec![routed.clone()], mapping(address));
        for (ip, open) in [(Ip::V4, open[0]), (Ip::V6, open[1])] {
            let at = routed.address_of(&world.members[0], ip).expect("it has it");
            let asked = is_answered(&world, Place::Neighbour(0), at, 1_000);
            assert_eq!(asked, open, "{address:?} {ip:?}");
        }
        assert_eq!(judge(&world).wrong, "");
    }
}

#[test]
fn what_this_process_carries_over_is_not_for_containers_of_internal_networks() {
    let ipv4 = net(1, [Some(Mode::Nat), None]);
    let open = net(2, [Some(Mode::Nat); 2]);
    let closed = internal(net(3, [Some(Mode::Nat); 2]));
    for address in [None, Some("fd01::1")] {
        let world = world(
            vec![ipv4.clone(), open.clone(), closed.clone()],
            mapping(address),
        );
        let at = world.neighbours[0].host_address(Ip::V6);
        let asks = |from| is_answered(&world, from, at, 20_000);
        assert!(asks(Place::Neighbour(0)) && asks(Place::Host) && asks(Place::Member(1)));
        let own = closed.gateway(Ip::V6);
        assert!(!is_answered(&world, Place::Member(2), own, 20_000));
        assert_eq!(judge(&world).wrong, "");
    }
}

#[test]
fn where_frames_are_filtered_a_container_reaches_its_own_port_of_one_address_of_the_hosts() {
    for address in ["172.31.0.1", "fd01::1"] {
        let mut world = world(vec![net(1, [Some(Mode::Nat); 2])], mapping(Some(address)));
        world.preset.filters_frames = true;
        let at = address.parse().expect("an address");
        assert!(is_answered(&world, Place::Member(0), at, 20_000));
        assert_eq!(judge(&world).wrong, "");
    }
}

#[test]
fn a_container_that_gets_one_more_family_or_loses_it_keeps_its_ports() {
    let nets = vec![
        net(1, [None, Some(Mode::Nat)]),
        net(2, [Some(Mode::Nat); 2]),
    ];
    for (port, host_address) in [(None, Ip::V4), (None, Ip::V6), (Some("172.31.0.1"), Ip::V4)] {
        let mut world = world(nets.clone(), mapping(port));
        let mut ground = Ground::new(&world);
        let at = world.neighbours[0].host_address(host_address);
        let mut check = |change: Change, nets: &[usize], open: bool| {
            world.members[0].nets = nets.to_vec();
            ground.change(&world, &[change]);
            let asked = is_answered(&world, Place::Neighbour(0), at, 20_000);
            assert_eq!(asked, open, "{nets:?}");
            assert_eq!(judge_here(&ground, &world).wrong, "", "{nets:?}");
        };
        check(Change::Connect(0, 2), &[1, 2], true);
        check(Change::Disconnect(0, 2), &[1], host_address == Ip::V6);
        check(Change::Connect(0, 2), &[1, 2], true);
        check(Change::Disconnect(0, 1), &[2], true);
    }
}
