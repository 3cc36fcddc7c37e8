//! What is shown, against text written by hand: each key, its value and its place.

use bridgework::plan::Switch;
use bridgework::{
    Container, ContainerConfig, ContainerId, EndpointConfig, Host, Network, NetworkConfig,
    NetworkMode,
};
use serde::Serialize;

use crate::lab;

/// `shown` is this text; each `{key}` of it stands for what only the machine knows.
fn assert_shown(shown: &impl Serialize, text: &str, known: &[(&str, String)]) {
    let mut expected = text.to_owned();
    for (key, value) in known {
        expected = expected.replace(&format!("{{{key}}}"), value);
    }
    assert_eq!(
        serde_json::to_string_pretty(shown).unwrap(),
        expected.trim()
    );
}

fn container(name: &str, byte: u8) -> Container {
    let config = ContainerConfig::named(name)
        .id(ContainerId::from_bytes([byte; 32]))
        .hostname(format!("{name}-host").as_str());
    Container::open(config).unwrap()
}

fn web(host: &Host) -> Network {
    let config = NetworkConfig::bridge("web")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64")
        .ip_range("10.89.0.64/26")
        .auxiliary("printer", [10, 89, 0, 9])
        .label("project", "shop")
        .icc(Switch::Off)
        .option("com.docker.network.driver.mtu", "1400");
    host.create_network(config).unwrap()
}

fn asked() -> EndpointConfig {
    EndpointConfig::new()
        .ip([10, 89, 0, 5])
        .ip([0xfd00, 0x89, 0, 0, 0, 0, 0, 5])
        .link_local([169, 254, 7, 7])
        .mac("02:42:0a:59:00:05")
        .alias("db")
        .alias("sql")
        .link("c2:cache")
        .link_name("lan0")
        .sysctl("net.ipv4.conf.IFNAME.log_martians=1")
        .priority(10)
}

const WEB: &str = r#"
{
  "Name": "web",
  "Id": "{web}",
  "Created": "{created}",
  "Scope": "local",
  "Driver": "bridge",
  "EnableIPv4": true,
  "EnableIPv6": true,
  "IPAM": {
    "Driver": "default",
    "Options": {},
    "Config": [
      {
        "Subnet": "10.89.0.0/24",
        "IPRange": "10.89.0.64/26",
        "Gateway": "10.89.0.64",
        "AuxiliaryAddresses": {
          "printer": "10.89.0.9"
        }
      },
      {
        "Subnet": "fd00:89::/64",
        "Gateway": "fd00:89::1"
      }
    ]
  },
  "Internal": false,
  "Attachable": false,
  "Ingress": false,
  "ConfigFrom": {
    "Network": ""
  },
  "ConfigOnly": false,
  "Options": {
    "com.docker.network.bridge.enable_icc": "false",
    "com.docker.network.driver.mtu": "1400"
  },
  "Labels": {
    "project": "shop"
  },
  "Containers": {
    "0101010101010101010101010101010101010101010101010101010101010101": {
      "Name": "c1",
      "EndpointID": "{at_web}",
      "MacAddress": "02:42:0a:59:00:05",
      "IPv4Address": "10.89.0.5/24",
      "IPv6Address": "fd00:89::5/64"
    },
    "0202020202020202020202020202020202020202020202020202020202020202": {
      "Name": "c2",
      "EndpointID": "{other}",
      "MacAddress": "{other_mac}",
      "IPv4Address": "10.89.0.65/24",
      "IPv6Address": "fd00:89::2/64"
    }
  },
  "Status": {
    "IPAM": {
      "Subnets": {
        "10.89.0.0/24": {
          "IPsInUse": 6,
          "DynamicIPsAvailable": 62
        },
        "fd00:89::/64": {
          "IPsInUse": 4,
          "DynamicIPsAvailable": 18446744073709551612
        }
      }
    }
  }
}
"#;

