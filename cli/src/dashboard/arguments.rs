//! The command line of `dashboard`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use gentoo_updater_runtime::MonitorArguments;

use crate::listen::Encryption;

#[derive(Debug, Args)]
pub(crate) struct DashboardOptions {
    /// Where browsers come to
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    pub(crate) listen: SocketAddr,

    /// Let who shows the text of this file put dead letters back. Without it the dashboard only shows.
    /// `openssl rand -hex 32` makes one; only its owner may read the file and, where that is root, its group
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) encryption: Encryption,

    /// A name by which browsers call this machine, where that is not its host name; may be given several
    /// times. Addresses and localhost are always taken
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Vec<String>,

    /// How many connections there are at once, of which each open page takes one or two; more wait
    #[arg(long, value_name = "NUMBER", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) connections: u16,

    /// How many of them one address has, but for those of this machine; more are told to come again. 0
    /// for any number, where browsers come through a proxy or a router that gives them one address
    #[arg(long, value_name = "NUMBER", default_value_t = 32)]
    pub(crate) connections_per_address: u16,

    #[command(flatten)]
    pub(crate) monitor: MonitorArguments,
}
