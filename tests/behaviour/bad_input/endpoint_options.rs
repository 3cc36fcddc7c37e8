//! Options of an endpoint that can't be. Nothing is changed, and all that is wrong is said at once.

use bridgework::{EndpointConfig, Error, Fault, LinkSysctl};

use super::{assert_faults, network, refused_connect};
use crate::lab;

const IFNAME: &str = "com.docker.network.endpoint.ifname";
const SYSCTLS: &str = "com.docker.network.endpoint.sysctls";

fn refused(config: EndpointConfig) -> Error {
    let host = lab::host();
    let net = network(&host, "10.89.0.0/24");
    let web = lab::container("web");
    let error = refused_connect(&host, &net, &web, config);
    net.connect(&web).unwrap();
    error
}

#[test]
fn an_unknown_option_of_an_endpoint_is_refused_with_the_one_that_was_meant() {
    for (key, nearest) in [
        ("com.docker.network.endpoint.ifnam", IFNAME),
        ("com.docker.network.endpoint.sysctl", SYSCTLS),
        ("sysctls", SYSCTLS),
    ] {
        let error = refused(EndpointConfig::new().option(key, "x"));
        let fault = Fault::UnknownOption {
            key: key.to_owned(),
            nearest: nearest.to_owned(),
        };
        let text = format!("connect web to net: unknown option {key:?}: did you mean {nearest:?}?");
        assert!(error.is_invalid());
        assert_faults(&error, &[fault], &text);
    }
}

#[test]
fn all_that_is_wrong_with_an_endpoint_s_options_is_in_one_answer() {
    let config = EndpointConfig::new()
        .alias("a b")
        .sysctl("net.ipv4.ip_forward=1")
        .sysctl("net.ipv4.conf.IFNAME.log_martians=1")
        .option(IFNAME, "a/b")
        .option(
            SYSCTLS,
            "net.ipv4.conf.IFNAME.log_martians=0,net.ipv4.conf.eth0.rp_filter=1,,\
             net.ipv4.conf.IFNAME.../../x=1,net.ipv4.conf.IFNAME.x=1\n2",
        );
    let error = refused(config);
    let text: Vec<String> = error.faults().iter().map(ToString::to_string).collect();
    let form = "expected net.FAMILY.TABLE.IFNAME.KEY=VALUE, of family ipv4 or ipv6 and table conf \
                or neigh";
    let expected = [
        "invalid host name \"a b\": ' ' at byte 1 is not allowed".to_owned(),
        format!("invalid sysctl \"net.ipv4.ip_forward=1\": {form}"),
        format!("failed to parse {IFNAME} value: \"a/b\": '/' at byte 1 is not allowed"),
        format!(
            "failed to parse {SYSCTLS} value: \"net.ipv4.conf.eth0.rp_filter=1\": expected IFNAME \
             where the interface's name stands"
        ),
        format!("failed to parse {SYSCTLS} value: \"\": {form}"),
        format!("failed to parse {SYSCTLS} value: \"net.ipv4.conf.IFNAME.../../x=1\": {form}"),
        format!(
            "failed to parse {SYSCTLS} value: \"net.ipv4.conf.IFNAME.x=1\\n2\": '\\n' at byte 24 \
             is not allowed"
        ),
        "conflicting options: net.ipv4.conf.IFNAME.log_martians=1 and \
         net.ipv4.conf.IFNAME.log_martians=0"
            .to_owned(),
    ];
    assert_eq!(text, expected);
}

#[test]
fn two_names_for_one_interface_contradict_each_other() {
    let config = EndpointConfig::new()
        .link_name("lan0")
        .option(IFNAME, "lan1");
    let text = format!("conflicting options: {IFNAME}=lan1 and the typed value lan0");
    assert_eq!(
        refused(config).to_string(),
        format!("connect web to net: {text}")
    );
    let host = lab::host();
    let agreeing = EndpointConfig::new()
        .link_name("lan0")
        .option(IFNAME, "lan0");
    let net = network(&host, "10.89.0.0/24");
    let endpoint = net.connect_with(&lab::container("web"), agreeing).unwrap();
    assert_eq!(endpoint.link_name().as_str(), "lan0");
}

#[test]
fn settings_of_mpls_are_not_supported_and_said_to_be_so() {
    let text = "net.mpls.conf.IFNAME.input=1";
    let fault = Fault::Value(text.parse::<LinkSysctl>().unwrap_err());
    for config in [
        EndpointConfig::new().sysctl(text),
        EndpointConfig::new().option(SYSCTLS, text),
    ] {
        let error = refused(config);
        assert!(error.is_unsupported() && !error.is_invalid());
        let text = format!("connect web to net: invalid sysctl {text:?}: mpls is not supported");
        assert_faults(&error, std::slice::from_ref(&fault), &text);
    }
}
