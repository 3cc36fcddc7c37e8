//! What is refused, typed, with the endpoint handed back as it was.

use bridgework::{
    Container, ContainerConfig, EndpointConfig, Fault, HandBack, NetworkMode, StagedEndpoint,
};

use crate::by_hand::{Pinned, ip, links};
use crate::lab;

use super::{Street, dual};

/// It is refused for that fault alone, and is what it was.
#[track_caller]
fn refused(staged: StagedEndpoint, container: &Container, expected: &Fault) -> StagedEndpoint {
    let id = staged.id();
    let (error, staged) = staged.join(container).unwrap_err().into_parts();
    assert_eq!(error.faults(), std::slice::from_ref(expected));
    assert!(error.left_behind().is_empty());
    assert!(error.to_string().starts_with("join "), "{error}");
    assert_eq!(staged.id(), id);
    staged
}

#[test]
fn a_join_that_can_not_be_is_refused_and_another_one_may_follow() {
    let street = Street::new();
    let staged = street.stage();
    let host = street.host.snapshot().unwrap();
    let why = "container other and an endpoint staged for app".to_owned();
    let staged = refused(staged, &lab::container("other"), &Fault::Conflicting(why));

    let config = ContainerConfig::new("app", street.host.netns().clone());
    let in_host = Container::open(config).unwrap();
    let why = "app has the host's own namespace".to_owned();
    let staged = refused(staged, &in_host, &Fault::Conflicting(why));

    let attach = |mode: &str, name: &str| {
        let mode: NetworkMode = mode.parse().unwrap();
        let config = ContainerConfig::named(name);
        let attached = street.host.attach(&mode, config, EndpointConfig::new());
        attached.unwrap().container
    };
    let alone = attach("none", "app");
    let staged = refused(staged, &alone, &Fault::PrivateStack);
    let first = attach("bridge", "first");
    let config = ContainerConfig::sharing("app", &first);
    let beside = Container::open(config).unwrap();
    let staged = refused(staged, &beside, &Fault::SharedStack);
    drop((alone, beside, first));

    assert_eq!(
        street
            .host
            .snapshot()
            .unwrap()
            .link_named("docker0")
            .map(|_| ()),
        Some(())
    );
    assert!(!street.resolves());
    for link in &host.links {
        assert!(
            street.host.snapshot().unwrap().links.contains(link),
            "{link:?}"
        );
    }
    let endpoint = staged.join(&lab::container("app")).unwrap();
    street.assert_reachable(&endpoint);
}

#[test]
fn a_name_that_is_taken_in_the_container_is_refused_and_free_later() {
    let street = Street::new();
    let second = dual(&street.host, "second", 1);
    let app = lab::container("app");
    let config = || EndpointConfig::new().link_name("lan0");
    let at_web = street.network.connect_with(&app, config()).unwrap();
    let staged = second.stage("app", config()).unwrap();
    let fault = Fault::LinkExists {
        name: "lan0".parse().unwrap(),
        namespace: Some("app".to_owned()),
    };
    let staged = refused(staged, &app, &fault);
    street.assert_reachable(&at_web);
    at_web.disconnect().unwrap();
    let endpoint = staged.join(&app).unwrap();
    assert_eq!(endpoint.link_name().as_str(), "lan0");
    endpoint.disconnect().unwrap();
    second.remove().unwrap();
    street.assert_all_goes();
}

/// A link that nobody knows of: where the caller has not asked for a name, the next one is taken.
#[test]
fn a_foreign_links_name_is_passed_over() {
    let street = Street::new();
    let app = lab::container("app");
    ip(app.netns(), "link add eth0 type bridge");
    let endpoint = street.stage().join(&app).unwrap();
    assert_eq!(endpoint.link_name().as_str(), "eth1");
    street.assert_reachable(&endpoint);
    endpoint.disconnect().unwrap();
    assert_eq!(links(app.netns()), ["lo", "eth0"]);
    street.assert_all_goes();
}

/// A link that nobody knows of: the kernel says so in the midst of joining.
#[test]
fn what_the_kernel_refuses_is_taken_back_and_may_be_tried_again() {
    let street = Street::new();
    let app = lab::container("app");
    ip(app.netns(), "link add lan0 type bridge");
    let config = EndpointConfig::new().link_name("lan0");
    let staged = street.network.stage("app", config).unwrap();
    let host = street.host.snapshot().unwrap();
    let (error, staged) = staged.join(&app).unwrap_err().into_parts();
    let taken = Fault::LinkExists {
        name: "lan0".parse().unwrap(),
        namespace: Some("app".to_owned()),
    };
    assert_eq!(error.faults(), [taken]);
    assert!(error.left_behind().is_empty(), "{error}");
    assert_eq!(street.host.snapshot().unwrap(), host);
    assert_eq!(links(app.netns()), ["lo", "lan0"]);
    assert!(!street.resolves());
    ip(app.netns(), "link del lan0");
    let endpoint = staged.join(&app).unwrap();
    street.assert_reachable(&endpoint);
    drop(endpoint);
    street.assert_all_goes();
}

