//! What is killed: one verb of a process that has opened the host, from mark to mark.

use std::fs::File;
use std::process::{Command, Stdio};

use bridgework::{EndpointConfig, Host};

use crate::lab::runner::{End, mark_begin, mark_end, run};
use crate::world::{NETWORK, Place, SECOND, WEB, endpoint, network, way_out};

const SCENARIO: &str = "BRIDGEWORK_KILL_SCENARIO";
const PLACE: &str = "BRIDGEWORK_KILL_PLACE";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    Open,
    Create,
    Connect,
    Disconnect,
    ConnectSecond,
    DisconnectSecond,
    Remove,
    Recover,
}

const ALL: [Scenario; 8] = [
    Scenario::Open,
    Scenario::Create,
    Scenario::Connect,
    Scenario::Disconnect,
    Scenario::ConnectSecond,
    Scenario::DisconnectSecond,
    Scenario::Remove,
    Scenario::Recover,
];

/// Run by the sweeps in a process of its own.
#[test]
fn victim_in_a_process_of_its_own() {
    let Some(name) = std::env::var_os(SCENARIO) else {
        return;
    };
    let scenario = ALL.into_iter().find(|s| name == *format!("{s:?}"));
    let number = std::env::var(PLACE).expect("a place");
    let place = Place::of(number.parse().expect("a number"));
    act(scenario.expect("a scenario"), &place);
}

fn act(scenario: Scenario, place: &Place) {
    if scenario == Scenario::Open {
        mark_begin();
        let _host = place.open();
        return mark_end();
    }
    let host = place.open();
    match scenario {
        Scenario::Open => {}
        Scenario::Create => {
            mark_begin();
            let network = host.create_network(network()).expect("a network");
            network.persist().expect("kept");
            mark_end();
        }
        Scenario::Connect => connect(&host, NETWORK, endpoint()),
        Scenario::ConnectSecond => connect(&host, SECOND, way_out()),
        Scenario::Disconnect => disconnect(&host, NETWORK),
        Scenario::DisconnectSecond => disconnect(&host, SECOND),
        Scenario::Remove => {
            let network = host.network(NETWORK).expect("the network");
            mark_begin();
            network.remove().expect("removed");
            mark_end();
        }
        Scenario::Recover => {
            mark_begin();
            host.recover().expect("recovered");
            mark_end();
        }
    }
}

fn connect(host: &Host, network: &str, config: EndpointConfig) {
    let network = host.network(network).expect("the network");
    let web = host.container(WEB).expect("the container");
    mark_begin();
    let endpoint = network.connect_with(&web, config).expect("connected");
    endpoint.persist().expect("kept");
    mark_end();
}

fn disconnect(host: &Host, network: &str) {
    let network = host.network(network).expect("the network");
    mark_begin();
    network.disconnect(WEB).expect("disconnected");
    mark_end();
}

/// Plays the scenario in another process, which is killed at its `point`-th point, or when it is done.
/// Panics with what it said if it came to its end by itself.
pub fn play(scenario: Scenario, place: &Place, point: Option<usize>) -> End {
    let said = place.directory.join("said");
    let output = File::create(&said).expect("a file");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "victim::victim_in_a_process_of_its_own"])
        .args(["--nocapture", "--test-threads=1"])
        .env(SCENARIO, format!("{scenario:?}"))
        .env(PLACE, place.number().to_string())
        .env(bridgework_ground::STAY, "1")
        .stdout(Stdio::from(output.try_clone().expect("a descriptor")))
        .stderr(Stdio::from(output));
    let end = run(&mut command, point);
    if let End::Itself(code) = end {
        let said = std::fs::read_to_string(said).unwrap_or_default();
        panic!("{scenario:?} at {point:?}: it ended with {code}:\n{said}");
    }
    end
}
