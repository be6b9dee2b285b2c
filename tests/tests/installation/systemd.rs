//! The units under the real systemd, as first process of a machine.

use gentoo_updater_tests::fixtures::{Lab, wait_until};

use crate::services::{CONTROLLER, Controller, Manager, SOON, WORKERS, typed};

/// How long a loop may say nothing in this test, in seconds.
const WATCHDOG: u64 = 4;

struct Systemd<'a>(&'a Lab);

impl Systemd<'_> {
    fn property(&self, role: &str, name: &str) -> String {
        let unit = self.name(role);
        let text = self.0.sh(
            CONTROLLER,
            &format!("systemctl show --property={name} --value {unit}"),
        );
        text.trim().to_owned()
    }

    fn number(&self, role: &str, name: &str) -> u64 {
        let text = self.property(role, name);
        text.parse().unwrap_or_else(|_| panic!("{name}={text}"))
    }
}

impl Manager for Systemd<'_> {
    fn name(&self, role: &str) -> String {
        match role {
            "builder" => format!("gentoo-updater-builder@{CONTROLLER}.service"),
            role => format!("gentoo-updater-{role}.service"),
        }
    }

    fn restart(&self, role: &str) {
        self.0.sh(
            CONTROLLER,
            &format!("systemctl restart {}", self.name(role)),
        );
    }

    fn process_of(&self, role: &str) -> String {
        self.property(role, "MainPID")
    }
}

#[test]
fn units_start_when_they_serve_keep_a_build_over_a_restart_and_start_a_hung_worker_again() {
    let controller = Controller::new("systemd");
    let lab = &controller.scene.lab;
    let systemd = Systemd(lab);
    let [once, start] = &typed("docs/how-to/services.md", file!())[..] else {
        panic!("a block makes the user, and one starts the services");
    };
    lab.sh(CONTROLLER, once);
    controller.configure();
    // The janitor works on the controller itself, so it has to be root.
    let local = "mkdir -p /etc/systemd/system/gentoo-updater-janitor.service.d && cd $_ &&
                 cp /usr/share/doc/gentoo-updater/local.conf .";
    lab.sh(CONTROLLER, local);
    for role in ["planner", "store"] {
        let quick = format!("[Service]\nWatchdogSec={WATCHDOG}\nRestartSec=0\n");
        controller.write(
            &format!("/etc/systemd/system/{}.d/quick.conf", systemd.name(role)),
            &quick,
        );
    }
    let all = WORKERS.map(|role| systemd.name(role)).join(" ");
    // It returns when each of them has said that it serves.
    lab.sh(CONTROLLER, &format!("systemctl daemon-reload\n{start}"));
    for role in WORKERS {
        assert_eq!(systemd.property(role, "ActiveState"), "active", "{role}");
        let user = lab.sh(
            CONTROLLER,
            &format!("ps -o user:20= -p {}", systemd.process_of(role)),
        );
        let expected = match role {
            "builder" | "janitor" => "root",
            _ => "gentoo-updater",
        };
        assert_eq!(user.trim(), expected, "{role}");
    }
    wait_until("the builder waits for work", SOON, || {
        systemd.property("builder", "StatusText") == "waits for work"
    });

    the_dashboard_reads_a_token_of_its_group(&controller, &systemd);
    controller.run_through(&systemd, || {
        a_hung_worker_is_started_again(&systemd);
        a_worker_without_a_broker_is_left_alone(&controller, &systemd);
    });

    lab.sh(CONTROLLER, &format!("systemctl stop {all}"));
    for role in WORKERS {
        assert_eq!(systemd.property(role, "ActiveState"), "inactive", "{role}");
        assert_eq!(systemd.property(role, "ExecMainStatus"), "0", "{role}");
        // At a shutdown what is started later is stopped earlier.
        let after = systemd.property(role, "After");
        assert!(after.contains("rabbitmq-server.service"), "{role}: {after}");
    }
}

/// As `docs/how-to/dashboard.md` has it.
fn the_dashboard_reads_a_token_of_its_group(controller: &Controller, systemd: &Systemd) {
    let lab = systemd.0;
    let token = "/etc/gentoo-updater/token";
    controller.write(token, &"a token of this test".repeat(2));
    let [readable] = &typed("docs/how-to/dashboard.md", file!())[..] else {
        panic!("one block says who reads the token");
    };
    lab.sh(CONTROLLER, readable);
    let unit = systemd.name("dashboard");
    let with_token = format!(
        "[Service]\nExecStart=\nExecStart=/usr/bin/gentoo-updater dashboard --token-file {token}\n"
    );
    controller.write(
        &format!("/etc/systemd/system/{unit}.d/token.conf"),
        &with_token,
    );
    // It returns when the dashboard has said that it serves.
    let start = format!("systemctl daemon-reload && systemctl start {unit}");
    lab.sh(CONTROLLER, &start);
    let said = lab.sh(
        CONTROLLER,
        &format!("journalctl --quiet --no-pager -u {unit}"),
    );
    assert!(
        said.contains("who shows the token may put dead letters back"),
        "{said}"
    );
    lab.sh(CONTROLLER, &format!("systemctl stop {unit}"));
}

fn a_hung_worker_is_started_again(systemd: &Systemd) {
    let hung = systemd.process_of("planner");
    systemd.0.sh(CONTROLLER, &format!("kill -STOP {hung}"));
    wait_until("the planner that hangs is started again", SOON, || {
        systemd.number("planner", "NRestarts") == 1
            && systemd.property("planner", "ActiveState") == "active"
    });
    assert_ne!(systemd.process_of("planner"), hung);
    let why = systemd.0.sh(
        CONTROLLER,
        "journalctl --quiet --no-pager -u gentoo-updater-planner",
    );
    assert!(why.contains("Watchdog timeout"), "{why}");
}

/// It waits for the broker, which no restart brings back.
fn a_worker_without_a_broker_is_left_alone(controller: &Controller, systemd: &Systemd) {
    controller.close_tunnel();
    wait_until("the planner says that it has no broker", SOON, || {
        let status = systemd.property("planner", "StatusText");
        status.starts_with("the broker is not reached")
    });
    let signs_of_life = || systemd.number("planner", "WatchdogTimestampMonotonic");
    let since = signs_of_life();
    wait_until(
        "it says for longer than it may hang that it lives",
        SOON,
        || signs_of_life() > since + 2 * WATCHDOG * 1_000_000,
    );
    assert_eq!(systemd.number("planner", "NRestarts"), 1);
    controller.open_tunnel();
    wait_until("the planner has its broker again", SOON, || {
        systemd.property("planner", "StatusText") == "serves"
    });
}
