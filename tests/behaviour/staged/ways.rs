//! All the ways from staged to gone.

use bridgework::plan::Switch;
use bridgework::{Container, ContainerConfig, EndpointConfig, EventKind, Netns, NetworkConfig};

use crate::by_hand::{Pinned, ip, links};
use crate::lab;

use super::Street;

fn app_in(netns: &Netns) -> Container {
    Container::open(ContainerConfig::new("app", netns.clone())).unwrap()
}

#[test]
fn a_staged_wire_has_both_ends_on_the_hosts_side_and_nobody_knows_of_it() {
    let street = Street::new();
    let events = street.host.subscribe();
    let staged = street.stage();
    let spec = staged.spec();
    let shown = links(street.host.netns());
    for name in [staged.link_name(), &spec.host_link.name] {
        assert!(shown.contains(&name.to_string()), "{name} in {shown:?}");
    }
    assert_eq!(street.network.endpoints().len(), 1);
    assert!(!street.resolves());
    assert!(events.try_recv().is_err());
    assert!(staged.plan().to_string().contains("type veth peer name"));
    // its addresses are held
    let held: Vec<_> = spec.addresses().map(|a| a.address.addr()).collect();
    street.assert_held(&held);
    staged.delete().unwrap();
    street.assert_all_goes();
}

#[test]
fn it_is_joined_and_the_first_packet_gets_through() {
    let street = Street::new();
    let events = street.host.subscribe();
    let staged = street.stage();
    let (id, link) = (staged.id(), staged.link_name().to_string());
    let endpoint = staged.join(&lab::container("app")).unwrap();
    street.assert_reachable(&endpoint);
    assert!(street.resolves());
    assert_eq!((endpoint.id(), endpoint.link_name().as_str()), (id, "eth0"));
    assert!(!links(street.host.netns()).contains(&link));
    assert_eq!(links(endpoint.container().netns()), ["lo", "eth0"]);
    let event = events.try_recv().unwrap();
    assert!(
        matches!(&event.kind, EventKind::Connect { endpoint, .. } if endpoint.id == id),
        "{event}"
    );
    assert!(events.try_recv().is_err());
    endpoint.disconnect().unwrap();
    assert!(!street.resolves());
    street.assert_all_goes();
}

#[test]
fn a_caller_moves_the_link_itself_and_it_keeps_the_callers_name() {
    let street = Street::new();
    let app = lab::container("app");
    let staged = street.stage();
    let pinned = Pinned::new(app.netns(), "staged-by-hand");
    let (link, name) = (staged.link_name(), &pinned.0);
    let host = street.host.netns();
    ip(host, &format!("link set dev {link} netns {name} name lan7"));
    let endpoint = staged.join(&app).unwrap();
    assert_eq!(endpoint.link_name().as_str(), "lan7");
    assert_eq!(links(app.netns()), ["lo", "lan7"]);
    street.assert_reachable(&endpoint);
    assert!(street.resolves());
    endpoint.disconnect().unwrap();
    assert_eq!(links(app.netns()), ["lo"]);
    street.assert_all_goes();
}

#[test]
fn a_caller_gives_the_link_another_address_and_index_and_it_is_found_all_the_same() {
    let street = Street::new();
    let app = lab::container("app");
    let staged = street.stage();
    let _pinned = Pinned::new(app.netns(), "staged-changed");
    let index = staged.spec().link.index;
    ip(
        app.netns(),
        &format!("link add taken index {index} type bridge"),
    );
    let host = street.host.netns();
    let link = staged.link_name();
    ip(
        host,
        &format!("link set dev {link} netns staged-changed name eth7"),
    );
    ip(app.netns(), "link set dev eth7 address 02:00:00:00:00:07");
    let endpoint = staged.join(&app).unwrap();
    assert_eq!(endpoint.link_name().as_str(), "eth7");
    assert_ne!(endpoint.spec().link.index, index);
    street.assert_reachable(&endpoint);
    endpoint.disconnect().unwrap();
    assert_eq!(links(app.netns()), ["lo", "taken"]);
    street.assert_all_goes();
}

#[test]
fn a_link_with_another_address_is_known_where_containers_are_kept_apart_too() {
    let host = lab::host();
    let config = NetworkConfig::bridge("apart").subnet("10.89.0.0/24");
    let network = host.create_network(config.icc(Switch::Off)).unwrap();
    let app = lab::container("app");
    let staged = network.stage("app", EndpointConfig::new()).unwrap();
    let _pinned = Pinned::new(app.netns(), "staged-apart");
    let link = staged.link_name();
    ip(
        host.netns(),
        &format!("link set dev {link} netns staged-apart name eth7"),
    );
    ip(app.netns(), "link set dev eth7 address 02:00:00:00:00:07");
    let endpoint = staged.join(&app).unwrap();
    let (gateway, own) = ([10, 89, 0, 1].into(), endpoint.ip());
    for (from, to, at) in [
        (host.netns(), app.netns(), own),
        (app.netns(), host.netns(), gateway),
    ] {
        assert!(lab::udp_arrives(from, to, at, lab::DEADLINE), "{at}");
    }
}

