//! Links that somebody else takes away or moves elsewhere in between.

use bridgework::{EndpointConfig, Errno, Netns};

use crate::by_hand::{Pinned, ip, links};
use crate::lab;

use super::Street;

#[test]
fn a_wire_that_is_gone_can_not_be_joined_and_is_deleted_all_the_same() {
    let street = Street::new();
    let app = lab::container("app");
    let staged = street.stage();
    ip(
        street.host.netns(),
        &format!("link del {}", staged.link_name()),
    );
    let (error, staged) = staged.join(&app).unwrap_err().into_parts();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(error.errno(), Some(Errno::ENODEV), "{error}");
    assert!(error.left_behind().is_empty(), "{error}");
    staged.delete().unwrap();
    let endpoint = street.network.connect(&app).unwrap();
    street.assert_reachable(&endpoint);
    drop(endpoint);
    street.assert_all_goes();
}

#[test]
fn an_end_that_is_in_a_third_namespace_is_in_neither_and_goes_from_there() {
    let street = Street::new();
    let elsewhere = Netns::create().unwrap();
    let _pinned = Pinned::new(&elsewhere, "staged-elsewhere");
    let staged = street.stage();
    let (host, link) = (street.host.netns(), staged.link_name());
    ip(host, &format!("link set dev {link} netns staged-elsewhere"));
    let (error, staged) = staged
        .join(&lab::container("app"))
        .unwrap_err()
        .into_parts();
    assert!(error.is_not_found(), "{error}");
    staged.delete().unwrap();
    assert_eq!(links(&elsewhere), ["lo"]);
    street.assert_all_goes();
}

#[test]
fn a_wire_that_was_lost_after_joining_is_not_there_to_be_joined_again() {
    let street = Street::new();
    let app = lab::container("app");
    let endpoint = street.stage().join(&app).unwrap();
    ip(app.netns(), "link del eth0");
    let staged = endpoint.leave().unwrap();
    assert!(!street.resolves());
    let (error, staged) = staged.join(&app).unwrap_err().into_parts();
    assert!(error.is_not_found(), "{error}");
    staged.delete().unwrap();
    street.assert_all_goes();
}

/// The index on the host's side is the endpoint's, and somebody has it in between.
#[test]
fn an_endpoint_that_can_not_go_back_to_the_hosts_side_is_disconnected() {
    let street = Street::new();
    let app = lab::container("app");
    let config = EndpointConfig::new().alias("db").ip([10, 89, 0, 9]);
    let staged = street.network.stage("app", config).unwrap();
    let index = staged.spec().link.index;
    let endpoint = staged.join(&app).unwrap();
    let host = street.host.netns();
    ip(host, &format!("link add taken index {index} type bridge"));
    let (error, endpoint) = endpoint.leave().unwrap_err().into_parts();
    assert!(
        error.to_string().starts_with("leave web with app: "),
        "{error}"
    );
    assert!(error.left_behind().is_empty(), "{error}");
    assert_eq!(links(app.netns()), ["lo"]);
    assert!(!street.resolves());
    assert_eq!(street.network.endpoints().len(), 1);
    endpoint.disconnect().unwrap();
    ip(host, "link del taken");
    // all is free for the same container
    let config = EndpointConfig::new().alias("db").ip([10, 89, 0, 9]);
    let again = street.network.connect_with(&app, config).unwrap();
    street.assert_reachable(&again);
    drop(again);
    street.assert_all_goes();
}

#[test]
fn a_container_that_goes_while_it_is_joined_takes_nothing_along() {
    let street = Street::new();
    let endpoint = street.stage().join(&lab::container("app")).unwrap();
    let netns = endpoint.container().netns().clone();
    ip(&netns, "link set dev eth0 down");
    let staged = endpoint.leave().unwrap();
    drop(netns);
    let endpoint = staged.join(&lab::container("app")).unwrap();
    street.assert_reachable(&endpoint);
    drop(endpoint);
    street.assert_all_goes();
}
