//! The controller of a lab as a reader has it: its own `/etc`, home and state, the machines by their
//! names, and the programs as commands. Nothing of it is seen outside of its mount namespace.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gentoo_updater_tests::fixtures::{Broker, Lab, Process, Program, program, wait_until};

use crate::page::Run;

/// What a run of a whole small fleet may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// The name of a page's broker.
const MQ: &str = "mq.example.net";

/// The controller, as guests call it who fetch from it.
pub(crate) const STORE: &str = "store.example.net";

/// Makes the view, says so, and keeps it until it is killed.
const SET_UP: &str = r#"
  mount -t tmpfs tmpfs "$1"
  for folder in etc var/lib var/cache; do
    mkdir -p "$1/$folder/upper" "$1/$folder/work"
    mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$1/$folder/upper,workdir=$1/$folder/work" "/$folder"
  done
  mount -t tmpfs -o mode=0700 tmpfs /root
  rm -rf /etc/gentoo-updater /var/lib/gentoo-updater
  rm -f /etc/ssh/ssh_known_hosts
  mkdir -p /etc/gentoo-updater /var/cache/binpkgs
  mount --bind "$3" /var/cache/binpkgs
  cat > /etc/hosts
  mkdir -m 0700 /root/.ssh
  install -m 0600 "$2" /root/.ssh/id_ed25519
  echo ready
  exec >/dev/null
  exec sleep infinity
"#;

/// A controller with the machines of a lab under the names of a page.
pub(crate) struct Stage<'a> {
    lab: &'a Lab,
    names: &'a [(&'a str, &'a str)],
    broker: Option<&'a Broker>,
    holder: Child,
    folder: PathBuf,
    // Those that stay, by what was typed. They are ended before the view that they live in.
    workers: Vec<(String, Process)>,
    started: usize,
}

/// What commands said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) all: String,
}

