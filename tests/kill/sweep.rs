//! Kills a scenario at one point after the other; each time another host recovers, and what is seen
//! then is either what was there before or what the scenario makes.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::beside::{Beside, SLOW};
use crate::lab::chance::Chance;
use crate::lab::runner::End;
use crate::sight::Sight;
use crate::victim::{Scenario, play};
use crate::world::{DB, NETWORK, Place, SECOND, WEB, World, endpoint, network, second, way_out};

use bridgework::{EndpointConfig, NetworkConfig};

/// So often somebody may have waited for something else than a dead one.
const TRIES: usize = 3;
/// How long a scenario is swept in an ordinary run.
const SECONDS: u64 = 6;

fn number(key: &str) -> Option<u64> {
    let text = std::env::var(key).ok()?;
    Some(text.parse().unwrap_or_else(|e| panic!("{key}={text}: {e}")))
}

/// Which points are taken.
enum Points {
    /// One after the other, as many as the rehearsal had, and until it is done before it is killed.
    All { next: usize, of: usize },
    Some {
        chance: Chance,
        of: usize,
        until: Instant,
    },
}

impl Points {
    fn of(seed: u64, points: usize) -> Self {
        if std::env::var("KILL_POINTS").is_ok_and(|points| points == "all") {
            return Self::All {
                next: 0,
                of: points,
            };
        }
        let seconds = number("KILL_SECONDS").unwrap_or(SECONDS);
        Self::Some {
            chance: Chance::new(seed),
            of: points,
            until: Instant::now() + Duration::from_secs(seconds),
        }
    }

    /// The next one, after `last` came to its end so.
    fn next(&mut self, last: End) -> Option<usize> {
        match self {
            Self::All { next, of } => {
                *next += 1;
                (last == End::Killed || *next <= *of).then_some(*next)
            }
            Self::Some { chance, of, until } => {
                let point = 1 + chance.below(*of);
                (Instant::now() < *until).then_some(point)
            }
        }
    }
}

pub fn sweep(scenario: Scenario) {
    let seed = number("KILL_SEED").unwrap_or_else(crate::lab::chance::seed);
    println!("{scenario:?}: KILL_SEED={seed}");
    let start = Instant::now();
    let mut swept = Swept::new(scenario);
    let points = swept.rehearse();
    let (mut chosen, mut tally) = (Points::of(seed, points), Tally::default());
    let mut last = End::Killed;
    while let Some(point) = chosen.next(last) {
        if matches!(chosen, Points::All { .. }) && point.is_multiple_of(100) {
            println!(
                "{scenario:?}: {point} of {points}: {tally}; {:?}",
                start.elapsed()
            );
        }
        let killed = swept.kill_repeatedly_at(point);
        match killed {
            Ok((end, became)) => {
                last = end;
                match became {
                    Became::AsBefore => tally.as_before += 1,
                    Became::Done => tally.done += 1,
                }
            }
            Err(why) => {
                tally.wrong.push((point, why));
                swept.begin_anew();
            }
        }
    }
    let took = start.elapsed();
    let beside = swept.beside;
    println!("{scenario:?}: {points} points without being killed, {tally}; {took:?}");
    println!("{scenario:?}: {beside}");
    assert!(tally.wrong.is_empty(), "{scenario:?}: {tally}");
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}

/// What has become of it after the recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    AsBefore,
    Done,
}

#[derive(Default)]
struct Tally {
    as_before: usize,
    done: usize,
    wrong: Vec<(usize, String)>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, done, wrong) = (self.as_before, self.done, self.wrong.len());
        let killed = before + done + wrong;
        write!(
            f,
            "{killed} killed: {before} as before, {done} done, {wrong} wrong"
        )?;
        let wrong = self.wrong.iter();
        wrong
            .take(5)
            .try_for_each(|(point, text)| write!(f, "\nat {point}: {text}"))
    }
}

struct Swept {
    beside: Beside,
    /// How many points connecting has, where it is killed for recovering to have something to do.
    connecting: usize,
    place: Place,
    world: World,
    scenario: Scenario,
    /// Without any network.
    bare: Sight,
    /// With the network and the one container that stays.
    between: Sight,
    /// What is there before the scenario; nothing is prepared where it is not known.
    ready: Option<Sight>,
    /// What the scenario makes, but for what comes out otherwise each time.
    made: Option<Sight>,
}

