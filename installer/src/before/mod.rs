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

/// Asks the guest, and checks the set, whose binaries it sees in this folder. Gives what the guest does
/// about signatures.
///
/// # Errors
/// A failure that names what does not fit, with the numbers and the remedy.
pub(crate) async fn check(
    host: &dyn Host,
    order: &InstallPackages,
    store: &Path,
) -> Result<Demands, Failure> {
    let guest = format!("guest {}", order.guest);
    const TEMPORARY: &str = "PORTAGE_TMPDIR";
    let names = [&[TEMPORARY][..], &Demands::VARIABLES].concat();
    let settings = portage_settings(host, &guest, &names, LIMIT).await?;
    // What make.globals says where nobody says otherwise.
    let temporary = settings.get(TEMPORARY).unwrap_or("/var/tmp");
    let output = ask(host, &question(order, temporary)).await?;
    let unclear = |what: &str| {
        let message = format!("{guest} does not tell whether the set fits: {what}");
        Failure::new(FailureClass::Machine, "GuestNotUnderstood", message)
    };
    if output.status != ExitStatus::Code(0) {
        return Err(unclear(output.stderr_text().trim()));
    }
    let answer = answer::parse(&output.stdout_text()).map_err(|what| unclear(&what))?;
    space::check(&order.packages, &answer, &unpacked_in(temporary))?;
    libraries::check(&order.packages, &answer)?;
    let demands = Demands::of(|name| settings.get(name));
    if demands.requires {
        signatures::check(host, order, store, &demands).await?;
    }
    Ok(demands)
}

/// Where Portage unpacks, below PORTAGE_TMPDIR.
fn unpacked_in(temporary: &str) -> String {
    format!("{temporary}/portage")
}

fn question(order: &InstallPackages, temporary: &str) -> Command {
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
    let mut parameters = vec![temporary.to_owned(), folders.len().to_string()];
    parameters.extend(folders);
    parameters.push(packages.len().to_string());
    parameters.extend(packages);
    parameters.extend(libraries.into_iter().cloned());
    Command::shell("look.sh", LOOK, parameters).timeout(LIMIT)
}
