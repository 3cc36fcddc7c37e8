//! The default network, made or adopted, and attaching in each mode: all or nothing.

use bridgework::plan::{BridgeOptions, Link, Plan, Side, Step};
use bridgework::{
    Attached, ContainerConfig, Endpoint, EndpointConfig, LinkIndex, MacAddr, Mtu, Network,
    NetworkMode, Result,
};

use crate::arriving::{Verb, dual, facts, sweep};
use crate::point::{Point, few_points, lines};
use crate::world::World;

/// The container that is attached, which has a namespace already.
const APP: usize = 2;

/// A bridge that somebody has made, with an address and down.
fn put_bridge(world: &World) {
    let name = "docker0".parse().unwrap();
    let link = Link::new(Side::Host, name, LinkIndex::new(77).unwrap());
    let plan = Plan::from_iter([
        Step::AddBridge {
            link: link.clone(),
            mac: MacAddr::new([2, 0, 0, 0, 0, 7]).unwrap(),
            mtu: Mtu::ETHERNET,
            options: BridgeOptions::new(),
        },
        Step::AddAddress {
            link,
            address: "172.30.0.1/24".parse().unwrap(),
        },
    ]);
    world.kernel().apply(&plan, None).unwrap();
}

/// What is read of the host.
const ALL: &str = "read links, addresses and routes";

/// What the host has made once stays: each success is in a world of its own. Before anything is made
/// it looks at what there is.
fn sweep_default(name: &str, looks: &[&str], prepare: fn(&World)) {
    let fresh = || {
        let world = World::new();
        prepare(&world);
        world
    };
    let rehearsed = fresh();
    let calls = rehearsed.injector.calls();
    let network = rehearsed.host.default_network().unwrap();
    let expected = (network.spec().ipv4.clone(), network.plan().steps().len());
    let looked = rehearsed.injector.calls() - calls - expected.1 as u64;
    assert_eq!((looked, expected.1 > 0), (looks.len() as u64, true));
    let looks = looks.iter().map(|look| (*look).to_owned());
    let lines: Vec<String> = looks.chain(lines(network.plan())).collect();
    let mut world = fresh();
    for point in few_points(lines.len()) {
        let when = format!("{name}: {point}");
        let before = world.state();
        point.arm(&world.injector);
        let made = match world.host.default_network() {
            Err(error) => {
                point.check(&error, &lines[point.call - 1]);
                world.assert_same(&before, &when);
                assert!(world.host.networks().is_empty(), "{when}");
                world.host.default_network().expect(&when)
            }
            Ok(made) if point.may_be_overcome() => made,
            // a rule that is to go may be gone
            Ok(made) if lines[point.call - 1].contains(" rule del ") => made,
            Ok(_) => panic!("{when}: nobody noticed"),
        };
        let facts = (made.spec().ipv4.clone(), made.plan().steps().len());
        assert_eq!(facts, expected, "{when}");
        drop(made);
        world = fresh();
    }
}

#[test]
fn making_the_default_network_is_all_or_nothing() {
    sweep_default("default network", &[ALL, ALL], |_| {});
}

#[test]
fn adopting_the_default_network_is_all_or_nothing() {
    let looks = [ALL, "read settings", "read the routing policy", ALL];
    sweep_default("adopted", &looks, put_bridge);
}

/// What is there before a container is attached.
struct Before {
    network: Network,
    _at_other: Endpoint,
    bridge: Network,
}

/// In the mode of that text.
struct Attach {
    mode: &'static str,
    config: EndpointConfig,
}

impl Attach {
    fn new(mode: &'static str) -> Self {
        let config = EndpointConfig::new();
        Self { mode, config }
    }
}

impl Verb for Attach {
    type Ground = Before;
    type Made = Attached;

    fn settle(&self, world: &World) -> bool {
        for name in ["bridge", "host", "none"] {
            world.host.network(name).unwrap();
        }
        true
    }

    fn ground(&self, world: &World) -> Before {
        let host = &world.host;
        let network = host.create_network(dual()).unwrap();
        let bridge = host.default_network().unwrap();
        let on = match self.mode {
            "bridge" => &bridge,
            _ => &network,
        };
        let at_other = on.connect(&world.containers[0]).unwrap();
        Before {
            network,
            _at_other: at_other,
            bridge,
        }
    }

    fn lines(&self, world: &World, before: &Before) -> Vec<String> {
        let plan = |network: &Network| {
            let container = &world.containers[APP];
            lines(&network.plan_connect(container, &self.config).unwrap())
        };
        match self.mode {
            "bridge" => plan(&before.bridge),
            "hmall" => plan(&before.network),
            "none" => vec!["ip -n three link set dev lo up".to_owned()],
            _ => Vec::new(),
        }
    }

