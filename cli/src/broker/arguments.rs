//! The command line of `broker`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum BrokerCommand {
    /// Write what makes a user for each role and each guest, with new passwords
    ///
    /// Writes into a folder: definitions.json, which a broker imports as a whole; setup.sh, which
    /// does the same for vhost, users and permissions with rabbitmqctl; and for each user a file
    /// such as planner.env or guest.web.env, which sets its broker.url. Nothing is sent to the
    /// broker. The files hold passwords or their hashes, and only their owner can read them.
    #[command(after_help = "Examples:\n  \
            gentoo-updater broker setup --output /root/broker\n  \
            rabbitmqctl import_definitions /root/broker/definitions.json\n  \
            gentoo-updater broker setup --output /root/broker --force     a guest is new\n\n\
            With --force passwords that are there stay as they are.")]
    Setup(SetupOptions),

    /// Show what each user may do on the broker, as regular expressions of RabbitMQ
    #[command(
        after_help = "Examples:\n  gentoo-updater broker permissions\n  gentoo-updater broker permissions --json"
    )]
    Permissions(PermissionsOptions),
}

#[derive(Debug, Args)]
pub(crate) struct SetupOptions {
    /// The folder to write to; made where it is missing
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,

    /// Write again what is there, and keep its passwords
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PermissionsOptions {
    /// Print them as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
