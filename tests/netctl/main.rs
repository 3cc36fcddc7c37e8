//! netctl, each command a process of its own, on a private machine: what tutorials show, what it says
//! when it refuses, and what becomes of containers and commands that are killed.

#[path = "../lab/mod.rs"]
mod lab;

mod deaths;
mod ground;
mod messages;
mod normal;
mod together;
mod walkthrough;
