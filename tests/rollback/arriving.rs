//! Creating and connecting: whatever fails, all is as it was, and the same verb then does it.

use std::time::Instant;

use bridgework::{Container, Endpoint, EndpointConfig, HostsScope, Network, NetworkConfig, Result};

use crate::point::{Moment, Point, few_points, fewest_points, lines, points};
use crate::world::World;

/// A verb in a world: what it needs, what it does, what it gives.
pub trait Verb {
    /// What must be there before.
    type Ground;
    type Made;
    /// Makes what stays with the host; whether there is such. It has timers that run and a carrier
    /// that goes, so that only our own snapshots can be compared.
    fn settle(&self, _world: &World) -> bool {
        false
    }
    fn ground(&self, world: &World) -> Self::Ground;
    /// The lines of its kernel calls, in order.
    fn lines(&self, world: &World, ground: &Self::Ground) -> Vec<String>;
    fn act(&self, world: &World, ground: &Self::Ground) -> Result<Self::Made>;
    /// What it gave that is not random.
    fn facts(&self, made: &Self::Made) -> String;
    fn undo(&self, world: &World, ground: &Self::Ground, made: Self::Made);
    /// Where it fails, of so many calls.
    fn points(&self, calls: usize) -> Vec<Point> {
        points(calls).collect()
    }
    /// Whether it is done without a fault then, and its ground made anew.
    fn is_done_after(&self, _point: &Point) -> bool {
        true
    }
    fn check(&self, _world: &World, _ground: &Self::Ground, _when: &str) {}
}

pub fn sweep(name: &str, verb: &impl Verb) {
    let world = World::new();
    let something_stays = verb.settle(&world);
    let (start, deep) = (Instant::now(), world.deep());
    let bare = world.state();
    let (facts, calls) = rehearse(&world, verb);
    let mut ground = verb.ground(&world);
    let points = verb.points(calls);
    for (at, point) in points.iter().enumerate() {
        let lines = verb.lines(&world, &ground);
        let line = &lines[point.call - 1];
        let when = format!("{name}: {point}: {line}");
        let before = world.state();
        point.arm(&world.injector);
        match verb.act(&world, &ground) {
            Err(error) => point.check(&error, line),
            Ok(made) if point.may_be_overcome() => {
                assert_eq!(verb.facts(&made), facts, "{when}");
                verb.undo(&world, &ground, made);
            }
            Ok(_) => panic!("{when}: nobody noticed"),
        }
        world.assert_same(&before, &when);
        verb.check(&world, &ground, &when);
        if point.is_last_of_its_kind(points.get(at + 1)) && verb.is_done_after(point) {
            let made = verb.act(&world, &ground).expect(&when);
            assert_eq!(verb.facts(&made), facts, "{when}");
            verb.undo(&world, &ground, made);
            world.assert_same(&before, &format!("{when}: done, and taken back"));
            verb.check(&world, &ground, &when);
            drop(ground);
            world.assert_same(&bare, &format!("{when}: and its ground"));
            ground = verb.ground(&world);
        }
    }
    drop(ground);
    world.assert_same(&bare, name);
    if !something_stays {
        world.assert_deep(&deep, name);
    }
    println!(
        "{name}: {calls} calls, {} points in {:?}",
        points.len(),
        start.elapsed()
    );
}

/// Once without a fault, to see what it gives and how many calls it makes.
fn rehearse<V: Verb>(world: &World, verb: &V) -> (String, usize) {
    let ground = verb.ground(world);
    let lines = verb.lines(world, &ground);
    let before = world.injector.calls();
    let made = verb.act(world, &ground).unwrap();
    let calls = world.injector.calls() - before;
    assert_eq!(calls, lines.len() as u64, "{lines:#?}");
    let facts = verb.facts(&made);
    verb.undo(world, &ground, made);
    (facts, lines.len())
}

struct Create(NetworkConfig);

impl Verb for Create {
    type Ground = ();
    type Made = Network;

    fn ground(&self, _world: &World) {}

    fn lines(&self, world: &World, (): &()) -> Vec<String> {
        let draft = world.host.draft_network(&self.0).unwrap();
        let read = "read links, addresses and routes".to_owned();
        std::iter::once(read).chain(draft.plan().lines()).collect()
    }

