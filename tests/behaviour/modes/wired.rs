//! Modes with a wire: the default network, and user-defined ones by all that they are called.

use std::net::IpAddr;

use bridgework::driver::Stack;
use bridgework::{Container, ContainerConfig, EndpointConfig, Fault, NetworkMode, NetworkTerm};

use super::{NO_ADDRESS, NO_ALIAS, attach, mode, refused, user_defined};
use crate::bad_input::settled;
use crate::{lab, scratch};

#[test]
fn bridge_and_default_are_the_same_network_and_its_containers_talk() {
    let host = lab::host();
    let before = settled(host.netns());
    let [a, b] = [("bridge", "a"), ("default", "b")].map(|(mode, name)| attach(&host, mode, name));
    let [at_a, at_b] = [&a, &b].map(|one| one.endpoint.as_ref().unwrap());
    assert_eq!(at_a.network().id(), at_b.network().id());
    assert_eq!(at_a.network().name().as_str(), "bridge");
    assert_eq!(a.container.stack(), Stack::Own);
    let addresses = [at_a, at_b].map(|at| at.ip().to_string());
    assert_eq!(addresses, ["172.17.0.2", "172.17.0.3"]);
    lab::udp_both_ways(&a.container, &b.container, at_b.ip());
    drop((a, b));
    assert!(host.network("bridge").unwrap().endpoints().is_empty());
    drop(host.clone());
    let netns = host.netns().clone();
    drop(host);
    assert_eq!(settled(&netns), before);
}

#[test]
fn a_user_defined_network_is_meant_by_its_name_its_id_and_the_first_digits_of_it() {
    let host = lab::host();
    let net = user_defined(&host, "net", "10.89.0.0/24");
    let id = net.id().to_string();
    for (number, term) in ["net", &id, &id[..12], &id[..4]].into_iter().enumerate() {
        let one = attach(&host, term, &format!("c{number}"));
        assert_eq!(one.endpoint.unwrap().network().id(), net.id(), "{term}");
    }
    let endpoint = EndpointConfig::new().ip([10, 89, 0, 7]).alias("www");
    let web = host.attach(&mode("net"), ContainerConfig::named("web"), endpoint);
    let web = web.unwrap();
    let at: IpAddr = [10, 89, 0, 7].into();
    assert_eq!(web.endpoint.as_ref().unwrap().ip(), at);
    let view = host.view(&web.container);
    let found = view.lookup("www", bridgework::Family::V4);
    assert_eq!(found, bridgework::resolver::Answer::Addresses(vec![at]));
}

#[test]
fn a_pre_defined_network_by_its_id_is_what_it_is() {
    let host = lab::host();
    let default = host.default_network().unwrap();
    let a = attach(&host, &default.id().to_string(), "a");
    assert_eq!(a.endpoint.unwrap().network().id(), default.id());
    for (name, fault) in [
        ("host", Fault::HostStackLater),
        ("none", Fault::PrivateStack),
    ] {
        let id = host.network(name).unwrap().id().to_string();
        let error = refused(
            &host,
            &id,
            ContainerConfig::named("b"),
            EndpointConfig::new(),
        );
        assert_eq!(error.faults(), [fault]);
    }
}

#[test]
fn an_unknown_network_is_told_with_all_that_is_wrong_beside_it_and_no_file_is_made() {
    let host = lab::host();
    let directory = scratch::Directory::new("unknown");
    let hosts = directory.path().join("hosts");
    let config = ContainerConfig::named("a b").hosts_file(&hosts);
    let endpoint = EndpointConfig::new().link_local([10, 0, 0, 1]);
    let error = refused(&host, "nets", config, endpoint);
    let text = "attach a b in network mode nets: invalid container name \"a b\": ' ' at byte 1 is \
                not allowed; invalid link local IP address: 10.0.0.1; network nets not found";
    assert_eq!(error.to_string(), text);
    assert!(error.is_not_found() && error.is_invalid());
    assert!(!hosts.exists());
}

#[test]
fn what_the_default_network_has_no_place_for_does_not_make_it() {
    let host = lab::host();
    let endpoint = || {
        EndpointConfig::new()
            .ip([172, 17, 0, 9])
            .alias("www")
            .link("db:store")
    };
    let bad = ContainerConfig::named("a b");
    let by_name = NetworkMode::Network(NetworkTerm::Name("bridge".parse().unwrap()));
    for mode in ["bridge".parse().unwrap(), by_name] {
        let before = (settled(host.netns()), super::network_names(&host));
        let error = host.attach(&mode, bad.clone(), endpoint()).unwrap_err();
        let text = format!(
            "attach a b in network mode bridge: invalid container name \"a b\": ' ' at byte 1 is \
             not allowed; {NO_ADDRESS}; {NO_ALIAS}; cannot link to db, as it does not belong to \
             the default network"
        );
        assert_eq!(error.to_string(), text);
        assert_eq!((settled(host.netns()), super::network_names(&host)), before);
    }
    host.default_network().unwrap();
    let error = refused(&host, "bridge", ContainerConfig::named("web"), endpoint());
    let text = format!(
        "attach web in network mode bridge: {NO_ADDRESS}; {NO_ALIAS}; cannot link to db, as it \
         does not belong to the default network"
    );
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_container_that_the_kernel_refuses_leaves_no_file_and_no_container() {
    let host = lab::host();
    let net = user_defined(&host, "net", "10.89.0.0/24");
    let first = attach(&host, "net", "web");
    let directory = scratch::Directory::new("refused");
    let hosts = directory.path().join("hosts");
    let config = ContainerConfig::named("web").hosts_file(&hosts);
    let error = refused(&host, "net", config, EndpointConfig::new());
    let text = "attach web in network mode net: endpoint with name web already exists in network \
                net";
    assert_eq!(error.to_string(), text);
    assert!(!hosts.exists());
    assert_eq!(net.endpoints().len(), 1);
    let found: Container = host.container("web").unwrap();
    assert_eq!(found.id(), first.container.id());
}
