//! What is asked for, in the words of who runs containers.

use serde_json::{Value, json};

/// A network by its number, with IPv4 and names, and with `more` in its definition.
pub fn network(number: u8, more: Value) -> Value {
    let mut network = json!({
        "name": format!("net{number}"),
        "id": format!("{number:02x}").repeat(32),
        "driver": "bridge",
        "network_interface": format!("podman{number}"),
        "subnets": [{"subnet": format!("10.{number}.0.0/24"), "gateway": format!("10.{number}.0.1")}],
        "ipv6_enabled": false,
        "internal": false,
        "dns_enabled": true,
        "ipam_options": {"driver": "host-local"},
    });
    merge(&mut network, more);
    network
}

/// A container by its number, at that address of one network, and with `more` in its place there.
pub fn request(container: u8, network: &Value, addresses: &[&str], more: Value) -> Value {
    let name = network["name"].as_str().expect("a name");
    let mut place = json!({"interface_name": "eth0", "static_ips": addresses});
    merge(&mut place, more);
    json!({
        "container_id": format!("{container:02x}").repeat(32),
        "container_name": format!("c{container}"),
        "networks": {name: place},
        "network_info": {name: network},
    })
}

/// The same with these ports: address of the host, its port, the container's, how many.
pub fn publishing(mut request: Value, ports: &[(&str, u16, u16, u16)]) -> Value {
    let mappings = ports
        .iter()
        .map(|(host_ip, host_port, container_port, range)| {
            json!({
                "host_ip": host_ip,
                "host_port": host_port,
                "container_port": container_port,
                "range": range,
                "protocol": "tcp",
            })
        });
    request["port_mappings"] = mappings.collect();
    request
}

pub fn merge(into: &mut Value, more: Value) {
    if let Value::Object(fields) = more {
        for (key, value) in fields {
            into[key] = value;
        }
    }
}
