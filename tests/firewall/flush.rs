//! A foreign `nft flush ruleset` opens nothing: there is a second layer without nftables.

use bridgework::plan::Switch;
use bridgework::{Endpoint, EndpointConfig};

use crate::attack::{Attack, held};
use crate::probe::{KINDS, all_answered, targets};
use crate::steady::{Steady, datagrams};
use crate::text::run;
use crate::world::{Ground, Guard, Place, World};

const FLUSHES: usize = 10;
const PROBES_BETWEEN: u64 = 20;

/// A world with two more containers on a network without traffic between its containers.
struct Besieged {
    world: World,
    c4: Endpoint,
    c5: Endpoint,
}

impl Besieged {
    fn new(guard: Guard) -> Self {
        let ground = Ground::new(guard);
        let network = match guard {
            Guard::On => ground.network(4, |config| config.icc(Switch::Off)),
            Guard::Off => ground.network(4, |config| config),
        };
        let c4 = ground.connect(&network, "C4", EndpointConfig::new());
        let c5 = ground.connect(&network, "C5", EndpointConfig::new());
        let world = World::with(ground, EndpointConfig::new());
        crate::between::way_out(&world.ci);
        Self { world, c4, c5 }
    }

    /// All that no packet may come through, from whom to whom.
    fn probes(&self) -> Vec<Steady> {
        let World { c1, c3, ci, .. } = &self.world;
        let a = &self.world.a;
        let pairs: [(&dyn Place, &dyn Place); 5] =
            [(a, c1), (c1, c3), (ci, a), (c1, ci), (&self.c4, &self.c5)];
        let start = |(from, to): (&dyn Place, &dyn Place)| {
            Steady::start(from.at(), &to.addresses(), pairs.len() as u64)
        };
        pairs.into_iter().map(start).collect()
    }

    /// Those to whom something came.
    fn attack(&self, meanwhile: impl FnOnce(&[Steady])) -> Attack<&'static str> {
        let World { c1, c3, ci, .. } = &self.world;
        let receivers: [(&str, &dyn Place); 5] = [
            ("a container, from the lan", c1),
            ("a container of another network", c3),
            ("the lan, from an internal network", &self.world.a),
            ("a container of an internal network", ci),
            ("a container without icc", &self.c5),
        ];
        let before = receivers.map(|(_, place)| datagrams(place.at()));
        let probes = self.probes();
        for probe in &probes {
            probe.await_more(PROBES_BETWEEN);
        }
        meanwhile(&probes);
        drop(probes);
        let came = |at: usize| datagrams(receivers[at].1.at()) > before[at];
        let tried = 0..receivers.len();
        Attack {
            through: tried
                .clone()
                .filter(|at| came(*at))
                .map(|at| receivers[at].0)
                .collect(),
            tried: tried.map(|at| receivers[at].0).collect(),
        }
    }
}

fn flush(world: &World) {
    run(world.netns(), "nft", &["flush", "ruleset"], "");
}

#[test]
fn no_packet_comes_through_while_the_rules_are_flushed() {
    held(|guard| {
        let besieged = Besieged::new(guard);
        let attack = besieged.attack(|probes| {
            for _ in 0..FLUSHES {
                flush(&besieged.world);
                for probe in probes {
                    probe.await_more(PROBES_BETWEEN);
                }
            }
        });
        // within a network packets flow, rules or not
        let World { c1, c2, .. } = &besieged.world;
        let _server = c1.serve(80);
        all_answered(c2.at(), &targets(&KINDS, &c1.addresses(), 80));
        attack
    });
}

/// What a reload of a firewall does that knows only its own rules.
#[test]
fn nor_while_they_are_flushed_and_others_loaded_in_one_transaction() {
    held(|guard| {
        let besieged = Besieged::new(guard);
        besieged.attack(|probes| {
            for _ in 0..FLUSHES {
                crate::text::nft(
                    besieged.world.netns(),
                    "flush ruleset\ntable inet filter { chain forward { \
                     type filter hook forward priority 0; policy accept; accept; }; }\n",
                );
                for probe in probes {
                    probe.await_more(PROBES_BETWEEN);
                }
            }
        })
    });
}
