//! Whom the questions of a container on several networks are passed on to: the servers of all of them.

use std::net::{SocketAddr, UdpSocket};

use bridgework::Netns;
use serde_json::json;

use crate::asked::{merge, network, request};
use crate::dns::{self, Message};
use crate::ground::{Machine, addresses_of};
use crate::lab;

fn netns() -> Netns {
    Netns::create().expect("a namespace")
}

/// Whether a question of the container's, put to that gateway, arrives there. Nobody knows the answer
/// before.
fn is_passed_on(container: &Netns, gateway: &str, stub: &Netns, to: &str) -> bool {
    let at = SocketAddr::new(to.parse().expect("an address"), 53);
    let bind = || stub.run(|| UdpSocket::bind(at)).expect("inside").ok();
    let udp = lab::wait_for("a socket", bind);
    udp.set_read_timeout(Some(lab::DEADLINE)).expect("a socket");
    let mut buffer = [0; 512];
    std::thread::scope(|scope| {
        let _asking = scope.spawn(|| addresses_of(container, gateway, "www.example"));
        let Ok((length, from)) = udp.recv_from(&mut buffer) else {
            return false;
        };
        let query = Message::read(&buffer[..length]).expect("a query");
        let reply = dns::reply(&query).a("www.example", 0, [192, 0, 2, 7]);
        udp.send_to(&reply.bytes, from).expect("sent");
        true
    })
}

#[test]
fn a_container_on_several_networks_has_the_servers_of_all_of_them() {
    let machine = Machine::new("servers");
    let [stub, one] = [netns(), netns()];
    let [net, more] = [(53, "10.53.0.8"), (54, "10.54.0.8")]
        .map(|(number, server)| network(number, json!({ "network_dns_servers": [server] })));
    let first = request(1, &net, &["10.53.0.2"], json!({}));
    let second = request(
        1,
        &more,
        &["10.54.0.2"],
        json!({ "interface_name": "eth1" }),
    );
    let mut servers = request(9, &net, &["10.53.0.8", "10.53.0.9"], json!({}));
    let place = json!({ "interface_name": "eth1" });
    let others = request(9, &more, &["10.54.0.8"], place);
    for part in ["networks", "network_info"] {
        merge(&mut servers[part], others[part].clone());
    }
    machine.setup(&stub, &servers);
    machine.setup(&one, &first);
    machine.setup(&one, &second);
    assert!(is_passed_on(&one, "10.53.0.1", &stub, "10.53.0.8"));
    let update = |name, servers| {
        let said = machine.run(&["update", name, "--network-dns-servers", servers], b"");
        assert_eq!((said.status, said.out.as_str()), (0, ""), "{said:?}");
    };
    update("net53", "");
    assert!(is_passed_on(&one, "10.53.0.1", &stub, "10.54.0.8"));
    update("net53", "10.53.0.9");
    assert!(is_passed_on(&one, "10.53.0.1", &stub, "10.53.0.9"));
    // what it had of a network goes with that, and is not its own then
    machine.teardown(&one, &second);
    update("net53", "10.53.0.8");
    assert!(is_passed_on(&one, "10.53.0.1", &stub, "10.53.0.8"));
    machine.teardown(&one, &first);
    machine.teardown(&stub, &servers);
    machine.is_clean();
}

#[test]
fn a_container_with_servers_of_its_own_keeps_them_on_every_network() {
    let machine = Machine::new("own_servers");
    let [stub, one] = [netns(), netns()];
    let [net, more] = [(55, "10.55.0.8"), (56, "10.56.0.8")]
        .map(|(number, server)| network(number, json!({ "network_dns_servers": [server] })));
    let servers = request(9, &net, &["10.55.0.9"], json!({}));
    machine.setup(&stub, &servers);
    let mut first = request(1, &net, &["10.55.0.2"], json!({}));
    first["dns_servers"] = json!(["10.55.0.9"]);
    let second = request(
        1,
        &more,
        &["10.56.0.2"],
        json!({ "interface_name": "eth1" }),
    );
    machine.setup(&one, &first);
    machine.setup(&one, &second);
    for gateway in ["10.55.0.1", "10.56.0.1"] {
        assert!(is_passed_on(&one, gateway, &stub, "10.55.0.9"), "{gateway}");
    }
    machine.teardown(&one, &second);
    assert!(is_passed_on(&one, "10.55.0.1", &stub, "10.55.0.9"));
    machine.teardown(&one, &first);
    machine.teardown(&stub, &servers);
    machine.is_clean();
}
