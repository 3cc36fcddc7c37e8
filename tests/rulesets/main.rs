//! The rule sets that the kernel ends up with, as `nft` lists them, beside texts that a person has
//! read; and those of others, which stay as they are.
//!
//! After a change that is meant, `UPDATE_GOLDEN=1 cargo test --test rulesets` writes the texts anew:
//! read the difference before you commit it.

#[path = "../lab/mod.rs"]
mod lab;

mod elements;
mod foreign;
mod golden;
mod listing;
mod world;
