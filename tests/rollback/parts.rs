//! The plans of devices alone, which have no host: performed by a kernel with faults injected.

use std::time::Instant;

use bridgework::kernel::Kernel;
use bridgework::plan::{BridgeOptions, Link, Plan, Route, Side, Step, VethStep};
use bridgework::snapshot::Snapshot;
use bridgework::{FaultInjector, LinkIndex, MacAddr, Mtu, Netns};

use crate::point::points;

struct Bench {
    near: Kernel,
    far: Kernel,
    injector: FaultInjector,
}

impl Bench {
    fn new() -> Self {
        let injector = FaultInjector::new();
        let netns = || Netns::create().unwrap();
        Self {
            near: Kernel::with_injector(netns(), injector.clone()).unwrap(),
            far: Kernel::new(netns()).unwrap(),
            injector,
        }
    }

    fn state(&self) -> [Snapshot; 2] {
        let near = Kernel::new(self.near.namespace().clone()).unwrap();
        [near.snapshot().unwrap(), self.far.snapshot().unwrap()]
    }

    /// Each step fails in each way; then the plan is done, and taken back.
    fn sweep(&self, name: &str, plan: &Plan) {
        let (start, mut count) = (Instant::now(), 0);
        let before = self.state();
        let far = Some(self.far.namespace());
        for point in points(plan.steps().len()) {
            let line = plan.to_string();
            let line = line.lines().nth(point.call - 1).unwrap();
            point.arm(&self.injector);
            point.check(&self.near.apply(plan, far).unwrap_err(), line);
            assert_eq!(self.state(), before, "{name}: {point}");
            count += 1;
        }
        self.near.apply(plan, far).unwrap();
        assert_ne!(self.state(), before, "{name}");
        let undo = plan.undo(plan.steps().len());
        self.near.take_back(&undo, far).unwrap();
        assert_eq!(self.state(), before, "{name}");
        let calls = plan.steps().len();
        println!(
            "{name}: {calls} calls, {count} points in {:?}",
            start.elapsed()
        );
    }
}

fn link(side: Side, name: &str, index: u32) -> Link {
    Link::new(side, name.parse().unwrap(), LinkIndex::new(index).unwrap())
}

fn mac(last: u8) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 0, last]).unwrap()
}

fn add_bridge() -> Step {
    Step::AddBridge {
        link: link(Side::Host, "br0", 100),
        mac: mac(1),
        mtu: Mtu::ETHERNET,
        options: BridgeOptions::new(),
    }
}

fn add_veth(master: Option<Link>) -> Step {
    Step::AddVeth(VethStep {
        link: link(Side::Host, "port0", 101),
        mac: mac(2),
        master,
        peer: link(Side::Container, "eth0", 102),
        peer_mac: mac(3),
        mtu: Mtu::ETHERNET,
    })
}

#[test]
fn a_bridge_of_ones_own_is_all_or_nothing() {
    Bench::new().sweep("bridge", &Plan::from_iter([add_bridge()]));
}

#[test]
fn a_cable_of_ones_own_is_all_or_nothing() {
    Bench::new().sweep("veth pair", &Plan::from_iter([add_veth(None)]));
}

#[test]
fn what_is_added_to_a_link_that_was_there_is_taken_back_without_the_link() {
    let bench = Bench::new();
    let ground = Plan::from_iter([add_bridge(), add_veth(None)]);
    bench
        .near
        .apply(&ground, Some(bench.far.namespace()))
        .unwrap();
    let (port, bridge) = (link(Side::Host, "port0", 101), link(Side::Host, "br0", 100));
    let route = Route {
        destination: "10.8.0.0/16".parse().unwrap(),
        gateway: Some([10, 7, 0, 1].into()),
        link: bridge.clone(),
        metric: 7,
    };
    let steps = [
        Step::SetMaster {
            link: port,
            master: Some(bridge.clone()),
        },
        Step::AddAddress {
            link: bridge.clone(),
            address: "10.7.0.2/24".parse().unwrap(),
        },
        Step::SetUp { link: bridge },
        Step::AddRoute(route),
    ];
    bench.sweep("device", &Plan::from_iter(steps));
}
