//! What every machine needs, whatever its part is.

use std::collections::BTreeSet;

use gentoo_updater_portage::cpv::Cpv;

use super::{Examined, Facts, Findings, Kind, MachineFacts, Remedy, Subject};
use crate::config::Settings;
use crate::message::Failure;
use crate::words::counted;

/// The oldest Portage with which this works.
const OLDEST_PORTAGE: [u64; 3] = [3, 0, 30];
/// From how many seconds on a clock is off: what NTP keeps is a thousandth of that.
const CLOCK_OFF: f64 = 5.0;
/// From how many seconds on nothing that has a time can be relied on.
const CLOCK_FAR_OFF: f64 = 300.0;
/// A file system with fewer free inodes is as good as full: a large package has so many files.
const FEW_INODES: u64 = 10_000;
/// How many things of one kind are named.
const NAMED: usize = 5;

/// The cause of a machine that did not answer in time, as the one who asks names it.
pub(super) const SILENT: &str = "TimedOut";

pub(super) fn judge(settings: &Settings, facts: &Facts, findings: &mut Findings) {
    let clocks = Clocks::of(facts);
    clocks.judge(findings);
    let mut known = BTreeSet::new();
    for (subject, answer) in &facts.machines {
        findings.looked_at(subject.area(), subject);
        let address = subject.address(settings);
        let is_told = address.is_some_and(|address| !known.insert(address));
        match answer {
            // What a machine has that is builder and guest is told of once, as the builder's.
            Ok(_) if is_told => {}
            Ok(examined) => {
                if !clocks.is_ours {
                    clock(subject, examined.clock_ahead, findings);
                }
                system(subject, &examined.facts, findings);
                portage(subject, &examined.facts, findings);
                left_behind(subject, &examined.facts, findings);
            }
            Err(failure) => no_answer(subject, failure, findings),
        }
    }
}

/// Why a machine said nothing.
fn no_answer(subject: &Subject, failure: &Failure, findings: &mut Findings) {
    let (name, cause) = (subject.name(), failure.cause.as_str());
    let (kind, remedy) = match cause {
        "HostKeyUnknown" => (
            Kind::HostKeyUnknown,
            Remedy::new("compare its fingerprint on the machine itself, and trust it")
                .by(format!("gentoo-updater trust {name}")),
        ),
        "HostKeyChanged" => (
            Kind::HostKeyRefused,
            Remedy::new(
                "find out why its key is another one; if it was set up anew, trust the new one",
            )
            .by(format!("gentoo-updater trust {name} --replace")),
        ),
        "HostKeyRevoked" | "HostCertificateRefused" => (
            Kind::HostKeyRefused,
            Remedy::new("give the machine a key or certificate that known_hosts trusts"),
        ),
        "AuthenticationRefused" => (
            Kind::LoginRefused,
            Remedy::new(
                "put the public key of this machine into /root/.ssh/authorized_keys there, or name the \
                 right one in ssh.identity_files",
            ),
        ),
        "KnownHostsUnreadable" | "SshConfiguration" | "AddressInvalid" => (
            Kind::WayUnusable,
            Remedy::new("put that right: the tables [ssh] and its address in the configuration"),
        ),
        SILENT => (
            Kind::MachineSilent,
            Remedy::new("log in there, and look what hangs: a network file system, or its load"),
        ),
        "Unreachable" | "ConnectionLost" | "SessionRefused" => (
            Kind::MachineUnreachable,
            Remedy::new(
                "look whether it is on, whether its sshd runs, and whether its address is right",
            ),
        ),
        "PythonMissing" => (
            Kind::PythonMissing,
            // Not by emerge, which is a Python program.
            Remedy::new(
                "let python3 be found there; where there is none, unpack a binary package of \
                 dev-lang/python over its root",
            )
            .by("eselect python list"),
        ),
        _ => (
            Kind::MachineNotUnderstood,
            Remedy::new(
                "log in there as root, and see what `python3 -c 'import portage'` and /root/.bashrc print",
            ),
        ),
    };
    let found = match failure.log_tail.last() {
        Some(last) => format!("{failure}: {last}"),
        None => failure.to_string(),
    };
    findings.add(kind, subject, found, remedy);
}

/// How the clocks go, all together.
struct Clocks {
    /// Whether all machines agree with each other and not with this one.
    is_ours: bool,
    ahead: f64,
}

impl Clocks {
    fn of(facts: &Facts) -> Self {
        let answered = facts.machines.values().flatten();
        let ahead: Vec<f64> = answered.map(|it: &Examined| it.clock_ahead).collect();
        let least = ahead.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ahead.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let agree = ahead.len() > 1 && most - least < CLOCK_OFF;
        Self {
            is_ours: agree && (least > CLOCK_OFF || most < -CLOCK_OFF),
            ahead: if least > 0.0 { least } else { most },
        }
    }

    fn judge(&self, findings: &mut Findings) {
        if self.is_ours {
            // All others are ahead of us, so we are behind.
            clock(&Subject::Controller, -self.ahead, findings);
        }
    }
}

