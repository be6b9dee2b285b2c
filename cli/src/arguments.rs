//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser};
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_fleet::request::Wishes;
use gentoo_updater_runtime::{CommonArguments, MonitorArguments};

use crate::back::{BisectOptions, RollbackOptions};
use crate::broker::BrokerCommand;
use crate::completions::CompletionsOptions;
use crate::cruft::CruftCommand;
use crate::dashboard::DashboardOptions;
use crate::dead::DeadCommand;
use crate::doctor::DoctorOptions;
use crate::events::EventsOptions;
use crate::hold::{ApproveOptions, HoldOptions};
use crate::man::ManOptions;
use crate::notify::NotifyCommand;
use crate::parse::ParseCommand;
use crate::pause::{PauseOptions, ResumeOptions};
use crate::plan::PlanOptions;
use crate::queue::QueueCommand;
use crate::report::ReportOptions;
use crate::retry::RetryOptions;
use crate::schedule::ScheduleCommand;
use crate::status::StatusOptions;
use crate::store::StoreCommand;
use crate::trace::TraceOptions;
use crate::why::WhyOptions;
use crate::workers::WorkersOptions;

/// Keeps a fleet of Gentoo machines up to date: every package is compiled once, on a builder,
/// and every guest installs the finished binaries
#[derive(Debug, Parser)]
#[command(
    name = "gentoo-updater",
    version,
    after_help = "Examples:\n  \
        gentoo-updater config check            check the configuration\n  \
        gentoo-updater doctor                  look at all that a run depends on\n  \
        gentoo-updater trust web               teach the host keys of guest web\n  \
        gentoo-updater scan                    show what is pending, change nothing\n  \
        gentoo-updater run                     bring every guest up to date\n  \
        gentoo-updater status --watch          what goes on, live\n  \
        gentoo-updater report                  what came of the last run\n  \
        gentoo-updater why openssl             why a package was built and installed, or not\n  \
        gentoo-updater queue list              what waits, and who works on what\n\n\
        A broker that is away is tried again for 60 s; then a command ends with exit code 2. Once it \
        is connected, `run`, `scan` and `events --follow` wait for a broker that goes away, for as \
        long as it takes.\n\n\
        Exit codes: 0 done, and after a run all guests are up to date; 1 a run finished with \
        failures, or what was asked for is not there; 2 could not run; 64 wrong usage or \
        configuration"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: CommonArguments,

    #[command(subcommand)]
    pub(crate) subcommand: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Subcommand {
    /// Bring every guest up to date
    ///
    /// Without a broker all roles run in this process; a run that was interrupted goes on where
    /// it stopped, and a second `run` follows the first. With a broker the run is handed to the
    /// planner and followed to its end.
    #[command(
        after_help = "Examples:\n  gentoo-updater run\n  gentoo-updater run web mail\n  gentoo-updater run --sync\n  gentoo-updater run --json > report.json"
    )]
    Run(RunOptions),

    /// Show what is pending on each guest; change nothing
    ///
    /// A guest on which nothing has changed since it last answered (installed packages, world,
    /// configuration, repositories) is not asked again; --force asks it.
    #[command(
        after_help = "Examples:\n  gentoo-updater scan\n  gentoo-updater scan web --json\n  gentoo-updater scan --force"
    )]
    Scan(RunOptions),

    /// Look after what operators are told without asking: try a way, or show what could not be delivered
    #[command(
        after_help = "Examples:\n  gentoo-updater notify test ops\n  gentoo-updater notify list"
    )]
    Notify {
        #[command(subcommand)]
        command: NotifyCommand,
    },

    /// Begin runs by calendar: what comes, what came of it, what was missed
    #[command(
        after_help = "Examples:\n  gentoo-updater schedule list\n  gentoo-updater schedule serve"
    )]
    Schedule {
        #[command(subcommand)]
        command: ScheduleCommand,
    },

    /// Show the fleet at one glance: what goes on, what waits, what failed and what to do
    ///
    /// The runs that go on with their guests and when they are expected to end, what is built where,
    /// what waits for what, and each failure with its cause and the next step. It fits one screen and
    /// says what it leaves out; `gentoo-updater report` leaves nothing out.
    #[command(
        after_help = "Examples:\n  gentoo-updater status\n  gentoo-updater status --watch\n  gentoo-updater status --json | jq '.failures[] | {subject, cause, next_step}'"
    )]
    Status(StatusOptions),

    /// Look at everything that a run depends on, and say what mends what is wrong
    ///
    /// Configuration, broker, stores, ebuild trees, builders and guests are looked at side by side, each
    /// within a limit of time, and nothing is changed. An error is something over which a run fails or
    /// leaves something out; a warning, what works for now; a note, what has to be known. On builders it
    /// does what their workers do before they take work: it writes a file to the store and removes it,
    /// compiles a program of two lines, and makes a clean room.
    #[command(
        after_help = "Examples:\n  gentoo-updater doctor\n  gentoo-updater doctor web fast\n  gentoo-updater doctor --only stores --only trees\n  gentoo-updater doctor --json | jq '.findings[] | select(.severity == \"error\")'\n\nExit codes: 0 no errors; 1 errors were found; 2 could not run; 64 wrong usage or configuration. What each kind of finding means: docs/reference/doctor.md"
    )]
    Doctor(DoctorOptions),

    /// Write the report of a run: what came of each guest, package, builder and store
    ///
    /// Each failure is told with its cause, the end of its log and the next step. As text, Markdown,
    /// JSON, or one HTML page that needs nothing else.
    #[command(
        after_help = "Examples:\n  gentoo-updater report\n  gentoo-updater report --guest web\n  gentoo-updater report 8aee16bc3b6f --format html > report.html\n  gentoo-updater report --format markdown\n  gentoo-updater report --json | jq '.guests[] | select(.failure) | .failure.cause'"
    )]
    Report(ReportOptions),

    /// Tell why a package was built and installed, or was not
    ///
    /// The whole chain: why it is in the plan of a guest, the job with its build key and what tells it
    /// from other jobs of the package, the attempts and their builders, the binary, and what became of it
    /// on each guest. Where something was not built or installed, the cause and the next step. It is the
    /// newest run that was about the package, or the one that is named.
    #[command(
        after_help = "Examples:\n  gentoo-updater why openssl\n  gentoo-updater why dev-libs/openssl --guest web\n  gentoo-updater why '>=dev-libs/openssl-3.5' --run 8aee16bc3b6f --json\n\nThe first call reads the whole history and keeps an index of it in the state directory, which is a cache: whoever deletes it loses nothing.\n\nExit codes: 0 told; 1 no run was about the package; 2 it could not be told; 64 the name is none, or may be several packages"
    )]
    Why(WhyOptions),

    /// Show the fleet in a browser
    ///
    /// Pages of the guests, of what is built in which order and of its logs, of builders, queues and dead
    /// letters, and of former runs, which change while one looks at them. They are read-only unless
    /// --token-file is given. A certificate that was renewed is read at SIGHUP.
    #[command(
        after_help = "Examples:\n  gentoo-updater dashboard\n  gentoo-updater dashboard --token-file /etc/gentoo-updater/token\n  gentoo-updater dashboard --listen 0.0.0.0:8443 --certificate fleet.pem --key fleet.key --name fleet.example.org"
    )]
    Dashboard(DashboardOptions),

    /// Show the batch of a run: what is built in which order, and what stands in the way
    ///
    /// The longest remaining path comes first. EXPECTED is how long a job takes or took; a guess,
    /// for what neither the fleet nor a builder's log knows, has a question mark. PATH is the time
    /// from the start of a job to the end of the longest chain of jobs behind it, with any number of
    /// builders.
    #[command(
        after_help = "Examples:\n  gentoo-updater plan\n  gentoo-updater plan 8aee16bc3b6f --json\n  gentoo-updater plan --graph | dot -Tsvg > plan.svg"
    )]
    Plan(PlanOptions),

    /// Show where the time of a run went: its phases, its work, and what lay in queues meanwhile
    ///
    /// A bar shows from when to when: `#` work, `.` waiting in a queue, `x` what failed or was lost.
    /// Times are by the clocks of those who said so. The trace has the id of the run without its
    /// hyphens; log lines carry it as `trace_id`.
    #[command(
        after_help = "Examples:\n  gentoo-updater trace\n  gentoo-updater trace 8aee16bc3b6f --json\n  gentoo-updater trace --format otlp-json > trace.json"
    )]
    Trace(TraceOptions),

    /// Try again what failed for good: a job or all of a run
    ///
    /// While a run goes on, a job that failed gets fresh attempts, and what was held back for it
    /// goes on; guests that were updated without it meanwhile get it in a further round. Of a run
    /// that is over, a further run is started of those guests that did not get all they wanted;
    /// what is built already is found in the store.
    #[command(
        after_help = "Examples:\n  gentoo-updater retry\n  gentoo-updater retry dev-libs/foo\n  gentoo-updater retry '=dev-libs/foo-1.2'\n  gentoo-updater retry 3f9ac0de12ab --wait\n  gentoo-updater retry 8aee16bc3b6f --json\n\nExit codes: 0 said, or there is nothing to retry; 1 there is no such job or run, or with --wait the run ended with failures; 2 could not be said, or the run is about to end; 64 the name is none, or may be several jobs"
    )]
    Retry(RetryOptions),

    /// Print the events of the history, oldest first
    ///
    /// Times are in UTC. Each event has its number in the history and its sender. Filters narrow
    /// the events together.
    #[command(
        after_help = "Examples:\n  gentoo-updater events --since 2h\n  gentoo-updater events --follow --json\n  gentoo-updater events --run 8aee16bc3b6f --guest web\n  gentoo-updater events --package '>=dev-libs/openssl-3' --kind PackageBuilt --kind BuildFailed"
    )]
    Events(EventsOptions),

    /// Look into the queues: what waits, and who works on what
    #[command(
        after_help = "Examples:\n  gentoo-updater queue list\n  gentoo-updater queue peek build.amd64"
    )]
    Queue {
        #[command(subcommand)]
        command: QueueCommand,
    },

    /// Look at messages that could not be used, and put them back or delete them
    ///
    /// What cannot be decoded or is refused is never thrown away: it becomes a dead letter, with
    /// its cause and as it was.
    #[command(
        after_help = "Examples:\n  gentoo-updater dead list\n  gentoo-updater dead show 3f9a\n  gentoo-updater dead retry 3f9a"
    )]
    Dead {
        #[command(subcommand)]
        command: DeadCommand,
    },

    /// Show the workers: who is alive, who works on what, who is paused and why
    ///
    /// Workers say every few seconds that they live, so this listens for a while before it
    /// answers. Who is not heard and has registered once is shown as silent.
    #[command(
        after_help = "Examples:\n  gentoo-updater workers\n  gentoo-updater workers --wait 30\n  gentoo-updater workers --json | jq '.workers[] | select(.state == \"busy\")'"
    )]
    Workers(WorkersOptions),

    /// Look after the stores: what lies in them, what of it nobody needs any more, and serve them
    #[command(
        after_help = "Examples:\n  gentoo-updater store status\n  gentoo-updater store gc --dry-run\n  gentoo-updater store gc\n  gentoo-updater store serve --certificate store.pem --key store.key"
    )]
    Store {
        #[command(subcommand)]
        command: StoreCommand,
    },

    /// Look after files that builds left on builders beside packages: the janitor archives them
    ///
    /// Configuration, init scripts, folders of services, and what was written at run time, where a
    /// builder builds on the machine itself (policy.cruft). Clean rooms leave nothing.
    #[command(
        after_help = "Examples:\n  gentoo-updater cruft list\n  gentoo-updater cruft restore 8aee16bc3b6f /etc/foo/foo.conf\n  gentoo-updater cruft purge --older 30d"
    )]
    Cruft {
        #[command(subcommand)]
        command: CruftCommand,
    },

    /// Let a worker, or all workers of a role, take no new work
    ///
    /// What is begun goes on to its end. The pause holds until `resume`, over restarts too. Who is
    /// paused already takes the new reason over, where one is given.
    #[command(
        after_help = "Examples:\n  gentoo-updater pause builder@fast --reason 'new disks'\n  gentoo-updater pause installer"
    )]
    Pause(PauseOptions),

    /// Let a worker, or all workers of a role, take work again
    ///
    /// A worker stays paused while its role is. Who resumes a role resumes each of its workers.
    #[command(
        after_help = "Examples:\n  gentoo-updater resume builder@fast\n  gentoo-updater resume installer"
    )]
    Resume(ResumeOptions),

    /// Let nothing more be installed of a run, a wave, a guest or a package; or list what is held
    ///
    /// What is begun goes on to its end. It holds until `approve`, over restarts and further runs too;
    /// that of a run ends with the run.
    #[command(
        after_help = "Examples:\n  gentoo-updater hold\n  gentoo-updater hold wave others --reason 'the canary looks odd'\n  gentoo-updater hold package '>=dev-libs/openssl-3.5'\n  gentoo-updater hold guest db\n  gentoo-updater hold run 8aee16bc3b6f"
    )]
    Hold(HoldOptions),

    /// Let go on what is held, or what waits for an approval
    ///
    /// Who approves a run approves all its waves.
    #[command(
        after_help = "Examples:\n  gentoo-updater approve wave others\n  gentoo-updater approve package dev-libs/openssl\n  gentoo-updater approve run 8aee16bc3b6f"
    )]
    Approve(ApproveOptions),

    /// Put a guest back to what it had before a run
    ///
    /// Version, repository, USE and build of each package are what they were, from the store or from what
    /// was kept on the guest before the update; edited configuration stays as it is. All of it is proven
    /// in the end. What the run had brought is held for all guests until it is approved.
    #[command(
        after_help = "Examples:\n  gentoo-updater rollback web\n  gentoo-updater rollback web --run 8aee16bc3b6f --json\n\nExit codes: 0 the guest has what it had; 1 it has, and a check of it fails all the same, or it has kept nothing of such a run; 2 it could not be put back, with what differs; 64 there is no such guest"
    )]
    Rollback(RollbackOptions),

    /// Find the package of an update that breaks something, by halves
    ///
    /// Half of the update is installed on the guest, the check says whether all is well, and so on, until
    /// one package is left. Packages that only go together stay together. In the end the guest has what
    /// it had before the update, what is to blame is held for all guests, and the rest of the update may
    /// come again. Interrupted in the middle, `rollback` puts the guest back.
    #[command(
        after_help = "Examples:\n  gentoo-updater bisect web --check page\n  gentoo-updater bisect web --check 'rc-service -q nginx restart && curl -fs http://127.0.0.1/health'\n  gentoo-updater bisect web --check 'php -m | grep -q intl' --run 8aee16bc3b6f --json\n\nExit codes: 0 found; 1 the update is not to blame, or the guest has kept nothing of such a run; 2 the search could not be carried out; 64 wrong usage"
    )]
    Bisect(BisectOptions),

    /// Show the host keys of a machine and, when you agree, trust them from now on
    #[command(
        after_help = "Examples:\n  gentoo-updater trust web\n  gentoo-updater trust ssh://root@10.0.0.7:2222\n\nCompare the fingerprints with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints on the machine itself."
    )]
    Trust(TrustOptions),

    /// Read a text of Portage as the scanner does, and print what it means
    ///
    /// For the day when the output of a guest is not understood, and for bug reports. Needs no
    /// configuration. What is not understood is named on standard error, with its line.
    #[command(after_help = "Examples:\n  \
            gentoo-updater parse plan --stdout plan.out --stderr plan.err --status 1\n  \
            gentoo-updater parse index /var/cache/binpkgs/Packages\n  \
            gentoo-updater parse depend 'ssl? ( dev-libs/openssl:= )' --use ssl\n  \
            gentoo-updater parse version 1.0_rc1 1.0\n\n\
            Exit codes: 0 understood; 1 not understood; 2 could not be read; 64 wrong usage \
            or no such file")]
    Parse {
        #[command(subcommand)]
        command: ParseCommand,
    },

    /// Make users of the broker, one for each role and each guest
    #[command(after_help = "Examples:\n  \
            gentoo-updater broker setup --output /root/broker\n  \
            gentoo-updater broker permissions")]
    Broker {
        #[command(subcommand)]
        command: BrokerCommand,
    },

    /// Look after the configuration
    #[command(after_help = "Examples:\n  gentoo-updater config check --config fleet.toml")]
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },

    /// Write the manual pages of all programs into a folder
    #[command(after_help = "Example:\n  gentoo-updater man /usr/share/man/man1")]
    Man(ManOptions),

    /// Write what a shell needs to complete the command lines of all programs
    #[command(after_help = "Examples:\n  \
            gentoo-updater completions bash /usr/share/bash-completion/completions\n  \
            gentoo-updater completions zsh /usr/share/zsh/site-functions\n  \
            gentoo-updater completions fish /usr/share/fish/vendor_completions.d")]
    Completions(CompletionsOptions),
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration and say what it means
    #[command(after_help = "Examples:\n  gentoo-updater config check --config fleet.toml")]
    Check,
}

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// Only these guests; all without any
    #[arg(value_name = "GUEST")]
    pub(crate) guests: Vec<GuestName>,

    /// Ask guests anew on which nothing has changed since they last answered
    #[arg(long)]
    pub(crate) force: bool,

    /// Bring the ebuild repositories of builders and guests up to date first
    #[arg(long, overrides_with = "no_sync")]
    pub(crate) sync: bool,

    /// Leave them as they are, whatever policy.sync says
    #[arg(long)]
    pub(crate) no_sync: bool,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) monitor: MonitorArguments,
}

impl RunOptions {
    /// What is wished of the run.
    pub(crate) fn wishes(&self) -> Wishes {
        Wishes {
            guests: self.guests.clone(),
            force: self.force,
            sync: (self.sync || self.no_sync).then_some(!self.no_sync),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct TrustOptions {
    /// A guest or builder of the configuration, or an address such as ssh://root@web:22
    #[arg(
        value_name = "HOST",
        required_unless_present = "ca",
        conflicts_with = "ca"
    )]
    pub(crate) host: Option<String>,

    /// The public key of an authority instead, which signs the certificates of host keys
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// The machines that the authority may vouch for, as in *.example.net,!old.example.net
    #[arg(long, value_name = "PATTERNS", default_value = "*", requires = "ca")]
    pub(crate) hosts: String,

    /// Do not ask; only where the way to the machine cannot be tampered with
    #[arg(long)]
    pub(crate) yes: bool,

    /// The machine was set up anew: remove its other keys
    ///
    /// Without it a machine that offers other keys than are known is an occasion to ask, and with
    /// --yes an error.
    #[arg(long, conflicts_with = "ca")]
    pub(crate) replace: bool,
}
