//! A label that is asked for, with its value or with any.

use std::collections::BTreeMap;
use std::fmt;

/// A label that is asked for: `key`, with whatever value, or `key=value`.
///
/// ```
/// use std::collections::BTreeMap;
/// use bridgework::inspect::LabelTerm;
///
/// let labels = BTreeMap::from([("project".to_owned(), "shop".to_owned())]);
/// assert!(LabelTerm::from("project").is_in(&labels));
/// assert!(LabelTerm::from("project=shop").is_in(&labels));
/// assert!(!LabelTerm::from("project=sho").is_in(&labels));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelTerm {
    key: String,
    value: Option<String>,
}

impl LabelTerm {
    /// Whether it is among `labels`.
    #[must_use]
    pub fn is_in(&self, labels: &BTreeMap<String, String>) -> bool {
        match (labels.get(&self.key), &self.value) {
            (Some(found), Some(value)) => found == value,
            (found, None) => found.is_some(),
            (None, Some(_)) => false,
        }
    }
}

impl From<&str> for LabelTerm {
    fn from(text: &str) -> Self {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (text, None),
        };
        let key = key.to_owned();
        Self { key, value }
    }
}

impl fmt::Display for LabelTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.key),
            None => f.write_str(&self.key),
        }
    }
}
