//! What specs look like when they are inspected.

use std::collections::BTreeMap;

use bridgework::inspect::{
    ContainerEntry, EndpointSettings, NetworkInspect, NetworkSettings, Scope, SubnetStatus,
};
use bridgework::plan::Switch;
use bridgework::spec::Origin;
use bridgework::{ContainerId, NetworkId};

use crate::specs::{endpoint, network};

const ID: NetworkId = NetworkId::from_bytes([0xab; 32]);

#[test]
fn a_network_shows_its_subnets_and_its_members() {
    let mut web = network("web", ID);
    web.labels.insert("project".to_owned(), "shop".to_owned());
    let members = [endpoint(&web, "c1", 3), endpoint(&web, "c2", 2)];
    let shown = NetworkInspect::of(&web, &members);
    assert_eq!(
        (&shown.name, shown.id, shown.scope),
        (&web.name, ID, Scope::Local)
    );
    assert_eq!((shown.ipv4, shown.ipv6), (Switch::On, Switch::On));
    assert_eq!(shown.labels["project"], "shop");
    let ids: Vec<_> = shown.containers.keys().collect();
    let [two, three] = [2, 3].map(|byte| ContainerId::from_bytes([byte; 32]));
    assert_eq!(ids, [&two, &three], "by id, whatever the order of joining");
    let entry = &shown.containers[&three];
    assert_eq!((entry.name.as_str(), entry.endpoint), ("c1", members[0].id));
    assert_eq!(entry.ipv4.unwrap().to_string(), "172.22.0.3/16");
    assert_eq!(entry.ipv6.unwrap().to_string(), "fd22::3/64");
    assert_eq!(entry.mac, Some(members[0].mac));
    let config = shown.ipam.config.expect("two subnets");
    let subnets = config.iter().map(|c| c.subnet.unwrap().to_string());
    assert_eq!(subnets.collect::<Vec<_>>(), ["172.22.0.0/16", "fd22::/64"]);
    assert_eq!(config[0].gateway.unwrap().to_string(), "172.22.0.1");
    assert_eq!((&config[0].range, &shown.status), (&None, &None));
}

#[test]
fn ranges_and_auxiliary_addresses_are_shown_where_they_are() {
    let mut web = network("web", ID);
    let ipv4 = web.ipv4.as_mut().unwrap();
    ipv4.range = Some("172.22.10.0/24".parse().unwrap());
    ipv4.auxiliary
        .insert("printer".to_owned(), [172, 22, 0, 9].into());
    ipv4.gateway = None;
    web.ipv6 = None;
    let shown = NetworkInspect::of(&web, []);
    assert_eq!(shown.ipv6, Switch::Off);
    let [config] = &shown.ipam.config.unwrap()[..] else {
        panic!("one subnet for each family")
    };
    assert_eq!(config.range.unwrap().to_string(), "172.22.10.0/24");
    assert_eq!(config.auxiliary["printer"].to_string(), "172.22.0.9");
    assert_eq!(config.gateway, None);
}

#[test]
fn an_endpoint_of_another_network_is_not_shown() {
    let web = network("web", ID);
    let other = network("other", NetworkId::from_bytes([0xcd; 32]));
    let members = [endpoint(&web, "c1", 2), endpoint(&other, "c2", 3)];
    let shown = NetworkInspect::of(&web, &members);
    let names = shown.containers.values().map(|entry| entry.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["c1"]);
}

#[test]
fn a_builtin_network_without_subnets_has_no_list_of_them() {
    let mut none = network("none", ID);
    (none.origin, none.ipv4, none.ipv6) = (Origin::Builtin, None, None);
    let shown = NetworkInspect::of(&none, []);
    assert_eq!((shown.ipam.config, shown.ipam.options), (None, None));
    let mut bridge = network("bridge", ID);
    bridge.origin = Origin::Builtin;
    assert_eq!(
        NetworkInspect::of(&bridge, []).ipam.config.map(|c| c.len()),
        Some(2)
    );
    none.origin = Origin::Custom;
    let shown = NetworkInspect::of(&none, []);
    assert_eq!(shown.ipam.config, Some(vec![]));
    assert_eq!(shown.ipam.options, Some(BTreeMap::new()));
}

#[test]
fn what_was_counted_stands_by_its_subnet() {
    let (in_use, available) = (5, 65_531);
    let mut status = SubnetStatus::default();
    (status.in_use, status.available) = (in_use, available);
    let subnet = "172.22.0.0/16".parse().unwrap();
    let shown = NetworkInspect::of(&network("web", ID), []).with_status([(subnet, status)]);
    assert_eq!(
        shown.status.unwrap().ipam.subnets[&subnet].available,
        65_531
    );
}

#[test]
fn a_container_shows_what_it_asked_for_and_what_it_got() {
    let web = network("web", ID);
    let mut at = endpoint(&web, "c1", 2);
    at.aliases = vec!["db".parse().unwrap()];
    at.links = vec!["mysql:sql".parse().unwrap()];
    at.requested.ipv4 = Some([172, 22, 0, 2].into());
    at.link_local = vec!["169.254.0.7/16".parse().unwrap()];
    at.priority = 10;
    let shown = EndpointSettings::of(&web, &at);
    let asked = shown.ipam_config.expect("an address was asked for");
    assert_eq!((asked.ipv4, asked.ipv6), (at.requested.ipv4, None));
    assert_eq!(
        asked.link_local,
        ["169.254.0.7".parse::<std::net::IpAddr>().unwrap()]
    );
    assert_eq!(shown.links.unwrap(), ["mysql:sql"]);
    assert_eq!(shown.aliases.unwrap(), ["db"]);
    assert_eq!(
        shown.dns_names.unwrap(),
        ["c1", "db", "020202020202", "c1-host"]
    );
    assert_eq!((shown.priority, shown.network_id), (10, Some(ID)));
    assert_eq!(shown.ipv4.unwrap().to_string(), "172.22.0.2");
    assert_eq!(shown.ipv6.unwrap().to_string(), "fd22::2");
    assert_eq!((shown.ipv4_prefix_len, shown.ipv6_prefix_len), (16, 64));
    assert_eq!(shown.gateway.unwrap().to_string(), "172.22.0.1");
    assert_eq!(shown.ipv6_gateway.unwrap().to_string(), "fd22::1");
}

