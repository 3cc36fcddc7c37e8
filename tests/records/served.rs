//! One process connects and ends, another one serves what is connected.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use bridgework::plan::Switch;
use bridgework::store::Memory;
use bridgework::{EndpointConfig, Host, HostConfig, Netns, NetworkConfig, ResolverScope};

use crate::{lab, residents};

/// One that connects and ends, and one that lives.
pub fn pair() -> (impl Fn() -> Host, Host) {
    let netns = Netns::create().unwrap();
    let store = Memory::new();
    let config = {
        let store = store.open();
        move || {
            HostConfig::new()
                .netns(netns.clone())
                .store(Arc::new(store.open()))
        }
    };
    let living = Host::open_with(config()).unwrap();
    (
        move || Host::open_with(config().resolver(Switch::Off)).unwrap(),
        living,
    )
}

/// Whether somebody says in the container that there is an address of that name.
fn resolves(netns: &Netns, name: &str) -> bool {
    resolves_at(netns, "127.0.0.11", name)
}

fn resolves_at(netns: &Netns, server: &'static str, name: &str) -> bool {
    let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, name.len() as u8];
    query.extend(name.as_bytes());
    query.extend([0, 0, 1, 0, 1]);
    let asked = netns.run(move || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        socket.connect((server, 53))?;
        socket.send(&query)?;
        let mut answer = [0; 512];
        socket.recv(&mut answer)?;
        Ok::<_, std::io::Error>(answer[7])
    });
    asked.unwrap().is_ok_and(|answers| answers == 1)
}

#[test]
fn containers_that_others_connect_are_answered_and_their_ports_held_until_they_go() {
    let (open, living) = pair();
    let service = living.serve().unwrap();
    let ((web, _web), (app, _app)) = (residents::opened("web"), residents::opened("app"));
    {
        let host = open();
        let network = host.create_network(NetworkConfig::bridge("shop")).unwrap();
        network.persist().unwrap();
        let config = EndpointConfig::new().publish("8080:80");
        network
            .connect_with(&web, config)
            .unwrap()
            .persist()
            .unwrap();
        network.connect(&app).unwrap().persist().unwrap();
    }
    lab::wait_until("names resolve", || resolves(app.netns(), "web"));
    lab::wait_until("names resolve there, too", || resolves(web.netns(), "app"));
    let in_use = || {
        living
            .netns()
            .run(|| std::net::TcpListener::bind("0.0.0.0:8080").is_err())
    };
    lab::wait_until("the port is held", || in_use().unwrap());
    {
        let host = open();
        let network = host.network("shop").unwrap();
        network.disconnect("web").unwrap();
        let listed = lab::output(web.netns(), "nft list tables").unwrap_or_default();
        assert_eq!(listed, "");
    }
    lab::wait_until("the name is gone", || !resolves(app.netns(), "web"));
    lab::wait_until("the port is free", || !in_use().unwrap());
    drop(service);
    lab::wait_until("its own name resolves", || resolves(app.netns(), "app"));
}

/// Until somebody in the container hears at that address what is sent to a port of the host's.
fn await_heard(host: &Netns, container: &Netns, at: [u8; 4], port: u16) {
    let bind = move || UdpSocket::bind((std::net::Ipv4Addr::from(at), 80));
    let server = lab::wait_for("a socket", || container.run(bind).unwrap().ok());
    server.set_nonblocking(true).unwrap();
    let client = host.run(|| UdpSocket::bind("[::1]:0")).unwrap().unwrap();
    lab::wait_until("what is sent to the port is heard", || {
        // nobody may be there yet
        let _told = client.send_to(b"x", (std::net::Ipv6Addr::LOCALHOST, port));
        server.recv_from(&mut [0; 16]).is_ok()
    });
}

#[test]
fn what_is_carried_over_follows_the_container_to_where_another_process_leads_it() {
    let (open, living) = pair();
    let service = living.serve().unwrap();
    let (web, _web) = residents::opened("web");
    lab::output(living.netns(), "ip link set lo up");
    {
        let host = open();
        let config = NetworkConfig::bridge("shop").subnet("10.7.0.0/24");
        let shop = host.create_network(config).unwrap();
        shop.persist().unwrap();
        let config = EndpointConfig::new()
            .publish("8080:80/udp")
            .publish("80/udp");
        shop.connect_with(&web, config).unwrap().persist().unwrap();
    }
    await_heard(living.netns(), web.netns(), [10, 7, 0, 2], 8080);
    {
        let host = open();
        let config = NetworkConfig::bridge("back").subnet("10.8.0.0/24");
        let back = host.create_network(config).unwrap();
        back.persist().unwrap();
        let config = EndpointConfig::new().priority(10);
        back.connect_with(&web, config).unwrap().persist().unwrap();
    }
    await_heard(living.netns(), web.netns(), [10, 8, 0, 2], 8080);
    let again = {
        let host = open();
        let at_web = host.network("back").unwrap().endpoint("web").unwrap();
        at_web.unpublish("80/udp").unwrap();
        // somebody else's by now: it is another one
        let published = at_web.publish("80/udp").unwrap();
        published[0].host_port.get()
    };
    await_heard(living.netns(), web.netns(), [10, 8, 0, 2], again);
    drop(service);
}

