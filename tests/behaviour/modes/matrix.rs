//! Every mode, to everybody it may want to reach, in both families, by all that one can call them.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bridgework::resolver::Answer;
use bridgework::{
    Attached, Container, ContainerConfig, EndpointConfig, Family, Host, HostConfig, Netns, Network,
    NetworkConfig,
};

use super::mode;
use crate::bad_input::ip;
use crate::{lab, scratch};

/// What a datagram comes to:
/// - `yes`: it arrives;
/// - `lost`: the name leads to the address, or the address is given, and nothing arrives;
/// - `?`: nobody is known by that name;
/// - `-`: there is no address to send to.
///
/// `itself` is the container, `same` a neighbour in the same mode and on the same network, `other` a
/// container on another network, `host` the host's own address behind the default route, which the
/// containers have in their hosts files as `--add-host` writes it.
///
/// `linked` is `bridge` with `--link` to the neighbour, under the neighbour's alias.
///
/// What goes to `other` from a container of a bridge is lost since these hosts do not forward. On a
/// host that does, keeping networks apart is the firewall's business.
const TABLE: &str = "
    mode       to      v4:address  name  alias  v6:address  name  alias
    bridge     itself  yes         ?     ?      yes         ?     ?
    bridge     same    yes         ?     ?      yes         ?     ?
    bridge     other   lost        ?     ?      lost        ?     ?
    bridge     host    yes         yes   ?      yes         yes   ?
    linked     itself  yes         ?     ?      yes         ?     ?
    linked     same    yes         yes   yes    yes         yes   yes
    linked     other   lost        ?     ?      lost        ?     ?
    linked     host    yes         yes   ?      yes         yes   ?
    user       itself  yes         yes   yes    yes         yes   yes
    user       same    yes         yes   yes    yes         yes   yes
    user       other   lost        ?     ?      lost        ?     ?
    user       host    yes         yes   ?      yes         yes   ?
    container  itself  yes         yes   yes    yes         yes   yes
    container  same    yes         yes   yes    yes         yes   yes
    container  other   lost        ?     ?      lost        ?     ?
    container  host    yes         yes   ?      yes         yes   ?
    host       itself  yes         ?     ?      yes         ?     ?
    host       same    yes         ?     ?      yes         ?     ?
    host       other   yes         ?     ?      yes         ?     ?
    host       host    yes         yes   ?      yes         yes   ?
    none       itself  yes         ?     ?      yes         ?     ?
    none       same    -           ?     ?      -           ?     ?
    none       other   lost        ?     ?      lost        ?     ?
    none       host    lost        lost  ?      lost        lost  ?
";

const HOST_NAME: &str = "host.docker.internal";
const HOST_ADDRESSES: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// What may be waited for a datagram that shall not come. One that comes late would be missed, and
/// never taken for one that came.
const PATIENCE: Duration = Duration::from_millis(100);

/// Somebody who sends, or is sent to.
#[derive(Clone)]
struct Node {
    netns: Netns,
    name: String,
    alias: String,
    addresses: [Option<IpAddr>; 2],
}

/// A container that sends, with what it resolves names by.
struct Sender {
    node: Node,
    container: Container,
    hosts: PathBuf,
}

struct World {
    host: Host,
    _networks: [Network; 2],
    files: scratch::Directory,
    /// All that is attached, for as long as the world is there.
    attached: Vec<Attached>,
}

impl World {
    fn make() -> Self {
        let default = NetworkConfig::bridge("bridge")
            .subnet("172.17.0.0/16")
            .subnet("fd00:17::/64");
        let config = HostConfig::new().netns(Netns::create().unwrap());
        let host = Host::open_with(config.default_network(default)).unwrap();
        // as on every machine, which reaches its own addresses by it
        ip(host.netns(), "link set lo up");
        ip(host.netns(), "link add outside type bridge");
        ip(host.netns(), "link set outside up");
        for address in HOST_ADDRESSES {
            ip(
                host.netns(),
                &format!("address add {address} dev outside nodad"),
            );
        }
        let [net, far] = [("net", 89), ("far", 90)].map(|(name, number)| {
            NetworkConfig::bridge(name)
                .subnet(format!("10.{number}.0.0/24").as_str())
                .subnet(format!("fd00:{number}::/64").as_str())
        });
        let networks = [net, far].map(|config| host.create_network(config).unwrap());
        Self {
            host,
            _networks: networks,
            files: scratch::Directory::new("matrix"),
            attached: Vec::new(),
        }
    }

    /// A container in that mode; what it has no address for has none but its loopback's.
    fn attach(&mut self, text: &str, name: &str, endpoint: EndpointConfig) -> Sender {
        let hosts = self.files.path().join(name);
        let mut config = ContainerConfig::named(name);
        let is_shared = text.starts_with("container:");
        if !is_shared {
            config = config.hosts_file(&hosts);
            for address in HOST_ADDRESSES {
                config = config.extra_host(HOST_NAME, address.parse::<IpAddr>().unwrap());
            }
        }
        let attached = self.host.attach(&mode(text), config, endpoint).unwrap();
        let of_wire = attached.endpoint.as_ref().map(|endpoint| {
            let spec = endpoint.spec();
            [&spec.ipv4, &spec.ipv6].map(|a| a.as_ref().map(|a| a.address.addr()))
        });
        let sender = Sender {
            node: Node {
                netns: attached.container.netns().clone(),
                name: name.to_owned(),
                alias: format!("{name}-alias"),
                addresses: of_wire.unwrap_or_default(),
            },
            container: attached.container.clone(),
            hosts,
        };
        self.attached.push(attached);
        sender
    }

