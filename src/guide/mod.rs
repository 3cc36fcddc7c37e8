//! Texts for those who begin: for whoever writes a runtime or tests with networks, and for whoever comes
//! from other software and looks for what it is called here.

#[doc = include_str!("docker.md")]
pub mod docker {}

#[doc = include_str!("fixtures.md")]
pub mod fixtures {}

#[doc = include_str!("plugins.md")]
pub mod plugins {}

#[doc = include_str!("runtime.md")]
pub mod runtime {}
