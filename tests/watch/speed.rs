//! How long things take: printed, not judged. And that nothing is done for others' changes.

use std::time::{Duration, Instant};

use bridgework::firewall::{TABLE, tables};
use bridgework::kernel::Kernel;
use bridgework::plan::nft::{Element, Field, Ownership, TableFamily, Value};
use bridgework::plan::{ElementsEdit, HostFirewall, Plan, Step};
use bridgework::{EventKind, Netns, Port, Protocol};

use crate::ground::{ground, nft, own, try_nft};
use crate::lab;

fn print(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    eprintln!(
        "{what}: median {:?}, p99 {:?}, of {}",
        at(50),
        at(99),
        times.len()
    );
}

#[test]
fn two_hundred_flushes_are_each_repaired_once() {
    const FLUSHES: usize = 200;
    let ground = ground();
    let netns = ground.host.netns();
    let before = own(netns);
    let events = ground.host.subscribe();
    let (mut heard, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..FLUSHES {
        let begun = Instant::now();
        nft(netns, "flush ruleset");
        let event = events.recv_timeout(lab::DEADLINE).unwrap();
        whole.push(begun.elapsed());
        heard.push(event.took);
        assert!(
            matches!(event.kind, EventKind::Repair { parts: 2, .. }),
            "{event}"
        );
    }
    print("from hearing of a flush to all there again", &mut heard);
    print("from starting nft to all there again", &mut whole);
    assert_eq!(own(netns), before);
}

/// The processor time of this process's threads that are called so.
pub fn busy(name: &str) -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let times = tasks.filter_map(|task| {
        let path = task.ok()?.path();
        let called = std::fs::read_to_string(path.join("comm")).ok()?;
        // nanoseconds on a processor, waiting for one, and times
        let stat = std::fs::read_to_string(path.join("schedstat")).ok()?;
        let on: u64 = stat.split(' ').next()?.parse().ok()?;
        (called.trim() == name).then_some(on)
    });
    Duration::from_nanos(times.sum())
}

#[test]
fn ten_thousand_changes_of_others_are_passed_over() {
    let ground = ground();
    let netns = ground.host.netns();
    let before = own(netns);
    let events = ground.host.subscribe();
    nft(
        netns,
        "add table ip theirs; add set ip theirs ports { type inet_service; }",
    );
    let begun = (Instant::now(), busy("bridgework"));
    let script: Vec<String> = (1..=10_000)
        .map(|port| format!("add element ip theirs ports {{ {port} }}"))
        .collect();
    // a hundred transactions of a hundred changes each
    for part in script.chunks(100) {
        try_nft(netns, &[&part.join("; ")]).unwrap();
    }
    let took = (begun.0.elapsed(), busy("bridgework") - begun.1);
    eprintln!(
        "others' 10,000 changes took {:?}, of which we were busy for {:?}",
        took.0, took.1
    );
    assert!(events.try_recv().is_err(), "there was nothing to repair");
    assert_eq!(own(netns), before);
}

fn element(number: u32) -> Element {
    let port = |number| Field::Port(Port::new(number).unwrap());
    Element {
        family: TableFamily::Inet,
        table: TABLE,
        set: "published_any4",
        key: vec![Field::Protocol(Protocol::Tcp), port(10_000 + number)],
        value: Value::Fields(vec![Field::Ipv4([10, 1, 2, 3].into()), port(80)]),
        comment: format!("web 0.0.0.0:{}->80/tcp", 10_000 + number),
    }
}

#[test]
fn ten_thousand_ports_are_there_again_by_the_next_change() {
    let netns = Netns::create().unwrap();
    let kernel = Kernel::new(netns.clone()).unwrap();
    let firewall = HostFirewall {
        tables: tables(Ownership::Shared),
        rules: Vec::new(),
        barriers: Vec::new(),
        uplinks: Vec::new(),
    };
    let edit = |elements| Step::EditElements(ElementsEdit::adding(elements));
    let all: Vec<Element> = (0..10_000).map(element).collect();
    let plan = Plan::from_iter([Step::RaiseFirewall(firewall), edit(all)]);
    kernel.apply(&plan, None).unwrap();
    let mut before = own(&netns);
    let (mut took, mut plain) = (Vec::new(), Vec::new());
    for round in 0..10 {
        nft(&netns, "flush ruleset");
        let one = Plan::from_iter([edit(vec![element(20_000 + round)])]);
        let begun = Instant::now();
        kernel.apply(&one, None).unwrap();
        took.push(begun.elapsed());
        let begun = Instant::now();
        kernel.take_back(&one.undo(1), None).unwrap();
        plain.push(begun.elapsed());
    }
    print("10,000 ports in one transaction, and one more", &mut took);
    print("one less", &mut plain);
    let mut now = own(&netns);
    assert_eq!(now.len(), before.len());
    assert!(now.pop() == before.pop() && now == before);
}
