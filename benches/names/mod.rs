//! The rooms of the bench `names`: who is asked, how often, and how it is printed.

pub mod ground;
pub mod serve;
pub mod table;
