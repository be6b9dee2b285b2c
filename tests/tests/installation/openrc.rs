//! The scripts under the real OpenRC.

use gentoo_updater_tests::fixtures::{Lab, wait_until};

use crate::services::{CONTROLLER, Controller, Manager, SOON, WORKERS, typed};

/// The network of the lab is up before OpenRC is there.
const NETWORK: &str = "#!/sbin/openrc-run
depend() { provide net; }
start() { return 0; }
stop() { return 0; }
";

struct OpenRc<'a>(&'a Lab);

impl Manager for OpenRc<'_> {
    fn name(&self, role: &str) -> String {
        match role {
            "builder" => format!("gentoo-updater-builder.{CONTROLLER}"),
            role => format!("gentoo-updater-{role}"),
        }
    }

    fn restart(&self, role: &str) {
        self.0.sh(
            CONTROLLER,
            &format!("rc-service {} restart", self.name(role)),
        );
        let before = "the worker runs";
        wait_until(before, SOON, || !self.process_of(role).is_empty());
    }

    fn process_of(&self, role: &str) -> String {
        let instance = match role {
            "builder" => format!("--builder {CONTROLLER}"),
            _ => String::new(),
        };
        let pattern = format!("^/usr/bin/gentoo-updater-{role} .*{instance}");
        let said = self.0.exec(CONTROLLER, &["pgrep", "-f", &pattern]);
        said.stdout.trim().to_owned()
    }
}

#[test]
fn services_of_openrc_start_keep_a_build_over_a_restart_and_start_a_hung_worker_again() {
    let controller = Controller::new("openrc");
    let lab = &controller.scene.lab;
    let openrc = OpenRc(lab);
    let [user, start] = &typed("docs/how-to/services.md", file!())[..] else {
        panic!("a block makes the user, and one starts the services");
    };
    // The ebuild makes the user, with systemd or without.
    lab.sh(CONTROLLER, user);
    lab.sh(CONTROLLER, "mkdir -p /var/lib/gentoo-updater/home/.ssh");
    controller.configure();
    controller.write("/etc/init.d/net.lab", NETWORK);
    controller.write(
        "/etc/conf.d/gentoo-updater-janitor",
        "GENTOO_UPDATER_USER=root\n",
    );
    let planner = "GENTOO_UPDATER_METRICS=127.0.0.1:9180\nGENTOO_UPDATER_HEALTHCHECK=2\nretry=TERM/1/KILL/5\n";
    controller.write("/etc/conf.d/gentoo-updater-planner", planner);
    lab.sh(
        CONTROLLER,
        "chmod 755 /etc/init.d/net.lab && rc-update add net.lab default",
    );
    lab.sh(CONTROLLER, start);
    for role in WORKERS {
        let process = openrc.process_of(role);
        let user = lab.sh(CONTROLLER, &format!("ps -o user:20= -p {process}"));
        let expected = match role {
            "builder" | "janitor" => "root",
            _ => "gentoo-updater",
        };
        assert_eq!(user.trim(), expected, "{role}");
        let ready = format!("grep -q ready /var/log/{}.log", openrc.name(role));
        wait_until(&format!("the {role} is ready"), SOON, || {
            lab.holds(CONTROLLER, &ready)
        });
    }

    controller.run_through(&openrc, || {
        let hung = openrc.process_of("planner");
        lab.sh(CONTROLLER, &format!("kill -STOP {hung}"));
        wait_until("the planner that hangs is started again", SOON, || {
            let now = openrc.process_of("planner");
            !now.is_empty() && now != hung
        });
    });

    for role in WORKERS {
        let name = openrc.name(role);
        lab.sh(CONTROLLER, &format!("rc-service {name} stop"));
        assert_eq!(openrc.process_of(role), "", "{role}");
    }
}
