//! What may be asked of an endpoint's ways: whether default routes lead by it, at which metric, and what
//! its end on the host's side is called.

use bridgework::plan::Switch;
use bridgework::{Container, EndpointConfig, Family, NetworkConfig};

use crate::lab;

/// The default routes of one family, as `ip` has them: link and metric.
fn defaults(container: &Container, family: &str) -> Option<Vec<(String, u64)>> {
    let routes = lab::ip_json(container.netns(), &format!("{family} route show default"))?;
    let route = |route: &serde_json::Value| {
        let dev = route["dev"].as_str().expect("a link").to_owned();
        (dev, route["metric"].as_u64().unwrap_or(0))
    };
    Some(routes.iter().map(route).collect())
}

fn is(found: Option<Vec<(String, u64)>>, wanted: &[(&str, u64)]) {
    let wanted = wanted
        .iter()
        .map(|(dev, metric)| ((*dev).to_owned(), *metric));
    assert!(found.is_none_or(|found| found == wanted.collect::<Vec<_>>()));
}

#[test]
fn default_routes_have_the_metric_of_the_endpoint_that_they_lead_by() {
    let (host, app) = (lab::host(), lab::container("app"));
    let create = |name: &str| host.create_network(NetworkConfig::bridge(name).ipv6(Switch::On));
    let [first, second, aside] = ["first", "second", "aside"].map(|name| create(name).unwrap());
    let config = |metric| EndpointConfig::new().route_metric(metric);
    let at_first = first.connect_with(&app, config(100)).unwrap();
    is(defaults(&app, "-4"), &[("eth0", 100)]);
    is(defaults(&app, "-6"), &[("eth0", 100)]);
    let at_second = second.connect_with(&app, config(200).priority(1)).unwrap();
    is(defaults(&app, "-4"), &[("eth1", 200)]);
    is(defaults(&app, "-6"), &[("eth1", 200)]);
    let at_aside = EndpointConfig::new().leads_out(Switch::Off).priority(9);
    let _at_aside = aside.connect_with(&app, at_aside).unwrap();
    is(defaults(&app, "-4"), &[("eth1", 200)]);
    at_second.disconnect().unwrap();
    is(defaults(&app, "-4"), &[("eth0", 100)]);
    is(defaults(&app, "-6"), &[("eth0", 100)]);
    at_first.disconnect().unwrap();
    is(defaults(&app, "-4"), &[]);
}

#[test]
fn each_family_s_default_route_leads_by_an_endpoint_that_it_may_lead_by() {
    let (host, app) = (lab::host(), lab::container("app"));
    let create = |name: &str| host.create_network(NetworkConfig::bridge(name).ipv6(Switch::On));
    let [first, second] = ["first", "second"].map(|name| create(name).unwrap());
    let not_by = |family| EndpointConfig::new().leads_out_by(family, Switch::Off);
    let at_first = first.connect_with(&app, not_by(Family::V6)).unwrap();
    is(defaults(&app, "-4"), &[("eth0", 0)]);
    is(defaults(&app, "-6"), &[]);
    let config = not_by(Family::V4).priority(9);
    let _at_second = second.connect_with(&app, config).unwrap();
    is(defaults(&app, "-4"), &[("eth0", 0)]);
    is(defaults(&app, "-6"), &[("eth1", 1024)]);
    let spec = at_first.spec();
    assert!(spec.ipv4.as_ref().unwrap().gateway.is_some());
    assert_eq!(spec.ipv6.as_ref().unwrap().gateway, None);
    at_first.disconnect().unwrap();
    is(defaults(&app, "-4"), &[]);
    // as it was before
    let _again = first.connect(&app).unwrap();
    is(defaults(&app, "-4"), &[("eth0", 0)]);
    is(defaults(&app, "-6"), &[("eth1", 1024)]);
}

#[test]
fn a_container_is_reached_by_further_addresses_and_sends_by_them() {
    let (host, app, web) = (lab::host(), lab::container("app"), lab::container("web"));
    let config = NetworkConfig::bridge("first").subnet("10.61.0.0/24");
    let network = host.create_network(config.subnet("fd61::/64")).unwrap();
    let net = |text: &str| text.parse::<ipnet::IpNet>().unwrap();
    let further = ["10.61.0.77/24", "fd61::77/64"].map(net);
    let config = further
        .into_iter()
        .fold(EndpointConfig::new(), EndpointConfig::further);
    let at_web = network.connect_with(&web, config).unwrap();
    let _at_app = network.connect(&app).unwrap();
    for address in at_web.ips().chain(further.map(|net| net.addr())) {
        lab::tcp_both_ways(&app, &web, address);
    }
    assert_eq!(at_web.spec().link_local, further);
}

#[test]
fn a_connect_that_fails_leaves_the_default_route_of_another_metric_as_it_was() {
    let (host, app) = (lab::host(), lab::container("app"));
    let [first, second] =
        ["first", "second"].map(|name| host.create_network(NetworkConfig::bridge(name)).unwrap());
    let _at_first = first
        .connect_with(&app, EndpointConfig::new().route_metric(100))
        .unwrap();
    let config = EndpointConfig::new().priority(1).route_metric(50);
    let broken = config
        .clone()
        .sysctl("net.ipv4.conf.IFNAME.no_such_setting=1");
    second.connect_with(&app, broken).unwrap_err();
    is(defaults(&app, "-4"), &[("eth0", 100)]);
    second
        .connect_with(&app, config)
        .unwrap()
        .disconnect()
        .unwrap();
    is(defaults(&app, "-4"), &[("eth0", 100)]);
}

#[test]
fn the_end_on_the_host_s_side_is_called_as_asked_unless_that_is_taken() {
    let (host, app, web) = (lab::host(), lab::container("app"), lab::container("web"));
    let network = host.create_network(NetworkConfig::bridge("first")).unwrap();
    let named = || EndpointConfig::new().host_link_name("app-port");
    let at_app = network.connect_with(&app, named()).unwrap();
    assert!(lab::has_link(host.netns(), "app-port").unwrap_or(true));
    let taken = network.connect_with(&web, named()).unwrap_err();
    assert!(
        taken.is_exists() && taken.to_string().contains("app-port"),
        "{taken}"
    );
    at_app.disconnect().unwrap();
    assert!(!lab::has_link(host.netns(), "app-port").unwrap_or(false));
}
