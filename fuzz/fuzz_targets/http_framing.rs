//! However the bytes of a connection are cut, the first that could be read in two ways is the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../server/src/listen/framing.rs"]
mod framing;

use framing::Framing;

fuzz_target!(|data: &[u8]| {
    let whole = Framing::default().scan(data).err().map(|found| found.at);
    for cut in [1, 2, 7, 61] {
        let mut framing = Framing::default();
        let mut pieces = data.chunks(cut).enumerate();
        let found = pieces.find_map(|(index, piece)| framing.scan(piece).err().map(|found| index * cut + found.at));
        assert_eq!(found, whole);
    }
});
