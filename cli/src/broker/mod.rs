//! `broker`: the users of the broker and what they may do.

mod arguments;
mod environment;
mod password;
mod permissions;
mod script;
mod setup;

use anyhow::Context as _;
use gentoo_updater_fleet::config::{Broker, Settings};

use crate::WrongUsage;

pub(crate) use arguments::BrokerCommand;

/// Carries out one of the commands.
pub(crate) fn broker(settings: &Settings, command: BrokerCommand) -> anyhow::Result<u8> {
    match command {
        BrokerCommand::Setup(options) => setup::setup(settings, &options),
        BrokerCommand::Permissions(options) => permissions::permissions(settings, &options),
    }
}

fn configured(settings: &Settings) -> anyhow::Result<&Broker> {
    let no_broker = || {
        WrongUsage(
            "there is no [broker] in the configuration; add one with url = \
             \"amqps://mq.example.net/fleet\""
                .to_owned(),
        )
    };
    settings.broker.as_ref().with_context(no_broker)
}
