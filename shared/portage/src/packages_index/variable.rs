//! The variables of an entry that Portage writes.

/// Makes the enum of the variables that Portage writes, from their names in the file.
macro_rules! variables {
    ($($variant:ident $name:literal $(or $internal:literal)?,)*) => {
        #[derive(Clone, Copy)]
        pub(super) enum Variable { $($variant,)* }

        /// By [`Variable`].
        pub(super) const VARIABLE_NAMES: &[&str] = &[$($name,)*];

        impl Variable {
            pub(super) fn of(name: &str) -> Option<Self> {
                Some(match name {
                    $($name $(| $internal)? => Self::$variant,)*
                    _ => return None,
                })
            }

            /// The name in the file.
            pub(super) fn name(self) -> &'static str {
                VARIABLE_NAMES[self as usize]
            }
        }
    };
}

// The second names are those that Portage translates when it writes, and accepts when it reads.
variables! {
    BaseUri "BASE_URI", Bdepend "BDEPEND", BuildId "BUILD_ID", BuildTime "BUILD_TIME",
    Chost "CHOST", Cpv "CPV", DefinedPhases "DEFINED_PHASES", Depend "DEPEND",
    Description "DESC" or "DESCRIPTION", Eapi "EAPI", Idepend "IDEPEND", Iuse "IUSE",
    Keywords "KEYWORDS", License "LICENSE", Md5 "MD5", Mtime "MTIME" or "_mtime_", Path "PATH",
    Pdepend "PDEPEND", Properties "PROPERTIES", Provides "PROVIDES", Rdepend "RDEPEND",
    Repository "REPO" or "repository", Requires "REQUIRES", Restrict "RESTRICT", Sha1 "SHA1",
    Size "SIZE", Slot "SLOT", Use "USE", UserPatches "USER_PATCHES",
}

pub(super) const VARIABLES: usize = VARIABLE_NAMES.len();
// One bit each.
const _: () = assert!(VARIABLES <= 32);
