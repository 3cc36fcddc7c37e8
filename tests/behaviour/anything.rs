//! Whatever stands for a namespace can be attached: a process, a path, a descriptor, a name, one that
//! is made; whoever owns it, and whatever becomes of what it was found by.

use std::fs::File;
use std::os::fd::OwnedFd;

use bridgework::{
    Container, ContainerConfig, Endpoint, EndpointConfig, Host, Netns, Network, NetworkConfig,
    NetworkMode,
};

use crate::by_hand::{Pinned, Sleeper, default_gateways, links};
use crate::lab;

/// A host with a network of both families and a neighbour on it, as it was before.
struct Ground {
    host: Host,
    network: Network,
    at_neighbour: Endpoint,
}

impl Ground {
    fn new() -> Self {
        Self::of(lab::host())
    }

    fn of(host: Host) -> Self {
        let config = NetworkConfig::bridge("web")
            .subnet("10.89.0.0/24")
            .subnet("fd00:89::/64");
        let network = host.create_network(config).unwrap();
        let at_neighbour = network.connect(&lab::container("neighbour")).unwrap();
        Self {
            host,
            network,
            at_neighbour,
        }
    }

    /// Attaches it by its mode, lets packets flow both ways, disconnects it; all is gone then.
    #[track_caller]
    fn comes_and_goes(&self, netns: Netns) {
        let before = self.host.snapshot().unwrap();
        let inside = links(&netns);
        let endpoint = self.attach(netns);
        self.packets_flow(&endpoint);
        let container = endpoint.container().clone();
        assert_eq!(default_gateways(container.netns()).len(), 2);
        endpoint.disconnect().unwrap();
        assert_eq!(self.host.snapshot().unwrap(), before);
        assert_eq!(links(container.netns()), inside);
        assert!(default_gateways(container.netns()).is_empty());
    }

    #[track_caller]
    fn attach(&self, netns: Netns) -> Endpoint {
        let mode: NetworkMode = "web".parse().unwrap();
        let config = ContainerConfig::new("app", netns);
        let config_of_endpoint =
            EndpointConfig::new().sysctl("net.ipv4.conf.IFNAME.log_martians=1");
        let attached = self.host.attach(&mode, config, config_of_endpoint).unwrap();
        assert!(attached.warnings.is_empty());
        attached.endpoint.expect("it has a wire")
    }

    #[track_caller]
    fn packets_flow(&self, endpoint: &Endpoint) {
        let (app, neighbour) = (endpoint.container(), self.at_neighbour.container());
        for address in endpoint.ips() {
            lab::udp_both_ways(neighbour, app, address);
            lab::tcp_both_ways(neighbour, app, address);
        }
        for address in self.at_neighbour.ips() {
            lab::udp_both_ways(app, neighbour, address);
        }
    }
}

#[test]
fn a_namespace_that_is_made() {
    Ground::new().comes_and_goes(Netns::create().unwrap());
}

#[test]
fn the_namespace_of_a_process() {
    let netns = Netns::create().unwrap();
    let sleeper = Sleeper::inside(&netns);
    drop(netns);
    let found = Netns::of_pid(sleeper.pid()).unwrap();
    Ground::new().comes_and_goes(found);
}

#[test]
fn the_path_of_a_namespace() {
    let sleeper = Sleeper::unshared(&["-n"]);
    let path = format!("/proc/{}/ns/net", sleeper.pid());
    Ground::new().comes_and_goes(Netns::at(path).unwrap());
}

#[test]
fn a_descriptor_of_a_namespace() {
    let sleeper = Sleeper::unshared(&["-n"]);
    let file = File::open(format!("/proc/{}/ns/net", sleeper.pid())).unwrap();
    // nobody is in it any more
    sleeper.end();
    Ground::new().comes_and_goes(Netns::from_fd(OwnedFd::from(file)).unwrap());
}

#[test]
fn a_name_that_ip_netns_knows() {
    let pinned = Pinned::new(&Netns::create().unwrap(), "anything-named");
    Ground::new().comes_and_goes(Netns::named(&pinned.0).unwrap());
}

#[test]
fn a_namespace_that_another_user_namespace_owns() {
    for options in [&["-U", "-n"] as &[&str], &["-U", "-r", "-n", "-m"]] {
        let sleeper = Sleeper::unshared(options);
        let pid = sleeper.pid();
        let owner = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/user")).unwrap();
        assert_ne!(owner(&pid.to_string()), owner("self"));
        let ground = Ground::new();
        ground.comes_and_goes(Netns::of_pid(pid).unwrap());
        let path = format!("/proc/{pid}/ns/net");
        ground.comes_and_goes(Netns::at(path).unwrap());
        // the process has lost nothing by it
        assert_eq!(links(&Netns::of_pid(pid).unwrap()), ["lo"]);
    }
}

