//! What an address costs, and what the choice of a subnet costs, each beside a floor.
//!
//! `cargo bench --bench ipam`
//!
//! The floor of an address is the least that keeps two promises of a pool, that no address is given
//! twice and that a released one comes back last: a list of the free ones, and a bit for each that
//! is held. It takes 8 bytes for every free address of the subnet, and has no names, no reservations
//! and no lease that knows of former holders. `hash` is a `HashSet` of the held ones, for scale. The
//! floor of a choice is to sort the obstacles' first addresses.

use std::collections::{HashSet, VecDeque};
use std::hint::black_box;
use std::net::IpAddr;
use std::time::Instant;

use bridgework::Family;
use bridgework::ipam::{AddressPools, Pool, Wanted};
use bridgework::{ContainerName, Obstacle, Occupant, Subnet};

const BLOCK: usize = 1000;
const BLOCKS: usize = 201;

fn main() {
    println!("median of {BLOCKS} blocks of {BLOCK} operations, ns an operation");
    println!(
        "{:<7} {:>9} {:<17} {:<9} {:>6} {:>6} {:>6} {:>6}",
        "subnet", "held", "state", "operation", "ours", "floor", "ratio", "hash"
    );
    for (subnet, size) in [
        ("10.0.0.0/24", 253),
        ("10.0.0.0/16", 65_533),
        ("10.0.0.0/8", 16_777_213),
    ] {
        address_rows(subnet, 0, size, State::New);
        address_rows(subnet, size / 2, size, State::New);
        address_rows(subnet, size / 2, size, State::Aged);
        address_rows(subnet, (size as f64 * 0.999) as usize, size, State::Aged);
    }
    // No memory holds half of a /64: a million is "half full" here, and 16 million is "full".
    for held in [0, 1 << 20, 1 << 24] {
        address_rows("fd00::/64", held, held + 2 * BLOCK, State::New);
    }
    address_rows("fd00::/64", 1 << 20, 1 << 21, State::Aged);
    choice_rows();
}

/// What happened to a pool before it is measured.
#[derive(Clone, Copy)]
enum State {
    /// All that is held was allocated, and nothing was released.
    New,
    /// The pool was full once, and all but what is held was released in random order.
    Aged,
}

/// A thing that gives addresses and takes them back.
trait Giver {
    type Given: Copy;
    fn give(&mut self) -> Self::Given;
    fn take_back(&mut self, given: Self::Given);
}

struct Ours(Pool);

impl Giver for Ours {
    type Given = IpAddr;

    fn give(&mut self) -> IpAddr {
        self.0.allocate().expect("the pool is not full").address
    }

    fn take_back(&mut self, given: IpAddr) {
        black_box(self.0.release(given));
    }
}

struct Named(Pool, Vec<ContainerName>, usize);

impl Giver for Named {
    type Given = IpAddr;

    fn give(&mut self) -> IpAddr {
        self.2 = (self.2 + 1) % self.1.len();
        let name = &self.1[self.2];
        self.0
            .allocate_for(name)
            .expect("the pool is not full")
            .address
    }

    fn take_back(&mut self, given: IpAddr) {
        black_box(self.0.release(given));
    }
}

/// A list of free addresses and a bit for each held one.
struct Floor {
    free: VecDeque<u64>,
    held: Vec<u64>,
}

impl Giver for Floor {
    type Given = u64;

    fn give(&mut self) -> u64 {
        let given = self.free.pop_front().expect("the floor is not full");
        self.held[(given >> 6) as usize] |= 1 << (given & 63);
        given
    }

    fn take_back(&mut self, given: u64) {
        let word = &mut self.held[(given >> 6) as usize];
        if *word & 1 << (given & 63) != 0 {
            *word &= !(1 << (given & 63));
            self.free.push_back(given);
        }
    }
}

/// The held addresses in a set, the next one counted up.
struct Hash(HashSet<u64>, u64);

impl Giver for Hash {
    type Given = u64;

    fn give(&mut self) -> u64 {
        self.1 += 1;
        self.0.insert(self.1);
        self.1
    }

    fn take_back(&mut self, given: u64) {
        black_box(self.0.remove(&given));
    }
}

