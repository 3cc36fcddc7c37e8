//! Disconnecting and removing: whatever fails, either it is done all the same, or the error has
//! the plan that does it.

use std::time::Instant;

use bridgework::driver::Driver;
use bridgework::plan::{Link, Plan, Side, Step};
use bridgework::snapshot::Snapshot;
use bridgework::spec::{EndpointSpec, NetworkSpec};
use bridgework::{
    Container, Endpoint, EndpointConfig, Error, Fault, Host, HostConfig, HostsScope, LinkIndex,
    Netns, Network, NetworkConfig, Result,
};

use crate::arriving::{Ground, dual, elsewhere};
use crate::point::{Moment, Point, few_points, points};
use crate::world::World;

/// So many containers that no address comes back soon: what has left something behind keeps its
/// own.
pub fn wide() -> NetworkConfig {
    NetworkConfig::bridge("hmall")
        .subnet("10.89.0.0/16")
        .subnet("fd00:89::/64")
        .hosts(HostsScope::Everyone)
}

/// What those leave that leave.
pub trait Verb {
    type Made;
    fn ground(&self, world: &World) -> Ground {
        Ground::new(world, &wide(), Self::THERE)
    }
    fn make(&self, world: &World, ground: &Ground) -> Self::Made;
    fn act(&self, made: Self::Made) -> Result<()>;
    /// Whether a call is refused for that.
    fn may_happen(&self, _point: &Point) -> bool {
        true
    }
    /// Where it fails.
    fn points(&self) -> Vec<Point> {
        points(Self::CALLS).collect()
    }
    /// How many kernel calls it makes.
    const CALLS: usize;
    /// How many containers are there before.
    const THERE: &'static [usize];
    /// In whose namespace the plan goes on that takes away what is left.
    const CONTAINER: Option<usize> = None;
}

pub fn sweep<V: Verb>(name: &str, verb: &V) {
    let world = World::new();
    let (start, deep) = (Instant::now(), world.deep());
    let bare = world.state();
    let ground = verb.ground(&world);
    let before = world.state();
    let calls = world.injector.calls();
    let made = verb.make(&world, &ground);
    let in_between = world.injector.calls();
    verb.act(made).unwrap();
    world.assert_same(&before, name);
    assert_eq!(
        world.injector.calls() - in_between,
        V::CALLS as u64,
        "{name}"
    );
    assert!(in_between > calls);
    let (mut count, mut left) = (0, 0);
    for point in verb.points() {
        if !verb.may_happen(&point) {
            continue;
        }
        let when = format!("{name}: {point}");
        let made = verb.make(&world, &ground);
        let before_last_call = world.injector.calls();
        point.arm(&world.injector);
        match verb.act(made) {
            Ok(()) => assert!(point.may_be_tried_again(), "{when}: nobody noticed"),
            Err(error) => {
                left += 1;
                let container = V::CONTAINER.map(|at| world.containers[at].netns());
                take_back(&world, &error, container, &when);
            }
        }
        assert!(
            world.injector.calls() >= before_last_call + V::CALLS as u64,
            "{when}"
        );
        world.assert_same(&before, &when);
        count += 1;
    }
    drop(ground);
    world.assert_same(&bare, name);
    world.assert_deep(&deep, name);
    let calls = V::CALLS;
    println!(
        "{name}: {calls} calls, {count} points, {left} left something, {:?}",
        start.elapsed()
    );
}

impl Point {
    /// That a route is somebody else's, and so not taken back, is no failure.
    pub fn is_foreign_route(&self) -> bool {
        (self.errno, self.moment) == (bridgework::Errno::EEXIST, Moment::Refused)
    }

    /// Whether the crate itself tries a second time; what is only heard of in the wrong way is not.
    pub fn may_be_tried_again(&self) -> bool {
        use bridgework::Errno;
        let passing = [Errno::EINTR, Errno::EBUSY, Errno::ENOBUFS];
        self.moment == Moment::Refused && passing.contains(&self.errno)
    }
}

