//! One PostgreSQL cluster in a temporary folder, on a free port of this machine.
//!
//! It ends with the process that started it, however that ends: a guard holds the
//! other end of a pipe, and when the pipe closes it stops the server by its pid
//! and clears the folder away.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// The password of the one user, over TCP.
const PASSWORD: &str = "correct horse of the rig";
/// The one user, owner of all.
const USER: &str = "keyfob";
/// Looks at a server that is starting or stopping, and how long in between.
const LOOKS: u32 = 600;
const PAUSE: Duration = Duration::from_millis(50);

/// What a cluster is to be like, beside the usual.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// TCP with TLS by this certificate alone, and passwords by SCRAM-SHA-256 alone.
    pub secured: Option<Identity>,
    /// What it holds has only so much room, in megabytes: a file system of its own.
    pub room: Option<u32>,
}

/// A certificate with its key, PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// A running server.
pub struct Cluster {
    setup: Setup,
    room: Option<Room>,
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    databases: AtomicU32,
    running: Mutex<Option<Running>>,
}

/// A file system of memory, in a mount namespace of its own that lasts as long as its keeper,
/// which ends with its input.
struct Room {
    keeper: Child,
}

struct Running {
    server: Child,
    guard: Child,
    /// Closed with this process: then the guard acts.
    #[allow(dead_code, reason = "held for its end")]
    pipe: ChildStdin,
}

/// A fresh, empty database.
#[derive(Debug, Clone)]
pub struct Database {
    /// Over TCP, without the password.
    pub url: String,
    /// Its password.
    pub password: String,
    /// Its name.
    pub name: String,
}

impl Cluster {
    /// The cluster that all tests of this process share. Nobody stops it but its end.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A cluster of its own, for a test that stops it; gone when dropped.
    pub fn start() -> Self {
        Self::start_as(Setup::default())
    }