impl Swept {
    fn new(scenario: Scenario) -> Self {
        let world = World::new();
        let place = world.0.clone();
        let bare = recovered(&place);
        Self {
            beside: Beside::default(),
            connecting: 0,
            place,
            world,
            scenario,
            between: bare.clone(),
            bare,
            ready: None,
            made: None,
        }
    }

    /// What must be there for the scenario to begin.
    fn prepare(&mut self) -> Sight {
        use Scenario::{
            Connect, ConnectSecond, Create, Disconnect, DisconnectSecond, Open, Recover, Remove,
        };
        if let Some(ready) = self.ready.take() {
            return ready;
        }
        match self.scenario {
            Open => self.world.forget_records(),
            Create => {}
            Remove => self.make_network(network()),
            Connect | Recover => self.make_first(),
            Disconnect => {
                self.make_first();
                self.connect_web(NETWORK, endpoint());
            }
            ConnectSecond => self.make_second(),
            DisconnectSecond => {
                self.make_second();
                self.connect_web(SECOND, way_out());
            }
        }
        match self.scenario {
            Create | Open => self.bare.clone(),
            _ => recovered(&self.place),
        }
    }

    fn make_network(&self, config: NetworkConfig) {
        let host = self.place.open();
        host.create_network(config).unwrap().persist().unwrap();
    }

    /// A network with one container that stays, and one that was there once: the kernel keeps something
    /// of a first time.
    fn make_first(&mut self) {
        self.make_network(network());
        let host = self.place.open();
        let (web, db) = (self.place.container(WEB), self.place.container(DB));
        for container in [&web, &db] {
            host.keep(container).unwrap();
        }
        let network = host.network(NETWORK).unwrap();
        network.connect(&db).unwrap().persist().unwrap();
        let at_web = network.connect_with(&web, endpoint()).unwrap();
        at_web.disconnect().unwrap();
        self.between = Sight::of(&self.place);
    }

    /// And another network, where that one was once, besides its place on the first.
    fn make_second(&mut self) {
        self.make_first();
        self.connect_web(NETWORK, endpoint());
        self.make_network(second());
        self.connect_web(SECOND, way_out());
        let host = self.place.open();
        host.network(SECOND).unwrap().disconnect(WEB).unwrap();
        self.between = recovered(&self.place);
    }

    fn connect_web(&self, network: &str, config: EndpointConfig) {
        let host = self.place.open();
        let web = host.container(WEB).unwrap();
        let network = host.network(network).unwrap();
        let at_web = network.connect_with(&web, config).unwrap();
        at_web.persist().unwrap();
    }

    /// All is taken away again.
    fn clear(&mut self) {
        self.ready = None;
        let host = self.place.open();
        for network in host.networks() {
            for endpoint in network.endpoints() {
                network.disconnect(endpoint.container.as_str()).unwrap();
            }
            network.remove().unwrap();
        }
        for name in [WEB, DB] {
            host.forget(name).unwrap();
        }
        for path in [WEB, DB].iter().flat_map(|of| self.place.files(of)) {
            std::fs::write(path, "").unwrap();
        }
        drop(host);
        let seen = Sight::until(&self.place, |seen| *seen == self.bare);
        self.assert_same(&seen, &self.bare, "all is taken away");
    }

    fn assert_same(&self, seen: &Sight, wanted: &Sight, when: &str) {
        let scenario = self.scenario;
        assert!(
            seen == wanted,
            "{scenario:?}: {when}:\n{}",
            seen.difference(wanted)
        );
    }

    /// Once without being killed before it is done.
    fn rehearse(&mut self) -> usize {
        let before = self.prepare();
        if self.scenario == Scenario::Recover {
            self.rehearse_connecting();
        }
        let end = play(self.scenario, &self.place, None);
        let End::Done { points } = end else {
            panic!("{end:?}");
        };
        if self.scenario != Scenario::Recover && self.scenario != Scenario::Open {
            // what a verb has done is done
            let nothing = self.place.open().recover().unwrap();
            assert!(nothing.is_empty(), "{:?}:\n{nothing}", self.scenario);
        }
        let seen = recovered(&self.place);
        if self.scenario != Scenario::Recover {
            self.made = Some(seen.masked());
        }
        match self.scenario {
            Scenario::Create | Scenario::Connect | Scenario::ConnectSecond => {
                assert!(seen != before);
            }
            Scenario::Disconnect | Scenario::DisconnectSecond => {
                self.assert_same(&seen, &self.between, "done")
            }
            Scenario::Remove | Scenario::Open => self.assert_same(&seen, &self.bare, "done"),
            Scenario::Recover => {}
        }
        self.clear();
        points
    }

