//! What a host must have for its networks, beside what it has: which steps of a plan do not hold any
//! more, what of the packet filter and the settings is otherwise, and what of others' is in the way.
//! Pure: no socket, file, clock or thread. It names what is wrong and the steps that put it right,
//! and performs none.

mod deviation;
mod expected;
mod finding;
mod links;
mod present;
mod rebuild;
mod survey;
#[cfg(test)]
mod tests;

pub use deviation::{Deviation, DeviationCause};
pub(crate) use expected::{Expected, Subject, Verdict};
pub use finding::Finding;
pub(crate) use links::missing;
pub(crate) use present::Present;
pub(crate) use rebuild::{Rebuilt, rebuild};
pub(crate) use survey::{Made, Survey, findings, firewall_now, settings, settings_of_others};
