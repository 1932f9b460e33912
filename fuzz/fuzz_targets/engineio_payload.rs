#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &str| actix_socketio::properties::payload(body));
