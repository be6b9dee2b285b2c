//! The command line of `parse`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum ParseCommand {
    /// Read what `emerge --pretend --verbose` printed
    #[command(after_help = "Examples:\n  \
            emerge --ignore-default-opts -NDpuv1 @world >plan.out 2>plan.err; echo $?\n  \
            gentoo-updater parse plan --stdout plan.out --stderr plan.err --status 0\n  \
            gentoo-updater parse plan --stdout plan.out --json\n  \
            ssh web emerge --ignore-default-opts -NDpuv1 @world | gentoo-updater parse plan --stdout -\n\n\
            A plan is believed only as a whole: rows, total, exit status and stderr together. \
            Give all of them where you have them.")]
    Plan(PlanOptions),

    /// Read the index Packages of a store of binary packages
    #[command(after_help = "Examples:\n  \
            gentoo-updater parse index /var/cache/binpkgs/Packages\n  \
            zcat Packages.gz | gentoo-updater parse index - --json")]
    Index(IndexOptions),

    /// Read a dependency string, as in DEPEND and RDEPEND of an ebuild
    #[command(after_help = "Examples:\n  \
            gentoo-updater parse depend 'ssl? ( dev-libs/openssl:= ) || ( a/b c/d )'\n  \
            gentoo-updater parse depend 'ssl? ( dev-libs/openssl:= )' --use 'ssl -doc'\n  \
            gentoo-updater parse depend /var/db/pkg/app-misc/hello-2.0/RDEPEND --use '' --json")]
    Depend(DependOptions),

    /// Compare two versions as Portage does
    #[command(after_help = "Examples:\n  \
            gentoo-updater parse version 1.0_rc1 1.0     prints 1.0_rc1 < 1.0\n  \
            gentoo-updater parse version 1.0 1.0-r0      prints 1.0 = 1.0-r0")]
    Version(VersionOptions),
}

#[derive(Debug, Args)]
pub(crate) struct PlanOptions {
    /// What emerge wrote to standard output; - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) stdout: PathBuf,

    /// What emerge wrote to standard error; - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) stderr: Option<PathBuf>,

    /// The exit status of emerge
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(crate) status: i32,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct IndexOptions {
    /// The index; - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DependOptions {
    /// The dependency string, or a file that holds one; - for standard input
    #[arg(value_name = "STRING|FILE")]
    pub(crate) text: String,

    /// Evaluate the conditions with these flags enabled, and all others disabled
    #[arg(long = "use", value_name = "FLAGS", allow_hyphen_values = true)]
    pub(crate) flags: Option<Vec<String>>,

    /// Print JSON instead of a tree
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VersionOptions {
    /// A version, such as 1.2.3b_rc4_p5-r6
    #[arg(value_name = "A")]
    pub(crate) left: String,

    /// The version to compare it with
    #[arg(value_name = "B")]
    pub(crate) right: String,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
