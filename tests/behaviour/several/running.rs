//! The preferred network comes and goes while packets flow: none is lost, at no moment is there no
//! default route, and none leaves by one network with an address of the other.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use bridgework::{Container, Endpoint, EndpointConfig, Host, Netns, Network};

use super::{dual, ip, led_by};
use crate::lab::packet::{ETHER_IPV4, ETHER_IPV6, Frame, Pinger, Wire};
use crate::lab::{self, wait_until};

const TIMES: usize = 50;

/// Addresses of the host behind all of its networks.
const BEHIND: [&str; 2] = ["192.0.2.7", "2001:db8:7::7"];

/// So many packets pass before the next change.
const BETWEEN: usize = 5;

/// They load all processors, each for a few seconds: one after the other.
static LOAD: Mutex<()> = Mutex::new(());

/// A container on `a`, with `b` to come, which is preferred.
struct Scene {
    host: Host,
    container: Container,
    a: Network,
    b: Network,
    at_a: Endpoint,
    _load: MutexGuard<'static, ()>,
}

impl Scene {
    fn set() -> Option<Self> {
        let _load = LOAD.lock().unwrap_or_else(PoisonError::into_inner);
        let host = lab::host();
        ip(host.netns(), "link set lo up")?;
        for address in BEHIND {
            ip(host.netns(), &format!("addr add {address} dev lo"))?;
        }
        let (a, b) = (dual(&host, "a", 0), dual(&host, "b", 1));
        let container = lab::container("c");
        let at_a = a.connect(&container).unwrap();
        Some(Self {
            host,
            container,
            a,
            b,
            at_a,
            _load,
        })
    }

    fn connect_b(&self) -> Endpoint {
        let config = EndpointConfig::new().priority(1);
        self.b.connect_with(&self.container, config).unwrap()
    }

    /// It comes and goes in all ways; `pause` lets packets pass in between.
    fn toggle_b(&self, pause: impl Fn()) {
        for time in 0..TIMES {
            let endpoint = self.connect_b();
            pause();
            match time % 4 {
                0 => endpoint.disconnect().unwrap(),
                1 => drop(endpoint),
                2 => self.b.disconnect("c").unwrap(),
                _ => Endpoint::disconnect_all([endpoint]).unwrap(),
            }
            pause();
        }
    }
}

/// Threads that go on until they are told to stop, and count.
struct Running<'r> {
    done: &'r AtomicBool,
    counts: &'r [AtomicUsize; 2],
}

impl Running<'_> {
    fn pause(&self) {
        for count in self.counts {
            let until = count.load(Ordering::Relaxed).saturating_add(BETWEEN);
            wait_until("packets", || {
                self.done.load(Ordering::Relaxed) || count.load(Ordering::Relaxed) >= until
            });
        }
    }
}

/// Runs `act` while `each` runs again and again for both of the addresses. Returns how often that
/// was, and what went wrong.
fn while_running(
    each: impl Fn(IpAddr) -> Box<dyn FnMut() -> Result<(), String> + Send> + Sync,
    act: impl FnOnce(&Running),
) -> ([usize; 2], Vec<String>) {
    let done = AtomicBool::new(false);
    let counts = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let lost = thread::scope(|scope| {
        let (done, counts, each) = (&done, &counts, &each);
        let workers = [0, 1].map(|at| {
            scope.spawn(move || {
                let mut again = each(BEHIND[at].parse().unwrap());
                let mut wrong = Vec::new();
                // the first loss is enough, and nobody waits for more
                while !done.load(Ordering::Relaxed) && wrong.is_empty() {
                    wrong.extend(again().err());
                    counts[at].fetch_add(1, Ordering::Relaxed);
                }
                if !wrong.is_empty() {
                    counts[at].store(usize::MAX, Ordering::Relaxed);
                }
                wrong
            })
        });
        let stop = Stop(done);
        act(&Running { done, counts });
        drop(stop);
        let wrong = workers.map(|worker| worker.join().unwrap());
        wrong.into_iter().flatten().collect()
    });
    (counts.map(AtomicUsize::into_inner), lost)
}

