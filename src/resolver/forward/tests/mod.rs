//! Questions on their way through a made-up world: a clock that is told, servers that say what the
//! test says, and a log of all that was sent.

mod caching;
mod counts;
mod filter;
mod limits;
mod model;
mod mutated;
mod packet;
mod turns;
mod world;
