//! With the feature `tracing`, each verb is a span that names the network, the container and its
//! namespace, and the errno where it was refused.

#[path = "lab/mod.rs"]
mod lab;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bridgework::{Errno, FaultInjector, Host, HostConfig, Netns, NetworkConfig};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[derive(Debug, Default, Clone)]
struct Span {
    name: &'static str,
    fields: BTreeMap<&'static str, String>,
}

/// Keeps every span of ours.
#[derive(Clone, Default)]
struct Keeper {
    spans: Arc<Mutex<BTreeMap<u64, Span>>>,
    next: Arc<AtomicU64>,
}

impl Visit for Span {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "bridgework"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let mut span = Span {
            name: attributes.metadata().name(),
            ..Span::default()
        };
        attributes.record(&mut span);
        self.spans.lock().unwrap().insert(id, span);
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        if let Some(span) = self.spans.lock().unwrap().get_mut(&id.into_u64()) {
            values.record(span);
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Keeper {
    fn named(&self, name: &str) -> Vec<Span> {
        let spans = self.spans.lock().unwrap();
        spans
            .values()
            .filter(|span| span.name == name)
            .cloned()
            .collect()
    }
}

#[test]
fn each_verb_is_a_span_that_names_its_objects_and_its_errno() {
    let keeper = Keeper::default();
    let injector = FaultInjector::new();
    let app = lab::container("app");
    tracing::subscriber::with_default(keeper.clone(), || {
        let config = HostConfig::new().netns(Netns::create().unwrap());
        let host = Host::open_with(config.fault_injector(injector.clone())).unwrap();
        let network = host.create_network(NetworkConfig::bridge("web")).unwrap();
        injector.fail_nth(1, Errno::ENOMEM);
        network.connect(&app).unwrap_err();
        network.connect(&app).unwrap().disconnect().unwrap();
        network.remove().unwrap();
    });
    for verb in ["create network", "connect", "disconnect", "remove network"] {
        let spans = keeper.named(verb);
        assert!(!spans.is_empty(), "{verb} has no span");
        assert!(
            spans.iter().all(|span| span.fields["network"] == "web"),
            "{spans:?}"
        );
    }
    let connects = keeper.named("connect");
    let inode = app.netns().inode().to_string();
    assert!(
        connects
            .iter()
            .all(|span| span.fields["container"] == "app")
    );
    assert!(
        connects
            .iter()
            .all(|span| span.fields["namespace"] == inode),
        "{connects:?}"
    );
    let disconnects = keeper.named("disconnect");
    assert_eq!(connects[1].fields["endpoint"].len(), 64);
    assert_eq!(
        connects[1].fields["endpoint"],
        disconnects[0].fields["endpoint"]
    );
    assert_eq!(connects[0].fields["errno"], Errno::ENOMEM.raw().to_string());
    assert!(!connects[1].fields.contains_key("errno"));
}
