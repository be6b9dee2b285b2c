//! What an administrator can set.

/// The settings of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settings {
    /// As the lab made it.
    Plain,
    /// Everything that could get in the way.
    Hostile,
}

/// Options that ask, fetch, pack, exclude, hide, or print otherwise; and none is finished.
const MAKE_CONF: &str = r#"
EMERGE_DEFAULT_OPTS="--ask --alert --quiet --columns --color=y --jobs=4 --load-average=9
    --keep-going=n --buildpkg --usepkg --getbinpkg --with-bdeps=y --autounmask-write --deselect
    --verbose-conflicts --complete-graph --noconfmem --exclude=dev-libs/libalpha --rebuilt-binaries
    --exclude 'dev-libs/slotted"
FEATURES="${FEATURES} getbinpkg buildpkg buildsyspkg unmerge-backup downgrade-backup candy
    parallel-install keepwork keeptemp noclean -fail-clean -binpkg-multi-instance
    -pkgdir-index-trusted"
PORTAGE_BINHOST="http://127.0.0.1:9/nothing-listens-here"
CLEAN_DELAY="2"
EMERGE_WARNING_DELAY="2"
AUTOCLEAN="yes"
INTERACTIVE="1"
LC_ALL="de_DE.UTF-8"
LANG="de_DE.UTF-8"
LANGUAGE="de"
LINGUAS="de fr"
COLUMNS="40"
TERM="xterm-256color"
NOCOLOR="false"
NO_COLOR=""
PORTAGE_ELOG_SYSTEM="echo save"
PORTAGE_ELOG_CLASSES="info warn error log qa"
PORTAGE_NICENESS="5"
"#;

/// What a start-up file of Portage prints in every phase. What it prints while metadata is read
/// gets between the rows of a plan, and no call can keep it from that.
const BASHRC: &str = r#"
[[ ${EBUILD_PHASE} == depend ]] || echo "You are welcome to this phase."
"#;

/// What the shell of a caller could have exported.
const EXPORTS: &str = r#"
export EMERGE_DEFAULT_OPTS="--ask --quiet" FEATURES="test keepwork" USE="doc -fast" ROOT=/nowhere
export PORTAGE_CONFIGROOT=/nowhere PKGDIR=/nowhere LC_ALL=de_DE.UTF-8 LANGUAGE=de TERM=xterm
export COLUMNS=40 ACCEPT_KEYWORDS="~amd64" PORTAGE_BINHOST=http://127.0.0.1:9/ CLEAN_DELAY=2
unset NO_COLOR NOCOLOR
"#;

impl Settings {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::Hostile];

    /// What makes a machine so.
    pub(crate) fn script(self) -> String {
        match self {
            Self::Plain => String::new(),
            Self::Hostile => format!(
                "cat >> /etc/portage/make.conf <<'END'{MAKE_CONF}END\n\
                 cat > /etc/portage/bashrc <<'END'{BASHRC}END\n\
                 echo 'PKG_MERGE = bold red' > /etc/portage/color.map"
            ),
        }
    }

    /// What a caller there has in his environment.
    pub(crate) fn exports(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Hostile => EXPORTS,
        }
    }
}
