//! A Postgres server of the tests' own: started from its binaries in a temporary folder, gone when
//! the test process is gone, however that ends.

use std::{
    io::Read,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock},
};

use super::dice::Dice;

const MISSING: &str = "Postgres is missing: apt-get install postgresql \
                       (or name its folder of binaries in NEIGHBORBID_POSTGRES_BIN)";

/// The one server of this process, as a URL without a database's name.
pub fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(start)
}

fn bin() -> PathBuf {
    if let Some(named) = std::env::var_os("NEIGHBORBID_POSTGRES_BIN") {
        return named.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|v| v.path().join("bin")).filter(|b| b.join("initdb").exists()).max();
    let on_path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .find(|folder| folder.join("initdb").exists());
    found.or(on_path).unwrap_or_else(|| panic!("{MISSING}"))
}

/// Postgres refuses to run as root: then it runs as the user that its package made.
fn as_its_user(program: &Path, script: &str, folder: &Path) -> Command {
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let mut command = if root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh", "-c"]);
        command
    } else {
        let mut command = Command::new("sh");
        command.arg("-c");
        command
    };
    command.arg(script).arg("sh").arg(program).arg(folder).current_dir("/");
    command
}

/// A folder with an empty cluster in it.
fn initialized() -> PathBuf {
    let bin = bin();
    let made = Command::new("mktemp").args(["-d", "/tmp/neighborbid-pg.XXXXXX"]).output().unwrap();
    let folder = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim());
    assert!(Command::new("chmod").arg("777").arg(&folder).status().unwrap().success());
    let init = "\"$1/initdb\" -D \"$2/data\" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N";
    let output = as_its_user(&bin, init, &folder).output().unwrap();
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// A port that nobody listens on, below those that Linux gives to whoever connects: of these one
/// might be somebody's by the time that a server is started again on it.
fn free_port() -> u16 {
    let mut dice = Dice::new(std::process::id().into());
    loop {
        let port = 20_000 + u16::try_from(dice.roll(12_000)).unwrap();
        if !TAKEN.lock().unwrap().contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok()
        {
            TAKEN.lock().unwrap().push(port);
            return port;
        }
    }
}

/// What this process has taken already, though nobody may listen there yet.
static TAKEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());

fn start() -> String {
    let (bin, folder, port) = (bin(), initialized(), free_port());
    // It lives as long as this process holds the other end of its standard input.
    let run = format!(
        "\"$1/postgres\" -D \"$2/data\" -k \"$2\" -h 127.0.0.1 -p {port} -c max_connections=400 \
         -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c shared_buffers=128MB \
         >\"$2/log\" 2>&1 & server=$!; echo started; \
         cat >/dev/null; kill -QUIT $server; wait $server; \
         rm -rf \"$2/data\" \"$2\"/.s* \"$2/log\"; \
         rmdir \"$2\" 2>/dev/null"
    );
    let mut child = as_its_user(&bin, &run, &folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut started = [0; 8];
    child.stdout.take().unwrap().read_exact(&mut started).unwrap();
    std::mem::forget(child);
    let ready = || {
        let mut probe = Command::new(bin.join("pg_isready"));
        probe.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]).status().unwrap().success()
    };
    for _ in 0..600 {
        if ready() {
            return format!("postgres://postgres@127.0.0.1:{port}");
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("Postgres did not start: {}", std::fs::read_to_string(folder.join("log")).unwrap());
}

/// A server of one test's own, that can be stopped in the midst of things and started again. What
/// it acknowledged is kept.
#[derive(Debug)]
pub struct Own {
    /// Without a database's name.
    pub url: String,
    child: Child,
    tell: Option<std::process::ChildStdin>,
    told: std::io::BufReader<std::process::ChildStdout>,
}

impl Own {
    pub fn start() -> Self {
        let (bin, folder) = (bin(), initialized());
        let port = free_port();
        // It lives as long as this process holds the other end of its standard input.
        let run = format!(
            "bin=$1 dir=$2; \
             begin() {{ \"$bin/postgres\" -D \"$dir/data\" -k \"$dir\" -h 127.0.0.1 -p {port} \
               -c max_connections=200 -c fsync=off >>\"$dir/log\" 2>&1 & server=$!; }}; \
             up() {{ begin; until \"$bin/pg_isready\" -q -h 127.0.0.1 -p {port}; do \
               kill -0 $server 2>/dev/null || {{ cat \"$dir/log\" >&2; begin; }}; \
               sleep 0.05; done; }}; \
             down() {{ kill -QUIT $server 2>/dev/null; wait $server; }}; \
             up; echo done; \
             while read -r word; do $word; echo done; done; \
             down; rm -rf \"$dir/data\" \"$dir\"/.s* \"$dir/log\"; rmdir \"$dir\" 2>/dev/null"
        );
        let mut child = as_its_user(&bin, &run, &folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let told = std::io::BufReader::new(child.stdout.take().unwrap());
        let tell = child.stdin.take();
        let url = format!("postgres://postgres@127.0.0.1:{port}");
        let mut own = Self { url, child, tell, told };
        own.is_done();
        own
    }

    fn is_done(&mut self) {
        use std::io::BufRead;
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n");
    }

    fn say(&mut self, word: &str) {
        use std::io::Write;
        writeln!(self.tell.as_ref().unwrap(), "{word}").unwrap();
        self.is_done();
    }

    /// Stops it at once, as a crash would.
    pub fn crash(&mut self) {
        self.say("down");
    }

    /// Starts it again; returns when it answers.
    pub fn start_again(&mut self) {
        self.say("up");
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.tell.take());
        let _ = self.child.wait();
    }
}
