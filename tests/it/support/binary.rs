//! The real program, run as its users run it: commands that end, and servers that are stopped by
//! signals. Only what a test gives it is in its environment.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// What a command left behind.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A guard against hanging, not a measure: nothing here takes a tenth of it.
const HANGS: Duration = Duration::from_secs(120);

fn command(args: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_neighborbid"));
    command
        .args(args)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("RUST_BACKTRACE", "1")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a command to its end.
pub fn run(args: &[&str]) -> Ended {
    run_in(args, &[])
}

/// Runs a command to its end with these variables in its environment.
pub fn run_in(args: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut child = command(args, variables).spawn().unwrap();
    let out = drain(child.stdout.take().unwrap());
    let err = drain(child.stderr.take().unwrap());
    let code = end_of(&mut child, args);
    let [out, err] = [out, err].map(|reader| reader.join().unwrap());
    Ended { code, out, err }
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}

fn end_of(child: &mut Child, args: &[&str]) -> Option<i32> {
    let until = Instant::now() + HANGS;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("neighborbid {args:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A running `serve`, on a port of its own.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// Host and port.
    pub address: String,
    /// The same of where operators ask; empty where that is off.
    pub admin: String,
}

/// Which program a [`Server`] has not said its address of.
#[derive(Debug)]
pub struct Starting(Server);

impl Server {
    /// Starts one and waits until it serves.
    pub fn start(database_url: &str, more: &[&str]) -> Self {
        Self::starting(database_url, more, &[]).ready()
    }

    /// Starts one with these variables in its environment, and does not wait.
    pub fn starting(database_url: &str, more: &[&str], variables: &[(&str, &str)]) -> Starting {
        let mut args = vec!["serve"];
        if !more.contains(&"--listen") {
            args.extend(["--listen", "127.0.0.1:0"]);
        }
        if !more.contains(&"--admin-listen") {
            args.extend(["--admin-listen", "127.0.0.1:0"]);
        }
        args.extend(["--database-url", database_url, "--log-format", "json"]);
        args.extend(more);
        let mut child = command(&args, variables).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *kept.lock().unwrap() += &(line + "\n");
            }
        });
        Starting(Self {
            child,
            log,
            reader: Some(reader),
            address: String::new(),
            admin: String::new(),
        })
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// How many lines of its log hold `words`.
    pub fn lines_with(&self, words: &str) -> usize {
        self.log().lines().filter(|line| line.contains(words)).count()
    }

    /// Sends a signal: TERM or INT.
    pub fn signal(&self, name: &str) {
        let to = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &to]).status();
        assert!(sent.unwrap().success(), "kill -s {name} {to}");
    }

    /// Waits for its end; answers with its exit code and all that it logged.
    pub fn end(mut self) -> (Option<i32>, String) {
        let code = end_of(&mut self.child, &["serve"]);
        self.reader.take().unwrap().join().unwrap();
        (code, self.log())
    }

    /// Stops it the way operators do.
    pub fn stop(self) -> String {
        self.signal("TERM");
        let (code, log) = self.end();
        assert_eq!(code, Some(0), "{log}");
        log
    }
}

impl Starting {
    /// Waits until it serves.
    pub fn ready(self) -> Server {
        self.outcome().unwrap_or_else(|log| panic!("the server ended at once:\n{log}"))
    }

    /// Waits until it serves; or what it said before it ended.
    pub fn outcome(mut self) -> Result<Server, String> {
        let until = Instant::now() + HANGS;
        loop {
            let log = self.0.log();
            let line = log.lines().find(|line| line.contains("\"message\":\"serving\""));
            if let Some(line) = line {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                let said = |field: &str| line["fields"][field].as_str().unwrap_or_default();
                (self.0.address, self.0.admin) = (said("address").into(), said("admin").into());
                return Ok(self.0);
            }
            if self.0.child.try_wait().unwrap().is_some() {
                return Err(self.0.log());
            }
            assert!(Instant::now() < until, "the server does not start:\n{log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
