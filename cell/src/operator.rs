//! What operators ask of a cell, by `skep status`, `skep user`, `skep map` and `skep import`: how it is, a person's
//! account, and bulk writes. They go the ways that people's own calls go; nothing here writes by itself.

mod accounts;
mod claims;
mod conversations;
mod report;
mod service;

pub use claims::{ClaimStep, Claimed};
pub use service::OperatorService;
