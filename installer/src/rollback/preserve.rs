//! Keeping what a guest has, before an update and after it.

use std::path::Path;

use gentoo_updater_fleet::message::{Failure, FailureClass, InstallPackages};
use gentoo_updater_hosts::{Command, ExitStatus};
use gentoo_updater_portage::command::{self, neutral_environment};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::packages_index::PackagesIndex;
use gentoo_updater_runtime::ask;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{FOLDER, KEPT, LIMIT, STATE, Undo};

const PRESERVE: &str = include_str!("preserve.py");
const FORGET: &str = include_str!("forget.py");

/// What came of keeping something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Preserved {
    /// Whether nothing was kept under this name before.
    pub(crate) is_new: bool,
    /// How many bytes the way back brings to the guest from its store.
    pub(crate) brings: u64,
}

impl Undo<'_> {
    /// Keeps what is needed to undo an update of these packages. `store`: the store as the guest has it,
    /// and what is in it, where binaries may be taken from there.
    ///
    /// # Errors
    /// When it cannot be kept, or would leave the guest without room. Nothing was touched then.
    pub(crate) async fn preserve(
        &self,
        order: &InstallPackages,
        store: Option<(&Path, &PackagesIndex)>,
    ) -> Result<Preserved, Failure> {
        let keys = || order.packages.iter().map(|package| &package.key);
        let slots: Vec<[String; 2]> = keys()
            .map(|key| {
                [
                    key.cpv.category_package.to_string(),
                    key.slot.slot.to_string(),
                ]
            })
            .collect();
        let ordered: Vec<&Cpv> = keys().map(|key| &key.cpv).collect();
        let is_of_order =
            |cpv: &Cpv| keys().any(|key| key.cpv.category_package == cpv.category_package);
        let entries = store.iter().flat_map(|(_, index)| &index.entries);
        let stored: Vec<Value> = entries
            .filter(|entry| is_of_order(&entry.cpv))
            .map(|entry| json!([entry.cpv, entry.build_id, entry.build_time, entry.path]))
            .collect();
        let store = store.map(|(folder, _)| folder);
        let what = json!({ "slots": slots, "packages": [], "ordered": ordered, "stored": stored, "store": store });
        self.keep("before.json", what).await
    }

    /// Forgets what was kept for an update on which nothing has begun.
    ///
    /// # Errors
    /// When the guest cannot be asked.
    pub(crate) async fn forget(&self) -> Result<(), Failure> {
        let folder = self.folder().display().to_string();
        let remove = Command::new("rm").args(["-rf".to_owned(), "--".to_owned(), folder]);
        self.must(remove.timeout(LIMIT)).await.map(drop)
    }

    /// Forgets what was kept for former updates, but for the newest ones, this one included.
    ///
    /// # Errors
    /// When the guest cannot be asked.
    pub(crate) async fn forget_former(&self) -> Result<(), Failure> {
        let program = format!("{STATE}{FORGET}");
        let environment = neutral_environment();
        let question = self.python(&program, environment, &Value::Null, &[KEPT]);
        self.must(question).await.map(drop)
    }

    /// Keeps these installed packages as well, before they are removed.
    ///
    /// # Errors
    /// As [`Self::preserve`].
    pub(crate) async fn preserve_also(&self, packages: &[Cpv]) -> Result<(), Failure> {
        let what = json!({ "slots": [], "packages": packages, "ordered": [], "stored": [] });
        self.keep("before.json", what).await.map(drop)
    }

    /// Keeps what an update has brought, so that the package to blame can be looked for, where that leaves
    /// room for the way back.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub(crate) async fn preserve_after(&self, packages: &[Cpv]) -> Result<(), Failure> {
        let what = json!({ "slots": [], "packages": packages, "ordered": [], "stored": [] });
        self.keep("after.json", what).await.map(drop)
    }

    async fn keep(&self, name: &str, mut what: Value) -> Result<Preserved, Failure> {
        let line = command::quickpkg();
        what["command"] = json!(line.argv);
        let program = format!("{STATE}{PRESERVE}");
        let question = self.python(&program, line.environment, &what, &[name]);
        let output = ask(self.host, &question.timeout(self.timeout)).await?;
        match output.status {
            ExitStatus::Code(0) => serde_json::from_str(&output.stdout_text())
                .map_err(|error| self.failed(&error.to_string())),
            _ => {
                let message = format!(
                    "what {} has cannot be kept for a rollback: {}; make room in {FOLDER}, or set \
                     rollback = false for it",
                    self.guest,
                    output.stderr_text().trim()
                );
                let class = FailureClass::Permanent;
                Err(Failure::new(class, "CannotPreserve", message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::name::RunId;

    use super::*;

    #[test]
    fn a_run_is_kept_with_all_its_rounds_and_the_oldest_ones_go() {
        let parent = tempfile::TempDir::new().unwrap();
        let run = |text: &str| -> RunId { text.parse().unwrap() };
        let keep = |run: RunId| {
            let folder = parent.path().join(run.to_string());
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("before.json"), "{}").unwrap();
        };
        let first = run("01900000-0000-7000-8000-000000000001");
        let second = run("01900000-1000-7000-8000-000000000001");
        let further = [
            second.following(),
            second.following().following(),
            second.following().following().following(),
        ];
        let third = run("01900000-2000-7000-8000-000000000001");
        let fourth = run("01900000-3000-7000-8000-000000000001");
        for run in [first, second, third].into_iter().chain(further) {
            keep(run);
        }
        // What began now has kept something, and one before it has not.
        keep(fourth);
        std::fs::create_dir(parent.path().join("01900000-2500-7000-8000-000000000001")).unwrap();
        let own = parent.path().join(fourth.to_string());
        let ended = std::process::Command::new("python3")
            .args(["-c", &format!("{STATE}{FORGET}")])
            .args([own.as_os_str(), "3".as_ref()])
            .output()
            .unwrap();
        assert!(ended.status.success(), "{ended:?}");
        let mut left: Vec<String> = std::fs::read_dir(parent.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut wanted = vec![second, third, fourth];
        wanted.extend(further);
        wanted.sort();
        let wanted: Vec<String> = wanted.iter().map(RunId::to_string).collect();
        assert_eq!(left, wanted);
    }
}
