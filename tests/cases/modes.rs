//! The drivers of the other modes, a bridge that is there already, and connecting in two halves.

use bridgework::driver::{BridgeDriver, ContainerDriver, Driver, HostDriver, NoneDriver};
use bridgework::plan::{Link, Plan, Side};
use bridgework::snapshot::{AddressState, LinkState, Snapshot};
use bridgework::spec::{EndpointSpec, NetworkSpec, Origin};
use bridgework::{Firewall, LinkIndex};
use ipnet::IpNet;

use super::{Case, dual, endpoint, endpoint_id, v4, v6};

/// What is planned, by the name of its golden file.
pub fn plans() -> Vec<Case<Plan>> {
    let mut cases = without_wire();
    cases.extend(adopted());
    cases.extend(in_two_halves());
    cases.extend(behind_a_firewall());
    cases
}

/// Drivers of stacks that are there already, or that have nothing in them.
pub fn linkless() -> [&'static dyn Driver; 3] {
    [&HostDriver, &NoneDriver, &ContainerDriver]
}

fn without_wire() -> Vec<Case<Plan>> {
    let nothing = Snapshot::default();
    let open = |driver: &dyn Driver| driver.open(&"mysql".parse().unwrap());
    let create = |driver: &dyn Driver| driver.create(&v4(), &nothing).unwrap();
    let case = |name, spec| Case { name, spec };
    vec![
        case("create-host", create(&HostDriver)),
        case("create-none", create(&NoneDriver)),
        case("create-container", create(&ContainerDriver)),
        case("open-bridge", open(&BridgeDriver)),
        case("open-host", open(&HostDriver)),
        case("open-none", open(&NoneDriver)),
        case("open-container", open(&ContainerDriver)),
    ]
}

/// On a host with one way out.
fn behind_a_firewall() -> Vec<Case<Plan>> {
    let mut host = Snapshot::default();
    host.links.push(LinkState::new(2, "lan0", ""));
    let address: IpNet = "192.0.2.1/24".parse().unwrap();
    host.addresses.push(AddressState::new(2, address));
    let shop = NetworkSpec {
        firewall: Firewall::Shared,
        ..dual()
    };
    let connect = BridgeDriver.connect(&shop, &endpoint(&shop)).unwrap();
    let create = BridgeDriver.create(&shop, &host).unwrap();
    let case = |name, spec| Case { name, spec };
    vec![
        case("create-behind-a-firewall", create),
        case("connect-behind-a-firewall", connect),
    ]
}

const DOCKER0_INDEX: u32 = 3;

/// A host with a bridge that somebody else has made.
fn host_with_docker0(addresses: &[&str]) -> Snapshot {
    let mut host = Snapshot::default();
    let mut docker0 = LinkState::new(DOCKER0_INDEX, "docker0", "bridge");
    docker0.up = true;
    host.links.push(docker0);
    let address = |text: &&str| AddressState::new(DOCKER0_INDEX, text.parse::<IpNet>().unwrap());
    host.addresses.extend(addresses.iter().map(address));
    host
}

/// The default network on that bridge.
fn on_docker0(network: NetworkSpec) -> NetworkSpec {
    let index = LinkIndex::new(DOCKER0_INDEX).unwrap();
    NetworkSpec {
        name: "bridge".parse().unwrap(),
        origin: Origin::Builtin,
        link: Link::new(Side::Host, "docker0".parse().unwrap(), index),
        ..network
    }
}

fn adopted() -> Vec<Case<Plan>> {
    let adopt = |network, host: &Snapshot| BridgeDriver.create(&on_docker0(network), host).unwrap();
    let case = |name, spec| Case { name, spec };
    let mut down = host_with_docker0(&[]);
    down.links[0].up = false;
    vec![
        case(
            "adopt-as-it-is",
            adopt(v4(), &host_with_docker0(&["10.89.0.1/24", "192.0.2.1/24"])),
        ),
        case("adopt-bare-and-down", adopt(v4(), &down)),
        case(
            "adopt-lacks-v6",
            adopt(dual(), &host_with_docker0(&["10.89.0.1/24"])),
        ),
        case(
            "adopt-other-prefix",
            adopt(v4(), &host_with_docker0(&["10.89.0.1/16"])),
        ),
    ]
}

/// The same endpoint before its container is there: its end is beside the other one.
fn staged(network: &NetworkSpec) -> EndpointSpec {
    let name = "veth4041424p".parse().unwrap();
    EndpointSpec {
        link: Link::new(Side::Host, name, endpoint_id().container_link_index()),
        ..endpoint(network)
    }
}

fn in_two_halves() -> Vec<Case<Plan>> {
    let stage = |network: NetworkSpec| BridgeDriver.stage(&network, &staged(&network)).unwrap();
    let join = |network: NetworkSpec, endpoint| BridgeDriver.join(&network, &endpoint).unwrap();
    let case = |name, spec| Case { name, spec };
    let settings = [
        "net.ipv4.conf.IFNAME.log_martians=1",
        "net.ipv6.conf.IFNAME.mtu=1280",
    ];
    let set = EndpointSpec {
        sysctls: settings.map(|setting| setting.parse().unwrap()).into(),
        ..endpoint(&dual())
    };
    vec![
        case("stage-v4", stage(v4())),
        case("stage-dual", stage(dual())),
        case("join-v4", join(v4(), endpoint(&v4()))),
        case("join-v6", join(v6(), endpoint(&v6()))),
        case("join-dual", join(dual(), endpoint(&dual()))),
        case("join-sysctls", join(dual(), set)),
    ]
}
