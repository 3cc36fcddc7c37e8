//! Which networks a list shows: `docker network ls --filter`. It chooses, and lists nothing.

use std::fmt;
use std::str::FromStr;

use crate::addr::{ParseError, Reason, ValueKind, text_value};
use crate::error::{self, Error, Fault};
use crate::plan::Switch;
use crate::spec::{NetworkSpec, Origin};

use super::{LabelTerm, Scope};

/// Which networks to list. One without terms lets all through.
///
/// As in Docker, a network must satisfy every key that is there, and of several terms with one key
/// any will do; but of labels all must be there.
///
/// ```
/// use bridgework::inspect::NetworkFilter;
/// use bridgework::plan::Switch;
///
/// let filter = NetworkFilter::new().name("web").label("project=shop").dangling(Switch::On);
/// let parsed = NetworkFilter::parse(["name=web", "label=project=shop", "dangling=true"])?;
/// assert_eq!(filter, parsed);
///
/// let error = NetworkFilter::parse(["nmae=web"]).unwrap_err();
/// assert!(error.to_string().ends_with(
///     "the key is none of dangling, driver, id, label, name, scope, type"
/// ));
/// # Ok::<(), bridgework::Error>(())
/// ```
///
/// What it lets through:
///
/// ```no_run
/// use bridgework::inspect::{FilterTerm, NetworkFilter, Scope};
/// use bridgework::plan::Switch;
/// use bridgework::spec::Origin;
/// use bridgework::{Host, NetworkConfig};
///
/// let web = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
/// let filter = NetworkFilter::new()
///     .id(format!("^{}", web.id().short()))
///     .driver("bridge").scope(Scope::Local).origin(Origin::Custom)
///     .term(FilterTerm::Dangling(Switch::On));
/// assert_eq!(filter.terms().len(), 5);
/// assert!(filter.matches(web.spec(), 0));
/// assert!(!filter.matches(web.spec(), 1)); // with a container it does not dangle
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct NetworkFilter {
    terms: Vec<FilterTerm>,
}

/// One condition: a key and a value, in text `key=value`.
///
/// ```
/// use bridgework::inspect::FilterTerm;
///
/// let term: FilterTerm = "driver=bridge".parse()?;
/// assert_eq!(term, FilterTerm::Driver("bridge".to_owned()));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FilterTerm {
    /// `dangling`: on for networks of callers' own that have no containers, off for all others.
    Dangling(Switch),
    /// `driver`: the name of the driver.
    Driver(String),
    /// `id`: part of the id, as in [`Name`](Self::Name).
    Id(String),
    /// `label`: a label, with its value or with any.
    Label(LabelTerm),
    /// `name`: part of the name. `^` stands for its beginning and `$` for its end; Docker's other
    /// regular expressions are taken as they are written.
    Name(String),
    /// `scope`: how far the network reaches.
    Scope(Scope),
    /// `type`: `builtin` or `custom`.
    Type(Origin),
}

impl NetworkFilter {
    /// All networks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The filter of these texts, each `key=value`.
    ///
    /// # Errors
    /// Texts that are no terms, all of them.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> error::Result<Self> {
        let terms = parse_all("filter networks", texts)?;
        Ok(Self { terms })
    }

    /// One more term.
    #[must_use]
    pub fn term(mut self, term: FilterTerm) -> Self {
        self.terms.push(term);
        self
    }

    /// Networks with that in their name, where `^` and `$` stand for its beginning and end.
    #[must_use]
    pub fn name(self, part: impl Into<String>) -> Self {
        self.term(FilterTerm::Name(part.into()))
    }

    /// Networks with that in their id, where `^` and `$` stand for its beginning and end.
    #[must_use]
    pub fn id(self, part: impl Into<String>) -> Self {
        self.term(FilterTerm::Id(part.into()))
    }

    /// Networks of the driver with that name.
    #[must_use]
    pub fn driver(self, name: impl Into<String>) -> Self {
        self.term(FilterTerm::Driver(name.into()))
    }

    /// Networks with a label: `key` or `key=value`.
    #[must_use]
    pub fn label(self, label: impl AsRef<str>) -> Self {
        self.term(FilterTerm::Label(label.as_ref().into()))
    }

    /// Networks that every host has, or callers' own.
    #[must_use]
    pub fn origin(self, origin: Origin) -> Self {
        self.term(FilterTerm::Type(origin))
    }

    /// On: callers' own networks that have no containers. Off: all others.
    #[must_use]
    pub fn dangling(self, dangling: Switch) -> Self {
        self.term(FilterTerm::Dangling(dangling))
    }

    /// Networks that reach so far.
    #[must_use]
    pub fn scope(self, scope: Scope) -> Self {
        self.term(FilterTerm::Scope(scope))
    }

    /// The terms, in order.
    #[must_use]
    pub fn terms(&self) -> &[FilterTerm] {
        &self.terms
    }

    /// Whether it lets `network` through, to which so many containers are connected.
    #[must_use]
    pub fn matches(&self, network: &NetworkSpec, endpoints: usize) -> bool {
        self.terms.iter().all(|term| match term {
            FilterTerm::Label(label) => label.is_in(&network.labels),
            term => {
                let mut same_key = self.terms.iter().filter(|other| other.key() == term.key());
                same_key.any(|term| term.matches(network, endpoints))
            }
        })
    }
}

