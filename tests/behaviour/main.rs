//! What users get, on a real kernel, with packets that flow: one file a behaviour.

#[path = "../lab/mod.rs"]
mod lab;
#[path = "../rulesets/listing.rs"]
mod ruleset;

#[path = "../cases/mod.rs"]
mod cases;

mod addresses;
mod adopted;
mod afterwards;
mod anything;
mod bad_input;
mod by_hand;
mod cable;
mod connect;
mod devices;
mod flows;
mod further;
mod guard;
mod lifetimes;
mod listing;
mod look;
mod modes;
mod names;
mod netns;
mod outsiders;
mod policy;
mod ready;
mod redirect;
mod router;
mod scratch;
mod several;
mod staged;
mod sysctls;
mod text;
mod text_firewall;
mod ways;
