//! Either end of a cable is taken down, as the tests' guide says, and `lo` of a private host is raised.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use bridgework::plan::Switch;
use bridgework::{Device, Endpoint, EndpointConfig, Host, HostConfig, Netns, NetworkConfig};

use crate::lab::packet::echo;
use crate::lab::{self, DEADLINE, addresses, ip_json};

fn connected(host: &Host) -> (bridgework::Network, Endpoint) {
    let config = NetworkConfig::bridge("net").subnet("10.89.0.0/24");
    let network = host.create_network(config.subnet("fd00:89::/64")).unwrap();
    let endpoint = network.connect(&lab::container("box")).unwrap();
    (network, endpoint)
}

fn near(host: &Host, endpoint: &Endpoint) -> Device {
    Device::open(host.netns(), endpoint.spec().host_link.name.as_str()).unwrap()
}

/// The kernel's own apart, and of the two families together.
fn inside(endpoint: &Endpoint) -> Option<[Vec<String>; 2]> {
    let (netns, link) = (endpoint.container().netns(), endpoint.link_name().as_str());
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let held = addresses(netns, link)?;
    let held = held.iter().map(|address| text(&address["local"]));
    let mut routes = ip_json(netns, &format!("-4 route show dev {link}"))?;
    routes.extend(ip_json(netns, &format!("-6 route show dev {link}"))?);
    let routes = routes.iter().map(|route| text(&route["dst"]));
    Some([held.collect(), routes.collect()])
}

#[test]
fn the_host_s_end_leaves_the_container_all_that_it_has() {
    let netns = Netns::create().unwrap();
    let host = Host::open_with(HostConfig::new().netns(netns).watch(Switch::Off)).unwrap();
    let (_network, endpoint) = connected(&host);
    let Some(before) = inside(&endpoint) else {
        return;
    };
    let gateway = Ipv4Addr::new(10, 89, 0, 1).into();
    assert_eq!(echo(endpoint.container().netns(), gateway), Ok(()));
    near(&host, &endpoint).set_down().unwrap();
    let show = format!("link show dev {}", endpoint.link_name());
    let far = ip_json(endpoint.container().netns(), &show).unwrap();
    let flags = far[0]["flags"].as_array().unwrap();
    assert!(flags.contains(&"NO-CARRIER".into()), "{flags:?}");
    assert_eq!(inside(&endpoint).unwrap(), before);
    near(&host, &endpoint).set_up().unwrap();
    lab::wait_until("an answer", || {
        echo(endpoint.container().netns(), gateway).is_ok()
    });
}

#[test]
fn a_watched_host_has_its_end_up_again() {
    let host = lab::host();
    let (_network, endpoint) = connected(&host);
    near(&host, &endpoint).set_down().unwrap();
    let is_up = || near(&host, &endpoint).state().unwrap().up;
    lab::wait_until("the link up again", is_up);
}

#[test]
fn the_container_s_end_loses_ipv6_and_every_route() {
    let host = lab::host();
    let (_network, endpoint) = connected(&host);
    let far = Device::open(endpoint.container().netns(), endpoint.link_name().as_str());
    let far = far.unwrap();
    far.set_down().unwrap();
    far.set_up().unwrap();
    let Some([held, routes]) = inside(&endpoint) else {
        return;
    };
    assert!(!held.contains(&"fd00:89::2".to_owned()), "{held:?}");
    assert!(held.contains(&"10.89.0.2".to_owned()), "{held:?}");
    assert!(routes.contains(&"10.89.0.0/24".to_owned()), "{routes:?}");
    for gone in ["default", "fd00:89::/64"] {
        assert!(!routes.contains(&gone.to_owned()), "{routes:?}");
    }
}

#[test]
fn a_port_is_published_at_the_loopback_address_of_a_private_host_once_it_is_raised() {
    let host = Host::isolated().unwrap();
    let network = host.create_network(NetworkConfig::bridge("net")).unwrap();
    let web = lab::container("web");
    let published = EndpointConfig::new().publish("127.0.0.1:8080:80");
    let refused = network.connect_with(&web, published.clone()).unwrap_err();
    let why = "the host does not have the address 127.0.0.1";
    assert!(refused.to_string().contains(why), "{refused}");
    let lo = Device::open(host.netns(), "lo").unwrap();
    lo.set_up().unwrap();
    let _endpoint = network.connect_with(&web, published).unwrap();
    let serve = || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80));
    let _serving = web.run(serve).unwrap().unwrap();
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    let connect = || TcpStream::connect_timeout(&to, DEADLINE);
    host.netns().run(connect).unwrap().unwrap();
}
