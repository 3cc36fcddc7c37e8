//! The one error type: what was attempted, all that is wrong with it, and what is left behind.
//!
//! # Design
//!
//! One opaque type with predicates, since what callers decide on is few (is it there already? is it
//! gone? is nothing left? may I?), while causes are many and grow. [`Error::faults`] has them all
//! for those who show or count them.

mod class;
mod fault;
mod hand_back;
mod obstacle;
mod port_fault;
mod words;

use std::borrow::Cow;
use std::fmt;

pub use class::{FaultClass, StoreTrouble};
pub use fault::Fault;
pub use hand_back::HandBack;
pub use obstacle::{Obstacle, Occupant};
pub use port_fault::PortFault;

use crate::addr::ParseError;
use crate::errno::Errno;
use crate::plan::Plan;

/// Why a verb did not do what it was asked to.
///
/// All faults of a request are in one error. Unless [`left_behind`](Self::left_behind) says
/// otherwise, nothing was changed.
///
/// ```
/// use bridgework::{Error, Fault};
///
/// let error = Error::of("create network web", vec![Fault::NoFamily]);
/// assert!(error.is_invalid());
/// assert_eq!(error.to_string(), "create network web: IPv4 or IPv6 must be enabled");
/// assert!(error.left_behind().is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Detail>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Detail {
    attempt: String,
    faults: Vec<Fault>,
    left_behind: Plan,
}

