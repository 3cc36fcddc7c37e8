//! What networks and places on them may be asked to be, seen by `ip` and by packets.

use bridgework::Netns;
use serde_json::{Value, json};

use crate::asked::{merge, network, request};
use crate::ground::{Machine, addresses_of, ask, pings, reaches};
use crate::{dns, lab};

fn netns() -> Netns {
    Netns::create().expect("a namespace")
}

/// One link, as `ip` has it.
fn link(netns: &Netns, name: &str) -> Value {
    let links = lab::ip_json(netns, &format!("-d link show dev {name}"));
    links.map_or(Value::Null, |links| links[0].clone())
}

/// Destination, next hop and metric of the container's routes that are not of the kernel's own.
fn routes(netns: &Netns, family: &str) -> Vec<(String, String, u64)> {
    let routes = lab::ip_json(netns, &format!("{family} route show proto 98"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let route = |route: &Value| {
        let metric = route["metric"].as_u64().unwrap_or(0);
        (text(&route["dst"]), text(&route["gateway"]), metric)
    };
    let mut routes: Vec<_> = routes.unwrap_or_default().iter().map(route).collect();
    routes.sort();
    routes
}

fn owned(routes: &[(&str, &str, u64)]) -> Vec<(String, String, u64)> {
    let own = |(to, by, metric): &(&str, &str, u64)| ((*to).to_owned(), (*by).to_owned(), *metric);
    routes.iter().map(own).collect()
}

#[test]
fn both_families_an_mtu_a_mac_and_a_name_on_the_host_s_side() {
    let machine = Machine::new("dual");
    let net = network(
        90,
        json!({
            "ipv6_enabled": true,
            "options": {"mtu": "1400"},
            "subnets": [
                {"subnet": "10.90.0.0/24", "gateway": "10.90.0.254"},
                {"subnet": "fd90::/64", "gateway": "fd90::1"},
            ],
        }),
    );
    let more = json!({
        "interface_name": "lan0",
        "static_mac": "02:00:00:00:5a:01",
        "options": {"host_interface_name": "c1-port"},
    });
    let [one, two] = [netns(), netns()];
    let first = request(1, &net, &["10.90.0.7", "fd90::7"], more);
    let second = request(2, &net, &["fd90::8", "10.90.0.8"], json!({}));
    let answer = machine.setup(&one, &first);
    let interface = &answer["net90"]["interfaces"]["lan0"];
    assert_eq!(interface["mac_address"], "02:00:00:00:5a:01");
    let subnets = json!([
        {"ipnet": "10.90.0.7/24", "gateway": "10.90.0.254"},
        {"ipnet": "fd90::7/64", "gateway": "fd90::1"},
    ]);
    assert_eq!(interface["subnets"], subnets);
    assert_eq!(
        answer["net90"]["dns_server_ips"],
        json!(["10.90.0.254", "fd90::1"])
    );
    machine.setup(&two, &second);
    let inside = link(&one, "lan0");
    assert_eq!(
        (&inside["mtu"], &inside["address"]),
        (&json!(1400), &json!("02:00:00:00:5a:01"))
    );
    assert_eq!(link(&machine.netns, "c1-port")["mtu"], 1400);
    for address in ["10.90.0.7", "fd90::7"] {
        assert!(pings(&two, address), "{address}");
        assert!(
            reaches(&two, (address, 80), &one, (address, 80)),
            "{address}"
        );
    }
    let told = ask(&two, "fd90::1", "c1", dns::AAAA).expect("an answer");
    assert_eq!(told.says(), ["fd90::7"]);
    machine.teardown(&one, &first);
    machine.teardown(&two, &second);
    machine.is_clean();
}

#[test]
fn routes_and_metrics_and_no_default_route() {
    let machine = Machine::new("routes");
    let net = network(
        91,
        json!({
            "options": {"metric": "200"},
            "routes": [
                {"destination": "10.200.0.0/16", "gateway": "10.91.0.9"},
                {"destination": "10.201.0.0/16", "gateway": "10.91.0.8", "metric": 7},
            ],
        }),
    );
    let one = netns();
    let asked = request(1, &net, &["10.91.0.2"], json!({}));
    machine.setup(&one, &asked);
    let both = [
        ("10.200.0.0/16", "10.91.0.9", 100),
        ("10.201.0.0/16", "10.91.0.8", 7),
    ];
    let mut wanted = owned(&both);
    wanted.push(owned(&[("default", "10.91.0.1", 200)]).remove(0));
    assert_eq!(routes(&one, "-4"), wanted);
    // one more network, whose metric is lower
    let better = network(92, json!({"options": {"metric": "50"}}));
    let second = request(
        1,
        &better,
        &["10.92.0.2"],
        json!({"interface_name": "eth1"}),
    );
    machine.setup(&one, &second);
    assert!(routes(&one, "-4").contains(&owned(&[("default", "10.92.0.1", 50)])[0]));
    machine.teardown(&one, &second);
    assert_eq!(routes(&one, "-4"), wanted);
    machine.teardown(&one, &asked);
    assert_eq!(routes(&one, "-4"), []);
    let without = network(93, json!({"options": {"no_default_route": "1"}}));
    let asked = request(1, &without, &["10.93.0.2"], json!({}));
    machine.setup(&one, &asked);
    assert_eq!(routes(&one, "-4"), []);
    assert!(pings(&one, "10.93.0.1"));
    machine.teardown(&one, &asked);
    machine.is_clean();
}

#[test]
fn networks_are_apart_unless_they_are_asked_not_to_be() {
    let machine = Machine::new("isolate");
    let [inner, open, apart] = [netns(), netns(), netns()];
    let options = |isolate: &str| json!({"options": {"isolate": isolate}});
    let internal = request(
        1,
        &network(94, json!({"internal": true})),
        &["10.94.0.2"],
        json!({}),
    );
    let not = request(2, &network(95, options("false")), &["10.95.0.2"], json!({}));
    let strict = request(
        3,
        &network(96, options("strict")),
        &["10.96.0.2"],
        json!({}),
    );
    let all = [(&inner, &internal), (&open, &not), (&apart, &strict)];
    all.iter()
        .for_each(|(netns, asked)| drop(machine.setup(netns, asked)));
    assert_eq!(
        routes(&inner, "-4"),
        [],
        "an internal network has no way out"
    );
    assert!(pings(&inner, "10.94.0.1") && !pings(&inner, "10.95.0.2"));
    assert_eq!(addresses_of(&inner, "10.94.0.1", "c1"), ["10.94.0.2"]);
    assert!(
        pings(&apart, "10.95.0.2"),
        "whoever is routed there reaches it"
    );
    assert!(!pings(&open, "10.96.0.2") && !pings(&open, "10.94.0.2"));
    all.iter()
        .for_each(|(netns, asked)| machine.teardown(netns, asked));
    machine.is_clean();
}

/// Newer callers give a list.
#[test]
fn networks_may_come_as_a_list_and_the_container_s_own_servers_are_answered() {
    let machine = Machine::new("list");
    let one = netns();
    let [last, first] = [97, 98].map(|number| network(number, json!({"dns_enabled": false})));
    let mut asked = request(1, &last, &["10.97.0.2"], json!({}));
    asked["network_info"]["net98"] = first;
    asked["dns_servers"] = json!(["192.0.2.53"]);
    asked["networks"] = json!([
        {"name": "net98", "interface_name": "eth0", "static_ips": ["10.98.0.2"]},
        {"name": "net97", "interface_name": "eth1", "static_ips": ["10.97.0.2"]},
    ]);
    let answer = machine.setup(&one, &asked);
    for network in ["net97", "net98"] {
        assert_eq!(answer[network]["dns_server_ips"], json!(["192.0.2.53"]));
        assert_eq!(answer[network]["dns_search_domains"], json!([]));
    }
    assert!(machine.processes().is_empty(), "nobody is there to ask");
    assert!(pings(&one, "10.98.0.1") && pings(&one, "10.97.0.1"));
    machine.teardown(&one, &asked);
    machine.is_clean();
}

#[test]
fn a_bridge_of_somebody_else_s_stays_as_it_is() {
    let machine = Machine::new("unmanaged");
    let one = netns();
    let net = network(99, json!({"options": {"mode": "unmanaged"}}));
    let asked = request(1, &net, &["10.99.0.2"], json!({}));
    let words = machine.refuses(&one, &asked);
    assert!(words.contains("podman99"), "{words}");
    let _made = lab::output(&machine.netns, "ip link add podman99 type bridge");
    lab::output(&machine.netns, "ip addr add 10.99.0.1/24 dev podman99");
    lab::output(&machine.netns, "ip link set podman99 up");
    machine.setup(&one, &asked);
    assert!(pings(&one, "10.99.0.1"));
    assert_eq!(addresses_of(&one, "10.99.0.1", "c1"), ["10.99.0.2"]);
    let rules = lab::output(&machine.netns, "nft list ruleset").unwrap_or_default();
    assert!(!rules.contains("10.99.0"), "{rules}");
    machine.teardown(&one, &asked);
    let there = lab::addresses(&machine.netns, "podman99");
    assert!(there.is_none_or(|there| there[0]["local"] == "10.99.0.1"));
    lab::output(&machine.netns, "ip link del podman99");
    machine.is_clean();
}

#[test]
fn whom_questions_are_passed_on_to_is_changed_while_containers_run() {
    let machine = Machine::new("update");
    let [stub, one] = [netns(), netns()];
    let net = network(88, json!({"network_dns_servers": ["10.88.0.99"]}));
    let server = request(9, &net, &["10.88.0.9"], json!({}));
    let asked = request(1, &net, &["10.88.0.2"], json!({}));
    machine.setup(&stub, &server);
    machine.setup(&one, &asked);
    let udp = stub
        .run(|| std::net::UdpSocket::bind("10.88.0.9:53"))
        .expect("inside");
    let udp = udp.expect("a socket");
    udp.set_read_timeout(Some(lab::DEADLINE)).expect("a socket");
    let said = machine.run(
        &["update", "net88", "--network-dns-servers", "10.88.0.9"],
        b"",
    );
    assert_eq!((said.status, said.out.as_str()), (0, ""), "{said:?}");
    let asking = std::thread::spawn(move || addresses_of(&one, "10.88.0.1", "www.example"));
    let mut buffer = [0; 512];
    let (length, from) = udp.recv_from(&mut buffer).expect("it is passed on");
    let query = dns::Message::read(&buffer[..length]).expect("a query");
    let reply = dns::reply(&query).a("www.example", 9, [192, 0, 2, 7]);
    udp.send_to(&reply.bytes, from).expect("sent");
    assert_eq!(asking.join().expect("it ends"), ["192.0.2.7"]);
    drop(udp);
    machine.teardown(&stub, &server);
    let again = netns();
    machine.setup(&again, &asked);
    machine.teardown(&again, &asked);
    machine.is_clean();
    let left = std::fs::read_dir(machine.state().join("bridgework")).expect("a directory");
    let names = left
        .flatten()
        .map(|entry| entry.file_name().into_string().expect("text"));
    assert!(names.into_iter().all(|name| !name.starts_with("servers")));
}

/// What netavark 2.1.0 was recorded to answer.
#[test]
fn a_network_that_is_going_to_be_is_completed_as_recorded() {
    let machine = Machine::new("create");
    let recorded: Vec<Value> = serde_json::from_str(include_str!("create-2.1.json")).expect("json");
    for exchange in recorded {
        let said = machine.run(&["create"], exchange["stdin"].to_string().as_bytes());
        let mut answer: Value = serde_json::from_str(&said.out).expect("json");
        let mut wanted = exchange["stdout"].clone();
        assert_eq!(
            said.status,
            i32::from(wanted.get("error").is_some()),
            "{said:?}"
        );
        if wanted.get("created").is_some() {
            let created = answer["created"].as_str().expect("a moment");
            assert!(
                created.parse::<bridgework::Timestamp>().is_ok(),
                "{created}"
            );
            merge(&mut answer, json!({"created": null}));
            merge(&mut wanted, json!({"created": null}));
        }
        assert_eq!(answer, wanted);
    }
    let dual = json!({"network": network(89, json!({"subnets": [], "ipv6_enabled": true})),
        "options": {"subnet_pools": [{"base": "10.89.0.0/16", "size": 24}]}});
    let said = machine.run(&["create"], dual.to_string().as_bytes());
    let answer: Value = serde_json::from_str(&said.out).expect("json");
    assert_eq!(answer["subnets"][0]["gateway"], "10.89.0.1");
    let second = answer["subnets"][1]["subnet"].as_str().expect("a subnet");
    assert!(
        second.starts_with("fd") && second.ends_with("/64"),
        "{second}"
    );
    machine.is_clean();
    assert!(!machine.state().exists(), "nothing is made");
}

#[test]
fn the_command_line_is_netavark_s() {
    let machine = Machine::new("cli");
    let said = machine.run(&["version"], b"");
    let version: Value = serde_json::from_str(&said.out).expect("json");
    assert!(version["version"].as_str().expect("text").starts_with("2."));
    assert_eq!(
        machine.run(&["--version"], b"").out.trim(),
        "netavark 2.1.0"
    );
    assert_eq!(machine.run(&["firewall-reload"], b"").status, 0);
    assert_eq!(machine.run(&["no-such-verb"], b"").status, 2);
    let net = network(87, json!({}));
    let asked = request(1, &net, &["10.87.0.2"], json!({}));
    let (one, file) = (netns(), machine.folder.join("request.json"));
    std::fs::write(&file, asked.to_string()).expect("written");
    let (path, file) = (one.path().display().to_string(), file.display().to_string());
    let said = machine.run(&["-f", &file, "setup", &path], b"not read");
    assert_eq!(said.status, 0, "{said:?}");
    // rules that somebody has flushed are there again
    lab::output(&machine.netns, "nft flush ruleset");
    assert_eq!(machine.run(&["firewall-reload"], b"").status, 0);
    let rules = lab::output(&machine.netns, "nft list ruleset");
    assert!(rules.is_none_or(|rules| rules.contains("10.87.0.0/24")));
    machine.teardown(&one, &asked);
    machine.is_clean();
}

#[test]
fn several_subnets_of_one_family_are_each_a_way_to_the_container() {
    let machine = Machine::new("several");
    let net = network(
        86,
        json!({"subnets": [
            {"subnet": "10.86.0.0/24", "gateway": "10.86.0.1"},
            {"subnet": "10.86.1.0/24", "gateway": "10.86.1.1"},
            {"subnet": "fd86::/64", "gateway": "fd86::1"},
        ]}),
    );
    let [one, two] = [netns(), netns()];
    let first = request(
        1,
        &net,
        &["10.86.0.2", "10.86.1.2", "fd86::2", "10.86.0.22"],
        json!({}),
    );
    let second = request(2, &net, &["10.86.0.3", "10.86.1.3", "fd86::3"], json!({}));
    let answer = machine.setup(&one, &first);
    assert_eq!(machine.setup(&one, &first), answer, "all stays");
    let subnets = &answer["net86"]["interfaces"]["eth0"]["subnets"];
    let gateway = |net: &Value| (net["ipnet"].clone(), net["gateway"].clone());
    let found: Vec<_> = subnets
        .as_array()
        .expect("a list")
        .iter()
        .map(gateway)
        .collect();
    let wanted = [
        ("10.86.0.2/24", "10.86.0.1"),
        ("fd86::2/64", "fd86::1"),
        ("10.86.1.2/24", "10.86.1.1"),
        ("10.86.0.22/24", "10.86.0.1"),
    ];
    assert_eq!(found, wanted.map(|(net, by)| (json!(net), json!(by))));
    machine.setup(&two, &second);
    for address in ["10.86.0.2", "10.86.1.2", "fd86::2", "10.86.0.22"] {
        assert!(
            pings(&two, address) && pings(&machine.netns, address),
            "{address}"
        );
    }
    for gateway in ["10.86.0.1", "10.86.1.1", "fd86::1"] {
        assert!(pings(&one, gateway), "{gateway}");
    }
    machine.teardown(&one, &first);
    machine.teardown(&two, &second);
    machine.is_clean();
}
