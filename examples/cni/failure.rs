//! Why a verb was not done: the spec's code and the words that the runtime's users read.

use std::fmt;

use bridgework::{Error, Fault};
use serde_json::{Value, json};

/// What a verb returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// The spec's codes, and from 100 on our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    IncompatibleVersion = 1,
    UnsupportedField = 2,
    UnknownContainer = 3,
    InvalidEnvironment = 4,
    Io = 5,
    Undecodable = 6,
    InvalidConf = 7,
    TryAgainLater = 11,
    NotAvailable = 50,
    Refused = 100,
    NotAsMade = 101,
}

/// Why a verb was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: u32,
    pub(crate) words: String,
    pub(crate) details: String,
}

impl Failure {
    pub(crate) fn new(code: Code, words: impl Into<String>) -> Self {
        Self {
            code: code as u32,
            words: words.into(),
            details: String::new(),
        }
    }

    /// A key of the configuration that asks for what is not to be had here.
    pub(crate) fn unsupported(key: &str, value: impl fmt::Display) -> Self {
        let words = format!("unsupported field {key}: {value}");
        Self::new(Code::UnsupportedField, words)
    }

    pub(crate) fn invalid(words: impl Into<String>) -> Self {
        Self::new(Code::InvalidConf, words)
    }

    pub(crate) fn decoding(words: impl Into<String>) -> Self {
        Self::new(Code::Undecodable, words)
    }

    pub(crate) fn with_details(self, details: impl Into<String>) -> Self {
        let details = details.into();
        Self { details, ..self }
    }

    /// As the spec has it on stdout.
    pub(crate) fn to_json(&self, version: &str) -> Value {
        let mut json = json!({ "cniVersion": version, "code": self.code, "msg": self.words });
        if !self.details.is_empty() {
            json["details"] = self.details.clone().into();
        }
        json
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let is_gone = |fault: &Fault| {
            matches!(
                fault,
                Fault::NamespaceNotFound { .. }
                    | Fault::ContainerGone { .. }
                    | Fault::NotANamespace { .. }
            )
        };
        let code = match &error {
            error if error.faults().iter().any(is_gone) => Code::UnknownContainer,
            error if error.is_timed_out() => Code::TryAgainLater,
            error if error.is_invalid() => Code::InvalidConf,
            _ => Code::Refused,
        };
        let left = error.left_behind().to_string();
        Self::new(code, error.to_string()).with_details(left.trim_end())
    }
}

impl From<bridgework::ParseError> for Failure {
    fn from(error: bridgework::ParseError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}
