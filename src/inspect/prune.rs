//! Which networks a prune removes: `docker network prune --filter`. It chooses, and removes
//! nothing.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::addr::{ParseError, Reason, Timestamp, ValueKind, text_value};
use crate::error;
use crate::spec::{NetworkSpec, Origin};

use super::LabelTerm;
use super::filter::{parse_all, split};

/// Which unused networks to remove. One without terms takes all of them.
///
/// A network must satisfy every term. (Docker keeps a network only if it has *all* labels of
/// several `label!`; here any of them protects it. Docker refuses a second `until`; here the
/// earliest counts.)
///
/// ```
/// use std::time::Duration;
/// use bridgework::inspect::PruneFilter;
///
/// let filter = PruneFilter::new().until(Duration::from_secs(24 * 3600)).not_label("keep");
/// assert_eq!(filter, PruneFilter::parse(["until=24h", "label!=keep"])?);
/// # Ok::<(), bridgework::Error>(())
/// ```
///
/// What it lets go:
///
/// ```no_run
/// use std::time::{Duration, SystemTime};
/// use bridgework::inspect::{PruneFilter, PruneTerm};
/// use bridgework::{Host, NetworkConfig};
///
/// let config = NetworkConfig::bridge("web").label("project", "shop");
/// let web = Host::isolated()?.create_network(config)?;
/// let of_shop = PruneFilter::new().label("project=shop");
/// assert!(of_shop.matches(web.spec(), 0, SystemTime::now().into()));
///
/// let old = of_shop.term(PruneTerm::Until(Duration::from_secs(3600).into()));
/// assert_eq!(old.terms().len(), 2);
/// assert!(!old.matches(web.spec(), 0, SystemTime::now().into())); // it was made just now
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct PruneFilter {
    terms: Vec<PruneTerm>,
}

/// One condition: a key and a value, in text `key=value`.
///
/// ```
/// use bridgework::inspect::PruneTerm;
///
/// let term: PruneTerm = "label!=keep=yes".parse()?;
/// assert_eq!(term, PruneTerm::NotLabel("keep=yes".into()));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PruneTerm {
    /// `label`: only networks with that label.
    Label(LabelTerm),
    /// `label!`: only networks without that label.
    NotLabel(LabelTerm),
    /// `until`: only networks that were made until then.
    Until(Until),
}

/// The last moment at which a network was made that is to go.
///
/// As text a moment (`2026-11-21T06:44:00Z`, or less of it; without a zone it is in UTC), the
/// seconds since 1970, or a duration (`24h`, `1h30m`).
///
/// ```
/// use std::time::Duration;
/// use bridgework::inspect::Until;
///
/// assert_eq!("1h30m".parse(), Ok(Until::Ago(Duration::from_secs(5400))));
/// assert_eq!("2026-11-21".parse(), Ok(Until::At("2026-11-21T00:00:00Z".parse()?)));
///
/// let (now, before) = ("2026-11-21T06:00:00Z".parse()?, "2026-11-21T04:30:00Z".parse()?);
/// assert_eq!(Until::Ago(Duration::from_secs(5400)).moment(now), before);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Until {
    /// At that moment.
    At(Timestamp),
    /// So long before it is asked.
    Ago(Duration),
}

