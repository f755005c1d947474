//! A NATS server of a test's own: the real program on a port of its own, which a test starts,
//! kills, pauses and brings back on the same port.

use std::{
    ffi::OsStr,
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

const MISSING: &str = "NATS is missing: apt-get install nats-server";

/// A guard against hanging, not a measure.
const HANGS: Duration = Duration::from_secs(60);

/// The server, or the place where it is to be.
#[derive(Debug)]
pub struct Nats {
    pub address: SocketAddr,
    child: Option<Child>,
    config: Option<PathBuf>,
}

impl Nats {
    /// Nobody listens there yet.
    pub fn absent() -> Self {
        Self { address: free_address(), child: None, config: None }
    }

    /// It runs.
    pub fn running() -> Self {
        let mut nats = Self::absent();
        nats.start();
        nats
    }

    /// It runs with such a configuration file.
    pub fn configured(text: &str) -> Self {
        let mut nats = Self::absent();
        nats.configure(text);
        nats.start();
        nats
    }

    /// From its next start on it has such a configuration file.
    pub fn configure(&mut self, text: &str) {
        let name = format!("neighborbid_nats_{}.conf", self.address.port());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, text).unwrap();
        self.config = Some(file);
    }

    /// What nodes are given.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Starts it, for the first time or again, and waits until it greets.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let port = self.address.port().to_string();
        let child = Command::new(program())
            .args(["--addr", "127.0.0.1", "--port", &port])
            .args(self.config.iter().flat_map(|file| [OsStr::new("--config"), file.as_os_str()]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.expect(MISSING));
        let until = Instant::now() + HANGS;
        while !greets(self.address) {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "nats-server ended at once: {ended:?}");
            assert!(Instant::now() < until, "nats-server does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGKILL; returns when the process is gone.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it does not run");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGSTOP: its connections stay, and nothing moves.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let to = self.child.as_ref().expect("it does not run").id().to_string();
        let sent = Command::new("kill").args(["-s", name, &to]).status();
        assert!(sent.unwrap().success(), "kill -s {name} {to}");
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(file) = &self.config {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Debian puts it where not everybody's PATH leads.
fn program() -> &'static str {
    const OF_DEBIAN: &str = "/usr/sbin/nats-server";
    if std::fs::exists(OF_DEBIAN).is_ok_and(|is_there| is_there) {
        OF_DEBIAN
    } else {
        "nats-server"
    }
}

fn greets(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let mut greeting = [0; 5];
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.read_exact(&mut greeting).is_ok() && greeting == *b"INFO "
}

/// Below the ports that systems give to those who ask for any: nobody takes it while it is free.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 10_000 + u16::try_from(std::process::id() % 1_000).unwrap() * 20;
    loop {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
