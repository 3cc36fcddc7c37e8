//! From some call on, nothing works any more, not even taking back: then the error has all that is
//! left, and somebody for whom it works can take it away.

use bridgework::{EndpointConfig, Errno, HostsScope};

use crate::arriving::{Ground, dual};
use crate::leaving::take_back;
use crate::world::World;

/// More calls than any verb makes here, with what it takes back.
const MANY: u64 = 200;

pub fn fail_all_from(world: &World, call: usize) {
    for n in 0..MANY {
        world.injector.fail_nth(call as u64 + n, Errno::EPERM);
    }
}

#[test]
fn what_creating_could_not_take_back_is_in_the_error() {
    for call in 1..=12 {
        let world = World::new();
        let before = world.state();
        fail_all_from(&world, call);
        let error = world.host.create_network(dual()).unwrap_err();
        let when = format!("from call {call} on");
        // reading, and the bridge
        if call <= 2 {
            assert!(error.left_behind().is_empty(), "{when}: {error}");
        } else {
            take_back(&world, &error, None, &when);
        }
        world.assert_same(&before, &when);
    }
}

#[test]
fn what_connecting_could_not_take_back_is_in_the_error() {
    let config = || dual().hosts(HostsScope::Everyone);
    let mut call = 1;
    let mut last = 1;
    while call <= last {
        let world = World::new();
        let ground = Ground::new(&world, &config(), &[0]);
        let before = world.state();
        let container = &world.containers[1];
        let plan = ground
            .network
            .plan_connect(container, &EndpointConfig::new());
        last = plan.unwrap().steps().len();
        fail_all_from(&world, call);
        let error = ground.network.connect(container).unwrap_err();
        let when = format!("from call {call} of {last} on");
        if call == 1 {
            assert!(error.left_behind().is_empty(), "{when}: {error}");
        } else {
            take_back(&world, &error, Some(container.netns()), &when);
        }
        world.assert_same(&before, &when);
        call += 1;
    }
    assert_eq!(last, 23);
}

#[test]
fn what_connecting_many_could_not_take_back_is_in_the_error() {
    for call in [1, 15, 30, 45, 54] {
        let world = World::new();
        let ground = Ground::new(&world, &dual(), &[]);
        let before = world.state();
        fail_all_from(&world, call);
        let when = format!("from call {call} on");
        match ground.network.connect_all(&world.containers) {
            Ok(_) => panic!("{when}: nobody noticed"),
            Err(error) if call == 1 => assert!(error.left_behind().is_empty(), "{error}"),
            Err(error) => take_back(&world, &error, None, &when),
        }
        world.assert_same(&before, &when);
    }
}
