//! Machines by the names that somebody gives them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use super::{Builder, Guest, Settings};
use crate::name::{BuilderName, GuestName};

/// A name that the configuration does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration names no {kind} {name}; {}", known_words(known))]
pub struct NotNamed {
    /// `guest` or `builder`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
    /// The names that it knows.
    pub known: Vec<String>,
}

fn known_words(known: &[String]) -> String {
    match known {
        [] => "it names none".to_owned(),
        known => format!("it names {}", known.join(", ")),
    }
}

impl Settings {
    /// The guest of this name.
    ///
    /// # Errors
    /// [`NotNamed`], with the guests that there are.
    pub fn guest(&self, name: &GuestName) -> Result<&Guest, NotNamed> {
        named("guest", &self.guests, name)
    }

    /// The builder of this name.
    ///
    /// # Errors
    /// [`NotNamed`], with the builders that there are.
    pub fn builder(&self, name: &BuilderName) -> Result<&Builder, NotNamed> {
        named("builder", &self.builders, name)
    }

    /// The store that a builder writes, where the configuration names the builder.
    pub fn store_of(&self, name: &BuilderName) -> Option<&Path> {
        let platform = &self.builders.get(name)?.platform;
        Some(&self.platforms.get(platform)?.store)
    }
}

fn named<'a, N: Ord + Display, T>(
    kind: &'static str,
    all: &'a BTreeMap<N, T>,
    name: &N,
) -> Result<&'a T, NotNamed> {
    all.get(name).ok_or_else(|| NotNamed {
        kind,
        name: name.to_string(),
        known: all.keys().map(N::to_string).collect(),
    })
}
