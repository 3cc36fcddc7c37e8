//! Why a verb was not done, as its caller's users read it.

use std::fmt;
use std::io;

/// What a verb returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// The words that the caller shows its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// Of a file or a process of ours.
    pub(crate) fn during(doing: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::new(format!("{doing}: {error}"))
    }

    /// All of them as one; `Ok` if there is none.
    pub(crate) fn join(results: impl IntoIterator<Item = Outcome>) -> Outcome {
        let failures: Vec<Self> = results.into_iter().filter_map(Result::err).collect();
        match failures.as_slice() {
            [] => Ok(()),
            [one] => Err(one.clone()),
            many => {
                let lines: String = many.iter().map(|one| format!("\n\t- {one}")).collect();
                Err(Self(format!("several things went wrong:{lines}")))
            }
        }
    }
}

impl From<bridgework::Error> for Failure {
    fn from(error: bridgework::Error) -> Self {
        Self(error.to_string().replace('\n', " "))
    }
}

impl From<bridgework::ParseError> for Failure {
    fn from(error: bridgework::ParseError) -> Self {
        Self(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("read the request: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
