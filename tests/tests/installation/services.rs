//! A controller whose workers are services: a builder of the lab, which compiles for itself, and whose
//! workers reach the guest over ssh.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gentoo_updater_tests::actions::{self, Gate};
use gentoo_updater_tests::assertions::{self, compilations};
use gentoo_updater_tests::fixtures::{Process, Scene, wait_until};

use crate::tree::{Tree, checkout};

/// Long enough for a machine that has other things to do.
pub(crate) const SOON: Duration = Duration::from_secs(120);

/// The machine that the workers run on.
pub(crate) const CONTROLLER: &str = "b1";

/// The port of the broker, in its network namespace and on the controller.
const PORT: &str = "25672";

/// The services of the controller. The builder and the janitor work on that machine itself.
pub(crate) const WORKERS: [&str; 5] = ["planner", "scanner", "builder", "installer", "janitor"];

/// What a page has an administrator type, block by block: those of which it says that `file` runs them.
/// Its builder is the machine that the workers run on here.
pub(crate) fn typed(page: &str, file: &str) -> Vec<String> {
    let path = checkout().join(page);
    let text = std::fs::read_to_string(&path).expect("the page is there");
    let begin = format!("```sh,by={file}\n");
    let blocks: Vec<String> = text
        .split(&begin)
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block.replace("fast", CONTROLLER))
        .collect();
    assert!(!blocks.is_empty(), "{page} has nothing that {file} runs");
    blocks
}

/// What starts and stops services.
pub(crate) trait Manager {
    /// What the service of a role is called.
    fn name(&self, role: &str) -> String;
    /// Restarts a service, and returns when it is up.
    fn restart(&self, role: &str);
    /// The process of a worker.
    fn process_of(&self, role: &str) -> String;
}

/// A lab with one guest, a controller on which everything is installed, and a broker that it reaches.
pub(crate) struct Controller {
    tunnel: RefCell<Option<Process>>,
    /// The lab.
    pub(crate) scene: Scene,
}

impl Controller {
    /// Brings the machines up and installs on the controller; `manager` puts what manages services there.
    pub(crate) fn new(manager: &str) -> Self {
        let mut scene = Scene::with_broker(1, 1);
        let lab = &scene.lab;
        actions::prepare_for_v2(lab);
        actions::want_only(lab, "g1", &["app-misc/slowpoke"]);
        actions::slow_down(lab, CONTROLLER, 0);
        lab.must(&[manager, CONTROLLER]);
        scene
            .configuration
            .builders
            .insert(CONTROLLER.to_owned(), "local".to_owned());
        let tree = Tree::installed("/usr");
        let root = tree.root();
        lab.must(&[
            "put",
            CONTROLLER,
            root.to_str().expect("a path that is text"),
        ]);
        let controller = Self {
            tunnel: RefCell::default(),
            scene,
        };
        controller.open_tunnel();
        controller
    }

    /// The broker's port is on the controller, too: what is there comes out beside the broker.
    pub(crate) fn open_tunnel(&self) {
        let lab = &self.scene.lab;
        let forward = format!("{PORT}:127.0.0.1:{PORT}");
        let config = lab.fact("LAB_SSH_CONFIG");
        let options = ["-F", config, "-N", "-o", "ExitOnForwardFailure=yes", "-R"];
        let tunnel = Process::start(
            "tunnel",
            lab.netns(),
            Path::new("/usr/bin/ssh"),
            options.into_iter().chain([forward.as_str(), CONTROLLER]),
            &self.scene.file("logs"),
        );
        self.tunnel.replace(Some(tunnel));
        wait_until("the broker is reached from the controller", SOON, || {
            lab.holds(
                CONTROLLER,
                &format!("bash -c ': < /dev/tcp/127.0.0.1/{PORT}'"),
            )
        });
    }

    /// The broker is away, for the controller.
    pub(crate) fn close_tunnel(&self) {
        if let Some(tunnel) = self.tunnel.take() {
            tunnel.kill();
        }
    }

    /// The user of the workers, what they log in with, and the configuration, as `docs/how-to/services.md` says.
    pub(crate) fn configure(&self) {
        let lab = &self.scene.lab;
        let state = PathBuf::from("/var/lib/gentoo-updater");
        let mut configuration = self.scene.configuration.clone();
        configuration.known_hosts = state.join("known_hosts");
        configuration.identity = state.join("home/.ssh/id_ed25519");
        configuration.state = state;
        let text = configuration.to_toml();
        self.write("/etc/gentoo-updater/fleet.toml", &text);
        for (file, fact) in [
            (&configuration.known_hosts, "LAB_KNOWN_HOSTS"),
            (&configuration.identity, "LAB_SSH_KEY"),
        ] {
            let text = std::fs::read_to_string(lab.fact(fact)).expect("a file of the lab");
            self.write(file.to_str().expect("a path that is text"), &text);
        }
        let [readable] = &typed("docs/how-to/services.md", file!())[..] else {
            panic!("one block says who reads the configuration");
        };
        lab.sh(CONTROLLER, readable);
        lab.sh(
            CONTROLLER,
            "cd /var/lib/gentoo-updater/home && chmod 600 .ssh/id_ed25519 && chown -R gentoo-updater: .",
        );
    }

    /// Writes a file of the controller.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let argv = [
            "sh",
            "-c",
            "mkdir -p \"$(dirname \"$1\")\" && cat > \"$1\"",
            "sh",
            path,
        ];
        let lab = &self.scene.lab;
        let said = lab.exec_with_input(CONTROLLER, &argv, text);
        assert!(said.code == 0, "{path}: {said:?}");
    }

    /// Runs the fleet while the builder is restarted in the middle of its build, and `trouble` happens
    /// then: all of it ends well, and nothing is built twice.
    pub(crate) fn run_through(&self, manager: &dyn Manager, trouble: impl FnOnce()) {
        let gate = Gate::before_phase(&self.scene.lab, CONTROLLER, "compile", "slowpoke");
        let running = actions::start_run(&self.scene, "run");
        gate.wait_until_reached();
        let job = |scene: &Scene| {
            let jobs = "cat /var/lib/gentoo-updater/jobs/build-*/pid";
            scene.lab.sh(CONTROLLER, jobs)
        };
        let (build, worker) = (job(&self.scene), manager.process_of("builder"));
        manager.restart("builder");
        assert_ne!(
            manager.process_of("builder"),
            worker,
            "it is another process"
        );
        assert_eq!(job(&self.scene), build, "the build is the same");
        let processes = build
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned();
        let alive = format!("kill -0 {processes}");
        assert!(self.scene.lab.holds(CONTROLLER, &alive), "{build}");
        trouble();
        gate.open();
        let run = running.to_the_end();
        assertions::exit_code_is(&run, 0);
        let built = ["app-misc/slowpoke-2.0", "sys-apps/labbase-1.0-r1"];
        assert_eq!(compilations(&self.scene.lab, CONTROLLER), built);
        assertions::plans_nothing(&self.scene.lab, "g1");
    }
}
