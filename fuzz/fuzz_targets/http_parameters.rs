//! Parameters of requests, from a body of JSON or a URL, and the operations that they name.

#![no_main]

use libfuzzer_sys::fuzz_target;
use neighborbid_fuzz::READERS;

fuzz_target!(|input: &[u8]| {
    let _ = READERS.http_parameters(input);
});
