//! Connecting behind a firewall, with a published port and without: the floor performs the plan
//! without the firewall's steps, and adds as many raw elements to a map of its own.

use std::os::fd::AsFd;
use std::time::Instant;

use bridgework::plan::{Step, Switch};
use bridgework::{
    Container, ContainerConfig, EndpointConfig, Host, HostConfig, Netns, NetworkConfig,
};

use crate::element::Elements;
use crate::floor::{Floor, Script, Until};
use crate::ground::{Spot, TWO_THREADS, settle, wander};
use crate::{Times, print_connect};

/// Ours against the floor.
pub fn rows(spot: &Spot, rounds: usize) {
    let plain = EndpointConfig::new();
    let published = EndpointConfig::new().publish("0.0.0.0:8080:80");
    let everywhere = EndpointConfig::new().publish("8080:80");
    for (name, config) in [
        ("connect behind a firewall", plain),
        ("  with a published port", published),
        ("  with one that ::1 leads to, too", everywhere),
    ] {
        if let Err(error) = row(name, &config, (spot, rounds)) {
            println!("{name}: NOT MEASURED: {error}");
        }
    }
}

fn row(name: &str, config: &EndpointConfig, (spot, rounds): (&Spot, usize)) -> Result<(), String> {
    // the thread that watches would be waited for
    let config_of_host = HostConfig::new().netns(Netns::create().expect("a namespace"));
    let host = Host::open_with(config_of_host.watch(Switch::Off)).expect("a host");
    let bench = NetworkConfig::bridge("bench").subnet("10.89.0.0/16");
    let network = host.create_network(bench).expect("a network");
    let twin = Netns::create().expect("a namespace");
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    let measured = wander(|| {
        let floor = Floor::enter(&twin);
        floor.perform(
            &Script::new(network.plan(), None),
            None,
            Until::Acknowledged,
        );
        let mut elements = Elements::make(0)?;
        for round in 0..rounds {
            let named = ContainerConfig::new(format!("behind{round}"), spot.ours.clone());
            let container = Container::open(named).expect("a container");
            settle(TWO_THREADS);
            let start = Instant::now();
            let endpoint = network.connect_with(&container, config.clone());
            ours.note(start.elapsed());
            let endpoint = endpoint.expect("connected");
            let script = Script::new(endpoint.plan(), Some(spot.floor.as_fd()));
            let counts = endpoint.plan().steps().iter().map(|step| match step {
                Step::EditElements(edit) => u32::try_from(edit.add.len()).expect("a few"),
                _ => 0,
            });
            let counts: Vec<u32> = counts.filter(|count| *count > 0).collect();
            endpoint.disconnect().expect("disconnected");
            settle(TWO_THREADS);
            let mut taken = floor.perform(&script, Some(&spot.floor), Until::Acknowledged);
            for (n, count) in (0..).zip(&counts) {
                taken += elements.add(100 * n, *count);
            }
            theirs.note(taken);
            for (n, count) in (0..).zip(&counts) {
                elements.remove(100 * n, *count);
            }
            floor.delete(script.link());
        }
        elements.delete();
        Ok(())
    });
    print_connect(name, (&ours.0, &theirs.0));
    measured
}