    fn act(&self, world: &World, _before: &Before) -> Result<Attached> {
        let mode: NetworkMode = self.mode.parse().unwrap();
        let config = match self.mode {
            "bridge" | "hmall" | "none" => {
                let netns = world.containers[APP].netns().clone();
                ContainerConfig::new("three", netns)
            }
            _ => ContainerConfig::named("three"),
        };
        world.host.attach(&mode, config, self.config.clone())
    }

    fn facts(&self, made: &Attached) -> String {
        let endpoint = made.endpoint.as_ref().map(facts);
        format!("{endpoint:?} {:?}", made.container.stack())
    }

    fn undo(&self, _world: &World, _before: &Before, made: Attached) {
        made.endpoint.map(Endpoint::disconnect).transpose().unwrap();
    }

    fn points(&self, calls: usize) -> Vec<Point> {
        few_points(calls).collect()
    }

    fn check(&self, world: &World, before: &Before, when: &str) {
        let found = world.host.container("three");
        assert!(found.is_err(), "{when}: {found:?}");
        let networks = [&before.network, &before.bridge];
        let there: usize = networks
            .map(|network| network.endpoints().len())
            .iter()
            .sum();
        assert_eq!(there, 1, "{when}");
    }
}

#[test]
fn attaching_to_the_default_network_is_all_or_nothing() {
    let config = EndpointConfig::new().link("one:db");
    let attach = Attach {
        mode: "bridge",
        config,
    };
    sweep("attach bridge", &attach);
}

#[test]
fn attaching_to_a_network_of_ones_own_is_all_or_nothing() {
    sweep("attach user-defined", &Attach::new("hmall"));
}

#[test]
fn attaching_to_nothing_to_the_host_or_to_another_container_is_all_or_nothing() {
    sweep("attach none", &Attach::new("none"));
    sweep("attach host", &Attach::new("host"));
    sweep("attach beside another", &Attach::new("container:one"));
}

/// A stack that could not be closed is as open as it was, whoever else has a handle to it.
#[test]
fn a_stack_that_was_to_have_nothing_can_be_connected_when_that_failed() {
    let world = World::new();
    let network = world.host.create_network(dual()).unwrap();
    let container = &world.containers[APP];
    // it holds what is known of the stack
    let _view = world.host.view(container);
    let none = Attach::new("none");
    for point in few_points(1) {
        let when = format!("attach none: {point}");
        point.arm(&world.injector);
        let config = ContainerConfig::new("three", container.netns().clone());
        let mode = none.mode.parse().unwrap();
        let error = world.host.attach(&mode, config, EndpointConfig::new());
        error.expect_err(&when);
        let connected = network.connect(container).expect(&when);
        connected.disconnect().expect(&when);
    }
}

/// On the default network with links, which are lines of the container's own hosts file.
struct Linked;

impl Verb for Linked {
    type Ground = (Network, Endpoint);
    type Made = Endpoint;

    fn settle(&self, world: &World) -> bool {
        world.host.default_network().is_ok()
    }

    fn ground(&self, world: &World) -> (Network, Endpoint) {
        let network = world.host.default_network().unwrap();
        let target = network.connect(&world.containers[0]).unwrap();
        (network, target)
    }

    fn lines(&self, world: &World, (network, _): &(Network, Endpoint)) -> Vec<String> {
        let planned = network.plan_connect(&world.containers[1], &linked());
        lines(&planned.unwrap())
    }

    fn act(&self, world: &World, (network, _): &(Network, Endpoint)) -> Result<Endpoint> {
        network.connect_with(&world.containers[1], linked())
    }

    fn facts(&self, made: &Endpoint) -> String {
        facts(made)
    }

    fn undo(&self, _world: &World, _ground: &(Network, Endpoint), made: Endpoint) {
        made.disconnect().unwrap();
    }

    fn points(&self, calls: usize) -> Vec<Point> {
        few_points(calls).collect()
    }

    fn check(&self, _world: &World, (network, _): &(Network, Endpoint), when: &str) {
        assert_eq!(network.endpoints().len(), 1, "{when}");
    }
}

fn linked() -> EndpointConfig {
    EndpointConfig::new().link("one:db").link("one:mysql")
}

#[test]
fn connecting_to_the_default_network_with_links_is_all_or_nothing() {
    sweep("connect with links", &Linked);
}
