//! What settings do at start: files that only their owner reads, warnings of what is dangerous,
//! and one clear line for what makes no sense.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::failure;
use crate::support::{
    api::Client,
    binary::{Server, run, run_in},
    database, on_both,
};

/// A folder of a test's own, gone with it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("neighborbid-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn url(&self) -> String {
        format!("sqlite://{}/house.db?mode=rwc", self.0.display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Every file in a folder, and that there are some, is its owner's alone.
pub fn are_private(folder: &Path, least: usize) {
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap()).collect();
    let databases = files.iter().filter(|f| f.file_name().to_string_lossy().contains(".db"));
    let modes: Vec<_> = databases.map(|file| (file.path(), mode(&file.path()))).collect();
    assert!(modes.len() >= least, "{modes:?}");
    assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
}

#[test]
fn a_new_database_is_read_by_its_owner_alone() {
    let folder = Folder::new();
    let server = Server::start(&folder.url(), &[]);
    are_private(&folder.0, 3);
    server.stop();
    let folder = Folder::new();
    assert_eq!(run(&["migrate", "--database-url", &folder.url()]).code, Some(0));
    are_private(&folder.0, 1);
}

#[test]
fn a_command_on_no_database_says_so_and_makes_no_file() {
    let folder = Folder::new();
    for args in [&["admin", "grant", "emma"][..], &["audit"]] {
        let ended = run_in(args, &[("DATABASE_URL", &folder.url())]);
        let line = failure(&ended);
        assert!(line.contains("there is none") && line.contains("--database-url"), "{line}");
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
    }
}

on_both! {
    async fn a_command_on_an_empty_database_says_what_to_do(db: &TestDatabase) {
        let new = database::empty(db.is_postgres()).await;
        if !db.is_postgres() {
            std::fs::File::create(new.file()).unwrap();
        }
        for args in [&["admin", "grant", "emma"][..], &["audit"]] {
            let ended = run_in(args, &[("DATABASE_URL", &new.url)]);
            assert!(failure(&ended).contains("run neighborbid migrate first"), "{}", ended.err);
        }
        assert_eq!(run(&["migrate", "--database-url", &new.url]).code, Some(0));
        new.finish().await;
    }
}

#[test]
fn what_is_no_origin_is_one_clear_line() {
    for origin in ["*", "shop.test", "http://shop.test/path", "http://shop.test,*"] {
        let ended = run(&["serve", "--allow-origin", origin]);
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        assert!(ended.err.contains("is no origin"), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_allowed_origins_send_and_read_what_their_tools_need() {
    let db = database::sqlite().await;
    let server = Server::start(&db.url, &["--allow-origin", "http://shop.test/"]);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/graphql", server.address);
    let sends = "traceparent,sentry-trace,apollographql-client-name,authorization,content-type";
    let asked = http
        .request(reqwest::Method::OPTIONS, &url)
        .header("origin", "http://shop.test")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", sends);
    let answer = asked.send().await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("access-control-allow-origin"), "http://shop.test");
    let allowed = header("access-control-allow-headers");
    for name in sends.split(',') {
        assert!(allowed.split(',').any(|allowed| allowed == name), "{name}: {allowed}");
    }
    let post = http.post(&url).header("origin", "http://shop.test");
    let answer = post.header("content-type", "application/json").body("{}").send().await.unwrap();
    let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("x-request-id"), "{exposed}");
    server.stop();
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_switched_off_is_not_there() {
    let db = database::sqlite().await;
    let server = Server::start(&db.url, &["--graphiql", "off", "--admin-listen", "off"]);
    assert_eq!(server.admin, "");
    let client = Client::of(&server.address);
    for (path, status) in [("/graphiql", 404), ("/metrics", 404), ("/readyz", 200)] {
        assert_eq!(client.get(path).await.unwrap().0, status, "{path}");
    }
    server.stop();
    db.finish().await;
}

#[test]
fn dangerous_settings_are_told_where_strangers_connect() {
    let folder = Folder::new();
    let dangerous = ["--payments", "simulated", "--rate-limit", "off", "--trust-proxy"];
    let log = Server::start(&folder.url(), &dangerous).stop();
    assert!(!log.contains("\"level\":\"WARN\""), "{log}");
    let public = ["--listen", "0.0.0.0:0", "--admin-listen", "0.0.0.0:0"];
    let log = Server::start(&folder.url(), &[&dangerous[..], &public].concat()).stop();
    for said in ["--payments simulated on", "--rate-limit off on", "--trust-proxy on"] {
        assert_eq!(log.matches(said).count(), 1, "{log}");
    }
    assert_eq!(log.matches("--admin-listen 0.0.0.0:").count(), 1, "{log}");
}