#[test]
fn what_a_container_claims_of_the_host_s_ports_is_not_in_its_own_way() {
    let (_, host) = pair();
    let (web, _web) = residents::opened("web");
    lab::output(host.netns(), "ip link set lo up");
    let near = NetworkConfig::bridge("near").host_binding([127, 0, 0, 1]);
    let near = host.create_network(near).unwrap();
    let far = host.create_network(NetworkConfig::bridge("far")).unwrap();
    let config = EndpointConfig::new().publish("8080-8081:80-81");
    let at_near = near.connect_with(&web, config).unwrap();
    let before = at_near.published();
    assert_eq!(before.len(), 2);
    for _ in 0..2 {
        let config = EndpointConfig::new().priority(10);
        let at_far = far.connect_with(&web, config).unwrap();
        assert_eq!(at_near.published().len(), 4);
        at_far.disconnect().unwrap();
        assert_eq!(at_near.published(), before);
    }
}

#[test]
fn others_networks_are_asked_at_their_gateways_alone_or_nowhere() {
    let (open, living) = pair();
    let service = living.serve().unwrap();
    let ((web, _web), (app, _app)) = (residents::opened("web"), residents::opened("app"));
    lab::output(living.netns(), "ip link set lo up");
    let scoped = |name, subnet, scope| {
        let config = NetworkConfig::bridge(name).subnet(subnet);
        let network = open().create_network(config.resolver(scope)).unwrap();
        network.persist().unwrap();
    };
    scoped("shop", "10.7.0.0/24", ResolverScope::GatewayAlone);
    scoped("mute", "10.8.0.0/24", ResolverScope::Nowhere);
    let host = open();
    let shop = host.network("shop").unwrap();
    shop.connect(&web).unwrap().persist().unwrap();
    let mute = host.network("mute").unwrap();
    mute.connect(&app).unwrap().persist().unwrap();
    mute.connect(&web).unwrap().persist().unwrap();
    service.look().unwrap(); // at once: nothing is waited for from here on
    assert!(resolves_at(web.netns(), "10.7.0.1", "web"));
    assert!(resolves_at(living.netns(), "10.7.0.1", "web"));
    assert!(!resolves_at(web.netns(), "10.7.0.1", "app"));
    assert!(!resolves_at(app.netns(), "10.8.0.1", "app"));
    for netns in [web.netns(), app.netns()] {
        assert!(!resolves(netns, "web"));
        assert_eq!(
            lab::output(netns, "nft list tables").unwrap_or_default(),
            ""
        );
    }
    shop.disconnect("web").unwrap();
    service.look().unwrap();
    assert!(!resolves_at(living.netns(), "10.7.0.1", "web"));
    shop.remove().unwrap();
    service.look().unwrap();
    let bind = || UdpSocket::bind("0.0.0.0:53").is_ok();
    // but where whoever was being started meanwhile still has them for a moment
    lab::wait_until("its sockets are closed", || {
        living.netns().run(bind).unwrap()
    });
}

#[test]
fn a_port_that_the_caller_holds_itself_is_published_and_another_container_s_is_refused() {
    let netns = Netns::create().unwrap();
    let config = HostConfig::new().netns(netns.clone()).relay(Switch::Off);
    let host = Host::open_with(config.hold_ports(Switch::Off)).unwrap();
    let network = host.create_network(NetworkConfig::bridge("shop")).unwrap();
    let bind = || std::net::TcpListener::bind("[::]:8080");
    let held = netns.run(bind).unwrap().unwrap();
    let (web, app) = (lab::container("web"), lab::container("app"));
    let published = || EndpointConfig::new().publish("8080:80");
    let at_web = network.connect_with(&web, published()).unwrap();
    let refused = network.connect_with(&app, published()).unwrap_err();
    assert!(refused.is_exists(), "{refused}");
    let text = refused.to_string();
    assert!(
        text.contains("already allocated to container web"),
        "{text}"
    );
    drop(held);
    // nobody does: whoever was being started meanwhile has closed what it inherited soon
    lab::wait_until("the port is free", || netns.run(bind).unwrap().is_ok());
    // one that the kernel chooses is one that nobody has
    let chosen = at_web.publish("81").unwrap();
    assert_ne!(chosen[0].host_port.get(), 8080);
    at_web.disconnect().unwrap();
    let at_app = network.connect_with(&app, published()).unwrap();
    assert_eq!(at_app.published()[0].host_port.get(), 8080);
}

#[test]
fn a_kept_container_is_found_by_others_and_forgotten() {
    let (open, other) = pair();
    let (web, made) = residents::opened("web");
    let host = open();
    host.keep(&web).unwrap();
    let found = other.container("web").unwrap();
    assert_eq!((found.id(), found.netns()), (web.id(), web.netns()));
    let network = other.create_network(NetworkConfig::bridge("shop")).unwrap();
    network.connect(&found).unwrap().persist().unwrap();
    assert!(lab::has_link(&made, "eth0").unwrap_or(true));
    host.remove_container("web").unwrap();
    assert!(!lab::has_link(&made, "eth0").unwrap_or(false));
    drop((web, found));
    assert!(other.container("web").unwrap_err().is_not_found());
    assert!(other.containers().is_empty());
}
