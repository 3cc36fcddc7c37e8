//! What a template gives, and what may not be said beside it. No kernel.

use std::net::IpAddr;

use super::*;
use crate::addr::{Family, Mtu};
use crate::config::GatewayMode;

fn checked(config: &NetworkConfig) -> (NetworkRequest, Vec<String>) {
    let mut faults = Vec::new();
    let request = config.check(Some(&[]), &mut faults);
    let texts = faults.iter().map(Fault::to_string).collect();
    (request.expect("the name has its form"), texts)
}

fn request(config: &NetworkConfig) -> NetworkRequest {
    let (request, faults) = checked(config);
    assert_eq!(faults, [""; 0]);
    request
}

fn template() -> NetworkConfig {
    NetworkConfig::config_only("small")
        .subnet("10.89.0.0/29")
        .subnet("fd00:89::/64")
        .gateway([10, 89, 0, 6])
        .ip_range("10.89.0.4/30")
        .auxiliary("printer", [10, 89, 0, 5])
        .mtu(Mtu::IPV6_MIN)
        .icc(Switch::Off)
        .gateway_mode(Family::V6, GatewayMode::Isolated)
        .option("com.docker.network.enable_ipv6", "true")
        .label("project", "shop")
}

#[test]
fn a_network_has_all_of_its_template_and_its_own_name_driver_and_inwardness() {
    let from = request(&template());
    let own = NetworkConfig::bridge("web").internal().config_from("small");
    let mut faults = Vec::new();
    let whole = request(&own).completed_by(&from, &[], &mut faults);
    assert_eq!(faults, []);
    let mut expected = request(
        &NetworkConfig {
            config_only: Switch::Off,
            ..template()
        }
        .internal(),
    );
    expected.name = "web".parse().unwrap();
    expected.driver = "bridge".to_owned();
    expected.config_from = Some("small".parse().unwrap());
    assert_eq!(whole, expected);
    let gateway = whole.ipv4.as_ref().and_then(|ipv4| ipv4.gateway);
    assert_eq!(gateway, Some(IpAddr::from([10, 89, 0, 6])));
    let choices = [&whole.ipv4, &whole.ipv6].map(|f| f.as_ref().map(|f| f.gateway_choice));
    assert_eq!(choices, [Some(Switch::On), Some(Switch::Off)]);
}

#[test]
fn what_the_two_are_together_is_judged_anew() {
    let from = request(&template().option("parent", "eth0").option("mode", "l2"));
    let own = request(&NetworkConfig::bridge("web").config_from("small"));
    let mut faults = Vec::new();
    own.completed_by(&from, &["mode"], &mut faults);
    let texts: Vec<String> = faults.iter().map(Fault::to_string).collect();
    let [unknown, isolated] = texts.as_slice() else {
        panic!("{texts:?}");
    };
    assert!(
        unknown.starts_with("unknown option \"parent\""),
        "{unknown}"
    );
    assert!(
        isolated.starts_with("gateway mode 'isolated'"),
        "{isolated}"
    );
}

#[test]
fn beside_a_template_nothing_may_be_said_that_it_gives() {
    let own = NetworkConfig::bridge("web")
        .config_from("small")
        .subnet("10.90.0.0/24")
        .gateway([10, 90, 0, 1])
        .ipv6(Switch::On)
        .mtu(Mtu::ETHERNET)
        .option("com.docker.network.bridge.enable_icc", "0")
        .label("a", "b");
    let (_, faults) = checked(&own);
    let expected = [
        "user specified configurations are not supported if the network depends on a \
         configuration network: subnet, gateway, ipv6, label",
        "network driver options are not supported if the network depends on a configuration \
         network: com.docker.network.bridge.enable_icc, com.docker.network.driver.mtu",
    ];
    assert_eq!(faults, expected);
    request(
        &NetworkConfig::bridge("web")
            .config_from("small")
            .ipv4(Switch::On)
            .internal(),
    );
}

#[test]
fn a_template_is_not_internal_and_depends_on_no_other() {
    let internal = "configuration network can only contain network specific fields: internal is \
                    not one";
    for config in [
        template().internal(),
        template().option("com.docker.network.internal", "false"),
    ] {
        assert_eq!(checked(&config).1, [internal]);
    }
    let (_, faults) = checked(&NetworkConfig::config_only("small").config_from("other"));
    let text = "a configuration network cannot depend on another configuration network";
    assert_eq!(faults, [text]);
    let (_, faults) = checked(&NetworkConfig::bridge("web").config_from("a/b"));
    assert_eq!(
        faults,
        ["invalid network name \"a/b\": '/' at byte 1 is not allowed"]
    );
}

#[test]
fn the_faults_of_templates_have_the_words_that_people_search_for() {
    let name: NetworkName = "x".parse().unwrap();
    let in_use = Fault::TemplateInUse { name: name.clone() };
    assert_eq!(in_use.to_string(), "configuration network \"x\" is in use");
    let gone = Fault::TemplateNotFound { name };
    assert_eq!(gone.to_string(), "configuration network \"x\" not found");
    let endpoint = Fault::TemplateEndpoint.to_string();
    assert_eq!(
        endpoint,
        "cannot create endpoint on configuration-only network"
    );
}