    fn act(&self, world: &World, (): &()) -> Result<Network> {
        world.host.create_network(self.0.clone())
    }

    fn facts(&self, made: &Network) -> String {
        let spec = made.spec();
        format!("{} {:?} {:?}", spec.name, spec.ipv4, spec.ipv6)
    }

    fn undo(&self, _world: &World, _ground: &Self::Ground, made: Network) {
        made.remove().unwrap();
    }

    /// All errors where there are both families.
    fn points(&self, calls: usize) -> Vec<Point> {
        match self.0 == v4() {
            true => few_points(calls).collect(),
            false => points(calls).collect(),
        }
    }
}

/// One container comes to a network, which has had some before.
struct Connect {
    network: NetworkConfig,
    config: EndpointConfig,
    /// Where it is already.
    elsewhere: Option<NetworkConfig>,
    /// Those that are there already.
    there: &'static [usize],
    /// Those that were there and have left.
    left: &'static [usize],
    container: usize,
}

impl Connect {
    fn fresh(network: NetworkConfig) -> Self {
        Self {
            network,
            config: EndpointConfig::new(),
            elsewhere: None,
            there: &[],
            left: &[],
            container: 2,
        }
    }
}

pub struct Ground {
    pub there: Vec<Endpoint>,
    pub elsewhere: Option<Endpoint>,
    pub network: Network,
}

impl Ground {
    pub fn new(world: &World, config: &NetworkConfig, there: &[usize]) -> Self {
        let network = world.host.create_network(config.clone()).unwrap();
        let there = there
            .iter()
            .map(|&at| network.connect(&world.containers[at]).unwrap())
            .collect();
        Self {
            there,
            elsewhere: None,
            network,
        }
    }

    fn check(&self, world: &World, when: &str) {
        assert_eq!(self.network.endpoints().len(), self.there.len(), "{when}");
        world.assert_room(&self.network, when);
    }
}

pub fn facts(endpoint: &Endpoint) -> String {
    let spec = endpoint.spec();
    let addresses: Vec<String> = spec
        .addresses()
        .map(|a| format!("{} {:?}", a.address, a.gateway))
        .collect();
    format!("{} {} {addresses:?}", spec.container, spec.link.name)
}

impl Verb for Connect {
    type Ground = Ground;
    type Made = Endpoint;

    fn ground(&self, world: &World) -> Ground {
        let mut ground = Ground::new(world, &self.network, self.there);
        ground.elsewhere = self.elsewhere.as_ref().map(|elsewhere| {
            let network = world.host.create_network(elsewhere.clone()).unwrap();
            network.connect(&world.containers[self.container]).unwrap()
        });
        for &at in self.left {
            let left = ground.network.connect(&world.containers[at]).unwrap();
            left.disconnect().unwrap();
        }
        ground
    }

    fn lines(&self, world: &World, ground: &Ground) -> Vec<String> {
        let container = &world.containers[self.container];
        let plan = ground.network.plan_connect(container, &self.config);
        lines(&plan.unwrap())
    }

    fn act(&self, world: &World, ground: &Ground) -> Result<Endpoint> {
        let container = &world.containers[self.container];
        ground.network.connect_with(container, self.config.clone())
    }

    fn facts(&self, made: &Endpoint) -> String {
        facts(made)
    }

    fn undo(&self, _world: &World, _ground: &Self::Ground, made: Endpoint) {
        made.disconnect().unwrap();
    }

    /// All errors where most is done; the plainer cases make calls of that one.
    fn points(&self, calls: usize) -> Vec<Point> {
        match self.there {
            [] => few_points(calls).collect(),
            _ => points(calls).collect(),
        }
    }

    fn check(&self, world: &World, ground: &Ground, when: &str) {
        ground.check(world, when);
        let name = world.containers[self.container].name();
        let known = ground.network.records().owners();
        assert_eq!(known.len(), self.there.len(), "{when}: {name} resolves");
    }
}

/// Three containers come to an empty network at once.
struct ConnectAll(NetworkConfig);

impl Verb for ConnectAll {
    type Ground = Ground;
    type Made = Vec<Endpoint>;

    fn ground(&self, world: &World) -> Ground {
        Ground::new(world, &self.0, &[])
    }

