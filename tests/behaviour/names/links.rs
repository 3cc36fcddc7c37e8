//! Links on the default bridge: lines in one hosts file, which follow whom they lead to.

use std::fs;
use std::path::PathBuf;

use bridgework::{Container, EndpointConfig, Fault, Host, Network, NetworkConfig};

use super::files::BASE;
use super::{config, text, with_hosts};
use crate::{lab, scratch};

struct Ground {
    _host: Host,
    network: Network,
    directory: scratch::Directory,
    db: Container,
    app: Container,
}

impl Ground {
    fn new(name: &str) -> Self {
        let directory = scratch::Directory::new(name);
        let host = lab::host();
        let file = |name: &str| directory.path().join(name);
        Self {
            network: host.default_network().unwrap(),
            _host: host,
            db: with_hosts("mysql", 0xaa, &file("db")),
            app: with_hosts("app", 0xbb, &file("app")),
            directory,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn app_file(&self) -> String {
        text(&self.path("app"))
    }
}

fn linked() -> EndpointConfig {
    EndpointConfig::new().link("mysql:db")
}

#[test]
fn a_link_is_a_line_in_the_file_of_the_one_that_links() {
    let ground = Ground::new("one-way");
    let _db = ground.network.connect(&ground.db).unwrap();
    let at_app = ground.network.connect_with(&ground.app, linked()).unwrap();
    let own = "172.17.0.3\tbbbbbbbbbbbb\n";
    let link = "172.17.0.2\tdb aaaaaaaaaaaa mysql\n";
    assert_eq!(ground.app_file(), format!("{BASE}{own}{link}"));
    let other = format!("{BASE}172.17.0.2\taaaaaaaaaaaa\n");
    assert_eq!(text(&ground.path("db")), other, "one direction only");
    at_app.disconnect().unwrap();
    assert_eq!(ground.app_file(), BASE);
    assert_eq!(text(&ground.path("db")), other);
}

#[test]
fn links_have_all_addresses_and_names_of_whom_they_lead_to() {
    let directory = scratch::Directory::new("names");
    let dual = NetworkConfig::bridge("bridge").subnet("10.1.0.0/24");
    let dual = dual.subnet("fd01::/64");
    let host = bridgework::HostConfig::new()
        .netns(bridgework::Netns::create().unwrap())
        .default_network(dual);
    let network = Host::open_with(host).unwrap().default_network().unwrap();
    let db = Container::open(config("mysql", 0xaa).hostname("store")).unwrap();
    let path = directory.path().join("app");
    let app = with_hosts("app", 0xbb, &path);
    let _db = network.connect(&db).unwrap();
    let twice = linked().link("mysql");
    let _app = network.connect_with(&app, twice).unwrap();
    let links = "10.1.0.2\tdb store mysql\nfd01::2\tdb store mysql
10.1.0.2\tmysql store\nfd01::2\tmysql store\n";
    assert!(text(&path).ends_with(links), "{}", text(&path));
}

#[test]
fn a_target_that_returns_with_another_address_is_found_there() {
    let ground = Ground::new("returns");
    let at_db = ground.network.connect(&ground.db).unwrap();
    let _app = ground.network.connect_with(&ground.app, linked()).unwrap();
    let own = "172.17.0.3\tbbbbbbbbbbbb\n";
    at_db.disconnect().unwrap();
    assert_eq!(ground.app_file(), format!("{BASE}{own}"));
    let squatter = lab::container("squatter");
    // whoever was there before gets its address again, unless somebody has it by then
    ground
        .network
        .reserve(squatter.name(), [172, 17, 0, 2])
        .unwrap();
    let _squatter = ground.network.connect(&squatter).unwrap();
    let at_db = ground.network.connect(&ground.db).unwrap();
    let ip = at_db.ip();
    assert_ne!(ip.to_string(), "172.17.0.2");
    let link = format!("{ip}\tdb aaaaaaaaaaaa mysql\n");
    assert_eq!(ground.app_file(), format!("{BASE}{own}{link}"));
}

#[test]
fn whoever_links_and_returns_has_its_links_again() {
    let ground = Ground::new("linker");
    let _db = ground.network.connect(&ground.db).unwrap();
    let at_app = ground.network.connect_with(&ground.app, linked()).unwrap();
    let before = ground.app_file();
    at_app.disconnect().unwrap();
    let _app = ground.network.connect(&ground.app).unwrap();
    assert_eq!(ground.app_file(), before);
}

#[test]
fn a_link_to_one_that_is_not_on_the_network_is_refused_and_nothing_written() {
    let ground = Ground::new("refused");
    let error = ground.network.connect_with(&ground.app, linked());
    let error = error.unwrap_err();
    let (container, network) = ("mysql".parse().unwrap(), "bridge".parse().unwrap());
    assert_eq!(error.faults(), [Fault::LinkTarget { container, network }]);
    let words = "cannot link to mysql, as it does not belong to the default network";
    assert!(error.to_string().ends_with(words), "{error}");
    assert_eq!(ground.app_file(), BASE);
    assert!(ground.network.endpoints().is_empty());
}

#[test]
fn what_a_user_wrote_between_the_lines_stays_when_links_come_and_go() {
    let ground = Ground::new("edits");
    let at_db = ground.network.connect(&ground.db).unwrap();
    let _app = ground.network.connect_with(&ground.app, linked()).unwrap();
    let link = "172.17.0.2\tdb aaaaaaaaaaaa mysql\n";
    let edited = format!("{}172.17.0.2\tdb # mine\n", ground.app_file());
    fs::write(ground.path("app"), &edited).unwrap();
    at_db.disconnect().unwrap();
    assert_eq!(ground.app_file(), edited.replace(link, ""));
    let _db = ground.network.connect(&ground.db).unwrap();
    assert_eq!(ground.app_file(), edited.replace(link, "") + link);
}
