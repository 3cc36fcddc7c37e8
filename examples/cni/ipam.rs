//! Addresses that another plugin has: it is found in `CNI_PATH` and executed with the same
//! environment and configuration, as the spec says of IPAM plugins.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

use crate::call::Call;
use crate::conf::{Conf, Dns, Route};
use crate::failure::{Code, Failure, Outcome};
use crate::fold::fold;

/// What the other plugin has given.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Lease {
    #[serde(default)]
    pub(crate) ips: Vec<LeasedAddress>,
    #[serde(default)]
    pub(crate) routes: Vec<Route>,
    #[serde(default)]
    pub(crate) dns: Dns,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LeasedAddress {
    pub(crate) address: IpNet,
    #[serde(default)]
    pub(crate) gateway: Option<IpAddr>,
}

/// The plugin that has the addresses, unless they are the crate's.
pub(crate) struct Delegate<'c> {
    call: &'c Call,
    conf: &'c Conf,
}

impl<'c> Delegate<'c> {
    pub(crate) fn of(call: &'c Call, conf: &'c Conf) -> Option<Self> {
        let is_other = !matches!(conf.keys.ipam.kind.as_str(), "" | "bridgework");
        is_other.then_some(Self { call, conf })
    }

    /// New addresses; what it can't give is its own failure.
    pub(crate) fn add(&self) -> Outcome<Lease> {
        let answer = self.run("ADD")?;
        let unreadable = |error| {
            let kind = &self.conf.keys.ipam.kind;
            Failure::decoding(format!("read the result of IPAM plugin {kind}: {error}"))
        };
        let answer: Value = serde_json::from_slice(&answer).map_err(unreadable)?;
        let lease: Lease = serde_json::from_value(fold(&answer)).map_err(unreadable)?;
        match lease.ips.is_empty() {
            true => {
                // what it may have noted is gone again
                let _as_before = self.run("DEL");
                Err(Failure::invalid("the IPAM plugin has given no address"))
            }
            false => Ok(lease),
        }
    }

    /// A verb without an answer.
    pub(crate) fn tell(&self, verb: &str) -> Outcome {
        self.run(verb).map(|_nothing| ())
    }

    fn run(&self, verb: &str) -> Outcome<Vec<u8>> {
        let kind = &self.conf.keys.ipam.kind;
        let failed = |error: io::Error| {
            let words = format!("execute IPAM plugin {kind}: {error}");
            Failure::new(Code::Io, words)
        };
        let mut command = Command::new(self.find()?);
        command.env("CNI_COMMAND", verb);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // one that does not read it has its reasons
            let _unread = stdin.write_all(self.conf.text.as_bytes());
        }
        let output = child.wait_with_output().map_err(failed)?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(self.refusal(&output)),
        }
    }

    /// Its own code and words, if it has said any.
    fn refusal(&self, output: &Output) -> Failure {
        #[derive(Deserialize)]
        struct Said {
            code: u32,
            msg: String,
            #[serde(default)]
            details: String,
        }
        let kind = &self.conf.keys.ipam.kind;
        match serde_json::from_slice::<Said>(&output.stdout) {
            Ok(said) => Failure {
                code: said.code,
                words: format!("IPAM plugin {kind}: {}", said.msg),
                details: said.details,
            },
            Err(_) => {
                let words = format!("IPAM plugin {kind} ended by {}", output.status);
                Failure::new(Code::Refused, words)
            }
        }
    }

    fn find(&self) -> Outcome<PathBuf> {
        let kind = &self.conf.keys.ipam.kind;
        if kind.contains('/') || kind == "." || kind == ".." {
            return Err(Failure::invalid(format!("invalid IPAM plugin {kind:?}")));
        }
        let mut candidates = self.call.path.iter().map(|folder| folder.join(kind));
        let found = candidates.find(|candidate| candidate.is_file());
        found.ok_or_else(|| {
            let path = &self.call.path;
            Failure::invalid(format!("IPAM plugin {kind} is not in CNI_PATH {path:?}"))
        })
    }
}
