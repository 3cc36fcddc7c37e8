//! A container on two networks, with a link: the default network with another container to link to,
//! then a user-defined one, which takes the default route over or leaves it.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bridgework::plan::{HostsEdit, HostsFile, Plan, Step};
use bridgework::{
    Container, ContainerConfig, Endpoint, EndpointConfig, Firewall, Host, HostConfig, Netns,
    Network, NetworkConfig,
};

use crate::floor::{Floor, Script, Until};
use crate::ground::{Spot, TWO_THREADS, settle, wander};
use crate::{Times, print_connect};

/// Whose default route it is in the end.
#[derive(Clone, Copy)]
enum Exit {
    First,
    Second,
}

/// Two networks of ours and their twins on one host of the floor's.
struct Ground {
    networks: [Network; 2],
    twin: Netns,
    /// The container that is linked to.
    target: Endpoint,
    files: PathBuf,
}

impl Ground {
    fn make() -> Self {
        let config = HostConfig::new().netns(Netns::create().expect("a namespace"));
        let host = Host::open_with(config.firewall(Firewall::Off)).expect("a host");
        let first = host.default_network().expect("the default network");
        let second = NetworkConfig::bridge("bench").subnet("10.89.0.0/16");
        let second = host.create_network(second).expect("a network");
        let twin = Netns::create().expect("a namespace");
        for network in [&first, &second] {
            let script = Script::new(network.plan(), None);
            wander(|| Floor::enter(&twin).perform(&script, None, Until::Acknowledged));
        }
        let mysql = Container::isolated("mysql").expect("a container");
        let target = first.connect(&mysql).expect("connected");
        let files = std::env::temp_dir().join(format!("bridgework-bench-{}", std::process::id()));
        std::fs::create_dir_all(&files).expect("a directory for hosts files");
        Self {
            networks: [first, second],
            twin,
            target,
            files,
        }
    }

    fn connect(&self, container: &Container, exit: Exit) -> (Duration, [Endpoint; 2]) {
        let priority = match exit {
            Exit::First => -1,
            Exit::Second => 1,
        };
        let start = Instant::now();
        let linked = EndpointConfig::new().link("mysql:db");
        let first = self.networks[0].connect_with(container, linked);
        let preferred = EndpointConfig::new().priority(priority);
        let second = self.networks[1].connect_with(container, preferred);
        let taken = start.elapsed();
        let endpoints = [first, second].map(|endpoint| endpoint.expect("connected"));
        (taken, endpoints)
    }

    /// What the floor does for the same: both plans, and the lines of the link.
    fn scripts(&self, endpoints: &[Endpoint; 2], spot: &Spot, file: &Path) -> [Script; 2] {
        let addresses = self.target.ips();
        let add = addresses.map(|address| format!("{address}\tdb mysql"));
        let link = Step::EditHosts(HostsEdit {
            file: HostsFile::At(file.to_owned()),
            remove: Vec::new(),
            add: add.collect(),
        });
        let inside = Some(spot.floor.as_fd());
        let [first, second] = endpoints.each_ref().map(Endpoint::plan);
        let first: Plan = first.steps().iter().cloned().chain([link]).collect();
        [Script::new(&first, inside), Script::new(second, inside)]
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.files);
    }
}

/// Ours against the floor, both networks together.
pub fn rows(spot: &Spot, rounds: usize) {
    for (exit, name) in [
        (Exit::First, "connect, two networks and a link"),
        (Exit::Second, "  the second takes the route over"),
    ] {
        let ground = Ground::make();
        let (mut ours, mut theirs) = (Times::default(), Times::default());
        wander(|| {
            let floor = Floor::enter(&ground.twin);
            for round in 0..rounds {
                let file = ground.files.join("hosts");
                let config = ContainerConfig::new(format!("several{round}"), spot.ours.clone());
                let container = Container::open(config.hosts_file(&file)).expect("a container");
                settle(TWO_THREADS);
                let (taken, endpoints) = ground.connect(&container, exit);
                ours.note(taken);
                let scripts = ground.scripts(&endpoints, spot, &file);
                let links = endpoints.each_ref().map(|e| e.spec().host_link.index.get());
                Endpoint::disconnect_all(endpoints).expect("disconnected");
                settle(TWO_THREADS);
                let each = scripts
                    .iter()
                    .map(|script| floor.perform(script, Some(&spot.floor), Until::Acknowledged));
                theirs.note(each.sum());
                for link in links {
                    floor.delete(link);
                }
            }
        });
        print_connect(name, (&ours.0, &theirs.0));
    }
}
