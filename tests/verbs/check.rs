//! Whether all that can be seen is what the model says: in the kernel, in hosts files, in the names
//! that each container sees, and in lists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bridgework::kernel::Kernel;
use bridgework::resolver::{Answer, View};
use bridgework::snapshot::Snapshot;
use bridgework::spec::{EndpointSpec, Origin};
use bridgework::{Container, Family, Host, Netns};

use crate::kernel_view::{by_ip, by_snapshot};
use crate::lab;
use crate::model::{Body, HOST, Known, Planned, Stack};
use crate::run::Run;
use crate::verbs::{ALIASES, BRIDGE, CONTAINERS, LINK_ALIASES, NETWORKS};

/// What looks at each stack, with handles of its own.
pub struct Eyes {
    host: Kernel,
    begin: Snapshot,
    stacks: BTreeMap<usize, Kernel>,
}

impl Eyes {
    pub fn of(host: &Host) -> Self {
        let kernel = Kernel::new(host.netns().clone()).expect("a kernel");
        let begin = kernel.snapshot().expect("a snapshot");
        Self {
            host: kernel,
            begin,
            stacks: BTreeMap::new(),
        }
    }

    pub fn open(&mut self, body: &Body, container: &Container) {
        if body.stack != HOST {
            let kernel = || Kernel::new(container.netns().clone()).expect("a kernel");
            self.stacks.entry(body.stack).or_insert_with(kernel);
        }
    }

    /// Nobody has the stack any more, and so nobody must hold it.
    pub fn close(&mut self, stack: usize) {
        self.stacks.remove(&stack);
    }

    pub fn host(&self) -> &Netns {
        self.host.namespace()
    }

    /// The host is as it was: links at once, and what is left of the addresses and routes of those
    /// that have gone, soon. Whether that was soon enough is for the end of all.
    fn assert_begin(self) -> Rest {
        let Snapshot { links, .. } = self.host.snapshot().expect("a snapshot");
        assert_eq!(links, self.begin.links);
        Rest {
            host: self.host,
            begin: self.begin,
        }
    }
}

/// A host that nobody uses any more.
pub struct Rest {
    host: Kernel,
    begin: Snapshot,
}

impl Rest {
    /// It is as it was in the beginning, in every respect.
    pub fn assert_begin(&self) {
        let now = || self.host.snapshot().expect("a snapshot");
        lab::wait_until("the host is as it was", || now() == self.begin);
    }
}

/// What was chosen is what the model says, as far as it can.
pub fn check_spec(spec: &EndpointSpec, planned: &Planned) {
    let address = |address: &Option<bridgework::spec::EndpointAddress>| {
        address.as_ref().map(|address| address.address.addr())
    };
    assert_eq!(
        (address(&spec.ipv4), address(&spec.ipv6)),
        (planned.v4, planned.v6)
    );
    if let Some(mac) = planned.mac() {
        assert_eq!(spec.mac.octets(), mac);
    }
    let host_link = format!("veth{}", &spec.id.short()[..7]);
    assert_eq!(spec.host_link.name.as_str(), host_link);
}

impl Run {
    /// All that can be seen at once.
    pub fn check(&self) {
        let Self { model, eyes, .. } = self;
        let ghosts = model.ghosts();
        assert_eq!(
            by_snapshot(&eyes.host).overlooking(&ghosts),
            model.host(),
            "host"
        );
        for (stack, kernel) in &eyes.stacks {
            assert_eq!(by_snapshot(kernel), model.stack(*stack), "stack {stack}");
        }
        self.check_lists();
        self.check_files();
        for endpoint in self.world.endpoints.values() {
            let at = model.open.iter().flatten().map(|body| &model.bodies[*body]);
            let mut body = at.filter(|body| body.name == endpoint.container().name().as_str());
            let stack = body.next().expect("it is open").stack;
            self.check_view(stack, endpoint.view());
        }
    }