#[test]
fn a_join_that_fails_leaves_a_link_where_the_caller_has_moved_it() {
    let street = Street::new();
    let app = lab::container("app");
    let _pinned = Pinned::new(app.netns(), "staged-refused");
    let config = EndpointConfig::new().sysctl("net.ipv4.conf.IFNAME.no_such_setting=1");
    let staged = street.network.stage("app", config).unwrap();
    let (host, link) = (street.host.netns(), staged.link_name());
    ip(
        host,
        &format!("link set dev {link} netns staged-refused name lan7"),
    );
    let refused = staged.join(&app).unwrap_err();
    assert!(refused.error().is_not_found(), "{refused}");
    assert!(refused.error().left_behind().is_empty(), "{refused}");
    assert_eq!(links(app.netns()), ["lo", "lan7"]);
    assert_eq!(lab::addresses(app.netns(), "lan7").unwrap().len(), 0);
    drop(refused);
    assert_eq!(links(app.netns()), ["lo"]);
    street.assert_all_goes();
}

#[test]
fn one_name_is_staged_or_connected_once() {
    let street = Street::new();
    let app = lab::container("app");
    let exists = [Fault::EndpointExists {
        container: "app".parse().unwrap(),
        network: "web".parse().unwrap(),
    }];
    let stage = || street.network.stage("app", EndpointConfig::new());
    let staged = stage().unwrap();
    assert_eq!(stage().unwrap_err().faults(), exists);
    assert_eq!(street.network.connect(&app).unwrap_err().faults(), exists);
    let endpoint = staged.join(&app).unwrap();
    assert_eq!(stage().unwrap_err().faults(), exists);
    let staged = endpoint.leave().unwrap();
    assert_eq!(stage().unwrap_err().faults(), exists);
    let error = street.network.disconnect("app").unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let endpoint = staged.join(&app).unwrap();
    street.assert_reachable(&endpoint);
    endpoint.disconnect().unwrap();
    stage().unwrap().delete().unwrap();
    street.assert_all_goes();
}

#[test]
fn an_endpoint_that_was_not_staged_is_handed_back_and_works_on() {
    let street = Street::new();
    let endpoint = street.network.connect(&lab::container("app")).unwrap();
    let refused: HandBack<_> = endpoint.leave().unwrap_err();
    let why = "leaving and an endpoint that was not staged".to_owned();
    assert_eq!(refused.error().faults(), [Fault::Conflicting(why)]);
    let endpoint = refused.into_handle();
    street.assert_reachable(&endpoint);
    endpoint.disconnect().unwrap();
    street.assert_all_goes();
}

#[test]
fn an_endpoint_that_was_disconnected_by_name_can_not_leave() {
    let street = Street::new();
    let endpoint = street.stage().join(&lab::container("app")).unwrap();
    street.network.disconnect("app").unwrap();
    let (error, endpoint) = endpoint.leave().unwrap_err().into_parts();
    assert!(error.is_not_found(), "{error}");
    // somebody else has the name by now, and keeps it
    let again = street.network.connect(&lab::container("app")).unwrap();
    drop(endpoint);
    street.assert_reachable(&again);
    again.disconnect().unwrap();
    street.assert_all_goes();
}

#[test]
fn a_network_stays_while_an_endpoint_is_staged_and_says_which() {
    let host = lab::host();
    let network = dual(&host, "web", 0);
    let staged = network.stage("app", EndpointConfig::new()).unwrap();
    let blocks = |staged: &StagedEndpoint| {
        let error = network.remove().unwrap_err();
        assert!(error.is_in_use(), "{error}");
        let named = format!("(name:\"app\" id:\"{}\")", staged.id().short());
        assert!(error.to_string().contains(&named), "{error}");
    };
    blocks(&staged);
    let staged = staged
        .join(&lab::container("app"))
        .unwrap()
        .leave()
        .unwrap();
    blocks(&staged);
    staged.delete().unwrap();
    network.remove().unwrap();
    let error = network.stage("app", EndpointConfig::new()).unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[test]
fn networks_without_wires_have_nothing_to_stage() {
    let host = lab::host();
    for name in ["host", "none"] {
        let network = host.network(name).unwrap();
        let error = network.stage("app", EndpointConfig::new()).unwrap_err();
        assert!(
            matches!(
                error.faults(),
                [Fault::HostStackLater | Fault::PrivateStack]
            ),
            "{error}"
        );
        assert_eq!(network.endpoints().len(), 0);
    }
}
