//! The only place with effects on links, addresses, routes, sysctls and files. What to do is
//! decided elsewhere.

pub(crate) mod files;
