//! Detached jobs on this machine and behind a real sshd: the same tests for both.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use gentoo_updater_hosts::job::{
    JobError, JobHandle, JobOutcome, JobState, Started, list, remove, start_or_attach,
};
use gentoo_updater_hosts::{Command, Host, HostAddress, connect};

use crate::machine::{Machine, boot_id, exists, finish, lives, start_time};
use crate::server::tool;

#[tokio::test]
async fn a_job_gives_its_log_and_its_status() {
    for machine in Machine::both().await {
        let spec = machine.spec("one", "echo out; echo err >&2; pwd; cat; exit 7");
        let job = machine.start(&spec).await;
        assert_eq!(job.started(), Started::Started);
        let begin = Instant::now();
        assert_eq!(
            finish(job).await,
            (JobOutcome::Exited(7), "out\nerr\n/\n".to_owned())
        );
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "it waited after the end"
        );
        let again = machine.start(&spec).await;
        assert_eq!(again.started(), Started::Attached);
        assert_eq!(finish(again).await.0, JobOutcome::Exited(7));
    }
}

#[tokio::test]
async fn a_large_log_arrives_whole_and_in_order() {
    for machine in Machine::both().await {
        let (outcome, log) = machine.run(&machine.spec("large", "seq 1 1500000")).await;
        assert_eq!(outcome, JobOutcome::Exited(0));
        assert!(
            log.lines()
                .map(|line| line.parse::<u32>().unwrap())
                .eq(1..=1_500_000)
        );
    }
}