/// What every verb returns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The error of an attempt with all that is wrong with it. For drivers written elsewhere.
    ///
    /// ```
    /// use bridgework::{Error, Fault};
    ///
    /// let error = Error::of("create network web", vec![Fault::NoFamily]);
    /// assert!(error.to_string().contains("IPv4 or IPv6 must be enabled"));
    /// ```
    #[must_use]
    pub fn of(attempt: impl Into<String>, faults: Vec<Fault>) -> Self {
        Self(Box::new(Detail {
            attempt: attempt.into(),
            faults,
            left_behind: Plan::new(),
        }))
    }

    /// The same error, of the larger attempt that it was part of.
    #[must_use]
    pub(crate) fn during(mut self, attempt: impl Into<String>) -> Self {
        self.0.attempt = attempt.into();
        self
    }

    /// The same error, with what could not be taken back.
    #[must_use]
    pub(crate) fn leaving(mut self, left_behind: Plan) -> Self {
        self.0.left_behind = left_behind;
        self
    }

    /// The same error, with what another one could not take back besides.
    #[must_use]
    pub(crate) fn leaving_also(mut self, other: &Self) -> Self {
        let left = other.left_behind().steps().iter().cloned();
        self.0.left_behind.extend(left);
        self
    }

    /// What was attempted: verb and objects.
    ///
    /// ```
    /// use bridgework::{Error, Fault};
    ///
    /// let error = Error::of("create network web", vec![Fault::NoFamily]);
    /// assert_eq!(error.attempt(), "create network web");
    /// ```
    #[must_use]
    pub fn attempt(&self) -> &str {
        &self.0.attempt
    }

    /// All that is wrong, in the order in which it was found. Never empty.
    ///
    /// ```
    /// use bridgework::{Error, Fault};
    ///
    /// let error = Error::of("create network web", vec![Fault::NoFamily, Fault::Forked]);
    /// assert_eq!(error.faults(), [Fault::NoFamily, Fault::Forked]); // all that is wrong
    /// ```
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.0.faults
    }

    /// The steps that would take back what is still there, empty where nothing is: what the verb had
    /// done before it failed, and what the kernel then refused to undo. They print as the lines to type.
    #[must_use]
    pub fn left_behind(&self) -> &Plan {
        &self.0.left_behind
    }

    /// The kernel's error number, where it gave one.
    ///
    /// ```
    /// use bridgework::{Errno, Error, Fault};
    ///
    /// let refused = |errno| Fault::Kernel { doing: "add a link".to_owned(), errno, words: None };
    /// let error = Error::of("connect web", vec![refused(Errno::ENOMEM)]);
    /// assert_eq!(error.errno(), Some(Errno::ENOMEM));
    /// ```
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        self.0.faults.iter().find_map(Fault::errno)
    }

    fn is(&self, class: FaultClass) -> bool {
        self.0.faults.iter().any(|fault| fault.class() == class)
    }

    /// Whether the request can never be met as it is.
    ///
    /// ```
    /// use bridgework::{Error, Fault};
    ///
    /// assert!(Error::of("create network web", vec![Fault::NoFamily]).is_invalid());
    /// ```
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.is(FaultClass::Invalid)
    }

    /// Whether an object, name or address is there already.
    ///
    /// ```
    /// use bridgework::{Errno, Error, Fault};
    ///
    /// let (doing, errno) = ("add a link".to_owned(), Errno::EEXIST);
    /// let error = Error::of("connect web", vec![Fault::Kernel { doing, errno, words: None }]);
    /// assert!(error.is_exists());
    /// ```
    #[must_use]
    pub fn is_exists(&self) -> bool {
        self.is(FaultClass::Exists)
    }

    /// Whether an object that the request names is not there.
    ///
    /// ```
    /// let error = bridgework::Netns::at("/nowhere").unwrap_err();
    /// assert!(error.is_not_found());
    /// ```
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.is(FaultClass::NotFound)
    }

    /// Whether addresses, subnets or ports have run out.
    ///
    /// ```
    /// use bridgework::{Errno, Error, Fault};
    ///
    /// let (doing, errno) = ("add a link".to_owned(), Errno::ENOSPC);
    /// let error = Error::of("connect web", vec![Fault::Kernel { doing, errno, words: None }]);
    /// assert!(error.is_exhausted());
    /// ```
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.is(FaultClass::Exhausted)
    }

    /// Whether others still use the object.
    ///
    /// ```
    /// use bridgework::{Errno, Error, Fault};
    ///
    /// let (doing, errno) = ("add a link".to_owned(), Errno::EBUSY);
    /// let error = Error::of("connect web", vec![Fault::Kernel { doing, errno, words: None }]);
    /// assert!(error.is_in_use());
    /// ```
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.is(FaultClass::InUse)
    }

    /// Whether a privilege is missing.
    ///
    /// ```
    /// use bridgework::{Errno, Error, Fault};
    ///
    /// let (doing, errno) = ("add a link".to_owned(), Errno::EPERM);
    /// let error = Error::of("connect web", vec![Fault::Kernel { doing, errno, words: None }]);
    /// assert!(error.is_permission());
    /// ```
    #[must_use]
    pub fn is_permission(&self) -> bool {
        self.is(FaultClass::Permission)
    }

    /// Whether this kernel can not do it, or nothing here can.
    ///
    /// ```
    /// use bridgework::{Errno, Error, Fault};
    ///
    /// let (doing, errno) = ("add a link".to_owned(), Errno::EOPNOTSUPP);
    /// let error = Error::of("connect web", vec![Fault::Kernel { doing, errno, words: None }]);
    /// assert!(error.is_unsupported());
    /// ```
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        self.is(FaultClass::Unsupported)
    }

    /// Whether a deadline passed.
    ///
    /// ```
    /// use bridgework::{Errno, Error, Fault};
    ///
    /// let (doing, errno) = ("add a link".to_owned(), Errno::ETIMEDOUT);
    /// let error = Error::of("connect web", vec![Fault::Kernel { doing, errno, words: None }]);
    /// assert!(error.is_timed_out());
    /// ```
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        self.is(FaultClass::TimedOut)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", visible(&self.0.attempt))?;
        for (index, fault) in self.0.faults.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}", visible(&fault.to_string()))?;
        }
        if !self.0.left_behind.is_empty() {
            let lines = self.0.left_behind.to_string();
            write!(
                f,
                "; left behind, to be taken away by: {}",
                lines.trim_end().replace('\n', "; ")
            )?;
        }
        Ok(())
    }
}

/// `text` on one line of a log, whoever wrote the names and paths in it.
fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    Cow::Owned(text.chars().map(escape).collect())
}

impl std::error::Error for Error {}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        let attempt = format!("parse {}", error.kind());
        Self::of(attempt, vec![Fault::Value(error)])
    }
}
