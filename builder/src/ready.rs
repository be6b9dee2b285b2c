//! Whether the machine can take a job at all: its store, its disk and its compiler.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gentoo_updater_fleet::config::{BuildEnvironment, BuildFeature};
use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::build_key::Platform;
use gentoo_updater_runtime::emerge::PATH;
use gentoo_updater_runtime::space::free_kilobytes;
use gentoo_updater_runtime::{ask, portage_settings};

use crate::platform;
use gentoo_updater_runtime::jobs::WORK;

/// How long each of the two questions may take; a network file system that hangs does not answer
/// at all.
const LIMIT: Duration = Duration::from_secs(60);

const CHECK: &str = include_str!("ready.sh");

/// Exit codes of the check.
mod status {
    pub(super) const STORE_MISSING: i32 = 40;
    pub(super) const STORE_UNWRITABLE: i32 = 41;
    pub(super) const TEMPORARY_UNWRITABLE: i32 = 42;
    pub(super) const COMPILER_MISSING: i32 = 43;
    pub(super) const COMPILER_BROKEN: i32 = 44;
}

/// What a builder needs of its machine.
pub(crate) struct Needs<'a> {
    pub(crate) builder: &'a BuilderName,
    pub(crate) store: &'a Path,
    /// In each file system where something is written.
    pub(crate) min_free_megabytes: u64,
}

/// Where and with what a machine compiles.
pub(crate) struct Toolchain {
    /// PORTAGE_TMPDIR.
    pub(crate) temporary: PathBuf,
    /// CC with its options; empty where it is not configured.
    compiler: String,
    chost: String,
    /// Where programs are looked for.
    path: String,
    /// Where the sources of packages are kept.
    distfiles: String,
    /// FEATURES.
    features: String,
    /// Where ccache keeps results of the compiler.
    compiled: String,
    /// Where emerge writes its log.
    logs: PathBuf,
}

impl Toolchain {
    /// As Portage sees the machine, with what its binaries are made for.
    ///
    /// # Errors
    /// A failure of the machine when its Portage does not answer, or when its variables name no
    /// platform: they are not set, or say `-march=native`.
    pub(crate) async fn ask(
        host: &dyn Host,
        builder: &BuilderName,
    ) -> Result<(Self, Platform), Failure> {
        let machine = format!("builder {builder}");
        const OWN: [&str; 6] = [
            "CC",
            "PORTAGE_TMPDIR",
            "DISTDIR",
            "FEATURES",
            "CCACHE_DIR",
            "EMERGE_LOG_DIR",
        ];
        let names = [&OWN[..], &Platform::VARIABLES].concat();
        let settings = portage_settings(host, &machine, &names, LIMIT).await?;
        let platform = platform::of_machine(|name| settings.get(name), builder)?;
        let value = |name| settings.get(name).unwrap_or_default().to_owned();
        let toolchain = Self {
            // What make.globals says where nobody says otherwise.
            temporary: settings.get("PORTAGE_TMPDIR").unwrap_or("/var/tmp").into(),
            compiler: value("CC"),
            chost: value("CHOST"),
            path: PATH.to_owned(),
            distfiles: value("DISTDIR"),
            features: value("FEATURES"),
            compiled: value("CCACHE_DIR"),
            logs: folder_of_logs(&value("EMERGE_LOG_DIR")),
        };
        Ok((toolchain, platform))
    }

    #[cfg(test)]
    pub(crate) fn for_tests(distfiles: &str) -> Self {
        Self {
            temporary: "/var/tmp".into(),
            compiler: String::new(),
            chost: "x86_64-pc-linux-gnu".to_owned(),
            path: PATH.to_owned(),
            distfiles: distfiles.to_owned(),
            features: "sandbox userpriv".to_owned(),
            compiled: "/var/cache/ccache".to_owned(),
            logs: folder_of_logs(""),
        }
    }

