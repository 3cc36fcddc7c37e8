//! With the feature `serde`: what is written is read back, in a form that stays as it is.

use bridgework::config::NetworkOptions;
use bridgework::plan::{BridgeOptions, Link, PortOptions, Side, Switch};
use bridgework::resolver::{ExtraHost, HostAddress, ResolvOverrides};
use bridgework::spec::{
    EndpointAddress, EndpointSpec, History, NetworkRange, NetworkSpec, Origin, Requested,
};
use bridgework::{
    ContainerId, EndpointConfig, EndpointId, Family, Firewall, GatewayMode, HostsScope, LinkIndex,
    MacPolicy, Mtu, NetworkConfig, NetworkId, ResolverScope,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

/// It is written as `form`, and read back as it was, from memory and from text.
fn assert_form<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, form: &Value) {
    assert_eq!(&serde_json::to_value(value).unwrap(), form);
    assert_eq!(&serde_json::from_value::<T>(form.clone()).unwrap(), value);
    let text = serde_json::to_string_pretty(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value);
    let bytes = text.as_bytes();
    assert_eq!(&serde_json::from_reader::<_, T>(bytes).unwrap(), value);
}

fn network_config() -> NetworkConfig {
    NetworkConfig::bridge("hmall")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64")
        .further_subnet("10.90.0.0/24")
        .gateway([10, 89, 0, 254])
        .ip_range("10.89.0.128/25")
        .auxiliary("printer", [10, 89, 0, 9])
        .ipv4(Switch::On)
        .internal()
        .mtu(Mtu::new(1400).unwrap())
        .bridge_name("br-hmall")
        .bridge_mac("02:42:00:00:00:01".parse().unwrap())
        .bridge_options(
            BridgeOptions::new()
                .stp(Switch::Off)
                .ageing(Duration::from_secs(60)),
        )
        .mac_policy(MacPolicy::FromIpv4)
        .hosts(HostsScope::Everyone)
        .resolver(ResolverScope::Gateway)
        .icc(Switch::Off)
        .source_address([192, 0, 2, 7])
        .gateway_mode(Family::V6, GatewayMode::NatUnprotected)
        .trusted_host_interface("wan0")
        .option("com.docker.network.container_iface_prefix", "lan")
        .label("project", "shop")
}

/// The form of options of which none was asked for.
fn no_options_form() -> Value {
    json!({
        "bridge_name": null, "icc": null, "masquerade": null, "host_binding": null,
        "inhibit_ipv4": null, "default_bridge": null, "gateway_mode_ipv4": null,
        "gateway_mode_ipv6": null, "trusted_host_interfaces": null, "mtu": null,
        "host_ipv4": null, "host_ipv6": null, "container_prefix": null, "enable_ipv4": null,
        "enable_ipv6": null, "internal": null, "of_driver": {},
    })
}

fn network_config_form() -> Value {
    let mut options = no_options_form();
    options["bridge_name"] = json!("br-hmall");
    options["icc"] = json!("off");
    options["gateway_mode_ipv6"] = json!("nat-unprotected");
    options["trusted_host_interfaces"] = json!(["wan0"]);
    options["mtu"] = json!(1400);
    options["host_ipv4"] = json!("192.0.2.7");
    json!({
        "name": "hmall",
        "driver": "bridge",
        "subnets": ["10.89.0.0/24", "fd00:89::/64"],
        "further": ["10.90.0.0/24"],
        "gateways": ["10.89.0.254"],
        "ranges": ["10.89.0.128/25"],
        "auxiliary": {"printer": "10.89.0.9"},
        "ipv4": "on",
        "ipv6": null,
        "internal": "on",
        "options": options,
        "by_key": {"com.docker.network.container_iface_prefix": "lan"},
        "mac": "02:42:00:00:00:01",
        "bridge": {
            "stp": "off",
            "ageing": {"secs": 60, "nanos": 0},
            "multicast_snooping": null,
            "forward_delay": null,
            "reserved_learning": null,
        },
        "mac_policy": "from-ipv4",
        "hosts": "everyone",
        "resolver": "gateway",
        "labels": {"project": "shop"},
        "config_only": "off",
        "config_from": null,
    })
}

