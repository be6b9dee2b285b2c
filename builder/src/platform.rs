//! As what the builder's machine compiles.

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_portage::build_key::{Platform, PlatformError};

/// What binaries of a machine with these variables are made for.
///
/// # Errors
/// A failure of the machine when they name no platform: nobody could say on which guests its
/// binaries run.
pub(crate) fn of_machine<'a>(
    value_of: impl Fn(&'static str) -> Option<&'a str>,
    builder: &BuilderName,
) -> Result<Platform, Failure> {
    Platform::from_variables(value_of, [].into()).map_err(|error| {
        let cause = match error {
            PlatformError::Native { .. } => "NativeCompilerFlags",
            _ => "PlatformNotUnderstood",
        };
        let message = format!("/etc/portage/make.conf of builder {builder}: {error}");
        Failure::new(FailureClass::Machine, cause, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builder_that_compiles_for_itself_alone_is_unfit_with_the_remedy() {
        let builder = "fast".parse().unwrap();
        let cflags = |cflags| {
            move |name| match name {
                "CHOST" => Some("x86_64-pc-linux-gnu"),
                "ARCH" => Some("amd64"),
                "CFLAGS" => Some(cflags),
                _ => None,
            }
        };
        let failure = of_machine(cflags("-O2 -march=native"), &builder).unwrap_err();
        assert_eq!(failure.cause, "NativeCompilerFlags");
        assert!(failure.is_of_machine());
        for words in [
            "builder fast",
            "CFLAGS is",
            "gcc -march=native -Q --help=target",
        ] {
            assert!(failure.message.contains(words), "{failure}");
        }
        assert!(of_machine(cflags("-O2 -march=x86-64-v3"), &builder).is_ok());
        let failure = of_machine(|_| None, &builder).unwrap_err();
        assert_eq!(failure.cause, "PlatformNotUnderstood");
        assert!(failure.message.contains("CHOST is not set"), "{failure}");
    }
}
