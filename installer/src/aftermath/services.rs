//! Whose the processes are that run on deleted programs and libraries, and in which order what is
//! to be restarted. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Answer, Process};

/// To whom a process belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// The first process of the machine.
    Init,
    /// A service of the machine's service manager.
    Service(String),
    /// A login: it ends when its user logs out.
    Login(String),
    /// A program that belongs to no service that is known.
    Program(String),
}

/// One thing to restart, with the processes because of which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outdated {
    pub(super) owner: Owner,
    pub(super) processes: Vec<Process>,
}

/// What manages the services of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    Openrc,
    Systemd,
}

impl Manager {
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        match answer.manager.as_deref() {
            Some("openrc") => Some(Self::Openrc),
            Some("systemd") => Some(Self::Systemd),
            _ => None,
        }
    }

    /// The command that restarts a service.
    pub(super) fn restart(self, service: &str) -> [&str; 3] {
        match self {
            Self::Openrc => ["rc-service", service, "restart"],
            Self::Systemd => ["systemctl", "restart", service],
        }
    }

    /// The command whose exit code is 0 while a service runs.
    pub(super) fn is_active(self, service: &str) -> [&str; 3] {
        match self {
            Self::Openrc => ["rc-service", service, "status"],
            Self::Systemd => ["systemctl", "is-active", service],
        }
    }

    /// Whether this answer of [`Self::is_active`] is that of a service that was stopped, and not of one that
    /// failed. Of OpenRC the exit code tells (3, or 32 for "crashed"), of systemd what it prints.
    pub(super) fn is_stopped(self, code: Option<i32>, said: &str) -> bool {
        match self {
            Self::Openrc => code == Some(3),
            Self::Systemd => said == "inactive",
        }
    }

    /// How the first process takes over what was installed.
    pub(super) fn renew_init(manager: Option<Self>, first: &str) -> &'static str {
        match (manager, first) {
            (Some(Self::Systemd), _) => "systemctl daemon-reexec",
            (_, "openrc-init") => "openrc-shutdown --reexec",
            (_, "init") => "telinit u",
            _ => "reboot",
        }
    }
}

/// Everything that is to be restarted, in the order in which that is best done: what others use
/// first, and last what a connection may live on.
pub(super) fn outdated(answer: &Answer) -> Vec<Outdated> {
    let mut found: BTreeMap<(u8, Owner), Vec<Process>> = BTreeMap::new();
    for process in &answer.processes {
        let files: Vec<String> = process
            .files
            .iter()
            .filter(|f| counts(f))
            .cloned()
            .collect();
        if files.is_empty() {
            continue;
        }
        let owner = owner(answer, process);
        // Those that asked end by themselves, and a service that they belong to is its own case.
        if answer.asking.contains(&process.pid) && !matches!(owner, Owner::Service(_)) {
            continue;
        }
        let process = Process {
            files,
            ..process.clone()
        };
        let place = (place(&owner), owner);
        found.entry(place).or_default().push(process);
    }
    let outdated = found.into_iter();
    outdated
        .map(|((_, owner), processes)| Outdated { owner, processes })
        .collect()
}

/// What was deleted while it is used is nobody's library where it never was one: shared memory,
/// files of run-time compilers.
fn counts(path: &str) -> bool {
    const ELSEWHERE: [&str; 9] = [
        "/dev/",
        "/memfd:",
        "/tmp/",
        "/var/tmp/",
        "/run/",
        "/var/run/",
        "/proc/",
        "/SYSV",
        "/home/",
    ];
    path.starts_with('/') && !ELSEWHERE.iter().any(|start| path.starts_with(start))
}

fn owner(answer: &Answer, process: &Process) -> Owner {
    if process.pid == 1 {
        return Owner::Init;
    }
    let is_login = |name: &str| matches!(name, "sshd-session" | "login" | "su" | "sudo" | "screen");
    let in_user_slice = process.cgroups.iter().any(|c| c.contains(":/user.slice/"));
    let below_login = process.parents.iter().any(|(_, name)| is_login(name));
    // sshd has a process of its own for each connection, in the control group of the service.
    let is_sshd = |name: &str| name.starts_with("sshd");
    let below_sshd = process.parents.iter().any(|(_, name)| is_sshd(name));
    let on_terminal = process.terminal != 0 && process.name != "agetty";
    if in_user_slice || below_login || below_sshd || is_login(&process.name) || on_terminal {
        return Owner::Login(process.name.clone());
    }
    let by_group = process.cgroups.iter().find_map(|line| service_of(line));
    let by_pid = || {
        let above = process.parents.iter().map(|(pid, _)| *pid);
        let mut pids = std::iter::once(process.pid).chain(above);
        pids.find_map(|pid| answer.daemons.get(&pid).cloned())
    };
    match by_group.or_else(by_pid) {
        Some(service) => Owner::Service(service),
        None => Owner::Program(process.name.clone()),
    }
}