/// What the error has left is not nothing, and can be performed, even twice; where no container is
/// given, in each of those that it may be about.
pub fn take_back(world: &World, error: &Error, container: Option<&Netns>, when: &str) {
    let left = error.left_behind();
    assert!(!left.is_empty(), "{when}: {error}");
    assert!(error.to_string().contains("left behind"), "{when}: {error}");
    for _ in 0..2 {
        perform(world, left, container, when);
    }
}

fn perform(world: &World, left: &Plan, container: Option<&Netns>, when: &str) {
    let is_inside = |step: &Step| step.side() == Some(Side::Container);
    let somewhere = match container {
        None if left.steps().iter().any(is_inside) => world.containers.iter(),
        _ => [].iter(),
    };
    let mut places: Vec<Option<&Netns>> = somewhere.map(|one| Some(one.netns())).collect();
    if places.is_empty() {
        places.push(container);
    }
    for place in places {
        world.kernel().take_back(left, place).expect(when);
    }
}

struct Disconnect;

impl Verb for Disconnect {
    type Made = Endpoint;
    // one line in its peer's file, its peer's lines and its own in its own file, the redirect, the
    // link
    const CALLS: usize = 6;
    const THERE: &'static [usize] = &[0];

    fn make(&self, world: &World, ground: &Ground) -> Endpoint {
        ground.network.connect(&world.containers[1]).unwrap()
    }

    fn act(&self, made: Endpoint) -> Result<()> {
        made.disconnect()
    }
}

struct DisconnectAll;

impl Verb for DisconnectAll {
    type Made = Vec<Endpoint>;
    // the first leaves the second's file and its own, the second its own for the third; two have
    // own lines, and the fourth its resolv.conf; each has a redirect; the links go together
    const CALLS: usize = 12;
    const THERE: &'static [usize] = &[];

    fn make(&self, world: &World, ground: &Ground) -> Vec<Endpoint> {
        ground.network.connect_all(&world.containers).unwrap()
    }

    fn act(&self, made: Vec<Endpoint>) -> Result<()> {
        Endpoint::disconnect_all(made)
    }

    /// Each call is one that disconnecting alone makes too.
    fn points(&self) -> Vec<Point> {
        few_points(Self::CALLS).collect()
    }
}

/// By its name, whoever has the handle.
struct DisconnectByName;

impl Verb for DisconnectByName {
    type Made = Endpoint;
    const CALLS: usize = Disconnect::CALLS;
    const THERE: &'static [usize] = &[0];

    fn make(&self, world: &World, ground: &Ground) -> Endpoint {
        Disconnect.make(world, ground)
    }

    fn act(&self, made: Endpoint) -> Result<()> {
        made.network().disconnect("two")
    }

    fn points(&self) -> Vec<Point> {
        few_points(Self::CALLS).collect()
    }
}

/// By its name, once nobody has a handle.
struct DisconnectPersisted;

impl Verb for DisconnectPersisted {
    type Made = Network;
    const CALLS: usize = Disconnect::CALLS;
    const THERE: &'static [usize] = &[0];

    fn make(&self, world: &World, ground: &Ground) -> Network {
        let endpoint = Disconnect.make(world, ground);
        let network = endpoint.network().clone();
        let _spec = endpoint.persist().unwrap();
        network
    }

    fn act(&self, made: Network) -> Result<()> {
        made.disconnect("two")
    }
}

/// From the network that the default routes lead by, while there is another.
struct DisconnectWayOut;

impl Verb for DisconnectWayOut {
    type Made = Endpoint;
    // the default routes of both families, the link
    const CALLS: usize = 4;
    const THERE: &'static [usize] = &[];
    const CONTAINER: Option<usize> = Some(2);

    fn ground(&self, world: &World) -> Ground {
        let mut ground = Ground::new(world, &wide(), &[]);
        let elsewhere = world.host.create_network(elsewhere()).unwrap();
        ground.elsewhere = Some(elsewhere.connect(&world.containers[2]).unwrap());
        ground
    }

    fn make(&self, world: &World, ground: &Ground) -> Endpoint {
        let config = EndpointConfig::new().priority(7);
        let container = &world.containers[2];
        ground.network.connect_with(container, config).unwrap()
    }

