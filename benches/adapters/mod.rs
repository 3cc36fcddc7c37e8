//! The rooms of the bench `adapters`: who is measured, on what, how often, and how it is printed.

pub mod cni;
pub mod docker;
pub mod growth;
pub mod library;
pub mod netavark;
pub mod pod;
pub mod program;
pub mod raw;
pub mod rounds;
pub mod seat;
pub mod starts;
pub mod subject;
pub mod table;
