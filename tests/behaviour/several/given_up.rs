//! Ports that nobody can have elsewhere.

use bridgework::{EndpointConfig, NetworkConfig};

use crate::lab;

#[test]
fn a_container_leaves_a_network_though_its_port_is_somebodys_where_the_next_one_would_have_it() {
    let host = lab::host();
    // 127.0.0.1 is there
    lab::output(host.netns(), "ip link set lo up");
    let near = NetworkConfig::bridge("near").host_binding([127, 0, 0, 1]);
    let near = host
        .create_network(near.ipv6(bridgework::plan::Switch::Off))
        .unwrap();
    let far = host.create_network(NetworkConfig::bridge("far")).unwrap();
    let (app, other) = (lab::container("app"), lab::container("other"));
    let first = EndpointConfig::new().priority(1).publish("8000:80");
    let first = near.connect_with(&app, first).unwrap();
    let second = far.connect(&app).unwrap();
    assert_eq!(second.published()[0].host_address.to_string(), "127.0.0.1");
    let taken = EndpointConfig::new().publish("127.0.0.2:8000:80");
    let _taken = far.connect_with(&other, taken).unwrap();
    first.disconnect().unwrap();
    assert_eq!(second.published(), []);
}
