#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| lobby_websocket::properties::frames(input));
