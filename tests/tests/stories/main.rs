//! What people live through, in whole deployments: lost answers, slow readers, cut ways, long absences.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod absence;
mod races;
mod slow;
mod ways;