impl FromIterator<FilterTerm> for NetworkFilter {
    fn from_iter<I: IntoIterator<Item = FilterTerm>>(terms: I) -> Self {
        let terms = terms.into_iter().collect();
        Self { terms }
    }
}

impl FilterTerm {
    fn key(&self) -> &'static str {
        match self {
            Self::Dangling(_) => "dangling",
            Self::Driver(_) => "driver",
            Self::Id(_) => "id",
            Self::Label(_) => "label",
            Self::Name(_) => "name",
            Self::Scope(_) => "scope",
            Self::Type(_) => "type",
        }
    }

    fn matches(&self, network: &NetworkSpec, endpoints: usize) -> bool {
        match self {
            Self::Dangling(dangling) => {
                let unused = network.origin == Origin::Custom && endpoints == 0;
                unused == dangling.is_on()
            }
            Self::Driver(name) => *name == network.driver,
            Self::Id(part) => contains(&network.id.to_string(), part),
            Self::Label(label) => label.is_in(&network.labels),
            Self::Name(part) => contains(network.name.as_str(), part),
            Self::Scope(scope) => *scope == Scope::Local,
            Self::Type(origin) => *origin == network.origin,
        }
    }
}

/// Whether `part` stands in `text`: at the beginning after `^`, at the end before `$`.
fn contains(text: &str, part: &str) -> bool {
    let (part, at_start) = match part.strip_prefix('^') {
        Some(part) => (part, true),
        None => (part, false),
    };
    match (at_start, part.strip_suffix('$')) {
        (true, Some(whole)) => text == whole,
        (true, None) => text.starts_with(part),
        (false, Some(end)) => text.ends_with(end),
        (false, None) => text.contains(part),
    }
}

const KEYS: &[&str] = &["dangling", "driver", "id", "label", "name", "scope", "type"];
const SCOPES: &[(&str, Scope)] = &[
    ("global", Scope::Global),
    ("local", Scope::Local),
    ("swarm", Scope::Swarm),
];

impl FromStr for FilterTerm {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (key, value) = split(text)?;
        let one_of =
            |known| ParseError::new(ValueKind::Filter, text, Reason::UnknownWord { known });
        match key {
            "dangling" => match value {
                "true" | "1" => Ok(Self::Dangling(Switch::On)),
                "false" | "0" => Ok(Self::Dangling(Switch::Off)),
                _ => Err(one_of(&["true", "1", "false", "0"])),
            },
            "driver" => Ok(Self::Driver(value.to_owned())),
            "id" => Ok(Self::Id(value.to_owned())),
            "label" => Ok(Self::Label(value.into())),
            "name" => Ok(Self::Name(value.to_owned())),
            "scope" => {
                let found = SCOPES.iter().find(|(word, _)| *word == value);
                let (_, scope) = found.ok_or_else(|| one_of(&["global", "local", "swarm"]))?;
                Ok(Self::Scope(*scope))
            }
            "type" => match value {
                "builtin" => Ok(Self::Type(Origin::Builtin)),
                "custom" => Ok(Self::Type(Origin::Custom)),
                _ => Err(one_of(&["builtin", "custom"])),
            },
            _ => {
                let reason = Reason::UnknownKey { known: KEYS };
                Err(ParseError::new(ValueKind::Filter, text, reason))
            }
        }
    }
}

impl fmt::Display for FilterTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.key())?;
        match self {
            Self::Dangling(Switch::On) => f.write_str("true"),
            Self::Dangling(Switch::Off) => f.write_str("false"),
            Self::Label(label) => label.fmt(f),
            Self::Driver(text) | Self::Id(text) | Self::Name(text) => f.write_str(text),
            Self::Scope(Scope::Local) => f.write_str("local"),
            Self::Scope(Scope::Global) => f.write_str("global"),
            Self::Scope(Scope::Swarm) => f.write_str("swarm"),
            Self::Type(Origin::Builtin) => f.write_str("builtin"),
            Self::Type(Origin::Custom) => f.write_str("custom"),
        }
    }
}

text_value!(FilterTerm, ValueKind::Filter);

/// A term's key and value.
pub(super) fn split(text: &str) -> Result<(&str, &str), ParseError> {
    text.split_once('=').ok_or_else(|| {
        let expected = "key=value";
        ParseError::new(ValueKind::Filter, text, Reason::Malformed { expected })
    })
}

/// All terms, or all that is wrong with the texts.
pub(super) fn parse_all<T, S>(
    attempt: &str,
    texts: impl IntoIterator<Item = S>,
) -> error::Result<Vec<T>>
where
    T: FromStr<Err = ParseError>,
    S: AsRef<str>,
{
    let (mut terms, mut faults) = (Vec::new(), Vec::new());
    for text in texts {
        match text.as_ref().parse() {
            Ok(term) => terms.push(term),
            Err(error) => faults.push(Fault::Value(error)),
        }
    }
    match faults.is_empty() {
        true => Ok(terms),
        false => Err(Error::of(attempt, faults)),
    }
}
