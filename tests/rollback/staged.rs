//! Two-phase attach: staging and joining are all or nothing, and hand back what was there; leaving
//! and deleting are done, or say what is left.

use std::cell::{Cell, OnceCell};

use bridgework::plan::{Link, Plan, Side, Step};
use bridgework::{Endpoint, EndpointConfig, HostsScope, Result, StagedEndpoint};

use crate::arriving::{Ground, Verb, dual, elsewhere, facts, sweep};
use crate::leaving;
use crate::point::{Point, few_points, lines, points};
use crate::ruin::fail_all_from;
use crate::world::{ROOM, World};

/// The container that is staged for, which has a hosts file.
const APP: usize = 1;

fn config() -> EndpointConfig {
    EndpointConfig::new().alias("db").priority(7)
}

fn stage(ground: &Ground, config: EndpointConfig) -> Result<StagedEndpoint> {
    ground.network.stage("two", config)
}

/// The network has a neighbour that knows all, and the container is on another one.
fn ground(world: &World) -> Ground {
    let mut ground = Ground::new(world, &dual().hosts(HostsScope::Everyone), &[0]);
    let elsewhere = world.host.create_network(elsewhere()).unwrap();
    ground.elsewhere = Some(elsewhere.connect(&world.containers[APP]).unwrap());
    ground
}

struct Stage;

impl Verb for Stage {
    type Ground = Ground;
    type Made = StagedEndpoint;

    fn ground(&self, world: &World) -> Ground {
        ground(world)
    }

    fn lines(&self, _world: &World, ground: &Ground) -> Vec<String> {
        let staged = stage(ground, config()).unwrap();
        lines(staged.plan())
    }

    fn act(&self, _world: &World, ground: &Ground) -> Result<StagedEndpoint> {
        stage(ground, config())
    }

    fn facts(&self, made: &StagedEndpoint) -> String {
        let addresses: Vec<_> = made.spec().addresses().map(|a| a.address).collect();
        format!("{addresses:?}")
    }

    fn undo(&self, _world: &World, _ground: &Ground, made: StagedEndpoint) {
        made.delete().unwrap();
    }

    fn points(&self, calls: usize) -> Vec<Point> {
        few_points(calls).collect()
    }

    fn check(&self, world: &World, ground: &Ground, when: &str) {
        world.assert_room(&ground.network, when);
    }
}

/// What is staged is taken for joining, and comes back.
struct Waiting {
    ground: Ground,
    staged: Cell<Option<StagedEndpoint>>,
    /// The lines by which it and its neighbour know each other.
    introductions: Vec<String>,
}

/// Whoever moves the container's end.
#[derive(Clone, Copy, PartialEq)]
enum Mover {
    Us,
    Caller,
}

impl Mover {
    fn prepare(self, world: &World, staged: &StagedEndpoint) {
        if self == Mover::Us {
            return;
        }
        let from = staged.spec().link.clone();
        let to = Link::new(Side::Container, "lan7".parse().unwrap(), from.index);
        let plan = Plan::from_iter([Step::MoveLink { from, to }]);
        let namespace = world.containers[APP].netns();
        world.kernel().apply(&plan, Some(namespace)).unwrap();
    }
}

struct Join {
    mover: Mover,
    lines: OnceCell<Vec<String>>,
}

impl Join {
    fn by(mover: Mover) -> Self {
        let lines = OnceCell::new();
        Self { mover, lines }
    }

    fn learn(&self, world: &World, waiting: &Waiting) -> Vec<String> {
        let endpoint = self.act(world, waiting).unwrap();
        let mut steps = endpoint.plan().steps().iter();
        let staged = steps.position(|step| matches!(step, Step::MoveLink { .. }));
        let begin = staged.unwrap() + usize::from(self.mover == Mover::Caller);
        let mut lines = lines(endpoint.plan()).split_off(begin);
        lines.extend(waiting.introductions.iter().cloned());
        self.undo(world, waiting, endpoint);
        lines
    }
}

impl Verb for Join {
    type Ground = Waiting;
    type Made = Endpoint;

    fn ground(&self, world: &World) -> Waiting {
        let ground = ground(world);
        let container = &world.containers[APP];
        let connected = ground.network.plan_connect(container, &config()).unwrap();
        let connected = lines(&connected);
        let introductions = connected[connected.len() - 2..].to_vec();
        let staged = stage(&ground, config()).unwrap();
        self.mover.prepare(world, &staged);
        Waiting {
            ground,
            staged: Cell::new(Some(staged)),
            introductions,
        }
    }

    fn lines(&self, world: &World, waiting: &Waiting) -> Vec<String> {
        let lines = self.lines.get_or_init(|| self.learn(world, waiting));
        lines.clone()
    }

    fn act(&self, world: &World, waiting: &Waiting) -> Result<Endpoint> {
        let staged = waiting.staged.take().expect("it came back");
        staged.join(&world.containers[APP]).map_err(|refused| {
            let (error, staged) = refused.into_parts();
            waiting.staged.set(Some(staged));
            error
        })
    }

    fn facts(&self, made: &Endpoint) -> String {
        facts(made)
    }

    fn undo(&self, world: &World, waiting: &Waiting, made: Endpoint) {
        let staged = made.leave().unwrap();
        self.mover.prepare(world, &staged);
        waiting.staged.set(Some(staged));
    }

    fn points(&self, calls: usize) -> Vec<Point> {
        few_points(calls).collect()
    }

    /// Moving a link makes the kernel wait several times for all its readers.
    fn is_done_after(&self, point: &Point) -> bool {
        point.call % 3 == 1
    }

