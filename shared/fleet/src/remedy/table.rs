//! The next step of each cause.

/// What passes by itself.
pub(super) const AGAIN: &str =
    "nothing: it is tried again by itself; if it stays, look at what it names";

/// Cause and next step, by the cause.
pub(super) const NEXT_STEPS: &[(&str, &str)] = &[
    (
        "AddressInvalid",
        "correct the `address` that it names in the configuration; `gentoo-updater config check` looks at all of them",
    ),
    (
        "AfterwardsNotUnderstood",
        "look at the guest by hand (services, `._cfg` files, news); a `.bashrc` that prints, or another shell, may be in the way",
    ),
    (
        "AnswerTooLarge",
        "update the guest in parts: fewer packages at once make a smaller answer; the broker's `max_message_size` is the limit",
    ),
    (
        "AuthenticationRefused",
        "let the key of the worker in on that machine: its public key belongs into `~/.ssh/authorized_keys` there, and `ssh` as the worker's user must need no password",
    ),
    (
        "AuthorityUnusable",
        "write the certificate of the store's server, or of its authority, to the path that it names on the guest",
    ),
    (
        "BeforeBuildsLost",
        "remove what builds left on that builder by hand (`emerge --depclean`): what was there before them is not known any more",
    ),
    (
        "BinaryCorrupt",
        "nothing: the next run finds it spoiled and builds it again; `gentoo-updater store verify` looks for others",
    ),
    (
        "BinaryDamaged",
        "`gentoo-updater store verify` finds spoiled binaries, `gentoo-updater store repair` takes them out; then `gentoo-updater run`",
    ),
    (
        "BinaryMissing",
        "`gentoo-updater run` again: what the store lacks is built; `gentoo-updater store verify` tells whether its index is whole",
    ),
    (
        "BinaryTooNew",
        "update the C library or compiler of the guest first, or build on a machine whose own are as old as the guest's",
    ),
    (
        "BinreposConfIsFile",
        "make `/etc/portage/binrepos.conf` a folder on the guest, with the present file in it",
    ),
    (
        "Blocked",
        "look at the blocks that it names: uninstall what is in the way on the guest, or wait until the tree solves them; then `gentoo-updater scan`",
    ),
    (
        "BudgetSpent",
        "mend the guests that failed first, then `gentoo-updater run`; `budget` in `[rollout]` is how many may fail",
    ),
    (
        "BuildKilled",
        "nothing if it succeeds on the next attempt, which gets more memory; otherwise give the package `memory_megabytes` in `[[packages]]`, or the builder more",
    ),
    (
        "BuildVanished",
        "look why the builder restarted or who killed the build; it is tried again by itself",
    ),
    (
        "BuilderUnfit",
        "read the log that it names and mend the builder: another one takes its work meanwhile",
    ),
    (
        "BuildsUnknown",
        "read what it says of the notes below the state directory of the builder, and mend their disk or permissions",
    ),
    (
        "CannotPreserve",
        "mend what it names on the guest (space, `quickpkg`), then `gentoo-updater run`: nothing was begun",
    ),
    (
        "CapacityUnknown",
        "look whether `df` and `/proc/meminfo` answer on the builder",
    ),
    (
        "CheckUnsteady",
        "make the check answer the same each time, then `gentoo-updater bisect` again",
    ),
    (
        "CircularDependencies",
        "break the circle on the guest, with a USE flag for one of its packages, then `gentoo-updater scan`",
    ),
    (
        "CollectionPaused",
        "`gentoo-updater resume` lets the janitor work; `gentoo-updater store gc` collects by hand",
    ),
    (
        "CompileFailure",
        "read its log, mend the ebuild, flags or environment (or mask the version), then `gentoo-updater retry`",
    ),
    (
        "CompilerBroken",
        "repair the toolchain of the builder: `gcc-config -l`, and a small program must compile, link and run",
    ),
    (
        "CompilerMissing",
        "install a compiler on the builder (`emerge sys-devel/gcc`) and choose it (`gcc-config`)",
    ),
    (
        "ConfigurationChangeNeeded",
        "make the changes of `/etc/portage` that it names on the guest, then `gentoo-updater scan`",
    ),
    (
        "Conflict",
        "solve the conflict that its log names on the builder or in the guest's configuration, then `gentoo-updater retry`",
    ),
    (
        "ConnectionLost",
        "nothing if it is tried again; if it stays, look at the network and at sshd of that machine",
    ),
    (
        "CruftFailed",
        "read what it says and mend the builder; nothing was removed, and the next cleaning makes up for it",
    ),
    (
        "CruftUnnoted",
        "nothing was removed: what builds left stays on the builder; look at its disk, the next run makes a manifest again",
    ),
    (
        "CruftUnusable",
        "look at the archive that it names: its disk, and whether somebody changed it",
    ),
    (
        "DepcleanFailed",
        "run `emerge --pretend --depclean` on that machine and mend what it says",
    ),
    (
        "DepcleanIncomplete",
        "run `emerge --pretend --depclean` on that builder: it kept what it names; the next cleaning tries again",
    ),
    (
        "DepcleanNotUnderstood",
        "send the text to the project: `gentoo-updater` does not know these words of emerge; the packages stay",
    ),
    (
        "DepcleanRefused",
        "bring the builder's own world up to date (`emerge --update --deep @world`), so that emerge may remove again",
    ),
    (
        "DependenciesNotInstalled",
        "read its log: a binary of the batch does not go onto the builder; `gentoo-updater store verify` tells whether the store is whole",
    ),
    (
        "DependencyMissing",
        "give the guest an ebuild for what it names (a repository, an overlay), or remove what needs it",
    ),
    (
        "DependencyNotUnderstood",
        "send the text to the project, with `gentoo-updater parse depend`; the ebuild that it names may be damaged: sync its repository",
    ),
    (
        "DiskFull",
        "make room where it says on that machine; it gets work again by itself",
    ),
    (
        "DiskTooFull",
        "make room on the guest where it says (`eclean`, old kernels, logs), then `gentoo-updater run`: nothing was begun",
    ),
    (
        "DocumentIncomplete",
        "scan again; if it stays, the guest's Portage ends in the middle: run `emerge --pretend --update --deep @world` there",
    ),
    (
        "DocumentNotUnderstood",
        "let the guest's Python and Portage be whole (`emerge --info` there), and all workers be of one version",
    ),
    (
        "DownloadFailed",
        "look from the guest at the address of its store (`curl`), then `gentoo-updater run`: what was fetched is kept",
    ),
    (
        "EbuildDiffers",
        "bring builder and guest to one revision of that repository: `gentoo-updater run --sync`",
    ),
    (
        "EbuildMissing",
        "sync the ebuild repository on the builder, or add the guest's overlay to it: `gentoo-updater run --sync`",
    ),
    (
        "EnvironmentDiffers",
        "give the builder the same `package.env` and patches for it as the guest has",
    ),
    (
        "EventUnreadable",
        "bring all programs to the newest version in use: nothing is deleted from a store while an event is not understood",
    ),
    (
        "FetchFailure",
        "look from the builder at the mirrors (`GENTOO_MIRRORS`); what has to be fetched by hand belongs into its DISTDIR; then `gentoo-updater retry`",
    ),
    (
        "GuestHeld",
        "`gentoo-updater approve guest NAME` ends the hold, then `gentoo-updater run`",
    ),
    (
        "GuestNotConfigured",
        "give the worker the same configuration file as the planner: it lacks this guest",
    ),
    (
        "GuestNotUnderstood",
        "let nothing print at login on the guest (`.bashrc`, banners), and its shell be a POSIX one; then try again",
    ),
    (
        "HealthCheckFailed",
        "mend what the check names on the guest; what came with the update is held until `gentoo-updater approve`, and `gentoo-updater bisect` finds the package to blame",
    ),
    (
        "HistoryUnreadable",
        "look at the broker or the journal (`gentoo-updater queue list`), then repeat it",
    ),
    (
        "HostCertificateRefused",
        "let the authority sign a certificate for that name that is valid now, or teach another one: `gentoo-updater trust --ca FILE`",
    ),
    (
        "HostKeyChanged",
        "find out why it has another key; if it was set up anew: `gentoo-updater trust --replace NAME`",
    ),
    (
        "HostKeyRevoked",
        "give the machine a new host key and teach it: `gentoo-updater trust --replace NAME`",
    ),
    (
        "HostKeyUnknown",
        "compare and teach its host keys: `gentoo-updater trust NAME`",
    ),
    (
        "InstallIncomplete",
        "look at the guest's log: some packages are not as ordered; `gentoo-updater run` installs the rest",
    ),
    (
        "InstallVanished",
        "look whether the guest restarted; it is tried again by itself, and finds what is installed already",
    ),
    (
        "InstalledWithTrouble",
        "read the log: all is installed, and emerge complained; mend it on the guest, then `gentoo-updater run`",
    ),
    (
        "InvalidCommand",
        "send this to the project: a command of it cannot be said to a shell",
    ),
    (
        "Io",
        "look at the disk and the permissions of the worker's machine",
    ),
    (
        "JobUnmanageable",
        "look at the spool of jobs on that machine: its disk, its permissions, and a `.profile` that prints",
    ),
    (
        "KernelDiffers",
        "build on a machine with that very kernel and configuration, or give the builder its sources in `/usr/src/linux`",
    ),
    (
        "KeyRevoked",
        "build the binary anew with another key: `gentoo-updater store keys`, then `gentoo-updater run`",
    ),
    (
        "KeysNotTaught",
        "teach the guest the keys of the builders: `gentoo-updater store keys teach`",
    ),
    (
        "KilledItsWorker",
        "look at the worker's log and memory: the same work ended it several times; then `gentoo-updater retry`",
    ),
    (
        "KnownHostsUnreadable",
        "let the worker's user read the file that it names",
    ),
    (
        "LogTooLarge",
        "look at what its log repeats, or raise `build_log_megabytes`, then `gentoo-updater retry`",
    ),
    (
        "LogUnreadable",
        "nothing: the durations in that log are not known, and are learnt by building",
    ),
    (
        "MachineAnswersNot",
        "look at the load and the disks of that machine: Portage did not answer in time",
    ),
    (
        "MachineUnknown",
        "give all workers the same configuration file",
    ),
    (
        "MachineUnwritable",
        "look whether the file system that it names is full or mounted read-only on that machine",
    ),
    (
        "MarkMissing",
        "let nothing swallow the output of programs on that machine (a forced command, a restricted shell)",
    ),
    (
        "Masked",
        "lift the mask, keyword or licence on the guest where it is wanted, or remove what needs it; then `gentoo-updater scan`",
    ),
    (
        "MemoryLimit",
        "raise `build_memory_megabytes` in `[policy]`, or in `[[packages]]` for it alone, then `gentoo-updater retry`",
    ),
    (
        "MetadataMissing",
        "sync the repository on the guest, or run `egencache` where it is a local one",
    ),
    (
        "MissingDependency",
        "sync the builder's repositories, or add the overlay that has it: `gentoo-updater run --sync`",
    ),
    (
        "NameInvalid",
        "send this to the project: a name is none that a path may have",
    ),
    (
        "NativeCompilerFlags",
        "replace `-march=native` in `make.conf` by what `gcc -march=native -Q --help=target` names, or set `any_flags` for the guest",
    ),
    (
        "NoBuilderLargeEnough",
        "give a builder that much memory or space, or lower what `[[packages]]` asks for",
    ),
    (
        "NoCleanRoom",
        "read the log: overlays or namespaces of the builder are gone; it builds on the machine itself or elsewhere meanwhile",
    ),
    (
        "NoEbuild",
        "give the guest an ebuild for what it names, or remove it from its world file",
    ),
    (
        "NoMachine",
        "send this to the project: it has asked a machine for what is no question to a machine",
    ),
    (
        "NobodyCollects",
        "start a janitor (`gentoo-updater workers` shows who lives); `gentoo-updater store gc` collects by hand",
    ),
    (
        "NobodyServes",
        "start a worker for that queue, or see why it takes no work: `gentoo-updater workers`",
    ),
    (
        "NotApproved",
        "`gentoo-updater approve` lets it go on; `gentoo-updater hold` lists what waits",
    ),
    (
        "NotThisTime",
        "nothing: the guest counts with what it had; it is asked again the next time",
    ),
    (
        "NotWanted",
        "nothing: the guest wants something else by now; `gentoo-updater run` asks it again",
    ),
    (
        "NothingKept",
        "the guest has kept nothing of that run; install the versions of before by hand, from the store",
    ),
    (
        "OutputTooLarge",
        "look what that machine prints so much; a loop in its `.bashrc` or profile does",
    ),
    (
        "PlanFailed",
        "run `emerge --pretend --verbose --update --newuse --deep @world` on the guest and solve what it says",
    ),
    (
        "PlanKilled",
        "look at the memory of that machine: emerge was killed while it planned",
    ),
    (
        "PlanNotUnderstood",
        "send the text to the project, with `gentoo-updater parse plan`; the guest was not touched",
    ),
    (
        "PlanRefused",
        "solve what emerge names on that machine, then `gentoo-updater run`",
    ),
    (
        "PlatformDiffers",
        "configure the builder as its guests, or let the guest be of another platform; `gentoo-updater config check`",
    ),
    (
        "PlatformNotUnderstood",
        "let CHOST and the compiler flags in `make.conf` of that machine be plain words",
    ),
    (
        "PlatformUnknown",
        "give all workers the same configuration file: this one lacks the platform",
    ),
    (
        "PlatformUnserved",
        "add a builder that compiles for such a guest, or put the guest onto a platform of its own",
    ),
    (
        "PortageBroken",
        "run `emerge --info` on that machine and mend what it says",
    ),
    (
        "PortageUnusable",
        "run `portageq envvar CHOST` on that machine and mend what it says",
    ),
    (
        "ProfileBroken",
        "choose a profile that is there: `eselect profile list` on the guest",
    ),
    (
        "ProgramFailed",
        "read what it printed, and mend that machine",
    ),
    (
        "ProgramNotPacked",
        "send this to the project: a program of it could not be packed",
    ),
    (
        "ProofFailed",
        "`gentoo-updater scan`, then `gentoo-updater run`: the guest changed since it was asked, or its own configuration wants it otherwise",
    ),
    (
        "PythonMissing",
        "let `python3` be found on that machine: `eselect python list` shows what is there; emerge itself runs by it, so where there is none, unpack a binary package of dev-lang/python over its root",
    ),
    (
        "RecordUnwritable",
        "let the builder write below `.gentoo-updater` in the store (space, permissions)",
    ),
    (
        "RepositoryMissing",
        "mount or sync the ebuild repository on that machine, or take it out of `/etc/portage/repos.conf`",
    ),
    (
        "RequiredUseUnsatisfied",
        "change the USE flags that it names on the guest, then `gentoo-updater scan`",
    ),
    (
        "ResultCorrupt",
        "look at the builder's disk and memory: what came out is damaged; it is built again elsewhere",
    ),
    (
        "ResultDoesNotFit",
        "compare the configuration of builder and guest in what it names, then `gentoo-updater retry`",
    ),
    (
        "ResultUnreadable",
        "look at the builder's Portage: it left no binary that can be read",
    ),
    (
        "ResultUnsigned",
        "look at the builder's signing key: `gentoo-updater store keys list`",
    ),
    (
        "RollbackFailed",
        "look at the guest now: it is neither what it was nor what it was to be; `gentoo-updater rollback NAME` tries again",
    ),
    ("RunGoesOn", "wait until the run is over, then repeat it"),
    (
        "SearchVanished",
        "nothing: what is in the store is found when it is to be built",
    ),
    (
        "SessionRefused",
        "look at `MaxSessions` and `MaxStartups` of sshd on that machine",
    ),
    (
        "SignatureExpired",
        "renew the key or sign anew: `gentoo-updater store keys sign`",
    ),
    (
        "SignatureForeign",
        "teach the guest the key, or build it again: `gentoo-updater store keys teach`",
    ),
    (
        "SignatureInvalid",
        "`gentoo-updater store verify`: the binary is not what was signed; `gentoo-updater store repair` takes it out, and the next run builds it",
    ),
    (
        "SignatureMissing",
        "`gentoo-updater store keys sign --unsigned` signs what the store holds, or let the next run build it again",
    ),
    (
        "SignatureRefused",
        "`gentoo-updater store keys teach` teaches the machine the keys, `gentoo-updater store keys sign` signs binaries",
    ),
    (
        "SignatureUntrusted",
        "let the guest trust the key: `gentoo-updater store keys teach`",
    ),
    (
        "SigningFailed",
        "look at gpg on the builder: `gentoo-updater store keys list` asks for its key",
    ),
    (
        "SigningKeyMissing",
        "make the builder a key: `gentoo-updater store keys init`",
    ),
    (
        "SigningKeysBusy",
        "wait: another program works with the keys of that machine; it is tried again",
    ),
    (
        "SigningKeysNotUnderstood",
        "look at gpg on that machine: it answers otherwise than 2.2 and later",
    ),
    (
        "SigningUnsupported",
        "bring Portage on the builder to 3.0.38 or later, with gnupg",
    ),
    (
        "SlotConflict",
        "solve the conflict that it names on the guest: a USE flag or a version for one of both; then `gentoo-updater scan`",
    ),
    (
        "SourcesUnreadable",
        "let the janitor read DISTDIR and the repositories of that builder",
    ),
    (
        "SpaceUnknown",
        "look whether `df` answers for that folder on the builder",
    ),
    (
        "SshConfiguration",
        "mend the line of ssh's configuration that it names: `ssh -G NAME` says the same",
    ),
    (
        "StoreIndexBroken",
        "`gentoo-updater store repair` makes the index anew",
    ),
    (
        "StoreIndexIncomplete",
        "`gentoo-updater store repair` makes the index anew; a share may also show it late",
    ),
    (
        "StoreLacksBinary",
        "nothing: the next run builds it again; `gentoo-updater store verify` looks for others",
    ),
    (
        "StoreLocked",
        "find out who holds the lock that it names; it ends by itself 150 s after its holder has died",
    ),
    (
        "StoreMissing",
        "mount the store on that machine at the path of its platform",
    ),
    (
        "StoreNotTrusted",
        "give the guest the authority of the store's certificate, or the server one for that name",
    ),
    (
        "StoreUnreachable",
        "mount the store on the guest, or look from there at its server; then it is tried again",
    ),
    (
        "StoreUnreadable",
        "let the machine read the store: the share, its permissions, its disk",
    ),
    (
        "StoreUnwritable",
        "let the builder write to the store: the share, its permissions, its space",
    ),
    (
        "SyncFailed",
        "run `emerge --sync` on that machine and mend what it says; without it the run goes by what is there",
    ),
    (
        "TemporaryUnwritable",
        "let the builder write to PORTAGE_TMPDIR: space, permissions, mount options",
    ),
    (
        "TimedOut",
        "look whether it hangs; raise the time that it may take (the `…_timeout_seconds` of `[policy]`), then `gentoo-updater retry`",
    ),
    (
        "TooLittleMemory",
        "nothing: a larger builder takes it; where there is none, give one more memory",
    ),
    (
        "TooLittleSpace",
        "nothing: a larger builder takes it; where there is none, make room",
    ),
    (
        "Unknown",
        "read its log: emerge names no cause; then `gentoo-updater retry`",
    ),
    (
        "Unreachable",
        "look whether the machine is up and its address right: `ssh` to it as the worker's user",
    ),
    (
        "VdbUnreadable",
        "look at `/var/db/pkg` of that machine: its disk, its permissions",
    ),
    (
        "VerificationUnusable",
        "teach the guest the keys (`gentoo-updater store keys teach`): its keyring is missing or cannot be read",
    ),
    (
        "WindowClosed",
        "nothing: it begins when the maintenance window opens again",
    ),
    (
        "WindowNeverCame",
        "give the guest a window that opens (`windows` in `[rollout]`), then `gentoo-updater run`",
    ),
    (
        "WorkerPanicked",
        "send the log of the worker to the project; `gentoo-updater retry` tries it again",
    ),
    (
        "WorkersFellSilent",
        "look whether that worker and its machine live: `gentoo-updater workers`; then `gentoo-updater retry`",
    ),
    (
        "WorldAtomWithoutEbuild",
        "take what it names out of the guest's world file, or add the repository that has it",
    ),
    (
        "WrongRole",
        "start the worker of that role: this one does not do such work",
    ),
];
