//! Configuration-only networks: listed and shown, never connected to, and kept while in use.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Barrier;
use std::thread;

use bridgework::plan::Switch;
use bridgework::{
    ContainerConfig, EndpointConfig, Fault, Host, HostConfig, Netns, Network, NetworkConfig,
    NetworkMode,
};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::lab;
use crate::scratch::Directory;

use super::{names, refused};

fn small() -> NetworkConfig {
    NetworkConfig::config_only("small")
        .subnet("10.89.0.0/29")
        .gateway([10, 89, 0, 6])
        .label("project", "shop")
        .icc(Switch::Off)
}

fn from(host: &Host, name: &str) -> Result<Network, bridgework::Error> {
    host.create_network(NetworkConfig::bridge(name).config_from("small"))
}

#[test]
fn a_template_takes_its_name_and_nothing_else() {
    let host = lab::host();
    let before = host.snapshot().unwrap();
    let template = host.create_network(small()).unwrap();
    assert!(template.plan().is_empty());
    assert_eq!(host.snapshot().unwrap(), before);
    let shown = template.inspect();
    assert_eq!(
        (shown.config_only, shown.driver.as_str()),
        (Switch::On, "null")
    );
    assert_eq!((&shown.status, shown.containers.len()), (&None, 0));
    assert_eq!(shown.labels["project"], "shop");
    assert_eq!(
        shown.options["com.docker.network.bridge.enable_icc"],
        "false"
    );
    let config = &shown.ipam.config.unwrap()[0];
    assert_eq!(config.subnet.unwrap().to_string(), "10.89.0.0/29");
    assert_eq!(config.gateway, Some([10, 89, 0, 6].into()));
    let text = "create network small: network with name small already exists";
    refused(&host, text, || {
        host.create_network(NetworkConfig::bridge("small"))
    });
    refused(&host, text, || host.create_network(small()));
    let other = NetworkConfig::bridge("other").subnet("10.89.0.0/29");
    host.create_network(other).expect("the subnet is free");
    assert_eq!(names(&host.networks()), ["small"]);
    template.remove().unwrap();
    assert!(host.networks().is_empty());
}

#[test]
fn a_network_from_a_template_is_as_the_template_says_and_says_so() {
    let host = lab::host();
    let _template = host.create_network(small()).unwrap();
    let drafted = NetworkConfig::bridge("web").config_from("small");
    let draft = host.draft_network(&drafted).unwrap();
    assert_eq!(draft.spec().config_from, Some("small".parse().unwrap()));
    let web = from(&host, "web").unwrap();
    let shown = web.inspect();
    assert_eq!(shown.config_from.network, Some("small".parse().unwrap()));
    assert_eq!(
        (shown.config_only, shown.driver.as_str()),
        (Switch::Off, "bridge")
    );
    assert_eq!(shown.labels["project"], "shop");
    assert_eq!(
        shown.options["com.docker.network.bridge.enable_icc"],
        "false"
    );
    let app = lab::container("app");
    let at_app = web.connect(&app).unwrap();
    assert_eq!(at_app.ip().to_string(), "10.89.0.1");
    let gateway = web.spec().ipv4.as_ref().unwrap().gateway;
    assert_eq!(gateway, Some([10, 89, 0, 6].into()));
    let text = "create network web2: subnet 10.89.0.0/29: pool overlaps with other one on this \
                address space: 10.89.0.0/29: network web";
    refused(&host, text, || from(&host, "web2"));
}

#[test]
fn a_template_is_kept_while_a_network_depends_on_it() {
    let host = lab::host();
    let template = host.create_network(small()).unwrap();
    let web = from(&host, "web").unwrap();
    let text = "remove network small: configuration network \"small\" is in use";
    let error = refused(&host, text, || template.remove());
    assert!(error.is_in_use());
    drop(template);
    assert_eq!(
        names(&host.networks()),
        ["small", "web"],
        "the network holds it"
    );
    web.remove().unwrap();
    drop(web);
    assert!(host.networks().is_empty(), "it went with its last handle");
    let template = host.create_network(small()).unwrap();
    let web = from(&host, "web").unwrap();
    web.remove().unwrap();
    template.remove().unwrap();
    template.remove().unwrap();
    let text = "create network web: configuration network \"small\" not found";
    let error = refused(&host, text, || from(&host, "web"));
    assert!(error.is_not_found());
}

