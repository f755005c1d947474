//! GraphQL documents, from the text to operations that are ready to run.

#![no_main]

use libfuzzer_sys::fuzz_target;
use neighborbid_fuzz::READERS;

fuzz_target!(|input: &str| {
    let _ = READERS.document(input);
});
