//! What the end-to-end tests are made of.
//!
//! | room | what is in it |
//! |---|---|
//! | [`fixtures`] | what a test starts and what is gone at its end: a lab, a broker, processes |
//! | [`actions`] | what an operator or an accident does |
//! | [`assertions`] | what must hold afterwards, read from the machines themselves |
//!
//! Everything runs on real Portage guests and a real RabbitMQ (`tests/lab`), with the binaries of
//! the workspace, as root. Nothing here uses the code of the workers to judge the workers: the
//! VDB, the index of the store and emerge's log are read by readers of this crate.

pub mod actions;
pub mod assertions;
pub mod fixtures;
