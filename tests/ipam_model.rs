//! A pool against a model of sorted sets, in random order: small subnets, odd ones and the widest.

use std::collections::{BTreeMap, BTreeSet};

use bridgework::ContainerName;
use bridgework::ipam::{History, Lease, Owner, Pool, Release};
use proptest::prelude::*;

/// One subnet to try, and what is right for it, worked out by hand.
struct Case {
    subnet: &'static str,
    range: Option<&'static str>,
    /// The offsets of automatic addresses, the last not among them.
    automatic: std::ops::Range<u128>,
    /// The offsets that no host may have.
    reserved: &'static [u128],
    /// Where offsets to reserve are taken from, 20 on.
    probe: u128,
}

const CASES: [Case; 10] = [
    Case {
        subnet: "10.0.0.0/28",
        range: None,
        automatic: 1..15,
        reserved: &[0, 15],
        probe: 0,
    },
    Case {
        subnet: "10.0.0.8/31",
        range: None,
        automatic: 0..2,
        reserved: &[],
        probe: 0,
    },
    Case {
        subnet: "10.0.0.8/32",
        range: None,
        automatic: 0..1,
        reserved: &[],
        probe: 0,
    },
    Case {
        subnet: "fd00::40/124",
        range: None,
        automatic: 1..16,
        reserved: &[0],
        probe: 0,
    },
    Case {
        subnet: "fd00::/127",
        range: None,
        automatic: 0..2,
        reserved: &[],
        probe: 0,
    },
    Case {
        subnet: "fd00::/64",
        range: None,
        automatic: 1..1 << 64,
        reserved: &[0],
        probe: 0,
    },
    Case {
        subnet: "::/0",
        range: None,
        automatic: 1..1 << 64,
        reserved: &[0],
        probe: 0,
    },
    Case {
        subnet: "10.0.0.0/24",
        range: Some("10.0.0.248/29"),
        automatic: 248..255,
        reserved: &[0, 255],
        probe: 240,
    },
    Case {
        subnet: "10.0.0.0/24",
        range: Some("10.0.0.0/29"),
        automatic: 1..8,
        reserved: &[0, 255],
        probe: 0,
    },
    Case {
        subnet: "fd00::/48",
        range: Some("fd00::ffff:ffff:ffff:fff8/125"),
        automatic: (1 << 64) - 8..1 << 64,
        reserved: &[0],
        probe: (1 << 64) - 12,
    },
];

#[derive(Debug, Clone)]
enum Act {
    Allocate,
    AllocateFor(u8),
    Reserve(u8, Option<u8>),
    ReserveFor(u8, u8),
    Unreserve(u8),
    /// Of the held addresses the one at this place, counted around.
    ReleaseHeld(u8),
    Release(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Allocate),
        4 => (0..6_u8).prop_map(Act::AllocateFor),
        2 => (0..20_u8, proptest::option::of(0..6_u8)).prop_map(|(at, n)| Act::Reserve(at, n)),
        1 => (0..6_u8, 0..20_u8).prop_map(|(n, at)| Act::ReserveFor(n, at)),
        1 => (0..6_u8).prop_map(Act::Unreserve),
        6 => any::<u8>().prop_map(Act::ReleaseHeld),
        1 => (0..20_u8).prop_map(Act::Release),
    ]
}

/// The pool as its documentation describes it, in sorted sets and without any thought of speed.
#[derive(Default)]
struct Model {
    automatic: std::ops::Range<u128>,
    quarantine_max: usize,
    next: u128,
    /// Who holds what; `None` for those without a name.
    held: BTreeMap<u128, Option<u8>>,
    kept: BTreeMap<u8, u128>,
    quarantine: Vec<(u128, Option<u8>)>,
    settled: BTreeSet<u128>,
    ever_held: BTreeSet<u128>,
    has_forgotten: bool,
}

impl Model {
    fn keeper(&self, offset: u128) -> Option<u8> {
        self.kept
            .iter()
            .find(|&(_, &at)| at == offset)
            .map(|(&name, _)| name)
    }

    fn is_taken(&self, offset: u128) -> bool {
        self.held.contains_key(&offset) || self.keeper(offset).is_some()
    }

    fn next(&mut self) -> Option<u128> {
        if let Some(offset) = self.settled.pop_first() {
            return Some(offset);
        }
        while self.next < self.automatic.end {
            let offset = self.next;
            self.next += 1;
            let is_released = self.quarantine.iter().any(|&(at, _)| at == offset);
            if !self.is_taken(offset) && !is_released {
                return Some(offset);
            }
        }
        (!self.quarantine.is_empty()).then(|| self.quarantine.remove(0).0)
    }

