//! Where other processes find a container: at the file that it was opened by, or where it was pinned.

use std::path::Path;

use bridgework::record::Body;
use bridgework::{Container, ContainerConfig, ContainerName, Host, Netns, NetworkConfig};

use crate::lab;
use crate::shared::two_hosts;

/// A name in `/run/netns`, until this is dropped.
struct Pin(ContainerName);

impl Pin {
    fn new(what: &str) -> Self {
        let name = format!("places-{what}-{}", std::process::id());
        Self(name.parse().unwrap())
    }

    fn path(&self) -> String {
        format!("/run/netns/{}", self.0)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let _unpinned = Netns::unpin(&self.0);
    }
}

/// Connected by one process, that ends, and looked for by another one.
fn found_by_another(
    container: Container,
    [one, other]: &[Host; 2],
) -> bridgework::Result<Container> {
    let network = one.create_network(NetworkConfig::bridge("net")).unwrap();
    network.connect(&container).unwrap().persist().unwrap();
    drop(container);
    other.container("app")
}

#[test]
fn a_container_that_was_pinned_before_it_was_connected_is_found_there() {
    let made: [fn(&Pin) -> Container; 4] = [
        |pin| {
            let app = lab::container("app");
            app.netns().pin(&pin.0).unwrap();
            app
        },
        |pin| {
            let netns = Netns::create().unwrap();
            netns.pin(&pin.0).unwrap();
            Container::open(ContainerConfig::new("app", netns)).unwrap()
        },
        |pin| {
            Netns::create().unwrap().pin(&pin.0).unwrap();
            let netns = Netns::named(&pin.0).unwrap();
            Container::open(ContainerConfig::new("app", netns)).unwrap()
        },
        |pin| {
            // it outlives the file that it was opened by
            let made = Netns::create().unwrap();
            let netns = Netns::at(made.path()).unwrap();
            netns.pin(&pin.0).unwrap();
            Container::open(ContainerConfig::new("app", netns)).unwrap()
        },
    ];
    for (nth, make) in made.iter().enumerate() {
        let (pin, hosts) = (Pin::new(&format!("made-{nth}")), two_hosts());
        let app = make(&pin);
        assert_eq!(app.netns().path(), Path::new(&pin.path()), "{nth}");
        let id = app.id();
        let found = found_by_another(app, &hosts).unwrap();
        assert_eq!(found.id(), id);
        assert_eq!(found.netns().path(), Path::new(&pin.path()));
        let shown = hosts[1].inspect(&found).sandbox_key;
        assert_eq!(shown, pin.path());
        assert!(lab::has_link(found.netns(), "eth0").unwrap_or(true));
        assert_eq!(hosts[1].containers().len(), 1);
        hosts[1].remove_container("app").unwrap();
    }
}

#[test]
fn a_name_that_is_taken_away_leads_nowhere_and_what_it_was_opened_by_does() {
    let (pin, hosts) = (Pin::new("away"), two_hosts());
    let made = Netns::create().unwrap();
    let netns = Netns::at(made.path()).unwrap();
    netns.pin(&pin.0).unwrap();
    Netns::unpin(&pin.0).unwrap();
    assert_eq!(netns.path(), made.path());
    let app = Container::open(ContainerConfig::new("app", netns)).unwrap();
    let found = found_by_another(app, &hosts).unwrap();
    assert_eq!(found.netns().path(), made.path());
}

#[test]
fn a_path_from_where_the_caller_is_is_one_from_everywhere() {
    let made = Netns::create().unwrap();
    let here = std::env::current_dir().unwrap();
    let up: String = here.components().skip(1).map(|_| "../").collect();
    let place = made.path();
    let relative = format!("{up}{}", place.strip_prefix("/").unwrap().display());
    let netns = Netns::at(&relative).unwrap();
    assert!(netns.path().is_absolute());
    assert_eq!(Netns::at(netns.path()).unwrap(), made);
    let app = Container::open(ContainerConfig::new("app", netns)).unwrap();
    let hosts = two_hosts();
    found_by_another(app, &hosts).unwrap();
    let records = hosts[1].records_of("app").unwrap();
    let path = records.iter().find_map(|record| match &record.body {
        Body::Container(container) => container.namespace.path.clone(),
        _ => None,
    });
    assert!(path.unwrap().is_absolute());
}

#[test]
fn who_does_not_find_it_is_told_where_it_was_and_what_helps() {
    let hosts = two_hosts();
    let made = Netns::create().unwrap();
    let place = made.path();
    let app = ContainerConfig::new("app", Netns::at(&place).unwrap());
    let app = Container::open(app).unwrap();
    drop(made);
    let lost = found_by_another(app, &hosts).unwrap_err();
    assert!(lost.is_not_found(), "{lost}");
    let text = lost.to_string();
    assert!(text.contains(&place.display().to_string()), "{text}");
    assert!(text.contains("pin it"), "{text}");

    hosts[0].keep(&lab::container("unseen")).unwrap();
    let lost = hosts[1].container("unseen").unwrap_err();
    assert!(lost.is_not_found(), "{lost}");
    assert!(lost.to_string().contains("pin it"), "{lost}");
}
