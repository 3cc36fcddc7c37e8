//! Docker's own forms. What its documentation shows is read and written back as it was; what older
//! versions wrote is read; the order of the keys is Docker's.

use bridgework::inspect::{EndpointSettings, NetworkInspect, NetworkSettings, SubnetStatus};
use bridgework::{NetworkId, Subnet};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::specs::{endpoint, network};

/// `form` is read and written back as it was.
fn round_trips<T: Serialize + DeserializeOwned>(form: &Value) {
    let value: T = serde_json::from_value(form.clone()).unwrap();
    assert_eq!(&serde_json::to_value(value).unwrap(), form);
}

/// The examples of the schemas `Network` and `NetworkInspect` of the Engine API, without what
/// swarms add. A key of `Subnets` is in canonical form.
fn network_of_the_api_reference() -> Value {
    json!({
        "Name": "my_network",
        "Id": "7d86d31b1478e7cca9ebed7e73aa0fdeec46c5ca29497431d3007d2d9e15ed99",
        "Created": "2016-10-19T04:33:30.360899459Z",
        "Scope": "local",
        "Driver": "overlay",
        "EnableIPv4": true,
        "EnableIPv6": false,
        "IPAM": {
            "Driver": "default",
            "Options": {"foo": "bar"},
            "Config": [{
                "Subnet": "172.20.0.0/16",
                "IPRange": "172.20.10.0/24",
                "Gateway": "172.20.10.11",
                "AuxiliaryAddresses": {"router": "172.20.10.12"},
            }],
        },
        "Internal": false,
        "Attachable": false,
        "Ingress": false,
        "ConfigFrom": {"Network": "config_only_network_01"},
        "ConfigOnly": false,
        "Options": {
            "com.docker.network.bridge.default_bridge": "true",
            "com.docker.network.bridge.enable_icc": "true",
            "com.docker.network.bridge.enable_ip_masquerade": "true",
            "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
            "com.docker.network.bridge.name": "docker0",
            "com.docker.network.driver.mtu": "1500",
        },
        "Labels": {
            "com.example.some-label": "some-value",
            "com.example.some-other-label": "some-other-value",
        },
        "Containers": {
            "19a4d5d687db25203351ed79d478946f861258f018fe384f229f2efa4b23513c": {
                "Name": "test",
                "EndpointID": "628cadb8bcb92de107b2a1e516cbffe463e321f548feb37697cce00ad694f21a",
                "MacAddress": "02:42:ac:13:00:02",
                "IPv4Address": "172.19.0.2/16",
                "IPv6Address": "",
            },
        },
        "Status": {"IPAM": {"Subnets": {
            "172.16.0.0/16": {"IPsInUse": 3, "DynamicIPsAvailable": 65_533},
            "2001:db8:abcd:12::/96": {"IPsInUse": 5, "DynamicIPsAvailable": 4_294_967_291_u64},
        }}},
    })
}

#[test]
fn the_api_reference_s_network_is_written_back_as_it_was() {
    round_trips::<NetworkInspect>(&network_of_the_api_reference());
}

/// The examples of the schemas `EndpointSettings` and `EndpointIPAMConfig` of the Engine API.
fn endpoint_of_the_api_reference() -> Value {
    json!({
        "IPAMConfig": {
            "IPv4Address": "172.20.30.33",
            "IPv6Address": "2001:db8:abcd::3033",
            "LinkLocalIPs": ["169.254.34.68", "fe80::3468"],
        },
        "Links": ["container_1", "container_2"],
        "Aliases": ["server_x", "server_y"],
        "DriverOpts": {
            "com.example.some-label": "some-value",
            "com.example.some-other-label": "some-other-value",
        },
        "GwPriority": 10,
        "NetworkID": "08754567f1f40222263eab4102e1c733ae697e8e354aa9cd6e18d7402835292a",
        "EndpointID": "b88f5b905aabf2893f3cbc4ee42d1ea7980bbc0a92e2c8922b1e1795298afb0b",
        "Gateway": "172.17.0.1",
        "IPAddress": "172.17.0.4",
        "MacAddress": "02:42:ac:11:00:04",
        "IPPrefixLen": 16,
        "IPv6Gateway": "2001:db8:2::100",
        "GlobalIPv6Address": "2001:db8::5689",
        "GlobalIPv6PrefixLen": 64,
        "DNSNames": ["foobar", "server_x", "server_y", "my.ctr"],
    })
}