    fn act(&self, made: Endpoint) -> Result<()> {
        made.disconnect()
    }

    fn may_happen(&self, point: &Point) -> bool {
        point.call > 2 || !point.is_foreign_route()
    }
}

#[test]
fn disconnecting_by_name_is_done_or_says_what_is_left() {
    sweep("disconnect by name", &DisconnectByName);
}

#[test]
fn disconnecting_what_is_persisted_is_done_or_says_what_is_left() {
    // the network is persisted with it, and ends by being removed alone
    let world = World::new();
    let ground = DisconnectPersisted.ground(&world);
    let before = world.state();
    for point in few_points(DisconnectPersisted::CALLS) {
        let when = format!("disconnect what is persisted: {point}");
        let made = DisconnectPersisted.make(&world, &ground);
        point.arm(&world.injector);
        match DisconnectPersisted.act(made) {
            Ok(()) => assert!(point.may_be_tried_again(), "{when}: nobody noticed"),
            Err(error) => take_back(&world, &error, None, &when),
        }
        world.assert_same(&before, &when);
    }
    let network = ground.network.clone();
    drop(ground);
    network.remove().unwrap();
}

#[test]
fn disconnecting_the_way_out_is_done_or_says_what_is_left() {
    sweep("disconnect the way out", &DisconnectWayOut);
}

/// Whatever fails, the address and the name are free at once, and what is left is returned.
#[test]
fn disconnecting_by_force_is_done_and_says_what_is_left() {
    let world = World::new();
    let ground = Ground::new(&world, &dual().hosts(HostsScope::Everyone), &[0]);
    let before = world.state();
    let mut left_something = 0;
    for point in points(Disconnect::CALLS) {
        let when = format!("disconnect by force: {point}");
        let endpoint = ground.network.connect(&world.containers[1]).unwrap();
        point.arm(&world.injector);
        let left = ground.network.disconnect_by_force("two").expect(&when);
        assert!(!left.is_empty() || point.may_be_tried_again(), "{when}");
        left_something += usize::from(!left.is_empty());
        world.assert_room(&ground.network, &when);
        perform(&world, &left, None, &when);
        world.assert_same(&before, &when);
        drop(endpoint);
        let again = ground.network.disconnect_by_force("two").unwrap_err();
        assert!(again.is_not_found(), "{when}: {again}");
    }
    assert!(left_something > 0);
}

#[test]
fn disconnecting_is_done_or_says_what_is_left() {
    sweep("disconnect", &Disconnect);
}

#[test]
fn disconnecting_many_is_done_or_says_what_is_left() {
    sweep("disconnect all", &DisconnectAll);
}

/// The bridge, two prohibitions, two rules, the elements, and what all networks share.
const REMOVAL_CALLS: usize = 7;

/// A rule or prohibition of which the kernel says that there is none.
fn is_taken_for_gone(point: &Point) -> bool {
    let is_policy = (2..=5).contains(&point.call);
    is_policy && point.moment == Moment::Refused && point.errno == bridgework::Errno::ENOENT
}

#[test]
fn a_removal_that_failed_can_be_repeated() {
    let world = World::new();
    let (before, deep) = (world.state(), world.deep());
    let create = || -> Network { world.host.create_network(wide()).unwrap() };
    let network = create();
    let calls = world.injector.calls();
    network.remove().unwrap();
    assert_eq!(world.injector.calls() - calls, REMOVAL_CALLS as u64);
    for point in points(REMOVAL_CALLS).filter(|point| !is_taken_for_gone(point)) {
        let when = format!("remove: {point}");
        let network = create();
        point.arm(&world.injector);
        match network.remove() {
            Ok(()) => assert!(point.may_be_tried_again(), "{when}: nobody noticed"),
            Err(error) => {
                assert!(!error.left_behind().is_empty(), "{when}: {error}");
                network.remove().expect(&when);
            }
        }
        world.assert_same(&before, &when);
        // the name is free again
        create().remove().expect(&when);
    }
    world.assert_deep(&deep, "removing");
}

