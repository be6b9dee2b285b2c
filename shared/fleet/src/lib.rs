//! The fleet: its configuration, its messages, the state of its runs and what to do next.
//!
//! | room | what is in it |
//! |---|---|
//! | [`name`] | names that operators choose, ids |
//! | [`message`] | events and commands, and their form on the wire |
//! | [`state`] | the fold over the history |
//! | [`snapshot`] | the state as it was at one offset, to begin the fold from |
//! | [`packed`] | how what is large is kept and sent |
//! | [`batch`], [`graph`], [`order`], [`needs`], [`platforms`], [`closing`], [`liveness`] | the pure parts of a decision |
//! | [`rollout`] | which guests get their updates when |
//! | [`estimate`] | how long what goes on will take |
//! | [`schedule`] | which runs begin by calendar |
//! | [`decide`] | what to do next |
//! | [`authority`] | which user of the broker may say what |
//! | [`request`] | what a run is asked to do |
//! | [`report`] | what came of a run |
//! | [`remedy`] | what to do about a failure |
//! | [`notice`] | what operators are told without asking |
//! | [`inspect`] | what an operator is shown of the fleet at work |
//! | [`doctor`] | what stands in the way of a run, and what mends it |
//! | [`config`] | the configuration file |
//! | [`words`] | numbers of things, for people |
//!
//! **Invariant:** nothing in this crate reads a clock or the network, and no file but the one
//! configuration that it is told to read.

pub mod authority;
pub mod batch;
pub mod closing;
pub mod config;
pub mod decide;
pub mod describe;
pub mod doctor;
pub mod estimate;
pub mod fingerprint;
pub mod graph;
pub mod inspect;
pub mod liveness;
pub mod message;
pub mod name;
pub mod needs;
pub mod notice;
pub mod order;
pub mod packed;
pub mod platforms;
pub mod remedy;
pub mod report;
pub mod request;
pub mod rollout;
pub mod schedule;
pub mod snapshot;
pub mod state;
pub mod trace;
pub mod tree;
pub mod words;