    /// One that is not like the others.
    pub fn start_as(setup: Setup) -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("keyfob-rig-").tempdir().unwrap().keep();
        // The server's user must pass through, nobody else may look in.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(folder.join("password"), PASSWORD).unwrap();
        if is_root() {
            let owned = Command::new("chown").arg("-R").arg("postgres:postgres").arg(&folder).status().unwrap();
            assert!(owned.success(), "the folder cannot be given to the user postgres");
        }
        let (databases, running) = (AtomicU32::new(0), Mutex::default());
        let mut cluster = Self { setup, room: None, port: free_port(), folder, programs, databases, running };
        cluster.make();
        cluster.secure();
        cluster.room = cluster.setup.room.map(|megabytes| Room::open(&cluster.data(), megabytes));
        cluster.run();
        cluster
    }

    /// A fresh database. Text is compared as another place would, to show what leans on it.
    pub fn database(&self) -> Database {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        let url = format!("postgres://{USER}@127.0.0.1:{}/{name}", self.port);
        Database { url, password: PASSWORD.to_owned(), name }
    }

    /// Runs statements in a database as its owner, and answers what they print, unadorned.
    pub fn sql(&self, database: &str, text: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", USER, "-d", database, "-c", text]);
        psql.arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string());
        let output = psql.output().unwrap();
        assert!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Everything a database holds, as text.
    pub fn dump(&self, database: &str) -> String {
        let mut dump = Command::new(self.programs.join("pg_dump"));
        dump.args(["-U", USER, "-h"]).arg(&self.folder).arg("-p").arg(self.port.to_string()).arg(database);
        let output = dump.output().unwrap();
        assert!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Takes all the room there is.
    pub fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).unwrap();
        for size in [65_536, 4_096, 512, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Gives it back.
    pub fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        // Seen from here that file system stands below its keeper.
        let inside = PathBuf::from(format!("/proc/{}/root", self.room.as_ref().expect("room of its own").keeper.id()));
        inside.join(self.data().strip_prefix("/").unwrap()).join("filler")
    }

    /// Starts it again if it has given up, as whoever keeps services running does.
    pub fn start_if_ended(&self) {
        let mut running = self.lock();
        let ended = running.as_mut().is_some_and(|running| running.server.try_wait().unwrap().is_some());
        let running = if ended { running.take() } else { None };
        if let Some(running) = running {
            running.end("-INT");
            self.run();
        }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops the server at once, cutting its connections; what it acknowledged it keeps.
    pub fn stop(&self) {
        if let Some(running) = self.lock().take() {
            running.end("-INT");
        }
    }

    /// Starts it again on the same port, with what it holds.
    pub fn start_again(&self) {
        assert!(self.lock().is_none(), "it is running");
        self.run();
    }

    /// Freezes the server with all its processes: connections stay, nothing answers.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Freezes only the processes that serve connections now: new ones are served.
    pub fn pause_connections(&self) {
        let pid = self.pid();
        kill("-STOP", &children(pid));
    }

    fn make(&self) {
        let mut initdb = self.command("initdb");
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--auth-local=trust"]);
        // The client of a debug build would spend a tenth of a second on a SCRAM proof.
        initdb.args(["--auth-host=password", "-U", USER]);
        initdb.arg("--pwfile").arg(self.folder.join("password")).arg("-D").arg(self.data());
        if self.setup.room.is_some() {
            initdb.arg("--wal-segsize=1");
        }
        let output = initdb.output().unwrap();
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// No way by TCP but TLS and SCRAM.
    fn secure(&self) {
        let Some(identity) = &self.setup.secured else { return };
        let rules = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        for (name, text) in
            [("pg_hba.conf", rules), ("server.crt", &identity.certificate), ("server.key", &identity.key)]
        {
            let path = self.data().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            if is_root() {
                assert!(Command::new("chown").arg("postgres:postgres").arg(&path).status().unwrap().success());
            }
        }
    }

    fn run(&self) {
        let mut postgres = match &self.room {
            Some(room) => room.enter(&self.programs.join("postgres")),
            None => self.command("postgres"),
        };
        if self.setup.secured.is_some() {
            postgres.args(["-c", "ssl=on", "-c", "password_encryption=scram-sha-256"]);
        }
        if self.setup.room.is_some() {
            postgres.args(["-c", "min_wal_size=4MB", "-c", "max_wal_size=8MB"]);
        }
        postgres.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        postgres.arg("-k").arg(&self.folder);
        // A cluster of tests survives the end of programs, not that of the machine.
        for setting in [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "full_page_writes=off",
            "max_connections=300",
            "shared_buffers=64MB",
            "autovacuum_naptime=5s",
            "log_min_messages=warning",
        ] {
            postgres.arg("-c").arg(setting);
        }
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log")).unwrap();
        postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).process_group(0);
        let server = postgres.spawn().unwrap();
        let (guard, pipe) = guard(server.id(), &self.folder);
        *self.lock() = Some(Running { server, guard, pipe });
        self.await_answer();
    }

    fn await_answer(&self) {
        for _ in 0..LOOKS {
            let mut ask = Command::new(self.programs.join("pg_isready"));
            ask.arg("-q").arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string());
            if ask.status().unwrap().success() && TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            pause();
        }
        panic!("it does not start: {}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
    }

    /// One of its programs, as a user that may run it: it refuses root.
    fn command(&self, program: &str) -> Command {
        let path = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(&self.folder);
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn pid(&self) -> u32 {
        self.lock().as_ref().expect("it is running").server.id()
    }

    fn signal(&self, signal: &str) {
        let pid = self.pid();
        // The first to stop is the last to go on, so that none is started in between.
        let mut all = vec![pid];
        all.extend(children(pid));
        kill(signal, &all);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(running) = self.lock().take() {
            let mut all = vec![running.server.id()];
            all.extend(children(running.server.id()));
            kill("-CONT", &all);
            running.end("-INT");
        }
        if let Some(mut room) = self.room.take() {
            let _ = room.keeper.kill();
            let _ = room.keeper.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Room {
    /// Of so many megabytes, over a folder and with what is in it.
    fn open(folder: &Path, megabytes: u32) -> Self {
        const SCRIPT: &str = "cp -a \"$1\" \"$1.copy\" && mount -t tmpfs -o size=$2m,mode=700 tmpfs \"$1\" \
                              && cp -a \"$1.copy/.\" \"$1\" && chown --reference=\"$1.copy\" \"$1\" \
                              && rm -r \"$1.copy\" && echo open && exec cat >/dev/null";
        let mut unshare = Command::new("unshare");
        if !is_root() {
            unshare.arg("--map-root-user");
        }
        unshare.args(["--mount", "--propagation", "private", "sh", "-c", SCRIPT, "room"]).arg(folder);
        unshare.arg(megabytes.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = unshare.spawn().unwrap();
        let mut told = [0; 5];
        std::io::Read::read_exact(keeper.stdout.as_mut().unwrap(), &mut told).expect("a file system of its own");
        Self { keeper }
    }

    /// A program inside, as a user that is not root there.
    fn enter(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.keeper.id().to_string());
        if is_root() {
            command.args(["--mount", "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]);
        } else {
            command.args(["--user", "--preserve-credentials", "--mount", "unshare", "--map-user=1000", "--"]);
        }
        command.arg(program);
        command
    }
}

impl Running {
    /// The guard must not meet a pid that is another's by then, so it goes first.
    fn end(mut self, signal: &str) {
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        kill(signal, &[self.server.id()]);
        let _ = self.server.wait();
    }
}

/// Waits for the end of this process; then ends the server and clears up.
fn guard(server: u32, folder: &Path) -> (Child, ChildStdin) {
    const SCRIPT: &str = "trap '' INT TERM HUP; cat >/dev/null; kill -CONT $1 $(cat /proc/$1/task/$1/children) 2>/dev/null; \
                          kill -INT $1 2>/dev/null; \
                          n=0; while kill -0 $1 2>/dev/null && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done; \
                          kill -KILL $1 2>/dev/null; rm -rf \"$2\"";
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(SCRIPT).arg("guard").arg(server.to_string()).arg(folder);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut child = shell.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.flush().unwrap();
    (child, pipe)
}

fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn kill(signal: &str, pids: &[u32]) {
    if !pids.is_empty() {
        let _ = Command::new("kill").arg(signal).args(pids.iter().map(u32::to_string)).status();
    }
}

#[expect(clippy::disallowed_methods, reason = "the rig waits for a program of others, outside any runtime")]
fn pause() {
    std::thread::sleep(PAUSE);
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Where Debian keeps the newest.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path().join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").exists())
        .max();
    newest.expect("no PostgreSQL on this machine; install it with: cargo xtask check tools").1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_gone_when_it_is_dropped_and_comes_back_with_what_it_held() {
        let cluster = Cluster::start();
        let database = cluster.database();
        cluster.sql(&database.name, "CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)");
        cluster.stop();
        assert!(TcpStream::connect(("127.0.0.1", cluster.port())).is_err());
        cluster.start_again();
        assert_eq!(cluster.sql(&database.name, "SELECT x FROM kept"), "7");
        cluster.pause();
        let (pid, folder, port) = (cluster.pid(), cluster.folder.clone(), cluster.port());
        drop(cluster);
        assert!(!Path::new(&format!("/proc/{pid}")).exists() && !folder.exists());
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }

    #[test]
    fn a_cluster_with_little_room_is_full_and_goes_on_with_what_it_held() {
        let cluster = Cluster::start_as(Setup { room: Some(80), ..Setup::default() });
        let database = cluster.database();
        cluster.sql(&database.name, "CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)");
        cluster.fill();
        let mut psql = Command::new(cluster.programs.join("psql"));
        psql.args(["-X", "-q", "-U", USER, "-d", &database.name, "-h"]).arg(&cluster.folder);
        psql.args([
            "-p",
            &cluster.port.to_string(),
            "-c",
            "CREATE TABLE many AS SELECT generate_series(1, 99999) AS x",
        ]);
        let refused = psql.output().unwrap();
        assert!(String::from_utf8_lossy(&refused.stderr).contains("No space left on device"), "{refused:?}");
        cluster.make_room();
        cluster.start_if_ended();
        cluster.await_answer();
        assert_eq!(cluster.sql(&database.name, "SELECT x FROM kept"), "7");
        let (keeper, folder) = (cluster.room.as_ref().unwrap().keeper.id(), cluster.folder.clone());
        drop(cluster);
        assert!(!Path::new(&format!("/proc/{keeper}")).exists() && !folder.exists());
    }

    #[test]
    fn a_cluster_does_not_outlive_a_process_that_is_killed() {
        let cluster = Cluster::start();
        let mut running = cluster.lock().take().unwrap();
        let (pid, folder) = (running.server.id(), cluster.folder.clone());
        // What the end of a process does, however it ends: its pipes close.
        drop(running.pipe);
        running.server.wait().unwrap();
        running.guard.wait().unwrap();
        assert!(!Path::new(&format!("/proc/{pid}")).exists() && !folder.exists());
    }
}