#[test]
fn the_api_reference_s_endpoint_is_written_back_as_it_was() {
    round_trips::<EndpointSettings>(&endpoint_of_the_api_reference());
}

#[test]
fn a_container_s_settings_are_written_back_as_they_were() {
    round_trips::<NetworkSettings>(&json!({
        "SandboxID": "9d12daf2c33f5959c8bf90aa513e4f65b561738661003029ec84830cd503a0c3",
        "SandboxKey": "/var/run/docker/netns/8ab54b426c38",
        "Ports": {
            "443/tcp": null,
            "80/tcp": [
                {"HostIp": "0.0.0.0", "HostPort": "8080"},
                {"HostIp": "::", "HostPort": "8080"},
                {"HostIp": "", "HostPort": ""},
            ],
        },
        "Networks": {"bridge": endpoint_of_the_api_reference()},
    }));
}

#[test]
fn a_stopped_container_s_place_is_all_blanks_and_nulls() {
    round_trips::<EndpointSettings>(&json!({
        "IPAMConfig": null,
        "Links": null,
        "Aliases": null,
        "DriverOpts": null,
        "GwPriority": 0,
        "NetworkID": "",
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": "",
        "MacAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": null,
    }));
}

/// The sample of the page of `docker network inspect`, which an older version wrote.
fn bridge_of_the_command_s_page() -> Value {
    json!({
        "Name": "bridge",
        "Id": "b2b1a2cba717161d984383fd68218cf70bbbd17d328496885f7c921333228b0f",
        "Created": "2016-10-19T04:33:30.360899459Z",
        "Scope": "local",
        "Driver": "bridge",
        "IPAM": {
            "Driver": "default",
            "Config": [{"Subnet": "172.17.42.1/16", "Gateway": "172.17.42.1"}],
        },
        "Internal": false,
        "Containers": {
            "bda12f8922785d1f160be70736f26c1e331ab8aaf8ed8d56728508f2e2fd4727": {
                "Name": "container2",
                "EndpointID": "0aebb8fcd2b282abe1365979536f21ee4ceaf3ed56177c628eae9f706e00e019",
                "MacAddress": "02:42:ac:11:00:02",
                "IPv4Address": "172.17.0.2/16",
                "IPv6Address": "",
            },
            "f2870c98fd504370fb86e59f32cd0753b1ac9b69b7d80566ffc7192a82b3ed27": {
                "Name": "container1",
                "EndpointID": "a00676d9c91a96bbe5bcfb34f705387a33d7cc365bac1a29e4e9728df92d10ad",
                "MacAddress": "02:42:ac:11:00:01",
                "IPv4Address": "172.17.0.1/16",
                "IPv6Address": "",
            },
        },
        "Options": {
            "com.docker.network.bridge.default_bridge": "true",
            "com.docker.network.bridge.enable_icc": "true",
            "com.docker.network.bridge.enable_ip_masquerade": "true",
            "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
            "com.docker.network.bridge.name": "docker0",
            "com.docker.network.driver.mtu": "1500",
        },
        "Labels": {},
    })
}

#[test]
fn the_command_s_page_is_written_back_with_the_fields_that_came_later() {
    let mut form = bridge_of_the_command_s_page();
    let shown: NetworkInspect = serde_json::from_value(form.clone()).unwrap();
    form["IPAM"]["Options"] = Value::Null;
    form["ConfigFrom"] = json!({"Network": ""});
    for field in [
        "EnableIPv4",
        "EnableIPv6",
        "Attachable",
        "Ingress",
        "ConfigOnly",
    ] {
        form[field] = json!(false);
    }
    assert_eq!(serde_json::to_value(&shown).unwrap(), form);
    round_trips::<NetworkInspect>(&form);
}

