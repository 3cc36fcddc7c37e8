//! Events as lines of a log.

use std::time::Duration;

use bridgework::{Event, EventKind, EventNetwork, EventProcess, NetworkId, RepairScope};

use crate::specs::{endpoint, network};

fn event(kind: EventKind) -> Event {
    Event {
        at: "2026-11-21T06:44:00.25Z".parse().unwrap(),
        took: Duration::from_nanos(1_400_500),
        kind,
    }
}

/// One event of each kind, with its line but for the moment at its beginning.
fn of_each_kind() -> [(Event, String); 8] {
    let web = network("web", NetworkId::from_bytes([0xab; 32]));
    let at = endpoint(&web, "c1", 2);
    let (network, endpoint) = (EventNetwork::from(&web), (&at).into());
    let (id, two) = ("ab".repeat(32), "02".repeat(32));
    let of_network = "name=web, took=1.4005ms, type=bridge";
    let of_place = format!("container={two}, container_name=c1, endpoint={two}, {of_network}");
    let connect = EventKind::Connect {
        network: network.clone(),
        endpoint,
    };
    let disconnect = EventKind::Disconnect {
        network: network.clone(),
        endpoint: (&at).into(),
    };
    let unpublish = EventKind::Unpublish {
        network: network.clone(),
        endpoint: (&at).into(),
        mapping: "8080:80".parse().unwrap(),
        why: "in use by \n".to_owned(),
    };
    let create = EventKind::Create {
        network: network.clone(),
    };
    [
        (event(create), format!("network create {id} ({of_network})")),
        (
            event(EventKind::Destroy { network }),
            format!("network destroy {id} ({of_network})"),
        ),
        (event(connect), format!("network connect {id} ({of_place})")),
        (
            event(disconnect),
            format!("network disconnect {id} ({of_place})"),
        ),
        (
            event(unpublish),
            format!(
                r"network unpublish {id} (container={two}, container_name=c1, endpoint={two}, mapping=8080:80/tcp, why=in use by \n, {of_network})"
            ),
        ),
        (
            event(EventKind::Lost { events: 17 }),
            "network lost (events=17)".to_owned(),
        ),
        (
            event(repair(Some("x\n)"))),
            r"network repair (by=x\n), pid=42, parts=3, scope=tables, took=1.4005ms)".to_owned(),
        ),
        (
            event(repair(None)),
            "network repair (parts=3, scope=tables, took=1.4005ms)".to_owned(),
        ),
    ]
}

/// By a process that is called so.
fn repair(name: Option<&str>) -> EventKind {
    let by = name.map(|name| EventProcess {
        pid: 42,
        name: name.to_owned(),
    });
    EventKind::Repair {
        scope: RepairScope::Tables,
        parts: 3,
        by,
    }
}

#[test]
fn every_event_is_a_line_that_says_who_and_how_long() {
    for (event, line) in of_each_kind() {
        let expected = format!("2026-11-21T06:44:00.250000000Z {line}");
        assert_eq!(event.to_string(), expected);
    }
}

#[test]
fn a_driver_s_name_can_not_break_the_line() {
    let mut web = network("web", NetworkId::from_bytes([0xab; 32]));
    web.driver = "a\nb\u{1b}[31m".to_owned();
    let network = EventNetwork::from(&web);
    let line = event(EventKind::Create { network }).to_string();
    assert!(!line.contains(char::is_control), "{line:?}");
}

#[cfg(feature = "serde")]
#[test]
fn events_are_read_back_as_they_were_written() {
    use serde_json::json;

    for (event, _) in of_each_kind() {
        let form = serde_json::to_value(&event).unwrap();
        assert_eq!(serde_json::from_value::<Event>(form).unwrap(), event);
    }
    let [_, _, (connect, _), _, _, (lost, _), ..] = of_each_kind();
    let two = "02".repeat(32);
    let form = json!({
        "at": "2026-11-21T06:44:00.250000000Z",
        "took": {"secs": 0, "nanos": 1_400_500},
        "kind": {
            "action": "connect",
            "network": {"name": "web", "id": "ab".repeat(32), "driver": "bridge"},
            "endpoint": {"id": two, "container": "c1", "container_id": two},
        },
    });
    assert_eq!(serde_json::to_value(&connect).unwrap(), form);
    let kind = serde_json::to_value(&lost.kind).unwrap();
    assert_eq!(kind, json!({"action": "lost", "events": 17}));
}
