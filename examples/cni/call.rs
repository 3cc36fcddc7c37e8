//! What the environment says: the verb, whose attachment it is about, and what else is asked for.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;

use bridgework::LinkName;

use crate::attachment::Attachment;
use crate::failure::{Code, Failure, Outcome};

/// One call of a runtime's.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
    /// `CNI_ARGS`.
    pub(crate) args: BTreeMap<String, String>,
    /// `CNI_PATH`: where other plugins are.
    pub(crate) path: Vec<PathBuf>,
}

#[derive(Debug)]
pub(crate) enum Verb {
    Add { at: Attachment, netns: PathBuf },
    Check { at: Attachment, netns: PathBuf },
    Del { at: Attachment },
    Gc,
    Status,
    Version,
}

impl Verb {
    /// The first version of the spec that has it.
    pub(crate) fn since(&self) -> &'static str {
        match self {
            Self::Add { .. } | Self::Del { .. } | Self::Version => "0.3.1",
            Self::Check { .. } => "0.4.0",
            Self::Gc | Self::Status => "1.1.0",
        }
    }
}

/// Keys of `CNI_ARGS` that mean something to us or to a runtime.
const KNOWN_ARGS: [&str; 3] = ["IgnoreUnknown", "IP", "MAC"];

impl Call {
    pub(crate) fn of_environment() -> Outcome<Self> {
        let verb = match required("CNI_COMMAND")?.as_str() {
            "ADD" => Verb::Add {
                at: attachment()?,
                netns: required("CNI_NETNS")?.into(),
            },
            "CHECK" => Verb::Check {
                at: attachment()?,
                netns: required("CNI_NETNS")?.into(),
            },
            "DEL" => Verb::Del { at: attachment()? },
            "GC" => Verb::Gc,
            "STATUS" => Verb::Status,
            "VERSION" => Verb::Version,
            other => return Err(invalid("CNI_COMMAND", other, "there is no such verb")),
        };
        let path = env::var_os("CNI_PATH").unwrap_or_default();
        let path = env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty());
        Ok(Self {
            args: match verb {
                Verb::Add { .. } | Verb::Check { .. } => args(&given("CNI_ARGS"))?,
                _ => BTreeMap::new(),
            },
            verb,
            path: path.collect(),
        })
    }
}

fn attachment() -> Outcome<Attachment> {
    let container = required("CNI_CONTAINERID")?;
    let link = required("CNI_IFNAME")?;
    let name = |error| invalid("CNI_IFNAME", &link, error);
    let link: LinkName = link.parse().map_err(|error| name(format!("{error}")))?;
    Attachment::new(&container, link)
        .map_err(|why| invalid("CNI_CONTAINERID", &container, why.words))
}

/// `KEY=VALUE` with semicolons between them. A key that nobody knows is an error unless
/// `IgnoreUnknown` is there.
fn args(text: &str) -> Outcome<BTreeMap<String, String>> {
    let mut args = BTreeMap::new();
    for pair in text.split(';').filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(invalid("CNI_ARGS", pair, "there is no ="));
        };
        args.insert(key.to_owned(), value.to_owned());
    }
    let ignores = |value: &String| matches!(value.to_lowercase().as_str(), "1" | "t" | "true");
    let is_known = |key: &str| KNOWN_ARGS.contains(&key) || key.starts_with("K8S_");
    match args.keys().find(|key| !is_known(key)) {
        Some(key) if !args.get("IgnoreUnknown").is_some_and(ignores) => {
            Err(invalid("CNI_ARGS", key, "nobody knows that key"))
        }
        _ => Ok(args),
    }
}

fn given(key: &str) -> String {
    let value = env::var_os(key).unwrap_or_default();
    value.to_string_lossy().into_owned()
}

fn required(key: &str) -> Outcome<String> {
    match given(key) {
        value if value.is_empty() => {
            let words = format!("{key} is not in the environment");
            Err(Failure::new(Code::InvalidEnvironment, words))
        }
        value => Ok(value),
    }
}

fn invalid(key: &str, value: &str, why: impl std::fmt::Display) -> Failure {
    let words = format!("invalid {key} {value:?}: {why}");
    Failure::new(Code::InvalidEnvironment, words)
}