    /// What hosts(5) says, and else the names of all its networks.
    fn resolve(&self, from: &Sender, name: &str, family: Family) -> Option<IpAddr> {
        let text = fs::read_to_string(&from.hosts).unwrap_or_default();
        let of_line = |line: &str| {
            let mut words = line.split_whitespace();
            let address: IpAddr = words.next()?.parse().ok()?;
            let is_meant = Family::of(address) == family && words.any(|word| word == name);
            is_meant.then_some(address)
        };
        text.lines().find_map(of_line).or_else(|| {
            match self.host.view(&from.container).lookup(name, family) {
                Answer::Addresses(found) => found.first().copied(),
                _ => None,
            }
        })
    }

    /// What becomes of a datagram, if it is to be waited for.
    fn send(&self, from: &Sender, to: &Node, column: usize, expected: &str) -> &'static str {
        let number = column / 3;
        let family = [Family::V4, Family::V6][number];
        let address = match column % 3 {
            0 => to.addresses[number].ok_or("-"),
            1 => self.resolve(from, &to.name, family).ok_or("?"),
            _ => self.resolve(from, &to.alias, family).ok_or("?"),
        };
        let address = match address {
            Ok(address) => address,
            Err(none) => return none,
        };
        assert_eq!(
            Some(address),
            to.addresses[number],
            "{} is another",
            to.name
        );
        let patience = match expected {
            "yes" => lab::DEADLINE,
            _ => PATIENCE,
        };
        match lab::udp_arrives(&from.node.netns, &to.netns, address, patience) {
            true => "yes",
            false => "lost",
        }
    }
}

/// The four whom the container of one mode sends to.
struct Row {
    mode: &'static str,
    from: Sender,
    to: [(&'static str, Node); 4],
}

fn rows(world: &mut World) -> Vec<Row> {
    let addresses = |texts: [&str; 2]| texts.map(|text| Some(text.parse().unwrap()));
    let own = |sender: &Sender, addresses| Node {
        addresses,
        ..sender.node.clone()
    };
    let the_host = Node {
        netns: world.host.netns().clone(),
        name: HOST_NAME.to_owned(),
        alias: "host-alias".to_owned(),
        addresses: addresses(HOST_ADDRESSES),
    };
    let nothing = EndpointConfig::new;
    let aliased = |name: &str| EndpointConfig::new().alias(format!("{name}-alias").as_str());
    let default_same = world.attach("bridge", "db", nothing()).node;
    let default = world.attach("bridge", "app", nothing());
    let linked = world.attach("bridge", "linked", nothing().link("db:db-alias"));
    let same = world.attach("net", "mysql", aliased("mysql")).node;
    let user = world.attach("net", "web", aliased("web"));
    let beside = Sender {
        hosts: user.hosts.clone(),
        ..world.attach("container:web", "sidecar", nothing())
    };
    let far = world.attach("far", "far", aliased("far")).node;
    let on_host = world.attach("host", "on-host", nothing());
    let host_same = world.attach("host", "on-host-too", nothing());
    let alone = world.attach("none", "alone", nothing());
    let alone_too = world.attach("none", "alone-too", nothing()).node;

    let of_host = addresses(HOST_ADDRESSES);
    let loopback = addresses(["127.0.0.1", "::1"]);
    let wired = |mode, from: Sender, itself: Node, same: &Node| Row {
        mode,
        from,
        to: [
            ("itself", itself),
            ("same", same.clone()),
            ("other", far.clone()),
            ("host", the_host.clone()),
        ],
    };
    let own_node = |sender: &Sender| sender.node.clone();
    let (itself, of_linked, of_user) = (own_node(&default), own_node(&linked), own_node(&user));
    let (of_on_host, of_alone) = (own(&on_host, of_host), own(&alone, loopback));
    vec![
        wired("bridge", default, itself, &default_same),
        wired("linked", linked, of_linked, &default_same),
        wired("user", user, of_user.clone(), &same),
        wired("container", beside, of_user, &same),
        wired("host", on_host, of_on_host, &own(&host_same, of_host)),
        wired("none", alone, of_alone, &alone_too),
    ]
}

fn table() -> Vec<Vec<&'static str>> {
    let lines = TABLE.lines().map(|line| line.split_whitespace().collect());
    lines
        .filter(|line: &Vec<&str>| !line.is_empty())
        .skip(1)
        .collect()
}

#[test]
fn who_reaches_whom_by_what_is_what_the_table_says() {
    let mut world = World::make();
    let rows = rows(&mut world);
    let mut expected = table().into_iter();
    let mut different = Vec::new();
    for row in &rows {
        for (place, to) in &row.to {
            let line = expected.next().expect("a line of the table");
            assert_eq!(&line[..2], [row.mode, place]);
            assert_eq!(line.len(), 8, "{line:?}");
            let found: Vec<&str> = (0..6)
                .map(|column| world.send(&row.from, to, column, line[2 + column]))
                .collect();
            if found != line[2..] {
                different.push(format!("{line:?} in fact {found:?}"));
            }
        }
    }
    assert_eq!(expected.next(), None, "every line of the table was tried");
    assert!(different.is_empty(), "{different:#?}");
}
