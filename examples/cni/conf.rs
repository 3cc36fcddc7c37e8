//! The network configuration that comes on stdin, as far as anything here reads it, and what of it is
//! refused. Keys stand in lower case here, since that is what `fold` makes of them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use bridgework::store::Sqlite;
use bridgework::{Family, Subnet};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::failure::{Code, Failure, Outcome};
use crate::fold::fold;

/// The versions of the spec, oldest first.
const VERSIONS: [&str; 4] = ["0.3.1", "0.4.0", "1.0.0", NEWEST];
pub(crate) const NEWEST: &str = "1.1.0";

/// The network configuration.
#[derive(Debug)]
pub(crate) struct Conf {
    pub(crate) version: String,
    pub(crate) keys: Keys,
    /// `prevResult`, in its own spelling.
    pub(crate) previous: Option<Value>,
    /// As it came, for the plugin that has the addresses.
    pub(crate) text: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Keys {
    pub(crate) name: String,
    pub(crate) bridge: String,
    pub(crate) isgateway: Option<bool>,
    pub(crate) isdefaultgateway: Option<bool>,
    pub(crate) ipmasq: Option<bool>,
    pub(crate) mtu: u32,
    pub(crate) hairpinmode: bool,
    pub(crate) portisolation: bool,
    pub(crate) macspoofchk: Option<bool>,
    #[serde(flatten)]
    refused: Refused,
    pub(crate) ipam: Ipam,
    pub(crate) dns: Dns,
    pub(crate) runtimeconfig: RuntimeConfig,
    pub(crate) args: Args,
    statedir: Option<PathBuf>,
    #[serde(rename = "cni.dev/valid-attachments")]
    valid: Vec<Valid>,
    /// The spec's former name for the same. The reference library says both.
    #[serde(rename = "cni.dev/attachments")]
    formerly_valid: Vec<Valid>,
}

/// What a network of the crate's has not.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refused {
    promiscmode: bool,
    disablecontainerinterface: bool,
    vlan: i64,
    vlantrunk: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ipam {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(flatten)]
    pub(crate) range: Range,
    /// An address is given of each set.
    pub(crate) ranges: Vec<Vec<Range>>,
    pub(crate) routes: Vec<Route>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Range {
    pub(crate) subnet: Option<IpNet>,
    pub(crate) rangestart: Option<IpAddr>,
    pub(crate) rangeend: Option<IpAddr>,
    pub(crate) gateway: Option<IpAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Route {
    pub(crate) dst: IpNet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gw: Option<IpAddr>,
}

/// In the network's and in the runtime's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Dns {
    #[serde(alias = "servers", skip_serializing_if = "Vec::is_empty")]
    pub(crate) nameservers: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) domain: String,
    #[serde(alias = "searches", skip_serializing_if = "Vec::is_empty")]
    pub(crate) search: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) options: Vec<String>,
}