const C1: &str = r#"
{
  "SandboxID": "net:[{inode}]",
  "SandboxKey": "{path}",
  "Ports": {},
  "Networks": {
    "back": {
      "IPAMConfig": null,
      "Links": null,
      "Aliases": null,
      "DriverOpts": null,
      "GwPriority": 0,
      "NetworkID": "{back}",
      "EndpointID": "{at_back}",
      "Gateway": "",
      "IPAddress": "10.90.0.2",
      "MacAddress": "{back_mac}",
      "IPPrefixLen": 24,
      "IPv6Gateway": "",
      "GlobalIPv6Address": "",
      "GlobalIPv6PrefixLen": 0,
      "DNSNames": [
        "c1",
        "010101010101",
        "c1-host"
      ]
    },
    "web": {
      "IPAMConfig": {
        "IPv4Address": "10.89.0.5",
        "IPv6Address": "fd00:89::5",
        "LinkLocalIPs": [
          "169.254.7.7"
        ]
      },
      "Links": [
        "c2:cache"
      ],
      "Aliases": [
        "db",
        "sql"
      ],
      "DriverOpts": {
        "com.docker.network.endpoint.ifname": "lan0",
        "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1"
      },
      "GwPriority": 10,
      "NetworkID": "{web}",
      "EndpointID": "{at_web}",
      "Gateway": "10.89.0.64",
      "IPAddress": "10.89.0.5",
      "MacAddress": "02:42:0a:59:00:05",
      "IPPrefixLen": 24,
      "IPv6Gateway": "fd00:89::1",
      "GlobalIPv6Address": "fd00:89::5",
      "GlobalIPv6PrefixLen": 64,
      "DNSNames": [
        "c1",
        "db",
        "sql",
        "010101010101",
        "c1-host"
      ]
    }
  }
}
"#;

#[test]
fn two_networks_and_a_container_on_both_are_shown_as_docker_shows_them() {
    let host = lab::host();
    let web = web(&host);
    let config = NetworkConfig::bridge("back")
        .subnet("10.90.0.0/24")
        .internal();
    let back = host.create_network(config).unwrap();
    let (c1, c2) = (container("c1", 1), container("c2", 2));
    let other = web.connect(&c2).unwrap();
    let at_back = back.connect(&c1).unwrap();
    let at_web = web.connect_with(&c1, asked()).unwrap();
    let known = [
        ("web", web.id().to_string()),
        ("created", web.spec().created.to_string()),
        ("back", back.id().to_string()),
        ("at_web", at_web.id().to_string()),
        ("at_back", at_back.id().to_string()),
        ("other", other.id().to_string()),
        ("other_mac", other.mac().to_string()),
        ("back_mac", at_back.mac().to_string()),
        ("inode", c1.netns().inode().to_string()),
        ("path", c1.netns().path().display().to_string()),
    ];
    assert_shown(&web.inspect(), WEB, &known);
    assert_shown(&host.inspect(&c1), C1, &known);
    at_web.disconnect().unwrap();
    let shown = host.inspect(&c1);
    assert_eq!(shown.networks.keys().collect::<Vec<_>>(), ["back"]);
    assert_eq!(web.inspect().containers.len(), 1);
}

const NONE: &str = r#"
{
  "Name": "none",
  "Id": "{network}",
  "Created": "{created}",
  "Scope": "local",
  "Driver": "null",
  "EnableIPv4": false,
  "EnableIPv6": false,
  "IPAM": {
    "Driver": "default",
    "Options": null,
    "Config": null
  },
  "Internal": false,
  "Attachable": false,
  "Ingress": false,
  "ConfigFrom": {
    "Network": ""
  },
  "ConfigOnly": false,
  "Options": {},
  "Labels": {},
  "Containers": {
    "0303030303030303030303030303030303030303030303030303030303030303": {
      "Name": "batch",
      "EndpointID": "{endpoint}",
      "MacAddress": "",
      "IPv4Address": "",
      "IPv6Address": ""
    }
  }
}
"#;

const PLACE: &str = r#"
{
  "SandboxID": "net:[{inode}]",
  "SandboxKey": "{path}",
  "Ports": {},
  "Networks": {
    "{name}": {
      "IPAMConfig": null,
      "Links": null,
      "Aliases": null,
      "DriverOpts": null,
      "GwPriority": 0,
      "NetworkID": "{network}",
      "EndpointID": "{endpoint}",
      "Gateway": "",
      "IPAddress": "",
      "MacAddress": "",
      "IPPrefixLen": 0,
      "IPv6Gateway": "",
      "GlobalIPv6Address": "",
      "GlobalIPv6PrefixLen": 0,
      "DNSNames": null
    }
  }
}
"#;

