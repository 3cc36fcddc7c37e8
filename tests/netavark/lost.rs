//! Records that are lost while containers run: what can be read off the kernel is enough to take them
//! down, and to go on.

use bridgework::Netns;
use serde_json::{Value, json};

use crate::asked::{merge, network, publishing, request};
use crate::ground::{Machine, addresses_of, pings, reaches};
use crate::lab;

fn netns() -> Netns {
    Netns::create().expect("a namespace")
}

impl Machine {
    /// All that is kept, but for who answers names.
    fn lose_records(&self) {
        let files = std::fs::read_dir(self.state().join("bridgework")).expect("a directory");
        for file in files.flatten() {
            let name = file.file_name().into_string().expect("text");
            if !name.starts_with("names.") && !name.ends_with(".lock") {
                std::fs::remove_file(file.path()).expect("it is there");
            }
        }
    }

    fn ports_of(&self, bridge: &str) -> Option<usize> {
        let links = lab::ip_json(&self.netns, &format!("link show master {bridge}"));
        links.map(|links| links.len())
    }
}

#[test]
fn who_was_on_networks_whose_records_were_lost_is_taken_down_whole() {
    let machine = Machine::new("lost_down");
    let [one, two] = [netns(), netns()];
    let net = network(60, json!({}));
    let first = publishing(
        request(1, &net, &["10.60.0.2"], json!({})),
        &[("", 8080, 80, 1)],
    );
    let second = request(2, &net, &["10.60.0.3"], json!({}));
    machine.setup(&one, &first);
    machine.setup(&two, &second);
    machine.lose_records();
    machine.teardown(&one, &first);
    assert!(!pings(&one, "10.60.0.1"));
    assert!(pings(&two, "10.60.0.1"));
    machine.teardown(&two, &second);
    machine.is_clean();
}

#[test]
fn others_come_and_those_who_were_there_stay_where_records_were_lost() {
    let machine = Machine::new("lost_up");
    let [one, two, three] = [netns(), netns(), netns()];
    let (net, other) = (network(61, json!({})), network(62, json!({})));
    let first = request(1, &net, &["10.61.0.2"], json!({}));
    let second = request(2, &net, &["10.61.0.3"], json!({}));
    let third = request(3, &other, &["10.62.0.2"], json!({}));
    machine.setup(&one, &first);
    machine.lose_records();
    // a network that has nothing to do with the lost ones comes first
    machine.setup(&three, &third);
    machine.setup(&two, &second);
    assert!(pings(&one, "10.61.0.3") && pings(&two, "10.61.0.2"));
    // who is in no record is looked for among what the dead have left, and nobody else goes for it
    machine.teardown(&netns(), &request(4, &other, &[], json!({})));
    assert!(pings(&one, "10.61.0.3"));
    // the same once more, as where its runtime begins anew
    machine.setup(&one, &first);
    assert!(pings(&one, "10.61.0.3"));
    assert_eq!(machine.ports_of("podman61").unwrap_or(2), 2);
    machine.teardown(&one, &first);
    machine.teardown(&two, &second);
    machine.teardown(&three, &third);
    machine.is_clean();
}

#[test]
fn a_container_on_two_networks_whose_records_were_lost_is_set_up_anew() {
    let machine = Machine::new("lost_two");
    let one = netns();
    let (net, other) = (network(63, json!({})), network(64, json!({})));
    let mut both = publishing(
        request(1, &net, &["10.63.0.2"], json!({})),
        &[("", 8080, 80, 1)],
    );
    let place = json!({ "interface_name": "eth1" });
    let more = request(1, &other, &["10.64.0.2"], place);
    for part in ["networks", "network_info"] {
        merge(&mut both[part], more[part].clone());
    }
    machine.setup(&one, &both);
    machine.lose_records();
    machine.setup(&one, &both);
    assert!(pings(&one, "10.63.0.1") && pings(&one, "10.64.0.1"));
    let to = ("127.0.0.1", 8080);
    assert!(reaches(&machine.netns, to, &one, ("0.0.0.0", 80)));
    assert_eq!(addresses_of(&one, "10.63.0.1", "c1"), ["10.63.0.2"]);
    machine.teardown(&one, &both);
    machine.is_clean();
}

/// Whoever has the name of one that was found again by its name alone is no reason to take others down.
#[test]
fn a_container_of_the_same_name_and_another_id_is_left_alone() {
    let machine = Machine::new("lost_name");
    let one = netns();
    let net = network(65, json!({}));
    let asked = request(1, &net, &["10.65.0.2"], json!({}));
    let mut former: Value = asked.clone();
    former["container_id"] = "0f".repeat(32).into();
    machine.setup(&one, &asked);
    machine.teardown(&one, &former);
    assert!(pings(&one, "10.65.0.1"));
    machine.teardown(&one, &asked);
    machine.is_clean();
}
