//! What the golden files cannot show of the other modes: refusals, and the two halves together.

use bridgework::Fault;
use bridgework::driver::{BridgeDriver, ContainerDriver, Driver, HostDriver, NoneDriver};
use bridgework::plan::Plan;
use bridgework::snapshot::{LinkState, Snapshot};

use crate::cases;

#[test]
fn nobody_is_connected_to_a_stack_that_is_there_already_or_has_nothing() {
    let (network, endpoint) = (cases::v4(), cases::endpoint(&cases::v4()));
    let refusals: [(&dyn Driver, Fault); 3] = [
        (&HostDriver, Fault::HostStackLater),
        (&NoneDriver, Fault::PrivateStack),
        (&ContainerDriver, Fault::SharedStack),
    ];
    for (driver, fault) in refusals {
        assert_eq!(driver.connect(&network, &endpoint), Err(fault));
        for half in [
            driver.stage(&network, &endpoint),
            driver.join(&network, &endpoint),
        ] {
            let text = half.unwrap_err().to_string();
            let why = "driver: it does not make endpoints before their containers";
            assert_eq!(text, format!("{} {why}", driver.name()));
        }
    }
}

#[test]
fn the_two_halves_of_connecting_are_the_steps_of_the_whole() {
    for case in cases::places() {
        let cases::Place {
            network, endpoint, ..
        } = &case.spec;
        let whole = BridgeDriver.connect(network, endpoint).unwrap();
        let mut halves = BridgeDriver.stage(network, endpoint).unwrap();
        let second = BridgeDriver.join(network, endpoint).unwrap();
        halves.extend(second.steps().iter().cloned());
        assert_eq!(halves, whole, "{}", case.name);
    }
}

#[test]
fn a_link_of_the_bridge_s_name_that_is_not_the_network_s_is_in_the_way() {
    let mut host = Snapshot::default();
    let network = cases::v4();
    let other_index = network.link.index.get() + 1;
    let name = network.link.name.as_str();
    host.links.push(LinkState::new(other_index, name, "bridge"));
    let fault = Fault::LinkExists {
        name: network.link.name.clone(),
        namespace: None,
    };
    assert_eq!(BridgeDriver.create(&network, &host), Err(fault));
}

#[test]
fn taking_back_an_adoption_leaves_the_bridge_and_what_it_had() {
    for case in cases::modes::plans() {
        let undo: Plan = cases::undo(&case.spec);
        if case.name.starts_with("adopt") {
            assert!(!undo.to_string().contains("link del"), "{}", case.name);
        }
    }
}