/// Also where a test fails.
struct Stop<'s>(&'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn no_packet_is_lost_while_the_preferred_network_comes_and_goes() {
    let Some(scene) = Scene::set() else { return };
    let netns = scene.container.netns();
    let ping = |address| -> Box<dyn FnMut() -> Result<(), String> + Send> {
        let mut pinger = Pinger::open(netns, address);
        Box::new(move || pinger.once())
    };
    let (sent, lost) = while_running(ping, |running| {
        scene.toggle_b(|| running.pause());
    });
    println!("{sent:?} echo requests, {} lost", lost.len());
    assert_eq!(lost, [""; 0]);
    let least = 2 * TIMES * BETWEEN;
    assert!(sent.iter().all(|sent| *sent >= least), "{sent:?}");
}

/// As above, while the network that was there first comes and goes: the other one stays.
#[test]
fn no_packet_is_lost_while_the_network_that_is_not_preferred_comes_and_goes() {
    let Some(scene) = Scene::set() else { return };
    let at_b = scene.connect_b();
    let Scene {
        a,
        container,
        at_a,
        _load,
        ..
    } = scene;
    let netns = container.netns();
    let ping = |address| -> Box<dyn FnMut() -> Result<(), String> + Send> {
        let mut pinger = Pinger::open(netns, address);
        Box::new(move || pinger.once())
    };
    let mut at_a = Some(at_a);
    let (_sent, lost) = while_running(ping, |running| {
        for _ in 0..TIMES {
            drop(at_a.take());
            running.pause();
            at_a = Some(a.connect(&container).unwrap());
            running.pause();
        }
    });
    assert_eq!(lost, [""; 0]);
    drop(at_b);
}

/// The kernel says `ENETUNREACH` where it finds no route. Nobody waits for an answer, so that it is
/// asked far more often than by echo requests.
#[test]
fn at_no_moment_is_there_no_way_out() {
    let Some(scene) = Scene::set() else { return };
    let netns = scene.container.netns();
    let look_up = |address: IpAddr| -> Box<dyn FnMut() -> Result<(), String> + Send> {
        let any = if address.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let socket = netns.run(|| UdpSocket::bind(any)).unwrap().unwrap();
        Box::new(move || {
            let sent = socket.send_to(b"anybody", (address, 9));
            sent.map(drop).map_err(|e| format!("{address}: {e}"))
        })
    };
    let (looks, lost) = while_running(look_up, |running| {
        scene.toggle_b(|| running.pause());
    });
    println!("{looks:?} looks");
    assert_eq!(lost, [""; 0]);
}

/// What `ip monitor route` prints, until it is dropped.
struct Monitor(Child);

impl Monitor {
    fn start(netns: &Netns) -> Self {
        let start = || {
            Command::new("ip")
                .args(["monitor", "route"])
                .stdout(Stdio::piped())
                .spawn()
        };
        Self(netns.run(start).unwrap().expect("ip monitor"))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _ended_already = self.0.wait();
    }
}

/// The kernel tells of each route that comes, takes another one's place or is deleted; default
/// routes of ours only ever take another one's place.
#[test]
fn default_routes_take_each_others_place_and_are_never_deleted_first() {
    let Some(scene) = Scene::set() else { return };
    let netns = scene.container.netns();
    let mut monitor = Monitor::start(netns);
    let lines = BufReader::new(monitor.0.stdout.take().unwrap()).lines();
    let mut lines = lines.map(|line| line.unwrap());
    // it listens once it tells of this one
    let begun = "192.0.2.99";
    let heard = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            wait_until("the monitor", || {
                // what is there already is not told of
                for act in ["add", "del"] {
                    ip(netns, &format!("route {act} unreachable {begun}")).unwrap();
                }
                heard.load(Ordering::Relaxed)
            });
        });
        assert!(lines.any(|line| line.contains(begun)), "it ended");
        heard.store(true, Ordering::Relaxed);
    });
    scene.toggle_b(|| ());
    let end = "192.0.2.98";
    ip(netns, &format!("route add unreachable {end}")).unwrap();
    let lines = lines.take_while(|line| !line.contains(end));
    let mut told: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in lines.filter(|line| line.contains("default ")) {
        let is_v4 = line.contains("10.77.");
        told.entry(if is_v4 { "v4" } else { "v6" })
            .or_default()
            .push(line);
    }
    for (family, lines) in told {
        assert_eq!(lines.len(), 2 * TIMES, "{family}");
        for (at, line) in lines.iter().enumerate() {
            // it does not know every link's name, and some are gone when it asks
            let subnets = [
                ["10.77.1.1 ", "fd00:77:1::1 "],
                ["10.77.0.1 ", "fd00:77::1 "],
            ];
            let is_next = subnets[at % 2].iter().any(|hop| line.contains(hop));
            assert!(
                is_next && !line.contains("Deleted"),
                "{family}: line {at}: {line}"
            );
        }
    }
    let eth0 = Some("eth0".to_owned());
    assert_eq!(led_by(netns), Some([eth0.clone(), eth0]));
    drop(scene.at_a);
}

