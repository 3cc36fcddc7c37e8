//! What a process that lives on could not take back is taken back later: by whoever recovers, by the
//! same verb once more, and by the verb that it is in the way of.

use bridgework::plan::Switch;
use bridgework::{
    Container, Endpoint, EndpointConfig, Errno, FaultInjector, Host, Network, Result,
};

use crate::lab;
use crate::recovered::{Ground, net};
use crate::traffic::difference;

/// A host of which any call to the kernel can fail, and a network that stays.
struct World {
    ground: Ground,
    host: Host,
    injector: FaultInjector,
    network: Network,
    app: Container,
    bare: Vec<String>,
    records: usize,
}

impl World {
    fn new() -> Self {
        let ground = Ground::new();
        let (host, injector) = unreliable(&ground);
        let network = host.create_network(net("web")).unwrap();
        network.persist().unwrap();
        let app = lab::container("app");
        let (bare, records) = (all_of(&ground, &app), ground.records());
        Self {
            ground,
            host,
            injector,
            network,
            app,
            bare,
            records,
        }
    }

    fn connect(&self) -> Endpoint {
        self.network.connect_with(&self.app, asked()).unwrap()
    }

    fn assert_bare(&self, when: &str) {
        assert_eq!(self.ground.records(), self.records, "{when}");
        let now = all_of(&self.ground, &self.app);
        let bare = &self.bare;
        assert!(now == *bare, "{when}\n{:#?}", difference(&now, bare));
    }
}

/// What there is on both sides, but for the states of bridges, which are those of whom they have had.
fn all_of(ground: &Ground, app: &Container) -> Vec<String> {
    let mut all = Vec::new();
    for netns in [&ground.netns, app.netns()] {
        let links = lab::ip_json(netns, "link").unwrap_or_default();
        all.extend(links.iter().map(|link| link["ifname"].to_string()));
        let commands = ["ip -j rule", "ip -j -6 rule", "nft -j list ruleset"];
        let looked = commands.map(|command| lab::output(netns, command).unwrap_or_default());
        all.extend(looked);
    }
    all
}

fn unreliable(ground: &Ground) -> (Host, FaultInjector) {
    let injector = FaultInjector::new();
    // whoever watches makes calls, too
    let config = ground.config().watch(Switch::Off);
    let host = Host::open_with(config.fault_injector(injector.clone())).unwrap();
    (host, injector)
}

fn asked() -> EndpointConfig {
    EndpointConfig::new().ip([10, 89, 0, 77]).publish("8080:80")
}

/// Lets each call that `act` makes fail in turn, and then something be done about it.
fn at_each_call<T>(
    make: fn(&World) -> T,
    act: fn(&World, T) -> Result<()>,
    then: fn(&World, &str),
) {
    let mut failures = 0;
    for nth in 1.. {
        let world = World::new();
        let made = make(&world);
        let before = world.injector.calls();
        world.injector.fail_nth(nth, Errno::ENOMEM);
        let acted = act(&world, made);
        if world.injector.calls() - before < nth {
            acted.unwrap();
            break;
        }
        if let Err(error) = acted {
            failures += 1;
            then(&world, &format!("call {nth}: {error}"));
        }
    }
    assert!(failures > 2, "it failed {failures} times");
}

fn disconnect(_: &World, endpoint: Endpoint) -> Result<()> {
    endpoint.disconnect()
}

#[test]
fn what_could_not_be_disconnected_is_by_who_recovers_later() {
    at_each_call(World::connect, disconnect, |world, when| {
        let found = world.host.check().unwrap();
        assert!(!found.is_empty(), "{when}");
        let recovered = world.host.recover().unwrap();
        assert_eq!(recovered.taken_back.len(), 1, "{when}: {recovered}");
        world.assert_bare(when);
        let again = world.host.recover().unwrap();
        assert!(again.is_empty(), "{when}: {again}");
    });
}

#[test]
fn what_could_not_be_disconnected_is_by_the_same_verb_once_more() {
    at_each_call(World::connect, disconnect, |world, when| {
        world.network.disconnect("app").expect(when);
        world.assert_bare(when);
        let gone = world.network.disconnect("app").unwrap_err();
        assert!(gone.is_not_found(), "{when}: {gone}");
    });
}

#[test]
fn what_was_persisted_and_could_not_be_disconnected_is_by_the_same_verb_once_more() {
    at_each_call(
        |world| world.connect().persist().unwrap(),
        |world, _spec| world.network.disconnect("app"),
        |world, when| {
            world.network.disconnect("app").expect(when);
            world.assert_bare(when);
        },
    );
}