/// The service of a line of `/proc/PID/cgroup` (cgroups(7)): systemd has a control group of each
/// unit below `system.slice`, OpenRC `openrc.NAME` or `openrc/NAME`, and with the first version of
/// control groups a hierarchy called `openrc`.
fn service_of(line: &str) -> Option<String> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (hierarchy, path) = (fields.next()?, fields.next()?);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let name = match parts.as_slice() {
        ["system.slice", below @ ..] => below
            .iter()
            .find_map(|part| part.strip_suffix(".service"))?,
        ["openrc", name, ..] => name,
        [name, ..] if hierarchy == "name=openrc" => name,
        [first, ..] => first.strip_prefix("openrc.")?,
        [] => return None,
    };
    is_service_name(name).then(|| name.to_owned())
}

/// What can be a service's name and needs no care in a command line or a log.
pub(super) fn is_service_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@:\\+".contains(c);
    !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain)
}

fn place(owner: &Owner) -> u8 {
    match owner {
        Owner::Init => 0,
        Owner::Service(name) if is_own(name) => 4,
        Owner::Service(name) if may_cut_off(name) => 3,
        Owner::Service(name) if is_base(name) => 1,
        Owner::Service(_) => 2,
        Owner::Login(_) => 5,
        Owner::Program(_) => 6,
    }
}

/// What other services use.
fn is_base(name: &str) -> bool {
    const BASE: [&str; 8] = [
        "udev",
        "systemd-udevd",
        "syslog-ng",
        "rsyslog",
        "sysklogd",
        "metalog",
        "systemd-journald",
        "rpcbind",
    ];
    BASE.contains(&name)
}

/// Whether a connection or a login may live on a service: the network, sshd, and what sessions
/// hang on.
fn may_cut_off(name: &str) -> bool {
    const NAMES: [&str; 30] = [
        "NetworkManager",
        "bluetooth",
        "connman",
        "dbus",
        "dbus-broker",
        "dhcpcd",
        "display-manager",
        "dropbear",
        "elogind",
        "gdm",
        "ipsec",
        "iscsid",
        "iwd",
        "lightdm",
        "network",
        "networking",
        "openvswitch",
        "ovsdb-server",
        "pppd",
        "rabbitmq",
        "rabbitmq-server",
        "sddm",
        "ssh",
        "sshd",
        "systemd-logind",
        "systemd-networkd",
        "systemd-resolved",
        "tincd",
        "wpa_supplicant",
        "xdm",
    ];
    const BEGINNINGS: [&str; 9] = [
        "net.",
        "openvpn",
        "wg-quick",
        "wireguard",
        "tailscale",
        "zerotier",
        "strongswan",
        "getty@",
        "user@",
    ];
    NAMES.contains(&name) || BEGINNINGS.iter().any(|start| name.starts_with(start))
}

/// A worker of this project would restart itself in the middle of its work.
fn is_own(name: &str) -> bool {
    name.starts_with("gentoo-updater")
}

