//! Removing what jobs have left.

use std::fs;

use gentoo_updater_hosts::job::{JobError, Left, remove_left};

use crate::machine::{Machine, exists, finish};

const WAITS: &str = r#": >"$1/begun"; until [ -e "$1/go" ]; do sleep 0.05; done"#;

#[tokio::test]
async fn what_a_job_left_stays_while_one_of_its_kind_runs() {
    for machine in Machine::both().await {
        let folder = machine.path("work of run-7");
        fs::create_dir_all(format!("{folder}/deep")).unwrap();
        fs::write(format!("{folder}/deep/file"), "").unwrap();
        let paths = [folder.clone().into(), machine.path("not there").into()];
        let job = machine.start(&machine.spec("build-run-7-a", WAITS)).await;
        exists(&machine.path("begun")).await;
        let spool = machine.spool();
        let remove = async |word: &str, paths: &[std::path::PathBuf]| {
            remove_left(machine.host.as_ref(), &spool, word, paths).await
        };
        assert_eq!(remove("run-7", &paths).await.unwrap(), Left::InUse);
        assert!(fs::exists(format!("{folder}/deep/file")).unwrap());
        let of_another = [machine.path("go").into()];
        fs::write(machine.path("go"), "").unwrap();
        finish(job).await;
        assert_eq!(remove("run-8", &of_another).await.unwrap(), Left::Removed);
        assert!(!fs::exists(machine.path("go")).unwrap());
        // What an end in the middle had put aside is in nobody's way.
        fs::create_dir(format!("{folder}.left")).unwrap();
        assert_eq!(remove("run-7", &paths).await.unwrap(), Left::Removed);
        for gone in [folder.clone(), format!("{folder}.left")] {
            assert!(!fs::exists(gone).unwrap());
        }
        let aside = format!("{folder}.left");
        fs::create_dir(&aside).unwrap();
        assert_eq!(
            remove("run-7", &[aside.clone().into()]).await.unwrap(),
            Left::Removed
        );
        assert!(!fs::exists(aside).unwrap());
        let relative = remove("run-7", &["work".into()]).await;
        assert!(matches!(relative, Err(JobError::Path(_))), "{relative:?}");
    }
}
