//! The command line of `gentoo-updater-installer`.

use clap::Parser;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_runtime::{WorkerArguments, host_name, worker_help, worker_id};

/// Installs finished binaries: on one guest as an agent, or on all guests over ssh
#[derive(Debug, Parser)]
#[command(
    name = "gentoo-updater-installer",
    version,
    after_help = worker_help(
        "Examples:\n  gentoo-updater-installer                  all guests of the configuration\n  gentoo-updater-installer --guest web      one guest, which may be this machine\n  gentoo-updater-installer --guest web --agent   the same, with a user of its own on the broker"
    )
)]
pub struct Arguments {
    /// Configuration, logging and monitoring.
    #[command(flatten)]
    pub worker: WorkerArguments,

    /// Only these guests; all without any
    #[arg(long = "guest", value_name = "NAME")]
    pub guests: Vec<GuestName>,

    /// Run as the guest's own agent: under the user of the guest, without access to the history
    #[arg(long, requires = "guests", conflicts_with = "instance")]
    pub agent: bool,

    /// Tells several installers apart, by default the name of this machine; keep it over restarts
    #[arg(long, value_name = "NAME", default_value_t = host_name(), hide_default_value = true)]
    pub instance: String,
}

/// Which guests this process serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// One, as its own agent.
    Agent(GuestName),
    /// These.
    Guests(Vec<GuestName>),
}

impl Arguments {
    /// Which guests this process serves.
    ///
    /// # Errors
    /// When the configuration names no such guest, an agent is to serve several, or the instance
    /// cannot be part of a name.
    pub fn served(&self, settings: &Settings) -> anyhow::Result<Served> {
        worker_id("installer", &self.instance)?;
        for guest in &self.guests {
            settings.guest(guest)?;
        }
        match self.guests.as_slice() {
            [guest] if self.agent => Ok(Served::Agent(guest.clone())),
            _ if self.agent => {
                anyhow::bail!("an agent serves one guest: name it with one --guest")
            }
            [] => Ok(Served::Guests(settings.guests.keys().cloned().collect())),
            named => Ok(Served::Guests(named.to_vec())),
        }
    }
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::config;
    use tempfile::TempDir;

    use super::*;

    fn served(arguments: &[&str]) -> anyhow::Result<Served> {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("fleet.toml");
        let text = "[builders.b1]\naddress = \"local\"\n\
                    [guests.web]\naddress = \"ssh://web\"\n[guests.mail]\naddress = \"ssh://mail\"\n";
        std::fs::write(&file, text).unwrap();
        let arguments = [&["gentoo-updater-installer"], arguments].concat();
        let arguments = Arguments::try_parse_from(arguments).unwrap();
        arguments.served(&config::load(&file).unwrap())
    }

    #[test]
    fn only_guests_of_the_configuration_are_served_and_all_without_a_name() {
        let name = |name: &str| name.parse::<GuestName>().unwrap();
        let all = Served::Guests(vec![name("mail"), name("web")]);
        assert_eq!(served(&[]).unwrap(), all);
        let one = ["--guest", "web"];
        assert_eq!(served(&one).unwrap(), Served::Guests(vec![name("web")]));
        let agent = ["--guest", "web", "--agent"];
        assert_eq!(served(&agent).unwrap(), Served::Agent(name("web")));
        for (arguments, remedy) in [
            (&["--guest", "wbe"][..], "it names mail, web"),
            (
                &["--guest", "web", "--guest", "mail", "--agent"],
                "one --guest",
            ),
            (&["--instance", "a b"], "--instance NAME"),
        ] {
            let error = format!("{:#}", served(arguments).unwrap_err());
            assert!(error.contains(remedy), "{error}");
        }
    }
}
