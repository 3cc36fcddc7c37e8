//! What is shown of networks and containers, and which of them are meant. All from specs, with no
//! kernel behind them.

mod diagram;
#[cfg(feature = "serde")]
mod docker_json;
mod events;
mod filters;
mod inspect;
mod lookup;
mod specs;