#[test]
fn a_container_in_mode_host_or_none_has_a_place_with_nothing_in_it() {
    let host = lab::host();
    for mode in [NetworkMode::None, NetworkMode::Host] {
        let config = ContainerConfig::named("batch").id(ContainerId::from_bytes([3; 32]));
        let attached = host.attach(&mode, config, EndpointConfig::new()).unwrap();
        let network = host.network(&mode.to_string()).unwrap();
        let settings = host.inspect(&attached.container);
        let endpoint = settings.networks[network.name().as_str()].endpoint_id;
        let netns = attached.container.netns();
        let known = [
            ("name", network.name().to_string()),
            ("network", network.id().to_string()),
            ("created", network.spec().created.to_string()),
            ("endpoint", endpoint.unwrap().to_string()),
            ("inode", netns.inode().to_string()),
            ("path", netns.path().display().to_string()),
        ];
        assert_shown(&settings, PLACE, &known);
        let expected = NONE.replace("\"none\"", &format!("\"{}\"", network.name()));
        let expected = expected.replace("\"null\"", &format!("\"{}\"", network.spec().driver));
        assert_shown(&network.inspect(), &expected, &known);
        drop(attached);
        assert!(network.inspect().containers.is_empty(), "{mode}");
    }
}

#[test]
fn a_container_with_another_one_s_stack_shows_nothing_of_its_own() {
    let host = lab::host();
    let network = host.create_network(NetworkConfig::bridge("web")).unwrap();
    let app = lab::container("app");
    let _at_app = network.connect(&app).unwrap();
    let sidecar = Container::open(ContainerConfig::sharing("sidecar", &app)).unwrap();
    let nothing = r#"{"SandboxID":"","SandboxKey":"","Ports":{},"Networks":{}}"#;
    let shown = serde_json::to_string(&host.inspect(&sidecar)).unwrap();
    assert_eq!(shown, nothing);
    assert_eq!(host.inspect(&app).networks.len(), 1);
    assert_eq!(network.inspect().containers.len(), 1);
}

#[test]
fn a_namespace_is_shown_where_it_can_be_opened() {
    let app = lab::container("app");
    let host = lab::host();
    let key = host.inspect(&app).sandbox_key;
    let again = bridgework::Netns::at(&key).unwrap();
    assert_eq!(&again, app.netns());
    let reopened = Container::open(ContainerConfig::new("app", again)).unwrap();
    assert_eq!(host.inspect(&reopened).sandbox_key, key);
    let sandbox = |container| host.inspect(container).sandbox_id;
    assert_eq!(sandbox(&reopened), sandbox(&app));
    assert_ne!(sandbox(&lab::container("app")), sandbox(&app));
}

#[test]
fn an_address_is_counted_while_anybody_has_or_awaits_it() {
    let host = lab::host();
    let config = NetworkConfig::bridge("web").subnet("10.89.0.0/29");
    let network = host.create_network(config).unwrap();
    let count = || {
        let status = network.inspect().status.unwrap();
        let status = status.ipam.subnets[&"10.89.0.0/29".parse().unwrap()];
        (status.in_use, status.available)
    };
    assert_eq!(count(), (3, 5));
    network
        .reserve(&"db".parse().unwrap(), [10, 89, 0, 6])
        .unwrap();
    assert_eq!(count(), (4, 4));
    let staged = network.stage("app", EndpointConfig::new()).unwrap();
    assert_eq!(count(), (5, 3));
    assert!(network.inspect().containers.is_empty());
    let app = lab::container("app");
    let endpoint = staged.join(&app).unwrap();
    assert_eq!((count(), network.inspect().containers.len()), ((5, 3), 1));
    endpoint.disconnect().unwrap();
    network.unreserve(&"db".parse().unwrap()).unwrap();
    assert_eq!(count(), (3, 5));
}