    fn check(&self, world: &World, waiting: &Waiting, when: &str) {
        let network = &waiting.ground.network;
        assert_eq!(network.records().owners().len(), 1, "{when}");
        let staged = waiting.staged.take();
        assert!(staged.is_some(), "{when}: it was not handed back");
        // it has its addresses, beside those that are there
        let free = ROOM - network.endpoints().len() - 1;
        world.assert_room_for(network, free, when);
        waiting.staged.set(staged);
    }
}

#[test]
fn staging_is_all_or_nothing() {
    sweep("stage", &Stage);
}

#[test]
fn joining_is_all_or_nothing_and_hands_back_what_was_staged() {
    sweep("join", &Join::by(Mover::Us));
}

#[test]
fn joining_a_link_that_the_caller_moved_is_all_or_nothing() {
    sweep("join what was moved", &Join::by(Mover::Caller));
}

/// Leaving, with one call that fails: the wire is on the host's side, or all of it is gone.
#[test]
fn leaving_is_done_or_is_a_disconnection() {
    let world = World::new();
    let (bare, deep) = (world.state(), world.deep());
    let ground = ground(&world);
    let before = world.state();
    let container = &world.containers[APP];
    let join = || stage(&ground, config()).unwrap().join(container).unwrap();
    let endpoint = join();
    let calls = world.injector.calls();
    endpoint.leave().unwrap().delete().unwrap();
    let calls = world.injector.calls() - calls;
    // its line in the neighbour's file and theirs in its own, two default routes, its own lines,
    // the link; then the wire is deleted, and what it might send
    assert_eq!(calls, 8);
    let mut disconnected = 0;
    let is_route = |point: &Point| [3, 4].contains(&point.call);
    for point in points(6).filter(|point| !(is_route(point) && point.is_foreign_route())) {
        let when = format!("leave: {point}");
        let endpoint = join();
        point.arm(&world.injector);
        match endpoint.leave() {
            Ok(staged) => {
                assert!(point.may_be_tried_again(), "{when}: nobody noticed");
                let free = ROOM - ground.network.endpoints().len() - 1;
                world.assert_room_for(&ground.network, free, &when);
                staged
                    .join(container)
                    .expect(&when)
                    .disconnect()
                    .expect(&when);
            }
            Err(refused) => {
                disconnected += 1;
                // it was tried once more, and then all went well
                let (error, endpoint) = refused.into_parts();
                assert!(error.left_behind().is_empty(), "{when}: {error}");
                endpoint.disconnect().expect(&when);
            }
        }
        world.assert_same(&before, &when);
        world.assert_room(&ground.network, &when);
    }
    assert!(disconnected > 0);
    drop(ground);
    world.assert_same(&bare, "leave");
    world.assert_deep(&deep, "leave");
}

/// What leaving and deleting could not take back is what somebody else can.
#[test]
fn what_leaving_could_not_take_back_is_in_the_error() {
    for call in 1..=6 {
        let world = World::new();
        let ground = ground(&world);
        let before = world.state();
        let container = &world.containers[APP];
        let endpoint = stage(&ground, config()).unwrap().join(container).unwrap();
        fail_all_from(&world, call);
        let when = format!("from call {call} on");
        let (error, endpoint) = endpoint.leave().unwrap_err().into_parts();
        leaving::take_back(&world, &error, Some(container.netns()), &when);
        endpoint.disconnect().expect(&when);
        world.assert_same(&before, &when);
        assert_eq!(ground.network.endpoints().len(), 1, "{when}");
    }
}

#[test]
fn what_joining_could_not_take_back_is_in_the_error_and_the_wire_can_be_deleted() {
    let (mut call, mut last) = (1, 1);
    while call <= last {
        let world = World::new();
        let join = Join::by(Mover::Us);
        let waiting = join.ground(&world);
        last = join.lines(&world, &waiting).len();
        let before = world.state();
        fail_all_from(&world, call);
        let when = format!("from call {call} of {last} on");
        let error = join.act(&world, &waiting).unwrap_err();
        let container = &world.containers[APP];
        if call == 1 {
            assert!(error.left_behind().is_empty(), "{when}: {error}");
        } else {
            leaving::take_back(&world, &error, Some(container.netns()), &when);
        }
        world.assert_same(&before, &when);
        heal(&world);
        let staged = waiting.staged.take().expect("it was handed back");
        staged
            .join(container)
            .expect(&when)
            .disconnect()
            .expect(&when);
        // steps of 4: each kind of call is met, in far less time
        call += 4;
    }
}

/// Calls that count and change nothing, until they work again.
fn heal(world: &World) {
    while world.host.snapshot().is_err() {}
}

#[test]
fn deleting_is_done_or_says_what_is_left() {
    let world = World::new();
    let ground = ground(&world);
    let before = world.state();
    for point in points(2) {
        let when = format!("delete: {point}");
        // so few addresses that it is free or held
        let staged = stage(&ground, config()).unwrap();
        let calls = world.injector.calls();
        point.arm(&world.injector);
        match staged.delete() {
            Ok(()) => assert!(point.may_be_tried_again(), "{when}: nobody noticed"),
            Err(error) => {
                leaving::take_back(&world, &error, None, &when);
                assert_eq!(world.injector.calls() - calls, 2, "{when}");
                ground.network.disconnect_by_force("two").expect(&when);
            }
        }
        world.assert_same(&before, &when);
        world.assert_room(&ground.network, &when);
    }
}
