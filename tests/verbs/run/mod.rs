//! One sequence: each verb is done, and comes to what the model says.

mod containers;
mod endpoints;

use std::cell::RefCell;

use bridgework::inspect::PruneFilter;

use crate::aim::aimed;
use crate::check::Eyes;
use crate::model::{Model, Outcome};
use crate::verbs::{Aim, BRIDGE, NETWORKS, Verb};
use crate::world::{World, network_config, outcome};

/// A host, and what there should be.
pub struct Run {
    pub model: Model,
    pub world: World,
    pub eyes: Eyes,
}

thread_local! {
    /// What was done, as it was meant.
    pub static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

impl Run {
    pub fn new() -> Self {
        LOG.with_borrow_mut(Vec::clear);
        let world = World::new();
        let eyes = Eyes::of(&world.host);
        Self {
            model: Model::default(),
            world,
            eyes,
        }
    }

    /// Does a verb, of something that is there if it is led so.
    pub fn perform(&mut self, verb: &Verb, aim: Option<Aim>) {
        let verb = &match aim {
            Some(aim) => aimed(&self.model, verb, aim),
            None => verb.clone(),
        };
        LOG.with_borrow_mut(|log| log.push(format!("{verb:?}")));
        match verb {
            Verb::Create { net, kind, flaw } => {
                let config = network_config(*net, kind, *flaw);
                let created = outcome(self.world.host.create_network(config));
                let expected = self.model.create(*net, kind, *flaw);
                assert_eq!(created.as_ref().map(drop), expected.as_ref().copied());
                self.world.networks[*net] = created.ok().or(self.world.networks[*net].take());
            }
            Verb::Remove { net } => {
                let removed = self
                    .world
                    .network(*net)
                    .and_then(|network| network.remove());
                let expected = self.model.remove(*net);
                if expected.is_ok() {
                    self.world.networks[*net] = None;
                }
                assert_eq!(outcome(removed), expected);
            }
            Verb::Prune => self.prune(),
            Verb::LetGo { net } => {
                self.world.networks[*net] = None;
                self.model.let_go(*net);
            }
            Verb::Open { at, mode, ask } => self.open(*at, *mode, ask),
            Verb::Close { at } => self.close(*at),
            Verb::Connect {
                at,
                net,
                ask,
                strike,
            } => self.connect(*at, *net, ask, *strike),
            Verb::Disconnect { at, net, how } => self.disconnect(*at, *net, *how),
            Verb::DisconnectTogether { at, net } => self.disconnect_together(*at, *net),
            Verb::Forget { at, net } => self.forget(*at, *net),
            Verb::Stage { at, net, ask } => self.stage(*at, *net, ask),
            Verb::Join { at, net, into } => self.join(*at, *net, *into),
            Verb::Delete { at, net, how } => self.delete(*at, *net, *how),
        }
        self.learn_bridges();
    }

    /// What bridges are called is left to chance, but for the default one.
    fn learn_bridges(&mut self) {
        for network in self.world.host.networks() {
            let at = NETWORKS
                .iter()
                .position(|name| *name == network.name().as_str());
            let Some(known) = at.and_then(|at| self.model.nets[at].as_mut()) else {
                continue;
            };
            let name = match known.is_builtin() {
                true => "docker0".to_owned(),
                false => format!("br-{}", network.id().short()),
            };
            known.bridge = (name, network.spec().mac.octets());
        }
    }

    fn look_up(&mut self, net: usize) -> Outcome<bridgework::Network> {
        let found = outcome(self.world.network(net));
        assert_eq!(
            found.as_ref().map(drop),
            self.model.look_up(net).as_ref().copied()
        );
        found
    }

    fn prune(&mut self) {
        let pruned = self.world.host.prune(&PruneFilter::new()).expect("pruned");
        let names: Vec<&str> = pruned
            .iter()
            .map(|network| network.name().as_str())
            .collect();
        assert_eq!(names, self.model.prune());
        for net in 0..BRIDGE {
            self.world.networks[net].take_if(|_| self.model.nets[net].is_none());
        }
    }

    fn forget(&mut self, at: usize, net: usize) {
        if let (Ok(network), Some(container)) = (self.look_up(net), &self.world.containers[at]) {
            network.forget(container);
            self.model.forget(at, net);
        }
    }
}
