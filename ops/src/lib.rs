//! The `skep` program: each part of a deployment as a process of its own, and `skep up`, which runs all of them on one
//! machine.
//!
//! What others use of it is [`Deployment`]: where the parts of a running deployment are.

mod canvas;
mod cli;
mod config;
mod deployment;
mod exit;
mod logging;
mod operate;
mod part;
mod up;

pub use cli::main;
pub use deployment::{Cell, Deployment, Directory, Postgres, Redis, Router};
