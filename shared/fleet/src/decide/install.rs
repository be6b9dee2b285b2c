//! What guests are to install, and when.

use super::Decision;
use crate::message::{Command, InstallPackage, InstallPackages, Task};
use crate::name::GuestName;
use crate::state::{Guest, Plan, Progress, Run};

/// How many installations one decision names at most: a command says all that a guest gets, which
/// can be a megabyte, and the last job of a batch can let a whole fleet go.
const MOST_INSTALLATIONS: usize = 32;

impl Decision<'_, '_> {
    /// A guest's set is closed, and ordered, when all that it wants is built or will never be.
    /// True when no guest is left.
    pub(super) fn install(&mut self, progress: &Progress) -> bool {
        let (mut all, begun) = (true, self.orders.len());
        for (name, guest) in &self.run.guests {
            let Some(plan) = &guest.plan else { continue };
            if !progress.is_over_for(plan) || self.orders.len() - begun >= MOST_INSTALLATIONS {
                all = false;
                continue;
            }
            all &= self.install_on(name, guest, plan);
        }
        all
    }

    fn install_on(&mut self, name: &GuestName, guest: &Guest, plan: &Plan) -> bool {
        let run = self.run;
        // Its set was closed when it was ordered, and is made again only if it is ordered again.
        self.ensure_if(Task::Install(name.clone()), |attempt| {
            let order = installation(run, name, guest, plan, attempt)?;
            Some(Command::InstallPackages(order))
        })
    }
}

/// What a guest is to install; none where everything is held back.
fn installation(
    run: &Run,
    name: &GuestName,
    guest: &Guest,
    plan: &Plan,
    attempt: u32,
) -> Option<InstallPackages> {
    let wanted = run.wanted(plan);
    let closed = run.close(guest.scan.as_ref()?, plan);
    let packages = closed.install.iter().filter_map(|update| {
        let built = run.built.get(*wanted.get(&update.key.cpv)?)?;
        Some(InstallPackage {
            key: update.key.clone(),
            change: update.change,
            binary: built.binary.clone(),
        })
    });
    let packages: Vec<InstallPackage> = packages.collect();
    (!packages.is_empty()).then(|| InstallPackages {
        run: run.id,
        attempt,
        guest: name.clone(),
        platform: guest.platform.clone(),
        packages,
        held: closed.held,
    })
}
