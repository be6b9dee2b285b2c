//! The JSON document that a guest answers with.

use std::collections::BTreeMap;

use gentoo_updater_portage::build_key::{HexDigest, Kernel};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::{RepositoryName, SlotAndSubslot, UseFlag};
use gentoo_updater_runtime::repositories::Repository;
use serde::Deserialize;

/// The version of the document's form that this program reads.
pub(crate) const FORMAT: u32 = 1;

/// Everything that a guest says of itself in one pass.
#[derive(Debug, Clone, Deserialize)]
pub struct Document {
    /// The version of its form.
    pub format: u32,
    /// Why Portage's API could not be used at all.
    #[serde(default)]
    pub error: Option<String>,
    /// The version of Portage.
    #[serde(default)]
    pub portage_version: String,
    /// CHOST, ARCH, CFLAGS and their like.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The profile.
    #[serde(default)]
    pub profile: Option<String>,
    /// The ebuild repositories that the configuration names.
    #[serde(default)]
    pub repositories: Vec<Repository>,
    /// The atoms of the world file and of the system set.
    #[serde(default)]
    pub world: Vec<String>,
    /// The kernel that modules are built for.
    #[serde(default)]
    pub kernel: Option<Kernel>,
    /// Everything installed.
    #[serde(default)]
    pub installed: Vec<Installed>,
    /// The metadata of what the plan names, by `category/package-version::repository`.
    #[serde(default)]
    pub metadata: BTreeMap<String, Metadata>,
    /// What Portage's API could not tell, and what is therefore missing in this document.
    #[serde(default)]
    pub problems: Vec<String>,
    /// What emerge said.
    #[serde(default)]
    pub plan: Option<Output>,
    /// What this answer depends on.
    #[serde(default)]
    pub watch: Vec<String>,
    /// What that looked like before anything was read; absent where the machine cannot say.
    #[serde(default)]
    pub fingerprint: Option<HexDigest>,
    /// Why nobody can tell what this answer depends on.
    #[serde(default)]
    pub unwatched: Option<String>,
}

/// One installed package.
#[derive(Debug, Clone, Deserialize)]
pub struct Installed {
    /// Package and version.
    pub cpv: Cpv,
    /// Slot and subslot.
    pub slot: SlotAndSubslot,
    /// Where it came from.
    #[serde(default)]
    pub repository: Option<RepositoryName>,
    /// The number of its binary.
    #[serde(default)]
    pub build_id: Option<u32>,
    /// The atoms of its dependencies that were bound to a subslot when it was built.
    #[serde(default)]
    pub bindings: Vec<String>,
}

/// What an ebuild says of itself, and what Portage makes of it on this guest.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    /// The flags of its IUSE, without the signs of their defaults.
    #[serde(default)]
    pub iuse: Vec<UseFlag>,
    /// Every flag that is on for it, hidden ones such as `kernel_linux` included.
    #[serde(rename = "use", default)]
    pub enabled: Vec<UseFlag>,
    /// DEPEND.
    #[serde(default)]
    pub depend: String,
    /// BDEPEND.
    #[serde(default)]
    pub bdepend: String,
    /// RDEPEND.
    #[serde(default)]
    pub rdepend: String,
    /// PDEPEND.
    #[serde(default)]
    pub pdepend: String,
    /// IDEPEND.
    #[serde(default)]
    pub idepend: String,
    /// SHA-256 over the ebuild and its eclasses.
    pub ebuild_digest: HexDigest,
    /// SHA-256 over the package.env and user patches that apply to it; absent without any.
    #[serde(default)]
    pub environment_digest: Option<HexDigest>,
    /// Whether it builds modules for the machine's kernel.
    #[serde(default)]
    pub builds_modules: bool,
}

/// What a command printed.
#[derive(Debug, Clone, Deserialize)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Its exit code.
    pub status: i32,
}
