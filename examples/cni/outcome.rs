//! What `ADD` prints: the spec's result, in the version that was asked for, behind what plugins before
//! this one have made.

use std::path::Path;

use bridgework::spec::{EndpointAddress, EndpointSpec, NetworkRange, NetworkSpec};
use serde_json::{Map, Value, json};

use crate::conf::{Conf, Route};
use crate::wish::Wish;

/// The result.
pub(crate) fn result(
    (conf, wish): (&Conf, &Wish),
    (network, endpoint): (&NetworkSpec, &EndpointSpec),
    (netns, routes): (&Path, &[Route]),
) -> Value {
    let mut lists = [
        interfaces(network, endpoint, netns),
        Vec::new(),
        routes.iter().map(|route| json!(route)).collect(),
    ];
    let names = ["interfaces", "ips", "routes"];
    let before = conf.previous.as_ref();
    let earlier = names.map(|name| previous_list(before, name));
    let at = earlier[0].len() + lists[0].len() - 1;
    lists[1] = addresses((conf, wish), (network, endpoint), at);
    let mut result = before
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    for (name, (earlier, own)) in names.into_iter().zip(earlier.into_iter().zip(lists)) {
        let all: Vec<Value> = earlier.into_iter().chain(own).collect();
        set(&mut result, name, all.into());
    }
    set(&mut result, "cniVersion", conf.version.clone().into());
    let dns = json!(wish.dns);
    if !result.contains_key("dns") || dns != json!({}) {
        set(&mut result, "dns", dns);
    }
    Value::Object(result)
}

fn set(result: &mut Map<String, Value>, name: &str, value: Value) {
    result.insert(name.to_owned(), value);
}

fn previous_list(before: Option<&Value>, name: &str) -> Vec<Value> {
    let list = before.and_then(|before| before.get(name)?.as_array());
    list.cloned().unwrap_or_default()
}

/// The bridge, the pair's end in the host, and the container's end last.
fn interfaces(network: &NetworkSpec, endpoint: &EndpointSpec, netns: &Path) -> Vec<Value> {
    let interface =
        |name: &str, mac: bridgework::MacAddr| json!({ "name": name, "mac": mac.to_string() });
    let mut far = interface(endpoint.link.name.as_str(), endpoint.mac);
    far["sandbox"] = netns.to_string_lossy().into();
    vec![
        interface(network.link.name.as_str(), network.mac),
        interface(endpoint.host_link.name.as_str(), endpoint.host_mac),
        far,
    ]
}

/// In the order of what is asked for.
fn addresses(
    (conf, wish): (&Conf, &Wish),
    (network, endpoint): (&NetworkSpec, &EndpointSpec),
    interface: usize,
) -> Vec<Value> {
    let of = |address: &EndpointAddress| {
        let mut json = json!({ "address": address.address, "interface": interface });
        let own = |range: &&NetworkRange| range.subnet.contains(address.address.addr());
        if let Some(gateway) = network.ranges().find(own).and_then(|range| range.gateway) {
            json["gateway"] = gateway.to_string().into();
        }
        // 1.0.0 did away with it
        if conf.version.starts_with("0.") {
            let family = bridgework::Family::of(address.address.addr());
            json["version"] = family.digit().to_string().into();
        }
        json
    };
    let place = |address: &&EndpointAddress| {
        let mut ranges = wish.ranges.iter();
        let subnet = address.address.trunc();
        ranges.position(|range| range.subnet.is_some_and(|own| own.trunc() == subnet))
    };
    let mut addresses: Vec<&EndpointAddress> = endpoint.addresses().collect();
    addresses.sort_by_key(place);
    addresses.into_iter().map(of).collect()
}
