//! The demo, as it is started and stopped.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Command, Stdio},
};

use super::settings::{Folder, are_private, mode};

#[test]
fn a_demo_takes_another_port_says_so_and_warns_of_its_passwords() {
    // Whoever has it: it is taken.
    let _taken = TcpListener::bind("0.0.0.0:8000");
    let folder = Folder::new();
    let path = folder.0.join("demo");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_neighborbid"))
        .args(["demo", "--quiet", "--listen", "0.0.0.0:8000", "--log", "warn", "--folder"])
        .arg(&path)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    for line in lines.by_ref().map_while(Result::ok) {
        said += &(line + "\n");
        if said.contains("Ctrl-C") {
            break;
        }
    }
    assert!(said.contains("0.0.0.0:8000 is taken: the demo listens on 0.0.0.0:"), "{said}");
    assert!(!said.contains("127.0.0.1:8000"), "{said}");
    assert_eq!(mode(&path), 0o700);
    are_private(&path, 1);
    let pid = demo.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    lines.for_each(drop);
    assert_eq!(demo.wait().unwrap().code(), Some(0));
    let mut log = String::new();
    demo.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("passwords are known to everybody"), "{log}");
}
