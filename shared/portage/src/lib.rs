//! Portage's world, read strictly: names, versions, atoms, dependency strings, command lines, and
//! the texts that emerge prints.
//!
//! The crate does no I/O and knows no clock; it turns text into values and values into text.
//!
//! **Invariants.** What cannot be understood is an error that carries the offending text: no
//! parser here skips what it does not know and returns a shorter list. A value of one of these
//! types holds only what the Package Manager Specification (PMS) permits, so it can be put on a
//! command line; nothing else can. No input makes a parser panic, or takes more than linear time.
//!
//! # Names and versions
//!
//! [`name`], [`cpv`] and [`version`] are PMS chapter 3. Versions are ordered as Portage orders them.
//!
//! ```
//! use gentoo_updater_portage::{cpv::Cpv, name::CategoryPackage, version::Version};
//!
//! let cpv: Cpv = "app-misc/hello-1.10_rc2-r1".parse()?;
//! assert_eq!(cpv.category_package, "app-misc/hello".parse::<CategoryPackage>()?);
//! assert!(cpv.version > "1.9".parse::<Version>()?);
//! assert!("app-misc/hello-1;reboot".parse::<Cpv>().is_err());
//! # Ok::<(), gentoo_updater_portage::name::NameError>(())
//! ```
//!
//! # Atoms and dependency strings
//!
//! [`atom`] and [`dependency`] are PMS chapter 8.
//!
//! ```
//! use gentoo_updater_portage::dependency::Dependency;
//!
//! let rdepend: Dependency = "ssl? ( dev-libs/openssl:= ) !<app-misc/old-2".parse()?;
//! let atoms = rdepend.atoms(|flag| flag.as_str() == "ssl");
//! assert_eq!(atoms[0].to_string(), "dev-libs/openssl:=");
//! assert!(rdepend.atoms(|_| false).is_empty());
//! # Ok::<(), gentoo_updater_portage::dependency::DependencyError>(())
//! ```
//!
//! # What emerge would do
//!
//! [`plan`] reads `emerge --pretend --verbose`: all of it, or an error.
//!
//! ```
//! use gentoo_updater_portage::plan::{self, RowKind};
//!
//! let stdout = "\
//! Calculating dependencies... done!
//!
//! [ebuild     U  ] dev-libs/libalpha-2.0:0/2::gentoo [1.0:0/1::gentoo] USE=\"-static-libs\" 12 KiB
//!
//! Total: 1 package (1 upgrade), Size of downloads: 12 KiB
//! ";
//! let plan = plan::parse(stdout, "", 0)?;
//! assert_eq!(plan.rows[0].kind, RowKind::Ebuild);
//! assert_eq!(plan.rows[0].previous[0].version.as_str(), "1.0");
//!
//! // Half of an output is no shorter plan.
//! let cut = &stdout[..stdout.len() / 2];
//! assert!(plan::parse(cut, "", 0).is_err());
//! # Ok::<(), plan::PlanError>(())
//! ```
//!
//! # What emerge did
//!
//! [`outcome`] says why a run failed, [`depclean`] what was removed, and [`emerge_log`] how long each
//! package took.
//!
//! ```
//! use gentoo_updater_portage::outcome::{self, FailureKind};
//!
//! let outcome = outcome::parse("write error: No space left on device\n", 1);
//! assert_eq!(outcome.kind, FailureKind::DiskFull);
//! ```
//!
//! # What a store holds
//!
//! [`packages_index`] reads the index `Packages` as it arrives, or as a whole; [`md5_cache`] the
//! metadata of an ebuild, and [`envvar`] the settings of a machine.
//!
//! ```
//! use gentoo_updater_portage::packages_index::PackagesIndex;
//!
//! let text = "PACKAGES: 1\nTIMESTAMP: 5\nVERSION: 0\n\nCPV: app-misc/hello-2.0\nSIZE: 9\n\n";
//! let index = PackagesIndex::parse(text)?;
//! assert_eq!(index.entries[0].cpv.to_string(), "app-misc/hello-2.0");
//! # Ok::<(), gentoo_updater_portage::packages_index::IndexError>(())
//! ```
//!
//! # Which binary serves whom
//!
//! [`build_key`] holds all that a binary depends on within one platform.
//!
//! ```
//! use gentoo_updater_portage::build_key::BuildKey;
//!
//! let web: BuildKey = serde_json::from_str(r#"{
//!     "cpv": "app-misc/hello-2.0", "slot": "0", "repository": "gentoo",
//!     "ebuild_digest": "5d41402abc4b2a76b9719d911017c592",
//!     "use_flags": {"ssl": false}, "bindings": {"dev-libs/libalpha:0": "0/2"},
//!     "environment_digest": null
//! }"#)?;
//! let mut mail = web.clone();
//! mail.use_flags.insert("ssl".parse()?, true);
//! assert_ne!(web.digest(), mail.digest());
//! assert_eq!(web.difference(&mail)[0].to_string(), "USE -ssl against ssl");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Command lines
//!
//! [`command`] builds every call of Portage's programs, as arguments and environment.
//!
//! ```
//! use gentoo_updater_portage::command;
//!
//! let call = command::portageq_match(&">=app-misc/hello-2".parse()?);
//! assert_eq!(call.argv, ["portageq", "match", "/", ">=app-misc/hello-2"]);
//! # Ok::<(), gentoo_updater_portage::atom::AtomError>(())
//! ```

pub mod atom;
pub mod build_key;
pub mod command;
pub mod compact;
pub mod cpv;
pub mod depclean;
pub mod dependency;
pub mod emerge_log;
pub mod envvar;
pub mod md5_cache;
pub mod name;
pub mod outcome;
pub mod packages_index;
pub mod plan;
pub mod preserved_libs;
pub mod text;
pub mod version;