    fn rehearse_connecting(&mut self) {
        let End::Done { points } = play(Scenario::Connect, &self.place, None) else {
            panic!("it was not killed");
        };
        self.connecting = points;
        self.made = Some(recovered(&self.place).masked());
        self.clear();
        self.ready = Some(self.prepare());
        play(Scenario::Connect, &self.place, Some(points * 2 / 3));
    }

    /// What the dead are in the way of waits each time. Once in a while somebody waits for the kernel, which
    /// is busy with the namespaces of all other tests.
    fn kill_repeatedly_at(&mut self, point: usize) -> Result<(End, Became), String> {
        let mut tries = 1;
        loop {
            let killed = catch_unwind(AssertUnwindSafe(|| self.kill_at(point)));
            let why = match killed {
                Ok(killed) => return Ok(killed),
                Err(panic) => text_of(panic.as_ref()),
            };
            if tries == TRIES || !why.starts_with(SLOW) {
                return Err(why);
            }
            tries += 1;
            self.begin_anew();
        }
    }

    fn begin_anew(&mut self) {
        let beside = std::mem::take(&mut self.beside);
        *self = Self::new(self.scenario);
        self.beside = beside;
        self.rehearse();
    }

    fn kill_at(&mut self, point: usize) -> (End, Became) {
        let before = self.prepare();
        if self.scenario == Scenario::Recover {
            // something is to be recovered
            play(
                Scenario::Connect,
                &self.place,
                Some(1 + point * 97 % self.connecting),
            );
        }
        let end = play(self.scenario, &self.place, Some(point));
        let refused = self.come_beside(point);
        let became = self.recover_from(before, point);
        if let Some(why) = refused {
            // somebody who was there in the end has it
            let is_web_there = match self.scenario {
                Scenario::Disconnect | Scenario::DisconnectSecond => Became::AsBefore,
                _ => Became::Done,
            };
            assert!(became == is_web_there, "another one came: {why}");
        }
        (end, became)
    }

    /// Another one wants what the dead one may have had, and in half of the cases its addresses and
    /// ports, too.
    fn come_beside(&mut self, point: usize) -> Option<String> {
        let (network, wanted) = match self.scenario {
            Scenario::ConnectSecond | Scenario::DisconnectSecond => (second(), way_out()),
            _ => (network(), endpoint()),
        };
        let wanted = match point.is_multiple_of(2) {
            true => wanted,
            false => EndpointConfig::new(),
        };
        self.beside.come(&self.place, network, wanted)
    }

    fn recover_from(&mut self, before: Sight, point: usize) -> Became {
        let seen = recovered(&self.place);
        let when = format!("killed at {point}");
        if seen == before && self.scenario != Scenario::Open {
            self.ready = Some(before);
            return Became::AsBefore;
        }
        let made = self.made.clone().expect("it was rehearsed");
        let is_made = |seen: &Sight| match self.scenario {
            Scenario::Disconnect | Scenario::DisconnectSecond => *seen == self.between,
            Scenario::Remove | Scenario::Open => *seen == self.bare,
            _ => seen.masked() == made,
        };
        let seen = Sight::until(&self.place, |seen| *seen == before || is_made(seen));
        if seen == before && self.scenario != Scenario::Open {
            self.ready = Some(before);
            return Became::AsBefore;
        }
        assert!(
            is_made(&seen),
            "{:?}: {when}: against before:\n{}\nagainst made:\n{}",
            self.scenario,
            seen.difference(&before),
            seen.masked().difference(&made)
        );
        let again = match self.scenario {
            Scenario::Disconnect => Some((NETWORK, endpoint())),
            Scenario::DisconnectSecond => Some((SECOND, way_out())),
            _ => None,
        };
        if let Some((network, config)) = again {
            // it can come again, as it was
            self.connect_web(network, config);
            let again = recovered(&self.place).masked();
            self.assert_same(
                &again,
                &before.masked(),
                &format!("{when}, connected again"),
            );
        }
        self.clear();
        Became::Done
    }
}

/// Another host recovers; what is seen then.
fn recovered(place: &Place) -> Sight {
    let host = place.open();
    let recovered = host.recover().expect("recovered");
    let orphans = recovered.orphans;
    assert!(orphans.is_empty(), "of no record: {orphans:#?}");
    let again = host.recover().expect("recovered again");
    assert!(
        again.is_empty(),
        "a second time something was to be done:\n{again}"
    );
    drop(host);
    Sight::of(place)
}
