//! Names where no server answers for them, and where one does: a link on the default network, which
//! is a line in one container's hosts file, and aliases on a user-defined network, both ways. Run it
//! as you are: it makes a private machine first.
use bridgework::resolver::Answer;
use bridgework::{
    Container, ContainerConfig, EndpointConfig, Family, Host, NetworkConfig, sandbox,
};
use std::net::{IpAddr, UdpSocket};
use std::path::Path;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    sandbox::enter()?;
    let folder = std::env::temp_dir().join(format!("links-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let done = link_one_way(&folder).and_then(|()| alias_both_ways());
    std::fs::remove_dir(&folder)?; // it is empty: hosts files go with their containers
    done
}

/// `app` knows `mysql` as `db`; `mysql` does not know `app`.
fn link_one_way(folder: &Path) -> Outcome {
    let host = Host::isolated()?;
    let before = host.snapshot()?;
    let open = |name| Container::open(ContainerConfig::named(name).hosts_file(folder.join(name)));
    let (mysql, app) = (open("mysql")?, open("app")?);
    let network = host.default_network()?;
    let at_mysql = network.connect(&mysql)?;
    let at_app = network.connect_with(&app, EndpointConfig::new().link("mysql:db"))?;

    let db = by_file(&folder.join("app"), "db")?.ok_or("app does not know db")?;
    greet(&app, &mysql, db)?;
    assert_eq!(
        by_file(&folder.join("mysql"), "app")?,
        None,
        "one way alone"
    );
    println!("default network: app finds db at {db} by its hosts file");

    at_app.disconnect()?;
    at_mysql.disconnect()?;
    assert_eq!(
        by_file(&folder.join("app"), "db")?,
        None,
        "the line is gone"
    );
    let netns = host.netns().clone();
    drop((network, host)); // the default network goes with its host
    assert_eq!(netns.snapshot()?, before, "nothing is left");
    Ok(())
}

/// `web` and `api` know each other by names that the network has for them.
fn alias_both_ways() -> Outcome {
    let host = Host::isolated()?;
    let before = host.snapshot()?;
    let network = host.create_network(NetworkConfig::bridge("shop"))?;
    let (web, api) = (Container::isolated("web")?, Container::isolated("api")?);
    let at_web = network.connect_with(&web, EndpointConfig::new().alias("front"))?;
    let at_api = network.connect_with(&api, EndpointConfig::new().alias("back"))?;
    for (from, to, name) in [(&web, &api, "back"), (&api, &web, "front")] {
        let Answer::Addresses(found) = host.view(from).lookup(name, Family::V4) else {
            return Err(format!("{} does not know {name}", from.name()).into());
        };
        greet(from, to, found[0])?;
        println!("network shop: {} finds {name} at {}", from.name(), found[0]);
    }
    at_api.disconnect()?;
    at_web.disconnect()?;
    network.remove()?;
    assert_eq!(host.snapshot()?, before, "nothing is left");
    Ok(())
}

/// The address that a hosts file has for a name (hosts(5)).
fn by_file(file: &Path, name: &str) -> Outcome<Option<IpAddr>> {
    let text = std::fs::read_to_string(file)?;
    let has_name = |line: &&str| line.split_whitespace().skip(1).any(|word| word == name);
    let line = text.lines().find(has_name);
    Ok(line.and_then(|line| line.split_whitespace().next()?.parse().ok()))
}

/// A datagram from one to the other.
fn greet(from: &Container, to: &Container, address: IpAddr) -> Outcome {
    let server = to.run(|| UdpSocket::bind((address, 0)))??;
    server.set_read_timeout(Some(std::time::Duration::from_secs(10)))?;
    let client = from.run(|| UdpSocket::bind("0.0.0.0:0"))??;
    client.send_to(b"hello", server.local_addr()?)?;
    let length = server.recv(&mut [0; 16])?;
    assert_eq!(length, 5);
    Ok(())
}