    fn lines(&self, world: &World, ground: &Ground) -> Vec<String> {
        let mut draft = ground.network.draft();
        let mut plan = |container: &Container| {
            let planned = draft.plan_connect(container, &EndpointConfig::new());
            lines(&planned.unwrap())
        };
        world.containers.iter().flat_map(&mut plan).collect()
    }

    fn act(&self, world: &World, ground: &Ground) -> Result<Vec<Endpoint>> {
        ground.network.connect_all(&world.containers)
    }

    fn facts(&self, made: &Vec<Endpoint>) -> String {
        made.iter().map(facts).collect::<Vec<_>>().join("\n")
    }

    fn undo(&self, _world: &World, _ground: &Self::Ground, made: Vec<Endpoint>) {
        Endpoint::disconnect_all(made).unwrap();
    }

    /// Each call is one that connecting alone makes too.
    fn points(&self, calls: usize) -> Vec<Point> {
        fewest_points(calls).collect()
    }

    fn is_done_after(&self, point: &Point) -> bool {
        point.moment == Moment::AnswerLost
    }

    fn check(&self, world: &World, ground: &Ground, when: &str) {
        ground.check(world, when);
    }
}

pub fn v4() -> NetworkConfig {
    NetworkConfig::bridge("hmall").subnet("10.89.0.0/29")
}

pub fn dual() -> NetworkConfig {
    v4().subnet("fd00:89::/125")
}

#[test]
fn creating_a_network_is_all_or_nothing() {
    sweep("create v4", &Create(v4()));
}

#[test]
fn creating_a_network_of_both_families_is_all_or_nothing() {
    sweep(
        "create dual and named",
        &Create(dual().bridge_name("br-hmall")),
    );
}

#[test]
fn connecting_is_all_or_nothing() {
    sweep("connect v4", &Connect::fresh(v4()));
}

#[test]
fn connecting_in_both_families_is_all_or_nothing() {
    sweep("connect dual", &Connect::fresh(dual()));
}

#[test]
fn connecting_where_hosts_files_have_all_members_is_all_or_nothing() {
    let connect = Connect {
        there: &[0],
        container: 1,
        ..Connect::fresh(dual().hosts(HostsScope::Everyone))
    };
    sweep("connect with hosts files", &connect);
}

#[test]
fn connecting_where_a_resolv_conf_follows_is_all_or_nothing() {
    let connect = Connect {
        container: 3,
        ..Connect::fresh(v4())
    };
    sweep("connect with resolv.conf", &connect);
}

#[test]
fn connecting_with_an_address_that_somebody_had_is_all_or_nothing() {
    let connect = Connect {
        left: &[2],
        ..Connect::fresh(dual())
    };
    sweep("connect again", &connect);
}

#[test]
fn connecting_many_is_all_or_nothing() {
    let network = v4().hosts(HostsScope::Everyone);
    sweep("connect all", &ConnectAll(network));
}

pub fn elsewhere() -> NetworkConfig {
    NetworkConfig::bridge("elsewhere")
        .subnet("10.88.0.0/29")
        .subnet("fd00:88::/125")
}

#[test]
fn connecting_to_a_second_network_that_takes_the_default_routes_is_all_or_nothing() {
    let connect = Connect {
        config: EndpointConfig::new().priority(7),
        elsewhere: Some(elsewhere()),
        ..Connect::fresh(dual())
    };
    sweep("connect to the way out", &connect);
}

#[test]
fn connecting_to_a_second_network_that_is_no_way_out_is_all_or_nothing() {
    let connect = Connect {
        elsewhere: Some(elsewhere()),
        ..Connect::fresh(v4().internal())
    };
    sweep("connect to an internal one", &connect);
}

#[test]
fn connecting_with_settings_and_link_local_addresses_is_all_or_nothing() {
    let config = EndpointConfig::new()
        .sysctl("net.ipv4.conf.IFNAME.log_martians=1")
        .sysctl("net.ipv4.neigh.IFNAME.gc_stale_time=30")
        .sysctl("net.ipv6.conf.IFNAME.mtu=1400")
        .link_local([169, 254, 7, 7])
        .link_local([0xfe80, 0, 0, 0, 0, 0, 0, 7]);
    let connect = Connect {
        config,
        ..Connect::fresh(dual())
    };
    sweep("connect with settings", &connect);
}