/// The source of what is sent to one of the addresses behind.
fn source(frame: &Frame) -> Option<IpAddr> {
    let bytes = &frame.0;
    let address = |at: usize, length: usize| -> Option<IpAddr> {
        let bytes = bytes.get(at..at + length)?;
        match length {
            4 => Some(<[u8; 4]>::try_from(bytes).ok()?.into()),
            _ => Some(<[u8; 16]>::try_from(bytes).ok()?.into()),
        }
    };
    let (source, destination) = match frame.ether_type() {
        ETHER_IPV4 => (address(26, 4)?, address(30, 4)?),
        ETHER_IPV6 => (address(22, 16)?, address(38, 16)?),
        _ => return None,
    };
    let behind = BEHIND.map(|text| text.parse::<IpAddr>().unwrap());
    behind.contains(&destination).then_some(source)
}

/// An address that is added is not chosen as a source by the kernel from the first moment on.
#[test]
fn what_leaves_by_a_network_has_an_address_of_that_network() {
    let Some(scene) = Scene::set() else { return };
    let netns = scene.container.netns();
    let ping = |address| -> Box<dyn FnMut() -> Result<(), String> + Send> {
        let mut pinger = Pinger::open(netns, address);
        Box::new(move || pinger.once())
    };
    let bridges = [
        (&scene.a, "10.77.0.", "fd00:77::"),
        (&scene.b, "10.77.1.", "fd00:77:1::"),
    ];
    let wires = bridges.map(|(network, v4, v6)| {
        let index = network.spec().link.index.get();
        // a socket does not see what it sends itself
        let open = || Wire::open(scene.host.netns(), index);
        (open(), open(), v4, v6)
    });
    let marker = [
        [0xffu8; 6].as_slice(),
        &[2, 0, 0, 0, 0, 1, 0x88, 0xb5],
        &[7; 50],
    ]
    .concat();
    let strange = thread::scope(|scope| {
        let watchers = wires.each_ref().map(|(wire, _, v4, v6)| {
            let marker = &marker;
            scope.spawn(move || first_strange(wire, [v4, v6], marker))
        });
        let (_sent, lost) = while_running(ping, |running| {
            scene.toggle_b(|| running.pause());
        });
        wait_until("the end", || {
            wires.iter().for_each(|(_, wire, ..)| wire.send(&marker));
            watchers.iter().all(thread::ScopedJoinHandle::is_finished)
        });
        assert_eq!(lost, [""; 0]);
        watchers.map(|watcher| watcher.join().unwrap())
    });
    assert_eq!(strange, [None, None]);
}

/// The first source of another network among all frames that pass before `marker`.
fn first_strange(wire: &Wire, prefixes: [&str; 2], marker: &[u8]) -> Option<String> {
    let mut found = None;
    loop {
        let frames = wire.until("a frame", |_| true);
        if frames.iter().any(|frame| frame.0 == marker) {
            return found;
        }
        let sources = frames
            .iter()
            .filter_map(|frame| Some(source(frame)?.to_string()));
        let mut strange = sources.filter(|source| !prefixes.iter().any(|p| source.starts_with(p)));
        found = found.or(strange.next());
    }
}