/// Why a service is not restarted by itself although services are; nothing when it is.
/// Whatever its name is, one that `asking` processes belong to would end this very work.
pub(super) fn left_alone(
    outdated: &Outdated,
    name: &str,
    asking: &BTreeSet<u32>,
    also: &BTreeSet<String>,
) -> Option<&'static str> {
    let asks = |process: &Process| asking.contains(&process.pid);
    if is_own(name) || outdated.processes.iter().any(asks) {
        Some("it is the one that works here")
    } else if may_cut_off(name) && !also.contains(name) {
        Some("a connection or a login may live on it (policy.restart_also)")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, name: &str, cgroup: &str, parents: &[(u32, &str)]) -> Process {
        let parents = parents.iter().map(|(pid, name)| (*pid, (*name).to_owned()));
        Process {
            pid,
            name: name.to_owned(),
            terminal: 0,
            files: vec!["/usr/lib64/libcrypto.so.3".to_owned()],
            cgroups: vec![cgroup.to_owned()],
            parents: parents.collect(),
        }
    }

    fn owners(processes: Vec<Process>) -> Vec<Owner> {
        let answer = Answer {
            processes,
            daemons: [(700, "cronie".to_owned())].into(),
            asking: [99].into(),
            ..Answer::default()
        };
        let outdated = outdated(&answer);
        outdated
            .into_iter()
            .map(|outdated| outdated.owner)
            .collect()
    }

    fn service(name: &str) -> Owner {
        Owner::Service(name.to_owned())
    }

    #[test]
    fn a_process_is_assigned_by_its_control_group() {
        for (line, expected) in [
            ("0::/system.slice/nginx.service", Some("nginx")),
            (
                "0::/system.slice/system-getty.slice/getty@tty1.service",
                Some("getty@tty1"),
            ),
            (
                "1:name=systemd:/system.slice/docker.service/init",
                Some("docker"),
            ),
            ("0::/openrc.nginx", Some("nginx")),
            ("0::/openrc/net.eth0", Some("net.eth0")),
            ("1:name=openrc:/nginx", Some("nginx")),
            ("0::/", None),
            ("0::/machine.slice/a.scope", None),
            ("0::/system.slice/$(reboot).service", None),
            ("0::/init.scope", None),
            ("nonsense", None),
        ] {
            assert_eq!(service_of(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_daemon_without_a_control_group_is_found_by_its_pid_or_that_of_its_parent() {
        let worker = process(701, "cron-worker", "0::/", &[(700, "cron")]);
        let daemon = process(700, "cron", "0::/", &[]);
        assert_eq!(owners(vec![worker, daemon]), [service("cronie")]);
    }

    #[test]
    fn a_login_below_sshd_is_none_of_the_service_and_the_listener_is() {
        let group = "0::/openrc.sshd";
        let listener = process(50, "sshd", group, &[]);
        let connection = process(60, "sshd", group, &[(50, "sshd")]);
        let shell = process(61, "bash", group, &[(60, "sshd"), (50, "sshd")]);
        let own = process(99, "sshd", group, &[(50, "sshd")]);
        let expected = [
            service("sshd"),
            Owner::Login("bash".to_owned()),
            Owner::Login("sshd".to_owned()),
        ];
        assert_eq!(owners(vec![shell, connection, own, listener]), expected);
        let user = process(
            70,
            "bash",
            "0::/user.slice/user-0.slice/session-3.scope",
            &[],
        );
        assert_eq!(owners(vec![user]), [Owner::Login("bash".to_owned())]);
    }

    #[test]
    fn the_plan_has_no_doubles_and_ends_with_what_a_connection_lives_on() {
        let processes = [
            "sshd",
            "nginx",
            "nginx",
            "syslog-ng",
            "gentoo-updater-installer",
            "apache2",
            "dbus",
        ];
        let processes = processes
            .iter()
            .zip(100..)
            .map(|(name, pid)| process(pid, "daemon", &format!("0::/openrc.{name}"), &[]));
        let init = process(1, "init", "0::/", &[]);
        let by_hand = process(400, "python3", "0::/", &[]);
        let all: Vec<Process> = processes.chain([init, by_hand]).collect();
        let expected = [
            Owner::Init,
            service("syslog-ng"),
            service("apache2"),
            service("nginx"),
            service("dbus"),
            service("sshd"),
            service("gentoo-updater-installer"),
            Owner::Program("python3".to_owned()),
        ];
        assert_eq!(owners(all), expected);
    }

    #[test]
    fn what_never_was_a_library_does_not_count() {
        for path in [
            "/memfd:doublemapper",
            "/dev/shm/x",
            "/tmp/jit-1",
            "/SYSV00000000",
        ] {
            let mut shared = process(300, "postgres", "0::/openrc.postgresql", &[]);
            shared.files = vec![path.to_owned()];
            assert_eq!(owners(vec![shared]), [], "{path}");
        }
    }

    #[test]
    fn what_a_connection_lives_on_is_left_alone_unless_it_is_named() {
        let left_alone = |name: &str, also: &BTreeSet<String>| {
            let outdated = Outdated {
                owner: Owner::Service(name.to_owned()),
                processes: vec![process(300, name, "", &[])],
            };
            super::left_alone(&outdated, name, &[99].into(), also)
        };
        let none = BTreeSet::new();
        let also = BTreeSet::from(["sshd".to_owned(), "gentoo-updater-installer".to_owned()]);
        assert!(left_alone("sshd", &none).is_some());
        assert_eq!(left_alone("sshd", &also), None);
        assert!(left_alone("net.eth0", &also).is_some());
        assert_eq!(left_alone("nginx", &none), None);
        for name in ["dropbear", "ipsec", "rabbitmq-server", "tincd"] {
            assert!(left_alone(name, &none).is_some(), "{name}");
        }
        // It would end itself, whatever is named.
        assert!(left_alone("gentoo-updater-installer", &also).is_some());
    }

    #[test]
    fn a_service_that_asks_is_left_alone_whatever_its_name_is() {
        let outdated = Outdated {
            owner: Owner::Service("fleet".to_owned()),
            processes: vec![process(98, "sh", "", &[]), process(99, "sh", "", &[])],
        };
        let also = BTreeSet::from(["fleet".to_owned()]);
        assert!(left_alone(&outdated, "fleet", &[99].into(), &also).is_some());
        assert_eq!(left_alone(&outdated, "fleet", &[97].into(), &also), None);
    }
}