fn address_rows(subnet: &str, held: usize, size: usize, state: State) {
    let mut pool = Pool::new(subnet.parse().expect("a subnet"), None).expect("a pool");
    pool.reserve_gateway(None).expect("a free address");
    let mut ours = Ours(pool);
    age(&mut ours, held, size, state);
    let mut floor = Floor {
        free: (1..=size as u64).collect(),
        held: vec![0; size / 64 + 1],
    };
    age(&mut floor, held, size, state);
    let mut hash = Hash((0..held as u64).collect(), held as u64);

    let at_once = BLOCK.min(size - held);
    let names = (0..2 * at_once).map(|i| format!("c{i}").parse().expect("a name"));
    let mut named = Named(ours.0.clone(), names.collect(), 0);
    let plain = measure(&mut ours, at_once);
    let floor = measure(&mut floor, at_once);
    let hash = measure(&mut hash, at_once);
    let named = measure(&mut named, at_once);

    let prefix = subnet.split('/').next_back().expect("a prefix length");
    let state = match state {
        State::New => "new",
        State::Aged => "aged",
    };
    let full = held as f64 / size as f64 * 100.0;
    let state = match prefix {
        "64" => state.to_owned(),
        _ => format!("{state}, {full:.1} %"),
    };
    for (operation, ours, floor, hash) in [
        ("allocate", plain.0, floor.0, hash.0),
        ("release", plain.1, floor.1, hash.1),
        ("by name", named.0, floor.0, hash.0),
        ("  release", named.1, floor.1, hash.1),
    ] {
        let ratio = ours / floor;
        println!(
            "/{prefix:<6} {held:>9} {state:<17} {operation:<9} {ours:>6.1} {floor:>6.1} {ratio:>6.1} {hash:>6.1}"
        );
    }
}

fn age(giver: &mut impl Giver, held: usize, size: usize, state: State) {
    match state {
        State::New => (0..held).for_each(|_| {
            black_box(giver.give());
        }),
        State::Aged => {
            let mut given: Vec<_> = (0..size).map(|_| giver.give()).collect();
            shuffle(&mut given);
            given.drain(held..).for_each(|given| giver.take_back(given));
        }
    }
}

/// The medians of giving and of taking back, in ns. Fewer than `BLOCK` at once are repeated.
fn measure<G: Giver>(giver: &mut G, at_once: usize) -> (f64, f64) {
    let mut given = Vec::with_capacity(BLOCK);
    let (mut gives, mut takes) = (Vec::new(), Vec::new());
    let rounds = BLOCK.div_ceil(at_once);
    let clock_ns = clock_ns();
    for _ in 0..BLOCKS {
        let (mut give_ns, mut take_ns) = (0.0, 0.0);
        for _ in 0..rounds {
            let start = Instant::now();
            (0..at_once).for_each(|_| given.push(giver.give()));
            give_ns += start.elapsed().as_nanos() as f64 - clock_ns;
            shuffle(&mut given);
            let start = Instant::now();
            given.drain(..).for_each(|given| giver.take_back(given));
            take_ns += start.elapsed().as_nanos() as f64 - clock_ns;
        }
        gives.push(give_ns / (rounds * at_once) as f64);
        takes.push(take_ns / (rounds * at_once) as f64);
    }
    (median(&mut gives), median(&mut takes))
}

/// What reading the clock adds to each measurement.
fn clock_ns() -> f64 {
    let read = || Instant::now().elapsed().as_nanos() as f64;
    median(&mut (0..BLOCK).map(|_| read()).collect::<Vec<_>>())
}

fn choice_rows() {
    println!();
    println!("choice of a subnet, us each");
    println!(
        "{:<34} {:>6} {:>6} {:>6}",
        "obstacles", "ours", "floor", "ratio"
    );
    let pools = AddressPools::default();
    let scattered = |count: usize| {
        let mut spread: Vec<u32> = (0..count as u32).map(|i| 0xac11_0000 + i * 997).collect();
        shuffle(&mut spread);
        spread
            .into_iter()
            .map(|first| Subnet::from(IpAddr::from(first.to_be_bytes())))
    };
    let networks = |count: usize| {
        let mut taken = Vec::new();
        for _ in 0..count {
            let chosen = pools.choose(Wanted::Any(Family::V4), &taken).expect("room");
            taken.push(route(chosen));
        }
        taken
    };
    let routes = |count| scattered(count).map(route).collect::<Vec<_>>();
    for (text, obstacles) in [
        ("10 host routes", routes(10)),
        ("4,000 host routes", routes(4000)),
        ("4,000 networks made before", networks(4000)),
    ] {
        let ours = repeat(|| drop(black_box(pools.choose(Wanted::Any(Family::V4), &obstacles))));
        let floor = repeat(|| {
            let mut firsts: Vec<_> = obstacles.iter().map(|o| o.subnet.first()).collect();
            firsts.sort_unstable();
            black_box(firsts);
        });
        println!("{text:<34} {ours:>6.1} {floor:>6.1} {:>6.1}", ours / floor);
    }
}

fn route(subnet: Subnet) -> Obstacle {
    Obstacle {
        subnet,
        occupant: Occupant::Route {
            device: None,
            table: 254,
        },
    }
}

fn repeat(mut act: impl FnMut()) -> f64 {
    let mut time_us = || {
        let start = Instant::now();
        act();
        start.elapsed().as_nanos() as f64 / 1000.0
    };
    median(&mut (0..BLOCKS).map(|_| time_us()).collect::<Vec<_>>())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The same order in every run.
fn shuffle<T>(values: &mut [T]) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for index in (1..values.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        values.swap(index, (state % (index as u64 + 1)) as usize);
    }
}