#[test]
fn nothing_is_connected_to_a_template() {
    let host = lab::host();
    let template = host.create_network(small()).unwrap();
    let app = lab::container("app");
    let what = "cannot create endpoint on configuration-only network";
    let text = format!("connect app to small: {what}");
    refused(&host, &text, || template.connect(&app));
    let text = format!("plan to connect app to small: {what}");
    refused(&host, &text, || {
        template.plan_connect(&app, &EndpointConfig::new())
    });
    let mut draft = host
        .draft_network(&NetworkConfig::config_only("paper"))
        .unwrap();
    let text = format!("plan to connect app to paper: {what}");
    refused(&host, &text, || {
        draft.plan_connect(&app, &EndpointConfig::new())
    });
    let text = format!("stage an endpoint for app on small: {what}");
    refused(&host, &text, || {
        template.stage("app", EndpointConfig::new())
    });
    let mode: NetworkMode = "small".parse().unwrap();
    let text = format!("attach batch in network mode small: {what}");
    let batch = ContainerConfig::named("batch");
    let error = refused(&host, &text, || {
        host.attach(&mode, batch, EndpointConfig::new())
    });
    assert_eq!(error.faults(), [Fault::TemplateEndpoint]);
    let other = host.create_network(NetworkConfig::bridge("other")).unwrap();
    let endpoint = other.connect(&app).unwrap();
    assert_eq!(endpoint.link_name().as_str(), "eth0", "no name is held");
}

#[test]
fn a_network_is_no_template_and_a_template_s_faults_are_told_with_all_others() {
    let host = lab::host();
    let _web = host.create_network(NetworkConfig::bridge("small")).unwrap();
    let text = "create network web: configuration network \"small\" not found";
    refused(&host, text, || from(&host, "web"));
    let config = NetworkConfig::config_only("small")
        .internal()
        .subnet("10.89.0.0/29");
    let config = config.gateway([10, 90, 0, 1]);
    let error = host.create_network(config.clone()).unwrap_err();
    assert_eq!(error.faults().len(), 3, "{error}");
    let drafted = host.draft_network(&config).unwrap_err();
    assert_eq!(drafted.faults(), error.faults());
    let wanted = NetworkConfig::bridge("small")
        .config_from("x")
        .subnet("10.90.0.0/24");
    let error = host.create_network(wanted).unwrap_err();
    assert_eq!(error.faults().len(), 3, "{error}");
}

#[test]
fn the_default_network_is_no_template() {
    let config = HostConfig::new().default_network(NetworkConfig::config_only("bridge"));
    let host = Host::open_with(config.netns(Netns::create().unwrap())).unwrap();
    let text = "make a pre-defined network: conflicting options: the default network and a \
                configuration-only network";
    refused(&host, text, || host.default_network());
}

/// The host's `resolv.conf` is a pipe: it is read once the template was found, and not to its end
/// before somebody else had the time to remove the template.
#[test]
fn a_template_that_is_removed_while_a_network_is_made_of_it_is_missing() {
    let scratch = Directory::new("template");
    let pipe = scratch.path().join("resolv.conf");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let config = HostConfig::new().resolv_conf(&pipe);
    let host = Host::open_with(config.netns(Netns::create().unwrap())).unwrap();
    let template = host.create_network(small()).unwrap();
    let error = thread::scope(|scope| {
        let making = scope.spawn(|| from(&host, "web"));
        let mut writing = None;
        lab::wait_until("somebody who reads the pipe", || {
            let mut options = OpenOptions::new();
            let options = options.write(true).custom_flags(nix::libc::O_NONBLOCK);
            writing = options.open(&pipe).ok();
            writing.is_some()
        });
        template.remove().unwrap();
        drop(writing);
        making.join().unwrap().expect_err("the template is gone")
    });
    let text = "create network web: configuration network \"small\" not found";
    assert_eq!(error.to_string(), text);
    drop(template);
    assert!(host.networks().is_empty());
}

#[test]
fn a_template_is_removed_or_used_but_never_both() {
    let host = lab::host();
    for _ in 0..50 {
        let template = host.create_network(small()).unwrap();
        let barrier = Barrier::new(2);
        let (made, removed) = thread::scope(|scope| {
            let making = scope.spawn(|| {
                barrier.wait();
                host.create_network(NetworkConfig::config_only("x").config_from("small"))
                    .expect_err("a template of a template");
                from(&host, "web")
            });
            barrier.wait();
            let removed = template.remove();
            (making.join().unwrap(), removed)
        });
        match (made, removed) {
            (Ok(_), Err(error)) => assert!(error.is_in_use(), "{error}"),
            (Err(error), Ok(())) => assert!(error.is_not_found(), "{error}"),
            both => panic!("{both:?}"),
        }
        drop(template);
        assert!(host.networks().is_empty());
    }
}
