//! Text messages of a WebSocket, and the operations that they begin.

#![no_main]

use libfuzzer_sys::fuzz_target;
use neighborbid_fuzz::READERS;

fuzz_target!(|input: &str| {
    let _ = READERS.socket_message(input);
});
