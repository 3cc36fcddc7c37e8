//! Options that can't be: keys that nobody knows, values that don't have their form, two that
//! contradict each other. And which of them change what is made.

use std::net::IpAddr;

use bridgework::config::NetworkOptions;
use bridgework::driver::Driver;
use bridgework::plan::{Plan, Switch};
use bridgework::snapshot::Snapshot;
use bridgework::spec::{EndpointSpec, NetworkSpec};
use bridgework::{Family, Fault, GatewayMode, HostConfig, Mtu, NetworkConfig};

use super::{assert_faults, foreseen, host_with, net};
use crate::lab;

const BRIDGE: &str = "com.docker.network.bridge";
const NETWORK: &str = "com.docker.network";

#[test]
fn every_option_by_its_key_is_the_typed_one() {
    let host = lab::host();
    let addresses: [IpAddr; 2] = ["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
    let typed = net()
        .bridge_name("br-net")
        .icc(Switch::Off)
        .masquerade(Switch::On)
        .host_binding([127, 0, 0, 1])
        .inhibit_ipv4(Switch::On)
        .inhibit_ipv6(Switch::On)
        .gateway_mode(Family::V4, GatewayMode::Routed)
        .gateway_mode(Family::V6, GatewayMode::NatUnprotected)
        .trusted_host_interface("wan0")
        .trusted_host_interface("wan1")
        .mtu(Mtu::new(1400).unwrap())
        .source_address(addresses[0])
        .source_address(addresses[1])
        .container_prefix("lan");
    let texts = [
        ("bridge.name", "br-net"),
        ("bridge.enable_icc", "false"),
        ("bridge.enable_ip_masquerade", "true"),
        ("bridge.host_binding_ipv4", "127.0.0.1"),
        ("bridge.inhibit_ipv4", "true"),
        ("bridge.inhibit_ipv6", "true"),
        ("bridge.gateway_mode_ipv4", "routed"),
        ("bridge.gateway_mode_ipv6", "nat-unprotected"),
        ("bridge.trusted_host_interfaces", "wan0:wan1"),
        ("driver.mtu", "1400"),
        ("host_ipv4", "192.0.2.7"),
        ("host_ipv6", "2001:db8::7"),
        ("container_iface_prefix", "lan"),
    ];
    let by_key = texts.iter().fold(net(), |config, (key, value)| {
        config.option(format!("{NETWORK}.{key}"), *value)
    });
    let options = |config: &NetworkConfig| {
        let draft = host.draft_network(config).unwrap();
        draft.spec().options.clone()
    };
    assert_eq!(options(&by_key), options(&typed));
    let shown: Vec<(String, String)> = options(&typed).by_key().into_iter().collect();
    let mut expected = texts.map(|(key, value)| (format!("{NETWORK}.{key}"), value.to_owned()));
    expected.sort();
    assert_eq!(shown, expected);
}

#[test]
fn families_and_internal_can_be_switched_by_key_and_are_shown_only_then() {
    let host = lab::host();
    let config = net()
        .option(format!("{NETWORK}.enable_ipv4"), "0")
        .option(format!("{NETWORK}.enable_ipv6"), "T")
        .option(format!("{NETWORK}.internal"), "1")
        .option(format!("{BRIDGE}.default_bridge"), "FALSE");
    let spec = host.draft_network(&config).unwrap().spec().clone();
    assert!(spec.ipv4.is_none() && spec.ipv6.is_some() && spec.internal.is_on());
    let shown: Vec<String> = spec
        .options
        .by_key()
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let expected = [
        "com.docker.network.bridge.default_bridge=false",
        "com.docker.network.enable_ipv4=false",
        "com.docker.network.enable_ipv6=true",
        "com.docker.network.internal=true",
    ];
    assert_eq!(shown, expected);
    let typed = net().ipv4(Switch::Off).ipv6(Switch::On).internal();
    let spec = host.draft_network(&typed).unwrap().spec().clone();
    assert!(spec.ipv4.is_none() && spec.ipv6.is_some() && spec.internal.is_on());
    assert_eq!(spec.options, NetworkOptions::default());
}

#[test]
fn truth_has_the_forms_that_docker_takes_and_no_other() {
    let host = lab::host();
    let key = format!("{BRIDGE}.enable_icc");
    for (texts, switch) in [
        (["1", "t", "T", "TRUE", "true", "True"], Switch::On),
        (["0", "f", "F", "FALSE", "false", "False"], Switch::Off),
    ] {
        for text in texts {
            let draft = host.draft_network(&net().option(&key, text)).unwrap();
            assert_eq!(draft.spec().options.icc, Some(switch), "{text}");
        }
    }
    for text in ["", "yes", "on", "tRUE", "2", " true"] {
        let error = foreseen(&host, &net().option(&key, text));
        let fault = Fault::OptionValue {
            key: key.clone(),
            value: text.to_owned(),
            why: "expected true or false".to_owned(),
        };
        let text = format!(
            "create network net: failed to parse {key} value: {text:?}: expected true or false"
        );
        assert!(error.is_invalid());
        assert_faults(&error, &[fault], &text);
    }
}

#[test]
fn a_value_that_an_option_can_t_have_is_refused_with_the_reason() {
    let host = lab::host();
    for (key, value, why) in [
        ("bridge.name", "a/b", "'/' at byte 1 is not allowed"),
        (
            "bridge.gateway_mode_ipv4",
            "nat6",
            "unknown gateway mode nat6",
        ),
        (
            "bridge.gateway_mode_ipv6",
            "NAT",
            "unknown gateway mode NAT",
        ),
        (
            "bridge.host_binding_ipv4",
            "localhost",
            "expected an address",
        ),
        (
            "bridge.trusted_host_interfaces",
            "wan0:a b",
            "invalid link name \"a b\": ' ' at byte 1 is not allowed",
        ),
        ("driver.mtu", "67", "it must be from 68 to 65535"),
        ("driver.mtu", "-1", "expected a number"),
        ("host_ipv4", "2001:db8::7", "expected an IPv4 address"),
        ("host_ipv6", "192.0.2.7", "expected an IPv6 address"),
        ("container_iface_prefix", "", "it is empty"),
        (
            "container_iface_prefix",
            "fourteen-bytes-",
            "it is longer than 14 bytes",
        ),
        (
            "container_iface_prefix",
            "a:",
            "':' at byte 1 is not allowed",
        ),
    ] {
        let key = format!("{NETWORK}.{key}");
        let error = foreseen(&host, &net().option(&key, value));
        let text = format!("create network net: failed to parse {key} value: {value:?}: {why}");
        assert_eq!(error.to_string(), text);
        assert!(error.is_invalid());
    }
}

#[test]
fn an_unknown_option_is_refused_with_the_name_of_the_one_that_was_meant() {
    let host = lab::host();
    let error = foreseen(&host, &net().option(format!("{BRIDGE}.enable_ic"), "maybe"));
    let fault = Fault::UnknownOption {
        key: format!("{BRIDGE}.enable_ic"),
        nearest: format!("{BRIDGE}.enable_icc"),
    };
    assert!(error.is_invalid());
    assert_faults(
        &error,
        &[fault],
        "create network net: unknown option \"com.docker.network.bridge.enable_ic\": did you mean \
         \"com.docker.network.bridge.enable_icc\"?",
    );
    let error = foreseen(&host, &net().option("mtu\n", "1400"));
    let text = "create network net: unknown option \"mtu\\n\": did you mean \
                \"com.docker.network.driver.mtu\"?";
    assert_eq!(error.to_string(), text);
}

#[test]
fn an_option_and_a_typed_value_may_agree_and_not_contradict_each_other() {
    let host = lab::host();
    let mtu = |text| {
        net()
            .mtu(Mtu::new(1400).unwrap())
            .option(format!("{NETWORK}.driver.mtu"), text)
    };
    host.draft_network(&mtu("1400")).unwrap();
    let error = foreseen(&host, &mtu("1300"));
    assert!(error.is_invalid());
    let text = "conflicting options: com.docker.network.driver.mtu=1300 and the typed value 1400";
    assert_eq!(error.to_string(), format!("create network net: {text}"));
    for (config, key, text) in [
        (
            net().internal(),
            "internal",
            "false and the typed value true",
        ),
        (
            net().ipv4(Switch::On),
            "enable_ipv4",
            "false and the typed value true",
        ),
        (
            net().ipv6(Switch::On),
            "enable_ipv6",
            "false and the typed value true",
        ),
        (
            net().icc(Switch::On),
            "bridge.enable_icc",
            "false and the typed value true",
        ),
        (
            net().bridge_name("br-a"),
            "bridge.name",
            "false and the typed value br-a",
        ),
    ] {
        let key = format!("{NETWORK}.{key}");
        let error = foreseen(&host, &config.option(&key, "false"));
        let text = format!("create network net: conflicting options: {key}={text}");
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn isolation_is_for_internal_networks_alone() {
    let host = lab::host();
    let isolated = net()
        .gateway_mode(Family::V4, GatewayMode::Isolated)
        .option(format!("{BRIDGE}.gateway_mode_ipv6"), "isolated");
    let error = foreseen(&host, &isolated);
    assert!(error.is_invalid());
    assert_faults(
        &error,
        &[Fault::IsolatedNotInternal],
        "create network net: gateway mode 'isolated' can only be used for an internal network",
    );
    host.draft_network(&isolated.internal()).unwrap();
}

#[test]
fn all_that_is_wrong_with_options_is_in_one_answer() {
    let host = lab::host();
    let config = net()
        .icc(Switch::On)
        .gateway([10, 89, 0, 1])
        .gateway_mode(Family::V4, GatewayMode::Isolated)
        .container_prefix("a/")
        .option(format!("{BRIDGE}.enable_icc"), "false")
        .option(format!("{BRIDGE}.name"), "")
        .option(format!("{NETWORK}.driver.mtu"), "many")
        .option("parent", "eth0");
    let error = foreseen(&host, &config);
    let text: Vec<String> = error.faults().iter().map(ToString::to_string).collect();
    let expected = [
        "invalid link prefix \"a/\": '/' at byte 1 is not allowed",
        "failed to parse com.docker.network.bridge.name value: \"\": it is empty",
        "failed to parse com.docker.network.driver.mtu value: \"many\": expected a number",
        "conflicting options: com.docker.network.bridge.enable_icc=false and the typed value true",
        "unknown option \"parent\": did you mean \"com.docker.network.bridge.name\"?",
        "invalid gateway 10.89.0.1: no subnet is given to contain this address",
        "gateway mode 'isolated' can only be used for an internal network",
    ];
    assert_eq!(text, expected);
}

/// A driver with an option of its own; it makes nothing.
#[derive(Debug)]
struct Parented;

impl Driver for Parented {
    fn name(&self) -> &str {
        "parented"
    }

    fn option_keys(&self) -> &[&str] {
        &["parent"]
    }

    fn create(&self, network: &NetworkSpec, _: &Snapshot) -> Result<Plan, Fault> {
        match network.options.of_driver.get("parent").map(String::as_str) {
            Some("eth0") => Ok(Plan::new()),
            other => Err(Fault::Conflicting(format!("parent {other:?}"))),
        }
    }

    fn connect(&self, _: &NetworkSpec, _: &EndpointSpec) -> Result<Plan, Fault> {
        Err(Fault::NoFamily)
    }
}

#[test]
fn a_driver_of_its_own_has_options_of_its_own() {
    let host = host_with(HostConfig::new().driver(Parented));
    let config = |key| NetworkConfig::new("parented", "net").option(key, "eth0");
    let network = host.create_network(config("parent")).unwrap();
    let shown = network.spec().options.by_key();
    assert_eq!(
        shown.into_iter().collect::<Vec<_>>(),
        [("parent".to_owned(), "eth0".to_owned())]
    );
    network.remove().unwrap();
    let error = foreseen(&host, &config("parnet"));
    assert_eq!(
        error.to_string(),
        "create network net: unknown option \"parnet\": did you mean \"parent\"?"
    );
    let unknown = NetworkConfig::new("nobody-s", "net").option("parent", "eth0");
    let error = foreseen(&host, &unknown);
    assert!(matches!(error.faults(), [Fault::Driver { .. }]), "{error}");
}

#[test]
fn an_isolated_network_has_no_gateway_and_its_bridge_no_address() {
    let host = lab::host();
    let config = net()
        .subnet("10.89.0.0/29")
        .subnet("fd00:89::/64")
        .internal()
        .gateway_mode(Family::V4, GatewayMode::Isolated)
        .gateway_mode(Family::V6, GatewayMode::Isolated);
    let network = host.create_network(config).unwrap();
    let [ipv4, ipv6] = [&network.spec().ipv4, &network.spec().ipv6].map(|f| f.clone().unwrap());
    assert_eq!((ipv4.gateway, ipv6.gateway), (None, None));
    let bridge = network.spec().link.name.to_string();
    let [web, db] = ["web", "db"].map(lab::container);
    let at_web = network.connect(&web).unwrap();
    let _at_db = network.connect(&db).unwrap();
    assert_eq!(at_web.ip(), IpAddr::from([10, 89, 0, 1]));
    lab::udp_both_ways(&db, &web, at_web.ip());
    if let Some(addresses) = lab::addresses(host.netns(), &bridge) {
        assert!(addresses.is_empty(), "{addresses:?}");
    }
}

#[test]
fn where_a_family_is_inhibited_the_gateway_s_address_is_kept_and_the_bridge_does_not_have_it() {
    let host = lab::host();
    let config = net().subnet("10.89.0.0/29").inhibit_ipv4(Switch::On);
    let network = host.create_network(config).unwrap();
    let gateway = network.spec().ipv4.as_ref().unwrap().gateway;
    assert_eq!(gateway, Some([10, 89, 0, 1].into()));
    let web = lab::container("web");
    let at_web = network.connect(&web).unwrap();
    assert_eq!(at_web.ip(), IpAddr::from([10, 89, 0, 2]));
    assert_eq!(at_web.spec().ipv4.as_ref().unwrap().gateway, gateway);
    if let Some(addresses) = lab::addresses(host.netns(), network.spec().link.name.as_str()) {
        assert!(addresses.is_empty(), "{addresses:?}");
    }
    let ipv6 = NetworkConfig::bridge("lan").subnet("fd00:89::/64");
    let lan = host.create_network(ipv6.inhibit_ipv6(Switch::On)).unwrap();
    let at_lan = lan.connect(&lab::container("db")).unwrap();
    let own = at_lan.spec().ipv6.as_ref().unwrap();
    assert_eq!(own.gateway, Some("fd00:89::1".parse().unwrap()));
    if let Some(addresses) = lab::addresses(host.netns(), lan.spec().link.name.as_str()) {
        let is_ipv6 = |address: &serde_json::Value| address["family"] == "inet6";
        assert!(!addresses.iter().any(is_ipv6), "{addresses:?}");
    }
    let internal = NetworkConfig::bridge("inside")
        .inhibit_ipv4(Switch::On)
        .internal();
    let spec = host.draft_network(&internal).unwrap().spec().clone();
    assert_eq!(spec.ipv4.unwrap().gateway, None);
}