    /// As [`check`](Self::check), as others see the kernel, and with views that are made for it.
    pub fn check_deeply(&self) {
        let Self { model, eyes, world } = self;
        if let Some(host) = by_ip(eyes.host()) {
            assert_eq!(
                host.overlooking(&model.ghosts()),
                model.host(),
                "host, by ip"
            );
        }
        for (stack, kernel) in &eyes.stacks {
            let Some(seen) = by_ip(kernel.namespace()) else {
                return;
            };
            assert_eq!(seen, model.stack(*stack), "stack {stack}, by ip");
        }
        for at in 0..CONTAINERS.len() {
            if let (Some(container), Some(body)) = (&world.containers[at], model.body(at)) {
                self.check_view(body.stack, &world.host.view(container));
            }
        }
    }

    fn check_lists(&self) {
        let networks = self.world.host.networks();
        let custom = networks
            .iter()
            .filter(|network| network.spec().origin == Origin::Custom);
        let names: BTreeSet<&str> = custom.map(|network| network.name().as_str()).collect();
        let expected = self.model.nets[..BRIDGE]
            .iter()
            .flatten()
            .map(|net| net.name);
        assert_eq!(names, expected.collect());
        for network in &networks {
            let at = NETWORKS
                .iter()
                .position(|name| *name == network.name().as_str());
            let Some(at) = at else { continue };
            let endpoints = network.endpoints();
            let names: Vec<&str> = endpoints.iter().map(|e| e.container.as_str()).collect();
            assert_eq!(names, self.model.names_on(at), "on {}", network.name());
        }
    }

    fn check_files(&self) {
        for (body, path) in &self.world.files {
            let Body { kind, stack, .. } = self.model.bodies[*body];
            if self.model.is_open(stack) && matches!(kind, Stack::Own | Stack::None) {
                assert_eq!(added_lines(path), self.model.hosts_lines(*body), "{body}");
            }
        }
    }

    fn check_view(&self, stack: usize, view: &View) {
        let model = &self.model;
        let plain = CONTAINERS.iter().chain(&ALIASES).chain(&LINK_ALIASES);
        let mut names: Vec<String> = plain.map(|name| (*name).to_owned()).collect();
        names.extend(
            [
                "c0.net-a",
                "db.net-a",
                "peer.net-b",
                "c1.net-c",
                "c2.bridge",
                "x",
            ]
            .map(str::to_owned),
        );
        names.extend(
            model
                .open
                .iter()
                .flatten()
                .map(|body| model.bodies[*body].id.clone()),
        );
        for name in &names {
            for (family, is_ipv6) in [(Family::V4, false), (Family::V6, true)] {
                let found = match view.lookup(name, family) {
                    Answer::Addresses(addresses) => Known::As(addresses),
                    Answer::NoData => Known::WithoutAddress,
                    Answer::Unknown => Known::Not,
                };
                let expected = model.lookup(stack, name, is_ipv6);
                assert_eq!(found, expected, "{name} seen from stack {stack}");
            }
        }
    }

    /// All handles are dropped, and what was to outlive them is taken away by its name.
    ///
    /// What is returned is the host, and how often things have happened.
    pub fn take_down(mut self) -> (Rest, BTreeMap<&'static str, usize>) {
        for at in 0..CONTAINERS.len() {
            self.perform(&crate::verbs::Verb::Close { at }, None);
        }
        self.world.staged.clear();
        for network in self.world.host.networks() {
            for endpoint in network.endpoints() {
                network
                    .disconnect(endpoint.container.as_str())
                    .expect("disconnected");
            }
            if network.spec().origin == Origin::Custom {
                network.remove().expect("removed");
            }
        }
        let Self { world, eyes, model } = self;
        drop(world);
        (eyes.assert_begin(), model.tally)
    }
}

/// The lines behind the first ones, which are Docker's.
fn added_lines(path: &Path) -> Vec<String> {
    const BASE: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
                        fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\n\
                        ff02::2\tip6-allrouters\n";
    let text = std::fs::read_to_string(path).expect("the hosts file");
    let added = text
        .strip_prefix(BASE)
        .unwrap_or_else(|| panic!("{text:?}"));
    let mut lines: Vec<String> = added.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}