#[test]
fn a_caller_has_set_the_link_up_already() {
    let street = Street::new();
    let app = lab::container("app");
    let staged = street.stage();
    let _pinned = Pinned::new(app.netns(), "staged-up");
    let link = staged.link_name();
    ip(
        street.host.netns(),
        &format!("link set dev {link} netns staged-up"),
    );
    ip(app.netns(), &format!("link set dev {link} up"));
    let own = |text: &serde_json::Value| text["scope"] == "link";
    lab::wait_until("the kernel's own address", || {
        lab::addresses(app.netns(), link.as_str())
            .unwrap()
            .iter()
            .any(own)
    });
    let endpoint = staged.join(&app).unwrap();
    street.assert_reachable(&endpoint);
    let shown = lab::addresses(app.netns(), endpoint.link_name().as_str()).unwrap();
    assert_eq!(
        shown.iter().filter(|address| own(address)).count(),
        1,
        "{shown:?}"
    );
    endpoint.disconnect().unwrap();
    street.assert_all_goes();
}

#[test]
fn it_leaves_and_joins_another_namespace_with_its_addresses_and_names() {
    let street = Street::new();
    let events = street.host.subscribe();
    let (first, second) = (Netns::create().unwrap(), Netns::create().unwrap());
    let endpoint = street.stage().join(&app_in(&first)).unwrap();
    let (ips, mac): (Vec<_>, _) = (endpoint.ips().collect(), endpoint.mac());
    street.assert_reachable(&endpoint);
    let staged = endpoint.leave().unwrap();
    assert_eq!(links(&first), ["lo"]);
    assert!(links(street.host.netns()).contains(&staged.link_name().to_string()));
    assert!(!street.resolves());
    assert_eq!(street.network.endpoints().len(), 1);
    street.assert_held(&ips);
    let endpoint = staged.join(&app_in(&second)).unwrap();
    assert_eq!(endpoint.ips().collect::<Vec<_>>(), ips);
    assert_eq!(endpoint.mac(), mac);
    street.assert_reachable(&endpoint);
    assert!(street.resolves());
    let kinds = std::iter::from_fn(|| events.try_recv().ok()).map(|event| match event.kind {
        EventKind::Connect { endpoint, .. } => format!("+{}", endpoint.container),
        EventKind::Disconnect { endpoint, .. } => format!("-{}", endpoint.container),
        other => panic!("{other:?}"),
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["+app", "-app", "+app"]);
    endpoint.disconnect().unwrap();
    assert_eq!(links(&second), ["lo"]);
    street.assert_all_goes();
}

#[test]
fn it_leaves_under_the_name_that_a_caller_gave_and_comes_again_under_the_crates() {
    let street = Street::new();
    let app = lab::container("app");
    let _pinned = Pinned::new(app.netns(), "staged-renamed");
    let staged = street.stage();
    let link = staged.link_name().to_string();
    let host = street.host.netns();
    ip(
        host,
        &format!("link set dev {link} netns staged-renamed name lan7"),
    );
    let staged = staged.join(&app).unwrap().leave().unwrap();
    assert_eq!(staged.link_name().as_str(), link);
    assert!(links(host).contains(&link));
    let endpoint = staged.join(&app).unwrap();
    assert_eq!(endpoint.link_name().as_str(), "eth0");
    street.assert_reachable(&endpoint);
    drop(endpoint);
    street.assert_all_goes();
}

#[test]
fn it_is_deleted_before_it_is_joined_and_after_it_has_left() {
    let street = Street::new();
    street.stage().delete().unwrap();
    let app = lab::container("app");
    let endpoint = street.stage().join(&app).unwrap();
    endpoint.leave().unwrap().delete().unwrap();
    assert_eq!(links(app.netns()), ["lo"]);
    // the name and the addresses are free
    let endpoint = street.network.connect(&app).unwrap();
    street.assert_reachable(&endpoint);
    endpoint.disconnect().unwrap();
    street.assert_all_goes();
}

#[test]
fn dropping_is_deleting_wherever_it_is() {
    let street = Street::new();
    let app = lab::container("app");
    let there = street.host.snapshot().unwrap();
    drop(street.stage());
    assert_eq!(street.host.snapshot().unwrap(), there);
    drop(street.stage().join(&app).unwrap());
    assert_eq!(street.host.snapshot().unwrap(), there);
    drop(street.stage().join(&app).unwrap().leave().unwrap());
    assert_eq!(street.host.snapshot().unwrap(), there);
    let staged = street.stage();
    let _pinned = Pinned::new(app.netns(), "staged-dropped");
    let (host, link) = (street.host.netns(), staged.link_name());
    ip(host, &format!("link set dev {link} netns staged-dropped"));
    drop(staged);
    assert_eq!(street.host.snapshot().unwrap(), there);
    assert_eq!(links(app.netns()), ["lo"]);
    street.assert_all_goes();
}
