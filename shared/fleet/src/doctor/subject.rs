//! What a finding is about.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Area;
use crate::config::{Builder, Guest, Settings};
use crate::name::{BuilderName, GuestName, PlatformName};

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "what", content = "name", rename_all = "snake_case")]
pub enum Subject {
    /// The configuration file.
    Configuration,
    /// The machine that looks.
    Controller,
    /// The broker.
    Broker,
    /// A set of machines that share a store.
    Platform(PlatformName),
    /// A machine that compiles.
    Builder(BuilderName),
    /// A machine that is kept up to date.
    Guest(GuestName),
}

impl Subject {
    /// The area of what is found of it as such.
    pub(super) fn area(&self) -> Area {
        match self {
            Self::Configuration | Self::Controller => Area::Configuration,
            Self::Broker => Area::Broker,
            Self::Platform(_) => Area::Stores,
            Self::Builder(_) => Area::Builders,
            Self::Guest(_) => Area::Guests,
        }
    }

    /// Its platform, where it is a machine of the configuration.
    pub fn platform<'a>(&'a self, settings: &'a Settings) -> Option<&'a PlatformName> {
        match self {
            Self::Platform(name) => Some(name),
            Self::Builder(name) => settings.builders.get(name).map(|it| &it.platform),
            Self::Guest(name) => settings.guests.get(name).map(|it| &it.platform),
            _ => None,
        }
    }

    /// Its address, where it is a machine of the configuration.
    pub fn address<'a>(&self, settings: &'a Settings) -> Option<&'a str> {
        match self {
            Self::Builder(name) => settings.builders.get(name).map(|it: &Builder| &*it.address),
            Self::Guest(name) => settings.guests.get(name).map(|it: &Guest| &*it.address),
            _ => None,
        }
    }

    /// Its name alone.
    pub fn name(&self) -> &str {
        match self {
            Self::Configuration => "configuration",
            Self::Controller => "controller",
            Self::Broker => "broker",
            Self::Platform(name) => name.as_str(),
            Self::Builder(name) => name.as_str(),
            Self::Guest(name) => name.as_str(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Configuration => f.write_str("configuration"),
            Self::Controller => f.write_str("this machine"),
            Self::Broker => f.write_str("broker"),
            Self::Platform(_) => write!(f, "platform {name}"),
            Self::Builder(_) => write!(f, "builder {name}"),
            Self::Guest(_) => write!(f, "guest {name}"),
        }
    }
}
