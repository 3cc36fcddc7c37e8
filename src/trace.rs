//! A span for each operation, where the feature `tracing` is on; nothing at all where it is off.

use crate::addr::EndpointId;
#[cfg(feature = "tracing")]
use crate::errno::Errno;
use crate::error::Error;

/// An operation under way. Its span ends when this is dropped.
pub(crate) struct Operation {
    #[cfg(feature = "tracing")]
    pub(crate) span: tracing::span::EnteredSpan,
}

impl Operation {
    /// Notes in the span which endpoint it is about.
    pub(crate) fn concerns(&self, endpoint: EndpointId) {
        #[cfg(feature = "tracing")]
        self.span
            .record("endpoint", tracing::field::display(endpoint));
        #[cfg(not(feature = "tracing"))]
        let _unsaid = endpoint;
    }

    /// Notes in the span that the operation was refused, with the errno where there is one.
    pub(crate) fn refused(&self, error: Error) -> Error {
        #[cfg(feature = "tracing")]
        {
            self.span.record("errno", error.errno().map(Errno::raw));
            self.span.record("error", tracing::field::display(&error));
        }
        error
    }
}

/// Begins an operation of that name on a network, and with a container and its namespace where one
/// is given.
macro_rules! operation {
    ($name:literal, $network:expr, of $spec:expr) => {
        crate::trace::operation!(@ $name, $network, container = %$spec.container)
    };
    ($name:literal, $network:expr $(, $container:expr)?) => {
        crate::trace::operation!(
            @ $name, $network
            $(, container = %$container.name(), namespace = $container.netns().inode())?
        )
    };
    (@ $name:literal, $network:expr $(, $($field:tt)*)?) => {
        crate::trace::Operation {
            #[cfg(feature = "tracing")]
            span: tracing::info_span!(
                target: "bridgework",
                $name,
                network = %$network,
                $($($field)*,)?
                endpoint = tracing::field::Empty,
                errno = tracing::field::Empty,
                error = tracing::field::Empty,
            )
            .entered(),
        }
    };
}

pub(crate) use operation;