#[test]
fn a_network_s_config_comes_back_as_it_was() {
    assert_form(&network_config(), &network_config_form());
}

#[test]
fn a_network_s_config_needs_no_more_than_name_and_driver() {
    let config: NetworkConfig =
        serde_json::from_value(json!({"name": "web", "driver": "bridge"})).unwrap();
    assert_eq!(config, NetworkConfig::bridge("web"));
    let error = serde_json::from_value::<NetworkConfig>(json!({"name": "web"})).unwrap_err();
    assert_eq!(error.to_string(), "missing field `driver`");
}

#[test]
fn an_endpoint_s_config_comes_back_as_it_was_and_needs_nothing() {
    let config = EndpointConfig::new()
        .ip([10, 89, 0, 7])
        .mac("02:42:00:00:00:02")
        .alias("db")
        .link_name("lan0")
        .sysctl("net.ipv4.conf.IFNAME.log_martians=1")
        .publish("8080:80")
        .option("com.docker.network.endpoint.ifname", "lan0")
        .port_options(PortOptions::new().isolated(Switch::On));
    let form = json!({
        "addresses": ["10.89.0.7"],
        "link_local": [],
        "further": [],
        "priority": null,
        "mac": "02:42:00:00:00:02",
        "aliases": ["db"],
        "links": [],
        "link_name": "lan0",
        "port": {"hairpin": null, "isolated": "on", "learning": null},
        "memory": "recalled",
        "sysctls": ["net.ipv4.conf.IFNAME.log_martians=1"],
        "ports": ["8080:80/tcp"],
        "exposed": [],
        "exposure": "documented",
        "source_guard": null,
        "leads_out_ipv4": null,
        "leads_out_ipv6": null,
        "route_metric": null,
        "host_link_name": null,
        "by_key": {"com.docker.network.endpoint.ifname": "lan0"},
    });
    assert_form(&config, &form);
    let empty: EndpointConfig = serde_json::from_str("{}").unwrap();
    assert_eq!(empty, EndpointConfig::new());
}

fn network_spec() -> NetworkSpec {
    let range = |subnet: &str, gateway: &str| NetworkRange {
        subnet: subnet.parse().unwrap(),
        gateway: Some(gateway.parse().unwrap()),
        range: None,
        auxiliary: BTreeMap::new(),
    };
    NetworkSpec {
        id: NetworkId::from_bytes([0xab; 32]),
        name: "hmall".parse().unwrap(),
        driver: "bridge".to_owned(),
        origin: Origin::Custom,
        created: "2026-11-21T06:44:00.5Z".parse().unwrap(),
        ipv4: Some(range("10.89.0.0/24", "10.89.0.1")),
        ipv6: None,
        further: Vec::new(),
        internal: Switch::Off,
        mtu: Mtu::ETHERNET,
        link: Link::new(
            Side::Host,
            "br-hmall".parse().unwrap(),
            LinkIndex::new(7).unwrap(),
        ),
        mac: "02:42:00:00:00:01".parse().unwrap(),
        bridge: BridgeOptions::default(),
        mac_policy: MacPolicy::Random,
        hosts: HostsScope::Own,
        resolver: ResolverScope::default(),
        labels: BTreeMap::new(),
        options: NetworkOptions::default(),
        config_from: None,
        firewall: Firewall::Shared,
        config_only: Switch::Off,
    }
}

#[test]
fn a_network_s_spec_comes_back_as_it_was() {
    let form = json!({
        "id": "ab".repeat(32),
        "name": "hmall",
        "driver": "bridge",
        "origin": "custom",
        "created": "2026-11-21T06:44:00.500000000Z",
        "ipv4": {
            "subnet": "10.89.0.0/24",
            "gateway": "10.89.0.1",
            "range": null,
            "auxiliary": {},
        },
        "ipv6": null,
        "internal": "off",
        "mtu": 1500,
        "link": {"side": "host", "name": "br-hmall", "index": 7},
        "mac": "02:42:00:00:00:01",
        "bridge": {
            "stp": null, "ageing": null, "multicast_snooping": null, "forward_delay": null,
            "reserved_learning": null,
        },
        "mac_policy": "random",
        "hosts": "own",
        "resolver": "containers",
        "labels": {},
        "options": no_options_form(),
        "config_from": null,
        "firewall": "shared",
        "config_only": "off",
    });
    assert_form(&network_spec(), &form);
}