#[tokio::test]
async fn arguments_and_variables_reach_a_job_as_they_are() {
    for machine in Machine::both().await {
        let hostile = [
            ";touch x",
            "$(touch x)",
            "a\nb",
            "it's",
            "\"",
            "\\",
            "",
            "*",
            "~",
            "ä",
        ];
        let mut spec = machine.spec("hostile", "");
        spec.command = Command::shell("job", r#"printf '<%s>' "$VALUE" "$@""#, hostile)
            .env("VALUE", "x'; touch y");
        let (outcome, log) = machine.run(&spec).await;
        assert_eq!(outcome, JobOutcome::Exited(0));
        let expected: String = hostile.iter().map(|word| format!("<{word}>")).collect();
        assert_eq!(log, format!("<x'; touch y>{expected}"));
    }
}

#[tokio::test]
async fn of_many_starters_at_once_one_starts_the_job() {
    for machine in Machine::both().await {
        let spec = machine.spec("once", r#"echo run >>"$1/runs"; sleep 1"#);
        let starts = (0..8).map(|_| start_or_attach(&*machine.host, &spec));
        let jobs = futures_util::future::join_all(starts).await;
        let jobs: Vec<_> = jobs.into_iter().map(Result::unwrap).collect();
        let started = jobs
            .iter()
            .filter(|job| job.started() == Started::Started)
            .count();
        assert_eq!(started, 1);
        for job in jobs {
            assert_eq!(finish(job).await.0, JobOutcome::Exited(0));
        }
        assert_eq!(fs::read_to_string(machine.path("runs")).unwrap(), "run\n");
    }
}

#[tokio::test]
async fn a_start_that_was_cut_off_is_started_by_the_next() {
    for machine in Machine::both().await {
        let spec = machine.spec("half", "echo ran");
        // What a crash leaves between the folder and the pid.
        let folder = machine.spool().join("half");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("command"), "exec ech").unwrap();
        fs::write(folder.join("log"), "old").unwrap();
        let jobs = list(&*machine.host, &machine.spool()).await.unwrap();
        assert_eq!(jobs[0].state, JobState::Unstarted);
        let job = machine.start(&spec).await;
        assert_eq!(job.started(), Started::Started);
        assert_eq!(
            finish(job).await,
            (JobOutcome::Exited(0), "ran\n".to_owned())
        );
    }
}

#[tokio::test]
async fn a_job_survives_the_cut_of_its_connection_and_its_log_is_whole() {
    let machine = Machine::ssh().await;
    let server = machine.server.as_ref().unwrap();
    // It goes on when the test says so: after the cut.
    let script = r#"echo before; until [ -e "$1/go" ]; do sleep 0.05; done; echo after; exit 3"#;
    let mut job = machine.start(&machine.spec("cut", script)).await;
    let (mut log, mut cuts) = (Vec::new(), 0);
    let outcome = job
        .wait(|bytes| {
            log.extend_from_slice(bytes);
            if log == b"before\n" {
                cuts += server.cut_connections();
                fs::write(machine.path("go"), "").unwrap();
            }
        })
        .await
        .unwrap();
    assert!(cuts > 0);
    assert_eq!(outcome, JobOutcome::Exited(3));
    assert_eq!(String::from_utf8(log).unwrap(), "before\nafter\n");
    assert!(
        server.log().matches("Accepted publickey").count() >= 2,
        "{}",
        server.log()
    );
}

#[tokio::test]
async fn a_connection_that_is_cut_while_a_question_waits_is_opened_again() {
    let machine = Machine::ssh().await;
    let server = machine.server.as_ref().unwrap();
    let script = r#"echo up >"$1/up"; until [ -e "$1/go" ]; do sleep 0.05; done; exit 4"#;
    let job = machine.start(&machine.spec("silent", script)).await;
    let cutter = async {
        exists(&machine.path("up")).await;
        assert!(server.cut_connections() > 0);
        fs::write(machine.path("go"), "").unwrap();
    };
    let ((outcome, _), ()) = tokio::join!(finish(job), cutter);
    assert_eq!(outcome, JobOutcome::Exited(4));
}

#[tokio::test]
async fn a_new_client_attaches_to_a_running_job_and_to_an_ended_one() {
    let machine = Machine::ssh().await;
    let server = machine.server.as_ref().unwrap();
    let script = r#"echo a; until [ -e "$1/go" ]; do sleep 0.05; done; echo b"#;
    let spec = machine.spec("attach", script);
    let other = server.connect().await.unwrap();
    machine.start(&spec).await;
    let job = start_or_attach(&*other, &spec).await.unwrap();
    assert_eq!(job.started(), Started::Attached);
    assert_eq!(job.state().await.unwrap(), Some(JobState::Running));
    fs::write(machine.path("go"), "").unwrap();
    assert_eq!(
        finish(job).await,
        (JobOutcome::Exited(0), "a\nb\n".to_owned())
    );
    let third = server.connect().await.unwrap();
    let job = JobHandle::attach(&*third, &machine.spool(), spec.id.clone()).from_offset(2);
    assert_eq!(finish(job).await, (JobOutcome::Exited(0), "b\n".to_owned()));
}

#[tokio::test]
async fn killing_a_job_ends_its_grandchildren_and_those_in_sessions_of_their_own() {
    let machines = Machine::both().await;
    // Both at once: each waits for the grace time.
    futures_util::future::join_all(machines.iter().map(async |machine| {
        let script = r#"trap '' TERM
            sh -c 'trap "" TERM; echo $$ >"$0/stubborn"; while :; do sleep 0.1; done' "$1" &
            setsid sh -c 'echo $$ >"$0/session"; sleep 1000 & wait' "$1" &
            sh -c 'sh -c '"'"'echo $$ >"$0/grandchild"; exec sleep 1000'"'"' "$0"; true' "$1" &
            until [ -s "$1/stubborn" ] && [ -s "$1/session" ] && [ -s "$1/grandchild" ]; do
                sleep 0.05
            done
            : >"$1/ready"
            while :; do wait; done"#;
        let job = machine.start(&machine.spec("tree", script)).await;
        exists(&machine.path("ready")).await;
        let pids = ["stubborn", "session", "grandchild"]
            .map(|name| fs::read_to_string(machine.path(name)).unwrap());
        assert!(pids.iter().all(|pid| lives(pid)));
        job.kill().await.unwrap();
        assert!(!pids.iter().any(|pid| lives(pid)));
        assert_eq!(
            finish(job.clone()).await.0,
            JobOutcome::Killed("KILL".to_owned())
        );
        // Once more, it is no error and changes nothing.
        job.kill().await.unwrap();
        assert_eq!(finish(job).await.0, JobOutcome::Killed("KILL".to_owned()));
    }))
    .await;
}

#[tokio::test]
async fn a_job_that_ends_on_sigterm_is_not_waited_for_longer() {
    let machine = Machine::local().await;
    let job = machine
        .start(&machine.spec("term", r#": >"$1/up"; exec sleep 1000"#))
        .await;
    exists(&machine.path("up")).await;
    let begin = Instant::now();
    job.kill().await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(8));
    assert_eq!(finish(job).await.0, JobOutcome::Killed("TERM".to_owned()));
}

#[tokio::test]
async fn jobs_with_one_lock_run_one_after_the_other_and_a_waiting_one_can_be_killed() {
    for machine in Machine::both().await {
        let lock = || "machine".parse().unwrap();
        let script =
            r#": >"$1/first"; until [ -e "$1/go" ]; do sleep 0.05; done; echo 1 >>"$1/order""#;
        let first = machine
            .start(&machine.spec("first", script).lock(lock()))
            .await;
        exists(&machine.path("first")).await;
        let second = machine
            .start(
                &machine
                    .spec("second", r#"echo 2 >>"$1/order""#)
                    .lock(lock()),
            )
            .await;
        assert_eq!(second.state().await.unwrap(), Some(JobState::Running));
        // Its runner may not have begun to wait for the lock when it is killed.
        for third in 0..20 {
            let third = machine.spec(&format!("third-{third}"), r#"echo 3 >>"$1/order""#);
            let third = machine.start(&third.lock(lock())).await;
            third.kill().await.unwrap();
            assert_eq!(finish(third).await.0, JobOutcome::Killed("TERM".to_owned()));
        }
        fs::write(machine.path("go"), "").unwrap();
        assert_eq!(finish(first).await.0, JobOutcome::Exited(0));
        assert_eq!(finish(second).await.0, JobOutcome::Exited(0));
        assert_eq!(fs::read_to_string(machine.path("order")).unwrap(), "1\n2\n");
        assert!(Path::new(&machine.path("var/locks/machine")).exists());
    }
}

#[tokio::test]
async fn the_jobs_of_two_controllers_do_not_run_at_once_on_a_machine_they_share() {
    let machine = Machine::ssh().await;
    let server = machine.server.as_ref().unwrap();
    let one = connect(&HostAddress::Local, &server.settings())
        .await
        .unwrap();
    let other = server.connect().await.unwrap();
    // A folder can be made once only: whoever finds it there is not alone.
    let script = r#"mkdir "$1/alone" || exit 9; sleep 0.3; rmdir "$1/alone""#;
    let spec = |id: &str| machine.spec(id, script).lock("portage".parse().unwrap());
    let run = async |host: &dyn Host, id: &str| {
        finish(start_or_attach(host, &spec(id)).await.unwrap())
            .await
            .0
    };
    let outcomes = tokio::join!(
        run(&*one, "build"),
        run(&*other, "clean"),
        run(&*machine.host, "install"),
        run(&*one, "build-2"),
    );
    let ended = JobOutcome::Exited(0);
    assert_eq!(
        outcomes,
        (ended.clone(), ended.clone(), ended.clone(), ended)
    );
}

#[tokio::test]
async fn a_job_whose_processes_are_gone_without_a_status_vanished() {
    for machine in Machine::both().await {
        let script = r#"echo $$ >"$1/pid.new"; mv "$1/pid.new" "$1/pid"; sleep 1000"#;
        let job = machine.start(&machine.spec("gone", script)).await;
        exists(&machine.path("pid")).await;
        let runner = fs::read_to_string(machine.spool().join("gone/pid")).unwrap();
        let runner = runner.split(' ').next().unwrap();
        // The runner alone: the command still runs, so the job does.
        tool("kill", &["-KILL", runner]);
        assert_eq!(job.state().await.unwrap(), Some(JobState::Running));
        tool("kill", &["-KILL", "--", &format!("-{runner}")]);
        assert_eq!(finish(job.clone()).await.0, JobOutcome::Vanished);
        // A number that another process got, or a restart of the machine, does not revive it.
        let pid = std::process::id().to_string();
        for text in [
            format!("{pid} 1 x"),
            format!("{pid} 1 {}", boot_id()),
            format!("{pid} {} x", start_time(&pid).unwrap()),
        ] {
            fs::write(machine.spool().join("gone/pid"), text).unwrap();
            assert_eq!(
                job.state().await.unwrap(),
                Some(JobState::Ended(JobOutcome::Vanished))
            );
            job.kill().await.unwrap();
        }
    }
}

#[tokio::test]
async fn only_a_job_that_does_not_run_is_removed() {
    for machine in Machine::both().await {
        let spool = machine.spool();
        assert!(list(&*machine.host, &spool).await.unwrap().is_empty());
        let script = r#"until [ -e "$1/go" ]; do sleep 0.05; done; exit 2"#;
        let job = machine.start(&machine.spec("running", script)).await;
        machine.run(&machine.spec("ended", "true")).await;
        let states = async || {
            let jobs = list(&*machine.host, &spool).await.unwrap();
            jobs.into_iter()
                .map(|job| (job.id.to_string(), job.state))
                .collect::<Vec<_>>()
        };
        let running = ("running".to_owned(), JobState::Running);
        let ended = ("ended".to_owned(), JobState::Ended(JobOutcome::Exited(0)));
        assert_eq!(states().await, [ended, running.clone()]);
        remove(&*machine.host, &spool, &"ended".parse().unwrap())
            .await
            .unwrap();
        let error = job.remove().await.unwrap_err();
        assert!(matches!(error, JobError::StillRunning { .. }), "{error}");
        assert_eq!(states().await, [running]);
        fs::write(machine.path("go"), "").unwrap();
        assert_eq!(finish(job.clone()).await.0, JobOutcome::Exited(2));
        job.remove().await.unwrap();
        job.remove().await.unwrap();
        assert!(states().await.is_empty());
        let error = job.clone().wait(|_| ()).await.unwrap_err();
        assert!(matches!(error, JobError::Missing { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_log_may_lie_elsewhere_and_stays_when_the_job_is_removed() {
    let machine = Machine::local().await;
    let log = machine.path("logs/build.log");
    let job = machine
        .start(&machine.spec("elsewhere", "echo text").log(&log))
        .await;
    assert_eq!(finish(job.clone()).await.1, "text\n");
    job.remove().await.unwrap();
    assert_eq!(fs::read_to_string(log).unwrap(), "text\n");
}

#[tokio::test]
async fn a_spool_that_cannot_be_written_is_an_error_that_says_so() {
    let machine = Machine::local().await;
    fs::write(machine.path("file"), "").unwrap();
    let spec = machine.spec("x", "true").spool(machine.path("file/jobs"));
    let error = start_or_attach(&*machine.host, &spec).await.err().unwrap();
    assert!(
        error.to_string().contains("spool cannot be made"),
        "{error}"
    );
    assert!(!error.is_transient());
    let spec = machine.spec("x", "true").spool("relative");
    assert!(matches!(
        start_or_attach(&*machine.host, &spec).await,
        Err(JobError::Path(_))
    ));
}

#[tokio::test]
async fn a_job_is_not_deaf_to_the_signals_that_shells_hide_from_background_jobs() {
    let machine = Machine::local().await;
    let (_, log) = machine
        .run(&machine.spec("signals", "grep SigIgn /proc/self/status"))
        .await;
    // What the test itself was started deaf to (in the background of a shell, say) is inherited,
    // but for SIGPIPE, to which Rust makes it deaf.
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find(|line| line.starts_with("SigIgn")).unwrap();
    let inherited = ignored_signals(own) & !(1 << 12);
    // SIGHUP, SIGINT, SIGQUIT, SIGPIPE and SIGTERM.
    let hidden = ignored_signals(&log) & !inherited & 0b101_0000_0000_0111;
    assert_eq!(hidden, 0, "{log}");
}

/// The set of a line such as `SigIgn: 0000000000001000`.
fn ignored_signals(line: &str) -> u64 {
    u64::from_str_radix(line.trim().rsplit('\t').next().unwrap(), 16).unwrap()
}
