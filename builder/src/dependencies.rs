//! The dependencies of a job that come from the store.

use gentoo_updater_fleet::message::{Binary, Failure, FailureClass};
use gentoo_updater_hosts::Host;
use gentoo_updater_portage::cpv::{Cpv, ExactPackage};
use gentoo_updater_runtime::vdb;

use crate::store::Store;

/// Those that the machine does not have as exactly these binaries, in the same order.
pub(crate) async fn missing<'a>(
    host: &dyn Host,
    dependencies: &'a [Binary],
) -> Result<Vec<&'a Binary>, Failure> {
    let installed = vdb::installed(host).await?;
    let is_missing = |binary: &&Binary| {
        let build = installed.get(&binary.cpv);
        !build.is_some_and(|build| build.is(binary))
    };
    Ok(dependencies.iter().filter(is_missing).collect())
}

/// As emerge is told of them.
pub(crate) fn exact(binaries: &[&Binary]) -> Vec<ExactPackage> {
    let exact = binaries.iter().map(|binary| ExactPackage {
        cpv: binary.cpv.clone(),
        build_id: Some(binary.build_id),
    });
    exact.collect()
}

/// Sees to it that these binaries are what they were stored as. A builder writes to the store, so an
/// emerge that comes upon another content renames the file away under everybody.
///
/// # Errors
/// The first that is not. It may come yet, since shares such as NFS show new files late; and if it
/// does not, whoever looks it up for its own job builds it again.
pub(crate) async fn check(store: &Store, binaries: &[&Binary], of: &Cpv) -> Result<(), Failure> {
    for binary in binaries {
        if let Some(wrong) = store.what_is_wrong_with(binary).await? {
            let message = format!(
                "{} in the store, which {of} needs, was not installed: {}. A further round, or the \
                 next run, builds it again",
                binary.path,
                wrong.words()
            );
            let class = FailureClass::Transient;
            return Err(Failure::new(class, wrong.cause(), message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
    use tempfile::TempDir;

    use super::*;
    use crate::testing::stored;

    #[tokio::test]
    async fn a_dependency_that_is_not_what_it_was_stored_as_is_named_before_emerge_comes_upon_it() {
        let folder = TempDir::new().unwrap();
        let address = HostAddress::Local;
        let host = connect(&address, &SshSettings::default()).await.unwrap();
        let store = Store::new(host, folder.path().to_owned());
        let binary = stored(folder.path(), "dev-libs/a-1", "as it was stored");
        let path = binary.path.below(folder.path());
        let of: Cpv = "app-misc/b-1".parse().unwrap();
        check(&store, &[&binary], &of).await.unwrap();
        for (content, cause, words) in [
            (Some("as it was spoilt"), "BinaryCorrupt", "other content"),
            (Some("shorter"), "BinaryCorrupt", "another size"),
            (None, "StoreLacksBinary", "gone"),
        ] {
            match content {
                Some(content) => fs::write(&path, content).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let failure = check(&store, &[&binary], &of).await.unwrap_err();
            assert_eq!(failure.cause, cause);
            assert!(failure.is_of_stored_binary() && !failure.is_of_machine());
            for words in [binary.path.as_str(), "app-misc/b-1", words] {
                assert!(failure.message.contains(words), "{}", failure.message);
            }
        }
    }
}
