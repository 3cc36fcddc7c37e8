//! Exchanges of runtimes with another plugin, recorded, as inputs of this one: the answers are of the
//! same shape, and nothing is left at the end.

use std::collections::BTreeMap;

use bridgework::Device;
use serde_json::Value;

use crate::ground::{Ask, Machine, Pod};

const RECORDED: [(&str, &str); 5] = [
    ("podman", include_str!("recorded/podman-single-plugin.json")),
    ("cri", include_str!("recorded/containerd-cri.json")),
    ("ctr", include_str!("recorded/containerd-ctr.json")),
    ("libcni", include_str!("recorded/libcni-add-check-del.json")),
    (
        "cnitool",
        include_str!("recorded/1.1-cnitool-status-gc.json"),
    ),
];

#[test]
fn what_runtimes_ask_for_is_answered_in_the_shape_that_they_know() {
    for (name, text) in RECORDED {
        let recorded: Value = serde_json::from_str(text).expect("json");
        let exchanges = recorded["exchanges"].as_array().expect("a list");
        assert!(exchanges.len() > 2, "{name}");
        let mut runtime = Runtime::new(name);
        exchanges
            .iter()
            .for_each(|exchange| runtime.repeat(exchange));
        // one that was killed is never taken away by `ctr`
        let gc = runtime
            .machine
            .conf("1.1.0", serde_json::json!({ "name": "uxnet" }));
        runtime.machine.done(&Ask::alone("GC"), &gc);
        runtime.machine.assert_clean();
    }
}

/// Whoever asked, with namespaces and addresses of this machine.
struct Runtime {
    machine: Machine,
    pods: BTreeMap<String, Pod>,
    results: BTreeMap<String, Value>,
}

impl Runtime {
    fn new(name: &str) -> Self {
        Self {
            machine: Machine::new(name),
            pods: BTreeMap::new(),
            results: BTreeMap::new(),
        }
    }

    fn repeat(&mut self, exchange: &Value) {
        let environment = &exchange["env"];
        let said = |key: &str| environment[key].as_str().unwrap_or_default().to_owned();
        let id = said("CNI_CONTAINERID");
        let netns = match said("CNI_NETNS").as_str() {
            "" | "dummy" => said("CNI_NETNS"),
            _ => self.pod(&id).path(),
        };
        let mut given: BTreeMap<String, String> = BTreeMap::new();
        for key in ["CNI_COMMAND", "CNI_CONTAINERID", "CNI_IFNAME", "CNI_ARGS"] {
            given.insert(key.to_owned(), said(key));
        }
        given.insert("CNI_NETNS".to_owned(), netns.clone());
        let given: Vec<_> = given
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let conf = self.conf(&id, &exchange["stdin"]);
        let then = &exchange["stdout"];
        let was_refused = then.get("code").is_some();
        if was_refused {
            // an outsider had broken it
            let link = Device::open(self.pods[&id].container.netns(), "eth0");
            link.expect("it is there").set_down().expect("it goes down");
        }
        let now = self.machine.call_raw(&given, conf.to_string().as_bytes());
        assert_eq!(now.status != 0, was_refused, "{exchange:#}: {now:?}");
        if then.is_null() || was_refused {
            assert_eq!(now.out.is_empty(), then.is_null(), "{now:?}");
            return;
        }
        let now: Value = serde_json::from_str(&now.out).expect("json");
        assert_eq!(now["cniVersion"], then["cniVersion"]);
        match said("CNI_COMMAND").as_str() {
            "ADD" => self.compare(&id, &netns, now, then),
            _ => assert_eq!(&now, then),
        }
    }

    fn pod(&mut self, id: &str) -> &Pod {
        let new = || Pod::new(&id[..id.len().min(40)]);
        self.pods.entry(id.to_owned()).or_insert_with(new)
    }

    /// As it was, on this machine; what was the other plugin's is this one's.
    fn conf(&self, id: &str, then: &Value) -> Value {
        let mut conf = then.clone();
        conf["stateDir"] = self.machine.state().display().to_string().into();
        if let (Some(_), Some(result)) = (then.get("prevResult"), self.results.get(id)) {
            conf["prevResult"] = result.clone();
        }
        // two recorded containers have published the same port of the host's
        let is_second = self.results.keys().any(|other| other != id);
        if is_second && conf["runtimeConfig"]["portMappings"].is_array() {
            conf["runtimeConfig"]["portMappings"] = Value::Null;
        }
        conf
    }

    fn compare(&mut self, id: &str, netns: &str, now: Value, then: &Value) {
        let keys = |value: &Value| -> Vec<String> {
            let fields = value.as_object().expect("an object");
            fields.keys().cloned().collect()
        };
        assert_eq!(keys(&now), keys(then));
        let (ip, ip_then) = (&now["ips"][0], &then["ips"][0]);
        assert_eq!(keys(ip), keys(ip_then));
        let at = ip["interface"].as_u64().expect("a number");
        let interface = &now["interfaces"][usize::try_from(at).expect("a small one")];
        assert_eq!(interface["sandbox"], netns);
        assert_eq!(interface["name"], "eth0");
        assert_eq!(now["interfaces"][0]["name"], then["interfaces"][0]["name"]);
        assert_eq!(now["routes"][0]["dst"], then["routes"][0]["dst"]);
        let pod = &self.pods[id];
        assert_eq!(
            pod.addresses("eth0"),
            [ip["address"].as_str().expect("text")]
        );
        self.results.insert(id.to_owned(), now);
    }
}