/// What the runtime asks for, for this one attachment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RuntimeConfig {
    pub(crate) portmappings: Vec<Publication>,
    /// With the length of a prefix or without.
    pub(crate) ips: Vec<String>,
    pub(crate) mac: String,
    aliases: Aliases,
    pub(crate) dns: Dns,
    pub(crate) ipranges: Vec<Vec<Range>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Aliases {
    ByNetwork(BTreeMap<String, Vec<String>>),
    All(Vec<String>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Publication {
    pub(crate) hostport: u32,
    pub(crate) containerport: u32,
    pub(crate) protocol: String,
    pub(crate) hostip: String,
}

/// `args` of the configuration itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Args {
    pub(crate) cni: CniArgs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CniArgs {
    pub(crate) ips: Vec<String>,
    pub(crate) mac: String,
}

/// One attachment that `GC` leaves alone.
#[derive(Debug, Deserialize)]
pub(crate) struct Valid {
    #[serde(rename = "containerid")]
    pub(crate) container: String,
    pub(crate) ifname: String,
}

impl Default for Aliases {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Conf {
    pub(crate) fn read(text: &str) -> Outcome<Self> {
        let unreadable = |error| Failure::decoding(format!("read the configuration: {error}"));
        let given: Value = serde_json::from_str(text).map_err(unreadable)?;
        let folded = fold(&given);
        let version = match folded.get("cniversion") {
            Some(Value::String(version)) => version.clone(),
            Some(_) => return Err(Failure::decoding("cniVersion is no string")),
            None => "0.1.0".to_owned(),
        };
        let previous = given.as_object().and_then(|fields| {
            let mut fields = fields.iter();
            let found = fields.find(|(key, _)| key.eq_ignore_ascii_case("prevResult"))?;
            Some(found.1.clone()).filter(|value| !value.is_null())
        });
        Ok(Self {
            version,
            keys: serde_json::from_value(folded).map_err(unreadable)?,
            previous,
            text: text.to_owned(),
        })
    }

    /// Whether it can be followed, by a verb that is there since that version.
    pub(crate) fn check(&self, since: &str) -> Outcome {
        let at = |wanted: &str| VERSIONS.iter().position(|version| *version == wanted);
        let incompatible = |words: String| Err(Failure::new(Code::IncompatibleVersion, words));
        let version = &self.version;
        match at(version) {
            None => return incompatible(format!("incompatible version {version}")),
            Some(found) if at(since).is_some_and(|since| found < since) => {
                return incompatible(format!("the verb is there since version {since}"));
            }
            Some(_) => {}
        }
        self.keys.refused.check()?;
        match self.keys.name.is_empty() {
            true => Err(Failure::invalid("the network has no name")),
            false => Ok(()),
        }
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        let given = self.keys.statedir.clone();
        given.unwrap_or_else(|| PathBuf::from(Sqlite::DIRECTORY))
    }

    /// Whether the bridge is the containers' gateway.
    pub(crate) fn is_gateway(&self) -> bool {
        let keys = &self.keys;
        keys.isgateway.unwrap_or(self.leaves_all_open()) || self.is_default_gateway()
    }

    pub(crate) fn is_default_gateway(&self) -> bool {
        self.keys.isdefaultgateway.unwrap_or(self.leaves_all_open())
    }

    pub(crate) fn masquerades(&self) -> bool {
        self.keys.ipmasq.unwrap_or(self.leaves_all_open())
    }

    fn leaves_all_open(&self) -> bool {
        let keys = &self.keys;
        keys.isgateway.is_none() && keys.isdefaultgateway.is_none() && keys.ipmasq.is_none()
    }

    /// The attachments that `GC` leaves alone.
    pub(crate) fn valid(&self) -> impl Iterator<Item = &Valid> {
        self.keys.valid.iter().chain(&self.keys.formerly_valid)
    }

    /// The further names that the runtime gives the container on this network.
    pub(crate) fn aliases(&self) -> Vec<String> {
        match &self.keys.runtimeconfig.aliases {
            Aliases::All(all) => all.clone(),
            Aliases::ByNetwork(of) => {
                let own = of.get(&self.keys.name.to_lowercase());
                own.cloned().unwrap_or_default()
            }
        }
    }

    /// The runtime's, else the network's.
    pub(crate) fn dns(&self) -> &Dns {
        let asked = &self.keys.runtimeconfig.dns;
        match *asked == Dns::default() {
            true => &self.keys.dns,
            false => asked,
        }
    }
}

impl Refused {
    fn check(&self) -> Outcome {
        let asked = [
            ("promiscMode", self.promiscmode),
            ("disableContainerInterface", self.disablecontainerinterface),
        ];
        if let Some((key, _)) = asked.into_iter().find(|(_, is_asked)| *is_asked) {
            return Err(Failure::unsupported(key, true));
        }
        if self.vlan != 0 {
            return Err(Failure::unsupported("vlan", self.vlan));
        }
        match self.vlantrunk.is_empty() {
            true => Ok(()),
            false => {
                let trunk = Value::from(self.vlantrunk.clone());
                Err(Failure::unsupported("vlanTrunk", trunk))
            }
        }
    }
}

impl Ipam {
    /// All sets of ranges, however they are given.
    pub(crate) fn all_sets(&self) -> impl Iterator<Item = &[Range]> {
        let alone = Some(std::slice::from_ref(&self.range));
        let alone = alone.filter(|_| self.range != Range::default());
        alone
            .into_iter()
            .chain(self.ranges.iter().map(Vec::as_slice))
    }
}

impl Route {
    /// A family's default route.
    pub(crate) fn default_by(family: Family, gw: Option<IpAddr>) -> Self {
        let dst = match family {
            Family::V4 => Ipv4Net::default().into(),
            Family::V6 => Ipv6Net::default().into(),
        };
        Self { dst, gw }
    }

    pub(crate) fn is_default(&self) -> bool {
        self.dst.prefix_len() == 0
    }

    pub(crate) fn destination(&self) -> Subnet {
        Subnet::of(self.dst)
    }
}

/// What `VERSION` says.
pub(crate) fn versions(asked: &str) -> Value {
    let answered = VERSIONS.iter().find(|version| **version == asked);
    let answered = answered.copied().unwrap_or(NEWEST);
    json!({ "cniVersion": answered, "supportedVersions": VERSIONS })
}
