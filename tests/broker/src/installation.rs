//! Where the programs of RabbitMQ are: on this machine, or in the root folder of another system.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the root folder of another system, whose RabbitMQ is tested against.
pub(crate) const ROOT_VARIABLE: &str = "GENTOO_UPDATER_TEST_RABBITMQ_ROOT";
/// Not /usr/sbin, whose wrappers change the user and drop the environment.
pub(crate) const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";
/// Where a system of its own finds the data.
const DATA: &str = "/mnt";

/// Enters another system. The mounts are in a mount namespace of their own, and go with its last
/// process.
const ENTER: &str = r#"
set -e
root=$1 data=$2
shift 2
mount -t proc proc "$root/proc"
mount --bind "$data" "$root/mnt"
exec chroot "$root" "$@"
"#;

/// Where the programs of RabbitMQ are.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    root: Option<PathBuf>,
}

impl Installation {
    /// The one that the environment names, or this machine's.
    pub(crate) fn chosen() -> Self {
        let root = std::env::var_os(ROOT_VARIABLE).map(PathBuf::from);
        if let Some(root) = &root {
            let server = root
                .join(PROGRAMS.trim_start_matches('/'))
                .join("rabbitmq-server");
            let is_there = server.is_file();
            assert!(
                is_there,
                "{ROOT_VARIABLE}: there is no {}",
                server.display()
            );
        }
        Self { root }
    }

    /// How a program of RabbitMQ, or a shell, is called that works in the folder `data`, in a network namespace
    /// or in this one.
    pub(crate) fn command(&self, program: &str, data: &Path, namespace: Option<&str>) -> Command {
        let program = match program {
            "epmd" | "sh" => program.to_owned(),
            program => format!("{PROGRAMS}/{program}"),
        };
        let mut words: Vec<String> = Vec::new();
        if let Some(namespace) = namespace {
            words.extend(["ip", "netns", "exec", namespace].map(str::to_owned));
        }
        if let Some(root) = &self.root {
            let enter = [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                ENTER,
                "sh",
            ];
            words.extend(enter.map(str::to_owned));
            words.extend([root, data].map(|path| path.display().to_string()));
        }
        words.push(program);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    /// The path of something in the folder `data`, as the programs see it.
    pub(crate) fn inside(&self, data: &Path, path: &Path) -> PathBuf {
        match &self.root {
            Some(_) => {
                let below = path.strip_prefix(data).expect("a path in the data folder");
                Path::new(DATA).join(below)
            }
            None => path.to_owned(),
        }
    }
}