    fn former(&mut self, name: u8) -> Option<u128> {
        let at = self
            .quarantine
            .iter()
            .rposition(|&(_, whose)| whose == Some(name))?;
        Some(self.quarantine.remove(at).0)
    }

    fn allocate_for(&mut self, name: u8) -> Option<u128> {
        if let Some(&kept) = self.kept.get(&name) {
            return (!self.held.contains_key(&kept)).then_some(kept);
        }
        self.former(name).or_else(|| self.next())
    }

    /// Whether `name` may have the address at `offset`.
    fn reserve(&mut self, offset: u128, name: Option<u8>) -> bool {
        if name.is_some() && self.keeper(offset) == name {
            return !self.held.contains_key(&offset);
        }
        self.claim(offset)
    }

    fn claim(&mut self, offset: u128) -> bool {
        if self.is_taken(offset) {
            return false;
        }
        self.quarantine.retain(|&(at, _)| at != offset);
        self.settled.remove(&offset);
        true
    }

    fn reserve_for(&mut self, name: u8, offset: u128) -> bool {
        let is_allowed = match self.kept.get(&name) {
            Some(&kept) => kept == offset,
            None if self.held.get(&offset) == Some(&Some(name)) => true,
            None => self.claim(offset),
        };
        if is_allowed {
            self.kept.insert(name, offset);
        }
        is_allowed
    }

    fn release(&mut self, offset: u128) -> bool {
        let Some(name) = self.held.remove(&offset) else {
            return false;
        };
        if self.keeper(offset).is_none() {
            self.free(offset, name);
        }
        true
    }

    fn free(&mut self, offset: u128, name: Option<u8>) {
        self.ever_held.insert(offset);
        if !self.automatic.contains(&offset) {
            self.has_forgotten = true;
            return;
        }
        // A name is known by the address that it released last.
        for entry in self
            .quarantine
            .iter_mut()
            .filter(|e| name.is_some() && e.1 == name)
        {
            entry.1 = None;
        }
        self.quarantine.push((offset, name));
        if self.quarantine.len() > self.quarantine_max {
            let (evicted, _) = self.quarantine.remove(0);
            if evicted < self.next {
                self.settled.insert(evicted);
            } else {
                self.has_forgotten = true;
            }
        }
    }

    /// Notes who holds `offset`, and checks what the pool said about its past.
    fn hold(&mut self, offset: u128, name: Option<u8>, history: History) {
        let was_held = !self.ever_held.insert(offset);
        match history {
            History::Fresh => assert!(!was_held),
            History::Reused => assert!(was_held || self.has_forgotten),
        }
        assert!(self.held.insert(offset, name).is_none(), "given out twice");
    }
}

/// A pool and its model side by side.
struct Trial<'a> {
    case: &'a Case,
    pool: Pool,
    model: Model,
    names: Vec<ContainerName>,
}

impl<'a> Trial<'a> {
    fn new(case: &'a Case, quarantine_max: u32) -> Self {
        let range = case.range.map(|range| range.parse().expect("a range"));
        let pool =
            Pool::new(case.subnet.parse().expect("a subnet"), range).expect("range in subnet");
        Self {
            case,
            pool: pool.with_quarantine(quarantine_max),
            model: Model {
                automatic: case.automatic.clone(),
                next: case.automatic.start,
                quarantine_max: quarantine_max as usize,
                ..Model::default()
            },
            names: (0..6)
                .map(|n| format!("c{n}").parse().expect("a name"))
                .collect(),
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Allocate => {
                let lease = self.pool.allocate().ok();
                let expected = self.model.next();
                self.hold(lease, expected, None);
            }
            Act::AllocateFor(n) => {
                let lease = self.pool.allocate_for(&self.names[usize::from(n)]).ok();
                let expected = self.model.allocate_for(n);
                self.hold(lease, expected, Some(n));
            }
            Act::Reserve(at, n) => self.reserve(at, n),
            Act::ReserveFor(n, at) => self.reserve_for(n, at),
            Act::Unreserve(n) => self.unreserve(n),
            Act::ReleaseHeld(at) => {
                let at = usize::from(at) % self.model.held.len().max(1);
                let offset = self.model.held.keys().nth(at).copied();
                if let Some(offset) = offset {
                    assert!(self.release(offset));
                }
            }
            Act::Release(at) => {
                self.release(self.case.probe + u128::from(at));
            }
        }
    }