#[test]
fn an_endpoint_s_spec_comes_back_as_it_was() {
    let link = |side, name: &str, index| {
        Link::new(side, name.parse().unwrap(), LinkIndex::new(index).unwrap())
    };
    let spec = EndpointSpec {
        id: EndpointId::from_bytes([0x01; 32]),
        network: NetworkId::from_bytes([0xab; 32]),
        container_id: ContainerId::from_bytes([0x02; 32]),
        container: "web".parse().unwrap(),
        hostname: "020202020202".parse().unwrap(),
        host_link: link(Side::Host, "veth0101010", 16),
        host_mac: "02:00:00:00:00:01".parse().unwrap(),
        link: link(Side::Container, "eth0", 17),
        mac: "02:00:00:00:00:02".parse().unwrap(),
        ipv4: Some(EndpointAddress {
            address: "10.89.0.2/24".parse().unwrap(),
            gateway: Some([10, 89, 0, 1].into()),
            history: History::Fresh,
        }),
        ipv6: None,
        further: Vec::new(),
        requested: Requested {
            ipv4: Some([10, 89, 0, 2].into()),
            ..Requested::default()
        },
        link_local: vec!["169.254.0.7/16".parse().unwrap()],
        priority: -1,
        aliases: vec!["www".parse().unwrap()],
        links: vec!["mysql:db".parse().unwrap()],
        port: PortOptions::new().hairpin(Switch::On),
        sysctls: vec!["net.ipv4.conf.IFNAME.log_martians=1".parse().unwrap()],
        ports: vec!["127.0.0.1:8080:80".parse().unwrap()],
        exposed: Vec::new(),
        source_guard: Switch::On,
        route_metric: 0,
    };
    let form = json!({
        "id": "01".repeat(32),
        "network": "ab".repeat(32),
        "container_id": "02".repeat(32),
        "container": "web",
        "hostname": "020202020202",
        "host_link": {"side": "host", "name": "veth0101010", "index": 16},
        "host_mac": "02:00:00:00:00:01",
        "link": {"side": "container", "name": "eth0", "index": 17},
        "mac": "02:00:00:00:00:02",
        "ipv4": {
            "address": "10.89.0.2/24",
            "gateway": "10.89.0.1",
            "history": "fresh",
        },
        "ipv6": null,
        "requested": {
            "ipv4": "10.89.0.2",
            "ipv6": null,
            "mac": null,
            "link_name": null,
            "host_link_name": null,
            "leads_out_ipv4": null,
        "leads_out_ipv6": null,
        },
        "link_local": ["169.254.0.7/16"],
        "priority": -1,
        "aliases": ["www"],
        "links": ["mysql:db"],
        "port": {"hairpin": "on", "isolated": null, "learning": null},
        "sysctls": ["net.ipv4.conf.IFNAME.log_martians=1"],
        "ports": ["127.0.0.1:8080:80/tcp"],
        "exposed": [],
        "source_guard": "on",
        "route_metric": 0,
    });
    assert_form(&spec, &form);
}

/// `form` with `value` at `pointer` is refused with a text that starts so.
fn assert_refused<T: DeserializeOwned + Debug>(
    mut form: Value,
    (pointer, value): (&str, Value),
    text: &str,
) {
    *form.pointer_mut(pointer).unwrap() = value;
    let error = serde_json::from_value::<T>(form)
        .expect_err(pointer)
        .to_string();
    assert!(error.starts_with(text), "{pointer}: {error}");
}