/// Two-phase attach into it too.
#[test]
fn a_wire_is_joined_to_a_namespace_that_another_user_namespace_owns() {
    let ground = Ground::new();
    let before = ground.host.snapshot().unwrap();
    let sleepers = [(); 2].map(|()| Sleeper::unshared(&["-U", "-n"]));
    let apps = sleepers
        .each_ref()
        .map(|s| Container::of_pid("app", s.pid()).unwrap());
    let staged = ground.network.stage("app", EndpointConfig::new()).unwrap();
    let endpoint = staged.join(&apps[0]).unwrap();
    ground.packets_flow(&endpoint);
    let endpoint = endpoint.leave().unwrap().join(&apps[1]).unwrap();
    ground.packets_flow(&endpoint);
    endpoint.disconnect().unwrap();
    assert_eq!(ground.host.snapshot().unwrap(), before);
}

#[test]
fn a_process_that_dies_while_it_is_connected_leaves_its_namespace_to_the_handle() {
    let ground = Ground::new();
    let before = ground.host.snapshot().unwrap();
    let sleeper = Sleeper::unshared(&["-n"]);
    let endpoint = ground.attach(Netns::of_pid(sleeper.pid()).unwrap());
    ground.packets_flow(&endpoint);
    sleeper.end();
    ground.packets_flow(&endpoint);
    endpoint.disconnect().unwrap();
    assert_eq!(ground.host.snapshot().unwrap(), before);
}

#[test]
fn what_is_persisted_goes_with_the_last_process_and_is_disconnected_all_the_same() {
    for verb in [Network::disconnect, by_force] {
        let ground = Ground::of(lab::silent_host());
        let before = ground.host.snapshot().unwrap();
        let sleeper = Sleeper::unshared(&["-n"]);
        let endpoint = ground.attach(Netns::of_pid(sleeper.pid()).unwrap());
        let spec = endpoint.persist().unwrap();
        let first: Vec<_> = spec.addresses().map(|a| a.address).collect();
        sleeper.end();
        let far_end = spec.host_link.index.get();
        lab::wait_until("the wire goes", || {
            ground.host.snapshot().unwrap().link_at(far_end).is_none()
        });
        assert_eq!(ground.network.endpoints().len(), 2);
        verb(&ground.network, "app").unwrap();
        assert_eq!(ground.network.endpoints().len(), 1);
        lab::wait_until("all that it had goes", || {
            ground.host.snapshot().unwrap() == before
        });
        // its address is free
        let config = EndpointConfig::new()
            .ip(first[0].addr())
            .ip(first[1].addr());
        let other = ground
            .network
            .connect_with(&lab::container("other"), config);
        ground.packets_flow(&other.unwrap());
    }
}

fn by_force(network: &Network, container: &str) -> bridgework::Result<()> {
    let left = network.disconnect_by_force(container)?;
    assert!(left.is_empty(), "{left}");
    Ok(())
}

#[test]
fn a_name_that_is_given_to_another_namespace_is_another_container() {
    let ground = Ground::new();
    let before = ground.host.snapshot().unwrap();
    let first = Netns::create().unwrap();
    let pinned = Pinned::new(&first, "anything-replaced");
    let name = pinned.0.clone();
    let endpoint = ground.attach(Netns::named(&name).unwrap());
    drop(pinned);
    let second = Netns::create().unwrap();
    let _pinned = Pinned::new(&second, "anything-replaced");
    ground.packets_flow(&endpoint);
    let found = Netns::named(&name).unwrap();
    assert_ne!(&found, endpoint.container().netns());
    let config = ContainerConfig::new("other", found);
    let other = ground
        .network
        .connect(&Container::open(config).unwrap())
        .unwrap();
    ground.packets_flow(&other);
    assert_eq!(
        (links(&first), links(&second)),
        (
            vec!["lo".into(), "eth0".into()],
            vec!["lo".into(), "eth0".into()]
        )
    );
    endpoint.disconnect().unwrap();
    assert_eq!(links(&first), ["lo"]);
    ground.packets_flow(&other);
    other.disconnect().unwrap();
    assert_eq!(ground.host.snapshot().unwrap(), before);
}

#[test]
fn what_stands_for_no_namespace_is_refused_and_nothing_is_held() {
    let ground = Ground::new();
    let sleeper = Sleeper::unshared(&["-n"]);
    let pid = sleeper.pid();
    sleeper.end();
    let error = Container::of_pid("app", pid).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert!(Netns::at("/proc/self/ns/user").unwrap_err().is_invalid());
    assert_eq!(ground.network.endpoints().len(), 1);
}
