//! All that is asked in a world: of everybody, by every protocol and in every family, at its own
//! addresses and at the host's published ports.

use std::net::IpAddr;

use crate::lab::chance::Chance;
use crate::model::{Kind, PRIVATE, Place, Question, host_addresses};
use crate::topology::{BOTH, Ip, Mapping, Topology};

/// How many of the host's addresses each published port is asked at, by each.
const ADDRESSES_PER_PORT: usize = 3;

pub fn all(world: &Topology) -> Vec<Question> {
    let chance = &mut Chance::new(world.seed ^ 0x7075_6c6c);
    let mut questions = Vec::new();
    for from in places(world) {
        for ip in BOTH {
            if !addresses(world, from).iter().any(|own| Ip::of(*own) == ip) {
                continue;
            }
            questions.extend(of_others(world, from, ip, chance));
            questions.extend(of_ports(world, from, ip, chance));
        }
    }
    questions
}

pub fn places(world: &Topology) -> Vec<Place> {
    let mut places = vec![Place::Host];
    places.extend((0..world.neighbours.len()).map(Place::Neighbour));
    places.extend((0..world.members.len()).map(Place::Member));
    places
}

/// The addresses that a place has.
pub fn addresses(world: &Topology, place: Place) -> Vec<IpAddr> {
    match place {
        Place::Host => host_addresses(world),
        Place::Neighbour(number) => {
            let link = &world.neighbours[number];
            let has = BOTH.into_iter().filter(|ip| link.has(*ip));
            has.map(|ip| link.own_address(ip)).collect()
        }
        Place::Member(number) => {
            let member = &world.members[number];
            let nets = member.nets.iter().map(|net| world.net(*net));
            let of = |net: &crate::topology::Net| BOTH.map(|ip| net.address_of(member, ip));
            nets.flat_map(of).flatten().collect()
        }
    }
}

fn mappings(world: &Topology, place: Place) -> &[Mapping] {
    match place {
        Place::Member(number) => &world.members[number].mappings,
        Place::Host | Place::Neighbour(_) => &[],
    }
}

fn all_mappings(world: &Topology) -> Vec<&Mapping> {
    let members = world.members.iter();
    members.flat_map(|member| &member.mappings).collect()
}

fn by_chance<'a>(mappings: &[&'a Mapping], chance: &mut Chance) -> Option<&'a Mapping> {
    (!mappings.is_empty()).then(|| mappings[chance.below(mappings.len())])
}

fn of_others(world: &Topology, from: Place, ip: Ip, chance: &mut Chance) -> Vec<Question> {
    let mut questions = Vec::new();
    let others = places(world).into_iter().filter(|other| *other != from);
    for other in others {
        let reached = addresses(world, other).into_iter();
        for to in reached.filter(|to| Ip::of(*to) == ip && !to.is_loopback()) {
            let ask = |kind, port| Question {
                from,
                kind,
                to,
                port,
            };
            questions.push(ask(Kind::Echo, 0));
            questions.extend([Kind::Tcp, Kind::Udp].map(|kind| ask(kind, PRIVATE)));
            // what merely passes by the host is not meant for its published ports
            if other != Place::Host {
                let published = by_chance(&all_mappings(world), chance);
                let ask_for = |mapping: &Mapping| {
                    let kind = [Kind::Tcp, Kind::Udp][mapping.transport as usize];
                    ask(kind, mapping.host_port)
                };
                questions.extend(published.map(ask_for));
            }
            for mapping in mappings(world, other) {
                let port = mapping.container_port + chance.below(mapping.count.into()) as u16;
                questions.extend([Kind::Tcp, Kind::Udp].map(|kind| ask(kind, port)));
            }
        }
    }
    questions
}

fn of_ports(world: &Topology, from: Place, ip: Ip, chance: &mut Chance) -> Vec<Question> {
    let may = |to: &IpAddr| Ip::of(*to) == ip && (!to.is_loopback() || from == Place::Host);
    let at: Vec<IpAddr> = host_addresses(world).into_iter().filter(may).collect();
    let mut questions = Vec::new();
    for mapping in all_mappings(world) {
        let mut chosen = at.clone();
        while chosen.len() > ADDRESSES_PER_PORT {
            chosen.swap_remove(chance.below(chosen.len()));
        }
        chosen.extend(
            mapping
                .address
                .filter(|own| at.contains(own) && !chosen.contains(own)),
        );
        let offset = chance.below(mapping.count.into()) as u16;
        for to in chosen {
            let ask = |kind| Question {
                from,
                kind,
                to,
                port: mapping.host_port + offset,
            };
            questions.extend([Kind::Tcp, Kind::Udp].map(ask));
        }
    }
    questions
}
