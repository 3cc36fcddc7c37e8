//! Which networks a term or a filter means, on a host that has them.

use bridgework::inspect::{NetworkFilter, Scope};
use bridgework::plan::Switch;
use bridgework::spec::Origin;
use bridgework::{Host, Network, NetworkConfig};

use crate::lab;

use super::names;

/// Made only to be found: nothing of them is in the kernel.
fn template(host: &Host, name: &str) -> Network {
    host.create_network(NetworkConfig::config_only(name))
        .unwrap()
}

#[test]
fn a_full_id_is_preferred_to_a_name_and_a_name_to_the_beginning_of_an_id() {
    let host = lab::host();
    let first = template(&host, "first");
    let id = first.id().to_string();
    // the name of another is the beginning of the first one's id
    let named = template(&host, &id[..12]);
    assert_eq!(host.network(&id).unwrap().id(), first.id());
    assert_eq!(host.network(&id[..12]).unwrap().id(), named.id());
    assert_eq!(host.network(&id[..13]).unwrap().id(), first.id());
    assert_eq!(host.network("first").unwrap().id(), first.id());
    named.remove().unwrap();
    assert_eq!(host.network(&id[..12]).unwrap().id(), first.id());
}

#[test]
fn digits_that_several_ids_begin_with_are_ambiguous() {
    let host = lab::host();
    let mut networks: Vec<Network> = Vec::new();
    let digit = |network: &Network| network.id().to_string()[..1].to_owned();
    // of seventeen, two share one of sixteen digits
    let shared = loop {
        let next = template(&host, &format!("net-{}", networks.len()));
        let found = networks.iter().any(|other| digit(other) == digit(&next));
        networks.push(next);
        if found {
            break digit(&networks[networks.len() - 1]);
        }
    };
    let error = host.network(&shared).unwrap_err();
    let text = format!(
        "look up network {shared}: network {shared} is ambiguous (2 matches found based on ID \
         prefix)"
    );
    assert_eq!(error.to_string(), text);
    assert!(error.is_invalid());
    let named = template(&host, &shared);
    assert_eq!(host.network(&shared).unwrap().id(), named.id());
    drop(networks);
    named.remove().unwrap();
    assert!(host.network(&shared).unwrap_err().is_not_found());
}

#[test]
fn a_pre_defined_network_is_found_by_its_names_and_by_its_id_once_it_is_there() {
    let host = lab::host();
    assert!(host.networks().is_empty());
    let bridge = host.network("default").unwrap();
    assert_eq!(names(&host.networks()), ["bridge"]);
    assert_eq!(host.network("bridge").unwrap().id(), bridge.id());
    let id = bridge.id().to_string();
    assert_eq!(host.network(&id).unwrap().id(), bridge.id());
    assert!(host.network("").unwrap_err().is_not_found());
}

#[test]
fn each_filter_lets_through_what_it_says() {
    let host = lab::host();
    for builtin in ["bridge", "host", "none"] {
        host.network(builtin).unwrap();
    }
    let config = |name: &str| NetworkConfig::bridge(name).label("project", "shop");
    let web = host
        .create_network(config("web").label("tier", "front"))
        .unwrap();
    let web_db = host
        .create_network(config("web-db").label("tier", "back"))
        .unwrap();
    let _template = template(&host, "template");
    let app = lab::container("app");
    let _at_app = web.connect(&app).unwrap();
    let staged = web_db
        .stage("later", bridgework::EndpointConfig::new())
        .unwrap();
    let found = |terms: &[&str]| {
        let filter = NetworkFilter::parse(terms).unwrap();
        let found = host.networks_matching(&filter);
        found
            .iter()
            .map(|n| n.name().to_string())
            .collect::<Vec<_>>()
    };
    let all = ["bridge", "host", "none", "template", "web", "web-db"];
    let web_id = format!("id=^{}", web.id().short());
    for (terms, expected) in [
        (vec![], &all[..]),
        (vec!["name=web"], &["web", "web-db"]),
        (vec!["name=^web$"], &["web"]),
        (vec!["name=host", "name=none"], &["host", "none"]),
        (vec![web_id.as_str()], &["web"]),
        (vec!["driver=bridge"], &["bridge", "web", "web-db"]),
        (vec!["driver=null"], &["none", "template"]),
        (vec!["driver=overlay"], &[]),
        (vec!["label=project"], &["web", "web-db"]),
        (vec!["label=project=shop", "label=tier=back"], &["web-db"]),
        (vec!["label=tier=middle"], &[]),
        (vec!["type=builtin"], &["bridge", "host", "none"]),
        (vec!["type=custom", "driver=bridge"], &["web", "web-db"]),
        (vec!["scope=local"], &all),
        (vec!["scope=swarm"], &[]),
        (vec!["dangling=true"], &["template"]),
        (
            vec!["dangling=false"],
            &["bridge", "host", "none", "web", "web-db"],
        ),
    ] {
        assert_eq!(found(&terms), expected, "{terms:?}");
    }
    staged.delete().unwrap();
    assert_eq!(found(&["dangling=true"]), ["template", "web-db"]);
    let typed = NetworkFilter::new()
        .origin(Origin::Custom)
        .scope(Scope::Local);
    let typed = typed.dangling(Switch::Off);
    assert_eq!(names(&host.networks_matching(&typed)), ["web"]);
}