impl<'a> Stage<'a> {
    /// `names` are names of a page with the machines of the lab that they stand for. A broker is the
    /// machine `mq`.
    pub(crate) fn new(
        lab: &'a Lab,
        names: &'a [(&'a str, &'a str)],
        broker: Option<&'a Broker>,
    ) -> Self {
        let folder = Path::new(lab.fact("LAB_RUN")).join("stage");
        std::fs::create_dir_all(folder.join("logs")).expect("a folder of the lab");
        let view = folder.join("view");
        std::fs::create_dir_all(&view).expect("a folder of the lab");
        let mut holder = Command::new("ip")
            .args(["netns", "exec", lab.netns()])
            .args(["unshare", "--mount", "--propagation", "private"])
            .args(["bash", "-euc", SET_UP, "stage"])
            .args([&view, Path::new(lab.fact("LAB_SSH_KEY")), &lab.store()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("ip and unshare are there");
        let mut hosts = format!(
            "127.0.0.1 localhost {MQ}\n{} {STORE}\n",
            lab.fact("LAB_CTL_IP")
        );
        for (name, machine) in names {
            hosts.push_str(&format!("{} {name}.example.net {name}\n", lab.ip(machine)));
        }
        let mut stdin = holder.stdin.take().expect("stdin is a pipe");
        stdin
            .write_all(hosts.as_bytes())
            .expect("the names are written");
        drop(stdin);
        let mut ready = String::new();
        let stdout = holder.stdout.take().expect("stdout is a pipe");
        std::io::Read::read_to_string(&mut { stdout }, &mut ready).expect("it says something");
        assert_eq!(ready, "ready\n", "the controller's view is set up");
        Self {
            lab,
            names,
            broker,
            holder,
            folder,
            workers: Vec::new(),
            started: 0,
        }
    }

    /// Writes a file of the controller.
    pub(crate) fn write(&self, path: &str, content: &str, add: bool) {
        // The private broker has a port of its own.
        let content = match self.broker {
            Some(broker) => content.replace(
                &format!("{MQ}/"),
                &format!("{MQ}:{port}/", port = broker.port()),
            ),
            None => content.to_owned(),
        };
        let redirect = if add { ">>" } else { ">" };
        let script = format!("mkdir -p \"$(dirname \"$1\")\"; cat {redirect} \"$1\"");
        let mut child = self
            .inside()
            .args(["bash", "-euc", &script, "write", path])
            .stdin(Stdio::piped())
            .spawn()
            .expect("nsenter is there");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        stdin
            .write_all(content.as_bytes())
            .expect("the file is written");
        drop(stdin);
        let status = child.wait().expect("a child can be waited for");
        assert!(status.success(), "{path} is written");
    }

    /// Runs the commands of a block as a reader types them.
    pub(crate) fn run(&mut self, run: &Run) -> Said {
        let mut commands = run.commands.clone();
        if run.on.as_deref() == Some("mq") {
            let broker = self.broker.expect("the page's lab has a broker");
            commands = broker.script(&commands);
        } else if let Some(name) = &run.on {
            let said = self.lab.exec(
                self.machine(name),
                &["bash", "-euo", "pipefail", "-c", &run.commands],
            );
            return Said {
                code: Some(said.code),
                all: format!("{}{}", said.stdout, said.stderr),
                stdout: said.stdout,
            };
        }
        if run.stays {
            self.stay(&run.commands);
            return Said {
                code: Some(0),
                stdout: String::new(),
                all: String::new(),
            };
        }
        let mut command = self.inside();
        let typed = match &run.answer {
            None => {
                command.args(["bash", "-euo", "pipefail", "-c", &commands]);
                String::new()
            }
            // Questions are asked on a terminal only.
            Some(answer) => {
                let all = format!("set -euo pipefail\n{commands}");
                command.args([
                    "script",
                    "--quiet",
                    "--return",
                    "--command",
                    &all,
                    "/dev/null",
                ]);
                format!("{answer}\n")
            }
        };
        let mut child = command
            .env("SHELL", "/bin/bash")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter is there");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        // A command that asks nothing reads nothing.
        let _ = stdin.write_all(typed.as_bytes());
        let output = match &run.answer {
            // The end of what is typed would be the end of the terminal.
            Some(_) => {
                let output = child.wait_with_output();
                drop(stdin);
                output
            }
            None => {
                drop(stdin);
                child.wait_with_output()
            }
        };
        let output = output.expect("a child can be waited for");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        Said {
            code: output.status.code(),
            all: format!("{stdout}{}", String::from_utf8_lossy(&output.stderr)),
            stdout,
        }
    }

    /// Starts each line of a block, and leaves it running. Whoever starts a worker again waits for the end
    /// of the former one, as a service manager does.
    fn stay(&mut self, commands: &str) {
        for line in commands.lines().filter(|line| !line.trim().is_empty()) {
            for (_, former) in self.workers.iter_mut().filter(|(typed, _)| typed == line) {
                wait_until(&format!("the former {line} has ended"), PATIENCE, || {
                    !former.is_running()
                });
            }
            let name = format!("worker-{}", self.started);
            self.started += 1;
            let mut args = self.entering();
            args.extend(["bash", "-c"].map(str::to_owned));
            args.push(format!("exec {line}"));
            let logs = self.folder.join("logs");
            let (netns, program) = (self.lab.netns(), Path::new("nsenter"));
            let worker = Process::start(&name, netns, program, args, &logs);
            self.workers.push((line.to_owned(), worker));
        }
    }

    /// What those that stay have logged.
    pub(crate) fn logs(&self) -> String {
        let read = |worker: &Process| std::fs::read_to_string(&worker.stderr).unwrap_or_default();
        self.workers
            .iter()
            .map(|(typed, worker)| format!("{typed}\n{}", read(worker)))
            .collect::<Vec<_>>()
            .join("----\n")
    }

    /// Ends those that stay, and waits for them.
    pub(crate) fn end_workers(&mut self) {
        for (_, mut worker) in std::mem::take(&mut self.workers) {
            // A run that a page has followed is over by itself.
            if worker.is_running() {
                worker.terminate(PATIENCE);
            }
        }
    }

    fn machine(&self, name: &str) -> &str {
        let known = self.names.iter().find(|(known, _)| *known == name);
        known
            .unwrap_or_else(|| panic!("the page's lab has no machine {name}"))
            .1
    }

    fn entering(&self) -> Vec<String> {
        let programs = program(Program::Command);
        let programs = programs.parent().expect("a folder of programs").display();
        vec![
            format!("--target={}", self.holder.id()),
            "--mount".to_owned(),
            "--net".to_owned(),
            // Its own home: nsenter would look for the folder outside.
            "env".to_owned(),
            "--chdir=/root".to_owned(),
            "--ignore-environment".to_owned(),
            "HOME=/root".to_owned(),
            "SHELL=/bin/bash".to_owned(),
            "TERM=xterm".to_owned(),
            format!("PATH={programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ]
    }

    fn inside(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(self.entering());
        command
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        self.workers.clear();
        // It has no end of its own, so it is there to be killed.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