#[test]
fn many_that_could_not_be_disconnected_are_by_who_recovers_later() {
    at_each_call(
        |world| {
            let db = world.network.connect(&lab::container("db")).unwrap();
            [world.connect(), db]
        },
        |_, endpoints| Endpoint::disconnect_all(endpoints),
        |world, when| {
            world.host.recover().expect(when);
            world.assert_bare(when);
        },
    );
}

#[test]
fn the_place_of_who_could_not_be_disconnected_is_taken_anew() {
    at_each_call(World::connect, disconnect, |world, when| {
        let again = world.network.connect_with(&world.app, asked()).expect(when);
        assert_eq!(world.network.endpoints().len(), 1, "{when}");
        again.disconnect().unwrap();
        world.assert_bare(when);
    });
}

#[test]
fn a_network_that_somebody_could_not_be_disconnected_from_is_removed() {
    at_each_call(World::connect, disconnect, |world, when| {
        world.network.remove().expect(when);
        let left = world.host.recover().unwrap();
        assert!(left.is_empty(), "{when}: {left}");
        assert_eq!(world.ground.look()[6], Ground::new().look()[6], "{when}");
        assert_eq!(world.ground.records(), 1, "{when}");
    });
}

/// The address, the port and the place are another one's at once, also by another process.
#[test]
fn who_is_disconnected_by_force_is_in_nobodys_way() {
    at_each_call(
        World::connect,
        |world, endpoint| {
            let left = world.network.disconnect_by_force("app")?;
            drop(endpoint);
            // what is done is no failure
            match left.is_empty() {
                true => Ok(()),
                false => Err(world.network.disconnect("app").unwrap_err()),
            }
        },
        |world, when| {
            assert_eq!(world.ground.records(), world.records, "{when}");
            let next = world.ground.open();
            let network = next.network("web").unwrap();
            let app = lab::container("app");
            let ip = EndpointConfig::new().ip([10, 89, 0, 77]);
            network.connect_with(&app, ip).expect(when);
        },
    );
}

#[test]
fn a_wire_that_was_staged_and_could_not_be_deleted_is_by_who_recovers_later() {
    for nth in 1.. {
        let world = World::new();
        let staged = world.network.stage("app", asked()).unwrap();
        let before = world.injector.calls();
        world.injector.fail_nth(nth, Errno::ENOMEM);
        let deleted = staged.delete();
        if world.injector.calls() - before < nth {
            assert!(nth > 2, "it makes {nth} calls");
            return deleted.unwrap();
        }
        if deleted.is_err() {
            let recovered = world.host.recover().unwrap();
            assert_eq!(recovered.taken_back.len(), 1, "call {nth}: {recovered}");
            world.assert_bare(&format!("call {nth}"));
            let _again = world.network.stage("app", asked()).unwrap();
        }
    }
}

/// What can't go back to where it was staged goes away, and what of it can't is taken back later.
#[test]
fn a_container_that_could_not_leave_leaves_nothing() {
    at_each_call(
        |world| {
            let staged = world.network.stage("app", asked()).unwrap();
            staged.join(&world.app).unwrap()
        },
        |_, endpoint| match endpoint.leave() {
            Ok(staged) => staged.delete(),
            Err(back) => Err(back.into_parts().0),
        },
        |world, when| {
            let is_struck = world.ground.records() == world.records;
            assert!(is_struck || when.contains("left behind"), "{when}");
            world.host.recover().expect(when);
            world.assert_bare(when);
        },
    );
}

/// Whatever call of a recovery fails, the next one does what is left.
#[test]
fn what_could_not_be_recovered_is_by_who_recovers_again() {
    let mut failures = 0;
    for nth in 1.. {
        let ground = Ground::new();
        let before = ground.look();
        ground.die_after(|host| {
            let network = host.create_network(net("web")).unwrap();
            let app = lab::container("app");
            (network.connect(&app).unwrap(), app, network)
        });
        let (host, injector) = unreliable(&ground);
        let calls = injector.calls();
        injector.fail_nth(nth, Errno::ENOMEM);
        let first = host.recover();
        if injector.calls() - calls < nth {
            break;
        }
        failures += usize::from(first.is_err());
        let again = host.recover().unwrap();
        let after = ground.look();
        assert!(
            after == before,
            "call {nth}: {first:?}\n{again}\n{after:#?}"
        );
        assert_eq!(ground.records(), 1, "call {nth}: {first:?}\n{again}");
    }
    assert!(failures > 5, "it failed {failures} times");
}
