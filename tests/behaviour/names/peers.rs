//! Containers that find each other through their hosts files, with no DNS.

use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};

use bridgework::{Container, Endpoint, EndpointConfig, Host, HostsScope, Network, NetworkConfig};

use super::{text, with_hosts};
use crate::{lab, scratch};

fn everyone(host: &Host) -> Network {
    let config = NetworkConfig::bridge("hmall")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64");
    host.create_network(config.hosts(HostsScope::Everyone))
        .unwrap()
}

/// What a resolver finds in the file: fields by white space, comments off, any case.
// hosts(5)
fn resolve(path: &Path, wanted: &str) -> Vec<IpAddr> {
    let text = text(path);
    let address_of = |line: &str| {
        let line = line.split('#').next()?;
        let mut fields = line.split_whitespace();
        let address = fields.next()?.parse().ok()?;
        fields
            .any(|name| name.eq_ignore_ascii_case(wanted))
            .then_some(address)
    };
    text.lines().filter_map(address_of).collect()
}

/// `from` sends to a name that its own file resolves; `to` gets it, at each of the addresses.
fn send_by_name(from: &Container, file: &Path, name: &str, to: &Container) {
    let found = resolve(file, name);
    assert_eq!(found.len(), 2, "{name} in {}", text(file));
    for address in found {
        let listening = to.run(|| UdpSocket::bind((address, 0))).unwrap().unwrap();
        listening.set_read_timeout(Some(lab::DEADLINE)).unwrap();
        let any = if address.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let sending = from.run(|| UdpSocket::bind(any)).unwrap().unwrap();
        sending
            .send_to(name.as_bytes(), listening.local_addr().unwrap())
            .unwrap();
        let mut buffer = [0; 64];
        let (length, _) = listening.recv_from(&mut buffer).expect("the datagram came");
        assert_eq!(&buffer[..length], name.as_bytes());
    }
}

#[test]
fn two_containers_reach_each_other_by_the_names_in_their_files() {
    let directory = scratch::Directory::new("peers");
    let [first, second] = ["mysql", "dd"].map(|name| directory.path().join(name));
    let host = lab::host();
    let network = everyone(&host);
    let mysql = with_hosts("mysql", 0xaa, &first);
    let dd = with_hosts("dd", 0xbb, &second);
    let _mysql = network
        .connect_with(&mysql, EndpointConfig::new().alias("db"))
        .unwrap();
    let at_dd = network.connect(&dd).unwrap();
    for name in ["mysql", "DB", "aaaaaaaaaaaa"] {
        send_by_name(&dd, &second, name, &mysql);
    }
    for name in ["dd", "bbbbbbbbbbbb"] {
        send_by_name(&mysql, &first, name, &dd);
    }
    let theirs = "10.89.0.3\tdd bbbbbbbbbbbb\nfd00:89::3\tdd bbbbbbbbbbbb\n";
    assert!(text(&first).ends_with(theirs), "{}", text(&first));
    let theirs = "10.89.0.2\tmysql db aaaaaaaaaaaa\nfd00:89::2\tmysql db aaaaaaaaaaaa\n";
    assert!(text(&second).ends_with(theirs), "{}", text(&second));
    at_dd.disconnect().unwrap();
    assert_eq!(resolve(&first, "dd"), [] as [IpAddr; 0]);
    assert_eq!(resolve(&second, "mysql"), [] as [IpAddr; 0]);
}

#[test]
fn a_container_without_a_file_is_found_by_those_that_have_one() {
    let directory = scratch::Directory::new("without");
    let path = directory.path().join("hosts");
    let network = everyone(&lab::host());
    let web = with_hosts("web", 0xaa, &path);
    let _db = network.connect(&lab::container("db")).unwrap();
    let _web = network.connect(&web).unwrap();
    let db: Vec<String> = resolve(&path, "db").iter().map(IpAddr::to_string).collect();
    assert_eq!(db, ["10.89.0.2", "fd00:89::2"]);
}

const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

#[test]
fn whoever_leaves_first_the_files_end_as_they_began() {
    for order in ORDERS {
        let directory = scratch::Directory::new("order");
        let paths: [PathBuf; 3] = ["a", "b", "c"].map(|name| directory.path().join(name));
        fs::write(&paths[1], "# theirs\r\n192.0.2.1 printer").unwrap();
        let network = everyone(&lab::host());
        let containers = [("a", 1, 0), ("b", 2, 1), ("c", 3, 2)]
            .map(|(name, id, path): (_, _, usize)| with_hosts(name, id, &paths[path]));
        let before = paths.each_ref().map(|path| text(path));
        let mut endpoints: Vec<Option<Endpoint>> = containers
            .iter()
            .map(|container| network.connect(container).ok())
            .collect();
        for (number, path) in paths.iter().enumerate() {
            for (other, name) in ["a", "b", "c"].iter().enumerate() {
                let expected = if other == number { 0 } else { 2 };
                assert_eq!(
                    resolve(path, name).len(),
                    expected,
                    "{name} in {}",
                    text(path)
                );
            }
        }
        for leaving in order {
            endpoints[leaving].take().unwrap().disconnect().unwrap();
            let name = ["a", "b", "c"][leaving];
            assert!(
                paths.iter().all(|path| resolve(path, name).is_empty()),
                "{order:?}"
            );
        }
        assert_eq!(paths.each_ref().map(|path| text(path)), before, "{order:?}");
    }
}

#[test]
fn all_who_leave_together_leave_the_files_as_they_were() {
    let directory = scratch::Directory::new("together");
    let paths: Vec<PathBuf> = (0..8)
        .map(|n| directory.path().join(n.to_string()))
        .collect();
    let network = everyone(&lab::host());
    let container = |(n, path): (u8, &PathBuf)| with_hosts(&format!("c{n}"), n + 1, path);
    let containers: Vec<Container> = (0..).zip(&paths).map(container).collect();
    let before: Vec<String> = paths.iter().map(|path| text(path)).collect();
    let endpoints = network.connect_all(&containers).unwrap();
    assert_eq!(resolve(&paths[0], "c7").len(), 2);
    assert_eq!(resolve(&paths[7], "c0").len(), 2);
    Endpoint::disconnect_all(endpoints).unwrap();
    let after: Vec<String> = paths.iter().map(|path| text(path)).collect();
    assert_eq!(after, before);
}

#[test]
fn containers_that_come_and_go_at_once_know_exactly_who_is_there_in_the_end() {
    let directory = scratch::Directory::new("at-once");
    let paths: Vec<PathBuf> = (0..6)
        .map(|n| directory.path().join(n.to_string()))
        .collect();
    let network = everyone(&lab::host());
    let live = |(n, path): (u8, &PathBuf)| {
        let container = with_hosts(&format!("c{n}"), n + 1, path);
        for _ in 0..4 {
            network.connect(&container).unwrap().disconnect().unwrap();
        }
        (n < 3)
            .then(|| network.connect(&container).unwrap())
            .ok_or(container)
    };
    let _there: Vec<_> = std::thread::scope(|scope| {
        let spawn = |one| scope.spawn(move || live(one));
        let threads: Vec<_> = (0..).zip(&paths).map(spawn).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    for (number, path) in paths.iter().enumerate() {
        for other in 0..6 {
            let knows = number < 3 && other < 3 && number != other;
            let found = resolve(path, &format!("c{other}")).len();
            assert_eq!(
                found,
                if knows { 2 } else { 0 },
                "c{other} in {}",
                text(path)
            );
        }
    }
}
