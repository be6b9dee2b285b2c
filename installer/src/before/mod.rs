//! Whether a set of binaries fits a guest, asked before anything is touched: whether there is room
//! for it, whether the guest's C library can run it, and whether a guest that requires signatures takes
//! it. Portage asks none of that before it begins.

mod answer;
mod libraries;
mod signatures;
mod space;
mod verdict;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass, InstallPackages};
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_runtime::signing::Demands;
use gentoo_updater_runtime::{ask, portage_settings};

pub(crate) use signatures::refused_in;

const LOOK: &str = include_str!("look.sh");

/// How long each of the two questions may take.
const LIMIT: Duration = Duration::from_secs(120);

/// What a guest is asked, and what it said of itself.
pub(crate) struct Before<'a> {
    host: &'a dyn Host,
    order: &'a InstallPackages,
    /// PORTAGE_TMPDIR of the guest.
    temporary: String,
    /// The guest's folder into which the binaries come first, where they are not there already.
    fetched_into: Option<String>,
    /// What the guest does about signatures.
    pub(crate) demands: Demands,
}

impl<'a> Before<'a> {
    /// Asks the guest how it is set up.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) async fn of(
        host: &'a dyn Host,
        order: &'a InstallPackages,
        fetched_into: Option<&Path>,
    ) -> Result<Self, Failure> {
        const TEMPORARY: &str = "PORTAGE_TMPDIR";
        let guest = format!("guest {}", order.guest);
        let names = [&[TEMPORARY][..], &Demands::VARIABLES].concat();
        let settings = portage_settings(host, &guest, &names, LIMIT).await?;
        Ok(Self {
            host,
            order,
            // What make.globals says where nobody says otherwise.
            temporary: settings.get(TEMPORARY).unwrap_or("/var/tmp").to_owned(),
            fetched_into: fetched_into.map(|folder| folder.display().to_string()),
            demands: Demands::of(|name| settings.get(name)),
        })
    }

    /// Checks that the set fits the guest as it is now, with so many bytes to spare for the way back.
    ///
    /// # Errors
    /// A failure that names what does not fit, with the numbers and the remedy.
    pub(crate) async fn check(&self, spared: u64) -> Result<(), Failure> {
        let (temporary, fetched_into) = (&self.temporary, self.fetched_into.as_deref());
        let output = ask(self.host, &question(self.order, temporary, fetched_into)).await?;
        let unclear = |what: &str| {
            let guest = &self.order.guest;
            let message = format!("guest {guest} does not tell whether the set fits: {what}");
            Failure::new(FailureClass::Machine, "GuestNotUnderstood", message)
        };
        if output.status != ExitStatus::Code(0) {
            return Err(unclear(output.stderr_text().trim()));
        }
        let answer = answer::parse(&output.stdout_text()).map_err(|what| unclear(&what))?;
        let packages = &self.order.packages;
        space::check(
            packages,
            &answer,
            &unpacked_in(temporary),
            fetched_into,
            spared,
        )?;
        libraries::check(packages, &answer)
    }
}

/// Checks the signatures of the set, whose binaries the guest sees in this folder, where it requires
/// them.
///
/// # Errors
/// A failure that names what it would not take, with the remedy.
pub(crate) async fn check_signatures(
    host: &dyn Host,
    order: &InstallPackages,
    store: &Path,
    demands: &Demands,
) -> Result<(), Failure> {
    if !demands.requires {
        return Ok(());
    }
    signatures::check(host, order, store, demands).await
}

/// Where Portage unpacks, below PORTAGE_TMPDIR.
fn unpacked_in(temporary: &str) -> String {
    format!("{temporary}/portage")
}

fn question(order: &InstallPackages, temporary: &str, fetched_into: Option<&str>) -> Command {
    let binaries = || order.packages.iter().map(|package| &package.binary);
    let mut folders: BTreeSet<String> = binaries()
        .flat_map(|binary| binary.contents.sizes.keys())
        .map(|folder| format!("/{folder}"))
        .collect();
    // Of what nobody looked into, and for what Portage writes itself.
    folders.extend(["/usr".to_owned(), "/var".to_owned()]);
    let packages: BTreeSet<String> = binaries()
        .map(|binary| binary.cpv.category_package.to_string())
        .collect();
    let libraries: BTreeSet<&String> = binaries()
        .flat_map(|binary| binary.contents.needs.keys())
        .collect();
    let fetched_into = fetched_into.unwrap_or_default().to_owned();
    let mut parameters = vec![
        temporary.to_owned(),
        fetched_into,
        folders.len().to_string(),
    ];
    parameters.extend(folders);
    parameters.push(packages.len().to_string());
    parameters.extend(packages);
    parameters.extend(libraries.into_iter().cloned());
    Command::shell("look.sh", LOOK, parameters).timeout(LIMIT)
}