#[test]
fn what_a_removal_left_behind_can_be_taken_away_by_hand() {
    let world = World::new();
    let before = world.state();
    let told = |point: &Point| !point.may_be_tried_again() && !is_taken_for_gone(point);
    for point in points(REMOVAL_CALLS).filter(told) {
        let when = format!("remove: {point}");
        let network = world.host.create_network(wide()).unwrap();
        point.arm(&world.injector);
        take_back(&world, &network.remove().unwrap_err(), None, &when);
        drop(network);
        world.assert_same(&before, &when);
    }
}

/// A driver of which all is inside the container.
#[derive(Debug)]
struct Inside;

impl Driver for Inside {
    fn name(&self) -> &str {
        "inside"
    }

    fn create(&self, _: &NetworkSpec, _: &Snapshot) -> std::result::Result<Plan, Fault> {
        Ok(Plan::new())
    }

    fn connect(
        &self,
        _: &NetworkSpec,
        endpoint: &EndpointSpec,
    ) -> std::result::Result<Plan, Fault> {
        let lo = Link::new(Side::Container, "lo".parse()?, LinkIndex::new(1)?);
        let mut plan = Plan::with_container(endpoint.container.clone());
        plan.extend(endpoint.addresses().map(|address| Step::AddAddress {
            link: lo.clone(),
            address: address.address,
        }));
        Ok(plan)
    }
}

#[test]
fn steps_inside_of_containers_are_taken_back_there_one_by_one_and_together() {
    let config = HostConfig::new().netns(Netns::create().unwrap());
    let host = Host::open_with(config.driver(Inside)).unwrap();
    let network = NetworkConfig::new("inside", "lab").subnet("10.89.0.0/24");
    let network = host.create_network(network).unwrap();
    let containers = ["one", "two"].map(crate::lab::container);
    let addresses = || {
        let see = |container: &Container| container.netns().snapshot().unwrap().addresses.len();
        containers.iter().map(see).collect::<Vec<_>>()
    };
    let mut endpoints = network.connect_all(&containers).unwrap();
    assert_eq!(addresses(), [1, 1]);
    Endpoint::disconnect_all(endpoints).unwrap();
    assert_eq!(addresses(), [0, 0]);
    endpoints = network.connect_all(&containers).unwrap();
    endpoints.pop().unwrap().disconnect().unwrap();
    assert_eq!(addresses(), [1, 0]);
}

#[test]
fn a_container_that_left_something_behind_can_come_again() {
    let world = World::new();
    let ground = Ground::new(&world, &wide(), &[]);
    let container: &Container = &world.containers[0];
    let endpoint = ground.network.connect(container).unwrap();
    let first: Vec<_> = endpoint.ips().collect();
    world.injector.fail_nth(2, bridgework::Errno::EPERM);
    let error = endpoint.disconnect().unwrap_err();
    take_back(&world, &error, None, "disconnect");
    let again = ground.network.connect(container).unwrap();
    let second: Vec<_> = again.ips().collect();
    assert!(
        first.iter().all(|address| !second.contains(address)),
        "{first:?} {second:?}"
    );
}

#[test]
fn a_resolv_conf_that_was_left_behind_follows_again_once_it_is_taken_back() {
    let world = World::new();
    let resolv_conf = || world.state().files()[2].clone().unwrap();
    let ground = Ground::new(&world, &wide(), &[]);
    let container: &Container = &world.containers[3];
    let connect = || ground.network.connect(container).unwrap();
    let endpoint = connect();
    let written = resolv_conf();
    assert!(written.contains("127.0.0.11"), "{written}");
    world.injector.fail_nth(1, bridgework::Errno::EPERM);
    let error = endpoint.disconnect().unwrap_err();
    assert_eq!(resolv_conf(), written);
    take_back(&world, &error, None, "disconnect");
    assert_eq!(resolv_conf(), "");
    let endpoint = connect();
    assert_eq!(resolv_conf(), written);
    // also where nobody does so
    world.injector.fail_nth(1, bridgework::Errno::EPERM);
    endpoint.disconnect().unwrap_err();
    let endpoint = connect();
    assert_eq!(resolv_conf(), written);
    endpoint.disconnect().unwrap();
    assert_eq!(resolv_conf(), "");
}
