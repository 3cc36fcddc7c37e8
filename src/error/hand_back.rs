//! The error of a verb that takes a handle: it has the handle, so that whoever failed can try again.
//! It decides nothing.

use std::fmt;

use super::Error;

/// Why a verb did not do what it was asked to, and the handle that it was asked of.
///
/// `?` makes an [`Error`] of it, which drops the handle.
///
/// ```
/// use bridgework::{Container, Endpoint, Error, StagedEndpoint};
///
/// /// Joins the first of two that can be joined.
/// fn join_either(staged: StagedEndpoint, two: [&Container; 2]) -> Result<Endpoint, Error> {
///     match staged.join(two[0]) {
///         Ok(endpoint) => Ok(endpoint),
///         Err(refused) if refused.error().is_not_found() => Ok(refused.into_handle().join(two[1])?),
///         Err(refused) => Err(refused.into()),
///     }
/// }
///
/// /// Joins a container, and says what it is about where it can't.
/// fn join(staged: StagedEndpoint, web: &Container) -> Result<Endpoint, StagedEndpoint> {
///     staged.join(web).map_err(|refused| {
///         let (error, staged) = refused.into_parts();
///         eprintln!("{error}");
///         staged
///     })
/// }
/// ```
pub struct HandBack<T>(Box<(Error, T)>);

impl<T> HandBack<T> {
    pub(crate) fn new(error: Error, handle: T) -> Self {
        Self(Box::new((error, handle)))
    }

    /// Why.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0.0
    }

    /// The handle.
    #[must_use]
    pub fn into_handle(self) -> T {
        self.0.1
    }

    /// Both.
    #[must_use]
    pub fn into_parts(self) -> (Error, T) {
        *self.0
    }
}

impl<T> fmt::Debug for HandBack<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandBack({:?})", self.error())
    }
}

impl<T> fmt::Display for HandBack<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

impl<T> std::error::Error for HandBack<T> {}

impl<T> From<HandBack<T>> for Error {
    fn from(refused: HandBack<T>) -> Self {
        refused.0.0
    }
}