impl PruneFilter {
    /// All unused networks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The filter of these texts, each `key=value`.
    ///
    /// # Errors
    /// Texts that are no terms, all of them.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> error::Result<Self> {
        let terms = parse_all("prune networks", texts)?;
        Ok(Self { terms })
    }

    /// One more term.
    #[must_use]
    pub fn term(mut self, term: PruneTerm) -> Self {
        self.terms.push(term);
        self
    }

    /// Only networks with a label: `key` or `key=value`.
    #[must_use]
    pub fn label(self, label: impl AsRef<str>) -> Self {
        self.term(PruneTerm::Label(label.as_ref().into()))
    }

    /// Only networks without a label: `key` or `key=value`.
    #[must_use]
    pub fn not_label(self, label: impl AsRef<str>) -> Self {
        self.term(PruneTerm::NotLabel(label.as_ref().into()))
    }

    /// Only networks that were made until a moment, or so long ago.
    #[must_use]
    pub fn until(self, until: impl Into<Until>) -> Self {
        self.term(PruneTerm::Until(until.into()))
    }

    /// The terms, in order.
    #[must_use]
    pub fn terms(&self) -> &[PruneTerm] {
        &self.terms
    }

    /// Whether `network` is to go, to which so many containers are connected, if it is `now`. Never
    /// one that every host has, never one with containers, and never a configuration-only one.
    #[must_use]
    pub fn matches(&self, network: &NetworkSpec, endpoints: usize, now: Timestamp) -> bool {
        let is_custom = network.origin == Origin::Custom && !network.config_only.is_on();
        is_custom && endpoints == 0 && self.terms.iter().all(|term| term.matches(network, now))
    }
}

impl FromIterator<PruneTerm> for PruneFilter {
    fn from_iter<I: IntoIterator<Item = PruneTerm>>(terms: I) -> Self {
        let terms = terms.into_iter().collect();
        Self { terms }
    }
}

impl PruneTerm {
    fn matches(&self, network: &NetworkSpec, now: Timestamp) -> bool {
        match self {
            Self::Label(label) => label.is_in(&network.labels),
            Self::NotLabel(label) => !label.is_in(&network.labels),
            Self::Until(until) => network.created <= until.moment(now),
        }
    }
}

impl FromStr for PruneTerm {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (key, value) = split(text)?;
        match key {
            "label" => Ok(Self::Label(value.into())),
            "label!" => Ok(Self::NotLabel(value.into())),
            "until" => value.parse().map(Self::Until),
            _ => {
                let known = &["label", "label!", "until"];
                let reason = Reason::UnknownKey { known };
                Err(ParseError::new(ValueKind::Filter, text, reason))
            }
        }
    }
}

impl fmt::Display for PruneTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => write!(f, "label={label}"),
            Self::NotLabel(label) => write!(f, "label!={label}"),
            Self::Until(until) => write!(f, "until={until}"),
        }
    }
}

text_value!(PruneTerm, ValueKind::Filter);

impl Until {
    /// The moment that it means if it is `now`.
    #[must_use]
    pub fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::Ago(span) => now.earlier_by(span),
        }
    }
}

impl From<Timestamp> for Until {
    fn from(moment: Timestamp) -> Self {
        Self::At(moment)
    }
}

impl From<Duration> for Until {
    fn from(span: Duration) -> Self {
        Self::Ago(span)
    }
}

impl FromStr for Until {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let at = seconds(text).or_else(|| moment(text)).map(Self::At);
        let ago = || humantime::parse_duration(text).ok().map(Self::Ago);
        at.or_else(ago).ok_or_else(|| {
            let expected = "a moment as in 2026-11-21T06:44:00Z or a duration as in 24h";
            ParseError::new(ValueKind::Timestamp, text, Reason::Malformed { expected })
        })
    }
}

/// Seconds since 1970, with at most nine digits of one.
fn seconds(text: &str) -> Option<Timestamp> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 9 {
        return None;
    }
    let nanos = format!("{part:0<9}").parse().ok()?;
    let since_1970 = Duration::new(whole.parse().ok()?, nanos);
    Some(Timestamp::from_unix(since_1970))
}

/// A moment of which zone, seconds or time of day may be missing.
fn moment(text: &str) -> Option<Timestamp> {
    ["", "Z", ":00Z", "T00:00:00Z"]
        .iter()
        .find_map(|rest| format!("{text}{rest}").parse().ok())
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(moment) => moment.fmt(f),
            Self::Ago(span) => humantime::format_duration(*span).fmt(f),
        }
    }
}
