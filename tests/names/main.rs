//! Containers on user-defined networks resolve names at 127.0.0.11: what programs there are told,
//! whoever else is asked, and whatever anybody sends.

#[path = "../lab/mod.rs"]
mod lab;

#[path = "../behaviour/scratch.rs"]
mod scratch;

mod ask;
mod churn;
mod crowd;
mod dns;
mod forged;
mod forwarding;
mod gateway;
mod ground;
mod internal;
mod lifetime;
mod messages;
mod own;
mod programs;
mod resolvers;
mod seat;
mod served;
mod threads;
mod upstream;
