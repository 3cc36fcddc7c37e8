//! A span for each operation, where the feature `tracing` is on; nothing at all where it is off.

/// Enters a span of that name until the end of the enclosing scope, with the network, the
/// container and its namespace where they are given.
#[cfg(feature = "tracing")]
macro_rules! operation {
    ($name:literal, network = $network:expr) => {
        let _span = tracing::info_span!(target: "bridgework", $name, network = %$network).entered();
    };
    ($name:literal, network = $network:expr, container = $container:expr) => {
        let _span = tracing::info_span!(
            target: "bridgework",
            $name,
            network = %$network,
            container = %$container.name(),
            namespace = $container.netns().inode(),
        )
        .entered();
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! operation {
    ($name:literal, network = $network:expr) => {};
    ($name:literal, network = $network:expr, container = $container:expr) => {};
}

/// Tells of an error that is about to be returned, with its errno where it has one.
#[cfg(feature = "tracing")]
pub(crate) fn refused(error: &crate::Error) {
    let errno = error.errno().map_or(0, crate::Errno::raw);
    tracing::warn!(target: "bridgework", errno, %error, "refused");
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn refused(_error: &crate::Error) {}

pub(crate) use operation;