#[test]
fn blanks_and_nulls_of_other_versions_are_read_as_nothing() {
    let mut form = network_of_the_api_reference();
    form["IPAM"]["Config"][0]["IPRange"] = json!("");
    form["Options"] = Value::Null;
    form["Labels"] = Value::Null;
    form["Containers"] = Value::Null;
    let shown: NetworkInspect = serde_json::from_value(form).unwrap();
    assert_eq!(shown.ipam.config.unwrap()[0].range, None);
    assert!(shown.options.is_empty() && shown.labels.is_empty() && shown.containers.is_empty());
}

/// The first places in `text` where each of `keys` is written, in order.
fn stand_in_this_order(text: &str, keys: &[&str]) {
    let mut from = 0;
    for key in keys {
        let quoted = format!("\"{key}\":");
        let at = text[from..].find(&quoted);
        from += at.unwrap_or_else(|| panic!("{key} does not stand after byte {from} of {text}"));
    }
}

#[test]
fn keys_stand_in_docker_s_order() {
    let web = network("web", NetworkId::from_bytes([0xab; 32]));
    let at = endpoint(&web, "c1", 2);
    let subnet: Subnet = "172.22.0.0/16".parse().unwrap();
    let shown = NetworkInspect::of(&web, [&at]).with_status([(subnet, SubnetStatus::default())]);
    let text = serde_json::to_string(&shown).unwrap();
    stand_in_this_order(
        &text,
        &[
            "Name",
            "Id",
            "Created",
            "Scope",
            "Driver",
            "EnableIPv4",
            "EnableIPv6",
            "IPAM",
            "Driver",
            "Options",
            "Config",
            "Subnet",
            "Gateway",
            "Subnet",
            "Gateway",
            "Internal",
            "Attachable",
            "Ingress",
            "ConfigFrom",
            "Network",
            "ConfigOnly",
            "Options",
            "Labels",
            "Containers",
            "Name",
            "EndpointID",
            "MacAddress",
            "IPv4Address",
            "IPv6Address",
            "Status",
            "IPAM",
            "Subnets",
            "172.22.0.0/16",
            "IPsInUse",
            "DynamicIPsAvailable",
        ],
    );
    assert_eq!(text, serde_json::to_string(&shown.clone()).unwrap());
    let settings = NetworkSettings::of("", "", [(&web, &at)]);
    stand_in_this_order(
        &serde_json::to_string(&settings).unwrap(),
        &[
            "SandboxID",
            "SandboxKey",
            "Ports",
            "Networks",
            "web",
            "IPAMConfig",
            "Links",
            "Aliases",
            "DriverOpts",
            "GwPriority",
            "NetworkID",
            "EndpointID",
            "Gateway",
            "IPAddress",
            "MacAddress",
            "IPPrefixLen",
            "IPv6Gateway",
            "GlobalIPv6Address",
            "GlobalIPv6PrefixLen",
            "DNSNames",
        ],
    );
}

#[test]
fn what_is_made_from_specs_is_written_as_docker_writes_it() {
    let mut web = network("web", NetworkId::from_bytes([0xab; 32]));
    web.ipv6 = None;
    let at = endpoint(&web, "c1", 2);
    let form = json!({
        "Name": "web",
        "Id": "ab".repeat(32),
        "Created": "2026-11-21T06:44:00.500000000Z",
        "Scope": "local",
        "Driver": "bridge",
        "EnableIPv4": true,
        "EnableIPv6": false,
        "IPAM": {
            "Driver": "default",
            "Options": {},
            "Config": [{"Subnet": "172.22.0.0/16", "Gateway": "172.22.0.1"}],
        },
        "Internal": false,
        "Attachable": false,
        "Ingress": false,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": false,
        "Options": {},
        "Labels": {},
        "Containers": {
            "02".repeat(32): {
                "Name": "c1",
                "EndpointID": "02".repeat(32),
                "MacAddress": "02:00:00:00:00:02",
                "IPv4Address": "172.22.0.2/16",
                "IPv6Address": "",
            },
        },
    });
    let shown = NetworkInspect::of(&web, [&at]);
    assert_eq!(serde_json::to_value(&shown).unwrap(), form);
    assert_eq!(
        serde_json::from_value::<NetworkInspect>(form).unwrap(),
        shown
    );
}
