//! Who asks the guests, and how.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gentoo_updater_tests::fixtures::{Program, Scene, program};
use serde_json::Value;

use crate::usage::{Usage, together};

/// What an administrator types to see what a guest needs, without the question whether to do it.
const QUESTION: &str = "emerge -NDpvu1 world";

/// The end of emerge's answer to that, on a guest of the lab at state v1 with the repository at v2.
const ANSWER: &str = "Total: 14 packages (7 upgrades,";

/// How many updates the scanner finds there: packages that only builds need are none.
const UPDATES: usize = 12;

const PARAMIKO_THREADS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/fleet/paramiko_threads.py"
);

/// A way to ask all guests at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// `gentoo-updater scan --force`: every guest is asked.
    Anew,
    /// `gentoo-updater scan`: nothing has changed on any.
    Unchanged,
    /// `gentoo-updater scan --force`, set up to ask all of them at once, as the others do.
    AtOnce,
    /// A process `ssh` for each guest.
    Ssh,
    /// A thread of a Python program for each guest.
    Paramiko,
    /// `ansible all -m raw`, with a fork for each guest.
    Ansible,
}

impl Asker {
    /// In the order in which they are shown.
    pub(crate) const ALL: [Self; 6] = [
        Self::Anew,
        Self::Unchanged,
        Self::AtOnce,
        Self::Ssh,
        Self::Paramiko,
        Self::Ansible,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Anew => "gentoo-updater scan --force",
            Self::Unchanged => "gentoo-updater scan, nothing changed",
            Self::AtOnce => "gentoo-updater scan --force, all at once",
            Self::Ssh => "ssh, a process for each guest",
            Self::Paramiko => "paramiko, a thread for each guest",
            Self::Ansible => "ansible -m raw, a fork for each guest",
        }
    }
}

/// A fleet that can be asked.
pub(crate) struct Fleet {
    scene: Scene,
    guests: Vec<String>,
    rivals: PathBuf,
}

impl Fleet {
    /// Brings up a fleet that wants updates.
    pub(crate) fn up(guests: usize) -> Self {
        let rivals = rivals();
        // A fleet without a builder is none; this one gets nothing to do.
        let mut scene = Scene::embedded(guests, 1);
        scene.lab.must(&["publish", "v2"]);
        // As it is installed.
        scene.configuration.policy.clear();
        let guests = scene.lab.guests();
        let fleet = Self {
            scene,
            guests,
            rivals,
        };
        fleet.configure_ansible();
        fleet
    }

    /// Asks all guests once.
    ///
    /// # Panics
    /// When one of them does not answer as all of them must.
    pub(crate) fn ask(&self, asker: Asker) -> Usage {
        let commands = self.commands(asker);
        let (usage, answers) = together(self.scene.lab.netns(), &self.scene.file("logs"), commands);
        let all = answers.concat();
        match asker {
            Asker::Anew | Asker::Unchanged | Asker::AtOnce => {
                self.judge(&all, asker == Asker::Unchanged);
            }
            Asker::Ssh | Asker::Paramiko | Asker::Ansible => {
                let answered = all.matches(ANSWER).count();
                assert_eq!(answered, self.guests.len(), "{}:\n{all}", asker.name());
            }
        }
        usage
    }

    /// Every guest has told what it wants, anew or not.
    fn judge(&self, report: &str, is_unchanged: bool) {
        let report: Value = serde_json::from_str(report).expect("a report is JSON");
        for name in &self.guests {
            let guest = &report["guests"][name];
            let updates = guest["updates"].as_array().map(Vec::len);
            assert_eq!(updates, Some(UPDATES), "{name}: {guest:#}");
            assert_eq!(
                guest["unchanged_since"].is_string(),
                is_unchanged,
                "{name} is unchanged: {guest:#}"
            );
        }
    }

    fn commands(&self, asker: Asker) -> Vec<Command> {
        let lab = &self.scene.lab;
        let (known_hosts, key) = (lab.fact("LAB_KNOWN_HOSTS"), lab.fact("LAB_SSH_KEY"));
        let ips = self.guests.iter().map(|guest| lab.ip(guest));
        match asker {
            Asker::Anew => vec![self.scan(&["--force"])],
            Asker::Unchanged => vec![self.scan(&[])],
            Asker::AtOnce => {
                let mut scan = self.scan(&["--force"]);
                let all = self.guests.len().to_string();
                scan.env("GENTOO_UPDATER__POLICY__PARALLEL_SCANS", all);
                vec![scan]
            }
            Asker::Ssh => ips
                .map(|ip| {
                    let mut ssh = self.command(Path::new("ssh"));
                    ssh.args(ssh_options(known_hosts)).args(["-i", key]);
                    ssh.arg(format!("root@{ip}")).arg(QUESTION);
                    ssh
                })
                .collect(),
            Asker::Paramiko => {
                let mut python = self.command(&self.rivals.join("bin/python"));
                python.args([PARAMIKO_THREADS, known_hosts, key, QUESTION]);
                python.args(ips);
                vec![python]
            }
            Asker::Ansible => {
                let mut ansible = self.command(&self.rivals.join("bin/ansible"));
                ansible
                    .env("ANSIBLE_CONFIG", self.scene.file("ansible.cfg"))
                    .args(["all", "-m", "raw", "-a", QUESTION]);
                vec![ansible]
            }
        }
    }

    fn scan(&self, more: &[&str]) -> Command {
        let mut command = self.command(&program(Program::Command));
        command
            .arg("--config")
            .arg(self.scene.write_configuration());
        command.args(["scan", "--json"]).args(more);
        command
    }

    /// A command with a home of its own and nothing else from here.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.scene.file("logs"))
            .env("LANG", "C.UTF-8");
        command
    }

    /// Each guest costs Ansible a process of its own and one of `ssh`, which goes with it: one that
    /// is kept for later tasks would neither be counted nor be gone in the end.
    fn configure_ansible(&self) {
        let lab = &self.scene.lab;
        let ips: Vec<&str> = self.guests.iter().map(|guest| lab.ip(guest)).collect();
        let inventory = self.scene.file("inventory");
        fs::write(&inventory, ips.join("\n") + "\n").expect("an inventory is written");
        let configuration = format!(
            "[defaults]\ninventory = {}\nforks = {}\nremote_user = root\nprivate_key_file = {}\n\
             timeout = 60\n[ssh_connection]\nssh_args = {} -o ControlMaster=no\n",
            inventory.display(),
            ips.len(),
            lab.fact("LAB_SSH_KEY"),
            ssh_options(lab.fact("LAB_KNOWN_HOSTS")).join(" "),
        );
        fs::write(self.scene.file("ansible.cfg"), configuration).expect("a file is written");
    }
}

/// The same known host keys and the one key for all, and no question.
fn ssh_options(known_hosts: &str) -> Vec<String> {
    let options = [
        format!("UserKnownHostsFile={known_hosts}"),
        "StrictHostKeyChecking=yes".to_owned(),
        "IdentitiesOnly=yes".to_owned(),
        "BatchMode=yes".to_owned(),
    ];
    let options = options.into_iter().map(|option| ["-o".to_owned(), option]);
    options.flatten().collect()
}

/// The folder of a Python with paramiko and Ansible.
fn rivals() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rivals-venv.sh");
    let said = Command::new(&script)
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    assert!(said.status.success(), "tests/rivals-venv.sh failed");
    PathBuf::from(String::from_utf8_lossy(&said.stdout).trim())
}
