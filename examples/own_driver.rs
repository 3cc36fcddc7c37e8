//! A driver written outside of the crate: no bridge; each container has a cable of its own to the
//! host, which routes. Run it as you are: it makes a private machine first.
use bridgework::driver::Driver;
use bridgework::plan::{ConfScope, Ipv4Conf, Plan, Route, Step, Sysctl, VethStep};
use bridgework::{Container, Endpoint, Fault, Host, HostConfig, NetworkConfig, Subnet, sandbox};
use bridgework::{snapshot::Snapshot, spec::EndpointSpec, spec::NetworkSpec};
use std::net::UdpSocket;

#[derive(Debug)]
struct PointToPoint;

impl Driver for PointToPoint {
    fn name(&self) -> &str {
        "point-to-point"
    }

    fn create(&self, network: &NetworkSpec, _host: &Snapshot) -> Result<Plan, Fault> {
        match (&network.ipv4, &network.ipv6) {
            (Some(_), None) => Ok(Plan::new()), // nothing is shared
            _ => Err(Fault::Conflicting("IPv6 and cables".to_owned())),
        }
    }

    fn connect(&self, network: &NetworkSpec, endpoint: &EndpointSpec) -> Result<Plan, Fault> {
        let (near, far) = (endpoint.host_link.clone(), endpoint.link.clone());
        let address = endpoint.ipv4.as_ref().map(|ipv4| ipv4.address.addr());
        let gateway = network.ipv4.as_ref().and_then(|range| range.gateway);
        let (Some(address), Some(gateway)) = (address, gateway) else {
            return Err(Fault::NoFamily);
        };
        let forwarding = Sysctl::Ipv4(ConfScope::Link(near.name.clone()), Ipv4Conf::Forwarding);
        let veth = VethStep {
            link: near.clone(),
            mac: endpoint.host_mac,
            master: None,
            peer: far.clone(),
            peer_mac: endpoint.mac,
            mtu: network.mtu,
        };
        let mut plan = Plan::with_container(endpoint.container.clone());
        plan.push(Step::AddVeth(veth));
        let (side, key, value) = (near.side, forwarding, 1);
        plan.push(Step::SetSysctl { side, key, value });
        for (link, own, other) in [(near, gateway, address), (far.clone(), address, gateway)] {
            let (address, up) = (Subnet::from(own).into(), link.clone());
            let route = Route::new(Subnet::from(other), &link);
            plan.push(Step::AddAddress { link, address });
            plan.extend([Step::SetUp { link: up }, Step::AddRoute(route)]);
        }
        Ok(plan)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    sandbox::enter()?;
    let host = Host::open_with(HostConfig::new().driver(PointToPoint))?;
    let before = host.snapshot()?;
    let config = NetworkConfig::new("point-to-point", "cables").subnet("10.89.0.0/24");
    let network = host.create_network(config)?;
    let [web, db] = [Container::isolated("web")?, Container::isolated("db")?];
    let endpoints = network.connect_all([&web, &db])?;
    print!("{}", endpoints[1].plan());

    let to = (endpoints[1].ip(), 5353);
    let listening = db.run(|| UdpSocket::bind(to))??;
    listening.set_read_timeout(Some(std::time::Duration::from_secs(10)))?;
    let sending = web.run(|| UdpSocket::bind("0.0.0.0:0"))??;
    sending.send_to(b"hello", to)?;
    let (length, from) = listening.recv_from(&mut [0; 64])?;
    println!("db got {length} bytes from {from}");

    Endpoint::disconnect_all(endpoints)?;
    network.remove()?;
    assert_eq!(host.snapshot()?, before, "nothing is left");
    Ok(())
}
