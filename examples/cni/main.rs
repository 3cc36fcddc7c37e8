//! A CNI plugin over bridgework: a network that others configure and a container runtime calls, one
//! process a verb. Spec 0.3.1 to 1.1.0; all six verbs.
//!
//! It stands where the reference plugins `bridge`, `host-local`, `portmap` and `firewall` stand
//! together, and takes the same keys as far as they mean something here:
//!
//! | key | what becomes of it |
//! |---|---|
//! | `name` | the network's name |
//! | `bridge` | the bridge's name; `br-` and the network's id without it |
//! | `isGateway`, `isDefaultGateway`, `ipMasq` | as the reference has them. Where none of the three is given, all are on. Without a gateway the bridge has no address: the network is internal, unless `routes` ask for a way out, which begins at somebody else's machine then |
//! | `mtu`, `hairpinMode`, `portIsolation`, `macspoofchk` | as the reference has them, but that nobody spoofs unless `macspoofchk` is `false` |
//! | `promiscMode`, `vlan`, `vlanTrunk`, `disableContainerInterface` | refused, if they ask for something |
//! | `ipam` | with the type `bridgework` or none, addresses are the crate's: `subnet`, `rangeStart`, `rangeEnd`, `gateway`, `ranges`, `routes`. Of each set there is an address, in their order (`ipRanges` first); a set has one range. By the first set of a family ports and ways out lead. Where `isDefaultGateway` is off, `routes` say of each family whether it leads out. Every other type is executed, as the spec says |
//! | `dns` | handed on |
//! | `runtimeConfig` | `portMappings`, `ips`, `mac`, `aliases`, `dns`, `ipRanges`; of `CNI_ARGS`, `IP`, `MAC` and `K8S_POD_NAME` |
//! | `stateDir` | where records are kept; `/run/bridgework` without it |
//!
//! Networks of another `stateDir` in the same network namespace, or of `examples/netavark`, are somebody
//! else's: neither touches the other one's.
//!
//! Keys are read as Go reads them: in any spelling of capitals, and `null` is nothing. The network is
//! made with its first container and goes with its last. Nobody watches it in between: what an outsider
//! breaks is told by `CHECK`, and put right by `GC` and by a `DEL` of what is gone already; a bridge that
//! is gone, also by the next `ADD`. A link of the host's that gets addresses later is a way out from then on.
//!
//! A conflist for podman (`network_backend = "cni"`) or containerd (`ctr run --cni`) names it alone, with
//! what the runtime shall hand to it:
//!
//! ```json
//! { "cniVersion": "1.0.0", "name": "web", "plugins": [{
//!     "type": "bridgework", "bridge": "br-web", "ipam": { "subnet": "10.84.0.0/24" },
//!     "capabilities": { "portMappings": true, "ips": true, "mac": true, "aliases": true, "dns": true }
//! }] }
//! ```
//!
//! In the place of the reference's `bridge`, under that name, it goes with the conflists that `podman
//! network create` writes: addresses are host-local's then, and ports those of `portmap`, which leaves its
//! empty chains behind as ever.
//!
//! Errors are the spec's: 1 to 7, 11, 50. 100 is what was refused by the kernel or by what is there
//! already, 101 what `CHECK` has found.

mod attachment;
mod call;
mod conf;
mod failure;
mod fold;
mod host;
mod ipam;
mod network;
mod outcome;
mod range;
mod verbs;
mod wish;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use call::{Call, Verb};
use conf::Conf;
use failure::{Failure, Outcome};
use serde_json::Value;

/// No configuration is longer.
const STDIN_MAX_BYTES: u64 = 4 << 20;

fn main() -> ExitCode {
    let mut version = conf::NEWEST.to_owned();
    let answer = read_stdin().and_then(|text| {
        let conf = Conf::read(&text);
        if let Ok(conf) = &conf {
            version.clone_from(&conf.version);
        }
        Call::of_environment()?.perform(conf?)
    });
    let (answer, status) = match answer {
        Ok(answer) => (answer, ExitCode::SUCCESS),
        Err(failure) => (Some(failure.to_json(&version)), ExitCode::FAILURE),
    };
    match answer.map_or(Ok(()), |answer| say(&answer)) {
        Ok(()) => status,
        Err(_gone) => ExitCode::FAILURE,
    }
}

fn say(answer: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{answer:#}")?;
    out.flush()
}

fn read_stdin() -> Outcome<String> {
    let mut text = String::new();
    let read = io::stdin().take(STDIN_MAX_BYTES).read_to_string(&mut text);
    read.map_err(|error| Failure::decoding(format!("read the configuration: {error}")))?;
    Ok(text)
}

impl Call {
    fn perform(&self, conf: Conf) -> Outcome<Option<Value>> {
        if let Verb::Version = self.verb {
            return Ok(Some(conf::versions(&conf.version)));
        }
        conf.check(self.verb.since())?;
        match &self.verb {
            Verb::Add { at, netns } => verbs::add(self, &conf, at, netns).map(Some),
            Verb::Check { at, netns } => verbs::check(self, &conf, at, netns).map(|()| None),
            Verb::Del { at } => verbs::del(self, &conf, at).map(|()| None),
            Verb::Gc => verbs::gc(self, &conf).map(|()| None),
            Verb::Status => verbs::status(self, &conf).map(|()| None),
            Verb::Version => Ok(None),
        }
    }
}