    /// Where emerge writes its log.
    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }

    /// The machine's folders that builds are to find as others left them, and leave for others.
    pub(crate) fn shared(&self, environment: &BuildEnvironment) -> Vec<PathBuf> {
        let ccache = BuildFeature::Ccache;
        let mut features = self.features.split_whitespace();
        let mut all = vec![self.distfiles.as_str()];
        if environment.features.contains(&ccache) || features.any(|one| one == ccache.as_str()) {
            let given = environment.variables.get("CCACHE_DIR");
            all.push(given.unwrap_or(&self.compiled));
        }
        let all = all.into_iter().filter(|folder| folder.starts_with('/'));
        all.map(PathBuf::from).collect()
    }
}

/// EMERGE_LOG_DIR, and where nobody has set it what emerge takes (`_emerge/actions.py`).
fn folder_of_logs(set: &str) -> PathBuf {
    let set = Some(set).filter(|set| set.starts_with('/'));
    set.unwrap_or("/var/log").into()
}

/// Checks that the store is there and can be written, that there is space where something is
/// written, and that a C program can be compiled and linked.
///
/// # Errors
/// A failure of the machine, with the remedy.
pub(crate) async fn check(
    host: &dyn Host,
    needs: &Needs<'_>,
    toolchain: &Toolchain,
) -> Result<(), Failure> {
    let (builder, store) = (needs.builder, needs.store.display());
    let parameters = [
        store.to_string(),
        toolchain.temporary.display().to_string(),
        WORK.to_owned(),
        toolchain.compiler.clone(),
        toolchain.chost.clone(),
        toolchain.path.clone(),
    ];
    let command = Command::shell("ready", CHECK, parameters).timeout(LIMIT);
    let output = ask(host, &command).await?;
    let said = output.stderr_text();
    let said = said.trim();
    let temporary = toolchain.temporary.display();
    let unfit = |cause: &str, message| Failure::new(FailureClass::Machine, cause, message);
    // A full disk is the better explanation of whatever else went wrong.
    let space = check_space(needs, &output.stdout_text());
    match output.status {
        ExitStatus::Code(0) => space,
        ExitStatus::Code(status::STORE_MISSING) => Err(unfit(
            "StoreMissing",
            format!("builder {builder} has no store {store}: {said}; mount it there, or create it"),
        )),
        ExitStatus::Code(status::STORE_UNWRITABLE) => space.and(Err(unfit(
            "StoreUnwritable",
            format!(
                "builder {builder} cannot write to the store {store}: {said}; mount it there, and \
                 give it space and permissions"
            ),
        ))),
        ExitStatus::Code(status::TEMPORARY_UNWRITABLE) => space.and(Err(unfit(
            "TemporaryUnwritable",
            format!(
                "builder {builder} cannot write to {temporary} (PORTAGE_TMPDIR): {said}; create \
                 it, and give it space and permissions"
            ),
        ))),
        ExitStatus::Code(status::COMPILER_MISSING) => space.and(Err(unfit(
            "CompilerMissing",
            format!("builder {builder} has no C compiler: {said}; emerge sys-devel/gcc there"),
        ))),
        ExitStatus::Code(status::COMPILER_BROKEN) => space.and(Err(unfit(
            "CompilerBroken",
            format!(
                "the C compiler of builder {builder} cannot build a program of two lines: {said}; \
                 look at `gcc-config -l` there"
            ),
        ))),
        ref status => Err(unfit(
            "BuilderUnfit",
            format!("builder {builder} could not be checked ({status:?}): {said}"),
        )),
    }
}

