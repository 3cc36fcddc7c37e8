//! The four network modes side by side, and what a container sees in each, as `ip addr` would show
//! it. Run it as you are: it makes a private machine first.
use bridgework::snapshot::Snapshot;
use bridgework::{Attached, ContainerConfig, EndpointConfig, Host, NetworkConfig, sandbox};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    sandbox::enter()?;
    let host = Host::isolated()?;
    let before = host.snapshot()?;
    let config = NetworkConfig::bridge("shop").subnet("10.89.0.0/24");
    let shop = host.create_network(config.subnet("fd00:89::/64"))?;

    let attach = |mode: &str, name: &str| -> Result<Attached, bridgework::Error> {
        let (container, endpoint) = (ContainerConfig::named(name), EndpointConfig::new());
        let attached = host.attach(&mode.parse()?, container, endpoint)?;
        println!("--network {mode} --name {name}");
        print!("{}", ip_addr(&attached.container.netns().snapshot()?));
        Ok(attached)
    };
    let on_bridge = attach("bridge", "web")?;
    let on_shop = attach("shop", "api")?;
    let beside = attach("container:api", "sidecar")?;
    let alone = attach("none", "batch")?;
    let on_host = attach("host", "monitor")?;

    assert_eq!(beside.container.netns(), on_shop.container.netns());
    assert_eq!(on_host.container.netns(), host.netns());
    let refused = shop.connect(&alone.container).unwrap_err();
    println!("{refused}");

    drop(on_shop); // the sidecar still uses what is its
    assert_eq!(shop.endpoints().len(), 1);
    drop((on_bridge, beside, alone, on_host));
    shop.remove()?;
    let netns = host.netns().clone();
    drop((shop, host)); // the default network goes with its host
    assert_eq!(netns.snapshot()?, before, "nothing is left");
    Ok(())
}

/// The links of a namespace and their addresses.
fn ip_addr(namespace: &Snapshot) -> String {
    let mut text = String::new();
    for link in &namespace.links {
        let state = if link.up { "UP" } else { "DOWN" };
        let mac = link.mac.map(|mac| format!(" link/ether {mac}"));
        text += &format!("  {}: {}", link.index, link.name);
        text += &format!(
            " <{state}> mtu {}{}\n",
            link.mtu_bytes,
            mac.unwrap_or_default()
        );
        let addresses = namespace.addresses.iter();
        for state in addresses.filter(|state| state.link == link.index) {
            let family = if state.address.addr().is_ipv4() {
                "inet"
            } else {
                "inet6"
            };
            text += &format!("     {family} {}\n", state.address);
        }
    }
    text
}