#[test]
fn nothing_that_was_not_asked_for_is_shown_as_asked_for() {
    let web = network("web", ID);
    let shown = EndpointSettings::of(&web, &endpoint(&web, "c1", 2));
    assert_eq!(shown.ipam_config, None);
    assert_eq!(
        (shown.links, shown.aliases, shown.driver_opts),
        (None, None, None)
    );
}

#[test]
fn a_place_that_no_default_route_can_lead_by_has_no_gateway() {
    let web = network("web", ID);
    let mut at = endpoint(&web, "c1", 2);
    for address in [&mut at.ipv4, &mut at.ipv6] {
        address.as_mut().unwrap().gateway = None;
    }
    let shown = EndpointSettings::of(&web, &at);
    assert_eq!((shown.gateway, shown.ipv6_gateway), (None, None));
}

#[test]
fn no_names_resolve_on_a_builtin_network() {
    let mut bridge = network("bridge", ID);
    bridge.origin = Origin::Builtin;
    let shown = EndpointSettings::of(&bridge, &endpoint(&bridge, "c1", 2));
    assert_eq!(shown.dns_names, None);
}

#[test]
fn a_container_s_networks_are_shown_by_name() {
    let (web, back) = (
        network("web", ID),
        network("back", NetworkId::from_bytes([1; 32])),
    );
    let (at_web, at_back) = (endpoint(&web, "c1", 2), endpoint(&back, "c1", 3));
    let shown = NetworkSettings::of("c1", "/proc/7/ns/net", [(&web, &at_web), (&back, &at_back)]);
    let names: Vec<_> = shown.networks.keys().map(String::as_str).collect();
    assert_eq!(names, ["back", "web"]);
    assert_eq!(shown.networks["back"].endpoint_id, Some(at_back.id));
    assert_eq!(
        (shown.sandbox_id.as_str(), shown.sandbox_key.as_str()),
        ("c1", "/proc/7/ns/net")
    );
}

#[test]
fn options_are_shown_by_their_keys_however_they_were_asked_for() {
    let mut web = network("web", ID);
    web.options.icc = Some(Switch::Off);
    let shown = NetworkInspect::of(&web, []);
    let key = "com.docker.network.bridge.enable_icc".to_owned();
    assert_eq!(shown.options, BTreeMap::from([(key, "false".to_owned())]));
    let mut at = endpoint(&web, "c1", 2);
    at.requested.link_name = Some("lan0".parse().unwrap());
    let settings = [
        "net.ipv4.conf.IFNAME.log_martians=1",
        "net.ipv6.conf.IFNAME.forwarding=0",
    ];
    at.sysctls = settings.map(|text| text.parse().unwrap()).to_vec();
    let options = EndpointSettings::of(&web, &at).driver_opts.unwrap();
    assert_eq!(options["com.docker.network.endpoint.ifname"], "lan0");
    let joined = &options["com.docker.network.endpoint.sysctls"];
    assert_eq!(joined, &settings.join(","));
}

#[test]
fn templates_and_who_depends_on_them_say_so() {
    let mut web = network("web", ID);
    web.config_from = Some("small".parse().unwrap());
    let shown = NetworkInspect::of(&web, []);
    assert_eq!(shown.config_from.network, web.config_from);
    assert_eq!(shown.config_only, Switch::Off);
    let mut small = network("small", ID);
    small.config_only = Switch::On;
    let shown = NetworkInspect::of(&small, []);
    assert_eq!(shown.config_from.network, None);
    assert_eq!(shown.config_only, Switch::On);
}

#[test]
fn containers_without_a_wire_stand_among_the_others() {
    let web = network("web", ID);
    let (at, id) = (endpoint(&web, "c1", 2), ContainerId::from_bytes([1; 32]));
    let entry = ContainerEntry::without_wire("batch".parse().unwrap(), at.id);
    let shown = NetworkInspect::of(&web, [&at]).with_containers([(id, entry)]);
    let names = shown.containers.values().map(|entry| entry.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["batch", "c1"]);
    let entry = &shown.containers[&id];
    assert_eq!((entry.mac, entry.ipv4, entry.ipv6), (None, None, None));
    let place = EndpointSettings::without_wire(ID, at.id);
    let settings = NetworkSettings::of("", "", [(&web, &at)]);
    let settings = settings.with_place(&"host".parse().unwrap(), place.clone());
    assert_eq!(
        settings.networks.keys().collect::<Vec<_>>(),
        ["host", "web"]
    );
    assert_eq!(
        (place.network_id, place.endpoint_id),
        (Some(ID), Some(at.id))
    );
    let mut rest = place;
    (rest.network_id, rest.endpoint_id) = (None, None);
    assert_eq!(rest, EndpointSettings::default());
}