#[test]
fn a_malformed_value_is_refused_with_the_words_of_its_parser() {
    let refused = |pointer, value, text| {
        assert_refused::<NetworkConfig>(network_config_form(), (pointer, value), text);
    };
    refused(
        "/subnets/0",
        json!("10.89.0.1/24"),
        "invalid subnet \"10.89.0.1/24\": it should be 10.89.0.0/24",
    );
    refused(
        "/options/bridge_name",
        json!("a/b"),
        "invalid link name \"a/b\": '/' at byte 1 is not allowed",
    );
    refused(
        "/options/mtu",
        json!(67),
        "invalid mtu \"67\": it must be from 68 to 65535",
    );
    refused(
        "/mac",
        json!("01:00:5e:00:00:01"),
        "invalid mac address \"01:00:5e:00:00:01\": no interface can have it",
    );
    refused("/ipv4", json!("maybe"), "unknown variant `maybe`");
    refused("/hosts", json!("nobody"), "unknown variant `nobody`");
    let refused = |pointer, value, text| {
        let form = serde_json::to_value(network_spec()).unwrap();
        assert_refused::<NetworkSpec>(form, (pointer, value), text);
    };
    refused("/name", json!("../etc"), "invalid network name \"../etc\"");
    refused(
        "/id",
        json!("AB"),
        "invalid id \"AB\": expected 64 lower-case hex digits",
    );
    refused(
        "/link/index",
        json!(0),
        "invalid link index \"0\": it must be from 1 to 2147483647",
    );
    refused("/mtu", json!(true), "invalid type: boolean");
}

#[test]
fn a_field_that_nobody_knows_is_refused() {
    let mut form = network_config_form();
    form["subnet"] = json!("10.90.0.0/24");
    let error = serde_json::from_value::<NetworkConfig>(form)
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("unknown field `subnet`"), "{error}");
    let error = serde_json::from_str::<EndpointConfig>(r#"{"alias": "db"}"#).unwrap_err();
    assert!(
        error.to_string().starts_with("unknown field `alias`"),
        "{error}"
    );
    let mut form = serde_json::to_value(network_spec()).unwrap();
    form["ipv4"]["gatewy"] = json!("10.89.0.1");
    let error = serde_json::from_value::<NetworkSpec>(form)
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("unknown field `gatewy`"), "{error}");
}

#[test]
fn a_config_with_faults_is_not_written_down_without_them() {
    let config = NetworkConfig::bridge("web")
        .subnet("10.89.0.1/24")
        .bridge_name("a/b");
    let error = serde_json::to_string(&config).unwrap_err().to_string();
    let texts = [
        "invalid subnet \"10.89.0.1/24\": it should be 10.89.0.0/24",
        "invalid link name \"a/b\": '/' at byte 1 is not allowed",
    ];
    assert_eq!(error, texts.join("; "));
    let error = serde_json::to_string(&EndpointConfig::new().alias("a b")).unwrap_err();
    assert!(
        error.to_string().starts_with("invalid host name \"a b\""),
        "{error}"
    );
}

#[test]
fn an_extra_hosts_address_is_its_text() {
    let form = json!({"name": "bank", "address": "192.0.2.1"});
    let asked: ExtraHost<HostAddress> = "bank:192.0.2.1".parse().unwrap();
    assert_form(&asked, &form);
    assert_form(&asked.resolve(&[]).unwrap()[0], &form);
    let asked: ExtraHost<HostAddress> = "bank:host-gateway".parse().unwrap();
    assert_form(&asked, &json!({"name": "bank", "address": "host-gateway"}));
}

#[test]
fn what_is_chosen_for_resolv_conf_is_lists_of_words() {
    let overrides = ResolvOverrides {
        nameservers: vec!["10.0.0.2".parse().unwrap(), "fe80::1%eth0".parse().unwrap()],
        search: vec![".".parse().unwrap(), "shop.test".parse().unwrap()],
        options: vec!["ndots:2".parse().unwrap()],
    };
    let form = json!({
        "nameservers": ["10.0.0.2", "fe80::1%eth0"],
        "search": [".", "shop.test"],
        "options": ["ndots:2"],
    });
    assert_form(&overrides, &form);
    let empty = serde_json::from_value::<ResolvOverrides>(json!({}));
    assert_eq!(empty.unwrap(), ResolvOverrides::default());
    let smuggled = json!({"options": ["ndots:2\nnameserver 192.0.2.1"]});
    assert!(serde_json::from_value::<ResolvOverrides>(smuggled).is_err());
}