fn check_space(needs: &Needs<'_>, text: &str) -> Result<(), Failure> {
    let Needs {
        builder,
        min_free_megabytes: limit,
        ..
    } = needs;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(folder) = line.strip_prefix("space ") else {
            continue;
        };
        let answer = lines.next().unwrap_or_default();
        let Some(space) = free_kilobytes(answer) else {
            let message =
                format!("builder {builder} cannot tell how much space {folder} has: {answer:?}");
            let class = FailureClass::Machine;
            return Err(Failure::new(class, "SpaceUnknown", message));
        };
        let free = space / 1024;
        if free < *limit {
            let message = format!(
                "builder {builder} has {free} MB free in {folder} and needs {limit} MB \
                 (policy.min_free_megabytes); make room there"
            );
            return Err(Failure::new(FailureClass::Machine, "DiskFull", message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
    use tempfile::TempDir;

    use super::*;

    /// A machine with a store and a folder to build in.
    struct Machine {
        folder: TempDir,
        toolchain: Toolchain,
        min_free_megabytes: u64,
    }

    impl Machine {
        fn new() -> Self {
            let folder = TempDir::new().unwrap();
            for name in ["a store", "temporary", "empty"] {
                std::fs::create_dir(folder.path().join(name)).unwrap();
            }
            let toolchain = Toolchain {
                temporary: folder.path().join("temporary"),
                ..Toolchain::for_tests("/var/cache/distfiles")
            };
            Self {
                folder,
                toolchain,
                min_free_megabytes: 1,
            }
        }

        fn store(&self) -> PathBuf {
            self.folder.path().join("a store")
        }

        async fn checked(&self) -> Result<(), Failure> {
            let local: HostAddress = "local".parse().unwrap();
            let host = connect(&local, &SshSettings::default()).await.unwrap();
            let store = self.store();
            let needs = Needs {
                builder: &"fast".parse().unwrap(),
                store: &store,
                min_free_megabytes: self.min_free_megabytes,
            };
            check(host.as_ref(), &needs, &self.toolchain).await
        }

        /// Not ready, for this cause, in words that name the builder and all of these.
        async fn unfit(&self, cause: &str, words: &[&str]) {
            let failure = self.checked().await.unwrap_err();
            assert_eq!(failure.cause, cause, "{failure}");
            assert_eq!(failure.class, FailureClass::Machine);
            for word in words.iter().chain(&["fast"]) {
                assert!(failure.message.contains(word), "{word}: {failure}");
            }
        }
    }

    #[test]
    fn builds_share_the_sources_and_the_cache_of_compilers_where_that_is_on() {
        let mut toolchain = Machine::new().toolchain;
        let mut environment = BuildEnvironment::default();
        let shared = |toolchain: &Toolchain, environment: &BuildEnvironment| {
            let shared = toolchain.shared(environment).into_iter();
            let shared = shared.map(|folder| folder.display().to_string());
            shared.collect::<Vec<_>>()
        };
        assert_eq!(shared(&toolchain, &environment), ["/var/cache/distfiles"]);
        environment.features.insert(BuildFeature::Ccache);
        let both = ["/var/cache/distfiles", "/var/cache/ccache"];
        assert_eq!(shared(&toolchain, &environment), both);
        environment.features.clear();
        toolchain.features.push_str(" ccache");
        assert_eq!(shared(&toolchain, &environment), both);
        let other = "/srv/ccache".to_owned();
        environment.variables.insert("CCACHE_DIR", other);
        assert_eq!(shared(&toolchain, &environment)[1], "/srv/ccache");
        // Where Portage names no place, there is none to share.
        toolchain.distfiles.clear();
        assert_eq!(shared(&toolchain, &environment), ["/srv/ccache"]);
    }

    #[test]
    fn the_log_of_emerge_is_where_the_machine_says_or_where_emerge_puts_it() {
        assert_eq!(folder_of_logs("/srv/log"), Path::new("/srv/log"));
        assert_eq!(folder_of_logs(""), Path::new("/var/log"));
        assert_eq!(folder_of_logs("log"), Path::new("/var/log"));
    }

    #[tokio::test]
    async fn a_machine_with_a_store_space_and_a_compiler_is_ready_and_nothing_is_left_on_it() {
        let machine = Machine::new();
        machine.checked().await.unwrap();
        machine.checked().await.unwrap();
        let control = machine.store().join(".gentoo-updater");
        assert_eq!(std::fs::read_dir(control).unwrap().count(), 0);
        let temporary = &machine.toolchain.temporary;
        assert_eq!(std::fs::read_dir(temporary).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_store_that_is_not_there_or_cannot_be_written_is_told_with_the_remedy() {
        let machine = Machine::new();
        std::fs::remove_dir(machine.store()).unwrap();
        machine.unfit("StoreMissing", &["mount it"]).await;
        assert!(!machine.store().exists(), "nothing is created in its place");
        // Not a matter of permissions: root may do everything.
        std::fs::create_dir(machine.store()).unwrap();
        std::fs::write(machine.store().join(".gentoo-updater"), "").unwrap();
        machine.unfit("StoreUnwritable", &["permissions"]).await;
    }

    #[tokio::test]
    async fn a_disk_with_less_than_the_limit_is_told_with_both_numbers() {
        let mut machine = Machine::new();
        machine.min_free_megabytes = 1 << 40;
        let words = ["MB free in", "needs 1099511627776 MB", "make room"];
        machine.unfit("DiskFull", &words).await;
    }

    /// A small file system of its own on a folder, without space on it, until this is dropped.
    struct Full(PathBuf);

    impl Full {
        fn mount(folder: &Path) -> Self {
            let folder = folder.to_owned();
            sh("mount -t tmpfs -o size=2m full \"$1\"", &folder);
            let full = Self(folder);
            // dd ends with an error when nothing more fits.
            sh(
                "! dd if=/dev/zero of=\"$1/filler\" bs=64k 2>/dev/null",
                &full.0,
            );
            full
        }
    }

    impl Drop for Full {
        fn drop(&mut self) {
            sh("umount \"$1\"", &self.0);
        }
    }

    fn sh(script: &str, folder: &Path) {
        let mut command = std::process::Command::new("sh");
        let status = command.args(["-c", script, "sh"]).arg(folder).status();
        assert!(status.unwrap().success(), "{script}");
    }

    #[tokio::test]
    async fn a_full_disk_is_told_wherever_it_is_and_the_machine_is_ready_when_there_is_room() {
        let id = std::process::Command::new("id").arg("-u").output().unwrap();
        if id.stdout != b"0\n" {
            eprintln!("not tested: only root can mount a small file system");
            return;
        }
        let machine = Machine::new();
        for folder in [machine.store(), machine.toolchain.temporary.clone()] {
            let full = Full::mount(&folder);
            let words = ["has 0 MB free in", folder.to_str().unwrap(), "needs 1 MB"];
            machine.unfit("DiskFull", &words).await;
            std::fs::remove_file(folder.join("filler")).unwrap();
            machine.checked().await.unwrap();
            drop(full);
        }
    }

    #[tokio::test]
    async fn a_folder_to_build_in_that_is_not_there_is_told() {
        let mut machine = Machine::new();
        machine.toolchain.temporary = machine.folder.path().join("none");
        machine
            .unfit("TemporaryUnwritable", &["PORTAGE_TMPDIR"])
            .await;
    }

    #[tokio::test]
    async fn a_machine_without_a_compiler_is_told_what_was_looked_for() {
        let mut machine = Machine::new();
        machine.toolchain.path = machine.folder.path().join("empty").display().to_string();
        let words = ["x86_64-pc-linux-gnu-gcc", "emerge"];
        machine.unfit("CompilerMissing", &words).await;
        machine.toolchain.compiler = "clang-999 -O2".to_owned();
        machine.unfit("CompilerMissing", &["clang-999"]).await;
    }

    #[tokio::test]
    async fn a_compiler_that_does_not_link_is_broken_and_its_words_are_told() {
        let mut machine = Machine::new();
        let script = machine.folder.path().join("empty/broken");
        std::fs::write(
            &script,
            "#!/bin/sh\necho 'cannot find crt1.o' >&2\nexit 1\n",
        )
        .unwrap();
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        machine.toolchain.compiler = format!("{} -O2", script.display());
        let words = ["cannot find crt1.o", "gcc-config"];
        machine.unfit("CompilerBroken", &words).await;
    }
}