    fn hold(&mut self, lease: Option<Lease>, expected: Option<u128>, name: Option<u8>) {
        let offset = lease.and_then(|lease| self.pool.subnet().offset_of(lease.address));
        assert_eq!(offset, expected);
        if let (Some(offset), Some(lease)) = (offset, lease) {
            self.model.hold(offset, name, lease.history);
        }
    }

    fn reserve(&mut self, at: u8, n: Option<u8>) {
        let offset = self.case.probe + u128::from(at);
        let Some(address) = self.pool.subnet().nth(offset) else {
            return;
        };
        let lease = self
            .pool
            .reserve(address, n.map_or(Owner::Unnamed, |n| self.owner(n)));
        let is_allowed = !self.case.reserved.contains(&offset) && self.model.reserve(offset, n);
        self.hold(lease.ok(), is_allowed.then_some(offset), n);
    }

    fn reserve_for(&mut self, n: u8, at: u8) {
        let offset = self.case.probe + u128::from(at);
        let Some(address) = self.pool.subnet().nth(offset) else {
            return;
        };
        let done = self.pool.reserve_for(&self.names[usize::from(n)], address);
        let is_allowed = !self.case.reserved.contains(&offset) && self.model.reserve_for(n, offset);
        assert_eq!(done.is_ok(), is_allowed, "{done:?}");
    }

    fn unreserve(&mut self, n: u8) {
        let address = self.pool.unreserve(&self.names[usize::from(n)]);
        let kept = self.model.kept.remove(&n);
        assert_eq!(address, kept.and_then(|kept| self.pool.subnet().nth(kept)));
        if let Some(offset) = kept.filter(|offset| !self.model.held.contains_key(offset)) {
            self.model.free(offset, None);
        }
    }

    fn release(&mut self, offset: u128) -> bool {
        let Some(address) = self.pool.subnet().nth(offset) else {
            return false;
        };
        let was_held = self.pool.release(address) == Release::Released;
        assert_eq!(was_held, self.model.release(offset));
        was_held
    }

    fn owner(&self, n: u8) -> Owner {
        Owner::Container(self.names[usize::from(n)].clone())
    }

    /// Where the subnet is small, every address is asked for.
    fn count_one_by_one(&self) {
        let subnet = self.pool.subnet();
        if subnet.host_bits() > 4 {
            return;
        }
        let is_used = |offset: &u128| {
            let address = subnet.nth(*offset).expect("it is in the subnet");
            self.pool.owner(address).is_some() || self.case.reserved.contains(offset)
        };
        let used = (0..1 << subnet.host_bits()).filter(is_used).count();
        assert_eq!(self.pool.in_use(), used as u64);
    }

    fn check(&self) {
        let Self {
            case, pool, model, ..
        } = self;
        let held = model.held.keys().copied();
        for offset in held.chain((0..20).map(|at| case.probe + at)) {
            let Some(address) = pool.subnet().nth(offset) else {
                continue;
            };
            let holder = model
                .held
                .get(&offset)
                .map(|n| n.map_or(Owner::Unnamed, |n| self.owner(n)));
            let keeper = model.keeper(offset).map(|n| self.owner(n));
            assert_eq!(pool.owner(address), keeper.or(holder), "{address}");
        }
        let taken: BTreeSet<_> = model.held.keys().chain(model.kept.values()).collect();
        let taken = taken.iter().filter(|o| case.automatic.contains(o)).count() as u128;
        let free = case.automatic.end - case.automatic.start - taken;
        assert_eq!(pool.available(), u64::try_from(free).unwrap_or(u64::MAX));
        let held = model.held.keys().chain(model.kept.values());
        let used: BTreeSet<_> = held.chain(case.reserved).collect();
        assert_eq!(pool.in_use(), used.len() as u64);
        self.count_one_by_one();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_pool_does_what_the_model_does_and_never_gives_an_address_twice(
        case in 0..CASES.len(),
        quarantine_max in prop_oneof![Just(Pool::QUARANTINE_MAX), 0..6_u32],
        acts in proptest::collection::vec(act(), 1..120),
    ) {
        let mut trial = Trial::new(&CASES[case], quarantine_max);
        for act in &acts {
            trial.act(act);
            trial.check();
        }
    }
}
