//! Two containers on a network of their own: made, shown, spoken over, and gone again.
//!
//!     cargo run --example two_containers             does it, in a private network of its own
//!     cargo run --example two_containers -- --plan   prints what it would do, and does nothing

mod show;
mod talk;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bridgework::{
    Container, ContainerConfig, EndpointConfig, Family, Host, HostsScope, Netns, NetworkConfig,
    resolver::Answer, sandbox,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    // before anything else: from here on the machine's own network is out of reach
    let outcome = sandbox::enter().map_err(Into::into).and_then(|()| {
        let folder = Folder::make()?;
        let plan_only = std::env::args().any(|argument| argument == "--plan");
        if plan_only {
            plan(&folder.0)
        } else {
            perform(&folder.0)
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("two_containers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn network_config() -> NetworkConfig {
    NetworkConfig::bridge("hmall")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64")
        .hosts(HostsScope::Everyone)
}

fn containers(folder: &Path) -> Result<(Container, Container), bridgework::Error> {
    let open = |name: &str| {
        let config = ContainerConfig::new(name, Netns::create()?);
        Container::open(config.hosts_file(folder.join(name)))
    };
    Ok((open("mysql")?, open("dd")?))
}

fn plan(folder: &Path) -> Outcome {
    let host = Host::isolated()?;
    let mut draft = host.draft_network(&network_config())?;
    let (mysql, dd) = containers(folder)?;
    print!("# network hmall\n{}", draft.plan());
    let as_db = EndpointConfig::new().alias("db");
    print!(
        "# container mysql, alias db\n{}",
        draft.plan_connect(&mysql, &as_db)?
    );
    print!(
        "# container dd\n{}",
        draft.plan_connect(&dd, &EndpointConfig::new())?
    );
    Ok(())
}

fn perform(folder: &Path) -> Outcome {
    let host = Host::isolated()?;
    let before = host.snapshot()?;
    let (mysql, dd) = containers(folder)?;

    let network = host.create_network(network_config())?;
    let at_mysql = network.connect_with(&mysql, EndpointConfig::new().alias("db"))?;
    let at_dd = network.connect(&dd)?;
    show::network(&network);
    show::endpoint(&at_mysql);
    show::endpoint(&at_dd);
    show::hosts_file(&dd, &folder.join("dd"))?;

    println!("\ntalking by name");
    for (from, to, name) in [(&dd, &mysql, "db"), (&mysql, &dd, "dd")] {
        for family in [Family::V4, Family::V6] {
            let Answer::Addresses(found) = network.records().lookup(name, family) else {
                return Err(format!("{name} does not resolve").into());
            };
            let by_hosts_file = addresses_in(&folder.join(from.name().as_str()), name)?;
            for address in found
                .into_iter()
                .filter(|address| by_hosts_file.contains(address))
            {
                talk::udp(from, to, address)?;
                talk::tcp(from, to, address)?;
                talk::ping(from, address)?;
                println!(
                    "  {} -> {name} ({address}): udp, tcp and echo both ways",
                    from.name()
                );
            }
        }
    }

    at_dd.disconnect()?;
    at_mysql.disconnect()?;
    network.remove()?;
    drop((mysql, dd));
    show::nothing_left(&before, &host.snapshot()?, folder)
}

/// The addresses that a hosts file gives for a name, as a resolver reads it (hosts(5)).
fn addresses_in(file: &Path, name: &str) -> std::io::Result<Vec<IpAddr>> {
    let text = std::fs::read_to_string(file)?;
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|word| word == name).then_some(address)
    };
    Ok(text.lines().filter_map(address).collect())
}

/// A folder for hosts files, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn make() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("two_containers-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("two_containers: remove {}: {error}", self.0.display());
        }
    }
}