fn clock(subject: &Subject, ahead: f64, findings: &mut Findings) {
    let off = ahead.abs();
    if off <= CLOCK_OFF {
        return;
    }
    let kind = match off > CLOCK_FAR_OFF {
        true => Kind::ClockFarOff,
        false => Kind::ClockOff,
    };
    let way = if ahead > 0.0 { "ahead" } else { "behind" };
    let of_whom = match subject {
        Subject::Controller => "of all other machines",
        _ => "of this machine",
    };
    let found = format!("its clock is at least {off:.0} s {way} {of_whom}");
    let remedy = Remedy::new("let NTP keep it: net-misc/chrony or systemd-timesyncd");
    findings.add(kind, subject, found, remedy);
}

fn system(subject: &Subject, facts: &MachineFacts, findings: &mut Findings) {
    if facts.user != 0 {
        findings.add(
            Kind::NotRoot,
            subject,
            format!("the login is as the user with the number {}", facts.user),
            Remedy::new("name root in its address: ssh://root@HOST"),
        );
    }
    if !facts.missing_programs.is_empty() {
        findings.add(
            Kind::ProgramMissing,
            subject,
            format!("not found there: {}", facts.missing_programs.join(" ")),
            Remedy::new(
                "install sys-apps/coreutils, sys-apps/diffutils, sys-apps/findutils, sys-apps/grep, \
                 sys-apps/sed and sys-apps/util-linux there, and app-crypt/gnupg where binaries are signed",
            ),
        );
    }
    for space in &facts.spaces {
        if let Some(free) = space.free_files.filter(|free| *free < FEW_INODES) {
            findings.add(
                Kind::InodesLow,
                subject,
                format!("{} has room for {}", space.folder, counted(free, "file")),
                Remedy::new("remove small files there, or make a file system with more inodes"),
            );
        }
    }
}

fn portage(subject: &Subject, facts: &MachineFacts, findings: &mut Findings) {
    let portage = &facts.portage;
    if let Some(error) = &portage.error {
        findings.add(
            Kind::PortageUnusable,
            subject,
            format!("its Portage does not answer: {error}"),
            Remedy::new("see what it says there").by("emerge --info"),
        );
        return;
    }
    let version = portage.version.as_deref().unwrap_or_default();
    if is_older(version, OLDEST_PORTAGE) {
        findings.add(
            Kind::PortageTooOld,
            subject,
            format!("it has Portage {version}"),
            Remedy::new("bring it to 3.0.30 or later there")
                .by("emerge --oneshot sys-apps/portage"),
        );
    }
    if portage.profile.is_none() {
        findings.add(
            Kind::ProfileInvalid,
            subject,
            "/etc/portage/make.profile leads to no profile",
            Remedy::new("choose one there, when its ebuild repository is there")
                .by("eselect profile list"),
        );
    }
    if !portage.has_feature("binpkg-multi-instance") {
        findings.add(
            Kind::MultiInstanceOff,
            subject,
            "its FEATURES lack binpkg-multi-instance",
            Remedy::new(
                "remove -binpkg-multi-instance from FEATURES in /etc/portage/make.conf there; it is \
                 Portage's default",
            ),
        );
    }
}

/// Whether a version is an older one than that. What is no version is none.
pub(super) fn is_older(version: &str, than: [u64; 3]) -> bool {
    let mut parts = version.split(['.', '-', '_', '+']).map(str::parse::<u64>);
    let mut next = || parts.next().and_then(Result::ok);
    let Some(first) = next() else { return false };
    [first, next().unwrap_or(0), next().unwrap_or(0)] < than
}

fn left_behind(subject: &Subject, facts: &MachineFacts, findings: &mut Findings) {
    if let Some(first) = facts.emerges.first() {
        findings.add(
            Kind::EmergeRunning,
            subject,
            format!("an emerge runs there: {first}"),
            Remedy::new("wait until it has ended, unless a run of gentoo-updater started it"),
        );
    } else if !facts.half_merged.is_empty() {
        // While an emerge runs that is how an installation looks.
        let names: Vec<&str> = facts.half_merged.iter().map(String::as_str).collect();
        let remedy = Remedy::new("install what was broken off once more there");
        findings.add(
            Kind::MergeInterrupted,
            subject,
            format!("an installation was broken off: {}", some(&names)),
            // What a machine says becomes a part of a command only as what it has to be.
            match facts
                .half_merged
                .iter()
                .find_map(|name| name.parse::<Cpv>().ok())
            {
                Some(cpv) => remedy.by(format!("emerge --oneshot ={cpv}")),
                None => remedy,
            },
        );
    }
    if facts.pending_configuration > 0 {
        findings.add(
            Kind::ConfigurationPending,
            subject,
            format!(
                "{} (._cfg*)",
                counted(facts.pending_configuration, "new configuration file")
            ),
            Remedy::new("merge them there").by("dispatch-conf"),
        );
    }
}

/// The first of many, and how many more there are.
pub(super) fn some(names: &[&str]) -> String {
    let first = names[..names.len().min(NAMED)].join(", ");
    match names.len().checked_sub(NAMED) {
        None | Some(0) => first,
        Some(more) => format!("{first} and {more} more"),
    }
}

/// The machines that answered.
pub(super) fn answered(facts: &Facts) -> impl Iterator<Item = (&Subject, &Examined)> {
    let machines = facts.machines.iter();
    machines.filter_map(|(subject, answer)| Some((subject, answer.as_ref().ok()?)))
}

#[cfg(test)]
#[path = "machines_tests.rs"]
mod tests;
