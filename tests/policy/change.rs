//! What becomes of a world while its containers run: they leave and join networks, and publish and
//! withdraw ports.

use crate::lab::chance::Chance;
use crate::topology::{Mapping, Topology};

/// The numbers are those of containers and networks.
#[derive(Debug, Clone)]
pub enum Change {
    Disconnect(usize, usize),
    Connect(usize, usize),
    Publish(usize, Mapping),
    Unpublish(usize, Mapping),
}

/// Changes by chance, and the world after them.
pub fn changed(world: &Topology) -> (Vec<Change>, Topology) {
    let chance = &mut Chance::new(world.seed ^ 0x6368_616e_6765);
    let mut after = world.clone();
    let mut changes = Vec::new();
    for number in 0..world.members.len() {
        if chance.happens(30) {
            changes.extend(other_net(&mut after, number, chance));
        }
        if chance.happens(50) {
            changes.extend(other_port(&mut after, number, chance));
        }
    }
    (changes, after)
}

/// From two networks to one of them, or from one to another one more.
fn other_net(world: &mut Topology, number: usize, chance: &mut Chance) -> Option<Change> {
    let nets = world.nets.len();
    let member = &mut world.members[number];
    let other = 1 + chance.below(nets);
    if member.nets.len() > 1 {
        let left = member.nets.remove(chance.below(2));
        return Some(Change::Disconnect(number, left));
    }
    (!member.nets.contains(&other)).then(|| {
        member.nets.push(other);
        Change::Connect(number, other)
    })
}

fn other_port(world: &mut Topology, number: usize, chance: &mut Chance) -> Option<Change> {
    /// Mappings that there are from the start have lower numbers.
    const FRESH: usize = 7;
    if chance.happens(50) {
        let mapping = world.mapping(number, FRESH, chance);
        world.members[number].mappings.push(mapping.clone());
        return Some(Change::Publish(number, mapping));
    }
    let mappings = &mut world.members[number].mappings;
    (!mappings.is_empty()).then(|| {
        let mapping = mappings.remove(chance.below(mappings.len()));
        Change::Unpublish(number, mapping)
    })
}
