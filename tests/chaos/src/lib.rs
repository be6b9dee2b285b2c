//! A fleet of real workers with synthetic work, to hurt.
//!
//! The planner, the loop of the workers, the claims on disk and the detached programs are those
//! of the product. What a guest needs is made up ([`scene`]), and a build is a program that
//! writes down that it began and that it ended ([`program`]): so it can be counted how often
//! anything was built. Each worker is a process of its own (`gentoo-updater-chaos-worker`), which
//! can be told to kill itself between two calls of its bus ([`interruption`]).

mod handlers;
pub mod interruption;
pub mod program;
mod roles;
pub mod scene;

pub use handlers::{built, collected};
pub use roles::{Role, serve, spec_of};
